// /v1/responses of vLLM and SGLang: items open and close around the deltas of their text, and the last event
// repeats all of it, with the counts. vLLM names it "completed" also where the status inside is another. No
// [DONE].
#include <ctime>

#include "sim/other_apis.hpp"
#include "sim/tokens.hpp"

namespace tokometer::sim {
namespace {

// How the response ended, by the finish reason of a chat.
std::string_view status_of(std::string_view finish) {
  if (finish == "stop") return "completed";
  return finish == "length" ? "incomplete" : "cancelled";
}

class ResponsesEvents final : public EventWriter {
 public:
  ResponsesEvents(const Generation& generation, ChunkBuffer& buffer)
      : EventWriter(generation, buffer,
                    {.has_usage_chunk = false, .has_done_mark = false, .ends_apart = true}) {
    start_ = R"({"id":)" + quoted(generation.id) + R"(,"object":"response","created_at":)" +
             std::to_string(std::time(nullptr)) + R"(,"model":)" + quoted(model());
  }

  Event role(uint32_t, const Usage&) override {
    begin({});
    for (const char* state : {"response.created", "response.in_progress"}) {
      if (sequence_ > 0) close();
      open(state);
      out()
          .append(R"("response":)")
          .append(start_)
          .append(R"(,"status":"in_progress","output":[],"usage":null})");
    }
    return end();
  }

  Event token(const Token& token, const Usage&, std::string& text) override {
    for (uint64_t i = 0; i < token.count; ++i)
      append_token(text, token.stream, token.choice, token.index + i);
    begin({});
    if (!is_open_ || token.reasoning != is_reasoning_) {
      if (is_open_) close_item();
      open_item(token.reasoning);
    }
    item_text_.append(text);
    open(is_reasoning_ ? "response.reasoning_text.delta" : "response.output_text.delta");
    place();
    out().append(R"(,"delta":")").append(text).append("\"");
    return end(true, token.stream, token.seq);
  }

  Event finish(uint32_t, const char* reason, const Usage& usage) override {
    begin({});
    if (is_open_) close_item();
    const bool is_vllm = generation().dialect == Dialect::vllm;
    open("response." + std::string(is_vllm ? "completed" : status_of(reason)));
    out().append(R"("response":)").append(response(items_, reason, usage));
    return end();
  }

  Event usage(const Usage&) override { return {}; }

  std::string whole_body(const Usage& usage, const char* finish, uint32_t stream) const override {
    const std::string thought = whole_text(generation(), stream, 0, true);
    std::string items = thought.empty() ? "" : item(true, thought) + ",";
    items.append(item(false, whole_text(generation(), stream, 0, false)));
    return response(items, finish == nullptr ? "" : finish, usage);
  }

 private:
  // An event up to its own members; close() or end() completes it.
  void open(std::string_view type) {
    out().append("event: ").append(type).append(line()).append(R"(data: {"type":")").append(type);
    out().append(R"(","sequence_number":)");
    append_number(out(), sequence_++);
    out().append(",");
  }
  void close() { out().append("}").append(line()).append(line()); }
  std::string_view line() const { return generation().shape.crlf ? "\r\n" : "\n"; }

  void place() {
    out().append(R"("content_index":0,"item_id":"item_)");
    append_number(out(), item_);
    out().append(R"(","output_index":)");
    append_number(out(), item_);
  }

  std::string item(bool reasoning, std::string_view text) const {
    const std::string content = R"([{"type":")" + std::string(reasoning ? "reasoning_text" : "output_text") +
                                R"(","text":")" + std::string(text) + "\"}]";
    if (reasoning) return R"({"type":"reasoning","summary":[],"content":)" + content + "}";
    return R"({"type":"message","role":"assistant","content":)" + content + "}";
  }

  void open_item(bool reasoning) {
    is_open_ = true, is_reasoning_ = reasoning;
    item_text_.clear();
    open("response.output_item.added");
    out().append(R"("output_index":)");
    append_number(out(), item_);
    out().append(R"(,"item":{"type":")").append(reasoning ? "reasoning" : "message").append("\"}");
    close();
    open("response.content_part.added");
    place();
    out().append(R"(,"part":{"type":")").append(reasoning ? "reasoning_text" : "output_text");
    out().append(R"(","text":""})");
    close();
  }

  void close_item() {
    open(is_reasoning_ ? "response.reasoning_text.done" : "response.output_text.done");
    place();
    out().append(R"(,"text":")").append(item_text_).append("\"");
    close();
    open("response.output_item.done");
    const std::string whole = item(is_reasoning_, item_text_);
    out().append(R"("output_index":)");
    append_number(out(), item_++);
    out().append(R"(,"item":)").append(whole);
    close();
    items_.append(items_.empty() ? "" : ",").append(whole);
    is_open_ = false;
  }

  std::string response(std::string_view items, std::string_view finish, const Usage& usage) const {
    std::string out = start_;
    out.append(R"(,"error":null,"incomplete_details":)");
    out.append(finish == "length" ? R"({"reason":"max_output_tokens"})" : "null");
    out.append(R"(,"status":")").append(status_of(finish)).append(R"(","output":[)").append(items);
    if (generation().fault.kind == FaultKind::usage_missing) return out.append("]}");
    out.append(R"(],"usage":{"input_tokens":)").append(std::to_string(usage.prompt));
    if (usage.cached >= 0)
      out.append(R"(,"input_tokens_details":{"cached_tokens":)")
          .append(std::to_string(usage.cached))
          .append("}");
    out.append(R"(,"output_tokens":)").append(std::to_string(usage.completion));
    return out.append(R"(,"total_tokens":)")
        .append(std::to_string(usage.prompt + usage.completion))
        .append("}}");
  }

  std::string start_;  // of a response object
  std::string items_, item_text_;
  uint64_t sequence_ = 0, item_ = 0;
  bool is_open_ = false, is_reasoning_ = false;
};

}  // namespace

std::unique_ptr<EventWriter> make_responses_events(const Generation& generation, ChunkBuffer& buffer) {
  return std::make_unique<ResponsesEvents>(generation, buffer);
}

}  // namespace tokometer::sim
