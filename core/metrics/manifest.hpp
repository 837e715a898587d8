// manifest.json: what was run, where, with which files. The engine writes it before the first planned
// request; the reducer, the reports and `render DIR` read it. It never holds a secret: the engine masks texts
// before they come here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

struct Manifest {
  static constexpr int kSchemaVersion = 1;

  std::string run_id;        // "chat-8b-20261122T043601Z-3f9c1a", also the directory's name
  std::string name;          // run.name, may be empty
  std::string tool_version;  // "0.1.0"
  std::string build_id;
  std::string command;  // the command line, secrets masked
  std::vector<std::pair<std::string, std::string>> tags;
  uint64_t seed = 0;
  std::string plan_hash;
  std::string run_file_json = "{}";  // the resolved run file, secrets masked: a JSON object, kept as it is

  struct Plugin {
    std::string kind, use, module, version, path, sha256, build_id;  // kind: processor, dataset, pattern
    int abi_major = 1, abi_minor = 0;
  };
  std::vector<Plugin> plugins;
  struct DataFile {
    std::string path, sha256;
    int64_t bytes = 0;
  };
  std::vector<DataFile> data_files;

  struct Host {
    std::string hostname, kernel, cpu, distribution;
    int cores = 0;
    int64_t memory_bytes = 0;
    int io_threads = 0;
    bool spin = false;          // the worker spins until S; off on two cores or fewer
    bool io_uring = false;      // sockets were read by it, else by epoll and recvmsg
    bool kernel_stamps = true;  // kernel receive stamps were switched on
  } host;

  std::string start_utc;           // "2026-11-22T04:36:01Z": a label
  int64_t start_monotonic_ns = 0;  // all times of the records count from here
  int64_t clock_offset_ns = 0;     // wall minus monotonic at the start

  struct Target {
    std::string url;                     // without user info
    std::vector<std::string> endpoints;  // the addresses used
    bool simulated = false;
    bool tls_verify = true;
    std::string server;  // "vLLM 0.28.0", from the info probe; may be empty
  } target;

  struct Preflight {
    uint64_t requests = 0;
    int64_t prompt_tokens = 0, output_tokens = 0;
    std::string info_json = "{}";  // answers of the info probes, kept as they are
    std::vector<std::pair<std::string, std::string>>
        reply_models;  // model or adapter asked -> name in the reply
  } preflight;

  struct Slo {
    std::optional<int64_t> ttft_ns, tpot_ns, e2e_ns, itl_p99_ns;
    bool any() const { return ttft_ns || tpot_ns || e2e_ns || itl_p99_ns; }
  } slo;
  std::vector<std::string> gates;  // "ttft.p99 < 500ms"
  struct Goals {
    Slo slo;
    std::vector<std::string> gates;
  };

  // Facts about each workload that the checks and the report's first lines need.
  struct Workload {
    std::string name = "default";
    std::string processor, dataset, load, model;
    bool shared_prefix = false, sessions = false;  // the dataset's capabilities
    bool cache_salt_none = false;                  // request.cache_salt: none
    std::optional<Goals> goals = {};  // of several workloads each has its own; else the run's hold
  };
  std::vector<Workload> workloads;
  const Slo& slo_of(std::string_view workload) const;
  const std::vector<std::string>& gates_of(std::string_view workload) const;
  bool has_gates() const;  // of any workload

  bool mlperf = false;  // preset mlperf: window >= 600 s, early stopping
  double error_budget = 0.10;
  std::string console = "table";

  // In place of phases: points that were chosen while the run went on.
  struct Sweep {
    std::string method;       // "even", "list", "bisect"
    std::string option;       // of the load: in what the points differ
    std::string pattern;      // what they are called by
    uint64_t points = 0;      // at most; 0: that depended on the results
    int64_t duration_ns = 0;  // of a point, as planned
  };
  std::optional<Sweep> sweep;

  int shard = 0, shard_count = 1;
};

// Deterministic JSON text, ends with a newline.
std::string manifest_json(const Manifest& manifest);

// Reads it back; unknown keys are skipped (a newer tool may have written it). `file` is named in faults.
Result<Manifest> parse_manifest(std::string_view json, const std::string& file);

}  // namespace tokometer
