#include "config/presets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "config/yaml.hpp"

namespace tokometer {

TEST_CASE("every file of share/presets is in the program, with a sentence about it") {
  size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(TOKOMETER_SOURCE_DIR) + "/share/presets")) {
    ++files;
    CHECK(find_preset(entry.path().stem().string()) != nullptr);
  }
  CHECK(presets().size() == files);
  CHECK(std::is_sorted(presets().begin(), presets().end(),
                       [](const Preset& a, const Preset& b) { return a.name < b.name; }));
  for (const Preset& preset : presets()) {
    CAPTURE(preset.name);
    CHECK(preset.description.size() > 20);
    const auto document = parse_yaml(preset.text, preset.name);
    REQUIRE(document.ok());
    CHECK(document->root.find("name")->text == preset.name);
  }
  CHECK(find_preset("no-such") == nullptr);
}

TEST_CASE("a preset's url is replaced") {
  const Preset& chat = *find_preset("chat");
  const auto document = parse_yaml(preset_text(chat, "http://gpu1:9000/v1"), "chat");
  REQUIRE(document.ok());
  CHECK(document->root.find("target")->find("url")->text == "http://gpu1:9000/v1");
  CHECK(preset_text(chat, "") == chat.text);
}

}  // namespace tokometer
