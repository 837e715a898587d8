#include "sim/events.hpp"

#include <ctime>
#include <tokometer/json.hpp>

#include "sim/nim.hpp"
#include "sim/tokens.hpp"
#include "sim/triton.hpp"

namespace tokometer::sim {
namespace {

constexpr std::string_view kFingerprint = R"("system_fingerprint":"tokometer-sim")";

void append_hex(std::string& out, uint64_t number, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
    out += "0123456789abcdef"[(number >> shift) & 15u];
}

std::string quoted(std::string_view text) {
  std::string out;
  tkm::JsonWriter(out).value(text);
  return out;
}

}  // namespace

EventWriter::EventWriter(const Generation& generation, ChunkBuffer& buffer)
    : generation_(generation), buffer_(buffer), line_end_(generation.shape.crlf ? "\r\n\r\n" : "\n\n") {
  const bool wrong = generation.fault.kind == FaultKind::wrong_model;
  start_ = R"(data: {"id":)" + quoted(generation.id) + R"(,"object":")" +
           (generation.chat ? "chat.completion.chunk" : "text_completion") + R"(","created":)" +
           std::to_string(std::time(nullptr)) + R"(,"model":)" +
           quoted(wrong ? "another-model" : generation.model) + R"(,"choices":[)";
}

void EventWriter::begin() {
  buffer_.begin();
  buffer_.text().append(start_);
}

void EventWriter::open_choice(uint32_t choice) {
  buffer_.text().append(R"({"index":)");
  append_number(buffer_.text(), choice);
}

void EventWriter::append_usage(std::string& out, const Usage& usage) const {
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

EventWriter::Event EventWriter::end(bool stamped, uint32_t stream, uint32_t seq) {
  std::string& out = buffer_.text();
  size_t stamp = 0;
  if (stamped && generation_.shape.stamp) {
    out.append(R"(,"tkm":")");
    stamp = out.size();
    out.append("0000000000000000");
    append_hex(out, stream, 8);
    append_hex(out, seq, 8);
    out += '"';
  }
  out += '}';
  out.append(line_end_);
  Event event{.bytes = buffer_.end()};
  if (stamp != 0) event.stamp = out.data() + stamp;
  return event;
}

EventWriter::Event EventWriter::role(uint32_t choice, const Usage& usage) {
  begin();
  open_choice(choice);
  std::string& out = buffer_.text();
  out.append(R"(,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}])");
  if (generation_.usage_each) out += ',', append_usage(out, {.prompt = usage.prompt, .completion = 0});
  out.append(R"(,"prompt_token_ids":)");
  if (generation_.token_ids) {
    out += '[';
    for (const int32_t id : generation_.prompt_ids) append_number(out, static_cast<uint64_t>(id)), out += ',';
    if (out.back() == ',') out.pop_back();
    out += ']';
  } else {
    out.append("null");
  }
  out.append(R"(,"prompt_text":null)");
  return end(false, 0, 0);
}

void EventWriter::delta(const Token& token, std::string_view text) {
  std::string& out = buffer_.text();
  if (!generation_.chat) {
    out.append(R"(,"text":")").append(text).append(R"(","logprobs":null)");
    return;
  }
  const ReasoningField field = generation_.shape.reasoning_field;
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

EventWriter::Event EventWriter::token(const Token& token, const Usage& usage, std::string& text) {
  for (uint64_t i = 0; i < token.count; ++i) append_token(text, token.stream, token.choice, token.index + i);
  begin();
  open_choice(token.choice);
  delta(token, text);
  std::string& out = buffer_.text();
  out.append(R"(,"finish_reason":)");
  if (token.finish != nullptr) {
    out.append("\"").append(token.finish).append(R"(","stop_reason":null)");
  } else {
    out.append(generation_.chat ? "null" : R"(null,"stop_reason":null)");
  }
  if (!generation_.chat) out.append(R"(,"prompt_token_ids":null)");
  out.append(R"(,"token_ids":)");
  if (generation_.token_ids) {
    out += '[';
    for (uint64_t i = 0; i < token.count; ++i) {
      if (i != 0) out += ',';
      append_number(out, (token.stream * 7919u + token.index + i) % kVocabulary);
    }
    out.append("]}]");
  } else {
    out.append("null}]");
  }
  if (generation_.usage_each) out += ',', append_usage(out, usage);
  if (token.finish != nullptr && !generation_.include_usage) out += ',', out.append(kFingerprint);
  return end(true, token.stream, token.seq);
}

EventWriter::Event EventWriter::finish(uint32_t choice, const char* reason, const Usage& usage) {
  begin();
  open_choice(choice);
  std::string& out = buffer_.text();
  out.append(generation_.chat ? R"(,"delta":{})" : R"(,"text":"")")
      .append(R"(,"logprobs":null,"finish_reason":")");
  out.append(reason).append(R"(","stop_reason":null,"token_ids":null}])");
  if (generation_.usage_each) out += ',', append_usage(out, usage);
  return end(false, 0, 0);
}

EventWriter::Event EventWriter::usage(const Usage& usage) {
  begin();
  buffer_.text().append("],");
  append_usage(buffer_.text(), usage);
  buffer_.text().append(",").append(kFingerprint);
  append_more(buffer_.text(), usage);
  return end(false, 0, 0);
}

EventWriter::Event EventWriter::text(std::string_view event_lines) {
  buffer_.begin();
  for (const char letter : event_lines) {
    if (letter == '\n' && generation_.shape.crlf) buffer_.text() += '\r';
    buffer_.text() += letter;
  }
  return {.bytes = buffer_.end()};
}

std::string EventWriter::whole_body(const Usage& usage, const char* finish, uint32_t stream) const {
  std::string out = start_.substr(6);  // without "data: "
  const auto at = out.find(".chunk");
  if (generation_.chat && at != out.npos) out.erase(at, 6);
  for (uint32_t choice = 0; choice < generation_.choices; ++choice) {
    std::string text, reasoning;
    for (uint64_t i = 0; i < generation_.output_tokens; ++i) {
      const bool thinks = generation_.chat && i < generation_.shape.reasoning_tokens;
      append_token(thinks ? reasoning : text, stream, choice, i);
    }
    if (choice != 0) out += ',';
    out.append(R"({"index":)");
    append_number(out, choice);
    if (generation_.chat) {
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
  if (generation_.fault.kind != FaultKind::usage_missing) append_usage(out, usage), out += ',';
  out.append(R"("metrics":null)");
  append_more(out, usage);
  out += '}';
  return out;
}

std::unique_ptr<EventWriter> make_writer(const Generation& generation, ChunkBuffer& buffer) {
  if (generation.dialect == Dialect::triton) return std::make_unique<TritonWriter>(generation, buffer);
  if (generation.dialect == Dialect::nim_1) return std::make_unique<NimWriter>(generation, buffer);
  return std::make_unique<EventWriter>(generation, buffer);
}

}  // namespace tokometer::sim
