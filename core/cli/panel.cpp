#include "cli/panel.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "cli/print.hpp"

namespace tokometer {
namespace {

constexpr int64_t kFrameNs = 250'000'000;
constexpr int64_t kLineNs = 10'000'000'000;
constexpr size_t kUsualWidth = 80;

// One less than the terminal has: a full line would wrap and take two.
size_t width() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return (known ? size_t{size.ws_col} : kUsualWidth) - 1;
}

}  // namespace

void Panel::show(const Progress& progress, int64_t now_ns) {
  if (kind_ == Kind::none) return;
  const Rates rates = rates_.add(progress);
  if (next_ns_ == 0 && kind_ == Kind::lines) next_ns_ = now_ns + kLineNs;
  if (now_ns < next_ns_) return;
  next_ns_ = now_ns + (kind_ == Kind::terminal ? kFrameNs : kLineNs);
  if (kind_ == Kind::lines) {
    std::string text = progress_line(progress, rates) + "\n";
    for (const std::string& line : workload_lines(progress, rates)) text += line + "\n";
    return complain(text);
  }
  const auto lines = panel_lines(progress, rates, width());
  const std::lock_guard lock(mutex_);
  std::string frame = drawn_lines_ > 0 ? "\r\x1b[" + std::to_string(drawn_lines_) + "A" : "";
  for (const std::string& line : lines) frame += line + "\x1b[K\n";  // to the end of the line: no flicker
  drawn_lines_ = lines.size();
  complain(frame);
}

void Panel::erase() {
  if (drawn_lines_ > 0) complain("\r\x1b[" + std::to_string(drawn_lines_) + "A\x1b[J");
  drawn_lines_ = 0;
}

void Panel::clear() {
  const std::lock_guard lock(mutex_);
  erase();
}

void Panel::say(std::string_view line) {
  const std::lock_guard lock(mutex_);
  erase();
  complain(std::string(line) + "\n");
}

}  // namespace tokometer
