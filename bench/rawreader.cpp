// rawreader --port N [options]: what this machine can do. The simplest client there can be (raw_load.hpp)
// makes a load against tokometer-sim on 127.0.0.1 and prints one JSON line: counts, CPU and memory of the
// load, and percentiles in ns. The bench divides tokometer's figures by these.
#include <sys/prctl.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "raw_load.hpp"

namespace tokometer::bench {
namespace {

constexpr int kBadUse = 2;

constexpr const char* kUsage =
    "usage: rawreader --port N [--streams N [--requests N | --duration S [--cut]] [--tokens N]] [--unary]\n"
    "                 [--rate R --seconds S [--rate-tokens N] [--delay S] [--poisson] [--spin]]\n"
    "                 [--from S --to S] [--seed N] [--timeout S] [--no-samples]\n"
    "  streams   connections that each send a request at the start, and again until `requests` (default:\n"
    "            streams) were sent or `duration` is over; cut: then at once\n"
    "  rate      beside them, requests a second for `seconds`, beginning `delay` seconds after the start\n"
    "  from, to  the part of the load that the figures of \"window\" are about\n";

using Setter = std::function<void(LoadOptions&, const char*)>;

const std::map<std::string, void (*)(LoadOptions&)>& switches() {
  static const std::map<std::string, void (*)(LoadOptions&)> table{
      {"--cut", [](LoadOptions& o) { o.cut = true; }},
      {"--unary", [](LoadOptions& o) { o.unary = true; }},
      {"--poisson", [](LoadOptions& o) { o.poisson = true; }},
      {"--spin", [](LoadOptions& o) { o.spin = true; }},
      {"--no-samples", [](LoadOptions& o) { o.samples = false; }},
  };
  return table;
}

template <class Number>
Setter number(Number LoadOptions::*member) {
  return [member](LoadOptions& options, const char* text) {
    options.*member = static_cast<Number>(std::atof(text));
  };
}

const std::map<std::string, Setter>& values() {
  static const std::map<std::string, Setter> table{
      {"--port", number(&LoadOptions::port)},
      {"--streams", number(&LoadOptions::streams)},
      {"--requests", number(&LoadOptions::requests)},
      {"--tokens", number(&LoadOptions::tokens)},
      {"--rate", number(&LoadOptions::rate)},
      {"--seconds", number(&LoadOptions::seconds)},
      {"--delay", number(&LoadOptions::delay)},
      {"--rate-tokens", number(&LoadOptions::rate_tokens)},
      {"--duration", number(&LoadOptions::duration)},
      {"--from", number(&LoadOptions::from)},
      {"--to", number(&LoadOptions::to)},
      {"--seed", number(&LoadOptions::seed)},
      {"--timeout", number(&LoadOptions::timeout)},
  };
  return table;
}

bool read_arguments(int argc, char** argv, LoadOptions& options) {
  for (int i = 1; i < argc; ++i) {
    if (const auto found = switches().find(argv[i]); found != switches().end()) {
      found->second(options);
    } else if (const auto value = values().find(argv[i]); value != values().end() && i + 1 < argc) {
      value->second(options, argv[++i]);
    } else {
      return false;
    }
  }
  if (options.duration > 0 && options.requests == 0) options.requests = UINT64_MAX;
  options.requests = std::max(options.requests, options.streams);
  return options.port != 0 && options.streams + static_cast<uint64_t>(options.rate) > 0;
}

void print_count(const char* name, uint64_t value) {
  std::printf("\"%s\":%llu,", name, static_cast<unsigned long long>(value));
}

void print_span(const char* name, const Progress& begin, const Progress& end) {
  std::printf("\"%s\":{\"seconds\":%.6f,\"requests\":%llu,\"events\":%llu,\"reads\":%llu,\"cpu_s\":%.6f},",
              name, static_cast<double>(end.at_ns - begin.at_ns) / 1e9,
              static_cast<unsigned long long>(end.requests - begin.requests),
              static_cast<unsigned long long>(end.events - begin.events),
              static_cast<unsigned long long>(end.reads - begin.reads), end.cpu_s - begin.cpu_s);
}

void print(LoadResult& result) {
  std::printf("{");
  print_count("requests", result.requests);
  print_count("events", result.events);
  print_count("lost_events", result.lost_events);
  print_count("coalesced_events", result.coalesced_events);
  print_count("reads", result.reads);
  print_count("user_stamps", result.user_stamps);
  print_count("bytes", result.bytes);
  print_count("waits", result.waits);
  print_span("load", result.start, result.stop);
  print_span("window", result.window_begin, result.window_end);
  const char* comma = "";
  const auto samples = [&comma](const char* name, Samples& values) {
    std::printf("%s\"%s\":%s", std::exchange(comma, ","), name, values.json().c_str());
  };
  samples("kernel_error_ns", result.kernel_error);
  samples("user_error_ns", result.user_error);
  samples("lag_ns", result.lag);
  samples("ttft_ns", result.ttft);
  samples("true_ttft_ns", result.true_ttft);
  samples("itl_ns", result.itl);
  samples("true_itl_ns", result.true_itl);
  samples("e2e_ns", result.e2e);
  samples("lateness_ns", result.lateness);
  std::printf("}\n");
}

int run(int argc, char** argv) {
  LoadOptions options;
  if (!read_arguments(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return kBadUse;
  }
  ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // else every timed wait may end 50 us late
  LoadResult result = RawLoad(options).run();
  print(result);
  return 0;
}

}  // namespace
}  // namespace tokometer::bench

int main(int argc, char** argv) {
  return tokometer::bench::run(argc, argv);
}
