// One response of an OpenAI-like server, streamed or whole, turned into events: what a processor's open()
// returns. Framing, end marks and errors are here; what a chunk says is in completion.hpp, what a fault looks
// like in fault.hpp.
//
//   faults    an error in a 2xx reply: what find_fault() says. Another status: what fault_of_status() says.
//             Not JSON, JSON lines, an odd end mark: TKM_FAIL_FORMAT, as is a line or event over the limits
//             of sse.hpp, whose message begins with "limit: ". Impossible meaning: TKM_FAIL_SEMANTICS
//   warnings  bad_utf8, usage_bad, dup_done, wrong_model; each once a response
//   whole     JSON in place of a stream is collected, as is every status other than 2xx
//
// It lives as long as its response and refers to the OpenAiShared of its processor instance. Per event it
// allocates nothing once warm; its size is below 192 bytes, and the unfinished event is all that it keeps
// beside.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/complaints.hpp>
#include <tokometer/openai/completion.hpp>
#include <tokometer/openai/event_shape.hpp>
#include <tokometer/openai/fault.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/openai/model_names.hpp>
#include <tokometer/openai/unescape.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/sse.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

// What the replies of one processor instance have in common. One I/O thread uses it.
struct OpenAiShared {
  using Asked = std::pair<const std::string, uint32_t>;  // the name of a model or adapter, and its number

  // Stable as long as this lives.
  const Asked* number_of(std::string_view model) {
    const auto found = asked.find(model);
    if (found != asked.end()) return &*found;
    return &*asked.emplace(model, static_cast<uint32_t>(asked.size())).first;
  }

  JsonScratch json;
  EventShapes shapes;
  std::map<std::string, uint32_t, std::less<>> asked;  // what requests asked for
  std::string text;                                    // the unescaped text of the chunk at hand
  ModelNames models;                                   // what the server said it has
  std::vector<std::string> metrics;                    // which numbers of a chunk's metrics are told
};

class OpenAiReply {
 public:
  OpenAiReply(OpenAiShared& shared, const tkm_prompt& prompt)
      : shared_(shared),
        completion_(prompt.choices),
        asked_(shared.number_of(view(prompt.adapter.size > 0 ? prompt.adapter : prompt.model))),
        is_adapter_(prompt.adapter.size > 0),
        is_stream_asked_(prompt.reply == TKM_REPLY_STREAM) {}

  tkm_status head(const tkm_head& head, Events&) {
    status_ = head.http_status;
    is_collected_ = !is_stream_asked_ || !is_success() || is_json(head);
    return is_collected_ ? TKM_COLLECT : TKM_OK;
  }

  void data(std::string_view bytes, Events& events) {
    if (!is_success()) return rejected(bytes, events);
    if (is_collected_ && !looks_like_stream(bytes)) return whole(trimmed(bytes), events);
    Sink sink{*this, events};
    reader_.feed(bytes, sink);
  }

  void end(const tkm_end&, Events& events) {
    if (!is_success()) rejected({}, events);
    const std::string_view left = trimmed(reader_.unfinished());
    if (!has_events_ && begins_like_json(left)) not_a_stream(left, events);
  }

 private:
  // From the reader of the event stream to the reply, with the sink of this call.
  struct Sink {
    OpenAiReply& reply;
    Events& events;
    void event(std::string_view name, std::string_view data) { reply.event(name, trimmed(data), events); }
    void keep_alive() {
      if (!reply.is_done_) events.keep_alive();
    }
    void stray_line(std::string_view line) { reply.stray_line(line, events); }
    void too_long(std::string_view what) { reply.too_long(what, events); }
  };

