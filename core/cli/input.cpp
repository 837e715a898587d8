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

Result<Input> read_input(const CommandLine& line, const Sources& sources) {
  auto document = load_documents(sources);
  if (!document) return document.errors();
  Input input{std::make_unique<Registry>(Registry::default_search_path(line.plugins)), {}};
  auto file = read_run_file(*document, option_schema_of(*input.registry), gate_fault);
  if (!file) return file.errors();
  for (const Error& warning : file->warnings) log(LogLevel::warn, to_string(warning));
  input.file = std::move(*file);
  return input;
}

Result<Input> read_input(const CommandLine& line) {
  auto sources = sources_of(line);
  if (!sources) return sources.errors();
  return read_input(line, *sources);
}

}  // namespace tokometer
