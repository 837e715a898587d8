#include "plugin/component.hpp"

namespace tokometer {

bool Component::has_capability(std::string_view capability) const {
  for (size_t i = 0; i < entry->capability_count; ++i) {
    const tkm_str& own = entry->capabilities[i];
    if (std::string_view(own.data, own.size) == capability) return true;
  }
  return false;
}

std::string_view Component::config_schema() const {
  if (entry->config_schema.size == 0) return R"({"type": "object", "properties": {}})";
  return {entry->config_schema.data, entry->config_schema.size};
}

std::string_view kind_name(int32_t kind) {
  switch (kind) {
    case TKM_KIND_PROCESSOR:
      return "processor";
    case TKM_KIND_DATASET:
      return "dataset";
    case TKM_KIND_PATTERN:
      return "load pattern";
    case TKM_KIND_TOKENIZER:
      return "tokenizer";
    default:
      return "component";
  }
}

}  // namespace tokometer