  static std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlank = " \t\r\n";
    const size_t begin = text.find_first_not_of(kBlank);
    return begin == text.npos ? std::string_view()
                              : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
  }
  static bool begins_like_json(std::string_view text) {
    return text.starts_with('{') || text.starts_with('[');
  }
  static bool looks_like_stream(std::string_view body) {
    return body.starts_with("data:") || body.starts_with("event:") || body.starts_with(':');
  }

  // application/json, but neither text/event-stream nor JSON lines.
  static bool is_json(const tkm_head& head) {
    for (const tkm_field& field : std::span(head.fields, head.field_count)) {
      if (field.name.size != 12 || !fault_detail::contains_word(view(field.name), "content-type")) continue;
      const std::string_view type = trimmed(view(field.value).substr(0, view(field.value).find(';')));
      return fault_detail::contains_word(type, "/json") || fault_detail::contains_word(type, "+json");
    }
    return false;
  }
  bool is_success() const { return status_ >= 200 && status_ < 300; }

  // ---- a stream

  void event(std::string_view name, std::string_view data, Events& events) {
    has_events_ = true;
    if (is_done_) return complaints_.warn(Complaints::kDupDone, "an event after the end mark", events);
    if (data == "[DONE]") {
      is_done_ = true;
      return events.done();
    }
    if (complaints_.has_failed()) return after_fault(data, events);
    const bool is_error = name == "error";
    if (data.empty() && is_error)
      return complaints_.fail(TKM_FAIL_IN_BAND, "an error event without data", events);
    const bool is_foreign = !name.empty() && name != "message" && !is_error;
    if (data.empty() || is_foreign) return events.keep_alive();
    if (is_error || !by_shape(data, events)) parsed(data, is_error, events);
  }

  // What else than its bytes a chunk's meaning depends on: the model that it should be of, and what has been
  // complained of already.
  uint64_t context() const {
    return uint64_t{asked_->second} << 9u | uint64_t{is_adapter_} << 8u | complaints_.warned();
  }

  // The common case: a chunk like one before, of this reply or another.
  bool by_shape(std::string_view data, Events& events) {
    const auto found = shared_.shapes.find(data, context(), shape_);
    if (!found) return false;
    const EventShape::Match& match = found->match;
    const auto text = match.is_escaped ? unescape(match.escaped, shared_.text) : std::optional(match.escaped);
    return text && completion_.read_known(found->shape, match, *text, events);
  }

  void parsed(std::string_view data, bool is_error, Events& events) {
    const Json* root = parse(data, events);
    if (root == nullptr) return;
    const ChunkMeaning meaning = read(*root, is_error, events);
    if (meaning.is_plain) shared_.shapes.learn(data, meaning, get_string(*root, "id"), context());
  }

  // Only what was used up to a fault still counts after it.
  void after_fault(std::string_view data, Events& events) {
    const Json* root = shared_.json.parse(data);
    if (root != nullptr && root->IsObject()) completion_.read_usage_only(*root, complaints_, events);
  }

  void stray_line(std::string_view line, Events& events) {
    if (is_done_) return;
    if (begins_like_json(line)) not_a_stream(line, events);
    if (line.starts_with("HTTP/1.")) {
      complaints_.fail(TKM_FAIL_SEMANTICS, "the head of another response inside this one", line, events);
    }
  }
  void not_a_stream(std::string_view shown, Events& events) {
    complaints_.fail(TKM_FAIL_FORMAT, "JSON where an event stream was promised", shown, events);
  }
  void too_long(std::string_view what, Events& events) {
    const bool is_line = what == "line";
    complaints_.fail(
        TKM_FAIL_FORMAT,
        is_line ? "limit: a line of the event stream is over 1 MiB" : "limit: an event is over 4 MiB",
        events);
  }

  // ---- a body

  void whole(std::string_view body, Events& events) {
    if (body.empty()) return;
    const Json* root = parse(body, events);
    if (root != nullptr) read(*root, false, events);
    if (!complaints_.has_failed()) events.done();
  }

  void rejected(std::string_view body, Events& events) {
    if (complaints_.has_failed()) return;
    std::string_view text = trimmed(body);
    if (text.starts_with("data:")) text = trimmed(text.substr(5));  // Triton: an event as the body of a 400
    complaints_.fail(fault_of_status(status_, shared_.json.parse(text), text), events);
  }

  // ---- both

  const Json* parse(std::string_view text, Events& events) {
    const Json* root = shared_.json.parse(text);
    const bool is_bad_utf8 =
        shared_.json.had_lone_surrogate() ||
        (!complaints_.has_warned(Complaints::kBadUtf8) && invalid_utf8_at(text) != text.npos);
    if (is_bad_utf8) complaints_.warn(Complaints::kBadUtf8, "text that is not valid UTF-8", events);
    if (root != nullptr && root->IsObject()) return root;
    complaints_.fail(TKM_FAIL_FORMAT, root == nullptr ? "not valid JSON" : "JSON, but no object", text,
                     events);
    return nullptr;
  }

  ChunkMeaning read(const Json& root, bool is_error, Events& events) {
    if (const auto fault = find_fault(root, is_error)) {
      complaints_.fail(*fault, events);
      return {};
    }
    check_model(get_string(root, "model"), events);
    return completion_.read(root, shared_.metrics, complaints_, events);
  }

  void check_model(std::string_view answered, Events& events) {
    const std::string& asked = asked_->first;
    if (answered.empty() || asked.empty() || answered == asked) return;
    if (!is_adapter_ && shared_.models.may_answer(asked, answered)) return;
    complaints_.warn(Complaints::kWrongModel, answered, events);
  }

  OpenAiShared& shared_;
  SseReader reader_;
  CompletionReader completion_;
  const OpenAiShared::Asked* asked_;
  int32_t status_ = 0;
  Complaints complaints_;
  uint8_t shape_ = 0;  // where the last one was found
  bool is_adapter_, is_stream_asked_;
  bool is_collected_ = false, has_events_ = false, is_done_ = false;
};

static_assert(sizeof(OpenAiReply) <= 192, "many thousands are open at once");

}  // namespace tkm
