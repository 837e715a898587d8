#include "engine/preflight.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <thread>

#include <tokometer/json.hpp>

#include "base/text.hpp"
#include "engine/events.hpp"
#include "engine/head_fields.hpp"
#include "engine/input_check.hpp"
#include "engine/request.hpp"
#include "engine/samples.hpp"
#include "engine/server_actions.hpp"
#include "engine/server_probe.hpp"
#include "engine/workload_parts.hpp"
#include "net/fetch.hpp"
#include "net/grpc.hpp"

namespace tokometer {
namespace {

constexpr int kDiscoverRounds = 4;
constexpr auto kPollPause = std::chrono::milliseconds(250);
constexpr size_t kForeignTextBytes = 256;
constexpr size_t kCalibrationWords = 8;  // the second calibration request has at least this many fewer words
constexpr int64_t kCalibrationTokens = 16;  // a shorter prompt says nothing about bytes per token
constexpr size_t kSpareBytes = 64;
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
  Result<int64_t> send_sample(RequestEncoder& encoder, Processor& processor, const RunContext& context,
                              const Sample& sample, const std::string& adapter);
  Result<void> send_first_sample(RequestEncoder& encoder, Processor& processor, const RunContext& context,
                                 const Sample& sample);
  Result<void> calibrate(RequestEncoder& encoder, Processor& processor, const RunContext& context);
  Result<void> calibrate_fit(RequestEncoder& encoder, Processor& processor, const RunContext& context);
  void compare_tokenizer(const Result<int64_t>& whole, const Result<int64_t>& half, int64_t server_tokens);
  Result<std::shared_ptr<const Sample>> first_sample(const std::string& nonce_salt, size_t word_limit,
                                                     std::optional<int64_t> input_tokens = std::nullopt);
  Result<Answer> ask(const Probe& probe);

  const WorkloadPlan& plan_;
  const std::string& salt_;
  const Clock& clock_;
  const Redactor& redactor_;
  const TargetServer& server() const { return found_.servers[server_]; }

