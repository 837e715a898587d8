// Plugins made of lambdas, for tests of what calls them: no file, no loader.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/run_tokenizer.hpp"
#include "plugin/handles.hpp"

#include <tokometer/abi.h>

namespace tokometer::test {

inline tkm_str str(const char* text) {
  return {text, std::char_traits<char>::length(text)};
}

inline Component component_of(const tkm_component& entry) {
  static const tkm_module module{.struct_size = sizeof(tkm_module),
                                 .abi_minor = 0,
                                 .min_host_minor = 0,
                                 .reserved = 0,
                                 .name = str("fake"),
                                 .version = str("1"),
                                 .license = str("none"),
                                 .components = nullptr,
                                 .component_count = 0};
  return {.entry = &entry,
          .module = &module,
          .path = "fake.so",
          .sha256 = {},
          .build_id = {},
          .called = {"fake", "fake.so", "1"}};
}

using PatternStep = std::function<void(const tkm_load_state&, tkm_load_step&)>;
using DatasetStep = std::function<tkm_status(const tkm_sample_out&, const tkm_writer&)>;

// What the next handle made by the fakes below will do. One test at a time.
inline PatternStep& pattern_step() {
  static PatternStep step;
  return step;
}
inline DatasetStep& dataset_step() {
  static DatasetStep step;
  return step;
}
inline int64_t& dataset_size() {
  static int64_t size = -2;
  return size;
}

inline Pattern fake_pattern(PatternStep step) {
  static const tkm_pattern_ops ops{
      .struct_size = sizeof(tkm_pattern_ops),
      .reserved = 0,
      .create = [](const tkm_create_args*, const tkm_writer*, tkm_pattern** out) -> tkm_status {
        *out = reinterpret_cast<tkm_pattern*>(new PatternStep(pattern_step()));
        return TKM_OK;
      },
      .destroy = [](tkm_pattern* self) { delete reinterpret_cast<PatternStep*>(self); },
      .next = [](tkm_pattern* self, const tkm_load_state* state, tkm_load_step* step_out,
                 const tkm_writer*) -> tkm_status {
        (*reinterpret_cast<PatternStep*>(self))(*state, *step_out);
        return TKM_OK;
      }};
  static const tkm_component entry{.struct_size = sizeof(tkm_component),
                                   .kind = TKM_KIND_PATTERN,
                                   .id = str("fake"),
                                   .summary = {},
                                   .config_schema = {},
                                   .capabilities = nullptr,
                                   .capability_count = 0,
                                   .ops = &ops};
  static const Component component = component_of(entry);
  pattern_step() = std::move(step);
  return std::move(*Pattern::create(component, {}));
}

inline Dataset fake_dataset(int64_t size, DatasetStep step) {
  static const tkm_dataset_ops ops{
      .struct_size = sizeof(tkm_dataset_ops),
      .reserved = 0,
      .create = [](const tkm_create_args*, const tkm_writer*, tkm_dataset** out) -> tkm_status {
        *out = reinterpret_cast<tkm_dataset*>(new DatasetStep(dataset_step()));
        return TKM_OK;
      },
      .destroy = [](tkm_dataset* self) { delete reinterpret_cast<DatasetStep*>(self); },
      .size = [](tkm_dataset*) { return dataset_size(); },
      .next = [](tkm_dataset* self, const tkm_sample_out* out, const tkm_writer* err) -> tkm_status {
        return (*reinterpret_cast<DatasetStep*>(self))(*out, *err);
      }};
  static const tkm_component entry{.struct_size = sizeof(tkm_component),
                                   .kind = TKM_KIND_DATASET,
                                   .id = str("fake"),
                                   .summary = {},
                                   .config_schema = {},
                                   .capabilities = nullptr,
                                   .capability_count = 0,
                                   .ops = &ops};
  static const Component component = component_of(entry);
  dataset_step() = std::move(step);
  dataset_size() = size;
  return std::move(*Dataset::create(component, {}));
}

// A token for each word; a text with a '\xff' in it cannot be encoded.
inline std::shared_ptr<RunTokenizer> fake_tokenizer() {
  static const tkm_tokenizer_ops ops{
      .struct_size = sizeof(tkm_tokenizer_ops),
      .reserved = 0,
      .create = [](const tkm_create_args*, const tkm_writer*, tkm_tokenizer** out) -> tkm_status {
        *out = reinterpret_cast<tkm_tokenizer*>(new int());
        return TKM_OK;
      },
      .destroy = [](tkm_tokenizer* self) { delete reinterpret_cast<int*>(self); },
      .vocab_size = [](tkm_tokenizer*) -> int64_t { return 10; },
      .encode = [](tkm_tokenizer*, tkm_str text, int32_t mode, const tkm_ids_out* out,
                   const tkm_writer* err) -> tkm_status {
        bool in_word = false;
        for (const char c : std::string_view(text.data, text.size)) {
          if (c == '\xff') return err->write(err->ctx, str("not UTF-8")), TKM_E_INPUT;
          if (c != ' ' && !in_word) out->ids(out->ctx, &mode, 1);
          in_word = c != ' ';
        }
        return TKM_OK;
      }};
  static const tkm_component entry{.struct_size = sizeof(tkm_component),
                                   .kind = TKM_KIND_TOKENIZER,
                                   .id = str("fake"),
                                   .summary = {},
                                   .config_schema = {},
                                   .capabilities = nullptr,
                                   .capability_count = 0,
                                   .ops = &ops};
  static const Component component = component_of(entry);
  return *RunTokenizer::make(component, {});
}

}  // namespace tokometer::test
