// What a component is given and what it says: the structs and sinks of the C ABI as small C++ values. They
// hold nothing but a reference to what the host passed; each is valid inside the call that got it, unless it
// says otherwise. Included by <tokometer/plugin.hpp>.
#pragma once

#include <tokometer/abi.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tkm {

// Borrowed bytes in, borrowed bytes out: neither copies, both are valid as long as what they point to.
inline std::string_view view(tkm_str text) noexcept {
  return {text.data, text.size};
}
inline tkm_str str(std::string_view text) noexcept {
  return {text.data(), text.size()};
}

inline std::span<const tkm_message> messages(const tkm_prompt& prompt) noexcept {
  return {prompt.messages, prompt.message_count};
}
inline std::span<const tkm_part> parts(const tkm_message& message) noexcept {
  return {message.parts, message.part_count};
}
inline std::span<const int32_t> tokens(const tkm_prompt& prompt) noexcept {
  return {prompt.tokens, prompt.token_count};
}

// What a component throws to end a call with a negative status. The text says what is wrong and where; it
// reaches the user. Any other exception becomes TKM_E_INTERNAL with its what().
class Error : public std::exception {
 public:
  Error(tkm_status status, std::string text) : status_(status), text_(std::move(text)) {}
  tkm_status status() const noexcept { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }
  std::string_view text() const noexcept { return text_; }

 private:
  tkm_status status_;
  std::string text_;
};

inline Error config_error(std::string text) {
  return {TKM_E_CONFIG, std::move(text)};
}
inline Error input_error(std::string text) {
  return {TKM_E_INPUT, std::move(text)};
}
inline Error unsupported(std::string text) {
  return {TKM_E_UNSUPPORTED, std::move(text)};
}

// What `create` was given of the host. Copyable; valid until the component is destroyed.
class Host {
 public:
  explicit Host(const tkm_create_args& args) noexcept : host_(args.host) {}

  // From inside any call. `level` is TKM_LOG_*.
  void log(int32_t level, std::string_view text) const noexcept { host_->log(host_, level, str(text)); }
  // The tables of an optional feature, or null where this host has it not. In the constructor only.
  template <class Extension>
  const Extension* extension(std::string_view id) const noexcept {
    return static_cast<const Extension*>(host_->extension(host_, str(id)));
  }

 private:
  const tkm_host* host_;
};

// The request being built: begin once, then headers, then body. Valid inside `encode` only.
class RequestOut {
 public:
  explicit RequestOut(const tkm_request_out& sink) noexcept : sink_(sink) {}

  void http(std::string_view method, std::string_view path) { begin(TKM_HTTP, method, path); }
  void grpc(std::string_view path) { begin(TKM_GRPC, {}, path); }  // "/package.Service/Method"
  void header(std::string_view lower_case_name, std::string_view value) {
    sink_.header(sink_.ctx, str(lower_case_name), str(value));
  }
  // HTTP: pieces of one body. gRPC: each call is one message.
  void body(std::string_view bytes) { sink_.body(sink_.ctx, str(bytes)); }

 private:
  void begin(int32_t protocol, std::string_view method, std::string_view path) {
    const tkm_call call{sizeof(tkm_call), protocol, str(method), str(path)};
    sink_.begin(sink_.ctx, &call);
  }
  const tkm_request_out& sink_;
};

struct Delta {
  std::string_view text;                // only what is new; may end inside a character
  int64_t tokens = -1;                  // how many are new; -1: not known
  int32_t counted_by = TKM_COUNT_NONE;  // TKM_COUNT_*
  int32_t channel = TKM_CHANNEL_TEXT;   // TKM_CHANNEL_*
  uint32_t choice = 0;
};

struct Usage {  // totals so far over all choices; -1: not given
  int64_t prompt_tokens = -1, cached_tokens = -1, output_tokens = -1, reasoning_tokens = -1;
};

// What a response said. Valid inside the call that got it.
class Events {
 public:
  explicit Events(const tkm_events& sink) noexcept : sink_(sink) {}

  void delta(const Delta& delta) {
    const tkm_delta c{sizeof(tkm_delta), delta.choice, delta.channel,
                      delta.counted_by,  delta.tokens, str(delta.text)};
    sink_.delta(sink_.ctx, &c);
  }
  void usage(const Usage& usage) {
    const tkm_usage c{sizeof(tkm_usage),     0, usage.prompt_tokens, usage.cached_tokens, usage.output_tokens,
                      usage.reasoning_tokens};
    sink_.usage(sink_.ctx, &c);
  }
  // Once for each choice; `reason` is TKM_FINISH_*, `raw` the server's own word.
  void finish(uint32_t choice, int32_t reason, std::string_view raw) {
    sink_.finish(sink_.ctx, choice, reason, str(raw));
  }
  // The server's fault; `kind` is TKM_FAIL_*, `code` the server's own, -1: none.
  void error(int32_t kind, std::string_view message, int64_t code = -1) {
    sink_.error(sink_.ctx, kind, code, str(message));
  }
  void began() { sink_.mark(sink_.ctx, TKM_MARK_BEGAN); }
  void keep_alive() { sink_.mark(sink_.ctx, TKM_MARK_KEEPALIVE); }
  void done() { sink_.mark(sink_.ctx, TKM_MARK_DONE); }
  void metric(std::string_view name, double value) { sink_.metric(sink_.ctx, str(name), value); }
  void carry(std::string_view bytes) { sink_.carry(sink_.ctx, str(bytes)); }
  void warn(std::string_view id, std::string_view text) { sink_.warn(sink_.ctx, str(id), str(text)); }

