#include "engine/plan_hash.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <tokometer/json.hpp>

#include "base/hash.hpp"

namespace tokometer {
namespace {

// The dataset's options, with the contents of files in place of their names.
void write_data(tkm::JsonWriter& json, const Plan& plan) {
  tkm::JsonDocument options;
  json.key("dataset").begin_object().member("use", plan.file.dataset.use);
  if (!tkm::parse_json(plan.file.dataset.options_json, options) || !options.IsObject()) options.SetObject();
  for (const auto& option : std::as_const(options).GetObject()) {
    const auto is_it = [&](const Manifest::DataFile& file) {
      return option.value.IsString() && file.path == tkm::text_of(option.value);
    };
    const auto file = std::find_if(plan.data_files.begin(), plan.data_files.end(), is_it);
    json.key(tkm::text_of(option.name));
    file == plan.data_files.end() ? json.value(option.value) : json.value(file->sha256);
  }
  json.end_object();
}

// Sections of the run file that decide what is sent, and in which order.
void write_sections(tkm::JsonWriter& json, const Plan& plan) {
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

std::vector<Manifest::DataFile> find_data_files(const Plan& plan) {
  std::vector<Manifest::DataFile> files;
  tkm::JsonDocument schema;
  tkm::JsonDocument options;
  if (!tkm::parse_json(plan.dataset->config_schema(), schema)) return files;
  if (!tkm::parse_json(plan.file.dataset.options_json, options)) return files;
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

std::string plan_hash(const Plan& plan, const std::vector<std::vector<int64_t>>& arrivals) {
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("seed", plan.file.seed);
  write_data(json, plan);
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

}  // namespace tokometer
