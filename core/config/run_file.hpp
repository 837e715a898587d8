// The run file, read: every section as a plain struct with all defaults filled in. read_run_file() finds all
// faults of the file and of its plugins' options at once; it opens no socket. The engine makes its plan from
// this and keeps no tie to the YAML. All times are int64_t nanoseconds; a timer of 0 is off.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/secret.hpp"
#include "config/yaml.hpp"

namespace tokometer {

struct RunFile {
  // A plugin that the run file names, with its checked options.
  struct Component {
    std::string use;  // "[module/]component", or an absolute path ending in ".so"
    std::string options_json =
        "{}";  // canonical: defaults filled, durations in seconds, sizes in bytes, paths absolute
  };

  struct Timeouts {
    int64_t dns_ns = 5'000'000'000;
    int64_t connect_ns = 5'000'000'000;
    int64_t send_ns = 30'000'000'000;  // from the last accepted byte to the next
    int64_t headers_ns = 300'000'000'000;
    int64_t first_token_ns = 300'000'000'000;
    int64_t idle_ns = 60'000'000'000;  // from the last event or comment to the next
    int64_t total_ns = 900'000'000'000;
    int64_t preflight_ns = 10'000'000'000;  // from the start to the first good probe
  };

  struct Connections {
    enum class Policy { reuse, fresh };
    Policy policy = Policy::reuse;
    int64_t max_idle_ns = 4'000'000'000;
    bool http2 = false;
    uint32_t streams = 1;  // requests that may share a connection, with http2
    bool sticky = false;   // the turns of a session stay on one connection
  };

  struct Tls {
    bool verify = true;
    std::string ca_file, cert_file,
        key_file;  // absolute; empty: the system's authorities, no certificate of ours
  };

  struct Proxy {
    std::string url;     // "http://HOST[:PORT]"; empty: none
    Secret credentials;  // "user:password"; empty: none
  };

  // Of target.proxy: by the server's scheme, and for which servers there is none, as in no_proxy.
  struct Proxies {
    Proxy http, https;
    std::string exempt;
  };

  struct Target {
    std::vector<std::string> urls;        // as written; none with `simulate`
    bool simulate = false;                // target: sim
    std::string sim_options_json = "{}";  // as in Component::options_json, by share/schema/sim-1.schema.json
    Secret api_key;                       // empty: none
    std::map<std::string, int> ports;     // in place of the processor's own: "http", "grpc", "metrics"
    std::vector<std::pair<std::string, std::string>>
        headers;  // values may be secret: never print them unredacted
    Timeouts timeouts;
    Connections connections;
    Tls tls;
    Proxies proxies;
    int64_t wait_ready_ns = 0;  // 0: the readiness probe must answer at once
    bool reset_cache = false;
    bool load_adapters = false;  // those of model.adapters that have a path
    bool profile = false;        // the server's own profiler runs during the load
  };

  struct Adapter {
    std::string name;
    double weight = 1;  // share of the requests, relative to the others'
    std::string path;   // on the server's host, to load it from; empty: it is served already
  };

  struct ModelShare {
    std::string name;
    double weight = 1;
  };

  struct Model {
    std::string name;             // empty: the only one the server lists, or a mix
    std::vector<ModelShare> mix;  // in place of name
    std::vector<Adapter> adapters;
  };

  struct Request {
    enum class Output { automatic, exact, best_effort, at_most };
    enum class CacheSalt { automatic, request, none };
    bool stream = true;
    Output output = Output::automatic;
    int64_t output_tokens = -1;  // -1: the dataset says
    uint32_t choices = 1;
    CacheSalt cache_salt = CacheSalt::automatic;
    bool empty_is_failure = true;
    // Users who lose patience: this share of the requests, by seed and number, is closed so long after its
    // send.
    struct Cancel {
      double share = 0;  // ratio
      int64_t after_ns = 0;
    };
    std::optional<Cancel> cancel;
    std::string sampling_json = "{}";  // an object
    std::string extra_json = "{}";     // an object, merged into the request's body by the processor
  };

  // Lengths in tokens; rows outside are left out.
  struct RowFilter {
    std::string name;  // as reports call it: vllm, sglang, inference-perf, own; empty: none
    int64_t turns = 1;
    int64_t min_prompt = 0, max_prompt = INT64_MAX;
    int64_t min_output = 0, max_output = INT64_MAX;
    int64_t max_total = INT64_MAX;
  };

  // A length in tokens: always the mean, or drawn for each row and cut to min and max.
  struct TokenLength {
    enum class Kind { fixed, uniform, normal, lognormal };
    Kind kind = Kind::fixed;
    double mean = 1, stddev = 0;
    int64_t min = 1, max = 10'000'000;
  };

  struct Rows {
    enum class Order { sequential, shuffle };
    enum class OnEnd { repeat, stop, error };
    enum class OnBad { error, skip };
    int64_t limit = -1;  // -1: all
    Order order = Order::sequential;
    OnEnd on_end = OnEnd::repeat;
    OnBad on_bad = OnBad::error;
    RowFilter filter;
    // Prompts are cut or repeated to this length; answers are asked for at this one. None: as the data are.
    std::optional<TokenLength> input_tokens, output_tokens;
  };

