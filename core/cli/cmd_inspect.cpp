// The verbs that look at files and plugins and open no socket.
#include <algorithm>
#include <utility>

#include <tokometer/abi.h>
#include <tokometer/json.hpp>

#include "base/file.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/host.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"
#include "engine/input_check.hpp"
#include "engine/plan.hpp"
#include "engine/preflight.hpp"
#include "metrics/manifest.hpp"
#include "metrics/record_log.hpp"

namespace tokometer::embedded {
extern const std::string_view sim_options_schema, summary_schema, records_schema;
}

namespace tokometer {
namespace {

constexpr size_t kMaxManifestBytes = 64u << 20u;

Result<Plan> read_plan(Input& input) {
  auto plan = make_plan(std::move(input.file), *input.registry);
  if (!plan) return plan;
  if (auto usable = check_inputs(*plan); !usable) return usable.errors();
  return plan;
}

// What the parts of a run file say only together.
Result<void> check_together(RunFile file, Registry& registry) {
  auto plan = make_plan(std::move(file), registry);
  return plan ? check_arrivals(*plan) : Result<void>(plan.errors());
}

// The points of a sweep in their order, each once.
class PointValues final : public RecordVisitor {
 public:
  void on_phase(const PhaseLine& line) override {
    if (line.event != PhaseLine::Event::begin) return;
    const RunFile::Sweep::Value value{line.value ? "" : line.load, line.value.value_or(0)};
    if (std::find(values_.begin(), values_.end(), value) == values_.end()) values_.push_back(value);
  }
  const std::vector<RunFile::Sweep::Value>& all() const { return values_; }

