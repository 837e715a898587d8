#include "plugin/profile.hpp"

#include <tokometer/abi.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "plugin/base64.hpp"
#include "plugin/profile_reader.hpp"

namespace tokometer {
namespace {

using tkm::Json;

constexpr int kVersion = 1;
constexpr int kMaxPort = 65535;
constexpr std::array<std::string_view, 16> kQuantities = {"queue_size",
                                                          "batch_size",
                                                          "kv_usage",
                                                          "prefix_hit_tokens",
                                                          "prefix_query_tokens",
                                                          "prefix_hit_rate",
                                                          "preemptions",
                                                          "prompt_tokens",
                                                          "output_tokens",
                                                          "requests_ok",
                                                          "requests_failed",
                                                          "requests_rejected",
                                                          "ttft",
                                                          "itl",
                                                          "e2e",
                                                          "queue_time"};

bool is_path(std::string_view text) {
  return text.substr(0, 1) == "/" &&
         std::none_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c == '\x7f'; });
}

bool is_pointer(std::string_view text) {
  return text.empty() || text.front() == '/';
}

std::string json_text(const Json& value) {
  std::string text;
  tkm::JsonWriter(text).value(value);
  return text;
}

// A JSON pointer under `key`; a fault unless it is one.
std::string read_pointer(ProfileReader& reader, std::string_view key) {
  const std::string pointer = reader.text(key).value_or("");
  if (!is_pointer(pointer)) reader.fault(key, "must be a JSON pointer that begins with \"/\"");
  return pointer;
}

// A key of `ports`; empty: the target's own port.
std::string read_port_name(ProfileReader& reader) {
  const std::string port = reader.text("port").value_or("");
  if (port.empty() || port == "http" || port == "grpc" || port == "metrics") return port;
  reader.fault("port", "must be \"http\", \"grpc\" or \"metrics\"");
  return {};
}

// Exactly one of get, post, grpc.
void read_call(ProfileReader& reader, Probe& probe) {
  int calls = 0;
  for (const char* key : {"get", "post", "grpc"}) {
    const Json* value = reader.get(key);
    if (value == nullptr) continue;
    ++calls;
    probe.grpc = std::string_view(key) == "grpc";
    probe.method = std::string_view(key) == "get" ? "GET" : probe.grpc ? "" : "POST";
    probe.path = tkm::text_of(*value);
    if (!is_path(probe.path)) reader.fault(key, "must be a path that begins with \"/\"", *value);
  }
  if (calls != 1) reader.fault("get", "give one of \"get\", \"post\", \"grpc\"");
}

std::optional<std::string> read_base64(ProfileReader& reader, std::string_view key) {
  const auto text = reader.text(key);
  if (!text) return std::nullopt;
  auto bytes = decode_base64(*text);
  if (!bytes) reader.fault(key, "must be base64");
  return bytes;
}

void read_body(ProfileReader& reader, Probe& probe) {
  if (const Json* json = reader.get("json")) {
    probe.body = json_text(*json);
    probe.body_is_json = true;
  }
  if (auto bytes = read_base64(reader, "body_base64")) {
    if (probe.body_is_json) reader.fault("json", "give one of \"json\", \"body_base64\"");
    probe.body = std::move(*bytes);
  }
}

// One status or a list of them.
std::vector<int> read_statuses(ProfileReader& reader) {
  std::vector<int> statuses;
  const auto add = [&](const Json& value, const std::string& path) {
    const auto status = tkm::int_of(value);
    if (status && *status >= 0 && *status <= 599) return statuses.push_back(static_cast<int>(*status));
    reader.findings().fault(path, "must be a status code", value);
  };
  const Json* value = reader.get("status");
  if (value == nullptr) return statuses;
  if (!value->IsArray()) return add(*value, reader.path_of("status")), statuses;
  for (const Json& item : value->GetArray()) add(item, reader.path_of("status"));
  return statuses;
}

// Seconds, or text with a unit.
int64_t read_timeout_ns(ProfileReader& reader) {
  const Json* value = reader.get("timeout");
  if (value == nullptr) return 0;
  constexpr double kMaxSeconds = 86'400;
  if (value->IsNumber() && value->GetDouble() > 0 && value->GetDouble() <= kMaxSeconds) {
    return std::llround(value->GetDouble() * 1e9);
  }
  if (const auto ns = parse_duration_ns(tkm::text_of(*value)); ns && *ns > 0) return *ns;
  reader.fault("timeout", "must be a duration such as 5 (seconds) or \"5s\"", *value);
  return 0;
}

