#include "cli/input.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/log.hpp"
#include "base/text.hpp"
#include "config/presets.hpp"
#include "metrics/gate.hpp"
#include "plugin/handles.hpp"

namespace tokometer {
namespace {

// One byte more than a run file may have, so that the limit is seen.
Result<std::string> read_stdin() {
  std::string text;
  char buffer[65536];
  while (text.size() <= kMaxYamlBytes) {
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{std::string("stdin: ") + std::strerror(errno)};
    if (got == 0) break;
    text.append(buffer, static_cast<size_t>(got));
  }
  return text;
}

bool looks_like_a_path(const std::string& name) {
  return name.find_first_of("./") != std::string::npos;
}

Error no_such_input(const std::string& name) {
  const std::string shown = escape_terminal(name, 120);
  if (looks_like_a_path(name)) return Error{shown + ": no such file"};
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  const auto near = nearest_name(name, names);
  return Error{shown + ": no such file, and no preset of that name; " +
               (near ? "did you mean \"" + *near + "\"?" : "`tokometer init --list` lists the presets")};
}

Result<Source> source_of(const CommandLine& line, const std::string& name) {
  if (name == "-") {
    auto text = read_stdin();
    if (!text) return text.errors();
    return Source{name, std::move(*text)};
  }
  std::error_code error;
  if (std::filesystem::exists(name, error)) return Source{name, std::nullopt};
  const Preset* preset = find_preset(name);
  if (preset == nullptr) return no_such_input(name);
  if (line.url.empty())
    return Error{"the preset \"" + name + "\" needs the server's address: add --url http://HOST:PORT"};
  return Source{"preset " + name, std::string(preset->text)};
}

std::optional<std::string> gate_fault(std::string_view gate) {
  auto parsed = parse_gate(gate);
  if (parsed) return std::nullopt;
  return parsed.error().message;
}

}  // namespace

Result<Sources> sources_of(const CommandLine& line) {
  if (std::count(line.inputs.begin(), line.inputs.end(), "-") > 1)
    return Error{"\"-\": stdin can be read once only"};
  Sources sources{.files = {}, .sets = line.sets, .environment = {}};
  for (const std::string& name : line.inputs) {
    auto source = source_of(line, name);
    if (!source) return source.errors();
    sources.files.push_back(std::move(*source));
  }
  return sources;
}

namespace {

// Each fault once: what is wrong in all runs of a matrix is wrong in one place.
void add_new(std::vector<Error>& all, const std::vector<Error>& more) {
  for (const Error& error : more) {
    const auto same = [&](const Error& known) { return to_string(known) == to_string(error); };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back(error);
  }
}

Result<MatrixInput> read_matrix(const CommandLine& line, const Sources& sources) {
  auto document = load_documents(sources);
  if (!document) return document.errors();
  auto matrix = expand_matrix(std::move(*document));
  if (!matrix) return matrix.errors();
  MatrixInput input{std::make_unique<Registry>(Registry::default_search_path(line.plugins)),
                    {},
                    matrix->repeat,
                    matrix->json,
                    matrix->is_one_run()};
  std::vector<Error> faults, warnings;
  for (MatrixCell& cell : matrix->cells) {
    auto file = read_run_file(cell.document, option_schema_of(*input.registry), gate_fault);
    if (!file) {
      add_new(faults, file.errors());
      continue;
    }
    add_new(warnings, file->warnings);
    input.cells.push_back({std::move(cell.name), std::move(cell.values), std::move(*file)});
  }
  if (!faults.empty()) return faults;
  for (const Error& warning : warnings) log(LogLevel::warn, to_string(warning));
  return input;
}

}  // namespace

Result<MatrixInput> read_matrix_input(const CommandLine& line) {
  auto sources = sources_of(line);
  if (!sources) return sources.errors();
  return read_matrix(line, *sources);
}

Result<Input> read_input(const CommandLine& line, const Sources& sources) {
  auto matrix = read_matrix(line, sources);
  if (!matrix) return matrix.errors();
  return Input{std::move(matrix->registry), std::move(matrix->cells.front().file)};
}

Result<Input> read_input(const CommandLine& line) {
  auto sources = sources_of(line);
  if (!sources) return sources.errors();
  return read_input(line, *sources);
}

}  // namespace tokometer
