#include "config/workloads_resolved.hpp"

#include <algorithm>
#include <tokometer/json.hpp>

namespace tokometer {
namespace {

using tkm::Json;
using tkm::JsonDocument;

class Resolver {
 public:
  Resolver(const Node& root, const std::vector<RunFile>& files)
      : root_(root), files_(files), each_(files.size()) {
    for (size_t i = 0; i < files.size(); ++i) tkm::parse_json(files[i].resolved_json, each_[i]);
    tkm::parse_json(files.front().resolved_json, out_);
  }

  std::string resolve() {
    std::string text;
    if (!out_.IsObject()) return text;
    put("phases", phases());
    Json list = workloads();
    for (const char* section : kWorkloadSections) {
      if (is_own(section)) out_.RemoveMember(section);
    }
    put("workloads", std::move(list));
    tkm::JsonWriter(text).value(out_);
    return text;
  }

 private:
  using Memory = rapidjson::Document::AllocatorType;
  Memory& memory() { return out_.GetAllocator(); }

  void put(const char* key, Json value) {
    out_.RemoveMember(key);
    if (!value.IsNull()) out_.AddMember(Json(key, memory()), value, memory());
  }

  // Does some workload name this section?
  bool is_own(const char* section) const {
    const Node* list = root_.find("workloads");
    return list != nullptr && std::any_of(list->items.begin(), list->items.end(),
                                          [&](const Node& item) { return item.find(section) != nullptr; });
  }

  Json workloads() {
    Json list(rapidjson::kArrayType);
    for (size_t i = 0; i < files_.size(); ++i) {
      Json entry(rapidjson::kObjectType);
      entry.AddMember("name", Json(files_[i].workload.c_str(), memory()), memory());
      for (const char* section : kWorkloadSections) {
        const Json* own = is_own(section) ? tkm::find(each_[i], section) : nullptr;
        if (own != nullptr) entry.AddMember(Json(section, memory()), Json(*own, memory()), memory());
      }
      list.PushBack(entry, memory());
    }
    return list;
  }

  // Of one workload, by its name; nullptr: it is held back.
  static const Json* find_phase(const Json& file, const std::string& name) {
    const Json* phases = tkm::find(file, "phases");
    if (phases == nullptr || !phases->IsArray()) return nullptr;
    for (const Json& phase : phases->GetArray()) {
      if (tkm::get_string(phase, "name") == name) return &phase;
    }
    return nullptr;
  }

  Json phases() {
    Json list(rapidjson::kArrayType);
    for (const std::string& name : phase_names(root_)) list.PushBack(phase(name), memory());
    return list.Empty() ? Json() : std::move(list);
  }

  // What all that play have alike stands in the phase itself.
  Json phase(const std::string& name) {
    std::vector<const Json*> all;
    for (const JsonDocument& file : each_) all.push_back(find_phase(file, name));
    const auto is_common = [&](const Json& key, const Json& value) {
      return std::all_of(all.begin(), all.end(), [&](const Json* other) {
        const Json* same = other != nullptr ? tkm::find(*other, tkm::text_of(key)) : nullptr;
        return other == nullptr || (same != nullptr && *same == value);
      });
    };
    Json out(rapidjson::kObjectType), own(rapidjson::kObjectType);
    for (size_t i = 0; i < all.size(); ++i) {
      Json rest(all[i] != nullptr ? Json(rapidjson::kObjectType) : Json("off"));
      if (all[i] != nullptr) {
        for (const auto& member : all[i]->GetObject()) {
          if (tkm::text_of(member.name) == "workloads") continue;
          const bool common = is_common(member.name, member.value);
          if (common && out.HasMember(member.name)) continue;
          (common ? out : rest)
              .AddMember(Json(member.name, memory()), Json(member.value, memory()), memory());
        }
      }
      if (rest.IsObject() && rest.ObjectEmpty()) continue;
      own.AddMember(Json(files_[i].workload.c_str(), memory()), rest, memory());
    }
    if (!own.ObjectEmpty()) out.AddMember("workloads", own, memory());
    return out;
  }

  const Node& root_;
  const std::vector<RunFile>& files_;
  std::vector<JsonDocument> each_;  // resolved, by workload
  JsonDocument out_;
};

}  // namespace

std::vector<std::string> phase_names(const Node& root) {
  std::vector<std::string> names;
  const Node* phases = root.find("phases");
  for (size_t i = 0; phases != nullptr && i < phases->items.size(); ++i) {
    const Node* name = phases->items[i].find("name");
    names.push_back(name != nullptr             ? name->text
                    : phases->items.size() == 1 ? "main"
                                                : "phase" + std::to_string(i + 1));
  }
  return names;
}

std::string resolve_workloads(const Node& root, const std::vector<RunFile>& files) {
  return Resolver(root, files).resolve();
}

}  // namespace tokometer