void read_expectations(ProfileReader& reader, Probe& probe) {
  reader.each_member("expect", [&](const Json& value, const std::string& pointer, const std::string& path) {
    if (!is_pointer(pointer)) reader.findings().fault(path, "must be a JSON pointer that begins with \"/\"");
    probe.expect.emplace_back(pointer, json_text(value));
  });
  probe.expect_bytes = read_base64(reader, "expect_base64");
}

void read_when(ProfileReader& reader, Probe& probe) {
  const Json* value = reader.get("when");
  if (value == nullptr) return;
  probe.when_idle = tkm::text_of(*value) == "idle";
  if (!probe.when_idle) reader.fault("when", "must be \"idle\"", *value);
}

Probe read_probe(ProfileReader& reader) {
  Probe probe;
  read_call(reader, probe);
  read_body(reader, probe);
  probe.id = reader.text("id").value_or(probe.path);
  probe.headers = reader.text_members("headers");
  probe.port = read_port_name(reader);
  probe.statuses = read_statuses(reader);
  probe.optional = reader.flag("optional").value_or(false);
  probe.timeout_ns = read_timeout_ns(reader);
  read_expectations(reader, probe);
  read_when(reader, probe);
  return probe;
}

std::vector<Probe> read_probes(ProfileReader& reader, std::string_view key) {
  std::vector<Probe> probes;
  reader.each(key, [&](const Json& item, const std::string&, const std::string& path) {
    ProfileReader inner(reader.findings(), item, path);
    probes.push_back(read_probe(inner));
    const auto is_same = [&](const Probe& other) { return other.id == probes.back().id; };
    if (std::count_if(probes.begin(), probes.end(), is_same) > 1) {
      reader.findings().fault(path + ".id", "\"" + probes.back().id + "\" is given twice");
    }
  });
  return probes;
}

std::optional<ModelsProbe> read_models_probe(ProfileReader& reader) {
  const Json* value = reader.get("models");
  if (value == nullptr) return std::nullopt;
  ProfileReader inner(reader.findings(), *value, reader.path_of("models"));
  if (value->IsObject() && tkm::find(*value, "listed") != nullptr) {
    ModelsProbe told;
    told.listed = inner.texts("listed");
    told.lists_adapters = inner.flag("lists_adapters").value_or(true);
    return told;
  }
  ModelsProbe models{read_probe(inner),
                     read_pointer(inner, "names"),
                     read_pointer(inner, "context"),
                     inner.flag("lists_adapters").value_or(true),
                     {}};
  if (models.names.empty()) inner.fault("names", "is missing");
  return models;
}

std::optional<TokenizeProbe> read_tokenize(ProfileReader& reader) {
  const Json* value = reader.get("tokenize");
  if (value == nullptr) return std::nullopt;
  ProfileReader inner(reader.findings(), *value, reader.path_of("tokenize"));
  TokenizeProbe tokenize{read_probe(inner), read_pointer(inner, "ids")};
  if (tokenize.ids.empty()) inner.fault("ids", "is missing");
  return tokenize;
}

Fold read_fold(ProfileReader& reader) {
  const std::string fold = reader.text("fold").value_or("sum");
  if (fold == "max") return Fold::max;
  if (fold == "mean") return Fold::mean;
  if (fold != "sum") reader.fault("fold", "must be \"sum\", \"max\" or \"mean\"");
  return Fold::sum;
}

Candidate read_candidate(ProfileReader& reader) {
  Candidate candidate;
  candidate.metric = reader.text("metric").value_or("");
  if (candidate.metric.empty()) reader.fault("metric", "is missing");
  candidate.labels = reader.text_members("labels");
  candidate.scale = reader.number("scale").value_or(1.0);
  candidate.divide_by = reader.text("divide_by").value_or("");
  candidate.fold = read_fold(reader);
  return candidate;
}

void read_candidates(ProfileReader& reader, std::string_view key, Quantity& quantity) {
  reader.each(key, [&](const Json& item, const std::string&, const std::string& path) {
    ProfileReader inner(reader.findings(), item, path);
    quantity.candidates.push_back(read_candidate(inner));
  });
}

// "queue_size": [candidates]; "x.NAME": {"unit": ..., "candidates": [...]}. False: unknown, to be passed
// over.
bool read_quantity(ProfileReader& page, const Json& value, const std::string& path, Quantity& quantity) {
  const bool is_own = quantity.name.rfind("x.", 0) == 0;
  if (!is_own && std::find(kQuantities.begin(), kQuantities.end(), quantity.name) == kQuantities.end())
    return false;
  tkm::JsonDocument wrapped(rapidjson::kObjectType);
  if (value.IsArray()) {
    wrapped.AddMember("candidates", Json(value, wrapped.GetAllocator()), wrapped.GetAllocator());
    if (is_own) page.findings().fault(path, "needs a unit: {\"unit\": ..., \"candidates\": [...]}");
  }
  ProfileReader reader(page.findings(), value.IsArray() ? wrapped : value, path);
  quantity.unit = reader.text("unit").value_or("");
  read_candidates(reader, "candidates", quantity);
  return true;
}

