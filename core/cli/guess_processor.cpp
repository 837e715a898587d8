#include "cli/guess_processor.hpp"

#include <cstdint>
#include <vector>

#include <tokometer/json.hpp>

#include "cli/metrics_pages.hpp"
#include "config/schema.hpp"
#include "engine/preflight.hpp"
#include "engine/server_probe.hpp"
#include "engine/workload_parts.hpp"
#include "plugin/handles.hpp"

namespace tokometer {
namespace {

using Option = std::optional<std::pair<std::string, std::string>>;

// The options with their defaults, but for one. Error: the component cannot work without being told more.
Result<std::string> options_with(const Component& component, const Option& option) {
  auto schema = Schema::parse(component.config_schema());
  if (!schema) return schema.errors();
  Node options;
  options.kind = Node::Kind::map;
  if (option) {
    Node word;
    word.key = word.path = option->first;
    word.text = word.raw = option->second;
    options.items.push_back(std::move(word));
  }
  const Checked checked = schema->check(options);
  return checked.faults.empty() ? Result<std::string>(checked.canonical_json) : checked.faults;
}

// What a processor says of itself before it has met a server.
Result<Profile> profile_of(const Component& component, const RunFile::Target& target,
                           const Option& option = std::nullopt) {
  auto options = options_with(component, option);
  if (!options) return options.errors();
  auto processor = Processor::create(component, {.config_json = *options});
  if (!processor) return processor.errors();
  auto described = processor->describe();
  if (!described) return described.errors();
  auto profile = parse_profile(*described);
  if (!profile) return profile.errors();
  for (const auto& [name, port] : target.ports) profile->ports[name] = port;
  return profile;
}

// The options with a choice of words, as {name, words}.
std::vector<std::pair<std::string, std::vector<std::string>>> choices_of(const Component& component) {
  std::vector<std::pair<std::string, std::vector<std::string>>> choices;
  tkm::JsonDocument schema;
  if (!tkm::parse_json(component.config_schema(), schema)) return choices;
  const tkm::Json* properties = tkm::find(schema, "properties");
  if (properties == nullptr || !properties->IsObject()) return choices;
  for (const auto& property : properties->GetObject()) {
    const tkm::Json* words = tkm::find(property.value, "enum");
    if (words == nullptr || !words->IsArray()) continue;
    choices.emplace_back(tkm::text_of(property.name), std::vector<std::string>());
    for (const tkm::Json& word : words->GetArray()) choices.back().second.emplace_back(tkm::text_of(word));
  }
  return choices;
}

std::vector<const Component*> all_processors(Registry& registry) {
  std::vector<const Component*> processors;
  for (const ModuleInfo& module : registry.list()) {
    if (!module.problem.empty() || !module.shadowed_by.empty()) continue;
    auto components = registry.find_any(module.name);
    if (!components) continue;
    for (const Component* component : *components) {
      if (component->kind() == TKM_KIND_PROCESSOR) processors.push_back(component);
    }
  }
  return processors;
}

// Does the server answer the processor's own question whether it is ready?
bool is_answered(const RunFile& file, const Profile& profile) {
  const auto port = profile.ports.find("grpc");
  auto url = parse_url(file.target.urls.front(),
                       static_cast<uint16_t>(port == profile.ports.end() ? 0 : port->second));
  auto tls = make_tls(file.target, needs_http2(file, profile));
  if (!url || !tls) return false;
  auto server = find_server(file.target, *url, needs_http2(file, profile));
  if (!server) return false;
  Preflight found;
  found.profile = profile;
  if (url->tls) found.tls = *tls;
  found.servers.push_back(std::move(*server));
  for (const Probe& probe : profile.ready) {
    const auto answer = ask_server(file, found, found.servers.front(), probe, {});
    if (!answer || !check_answer(probe, answer->status, answer->body)) return false;
  }
  return !profile.ready.empty();
}

// The first that speaks gRPC, by default or with some word of an option, and is answered; if none is, the
// first.
ProcessorGuess guess_over_grpc(Registry& registry, const RunFile& file) {
  std::optional<ProcessorGuess> first;
  for (const Component* component : all_processors(registry)) {
    if (!component->has_capability("proto.grpc")) continue;
    std::vector<Option> ways{std::nullopt};
    for (const auto& [name, words] : choices_of(*component)) {
      for (const std::string& word : words) ways.emplace_back(std::pair(name, word));
    }
    for (const Option& way : ways) {
      const auto profile = profile_of(*component, file.target, way);
      if (!profile || !profile->is_grpc()) continue;
      ProcessorGuess guess{std::string(component->name()), way};
      if (is_answered(file, *profile)) return guess;
      if (!first) first = std::move(guess);
    }
  }
  return first.value_or(ProcessorGuess());
}

}  // namespace

ProcessorGuess guess_processor(Registry& registry, const RunFile& file) {
  ProcessorGuess best;
  const RunFile::Target& target = file.target;
  if (target.urls.empty()) return best;
  if (target.urls.front().starts_with("grpc")) return guess_over_grpc(registry, file);
  auto tls = make_tls(target, target.connections.http2);
  if (!tls) return best;  // the look itself will say why
  MetricsPages pages(*tls, target);
  size_t most = 0;
  for (const Component* component : all_processors(registry)) {
    const auto profile = profile_of(*component, target);
    if (!profile) continue;
    const auto port = profile->ports.find("http");
    auto url = parse_url(target.urls.front(),
                         static_cast<uint16_t>(port == profile->ports.end() ? 0 : port->second));
    if (!url) continue;
    size_t known = 0;
    for (const MetricsPage& page : profile->telemetry) known += pages.look(*url, *profile, page).known;
    if (known > most) most = known, best.use = component->name();
  }
  return best;
}

std::string processor_text(const Component& component, std::string_view options_json) {
  const std::string use(component.name());
  tkm::JsonDocument given, standard;
  const auto defaults = options_with(component, std::nullopt);
  if (!defaults || !tkm::parse_json(options_json, given) || !tkm::parse_json(*defaults, standard)) return use;
  std::string options;
  for (const auto& [name, words] : choices_of(component)) {
    const std::string_view word = tkm::get_string(given, name);
    if (!word.empty() && word != tkm::get_string(standard, name))
      options += (options.empty() ? "" : ", ") + name + ": " + std::string(word);
  }
  return options.empty() ? use : "{use: " + use + ", options: {" + options + "}}";
}

}  // namespace tokometer
