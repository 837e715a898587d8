#include <tokometer/json.hpp>

#include <cstdio>
#include <map>
#include <variant>

#include "base/secret.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/host.hpp"
#include "cli/input.hpp"
#include "cli/print.hpp"
#include "config/schema.hpp"
#include "engine/preflight.hpp"
#include "engine/target.hpp"
#include "net/fetch.hpp"
#include "plugin/handles.hpp"

namespace tokometer {
namespace {

constexpr int64_t kPageTimeoutNs = 5'000'000'000;
constexpr const char* kFallback = "openai";

// What `probe URL` sends: one short request.
constexpr std::string_view kFirstLook = R"(version: 1
dataset: {use: synthetic, options: {input_tokens: 16, output_tokens: 8}}
load: synchronous
phases: [{name: probe, requests: 1, warmup: none}]
)";

bool has_metric(const std::string& page, const std::string& metric) {
  for (size_t at = page.find(metric); at != std::string::npos; at = page.find(metric, at + 1)) {
    const bool starts_line = at == 0 || page[at - 1] == '\n';
    const size_t end = at + metric.size();
    if (starts_line && end < page.size() && (page[end] == '{' || page[end] == ' ')) return true;
  }
  return false;
}

struct PageFacts {
  std::string url;
  std::string fault;            // empty: it answered
  size_t known = 0, asked = 0;  // quantities
};

// Fetches each page once, whoever asks.
class MetricsPages {
 public:
  MetricsPages(std::shared_ptr<const TlsContext> tls, bool http2) : tls_(std::move(tls)), http2_(http2) {}

  PageFacts look(const Url& server, const Profile& profile, const MetricsPage& page) {
    Url url = server;
    const auto port = profile.ports.find(page.port);
    if (!page.port.empty() && port != profile.ports.end()) url.port = static_cast<uint16_t>(port->second);
    if (profile.is_grpc()) url.scheme = url.tls ? "https" : "http";
    const std::string name = url.text() + page.path;
    auto found = texts_.find(name);
    if (found == texts_.end())
      found = texts_
                  .emplace(name, fetch({.url = url,
                                        .path = page.path,
                                        .timeout_ns = kPageTimeoutNs,
                                        .http2 = http2_,
                                        .tls = tls_}))
                  .first;
    PageFacts facts{.url = name, .fault = {}, .known = 0, .asked = page.quantities.size()};
    const Result<Answer>& answer = found->second;
    if (!answer) return facts.fault = answer.error().message, facts;
    if (answer->status != 200) return facts.fault = "HTTP " + std::to_string(answer->status), facts;
    for (const Quantity& quantity : page.quantities) {
      for (const Candidate& candidate : quantity.candidates) {
        if (!has_metric(answer->body, candidate.metric)) continue;
        ++facts.known;
        break;
      }
    }
    return facts;
  }

