#include "engine/preflight.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "engine/calibration.hpp"
#include "engine/first_requests.hpp"
#include "engine/input_check.hpp"
#include "engine/samples.hpp"
#include "engine/server_actions.hpp"
#include "engine/server_probe.hpp"
#include "engine/workload_parts.hpp"
#include "net/fetch.hpp"

namespace tokometer {
namespace {

constexpr int kDiscoverRounds = 4;
constexpr auto kPollPause = std::chrono::milliseconds(250);
constexpr size_t kForeignTextBytes = 256;
constexpr const char* kUnverified =
    "TLS: the server's certificate is NOT verified (target.tls.verify: false): anybody may have answered";

class PreflightRun {
 public:
  PreflightRun(const WorkloadPlan& plan, const std::string& salt, const Clock& clock,
               const Redactor& redactor)
      : plan_(plan), salt_(salt), clock_(clock), redactor_(redactor) {}

  Result<Preflight> run(const std::vector<std::string>& urls);

 private:
  Result<void> prepare(const std::vector<std::string>& urls);
  Result<void> load_adapters();
  Result<void> resolve_target(const std::vector<std::string>& urls);
  Result<void> on_each_server(const std::function<Result<void>()>& step);
  Result<void> discover(Processor& processor);
  Result<void> wait_until_ready();
  Result<std::vector<ModelName>> list_models();
  Result<void> find_model();
  Result<void> check_models();
  Result<void> reset_cache();
  Result<void> check_name(const std::vector<ModelName>& models, const std::string& name);
  void read_info();
  Result<void> first_requests(Processor& processor);
  Result<void> send_first(const Sample& sample, FirstRequests& requests);
  Result<Answer> ask(const Probe& probe);

  const WorkloadPlan& plan_;
  const std::string& salt_;
  const Clock& clock_;
  const Redactor& redactor_;
  const TargetServer& server() const { return found_.servers[server_]; }

