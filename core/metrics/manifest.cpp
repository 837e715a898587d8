#include "metrics/manifest.hpp"

#include <algorithm>
#include <utility>

#include <tokometer/json.hpp>

namespace tokometer {
namespace {

using tkm::Json;
using tkm::JsonWriter;

void put_run(JsonWriter& json, const Manifest& m) {
  json.member("schema_version", Manifest::kSchemaVersion).member("run_id", m.run_id).member("name", m.name);
  json.member("tool", "tokometer").member("tool_version", m.tool_version).member("build_id", m.build_id);
  json.member("command", m.command).key("tags").begin_object();
  for (const auto& [name, value] : m.tags) json.member(name, value);
  json.end_object().member("seed", m.seed).member("plan_hash", m.plan_hash);
  json.member("start_utc", m.start_utc).member("start_monotonic_ns", m.start_monotonic_ns);
  json.member("clock_offset_ns", m.clock_offset_ns);
  json.member("shard", m.shard).member("shard_count", m.shard_count);
}

void put_files(JsonWriter& json, const Manifest& m) {
  json.key("plugins").begin_array();
  for (const Manifest::Plugin& p : m.plugins) {
    json.begin_object().member("kind", p.kind).member("use", p.use).member("module", p.module);
    json.member("version", p.version).member("path", p.path).member("sha256", p.sha256);
    json.member("build_id", p.build_id)
        .member("abi_major", p.abi_major)
        .member("abi_minor", p.abi_minor)
        .end_object();
  }
  json.end_array().key("data_files").begin_array();
  for (const Manifest::DataFile& d : m.data_files) {
    json.begin_object()
        .member("path", d.path)
        .member("bytes", d.bytes)
        .member("sha256", d.sha256)
        .end_object();
  }
  json.end_array();
}

void put_host(JsonWriter& json, const Manifest::Host& h) {
  json.key("host").begin_object().member("hostname", h.hostname).member("distribution", h.distribution);
  json.member("kernel", h.kernel).member("cpu", h.cpu).member("cores", h.cores);
  json.member("memory_bytes", h.memory_bytes).member("io_threads", h.io_threads).member("spin", h.spin);
  json.member("io_uring", h.io_uring).member("kernel_stamps", h.kernel_stamps).end_object();
}

void put_target(JsonWriter& json, const Manifest& m) {
  json.key("target").begin_object().member("url", m.target.url).member("simulated", m.target.simulated);
  json.member("tls_verify", m.target.tls_verify)
      .member("server", m.target.server)
      .key("endpoints")
      .begin_array();
  for (const std::string& endpoint : m.target.endpoints) json.value(endpoint);
  json.end_array().end_object().key("preflight").begin_object();
  json.member("requests", m.preflight.requests).member("prompt_tokens", m.preflight.prompt_tokens);
  json.member("output_tokens", m.preflight.output_tokens).key("reply_models").begin_object();
  for (const auto& [asked, replied] : m.preflight.reply_models) json.member(asked, replied);
  json.end_object().raw_member("info", m.preflight.info_json).end_object();
}

void put_slo_and_gates(JsonWriter& json, const Manifest::Slo& slo, const std::vector<std::string>& gates) {
  json.key("slo").begin_object();
  if (slo.ttft_ns) json.member("ttft_ns", *slo.ttft_ns);
  if (slo.tpot_ns) json.member("tpot_ns", *slo.tpot_ns);
  if (slo.e2e_ns) json.member("e2e_ns", *slo.e2e_ns);
  if (slo.itl_p99_ns) json.member("itl_p99_ns", *slo.itl_p99_ns);
  json.end_object().key("gates").begin_array();
  for (const std::string& gate : gates) json.value(gate);
  json.end_array();
}

void put_workloads(JsonWriter& json, const Manifest& m) {
  json.key("workloads").begin_array();
  for (const Manifest::Workload& w : m.workloads) {
    json.begin_object().member("name", w.name).member("processor", w.processor).member("dataset", w.dataset);
    json.member("load", w.load).member("model", w.model).member("shared_prefix", w.shared_prefix);
    json.member("sessions", w.sessions).member("cache_salt_none", w.cache_salt_none);
    if (w.goals) put_slo_and_gates(json, w.goals->slo, w.goals->gates);
    json.end_object();
  }
  json.end_array();
}

void put_goals(JsonWriter& json, const Manifest& m) {
  put_slo_and_gates(json, m.slo, m.gates);
  json.member("mlperf", m.mlperf).member("error_budget", m.error_budget).member("console", m.console);
}

void put_sweep(JsonWriter& json, const Manifest::Sweep& s) {
  json.key("sweep").begin_object().member("method", s.method).member("option", s.option);
  json.member("pattern", s.pattern)
      .member("points", s.points)
      .member("duration_ns", s.duration_ns)
      .end_object();
}

std::string text(const Json& json, std::string_view key) {
  return std::string(tkm::get_string(json, key));
}

// The member as JSON text again; "{}" if it is missing.
std::string raw_text(const Json& json, std::string_view key) {
  const Json* value = tkm::find(json, key);
  if (value == nullptr) return "{}";
  std::string out;
  JsonWriter(out).value(*value);
  return out;
}

template <class F>
void for_each_item(const Json& json, std::string_view key, F&& f) {
  const Json* array = tkm::find(json, key);
  if (array == nullptr || !array->IsArray()) return;
  for (const Json& item : array->GetArray()) f(item);
}

std::vector<std::pair<std::string, std::string>> text_pairs(const Json& json, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const Json* object = tkm::find(json, key);
  if (object == nullptr || !object->IsObject()) return pairs;
  for (const auto& member : object->GetObject())
    pairs.emplace_back(tkm::text_of(member.name), tkm::text_of(member.value));
  return pairs;
}

std::optional<int64_t> optional_int(const Json& json, std::string_view key) {
  const Json* value = tkm::find(json, key);
  return value == nullptr ? std::nullopt : tkm::int_of(*value);
}

// A member that is an object, else an empty one.
const Json& object_of(const Json& json, std::string_view key) {
  static const Json kEmpty(rapidjson::kObjectType);
  const Json* value = tkm::find(json, key);
  return value != nullptr && value->IsObject() ? *value : kEmpty;
}

void read_run(const Json& json, Manifest& m) {
  m.run_id = text(json, "run_id"), m.name = text(json, "name"), m.tool_version = text(json, "tool_version");
  m.build_id = text(json, "build_id"), m.command = text(json, "command"), m.tags = text_pairs(json, "tags");
  if (const Json* seed = tkm::find(json, "seed"); seed != nullptr && seed->IsUint64())
    m.seed = seed->GetUint64();
  m.plan_hash = text(json, "plan_hash"), m.start_utc = text(json, "start_utc");
  m.start_monotonic_ns = tkm::get_int(json, "start_monotonic_ns");
  m.clock_offset_ns = tkm::get_int(json, "clock_offset_ns");
  m.shard = static_cast<int>(tkm::get_int(json, "shard")),
  m.shard_count = static_cast<int>(tkm::get_int(json, "shard_count", 1));
  m.run_file_json = raw_text(json, "run_file");
}

void read_files(const Json& json, Manifest& m) {
  for_each_item(json, "plugins", [&](const Json& p) {
    m.plugins.push_back({text(p, "kind"), text(p, "use"), text(p, "module"), text(p, "version"),
                         text(p, "path"), text(p, "sha256"), text(p, "build_id"),
                         static_cast<int>(tkm::get_int(p, "abi_major", 1)),
                         static_cast<int>(tkm::get_int(p, "abi_minor"))});
  });
  for_each_item(json, "data_files", [&](const Json& d) {
    m.data_files.push_back({text(d, "path"), text(d, "sha256"), tkm::get_int(d, "bytes")});
  });
}

void read_host(const Json& json, Manifest::Host& h) {
  h.hostname = text(json, "hostname"), h.distribution = text(json, "distribution");
  h.kernel = text(json, "kernel"), h.cpu = text(json, "cpu");
  h.cores = static_cast<int>(tkm::get_int(json, "cores")),
  h.memory_bytes = tkm::get_int(json, "memory_bytes");
  h.io_threads = static_cast<int>(tkm::get_int(json, "io_threads")), h.spin = tkm::get_bool(json, "spin");
  h.io_uring = tkm::get_bool(json, "io_uring");
  h.kernel_stamps = tkm::get_bool(json, "kernel_stamps", true);
}

void read_target(const Json& json, Manifest& m) {
  const Json& target = object_of(json, "target");
  m.target.url = text(target, "url"), m.target.server = text(target, "server");
  m.target.simulated = tkm::get_bool(target, "simulated"),
  m.target.tls_verify = tkm::get_bool(target, "tls_verify", true);
  for_each_item(target, "endpoints",
                [&](const Json& e) { m.target.endpoints.emplace_back(tkm::text_of(e)); });
  const Json& preflight = object_of(json, "preflight");
  m.preflight.requests = static_cast<uint64_t>(tkm::get_int(preflight, "requests"));
  m.preflight.prompt_tokens = tkm::get_int(preflight, "prompt_tokens");
  m.preflight.output_tokens = tkm::get_int(preflight, "output_tokens");
  m.preflight.reply_models = text_pairs(preflight, "reply_models");
  m.preflight.info_json = raw_text(preflight, "info");
}

Manifest::Goals slo_and_gates(const Json& json) {
  Manifest::Goals goals;
  const Json& slo = object_of(json, "slo");
  goals.slo = {optional_int(slo, "ttft_ns"), optional_int(slo, "tpot_ns"), optional_int(slo, "e2e_ns"),
               optional_int(slo, "itl_p99_ns")};
  for_each_item(json, "gates", [&](const Json& gate) { goals.gates.emplace_back(tkm::text_of(gate)); });
  return goals;
}

void read_goals(const Json& json, Manifest& m) {
  Manifest::Goals goals = slo_and_gates(json);
  m.slo = goals.slo, m.gates = std::move(goals.gates);
  m.mlperf = tkm::get_bool(json, "mlperf"), m.error_budget = tkm::get_number(json, "error_budget", 0.10);
  m.console = std::string(tkm::get_string(json, "console", "table"));
  for_each_item(json, "workloads", [&](const Json& w) {
    m.workloads.push_back({text(w, "name"), text(w, "processor"), text(w, "dataset"), text(w, "load"),
                           text(w, "model"), tkm::get_bool(w, "shared_prefix"), tkm::get_bool(w, "sessions"),
                           tkm::get_bool(w, "cache_salt_none")});
    if (tkm::find(w, "slo") != nullptr) m.workloads.back().goals = slo_and_gates(w);
  });
}

void read_sweep(const Json& json, Manifest& m) {
  if (tkm::find(json, "sweep") == nullptr) return;
  const Json& s = object_of(json, "sweep");
  m.sweep = {text(s, "method"), text(s, "option"), text(s, "pattern"),
             static_cast<uint64_t>(tkm::get_int(s, "points")), tkm::get_int(s, "duration_ns")};
}

}  // namespace

const Manifest::Slo& Manifest::slo_of(std::string_view workload) const {
  for (const Workload& w : workloads) {
    if (w.name == workload && w.goals) return w.goals->slo;
  }
  return slo;
}

const std::vector<std::string>& Manifest::gates_of(std::string_view workload) const {
  for (const Workload& w : workloads) {
    if (w.name == workload && w.goals) return w.goals->gates;
  }
  return gates;
}

bool Manifest::has_gates() const {
  return !gates.empty() || std::any_of(workloads.begin(), workloads.end(),
                                       [this](const Workload& w) { return !gates_of(w.name).empty(); });
}

std::string manifest_json(const Manifest& manifest) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  put_run(json, manifest);
  put_target(json, manifest);
  put_workloads(json, manifest);
  put_goals(json, manifest);
  if (manifest.sweep) put_sweep(json, *manifest.sweep);
  put_files(json, manifest);
  put_host(json, manifest.host);
  json.raw_member("run_file", manifest.run_file_json).end_object();
  out.push_back('\n');
  return out;
}

Result<Manifest> parse_manifest(std::string_view json, const std::string& file) {
  tkm::JsonDocument document;
  size_t offset = 0;
  if (!tkm::parse_json(json, document, &offset) || !document.IsObject()) {
    return Error{"not a manifest: no JSON object (stopped at byte " + std::to_string(offset) + ")", file};
  }
  const int64_t version = tkm::get_int(document, "schema_version", -1);
  if (version != Manifest::kSchemaVersion) {
    return Error{"schema_version must be " + std::to_string(Manifest::kSchemaVersion) + " (got " +
                     (version < 0 ? "none" : std::to_string(version)) +
                     "): written by another version of tokometer",
                 file};
  }
  Manifest manifest;
  read_run(document, manifest);
  read_target(document, manifest);
  read_goals(document, manifest);
  read_sweep(document, manifest);
  read_files(document, manifest);
  read_host(object_of(document, "host"), manifest.host);
  return manifest;
}

}  // namespace tokometer