  Preflight found_;
  size_t server_ = 0;  // that is being asked
};

std::string_view made_text(const Sample& sample) {
  const tkm_str text = sample.messages().empty() ? sample.text() : sample.messages()[0].parts[0].data;
  return {text.data, text.size};
}

int64_t count_text_bytes(const Sample& sample) {
  size_t bytes = sample.text().size;
  for (const tkm_message& message : sample.messages()) {
    for (size_t at = 0; at < message.part_count; ++at) {
      if (message.parts[at].kind == TKM_PART_TEXT) bytes += message.parts[at].data.size;
    }
  }
  return static_cast<int64_t>(bytes);
}

size_t count_words(const Sample& sample) {
  size_t words = 0;
  bool inside = false;
  for (const char letter : made_text(sample)) {
    const bool blank = letter == ' ' || letter == '\n' || letter == '\t';
    if (!blank && !inside) ++words;
    inside = !blank;
  }
  return words;
}

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

// The body of a reply, as the plugin gets it.
bool feed(Stream& stream, const Answer& answer, const tkm_events& sink, std::string& sentence) {
  if (answer.grpc_status < 0)
    return stream.data({answer.body.data(), answer.body.size()}, sink, sentence) >= 0;
  size_t begin = 0;
  for (const size_t end : answer.message_ends) {
    if (stream.data({answer.body.data() + begin, end - begin}, sink, sentence) < 0) return false;
    begin = end;
  }
  return true;
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
  found_.model = plan_.file.model.name;
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

Result<std::shared_ptr<const Sample>> PreflightRun::first_sample(const std::string& nonce_salt,
                                                                 size_t word_limit,
                                                                 std::optional<int64_t> input_tokens) {
  auto dataset = make_dataset(plan_, nullptr);
  if (!dataset) return dataset.errors();
  SampleRules rules = sample_rules(plan_, found_.profile, nonce_salt);
  rules.rows.order = RunFile::Rows::Order::sequential;
  rules.rows.limit = 1;
  rules.word_limit = word_limit;
  if (input_tokens) {
    rules.rows.input_tokens = RunFile::TokenLength{};
    rules.rows.input_tokens->mean = static_cast<double>(*input_tokens);
  }
  auto source = SampleSource::open(std::move(*dataset), std::move(rules));
  if (!source) return source.errors();
  auto row = (*source)->next();
  if (!row) return row.errors();
  return std::move(row->sample);
}

// Gives the prompt tokens that the server counted, -1 if it did not.
Result<int64_t> PreflightRun::send_sample(RequestEncoder& encoder, Processor& processor,
                                          const RunContext& context, const Sample& sample,
                                          const std::string& adapter) {
  const std::string name = "preflight-" + salt_ + "-" + std::to_string(found_.requests);
  const RequestIdentity identity{
      .seq = 0, .name = name, .adapter = adapter, .salt = context.salt, .server = server_};
  FetchRequest request = request_to(plan_.file, found_, server());
  if (auto made = encoder.encode(sample, identity, request); !made.cls.empty()) return Error{made.message};
  request.timeout_ns =
      plan_.file.target.timeouts.total_ns > 0 ? plan_.file.target.timeouts.total_ns : 900'000'000'000;
  const int64_t begin_ns = clock_.now_ns();
  auto answer = fetch(request);
  if (!answer) return answer.errors();
  if (found_.requests++ == 0) found_.first_reply_ns = clock_.now_ns() - begin_ns;

  BlockPool blocks;
  RequestRecord record;
  ResponseEvents events;
  events.begin(context, record, blocks);
  Stream stream;
  std::string sentence;
  if (processor.open(encoder.prompt_of(sample, identity), stream, sentence) != TKM_OK) return Error{sentence};
  HeadFields fields;
  fields.assign(answer->headers);
  const tkm_head head{.struct_size = sizeof(tkm_head),
                      .http_status = answer->status,
                      .fields = fields.data(),
                      .field_count = fields.size()};
  answer->body.reserve(answer->body.size() + kSpareBytes);
  tkm_events shared = ResponseEvents::make_sink();
  const tkm_events& sink = events.sink(shared);
  const bool read = stream.head(head, sink, sentence) >= 0 && feed(stream, *answer, sink, sentence);
  if (!read) return Error{sentence};
  events.conclude(-1, false);
  if (answer->status < 200 || answer->status > 299 || answer->grpc_status > 0 || events.failed()) {
    const std::string status = answer->grpc_status > 0
                                   ? "gRPC " + std::string(grpc_code_name(answer->grpc_status))
                                   : "HTTP " + std::to_string(answer->status);
    const std::string said = events.failed()           ? events.error_message()
                             : answer->grpc_status > 0 ? answer->grpc_message
                                                       : answer->body;
    return Error{"the server refused the first request (" + status +
                 "): " + escape_terminal(redactor_.redact(said), kForeignTextBytes)};
  }
  const bool counted = record.prompt_tokens != kAbsent;
  if (counted) found_.prompt_tokens += record.prompt_tokens;
  if (record.output_tokens != kAbsent) found_.output_tokens += record.output_tokens;
  return counted ? record.prompt_tokens : -1;
}

// By how many tokens two texts differ: with another model's tokenizer, lengths would only seem to be exact.
void PreflightRun::compare_tokenizer(const Result<int64_t>& whole, const Result<int64_t>& half,
                                     int64_t server_tokens) {
  constexpr int64_t kNear = 2;
  if (!whole || !half) return;
  const int64_t own_tokens = *whole - *half;
  if (std::abs(own_tokens - server_tokens) <= std::max(kNear, server_tokens / 100)) return;
  found_.warnings.push_back("model.tokenizer is not the server's: it counts " + std::to_string(own_tokens) +
                            " tokens where the server counts " + std::to_string(server_tokens) +
                            "; prompts do not have the lengths asked");
}

Result<void> PreflightRun::calibrate(RequestEncoder& encoder, Processor& processor,
                                     const RunContext& context) {
  // As long as the run's own nonce, and another: the run's first prompt must not find a warm cache.
  const std::string nonce(salt_.rbegin(), salt_.rend());
  auto whole = first_sample(nonce, 0);
  if (!whole) return whole.errors();
  const size_t nonce_words = sample_rules(plan_, found_.profile, nonce).nonce.empty() ? 0 : 1;
  const size_t words = count_words(**whole) - nonce_words;
  if (words <= kCalibrationWords) return {};
  auto half = first_sample(nonce, words / 2);
  if (!half) return half.errors();
  const auto tokens = send_sample(encoder, processor, context, **whole, "");
  if (!tokens) return tokens.errors();
  const auto fewer = send_sample(encoder, processor, context, **half, "");
  if (!fewer) return fewer.errors();
  const auto less_words = static_cast<double>(words + nonce_words - count_words(**half));
  if (*tokens < 0 || *fewer < 0 || *tokens <= *fewer || less_words <= 0) return {};
  const double per_word = static_cast<double>(*tokens - *fewer) / less_words;
  if (plan_.tokenizer != nullptr) {
    compare_tokenizer(plan_.tokenizer->count(made_text(**whole)), plan_.tokenizer->count(made_text(**half)),
                      *tokens - *fewer);
  }
  // With a tokenizer the text's own tokens are known.
  const double own = plan_.tokenizer != nullptr ? static_cast<double>((*whole)->prompt_tokens)
                                                : per_word * static_cast<double>(words);
  const double overhead = static_cast<double>(*tokens) - own;
  found_.calibration = tkm_calibration{
      .struct_size = sizeof(tkm_calibration),
      .reserved = 0,
      .tokens_per_word = per_word,
      .overhead_tokens = static_cast<int64_t>(overhead < 0 ? overhead - 0.5 : overhead + 0.5)};
  return {};
}

// The first prompt of the data at the wanted length and at half of it. What cannot be learned from them stays
// an estimate.
Result<void> PreflightRun::calibrate_fit(RequestEncoder& encoder, Processor& processor,
                                         const RunContext& context) {
  const RunFile::TokenLength& wanted = *plan_.file.rows.input_tokens;
  const bool uniform = wanted.kind == RunFile::TokenLength::Kind::uniform;
  const int64_t length =
      uniform ? (wanted.min + wanted.max) / 2 : static_cast<int64_t>(std::llround(wanted.mean));
  auto whole = first_sample(salt_, 0, length), half = first_sample(salt_, 0, length / 2);
  if (length < kCalibrationTokens || !whole || !half || (*whole)->form == TKM_FORM_TOKENS) return {};
  const auto tokens = send_sample(encoder, processor, context, **whole, "");
  if (!tokens) return tokens.errors();
  const auto fewer = send_sample(encoder, processor, context, **half, "");
  if (!fewer) return fewer.errors();
  const auto scale =
      scale_of(count_text_bytes(**whole), *tokens, count_text_bytes(**half), std::max<int64_t>(*fewer, 0));
  if (*tokens < 0 || *fewer < 0 || !scale) return {};
  found_.fit_scale = *scale;
  if (plan_.tokenizer == nullptr) return {};
  found_.fit_scale.overhead_tokens = std::max<int64_t>(*tokens - (*whole)->prompt_tokens, 0);
  compare_tokenizer((*whole)->prompt_tokens, (*half)->prompt_tokens, *tokens - *fewer);
  return {};
}

Result<void> PreflightRun::send_first_sample(RequestEncoder& encoder, Processor& processor,
                                             const RunContext& context, const Sample& sample) {
  auto sent = send_sample(encoder, processor, context, sample, "");
  if (!sent) return sent.errors();
  for (const RunFile::Adapter& adapter : plan_.file.model.adapters) {
    sent = send_sample(encoder, processor, context, sample, adapter.name);
    if (!sent) return sent.errors();
  }
  return {};
}

Result<void> PreflightRun::first_requests(Processor& processor) {
  const std::string salt = "preflight-" + salt_;
  const RunContext context = make_context(plan_, found_, salt, clock_, redactor_);
  RequestEncoder encoder(context, processor);
  auto sample = first_sample(salt, 0);
  if (!sample) return sample.errors();
  if (*sample == nullptr) return Error{"the dataset has no usable record"};
  const auto sent = on_each_server([&] { return send_first_sample(encoder, processor, context, **sample); });
  if (!sent) return sent;
  const bool made_text = plan_.dataset->has_capability("made-text") && (*sample)->form != TKM_FORM_TOKENS;
  if (plan_.file.rows.input_tokens) return calibrate_fit(encoder, processor, context);
  return made_text ? calibrate(encoder, processor, context) : Result<void>();
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
