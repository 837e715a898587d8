#include "plugin/descriptor.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "config/schema.hpp"
#include "plugin/component.hpp"
#include "plugin/names.hpp"

namespace tokometer {
namespace {

// Beyond any real descriptor; larger values are uninitialised memory.
constexpr size_t kMaxTextBytes = size_t{1} << 20;
constexpr size_t kMaxStructBytes = size_t{1} << 16;
constexpr size_t kMaxItems = 1024;

class Faults {
 public:
  void add(const std::string& sentence) { errors_.push_back({"plugin bug: " + where_ + sentence}); }
  void enter(std::string where) { where_ = std::move(where); }
  bool any() const { return !errors_.empty(); }
  std::vector<Error> take() { return std::move(errors_); }

 private:
  std::string where_;
  std::vector<Error> errors_;
};

// A text as a view; a broken pointer or invalid UTF-8 is a fault.
std::string_view check_text(const tkm_str& text, const char* what, Faults& faults) {
  if (text.size > kMaxTextBytes || (text.data == nullptr && text.size > 0)) {
    faults.add(std::string(what) + " is no valid text");
    return {};
  }
  const std::string_view view(text.data, text.size);
  if (!is_valid_utf8(view)) faults.add(std::string(what) + " is not UTF-8");
  return view;
}

template <class Struct>
bool check_size(const Struct& value, size_t minimum, const char* what, Faults& faults) {
  if (value.struct_size >= minimum && value.struct_size <= kMaxStructBytes) return true;
  faults.add(std::string(what) + ".struct_size is " + std::to_string(value.struct_size) + ", at least " +
             std::to_string(minimum) + " expected");
  return false;
}

template <class... Calls>
void check_calls(Faults& faults, const std::pair<const char*, Calls>&... calls) {
  const auto check = [&](const char* name, bool is_there) {
    if (!is_there) faults.add(std::string("call ") + name + " is missing");
  };
  (check(calls.first, calls.second != nullptr), ...);
}

void check_processor(const void* pointer, Faults& faults) {
  const auto& ops = *static_cast<const tkm_processor_ops*>(pointer);
  if (!check_size(ops, sizeof ops, "ops", faults)) return;
  check_calls(faults, std::pair("create", ops.create), std::pair("destroy", ops.destroy),
              std::pair("describe", ops.describe), std::pair("learn", ops.learn),
              std::pair("encode", ops.encode), std::pair("open", ops.open), std::pair("head", ops.head),
              std::pair("data", ops.data), std::pair("end", ops.end), std::pair("close", ops.close));
}

void check_dataset(const void* pointer, Faults& faults) {
  const auto& ops = *static_cast<const tkm_dataset_ops*>(pointer);
  if (!check_size(ops, sizeof ops, "ops", faults)) return;
  check_calls(faults, std::pair("create", ops.create), std::pair("destroy", ops.destroy),
              std::pair("size", ops.size), std::pair("next", ops.next));
}

void check_pattern(const void* pointer, Faults& faults) {
  const auto& ops = *static_cast<const tkm_pattern_ops*>(pointer);
  if (!check_size(ops, sizeof ops, "ops", faults)) return;
  check_calls(faults, std::pair("create", ops.create), std::pair("destroy", ops.destroy),
              std::pair("next", ops.next));
}

void check_tokenizer(const void* pointer, Faults& faults) {
  const auto& ops = *static_cast<const tkm_tokenizer_ops*>(pointer);
  if (!check_size(ops, sizeof ops, "ops", faults)) return;
  check_calls(faults, std::pair("create", ops.create), std::pair("destroy", ops.destroy),
              std::pair("vocab_size", ops.vocab_size), std::pair("encode", ops.encode));
}

void check_ops(const tkm_component& component, Faults& faults) {
  if (component.ops == nullptr) return faults.add("ops is NULL");
  switch (component.kind) {
    case TKM_KIND_PROCESSOR:
      return check_processor(component.ops, faults);
    case TKM_KIND_DATASET:
      return check_dataset(component.ops, faults);
    case TKM_KIND_PATTERN:
      return check_pattern(component.ops, faults);
    case TKM_KIND_TOKENIZER:
      return check_tokenizer(component.ops, faults);
    default:
      return;
  }
}

void check_capabilities(const tkm_component& component, Faults& faults) {
  const size_t count = component.capability_count;
  if (count > kMaxItems || (component.capabilities == nullptr && count > 0)) {
    return faults.add("capabilities is no valid list");
  }
  int loops = 0;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view capability = check_text(component.capabilities[i], "a capability", faults);
    if (!is_capability(capability))
      faults.add("capability \"" + escape_terminal(capability, 64) + "\" is no valid name");
    if (capability == "open-loop" || capability == "closed-loop") ++loops;
  }
  if (component.kind == TKM_KIND_PATTERN && loops != 1) {
    faults.add("a load pattern needs one of the capabilities open-loop, closed-loop");
  }
}

void check_options(const tkm_component& component, Faults& faults) {
  const std::string_view schema = check_text(component.config_schema, "config_schema", faults);
  if (schema.empty()) return;
  if (const auto checked = check_schema(schema); !checked) {
    for (const Error& error : checked.errors()) faults.add("config_schema: " + to_string(error));
  }
}

bool is_known(int32_t kind) {
  return kind >= TKM_KIND_PROCESSOR && kind <= TKM_KIND_TOKENIZER;
}

using Seen = std::set<std::pair<int32_t, std::string_view>>;

// True: of a known kind, checked, and to be offered (unless there were faults).
bool check_component(const tkm_component* component, size_t index, Seen& seen, Faults& faults) {
  faults.enter("component " + std::to_string(index) + ": ");
  if (component == nullptr) return faults.add("is NULL"), false;
  if (!check_size(*component, sizeof *component, "component", faults)) return false;
  if (!is_known(component->kind)) return false;
  const std::string_view id = check_text(component->id, "id", faults);
  if (!is_component_name(id)) {
    return faults.add("id \"" + escape_terminal(id, 64) + "\" is no name like [a-z][a-z0-9_-]*"), false;
  }
  faults.enter(std::string(kind_name(component->kind)) + " \"" + std::string(id) + "\": ");
  if (!seen.emplace(component->kind, id).second) faults.add("is there twice");
  check_text(component->summary, "summary", faults);
  check_options(*component, faults);
  check_capabilities(*component, faults);
  check_ops(*component, faults);
  return true;
}

// False: the list of components cannot be looked at.
bool check_module(const tkm_module& module, const ModuleNote& note, Faults& faults) {
  if (!check_size(module, sizeof module, "module", faults)) return false;
  const std::string_view name = check_text(module.name, "name", faults);
  if (name != note.module) {
    faults.add("the note says module \"" + note.module + "\", the descriptor \"" + escape_terminal(name, 64) +
               "\"");
  }
  const std::string_view version = check_text(module.version, "version", faults);
  if (version != note.version) {
    faults.add("the note says version " + note.version + ", the descriptor \"" +
               escape_terminal(version, 64) + "\"");
  }
  check_text(module.license, "license", faults);
  if (module.component_count <= kMaxItems && (module.components != nullptr || module.component_count == 0))
    return true;
  faults.add("components is no valid list");
  return false;
}

}  // namespace

Result<std::vector<const tkm_component*>> check_descriptor(const tkm_module* module, const ModuleNote& note) {
  if (module == nullptr) return Error{"plugin bug: tkm_module_v1 returned NULL"};
  Faults faults;
  std::vector<const tkm_component*> components;
  if (check_module(*module, note, faults)) {
    Seen seen;
    for (size_t i = 0; i < module->component_count; ++i) {
      if (check_component(module->components[i], i, seen, faults))
        components.push_back(module->components[i]);
    }
  }
  if (faults.any()) return faults.take();
  return components;
}

}  // namespace tokometer
