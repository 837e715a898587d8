// Of the load driver: between two points of a sweep, until the servers have nothing left of the last one.
#include <cmath>

#include "engine/active_phase.hpp"
#include "engine/load_driver.hpp"

namespace tokometer {
namespace {

constexpr int64_t kLongestNs = 30'000'000'000;
constexpr int64_t kAskAgainNs = 250'000'000;

}  // namespace

// A server that was left in the middle of an answer may go on with it.
void LoadDriver::wait_for_servers() {
  const int64_t begin_ns = now_ns();
  while (!no_more_load_) {
    const auto requests = requests_at_servers();
    if (!requests || *requests <= 0) return;
    if (now_ns() - begin_ns >= kLongestNs) {
      return warn("sweep", "a point begins though the servers still say that they have " +
                               std::to_string(std::llround(*requests)) +
                               " requests, 30 s after ours have ended; has somebody else sent them?");
    }
    for (const int64_t until_ns = now_ns() + kAskAgainNs; now_ns() < until_ns && !no_more_load_;)
      pass_time(until_ns);
  }
}

std::optional<double> LoadDriver::requests_at_servers() {
  std::optional<double> found;
  if (!servers_have_) return found;
  aside([&] { found = servers_have_(); });
  return found;
}

}  // namespace tokometer
