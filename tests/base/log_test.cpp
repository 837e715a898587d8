#include "base/log.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

namespace tokometer {

TEST_CASE("the sink gets every line, from any thread, one at a time") {
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel level, std::string_view line) {
    lines.push_back(std::string(to_string(level)) + " " + std::string(line));
  });
  log(LogLevel::warn, "careful");
  log(LogLevel::debug, "detail");
  {
    std::jthread other([] {
      for (int i = 0; i < 500; ++i) log(LogLevel::info, "other");
    });
    for (int i = 0; i < 500; ++i) log(LogLevel::error, "this");
  }
  set_log_sink({});
  REQUIRE(lines.size() == 1002);
  CHECK(lines[0] == "warning careful");
  CHECK(lines[1] == "debug detail");
}

}  // namespace tokometer
