// SGLang's wire forms: its own /generate, with all text so far in each event or only what is new, and its
// OpenAI routes, where each choice has an id of its own and a chat's finish reason a chunk of its own, after
// all choices have ended, under the last one's id.
#include <ctime>

#include "sim/event_forms.hpp"
#include "sim/tokens.hpp"

namespace tokometer::sim {
namespace {

void append_ids(std::string& out, uint64_t from, uint64_t to) {
  out.append(R"("output_ids":[)");
  for (uint64_t index = from; index < to; ++index) {
    if (index != from) out += ',';
    append_number(out, index % kVocabulary);
  }
  out += ']';
}

class SglangEvents final : public EventWriter {
 public:
  SglangEvents(const Generation& generation, ChunkBuffer& buffer)
      : EventWriter(generation, buffer, {.ends_apart = generation.chat}) {
    tail_ = R"(","object":")" + std::string(generation.chat ? "chat.completion.chunk" : "text_completion") +
            R"(","created":)" + std::to_string(std::time(nullptr)) + R"(,"model":)" + quoted(model()) +
            R"(,"choices":[)";
  }

  Event role(uint32_t choice, const Usage&) override {
    open(choice, choice).append(R"(,"delta":{"reasoning_content":null,"role":"assistant","content":""},)");
    out().append(R"("logprobs":null,"finish_reason":null,"matched_stop":null}])");
    return end();
  }

  Event token(const Token& token, const Usage& usage, std::string& text) override {
    for (uint64_t i = 0; i < token.count; ++i)
      append_token(text, token.stream, token.choice, token.index + i);
    std::string& out = open(token.choice, token.choice);
    if (!generation().chat) {
      out.append(R"(,"text":")").append(text).append("\",");
    } else if (token.reasoning) {
      out.append(R"(,"delta":{"reasoning_content":")").append(text).append("\"},");
    } else {
      out.append(R"(,"delta":{"reasoning_content":null,"content":")").append(text).append("\"},");
    }
    end_choice(token.finish);
    if (generation().usage_each) out += ',', append_usage(out, usage);
    return end(true, token.stream, token.seq);
  }

  Event finish(uint32_t choice, const char* reason, const Usage&) override {
    open(choice, generation().choices - 1)
        .append(generation().chat ? R"(,"delta":{"reasoning_content":null},)" : R"(,"text":"",)");
    end_choice(reason);
    return end();
  }

  Event usage(const Usage& usage) override {
    begin(R"(data: {"id":")").append(generation().id).append(tail_).append("],");
    append_usage(out(), usage);
    return end();
  }

  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override {
    std::string body = R"({"id":")" + generation().id + tail_;
    const auto at = body.find(".chunk");
    if (generation().chat && at != body.npos) body.erase(at, 6);
    for (uint32_t choice = 0; choice < generation().choices; ++choice) {
      const std::string text = whole_text(generation(), stream, choice, false);
      const std::string reasoning = whole_text(generation(), stream, choice, true);
      if (choice != 0) body += ',';
      body.append(R"({"index":)").append(std::to_string(choice));
      if (generation().chat) {
        body.append(R"(,"message":{"role":"assistant","content":")").append(text);
        body.append(R"(","tool_calls":null,"reasoning_content":)");
        body.append(reasoning.empty() ? "null}," : "\"" + reasoning + "\"},");
      } else {
        body.append(R"(,"text":")").append(text).append("\",");
      }
      const std::string word = finish == nullptr ? "null" : quoted(finish);
      body.append(R"("logprobs":null,"finish_reason":)").append(word).append(R"(,"matched_stop":null})");
    }
    body.append("],");
    append_usage(body, usage);
    return body += '}';
  }

 private:
  std::string& open(uint32_t choice, uint32_t whose_id) {
    std::string& out = begin(R"(data: {"id":")").append(generation().id);
    if (generation().chat && generation().choices > 1) out += '-', append_number(out, whose_id);
    out.append(tail_).append(R"({"index":)");
    append_number(out, choice);
    return out;
  }

  void end_choice(const char* reason) {
    out().append(R"("logprobs":null,"finish_reason":)");
    if (reason == nullptr) {
      out().append("null");
    } else {
      out().append("\"").append(reason).append("\"");
    }
    out().append(R"(,"matched_stop":null}])");
  }

  void append_usage(std::string& out, const Usage& usage) const {
    out.append(R"("usage":{"prompt_tokens":)");
    append_number(out, usage.prompt);
    out.append(R"(,"total_tokens":)");
    append_number(out, usage.prompt + usage.completion);
    out.append(R"(,"completion_tokens":)");
    append_number(out, usage.completion);
    out.append(R"(,"prompt_tokens_details":)");
    if (usage.cached >= 0) {
      out.append(R"({"cached_tokens":)");
      append_number(out, static_cast<uint64_t>(usage.cached));
      out += '}';
    } else {
      out.append("null");
    }
    out.append(R"(,"reasoning_tokens":)");
    const bool thinks = generation().chat && usage.completion > 0;
    append_number(out, thinks ? generation().shape.reasoning_tokens * generation().choices : 0);
    out.append(R"(,"completion_tokens_details":null})");
  }

  std::string tail_;  // behind the id, up to the choices' bracket
};

