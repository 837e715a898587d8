// TGI's wire forms: /generate_stream, one event a token, without [DONE], its text and counts in the last one;
// and its OpenAI routes, without a role chunk, where a completion's last chunk has the usage.
#include <ctime>

#include "sim/event_forms.hpp"
#include "sim/tokens.hpp"

namespace tokometer::sim {
namespace {

std::string_view word_of(const char* finish) {
  const std::string_view word = finish == nullptr ? "" : finish;
  return word == "stop" ? "eos_token" : word;
}

void append_usage(std::string& out, const Usage& usage) {
  out.append(R"("usage":{"prompt_tokens":)");
  append_number(out, usage.prompt);
  out.append(R"(,"completion_tokens":)");
  append_number(out, usage.completion);
  out.append(R"(,"total_tokens":)");
  append_number(out, usage.prompt + usage.completion);
  out += '}';
}

class TgiEvents final : public EventWriter {
 public:
  TgiEvents(const Generation& generation, ChunkBuffer& buffer)
      : EventWriter(generation, buffer, {.has_roles = false, .has_usage_chunk = generation.chat}) {
    start_ = R"(data: {"object":")" +
             std::string(generation.chat ? "chat.completion.chunk" : "text_completion") +
             R"(","id":"","created":)" + std::to_string(std::time(nullptr)) + R"(,"model":)" +
             quoted(model()) + R"(,"system_fingerprint":"tokometer-sim-native","choices":[)";
  }

  Event role(uint32_t, const Usage&) override { return {}; }

  Event token(const Token& token, const Usage& usage, std::string& text) override {
    for (uint64_t i = 0; i < token.count; ++i)
      append_token(text, token.stream, token.choice, token.index + i);
    write(text, token.finish, usage);
    return end(true, token.stream, token.seq);
  }
  Event finish(uint32_t, const char* reason, const Usage& usage) override {
    write("", reason, usage);
    return end();
  }
  Event usage(const Usage& usage) override {
    append_usage(begin(start_).append("],"), usage);
    return end();
  }

  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override {
    std::string body = start_.substr(6);  // without "data: "
    const auto at = body.find(".chunk");
    if (generation().chat && at != body.npos) body.erase(at, 6);
    body.append(generation().chat ? R"({"index":0,"message":{"role":"assistant","content":")"
                                  : R"({"index":0,"text":")");
    body.append(whole_text(generation(), stream, 0, false)).append(generation().chat ? "\"}" : "\"");
    body.append(R"(,"logprobs":null,"finish_reason":)").append(reason(finish)).append("}],");
    append_usage(body, usage);
    return body += '}';
  }

 private:
  // A chat knows `stop`, a completion the shard's own words, and "" before the end.
  std::string reason(const char* finish) const {
    if (!generation().chat) return quoted(word_of(finish));
    return finish == nullptr ? "null" : quoted(finish);
  }

  void write(std::string_view text, const char* finish, const Usage& usage) {
    std::string& out = begin(start_).append(R"({"index":0,)");
    out.append(generation().chat ? R"("delta":{"role":"assistant","content":")" : R"("text":")").append(text);
    out.append(generation().chat ? R"("},"logprobs":null,"finish_reason":)"
                                 : R"(","logprobs":null,"finish_reason":)");
    out.append(reason(finish)).append("}]");
    if (generation().chat) {
      out.append(R"(,"usage":null)");
    } else if (finish != nullptr) {
      append_usage(out.append(","), usage);
    }
  }

  std::string start_;  // up to the choices' bracket
};

class NativeEvents final : public EventWriter {
 public:
  NativeEvents(const Generation& generation, ChunkBuffer& buffer)
      : EventWriter(generation, buffer,
                    {.has_roles = false, .has_usage_chunk = false, .has_done_mark = false}) {}

  Event role(uint32_t, const Usage&) override { return {}; }
  Event usage(const Usage&) override { return {}; }

  Event token(const Token& token, const Usage& usage, std::string& text) override {
    for (uint64_t i = 0; i < token.count; ++i)
      append_token(text, token.stream, token.choice, token.index + i);
    all_.append(text);
    std::string& out = begin(R"(data: {"index":)");
    append_number(out, token.index + 1);
    out.append(R"(,"token":{"id":)");
    append_number(out, token.index % kVocabulary);
    out.append(R"(,"text":")").append(text).append(R"(","logprob":-0.25,"special":false},"generated_text":)");
    if (token.finish == nullptr) {
      out.append(R"(null,"details":null)");
    } else {
      out.append("\"").append(all_).append(R"(","details":{"finish_reason":")").append(word_of(token.finish));
      append_counts(out, usage);
      out.append(R"(,"input_length":)");
      append_number(out, usage.prompt);
      out += '}';
    }
    return end(true, token.stream, token.seq);
  }

  // There is no such event: an abort is an error.
  Event finish(uint32_t, const char*, const Usage&) override {
    begin(R"(data: {"error":"Request failed during generation: aborted","error_type":"generation")");
    return end();
  }

  std::string whole_fields(const Usage& usage) const override {
    return "x-queue-time: 0\r\nx-validation-time: 0\r\nx-prompt-tokens: " + std::to_string(usage.prompt) +
           "\r\nx-generated-tokens: " + std::to_string(usage.completion) + "\r\n";
  }

  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override {
    std::string body = R"({"generated_text":")" + whole_text(generation(), stream, 0, false);
    body.append(R"(","details":{"finish_reason":")").append(word_of(finish));
    append_counts(body, usage);
    return body.append(R"(,"prefill":[],"tokens":[]}})");
  }

 private:
  static void append_counts(std::string& out, const Usage& usage) {
    out.append(R"(","generated_tokens":)");
    append_number(out, usage.completion);
    out.append(R"(,"seed":null)");
  }

  std::string all_;  // the text so far
};

}  // namespace

std::unique_ptr<EventWriter> make_tgi_events(const Generation& generation, ChunkBuffer& buffer) {
  if (generation.native) return std::make_unique<NativeEvents>(generation, buffer);
  return std::make_unique<TgiEvents>(generation, buffer);
}

}  // namespace tokometer::sim