 private:
  std::vector<RunFile::Sweep::Value> values_;
};

// `json` with the members of another object behind its own.
std::string with_members(const std::string& json, const std::string& more) {
  tkm::JsonDocument whole, added;
  if (!tkm::parse_json(json, whole) || !tkm::parse_json(more, added)) return json;
  auto& memory = whole.GetAllocator();
  for (const auto& member : std::as_const(added).GetObject()) {
    whole.AddMember(tkm::Json(member.name, memory), tkm::Json(member.value, memory), memory);
  }
  std::string text;
  tkm::JsonWriter(text).value(whole);
  return text;
}

int render_run_directory(const std::filesystem::path& directory) {
  const auto path = directory / "manifest.json";
  auto text = read_file(path, kMaxManifestBytes);
  if (!text) return complain(text.errors()), kRefused;
  auto manifest = parse_manifest(*text, path.string());
  if (!manifest) return complain(manifest.errors()), kRefused;
  RunFile file;
  file.resolved_json = manifest->run_file_json;
  if (manifest->sweep) {
    PointValues points;
    if (auto read = read_records(directory / "records.jsonl", points); !read) {
      return complain(read.errors()), kRefused;
    }
    file.resolved_json = with_points(file.resolved_json, points.all());
  }
  print(render(file));
  return kFinished;
}

// Where a run file names a component of this kind, from the outermost section; phases may name their own
// load.
std::vector<std::string> place_of(int32_t kind) {
  if (kind == TKM_KIND_PROCESSOR) return {"processor"};
  if (kind == TKM_KIND_DATASET) return {"dataset"};
  if (kind == TKM_KIND_TOKENIZER) return {"model", "tokenizer"};
  return {"load"};
}

// Opens {"properties": {section: {... for each; close() ends what open() began.
void open_place(tkm::JsonWriter& json, const std::vector<std::string>& place, bool required) {
  for (const std::string& section : place) {
    json.begin_object();
    if (required) json.key("required").begin_array().value(section).end_array();
    json.key("properties").begin_object().key(section);
  }
  json.begin_object();
}
void close_place(tkm::JsonWriter& json, const std::vector<std::string>& place) {
  json.end_object();
  for (size_t i = 0; i < place.size(); ++i) json.end_object().end_object();
}

// {"if": the section uses this component, "then": its options are these}
std::string condition_of(const Component& component) {
  const std::vector<std::string> place = place_of(component.kind());
  const std::string module_name = std::string(component.module_name()) + "/" + std::string(component.name());
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().key("if");
  open_place(json, place, true);
  json.key("properties").begin_object().key("use").begin_object().key("enum").begin_array();
  json.value(component.name()).value(module_name).end_array().end_object().end_object();
  json.key("required").begin_array().value("use").end_array();
  close_place(json, place);
  json.key("then");
  open_place(json, place, false);
  json.key("properties").begin_object().raw_member("options", component.config_schema()).end_object();
  close_place(json, place);
  json.end_object();
  return text;
}

Result<std::string> schema_with(const CommandLine& line) {
  Registry registry(Registry::default_search_path(line.plugins));
  std::string conditions;
  for (const std::string& name : line.with) {
    auto components = registry.find_any(name);
    if (!components) return components.errors();
    for (const Component* component : *components) {
      conditions += (conditions.empty() ? "\n    " : ",\n    ") + condition_of(*component);
    }
  }
  std::string text(run_schema());
  const size_t end = text.rfind('}');
  text.replace(end, 1, "  ,\n  \"allOf\": [" + conditions + "\n  ]\n}");
  return text;
}

}  // namespace

int validate_command(const CommandLine& line) {
  auto input = read_matrix_input(line);
  if (!input) return complain(input.errors()), kRefused;
  for (MatrixInput::Cell& cell : input->cells) {
    if (auto usable = check_together(std::move(cell.file), *input->registry); !usable)
      return complain(usable.errors()), kRefused;
  }
  std::string names;
  for (const std::string& name : line.inputs)
    names += (names.empty() ? "" : ", ") + escape_terminal(name, 120);
  if (!line.quiet) print(names + ": ok\n");
  return kFinished;
}

int render_command(const CommandLine& line) {
  std::error_code error;
  if (line.inputs.size() == 1 && std::filesystem::is_directory(line.inputs.front(), error)) {
    return render_run_directory(line.inputs.front());
  }
  auto input = read_matrix_input(line);
  if (!input) return complain(input.errors()), kRefused;
  RunFile& file = input->cells.front().file;
  if (!input->is_one_run) file.resolved_json = with_members(file.resolved_json, input->json);
  print(render(file));
  return kFinished;
}

int plan_command(const CommandLine& line) {
  auto matrix = read_matrix_input(line);
  if (!matrix) return complain(matrix.errors()), kRefused;
  Input first{std::move(matrix->registry), std::move(matrix->cells.front().file)};
  if (!matrix->is_one_run) {
    print("matrix     " + std::to_string(matrix->cells.size() * matrix->repeat) +
          " runs; the first of them:\n");
  }
  auto plan = read_plan(first);
  if (!plan) return complain(plan.errors()), kRefused;
  auto text = describe_plan(*plan);
  if (!text) return complain(text.errors()), kRefused;
  print(*text);
  return kFinished;
}

int schema_command(const CommandLine& line) {
  const std::string name = line.inputs.empty() ? "run" : line.inputs.front();
  const std::pair<std::string_view, std::string_view> plain[] = {{"sim", embedded::sim_options_schema},
                                                                 {"summary", embedded::summary_schema},
                                                                 {"records", embedded::records_schema}};
  for (const auto& [known, text] : plain) {
    if (name == known) return print(text), kFinished;
  }
  if (name != "run") {
    complain({Error{"schema: no schema \"" + escape_terminal(name, 60) +
                    "\"; there are: run, sim, summary, records"}});
    return kRefused;
  }
  if (line.with.empty()) return print(run_schema()), kFinished;
  auto text = schema_with(line);
  if (!text) return complain(text.errors()), kRefused;
  print(*text);
  return kFinished;
}

int version_command() {
  const std::string id = own_build_id();
  print("tokometer " + std::string(kToolVersion) + "\nplugin ABI " + std::to_string(TKM_ABI_MAJOR) + "." +
        std::to_string(TKM_ABI_MINOR) + (TKM_ABI_DRAFT > 0 ? " draft " + std::to_string(TKM_ABI_DRAFT) : "") +
        "\nbuild id " + (id.empty() ? "none" : id) + "\n");
  return kFinished;
}

}  // namespace tokometer