  Preflight found_;
  size_t server_ = 0;  // that is being asked
};

std::string list_of(const std::vector<ModelName>& models) {
  std::string text;
  for (const ModelName& model : models) text += (text.empty() ? "" : ", ") + escape_terminal(model.name, 100);
  return text;
}

}  // namespace

Result<void> PreflightRun::resolve_target(const std::vector<std::string>& urls) {
  const bool grpc = found_.profile.is_grpc();
  const auto port = found_.profile.ports.find(grpc ? "grpc" : "http");
  const auto default_port = static_cast<uint16_t>(port == found_.profile.ports.end() ? 80 : port->second);
  bool any_tls = false;
  for (std::string text : urls) {
    if (grpc && plan_.file.target.simulate) text.replace(0, text.find(':'), "grpc");
    auto url = parse_url(text, default_port);
    if (!url) return url.errors();
    any_tls = any_tls || url->tls;
    auto server = find_server(plan_.file.target, *url, needs_http2(plan_.file, found_.profile));
    if (!server) return server.errors();
    found_.servers.push_back(std::move(*server));
  }
  if (!any_tls) return {};
  auto context = make_tls(plan_.file.target, needs_http2(plan_.file, found_.profile));
  if (!context) return context.errors();
  found_.tls = std::move(*context);
  return {};
}

// With several servers, an error says which.
Result<void> PreflightRun::on_each_server(const std::function<Result<void>()>& step) {
  for (server_ = 0; server_ < found_.servers.size(); ++server_) {
    const Result<void> done = step();
    if (done) continue;
    const std::string url = server().url.text();
    const std::string& message = done.error().message;
    const bool says_which = found_.servers.size() == 1 || message.find(url) != std::string::npos;
    return says_which ? done : Error{url + ": " + message};
  }
  server_ = 0;
  return {};
}

Result<Answer> PreflightRun::ask(const Probe& probe) {
  return ask_server(plan_.file, found_, server(), probe,
                    {.model = found_.model, .adapter = {}, .path = {}, .text = {}});
}

Result<void> PreflightRun::discover(Processor& processor) {
  for (int round = 0; round < kDiscoverRounds; ++round) {
    auto described = processor.describe();
    if (!described) return described.errors();
    auto profile = parse_profile(*described);
    if (!profile) return profile.errors();
    found_.profile = std::move(*profile);
    for (const auto& [name, port] : plan_.file.target.ports) found_.profile.ports[name] = port;
    if (found_.servers.empty())
      return {};  // the target is not known yet: the caller resolves it and comes again
    bool learned = false;
    for (const Probe& probe : found_.profile.discover) {
      const auto known = [&](const LearnedAnswer& answer) { return answer.probe == probe.id; };
      if (std::any_of(found_.learned.begin(), found_.learned.end(), known)) continue;
      auto answer = ask(probe);
      found_.learned.push_back(answer ? LearnedAnswer{probe.id, answer->status, answer->body}
                                      : LearnedAnswer{probe.id, -1, ""});
      const LearnedAnswer& last = found_.learned.back();
      if (auto taken = processor.learn(last.status, last.probe, last.body); !taken) return taken.errors();
      learned = true;
    }
    if (!learned) break;
  }
  found_.warnings = found_.profile.warnings;
  return {};
}

Result<void> PreflightRun::wait_until_ready() {
  const int64_t until_ns = clock_.now_ns() + plan_.file.target.wait_ready_ns;
  for (;;) {
    Result<void> ready;
    for (const Probe& probe : found_.profile.ready) {
      auto answer = ask(probe);
      ready = answer ? check_answer(probe, answer->status, answer->body) : Result<void>(answer.errors());
      if (!ready && !probe.optional) break;
    }
    if (ready) return {};
    if (clock_.now_ns() >= until_ns) {
      return Error{"the target " + server().url.text() + " is not ready: " + ready.error().message};
    }
    std::this_thread::sleep_for(kPollPause);
  }
}

Result<void> PreflightRun::check_name(const std::vector<ModelName>& models, const std::string& name) {
  std::vector<std::string> names;
  for (const ModelName& model : models) names.push_back(model.name);
  if (std::find(names.begin(), names.end(), name) != names.end()) return {};
  const auto nearest = nearest_name(name, names);
  return Error{"the server has no model \"" + name + "\"" +
               (nearest ? "; did you mean \"" + *nearest + "\"?" : ".") + " It lists: " + list_of(models)};
}

// Empty: the server keeps no list.
Result<std::vector<ModelName>> PreflightRun::list_models() {
  std::vector<ModelName> none;
  if (!found_.profile.models) return none;
  if (found_.profile.models->is_told()) {
    std::vector<ModelName> told;
    for (const std::string& name : found_.profile.models->listed) told.push_back({name, -1});
    return told;
  }
  auto answer = ask(found_.profile.models->probe);
  if (!answer) return answer.errors();
  if (answer->status == 200) return read_models(*found_.profile.models, answer->body);
  if (answer->status != 401 && answer->status != 403) return none;
  return Error{"the target answered " + std::to_string(answer->status) + " to " +
               found_.profile.models->probe.path + ": " +
               escape_terminal(redactor_.redact(answer->body), kForeignTextBytes) + "; check target.api_key"};
}

Result<void> PreflightRun::find_model() {
  const auto& mix = plan_.file.model.mix;
  found_.model = mix.empty() ? plan_.file.model.name : mix.front().name;
  auto models = list_models();
  if (!models) return models.errors();
  found_.models = std::move(*models);
  if (!found_.model.empty()) return {};
  if (found_.models.empty()) return Error{"the server lists no model: set model.name"};
  if (found_.models.size() > 1) {
    return Error{"the server has several models; set model.name to one of: " + list_of(found_.models)};
  }
  found_.model = found_.models.front().name;
  return {};
}

// The model and the adapters must be on the server's list, if it has one.
Result<void> PreflightRun::check_models() {
  auto models = server_ == 0 ? Result<std::vector<ModelName>>(found_.models) : list_models();
  if (!models) return models.errors();
  if (models->empty()) return {};
  if (auto known = check_name(*models, found_.model); !known) return known;
  for (const RunFile::ModelShare& share : plan_.file.model.mix) {
    if (auto known = check_name(*models, share.name); !known) return known;
  }
  if (!found_.profile.models->lists_adapters) return {};
  for (const RunFile::Adapter& adapter : plan_.file.model.adapters) {
    if (auto known = check_name(*models, adapter.name); !known) return known;
  }
  return {};
}

void PreflightRun::read_info() {
  tkm::JsonWriter json(found_.info_json = "");
  json.begin_object();
  for (const Probe& probe : found_.profile.info) {
    auto answer = ask(probe);
    if (!answer || answer->status != 200) continue;
    const std::string body = redactor_.redact(answer->body);
    tkm::JsonDocument document;
    if (!tkm::parse_json(body, document)) continue;
    json.key(probe.id).value(static_cast<const tkm::Json&>(document));
    const std::string_view version = tkm::get_string(document, "version");
    if (!version.empty()) found_.server = plan_.file.processor.use + " " + escape_terminal(version, 60);
  }
  json.end_object();
}

Result<void> PreflightRun::send_first(const Sample& sample, FirstRequests& requests) {
  auto sent = requests.send(sample, server());
  if (!sent) return sent.errors();
  for (const RunFile::ModelShare& share : plan_.file.model.mix) {
    if (share.name == found_.model) continue;  // it was the first
    sent = requests.send(sample, server(), {.model = share.name, .adapter = {}});
    if (!sent) return Error{"model \"" + escape_terminal(share.name, 100) + "\": " + sent.error().message};
  }
  for (const RunFile::Adapter& adapter : plan_.file.model.adapters) {
    sent = requests.send(sample, server(), {.model = {}, .adapter = adapter.name});
    if (!sent) return sent.errors();
  }
  return {};
}

Result<void> PreflightRun::first_requests(Processor& processor) {
  FirstRequests requests(plan_, salt_, clock_, redactor_, processor, found_);
  auto sample =
      first_sample(plan_, found_.profile, {.salt = requests.salt(), .word_limit = 0, .input_tokens = {}});
  if (!sample) return sample.errors();
  if (*sample == nullptr) return Error{"the dataset has no usable record"};
  const auto sent = on_each_server([&] { return send_first(**sample, requests); });
  return sent ? calibrate(plan_, salt_, **sample, requests, found_) : sent;
}

// The list of models is another one after it.
Result<void> PreflightRun::load_adapters() {
  if (auto loaded = tokometer::load_adapters(plan_.file, found_); !loaded) return loaded;
  if (found_.loaded.empty()) return {};
  auto models = list_models();
  if (!models) return models.errors();
  found_.models = std::move(*models);
  return {};
}

Result<void> PreflightRun::reset_cache() {
  for (const Probe& probe : found_.profile.reset_cache) {
    auto answer = ask(probe);
    auto done = answer ? check_answer(probe, answer->status, answer->body) : Result<void>(answer.errors());
    if (!done) return Error{"target.prepare.reset_cache: " + done.error().message};
  }
  return {};
}

// A run that is refused leaves the servers as they were.
Result<Preflight> PreflightRun::run(const std::vector<std::string>& urls) {
  const auto prepared = prepare(urls);
  if (prepared) return std::move(found_);
  std::vector<Error> errors = prepared.errors();
  for (Error& failed : put_back(plan_.file, found_)) errors.push_back(std::move(failed));
  return errors;
}

Result<void> PreflightRun::prepare(const std::vector<std::string>& urls) {
  auto processor = Processor::create(*plan_.processor, {.config_json = plan_.file.processor.options_json,
                                                        .models = {plan_.file.model.name},
                                                        .seed = plan_.file.seed});
  if (!processor) return processor.errors();
  if (auto described = discover(*processor); !described) return described.errors();
  if (auto resolved = resolve_target(urls); !resolved) return resolved.errors();
  if (auto ready = on_each_server([this] { return wait_until_ready(); }); !ready) return ready.errors();
  if (auto discovered = discover(*processor); !discovered) return discovered.errors();
  if (auto able = check_features(plan_.file, found_.profile); !able) return able.errors();
  if (auto model = find_model(); !model) return model.errors();
  if (auto loaded = load_adapters(); !loaded) return loaded.errors();
  if (auto known = on_each_server([this] { return check_models(); }); !known) return known.errors();
  read_info();
  if (plan_.file.target.reset_cache) {
    if (found_.profile.reset_cache.empty())
      return Error{"target.prepare.reset_cache: the processor knows no way to do it"};
    if (auto reset = on_each_server([this] { return reset_cache(); }); !reset) return reset.errors();
  }
  if (auto answered = first_requests(*processor); !answered) return answered.errors();
  if (found_.tls != nullptr && !found_.tls->verifies()) found_.warnings.emplace_back(kUnverified);
  return start_profiler(plan_.file, found_);
}

Result<std::vector<Preflight>> run_preflight(const Plan& plan, const std::vector<std::string>& urls,
                                             const std::string& salt, const Clock& clock,
                                             const Redactor& redactor) {
  std::vector<Preflight> all;
  for (const WorkloadPlan& workload : plan.workloads) {
    auto found = PreflightRun(workload, salt, clock, redactor).run(urls);
    if (found) {
      all.push_back(std::move(*found));
      continue;
    }
    std::vector<Error> errors = errors_of(plan, workload, found.errors());
    for (Error& failed : put_back(plan, all)) errors.push_back(std::move(failed));
    return errors;
  }
  return all;
}

}  // namespace tokometer