class GenerateEvents final : public EventWriter {
 public:
  GenerateEvents(const Generation& generation, ChunkBuffer& buffer)
      : EventWriter(generation, buffer, {.has_roles = false, .has_usage_chunk = false}),
        texts_(generation.choices),
        made_(generation.choices) {}

  Event role(uint32_t, const Usage&) override { return {}; }
  Event usage(const Usage&) override { return {}; }

  Event token(const Token& token, const Usage& usage, std::string& text) override {
    for (uint64_t i = 0; i < token.count; ++i)
      append_token(text, token.stream, token.choice, token.index + i);
    const bool is_incremental = generation().shape.incremental;
    std::string& all = texts_[token.choice].append(text);
    made_[token.choice] = token.index + token.count;
    begin(R"(data: {"text":")").append(is_incremental ? text : all).append("\",");
    append_ids(out(), is_incremental ? token.index : 0, made_[token.choice]);
    append_meta(out(), token.choice, made_[token.choice], token.finish, usage);
    return end(true, token.stream, token.seq);
  }

  Event finish(uint32_t choice, const char* reason, const Usage& usage) override {
    const bool is_incremental = generation().shape.incremental;
    begin(R"(data: {"text":")").append(is_incremental ? "" : texts_[choice]).append("\",");
    append_ids(out(), is_incremental ? made_[choice] : 0, made_[choice]);
    append_meta(out(), choice, made_[choice], reason, usage);
    return end();
  }

  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override {
    std::string body;
    for (uint32_t choice = 0; choice < generation().choices; ++choice) {
      body.append(choice == 0 ? "" : ",").append(R"({"text":")");
      body.append(whole_text(generation(), stream, choice, false)).append("\",");
      append_ids(body, 0, generation().output_tokens);
      append_meta(body, choice, generation().output_tokens, finish, usage);
      body += '}';
    }
    return generation().choices > 1 ? "[" + body + "]" : body;
  }

 private:
  void append_meta(std::string& out, uint32_t choice, uint64_t made, const char* finish,
                   const Usage& usage) const {
    out.append(R"(,"meta_info":{"id":")").append(generation().id).append("-");
    append_number(out, choice);
    out.append(R"(","finish_reason":)");
    append_reason(out, finish, made);
    out.append(R"(,"prompt_tokens":)");
    append_number(out, usage.prompt);
    out.append(R"(,"weight_version":"default","reasoning_tokens":0,"completion_tokens":)");
    append_number(out, made);
    out.append(R"(,"cached_tokens":)");
    append_number(out, usage.cached < 0 ? 0 : static_cast<uint64_t>(usage.cached));
    out += '}';
    if (generation().choices == 1 || !generation().stream) return;
    out.append(R"(,"index":)");
    append_number(out, choice);
  }

  static void append_reason(std::string& out, const char* finish, uint64_t made) {
    const std::string_view word = finish == nullptr ? "" : finish;
    if (word.empty()) {
      out.append("null");
    } else if (word == "length") {
      out.append(R"({"type":"length","length":)");
      append_number(out, made);
      out += '}';
    } else if (word == "abort") {
      out.append(R"({"type":"abort","message":"Aborted","status_code":null,"err_type":null})");
    } else {
      out.append(R"({"type":"stop","matched":2})");
    }
  }

  std::vector<std::string> texts_;  // of each choice, so far
  std::vector<uint64_t> made_;      // tokens of each choice, so far
};

}  // namespace

std::unique_ptr<EventWriter> make_sglang_events(const Generation& generation, ChunkBuffer& buffer) {
  if (generation.native) return std::make_unique<GenerateEvents>(generation, buffer);
  return std::make_unique<SglangEvents>(generation, buffer);
}

}  // namespace tokometer::sim