 private:
  std::shared_ptr<const TlsContext> tls_;
  bool http2_;
  std::map<std::string, Result<Answer>> texts_;
};

// What a processor says of itself before it has met a server, with the defaults of its options.
Result<Profile> profile_of(const Component& component) {
  auto schema = Schema::parse(component.config_schema());
  if (!schema) return schema.errors();
  Node nothing;
  nothing.kind = Node::Kind::map;
  const Checked options = schema->check(nothing);
  if (!options.faults.empty()) return options.faults;  // it cannot work without being told more
  auto processor = Processor::create(component, {.config_json = options.canonical_json});
  if (!processor) return processor.errors();
  auto described = processor->describe();
  if (!described) return described.errors();
  return parse_profile(*described);
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

// The processor that knows most of the server's metrics page.
std::string guess_processor(Registry& registry, const RunFile::Target& target) {
  auto tls = make_tls(target, target.connections.http2);
  if (!tls || target.urls.empty()) return kFallback;  // the look itself will say why
  MetricsPages pages(*tls, target.connections.http2);
  const std::string& target_url = target.urls.front();
  std::string best = kFallback;
  size_t most = 0;
  for (const Component* component : all_processors(registry)) {
    auto profile = profile_of(*component);
    if (!profile) continue;
    const auto port = profile->ports.find("http");
    auto url = parse_url(target_url, static_cast<uint16_t>(port == profile->ports.end() ? 0 : port->second));
    if (!url) continue;
    size_t known = 0;
    for (const MetricsPage& page : profile->telemetry) known += pages.look(*url, *profile, page).known;
    if (known > most) most = known, best = component->name();
  }
  return best;
}

bool is_url(const std::string& input) {
  return input.find("://") != std::string::npos;
}

// The run file of a first look: the server, the processor that fits it, then the user's own flags.
Result<Input> input_for(const std::string& url, const CommandLine& line) {
  Registry registry(Registry::default_search_path(line.plugins));
  Sources sources{.files = {{url, std::string(kFirstLook)}}, .sets = {}, .environment = {}};
  sources.sets.push_back({SetOption::Kind::text, "target.url=" + url});
  const auto read_with = [&](const std::string& processor) {
    Sources all = sources;
    all.sets.push_back({SetOption::Kind::text, "processor=" + processor});
    all.sets.insert(all.sets.end(), line.sets.begin(), line.sets.end());
    return read_input(line, all);
  };
  auto input = read_with(kFallback);
  if (!input) return input;
  const std::string guess = guess_processor(registry, input->file.target);
  return guess == kFallback ? std::move(input) : read_with(guess);
}

struct Look {
  Plan plan;
  Preflight preflight;
  std::vector<PageFacts> pages;
  std::vector<std::string> urls;
};

struct Failure {
  int code;
  std::vector<Error> errors;
};

// Asks the server, with the first workload. `input` is used up.
std::variant<Look, Failure> ask_server(Input& input) {
  if (!input.file.workloads.empty()) input.file = RunFile(input.file.workloads.front());
  auto plan = make_plan(std::move(input.file), *input.registry);
  if (!plan) return Failure{kRefused, plan.errors()};
  if (auto usable = check_inputs(*plan); !usable) return Failure{kRefused, usable.errors()};
  Redactor redactor;
  for (const Secret& secret : plan->file.secrets) redactor.add(secret);
  auto target = Target::start(plan->file);
  if (!target) return Failure{kNotReady, target.errors()};
  const SteadyClock clock;
  auto preflight = run_preflight(*plan, target->urls(), random_hex(6), clock, redactor);
  if (!preflight) return Failure{kNotReady, preflight.errors()};
  Look look{std::move(*plan), std::move(preflight->front()), {}, target->urls()};
  const RunFile::Target& asked = look.plan.file.target;
  auto tls = look.preflight.tls;
  if (tls != nullptr && look.preflight.profile.is_grpc()) {  // its own is for HTTP/2
    auto made = make_tls(asked, asked.connections.http2);
    if (!made) return Failure{kRefused, made.errors()};
    tls = *made;
  }
  MetricsPages pages(tls, asked.connections.http2);
  for (const MetricsPage& page : look.preflight.profile.telemetry) {
    look.pages.push_back(pages.look(look.preflight.servers.front().url, look.preflight.profile, page));
  }
  target->stop();
  return look;
}

std::string in_quotes(const std::string& text) {
  std::string json;
  tkm::JsonWriter(json).value(text);
  return json;
}

std::string run_file_lines(const Look& look) {
  const std::string target =
      look.plan.file.target.simulate ? "sim" : "{url: " + in_quotes(look.urls.front()) + "}";
  return "target: " + target + "\nmodel: {name: " + in_quotes(look.preflight.model) +
         "}\nprocessor: " + look.plan.file.processor.use + "\n";
}

std::string line_of(std::string name, const std::string& value) {
  constexpr size_t kColumn = 15;
  name.resize(kColumn, ' ');
  return name + value + "\n";
}

std::string milliseconds(int64_t ns) {
  char text[32];
  return std::string(
      text, static_cast<size_t>(std::snprintf(text, sizeof text, "%.1f ms", static_cast<double>(ns) * 1e-6)));
}

std::string page_text(const PageFacts& page) {
  if (!page.fault.empty()) return page.url + ": " + escape_terminal(page.fault);
  if (page.known == 0) return page.url + ": answers, but holds no name that the processor knows";
  return page.url + ": " + std::to_string(page.known) + " of " + std::to_string(page.asked) +
         " quantities known";
}

std::string text_of(const Look& look) {
  const Preflight& found = look.preflight;
  std::string text;
  for (const TargetServer& server : found.servers) {
    std::string addresses;
    for (const Endpoint& endpoint : server.endpoints)
      addresses += (addresses.empty() ? "" : ", ") + endpoint.text;
    text += line_of("target", server.url.text() + " (" + addresses + ")");
  }
  text += line_of("server", found.server.empty() ? "does not say" : found.server);
  text += line_of("processor", look.plan.file.processor.use);
  if (found.models.empty())
    text += line_of("model", escape_terminal(found.model) + " (the server lists none)");
  for (const ModelName& model : found.models) {
    const std::string context =
        model.context_tokens > 0 ? ", context " + std::to_string(model.context_tokens) + " tokens" : "";
    text += line_of(model.name == found.model ? "model" : "also", escape_terminal(model.name) + context);
  }
  if (look.pages.empty()) text += line_of("metrics page", "the processor knows none");
  for (const PageFacts& page : look.pages) text += line_of("metrics page", page_text(page));
  text += line_of("first request", "answered in " + milliseconds(found.first_reply_ns));
  for (const std::string& warning : found.warnings) text += line_of("warning", escape_terminal(warning));
  return text + "\nFor a run file:\n" + run_file_lines(look);
}

std::string json_of(const Look& look) {
  const Preflight& found = look.preflight;
  std::string text;
  tkm::JsonWriter json(text);
  json.begin_object().member("url", found.servers.front().url.text()).member("server", found.server);
  json.member("processor", look.plan.file.processor.use)
      .member("model", found.model)
      .key("models")
      .begin_array();
  for (const ModelName& model : found.models) {
    json.begin_object().member("name", model.name);
    if (model.context_tokens > 0) json.member("context_tokens", model.context_tokens);
    json.end_object();
  }
  json.end_array().key("metrics_pages").begin_array();
  for (const PageFacts& page : look.pages) {
    json.begin_object()
        .member("url", page.url)
        .member("known", uint64_t{page.known})
        .member("asked", uint64_t{page.asked});
    if (!page.fault.empty()) json.member("fault", page.fault);
    json.end_object();
  }
  json.end_array().member("first_reply_ns", found.first_reply_ns).end_object();
  return text + "\n";
}

}  // namespace

int probe_command(const CommandLine& line) {
  const std::string& name = line.inputs.front();
  auto input = is_url(name) ? input_for(name, line) : read_input(line);
  if (!input) return complain(input.errors()), kRefused;
  const auto answer = ask_server(*input);
  if (const Failure* failure = std::get_if<Failure>(&answer)) return complain(failure->errors), failure->code;
  const Look& look = std::get<Look>(answer);
  print(line.json ? json_of(look) : text_of(look));
  return kFinished;
}

Result<ServerFacts> look_at(const std::string& url, const CommandLine& line) {
  auto input = input_for(url, line);
  if (!input) return input.errors();
  const auto answer = ask_server(*input);
  if (const Failure* failure = std::get_if<Failure>(&answer)) return failure->errors;
  const Look& look = std::get<Look>(answer);
  return ServerFacts{look.plan.file.processor.use, look.preflight.model};
}

}  // namespace tokometer