  // A warm-up or a cool-down.
  struct Span {
    enum class Kind { automatic, none, duration, count };
    Kind kind = Kind::automatic;
    int64_t ns = 0;      // of kind duration
    uint64_t count = 0;  // of kind count: requests
  };

  struct Phase {
    enum class Drain { wait, cancel, none };
    std::string name;
    std::optional<int64_t>
        duration_ns;  // warm-up + measure window; none of the three: until the dataset ends
    std::optional<uint64_t> requests;
    std::optional<uint64_t> sessions;
    Span warmup;
    Span cooldown;
    Drain drain = Drain::wait;
    bool measure = true;
    Component load;  // merged: the phase's keys over the run file's
  };

  // In place of phases: points that the engine adds one by one.
  struct Sweep {
    enum class Method { even, list, bisect };
    enum class Stop { saturated, never };
    struct Value {
      std::string pattern;  // "synchronous" or "throughput"; empty: the run's load with `number`
      double number = 0;
      bool operator==(const Value&) const = default;
    };
    Method method = Method::even;
    uint64_t points = 10;         // even: the two closed points and the steps between their rates
    std::vector<Value> values;    // list
    std::string option = "rate";  // of load.options: the number in which the points differ
    std::optional<std::pair<double, double>> between;  // bisect; nothing: as in even
    double within = 0.05;                              // bisect: ratio
    Stop stop = Stop::saturated;
    Phase point;  // what is common to all points; its load holds some number as `option`
    Component synchronous, throughput;
  };

  struct Limits {
    enum class Overload { queue, drop, block };
    enum class Spin { automatic, on, off };
    enum class Io { epoll, io_uring, automatic };
    enum class Stop { never, saturated };
    uint64_t max_in_flight = 0;  // 0: automatic
    Overload overload = Overload::queue;
    int64_t drain_timeout_ns = 60'000'000'000;
    double error_budget = 0.10;  // ratio
    uint32_t io_threads = 0;     // 0: automatic
    Spin spin = Spin::automatic;
    Io io = Io::epoll;
    Stop stop = Stop::never;  // of a steady open loop, when its backlog grows and grows
  };

  struct Slo {
    std::optional<int64_t> ttft_ns, tpot_ns, e2e_ns, itl_p99_ns;  // each request must meet all that are given
    std::vector<std::string> gates;                               // as written: "ttft.p99 < 500ms"
  };

  struct SyncPolicy {
    enum class Kind { interval, each, off };
    Kind kind = Kind::interval;
    int64_t interval_ns = 1'000'000'000;
  };

  struct Output {
    std::string dir = "runs";  // relative to the working directory
    std::string console = "table";
    bool record_gaps = true;
    SyncPolicy sync;
  };

  std::string name;                  // [A-Za-z0-9._-]{1,64}
  std::string workload = "default";  // of the run: what this file is about
  std::map<std::string, std::string> tags;
  uint64_t seed = 42;
  Target target;
  Model model;
  Component processor, dataset, load;  // `load` may lack `use` if every phase names its own
  Component tokenizer;                 // of model.tokenizer; no `use`: none
  Request request;
  Rows rows;
  std::vector<Phase> phases;  // at least one; none with a sweep
  std::optional<Sweep> sweep;
  Limits limits;
  Slo slo;
  Output output;

  std::vector<Secret> secrets;  // every value that must be masked in all output (see Redactor)
  std::vector<Error> warnings;  // worth a line on stderr: secrets in clear text
  std::string resolved_json;  // the whole file, defaults filled, secrets masked: for render and the manifest

  // Those that run side by side, each as a file of its own with the phases in which it plays and a seed of
  // its own. Empty: there is one, this file. Else the sections of this one that a workload may have of its
  // own are those of the first.
  std::vector<RunFile> workloads;

  const Phase* find_phase(std::string_view phase_name) const;  // nullptr: there is none
};

// The JSON Schema of a component's options; fails with the sentence for the user (not found, nearest name,
// package). kind: "processor", "dataset", "tokenizer" or "load".
using OptionSchema = std::function<Result<std::string>(std::string_view kind, std::string_view use)>;

// The sentence for a gate that cannot be read ("ttfx.p99 < 1s"), or nothing. The grammar of gates is metrics'
// (gate.hpp).
using GateFault = std::function<std::optional<std::string>(std::string_view gate)>;

// All faults, sorted by file, line and column: the first 20, then one Error with the count of the rest.
Result<RunFile> read_run_file(const Document& document, const OptionSchema& option_schema,
                              const GateFault& gate_fault = {});

// The resolved run file as YAML that runs again: secrets masked, or ${VAR} where they were written so.
std::string render(const RunFile& run_file);

// A resolved run file whose sweep has become a list of these points: another server gets the very same.
std::string with_points(const std::string& resolved_json, const std::vector<RunFile::Sweep::Value>& points);

// The text of share/schema/run-1.schema.json, for `tokometer schema` and editors. Static lifetime.
std::string_view run_schema();

}  // namespace tokometer
