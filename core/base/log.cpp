#include "base/log.hpp"

#include <cstdio>
#include <mutex>
#include <string>
#include <utility>

namespace tokometer {
namespace {

std::mutex sink_mutex;

std::function<void(LogLevel, std::string_view)>& sink() {
  static std::function<void(LogLevel, std::string_view)> current;
  return current;
}

void write_to_stderr(LogLevel level, std::string_view line) {
  if (level < LogLevel::warn) return;
  const std::string text = std::string(to_string(level)) + ": " + std::string(line) + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

std::string_view to_string(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warning";
    case LogLevel::error:
      break;
  }
  return "error";
}

void log(LogLevel level, std::string_view line) {
  const std::lock_guard lock(sink_mutex);
  if (sink()) {
    sink()(level, line);
  } else {
    write_to_stderr(level, line);
  }
}

void set_log_sink(std::function<void(LogLevel, std::string_view)> new_sink) {
  const std::lock_guard lock(sink_mutex);
  sink() = std::move(new_sink);
}

}  // namespace tokometer
