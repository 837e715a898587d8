#include "config/presets.hpp"

#include <algorithm>
#include <vector>

namespace tokometer {
namespace {

struct EmbeddedPreset {
  const char* name;
  const std::string_view* text;
};

}  // namespace
}  // namespace tokometer

#include "preset_list.inc"  // made by CMake from share/presets

namespace tokometer {
namespace {

constexpr std::string_view kUrlKey = "  url: ";

// "# What it is for." on the first line.
std::string first_comment(std::string_view text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  return std::string(line.substr(std::min(line.find_first_not_of("# "), line.size())));
}

std::vector<Preset> all_presets() {
  std::vector<Preset> all;
  for (const EmbeddedPreset& preset : kEmbeddedPresets) {
    all.push_back({preset.name, first_comment(*preset.text), *preset.text});
  }
  std::sort(all.begin(), all.end(), [](const Preset& a, const Preset& b) { return a.name < b.name; });
  return all;
}

}  // namespace

std::span<const Preset> presets() {
  static const std::vector<Preset> all = all_presets();
  return all;
}

const Preset* find_preset(std::string_view name) {
  const auto all = presets();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Preset& p) { return p.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string preset_text(const Preset& preset, std::string_view url) {
  std::string text(preset.text);
  const size_t key = text.find(kUrlKey);
  if (url.empty() || key == std::string::npos) return text;
  const size_t value = key + kUrlKey.size();
  const size_t end = std::min(text.find_first_of(" \n", value), text.size());
  return text.replace(value, end - value, url);
}

}  // namespace tokometer
