// One response that is a stream of JSON events, or one JSON text: what the readers of many backends share.
// Framing, end marks, faults and what is no JSON are here; what an object means says the class that derives:
//
//   class Mine : public JsonReply<Mine> {
//     friend JsonReply;
//     JsonScratch& scratch();                    of the processor instance
//     void read(const Json&, std::string_view text, Events&);  an object without a fault, and its bytes
//     bool read_known(std::string_view text, Events&);  true: told without a parser. May be left out
//     void after_fault(const Json&, Events&);    an object after the fault. May be left out
//     void read_head(const tkm_head&);           of a response with status 2xx. May be left out
//     static constexpr bool kTakesArrays = true;        a whole reply may be an array of objects. May be left
//     out
//     bool read_array(const Json&, Events&);     a whole reply that is an array, at once; false: it may not
//     be one. May be left out static constexpr bool kHasNamedEvents = true;     events are told apart by
//     name, and end without [DONE] by finish(); without it, those with a name are passed over. May be left
//     out
//   };
//
//   faults    an error in a 2xx reply: what find_fault() says. Another status: what fault_of_status() says.
//             Not JSON, JSON lines, an odd end mark: TKM_FAIL_FORMAT, as is a line or event over the limits
//             of sse.hpp, whose message begins with "limit: "
//   warnings  bad_utf8, dup_done; each once a response
//   whole     JSON in place of a stream is collected, as is every status other than 2xx
//
// It lives as long as its response. Per event it allocates nothing once warm.
#pragma once

#include <tokometer/abi.h>
#include <tokometer/json.hpp>
#include <tokometer/openai/complaints.hpp>
#include <tokometer/openai/fault.hpp>
#include <tokometer/openai/json_scratch.hpp>
#include <tokometer/plugin.hpp>
#include <tokometer/sse.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace tkm {

template <class Derived>
class JsonReply {
 public:
  explicit JsonReply(const tkm_prompt& prompt) : is_stream_asked_(prompt.reply == TKM_REPLY_STREAM) {}

  tkm_status head(const tkm_head& head, Events&) {
    status_ = head.http_status;
    is_collected_ = !is_stream_asked_ || !is_success() || is_json(head);
    if constexpr (requires { derived().read_head(head); }) {
      if (is_success()) derived().read_head(head);
    }
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

 protected:
  Complaints& complaints() { return complaints_; }
  const Complaints& complaints() const { return complaints_; }

  bool is_streaming() const { return !is_collected_; }

  // The logical end; the server may still send, but nothing that counts.
  void finish(Events& events) {
    if (!is_done_) events.done();
    is_done_ = true;
  }

 private:
  // From the reader of the event stream to the reply, with the sink of this call.
  struct Sink {
    JsonReply& reply;
    Events& events;
    void event(std::string_view name, std::string_view data) { reply.event(name, trimmed(data), events); }
    void keep_alive() {
      if (!reply.is_done_) events.keep_alive();
    }
    void stray_line(std::string_view line) { reply.stray_line(line, events); }
    void too_long(std::string_view what) { reply.too_long(what, events); }
  };

  Derived& derived() { return static_cast<Derived&>(*this); }

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
    if (is_done_ && has_named_events() && data == "[DONE]") return;
    if (is_done_) return complaints_.warn(Complaints::kDupDone, "an event after the end mark", events);
    if (data == "[DONE]") return finish(events);
    if (complaints_.has_failed()) return read_after_fault(data, events);
    const bool is_error = name == "error";
    if (data.empty() && is_error)
      return complaints_.fail(TKM_FAIL_IN_BAND, "an error event without data", events);
    const bool is_foreign = !has_named_events() && !name.empty() && name != "message" && !is_error;
    if (data.empty() || is_foreign) return events.keep_alive();
    if (is_error || !is_known(data, events)) read_object(parse(data, events), data, is_error, events);
  }

  bool is_known(std::string_view data, Events& events) {
    if constexpr (requires { derived().read_known(data, events); }) {
      return derived().read_known(data, events);
    } else {
      return false;
    }
  }

  // Only what was used up to a fault still counts after it.
  void read_after_fault(std::string_view data, Events& events) {
    if constexpr (requires(const Json& root) { derived().after_fault(root, events); }) {
      const Json* root = derived().scratch().parse(data);
      if (root != nullptr && root->IsObject()) derived().after_fault(*root, events);
    }
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

  static constexpr bool has_named_events() {
    if constexpr (requires { Derived::kHasNamedEvents; }) {
      return Derived::kHasNamedEvents;
    } else {
      return false;
    }
  }

  // ---- a body

  void whole(std::string_view body, Events& events) {
    if (body.empty()) return;
    const Json* root = parse(body, events);
    const bool is_array = root != nullptr && root->IsArray();
    const bool is_read = is_array && is_read_at_once(*root, events);
    if (is_array && takes_arrays()) {
      for (const Json& object : root->GetArray()) read_object(&object, {}, false, events);
    } else if (!is_read) {
      read_object(root, body, false, events);
    }
    if (!complaints_.has_failed()) finish(events);
  }

  bool is_read_at_once(const Json& array, Events& events) {
    if constexpr (requires { derived().read_array(array, events); }) {
      return derived().read_array(array, events);
    } else {
      return false;
    }
  }

  static constexpr bool takes_arrays() {
    if constexpr (requires { Derived::kTakesArrays; }) {
      return Derived::kTakesArrays;
    } else {
      return false;
    }
  }

  void rejected(std::string_view body, Events& events) {
    if (complaints_.has_failed()) return;
    std::string_view text = trimmed(body);
    if (text.starts_with("data:")) text = trimmed(text.substr(5));  // Triton: an event as the body of a 400
    complaints_.fail(fault_of_status(status_, derived().scratch().parse(text), text), events);
  }

  // ---- both

  // Null: no JSON, which is told.
  const Json* parse(std::string_view text, Events& events) {
    JsonScratch& scratch = derived().scratch();
    const Json* root = scratch.parse(text);
    const bool is_bad_utf8 = scratch.had_lone_surrogate() || (!complaints_.has_warned(Complaints::kBadUtf8) &&
                                                              invalid_utf8_at(text) != text.npos);
    if (is_bad_utf8) complaints_.warn(Complaints::kBadUtf8, "text that is not valid UTF-8", events);
    if (root == nullptr) complaints_.fail(TKM_FAIL_FORMAT, "not valid JSON", text, events);
    return root;
  }

  void read_object(const Json* root, std::string_view text, bool is_error, Events& events) {
    if (root == nullptr || complaints_.has_failed()) return;
    if (!root->IsObject()) return complaints_.fail(TKM_FAIL_FORMAT, "JSON, but no object", text, events);
    if (const auto fault = find_fault(*root, is_error)) return complaints_.fail(*fault, events);
    derived().read(*root, text, events);
  }

  SseReader reader_;
  int32_t status_ = 0;
  Complaints complaints_;
  bool is_stream_asked_;
  bool is_collected_ = false, has_events_ = false, is_done_ = false;
};

}  // namespace tkm
