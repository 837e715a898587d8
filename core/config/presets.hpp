// The run files that come with the program (share/presets): `tokometer init NAME` writes one, `tokometer run
// NAME
// --url U` runs one. They are embedded, so they need no installed files.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tokometer {

struct Preset {
  std::string name;         // "chat"
  std::string description;  // its first line of comment, one sentence
  std::string_view text;    // the commented run file
};

// All, sorted by name. Static lifetime.
std::span<const Preset> presets();

// nullptr: no preset of that name.
const Preset* find_preset(std::string_view name);

// The preset's text with its target.url replaced (an empty url leaves it as it is).
std::string preset_text(const Preset& preset, std::string_view url);

}  // namespace tokometer
