#include "engine/plan_hash.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <tokometer/json.hpp>

#include "base/hash.hpp"

namespace tokometer {
namespace {

// A component's options, with the contents of files in place of their names.
void write_data(tkm::JsonWriter& json, const char* key, const RunFile::Component& component,
                const std::vector<Manifest::DataFile>& files) {
  tkm::JsonDocument options;
  json.key(key).begin_object().member("use", component.use);
  if (!tkm::parse_json(component.options_json, options) || !options.IsObject()) options.SetObject();
  for (const auto& option : std::as_const(options).GetObject()) {
    const auto is_it = [&](const Manifest::DataFile& file) {
      return option.value.IsString() && file.path == tkm::text_of(option.value);
    };
    const auto file = std::find_if(files.begin(), files.end(), is_it);
    json.key(tkm::text_of(option.name));
    file == files.end() ? json.value(option.value) : json.value(file->sha256);
  }
  json.end_object();
}

// Sections of the run file that decide what is sent, and in which order.
void write_sections(tkm::JsonWriter& json, const WorkloadPlan& plan) {
  tkm::JsonDocument file;
  if (!tkm::parse_json(plan.file.resolved_json, file)) return;
  const tkm::Json* dataset = tkm::find(file, "dataset");
  const tkm::Json* rows = dataset != nullptr ? tkm::find(*dataset, "rows") : nullptr;
  const tkm::Json* request = tkm::find(file, "request");
  if (rows != nullptr) json.key("rows").value(*rows);
  if (request != nullptr) json.key("request").value(*request);
}

// What decides about the points that are chosen later.
void write_sweep(tkm::JsonWriter& json, const RunFile::Sweep& sweep) {
  json.key("sweep").begin_object().member("method", static_cast<int64_t>(sweep.method));
  json.member("points", sweep.points).member("option", sweep.option).member("within", sweep.within);
  json.member("stop", static_cast<int64_t>(sweep.stop));
  json.member("load", sweep.point.load.use).raw_member("options", sweep.point.load.options_json);
  if (sweep.between) json.member("low", sweep.between->first).member("high", sweep.between->second);
  json.end_object();
}

}  // namespace

std::vector<Manifest::DataFile> find_data_files(const Component& component, const std::string& options_json) {
  std::vector<Manifest::DataFile> files;
  tkm::JsonDocument schema;
  tkm::JsonDocument options;
  if (!tkm::parse_json(component.config_schema(), schema)) return files;
  if (!tkm::parse_json(options_json, options)) return files;
  const tkm::Json* properties = tkm::find(schema, "properties");
  if (properties == nullptr || !properties->IsObject()) return files;
  for (const auto& property : properties->GetObject()) {
    const std::string path(tkm::get_string(options, tkm::text_of(property.name)));
    if (tkm::get_string(property.value, "format") != "path" || path.empty()) continue;
    std::error_code error;
    auto digest = sha256_file(path);
    const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path, error));
    files.push_back({path, digest ? *digest : "", bytes});
  }
  return files;
}

std::string workload_hash(const WorkloadPlan& plan, const std::vector<std::vector<int64_t>>& arrivals) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("seed", plan.file.seed);
  write_data(json, "dataset", plan.file.dataset, plan.data_files);
  if (plan.tokenizer != nullptr) write_data(json, "tokenizer", plan.file.tokenizer, plan.tokenizer_files);
  write_sections(json, plan);
  if (plan.file.sweep) write_sweep(json, *plan.file.sweep);
  json.key("phases").begin_array();
  for (size_t i = 0; i < plan.phases.size(); ++i) {
    const PhasePlan& phase = plan.phases[i];
    json.begin_object().member("name", phase.file.name).member("load", phase.file.load.use);
    json.raw_member("options", phase.file.load.options_json);
    json.member("duration_ns", phase.file.duration_ns.value_or(-1))
        .member("requests", phase.file.requests.value_or(0));
    if (phase.file.sessions) json.member("sessions", *phase.file.sessions);
    json.key("arrivals").begin_array();
    for (const int64_t at_ns : arrivals[i]) json.value(at_ns);
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return sha256_hex(text);
}

std::string plan_hash(const Plan& plan) {
  if (plan.workloads.size() == 1) return plan.first().hash;
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().key("phases").begin_array();
  for (const RunFile::Phase& phase : plan.file.phases) json.value(phase.name);
  json.end_array().key("workloads").begin_array();
  for (const WorkloadPlan& workload : plan.workloads) {
    json.begin_object().member("name", workload.file.workload).member("hash", workload.hash).end_object();
  }
  json.end_array().end_object();
  return sha256_hex(text);
}

}  // namespace tokometer
