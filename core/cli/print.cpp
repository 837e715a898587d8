#include "cli/print.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace tokometer {
namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool takes_control_codes(int fd) {
  return ::isatty(fd) == 1 && !is_set("NO_COLOR") && is_set("TERM") &&
         std::string_view(std::getenv("TERM")) != "dumb";
}

}  // namespace

void print(std::string_view text) {
  write_all(STDOUT_FILENO, text);
}
void complain(std::string_view text) {
  write_all(STDERR_FILENO, text);
}

void complain(const std::vector<Error>& errors) {
  for (const Error& error : errors)
    complain((error.file.empty() ? "tokometer: " : "") + to_string(error) + "\n");
}

bool wants_panel() {
  return takes_control_codes(STDERR_FILENO);
}

bool wants_colour() {
  const bool forced = is_set("CLICOLOR_FORCE") && std::string_view(std::getenv("CLICOLOR_FORCE")) != "0";
  return forced || takes_control_codes(STDOUT_FILENO);
}

}  // namespace tokometer
