#include "cli/run_log.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "cli/host.hpp"

namespace tokometer {

void RunLog::open(const std::filesystem::path& directory) {
  auto file = AppendFile::create(directory / "tokometer.log");
  const std::lock_guard lock(mutex_);
  if (file) file_ = std::move(*file);
}

void RunLog::add(std::string_view level, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (!file_) return;
  std::string lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines.append(utc_now()).append(" ").append(level).append(" ").append(text.substr(0, end)).append("\n");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (!file_->append(lines)) file_.reset();  // no half lines
}

}  // namespace tokometer