 private:
  const tkm_events& sink_;
};

struct Turn {
  std::string_view session;
  uint32_t turn = 0;
  bool last = false;
  int32_t history = TKM_HISTORY_SERVER;  // TKM_HISTORY_*: what the core puts in front
  int64_t think_time_ns = 0;             // after the end of the turn before
};

// One sample. Valid inside `next` only; what is said counts if `next` returns true.
class SampleOut {
 public:
  explicit SampleOut(const tkm_sample_out& sink) noexcept : sink_(sink) {}

  // A chat message of one text part, or an empty one to which `part` adds.
  void message(std::string_view role, std::string_view content) {
    begin_message(role);
    part({.kind = TKM_PART_TEXT, .reserved = 0, .type = {}, .data = str(content)});
  }
  void begin_message(std::string_view role, std::string_view extra_json = {}) {
    sink_.message(sink_.ctx, str(role), str(extra_json));
  }
  void part(const tkm_part& part) { sink_.part(sink_.ctx, &part); }
  void text(std::string_view prompt) { sink_.text(sink_.ctx, str(prompt)); }
  void tokens(std::span<const int32_t> ids) { sink_.tokens(sink_.ctx, ids.data(), ids.size()); }
  // -1: not known. `output_mode` is TKM_OUTPUT_*.
  void lengths(int64_t prompt_tokens, int64_t output_tokens, int32_t output_mode = TKM_OUTPUT_AT_MOST) {
    sink_.lengths(sink_.ctx, prompt_tokens, output_tokens, output_mode);
  }
  void turn(const Turn& turn) {
    const tkm_turn c{sizeof(tkm_turn), turn.turn,          turn.last ? 1 : 0,
                     turn.history,     turn.think_time_ns, str(turn.session)};
    sink_.turn(sink_.ctx, &c);
  }
  void answer(std::string_view scripted) { sink_.answer(sink_.ctx, str(scripted)); }
  void route(std::string_view model, std::string_view adapter = {}) {
    sink_.route(sink_.ctx, str(model), str(adapter));
  }
  void arrival(int64_t ns_since_start) { sink_.arrival(sink_.ctx, ns_since_start); }
  void extra(std::string_view json_object) { sink_.extra(sink_.ctx, str(json_object)); }
  void tag(std::string_view name, std::string_view value) { sink_.tag(sink_.ctx, str(name), str(value)); }
  void header(std::string_view name, std::string_view value) {
    sink_.header(sink_.ctx, str(name), str(value));
  }

 private:
  const tkm_sample_out& sink_;
};

// The ids of a text. Valid inside `encode` only.
class IdsOut {
 public:
  explicit IdsOut(const tkm_ids_out& sink) noexcept : sink_(sink) {}

  void ids(std::span<const int32_t> some) { sink_.ids(sink_.ctx, some.data(), some.size()); }

 private:
  const tkm_ids_out& sink_;
};

// The run's tokenizer, for a dataset: made from Host in the constructor, usable inside the dataset's own
// calls as long as it lives. False: the run has none, and nothing but the test may be called.
class HostTokenizer {
 public:
  explicit HostTokenizer(const Host& host) noexcept
      : it_(host.extension<tkm_host_tokenizer>("tkm.tokenizer/1")) {}

  explicit operator bool() const noexcept { return it_ != nullptr; }
  int64_t vocab_size() const noexcept { return it_->vocab_size; }
  // `mode` is TKM_ENCODE_*. Throws Error where the text cannot be encoded.
  std::vector<int32_t> encode(std::string_view text, int32_t mode = TKM_ENCODE_TEXT) const {
    std::vector<int32_t> all;
    encode(text, mode, &all, [](void* ctx, const int32_t* ids, size_t count) {
      auto& list = *static_cast<std::vector<int32_t>*>(ctx);
      list.insert(list.end(), ids, ids + count);
    });
    return all;
  }
  int64_t count(std::string_view text, int32_t mode = TKM_ENCODE_TEXT) const {
    int64_t tokens = 0;
    encode(text, mode, &tokens, [](void* ctx, const int32_t*, size_t count) {
      *static_cast<int64_t*>(ctx) += static_cast<int64_t>(count);
    });
    return tokens;
  }

 private:
  void encode(std::string_view text, int32_t mode, void* ctx,
              void (*ids)(void*, const int32_t*, size_t)) const {
    std::string sentence;
    const tkm_writer err{&sentence,
                         [](void* to, tkm_str bytes) { static_cast<std::string*>(to)->append(view(bytes)); }};
    const tkm_ids_out out{sizeof(tkm_ids_out), 0, ctx, ids};
    const tkm_status status = it_->encode(it_->ctx, str(text), mode, &out, &err);
    if (status != TKM_OK) throw Error(status, std::move(sentence));
  }
  const tkm_host_tokenizer* it_;
};

// A pattern's answer. Times count from the start of the phase; `users` is for closed loops.
struct LoadStep {
  int32_t action = TKM_LOAD_DONE;
  int64_t at_ns = 0;
  uint32_t users = 0;
};
inline LoadStep release_at(int64_t at_ns, uint32_t users = 0) {
  return {TKM_LOAD_RELEASE, at_ns, users};
}
inline LoadStep wait_until(int64_t at_ns, uint32_t users = 0) {
  return {TKM_LOAD_WAIT, at_ns, users};
}
inline LoadStep wait_for_end(uint32_t users = 0) {
  return {TKM_LOAD_WAIT, INT64_MAX, users};
}
inline LoadStep load_done() {
  return {TKM_LOAD_DONE, 0, 0};
}

}  // namespace tkm
