// A request between its send and its logical end, as those see it who ask what a run is busy with.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tokometer {

struct InFlight {
  std::string id;  // as the server was given it
  std::string phase;
  std::string_view stage;  // "connecting", "securing", "sending", "waiting", "streaming"; static
  int64_t age_ns = 0;      // since its scheduled time
  int64_t events = 0;      // token events so far
};

}  // namespace tokometer