MetricsPage read_page(ProfileReader& reader) {
  MetricsPage page;
  page.path = reader.text("get").value_or("");
  if (!is_path(page.path)) reader.fault("get", "must be a path that begins with \"/\"");
  page.port = read_port_name(reader);
  reader.each_member("quantities", [&](const Json& value, const std::string& name, const std::string& path) {
    Quantity quantity{name, {}, {}};
    if (read_quantity(reader, value, path, quantity)) return page.quantities.push_back(std::move(quantity));
    reader.findings().warnings.push_back("profile: " + path + ": unknown quantity, skipped");
  });
  return page;
}

RequestMetric read_request_metric(ProfileReader& reader) {
  RequestMetric metric{reader.text("unit").value_or(""), reader.text("help").value_or(""), {}};
  const std::string better = reader.text("better").value_or("neither");
  if (better == "lower") metric.better = RequestMetric::Better::lower;
  if (better == "higher") metric.better = RequestMetric::Better::higher;
  if (better != "lower" && better != "higher" && better != "neither") {
    reader.fault("better", "must be \"lower\", \"higher\" or \"neither\"");
  }
  return metric;
}

void read_ports(ProfileReader& reader, Profile& profile) {
  const Json* value = reader.get("ports");
  if (value == nullptr) return;
  ProfileReader inner(reader.findings(), *value, reader.path_of("ports"));
  for (const char* name : {"http", "grpc", "metrics"}) {
    if (const auto port = inner.whole(name, 1, kMaxPort)) profile.ports[name] = *port;
  }
}

void read_auth(ProfileReader& reader, Profile& profile) {
  const Json* value = reader.get("auth");
  if (value == nullptr) return;
  ProfileReader inner(reader.findings(), *value, reader.path_of("auth"));
  profile.auth.header = inner.text("header").value_or("authorization");
  profile.auth.prefix =
      inner.text("prefix").value_or(profile.auth.header == "authorization" ? "Bearer " : "");
}

void read_profile(ProfileReader& reader, Profile& profile) {
  if (reader.whole("profile", kVersion, kVersion) == std::nullopt && reader.get("profile") == nullptr) {
    reader.findings().fault("profile", "is missing; must be 1");
  }
  profile.features = reader.texts("features");
  read_ports(reader, profile);
  profile.discover = read_probes(reader, "discover");
  profile.info = read_probes(reader, "info");
  profile.ready = read_probes(reader, "ready");
  profile.models = read_models_probe(reader);
  profile.reset_cache = read_probes(reader, "reset_cache");
  profile.load_adapter = read_probes(reader, "load_adapter");
  profile.unload_adapter = read_probes(reader, "unload_adapter");
  profile.start_profile = read_probes(reader, "start_profile");
  profile.stop_profile = read_probes(reader, "stop_profile");
  profile.tokenize = read_tokenize(reader);
  reader.each("telemetry", [&](const Json& item, const std::string&, const std::string& path) {
    ProfileReader inner(reader.findings(), item, path);
    profile.telemetry.push_back(read_page(inner));
  });
  read_auth(reader, profile);
  reader.each_member("request_metrics",
                     [&](const Json& value, const std::string& name, const std::string& path) {
                       ProfileReader inner(reader.findings(), value, path);
                       profile.request_metrics[name] = read_request_metric(inner);
                     });
}

}  // namespace

bool Profile::has_feature(std::string_view feature) const {
  return std::find(features.begin(), features.end(), feature) != features.end();
}

int32_t Profile::task() const {
  if (has_feature("task.embed")) return TKM_TASK_EMBED;
  return has_feature("task.rank") ? TKM_TASK_RANK : TKM_TASK_GENERATE;
}

Result<Profile> parse_profile(std::string_view json) {
  tkm::JsonDocument document;
  size_t fault_offset = 0;
  if (!tkm::parse_json(json, document, &fault_offset)) {
    return Error{"profile: not valid JSON (byte " + std::to_string(fault_offset) + ")"};
  }
  if (!document.IsObject()) return Error{"profile: must be a JSON object"};
  Profile profile;
  ProfileFindings findings;
  {
    ProfileReader reader(findings, document, "");
    read_profile(reader, profile);
  }
  if (!findings.faults.empty()) return findings.faults;
  profile.warnings = std::move(findings.warnings);
  return profile;
}

}  // namespace tokometer
