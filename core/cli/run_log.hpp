// tokometer.log of a run directory: what was said on stderr about the run, with the time, and how it ended.
// For people who look later; no number is made from it. Best effort: a disk that is full shows in the
// records. Any thread.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/file.hpp"

namespace tokometer {

class RunLog {
 public:
  // Lines before this are not kept.
  void open(const std::filesystem::path& directory);
  // Text is escaped and redacted already. Several lines become several entries.
  void add(std::string_view level, std::string_view text);

 private:
  std::mutex mutex_;
  std::optional<AppendFile> file_;
};

}  // namespace tokometer
