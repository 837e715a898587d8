#include "check/processor_bench.hpp"

#include <tokometer/json.hpp>

#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "plugin/request_sink.hpp"

namespace tokometer::check {
namespace {

tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

tkm_prompt prompt_of(const Ask& ask, const std::vector<tkm_message>& messages) {
  tkm_prompt it{};
  it.struct_size = sizeof it;
  it.task = ask.task;
  it.form = ask.form;
  it.reply = ask.reply;
  it.request_id = ask.request_id;
  it.request_name = str("check-1");
  if (ask.form == TKM_FORM_CHAT) it.messages = messages.data(), it.message_count = messages.size();
  if (ask.form == TKM_FORM_TEXT) it.text = str(ask.text);
  if (ask.form == TKM_FORM_TOKENS) it.tokens = ask.tokens.data(), it.token_count = ask.tokens.size();
  it.model = str(ask.model);
  it.adapter = str(ask.adapter);
  it.cache_salt = str(ask.cache_salt);
  it.sampling = str(ask.sampling);
  it.extra = str(ask.extra);
  it.choices = ask.choices;
  it.output_tokens = ask.output_tokens;
  it.output_mode = ask.output_mode;
  it.authority = str("server.example:8000");
  it.unix_time_s = 1'700'000'000;
  return it;
}

Encoded encoded_of(const RequestSink& sink, tkm_status status, std::string sentence) {
  Encoded it{.status = status,
             .sentence = std::move(sentence),
             .fault = {},
             .head = {},
             .content_type = {},
             .body = {}};
  if (status != TKM_OK) return it;
  it.fault = sink.fault();
  it.head = std::string(sink.method()) + " " + std::string(sink.path()) + "\n";
  for (size_t i = 0; i < sink.header_count(); ++i) {
    const auto [name, value] = sink.header(i);
    it.head += std::string(name) + ": " + std::string(value) + "\n";
    if (name == "content-type") it.content_type = value;
  }
  it.body = sink.body();
  return it;
}

}  // namespace

Result<Processor> make_processor(const Subject& subject) {
  auto processor = Processor::create(*subject.component,
                                     {.config_json = subject.options_json, .models = {"a-model"}, .seed = 1});
  if (!processor) return processor.errors();
  for (const Learned& answer : subject.learned) {
    if (auto learned = processor->learn(answer.status, answer.probe, answer.body); !learned)
      return learned.errors();
  }
  return processor;
}

Result<ProcessorBench> ProcessorBench::make(const Subject& subject) {
  auto processor = make_processor(subject);
  if (!processor) return processor.errors();
  const auto json = processor->describe();
  if (!json) return json.errors();
  auto profile = parse_profile(*json);
  if (!profile) return profile.errors();
  return ProcessorBench(std::move(*processor), std::move(*profile),
                        subject.component->has_capability("auth.own"));
}

Ask ProcessorBench::plain() const {
  Ask ask;
  ask.task = profile_.task();
  if (!has("form.chat") && has("form.tokens")) ask.form = TKM_FORM_TOKENS;
  if (!has("form.chat") && has("form.text")) ask.form = TKM_FORM_TEXT;
  if (!has("reply.stream") && has("reply.whole")) ask.reply = TKM_REPLY_WHOLE;
  return ask;
}

Encoded ProcessorBench::encode(const Ask& ask, uint32_t newer_host_bytes) {
  const tkm_part part{ask.part_kind, 0, ask.part_kind == TKM_PART_TEXT ? tkm_str{} : str("image/png"),
                      str(ask.text)};
  const size_t count = ask.task == TKM_TASK_RANK ? 2 : 1;  // a query and a document
  const std::vector<tkm_message> messages(count, {str("user"), {}, &part, 1});
  const tkm_prompt prompt = prompt_of(ask, messages);
  std::vector<char> grown(sizeof prompt + newer_host_bytes, '\xa5');
  std::memcpy(grown.data(), &prompt, sizeof prompt);
  const auto size = static_cast<uint32_t>(grown.size());
  std::memcpy(grown.data(), &size, sizeof size);
  RequestSink sink(own_auth_);
  std::string err;
  const tkm_status status =
      processor_.encode(*reinterpret_cast<const tkm_prompt*>(grown.data()), sink.out(), err);
  return encoded_of(sink, status, std::move(err));
}

UsableBench usable_bench(const Subject& subject) {
  auto bench = ProcessorBench::make(subject);
  if (!bench) return {std::nullopt, skip("see processor.profile")};
  const Encoded first = bench->encode(bench->plain()), again = bench->encode(bench->plain());
  if (!first.is_good()) return {std::nullopt, skip("see processor.encodes")};
  if (first.bytes() != again.bytes()) return {std::nullopt, skip("see processor.repeatable")};
  return {std::move(*bench), {}};
}

std::optional<std::string> fault_of_body(const Encoded& it) {
  if (!it.is_json()) return std::nullopt;
  tkm::JsonDocument root;
  size_t at = 0;
  if (!tkm::parse_json(it.body, root, &at))
    return "the body is no valid JSON (byte " + std::to_string(at) + ")";
  if (!is_valid_utf8(it.body)) return "the body is not UTF-8";
  return std::nullopt;
}

}  // namespace tokometer::check
