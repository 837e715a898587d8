#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tokometer/json.hpp>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"
#include "config/presets.hpp"
#include "config/url_fault.hpp"

namespace tokometer {
namespace {

constexpr size_t kNameColumn = 18;
constexpr std::string_view kProcessorKey = "processor: ";

int list_presets(bool as_json) {
  std::string text;
  tkm::JsonWriter json(text);
  if (as_json) json.begin_array();
  for (const Preset& preset : presets()) {
    if (as_json) {
      json.begin_object().member("name", preset.name).member("description", preset.description).end_object();
    } else {
      text += preset.name + std::string(kNameColumn - std::min(kNameColumn - 1, preset.name.size()), ' ') +
              preset.description + "\n";
    }
  }
  if (as_json) json.end_array(), text += "\n";
  print(text);
  return kFinished;
}

Error no_such_preset(const std::string& name) {
  std::vector<std::string> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  const auto near = nearest_name(name, names);
  return Error{"no preset \"" + escape_terminal(name, 60) + "\"; " +
               (near ? "did you mean \"" + *near + "\"?" : "`tokometer init --list` lists them")};
}

// Puts what the server said in place of the preset's "processor: openai", with the model in front.
void fill_in(std::string& text, const ServerFacts& facts) {
  const size_t key = text.find("\n" + std::string(kProcessorKey));
  if (key == std::string::npos) return;
  const size_t value = key + 1 + kProcessorKey.size();
  const size_t end = std::min(text.find('\n', value), text.size());  // its comment goes, too
  text.replace(value, end - value, facts.processor);
  std::string model;
  tkm::JsonWriter(model).value(facts.model);  // quoted: YAML takes JSON's strings
  text.insert(key + 1, "model: {name: " + model + "}\n");
}

int write_new_file(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  const int fault = errno;
  if (!file) {
    const bool exists = fault == EEXIST;
    complain({Error{escape_terminal(path) + ": " +
                    (exists ? "exists already; it is never overwritten" : std::strerror(fault))}});
    return kRefused;
  }
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      complain({Error{escape_terminal(path) + ": " + std::strerror(errno)}});
      return kIncomplete;
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  return kFinished;
}

}  // namespace

int init_command(const CommandLine& line) {
  if (line.list) return list_presets(line.json);
  const std::string name = line.inputs.empty() ? "chat" : line.inputs.front();
  const Preset* preset = find_preset(name);
  if (preset == nullptr) return complain({no_such_preset(name)}), kRefused;
  std::string text = preset_text(*preset, "");
  if (!line.url.empty()) {
    if (const std::string fault = url_fault(line.url); !fault.empty())
      return complain({Error{"--url: " + fault}}), kRefused;
    text = preset_text(*preset, line.url);
    if (auto facts = look_at(line.url, line); facts) {
      fill_in(text, *facts);
    } else {
      log(LogLevel::warn, "only the URL is filled in: " + facts.error().message);
    }
  }
  if (!line.output.empty()) return write_new_file(line.output, text);
  print(text);
  return kFinished;
}

}  // namespace tokometer
