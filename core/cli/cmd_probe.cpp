#include <tokometer/json.hpp>

#include <cstdio>
#include <variant>

#include "base/secret.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/guess_processor.hpp"
#include "cli/host.hpp"
#include "cli/input.hpp"
#include "cli/metrics_pages.hpp"
#include "cli/print.hpp"
#include "engine/input_check.hpp"
#include "engine/preflight.hpp"
#include "engine/target.hpp"
#include "engine/workload_parts.hpp"

namespace tokometer {
namespace {

// What `probe URL` sends: one short request.
constexpr std::string_view kFirstLook = R"(version: 1
dataset: {use: synthetic, options: {input_tokens: 16, output_tokens: 8}}
load: synchronous
phases: [{name: probe, requests: 1, warmup: none}]
)";

bool is_url(const std::string& input) {
  return input.find("://") != std::string::npos;
}

// The run file of a first look: the server, the processor that fits it, then the user's own flags.
Result<Input> input_for(const std::string& url, const CommandLine& line) {
  Registry registry(Registry::default_search_path(line.plugins));
  Sources sources{.files = {{url, std::string(kFirstLook)}}, .sets = {}, .environment = {}};
  sources.sets.push_back({SetOption::Kind::text, "target.url=" + url});
  const auto read_with = [&](const ProcessorGuess& processor) {
    Sources all = sources;
    all.sets.push_back({SetOption::Kind::text, "processor.use=" + processor.use});
    if (const auto& option = processor.option)
      all.sets.push_back(
          {SetOption::Kind::text, "processor.options." + option->first + "=" + option->second});
    all.sets.insert(all.sets.end(), line.sets.begin(), line.sets.end());
    return read_input(line, all);
  };
  const ProcessorGuess fallback;
  auto input = read_with(fallback);
  if (!input) return input;
  const ProcessorGuess guess = guess_processor(registry, input->file);
  return guess.use == fallback.use && !guess.option ? std::move(input) : read_with(guess);
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
  MetricsPages pages(tls, asked);
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

std::string processor_of(const Look& look) {
  return processor_text(*look.plan.first().processor, look.plan.first().file.processor.options_json);
}

std::string run_file_lines(const Look& look) {
  const std::string target =
      look.plan.file.target.simulate ? "sim" : "{url: " + in_quotes(look.urls.front()) + "}";
  return "target: " + target + "\nmodel: {name: " + in_quotes(look.preflight.model) +
         "}\nprocessor: " + processor_of(look) + "\n";
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
  return ServerFacts{processor_of(look), look.preflight.model};
}

}  // namespace tokometer
