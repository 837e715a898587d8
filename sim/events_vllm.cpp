#include "sim/events_vllm.hpp"

#include <ctime>

#include "sim/tokens.hpp"

namespace tokometer::sim {
namespace {

constexpr std::string_view kFingerprint = R"("system_fingerprint":"tokometer-sim")";

}  // namespace

VllmEvents::VllmEvents(const Generation& generation, ChunkBuffer& buffer)
    : EventWriter(generation, buffer, {}) {
  start_ = R"(data: {"id":)" + quoted(generation.id) + R"(,"object":")" +
           (generation.chat ? "chat.completion.chunk" : "text_completion") + R"(","created":)" +
           std::to_string(std::time(nullptr)) + R"(,"model":)" + quoted(model()) + R"(,"choices":[)";
}

void VllmEvents::open_choice(uint32_t choice) {
  out().append(R"({"index":)");
  append_number(out(), choice);
}

void VllmEvents::append_usage(std::string& out, const Usage& usage) const {
  out.append(R"("usage":{"prompt_tokens":)");
  append_number(out, usage.prompt);
  out.append(R"(,"total_tokens":)");
  append_number(out, usage.prompt + usage.completion);
  out.append(R"(,"completion_tokens":)");
  append_number(out, usage.completion);
  if (usage.cached >= 0) {
    out.append(R"(,"prompt_tokens_details":{"cached_tokens":)");
    append_number(out, static_cast<uint64_t>(usage.cached));
    out += '}';
  }
  out += '}';
}

EventWriter::Event VllmEvents::role(uint32_t choice, const Usage& usage) {
  begin(start_);
  open_choice(choice);
  std::string& out = this->out();
  out.append(R"(,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}])");
  if (generation().usage_each) out += ',', append_usage(out, {.prompt = usage.prompt, .completion = 0});
  out.append(R"(,"prompt_token_ids":)");
  if (generation().token_ids) {
    out += '[';
    for (const int32_t id : generation().prompt_ids)
      append_number(out, static_cast<uint64_t>(id)), out += ',';
    if (out.back() == ',') out.pop_back();
    out += ']';
  } else {
    out.append("null");
  }
  out.append(R"(,"prompt_text":null)");
  return end();
}

void VllmEvents::delta(const Token& token, std::string_view text) {
  std::string& out = this->out();
  if (!generation().chat) {
    out.append(R"(,"text":")").append(text).append(R"(","logprobs":null)");
    return;
  }
  const ReasoningField field = generation().shape.reasoning_field;
  out.append(R"(,"delta":{")");
  if (!token.reasoning) {
    out.append("content");
  } else if (field == ReasoningField::both) {
    out.append(R"(reasoning":")").append(text).append(R"(","reasoning_content)");
  } else {
    out.append(field == ReasoningField::reasoning ? "reasoning" : "reasoning_content");
  }
  out.append(R"(":")").append(text).append(R"("},"logprobs":null)");
}

EventWriter::Event VllmEvents::token(const Token& token, const Usage& usage, std::string& text) {
  for (uint64_t i = 0; i < token.count; ++i) append_token(text, token.stream, token.choice, token.index + i);
  begin(start_);
  open_choice(token.choice);
  delta(token, text);
  std::string& out = this->out();
  out.append(R"(,"finish_reason":)");
  if (token.finish != nullptr) {
    out.append("\"").append(token.finish).append(R"(","stop_reason":null)");
  } else {
    out.append(generation().chat ? "null" : R"(null,"stop_reason":null)");
  }
  if (!generation().chat) out.append(R"(,"prompt_token_ids":null)");
  out.append(R"(,"token_ids":)");
  if (generation().token_ids) {
    out += '[';
    for (uint64_t i = 0; i < token.count; ++i) {
      if (i != 0) out += ',';
      append_number(out, (token.stream * 7919u + token.index + i) % kVocabulary);
    }
    out.append("]}]");
  } else {
    out.append("null}]");
  }
  if (generation().usage_each) out += ',', append_usage(out, usage);
  if (token.finish != nullptr && !generation().include_usage) out += ',', out.append(kFingerprint);
  return end(true, token.stream, token.seq);
}

EventWriter::Event VllmEvents::finish(uint32_t choice, const char* reason, const Usage& usage) {
  begin(start_);
  open_choice(choice);
  std::string& out = this->out();
  out.append(generation().chat ? R"(,"delta":{})" : R"(,"text":"")")
      .append(R"(,"logprobs":null,"finish_reason":")");
  out.append(reason).append(R"(","stop_reason":null,"token_ids":null}])");
  if (generation().usage_each) out += ',', append_usage(out, usage);
  return end();
}

EventWriter::Event VllmEvents::usage(const Usage& usage) {
  begin(start_);
  out().append("],");
  append_usage(out(), usage);
  out().append(",").append(kFingerprint);
  append_more(out(), usage);
  return end();
}

std::string VllmEvents::whole_body(const Usage& usage, const char* finish, uint32_t stream) const {
  std::string out = start_.substr(6);  // without "data: "
  const auto at = out.find(".chunk");
  if (generation().chat && at != out.npos) out.erase(at, 6);
  for (uint32_t choice = 0; choice < generation().choices; ++choice) {
    const std::string text = whole_text(generation(), stream, choice, false);
    const std::string reasoning = whole_text(generation(), stream, choice, true);
    if (choice != 0) out += ',';
    out.append(R"({"index":)");
    append_number(out, choice);
    if (generation().chat) {
      out.append(R"(,"message":{"role":"assistant","content":")")
          .append(text)
          .append(R"(","refusal":null,"reasoning":)");
      out.append(reasoning.empty() ? "null" : "\"" + reasoning + "\"").append(R"(,"tool_calls":[]})");
    } else {
      out.append(R"(,"text":")").append(text).append("\"");
    }
    out.append(R"(,"logprobs":null,"finish_reason":)");
    out.append(finish == nullptr ? "null" : "\"" + std::string(finish) + "\"")
        .append(R"(,"stop_reason":null,"token_ids":null})");
  }
  out.append("],").append(kFingerprint).append(",");
  if (generation().fault.kind != FaultKind::usage_missing) append_usage(out, usage), out += ',';
  out.append(R"("metrics":null)");
  append_more(out, usage);
  return out += '}';
}

}  // namespace tokometer::sim
