// The C++ way to write a plugin. A component is a plain class; this header checks that it has the methods its
// kind needs (a missing one is a compile error that names it), and wraps it into the C ABI: `noexcept`
// functions that turn exceptions into statuses with a sentence. Nothing in here is shared between plugins:
// all of it is compiled in.
//
//   struct Steady {
//     static constexpr auto kId = "steady", kSummary = "one request every 100 ms";
//     static constexpr std::array kCapabilities{"open-loop"};
//     int64_t at_ns = 0;
//     tkm::LoadStep next(const tkm_load_state&) { return tkm::release_at(at_ns += 100'000'000); }
//   };
//   TKM_MODULE("acme", "1.0.0", "Apache-2.0", tkm::pattern<Steady>())
//
// What each kind needs is said at processor(), dataset() and pattern() below; threads and lifetimes in abi.h.
#pragma once

#include <tokometer/abi.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tkm {

// ---- text
// ------------------------------------------------------------------------------------------------------------

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

// ---- errors
// ----------------------------------------------------------------------------------------------------------

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

// ---- the host
// --------------------------------------------------------------------------------------------------------

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

// ---- sinks: what a component says, and how
// ---------------------------------------------------------------------------

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

// ---- options: see options.hpp, which defines these two
// ---------------------------------------------------------------

template <class Options>
const std::string& options_schema();
template <class Options>
Options read_options(std::string_view canonical_json);

// ---- the trampolines
// -------------------------------------------------------------------------------------------------

namespace plugin_detail {

inline void say(const tkm_writer* err, std::string_view text) noexcept {
  if (err != nullptr) err->write(err->ctx, str(text));
}

// Runs `call`; its result is a status, a bool (false: TKM_END) or nothing (TKM_OK).
template <class Call>
tkm_status guarded(const tkm_writer* err, Call&& call) noexcept {
  try {
    using Result = decltype(call());
    if constexpr (std::is_void_v<Result>) {
      call();
      return TKM_OK;
    } else if constexpr (std::is_same_v<Result, bool>) {
      return call() ? TKM_OK : TKM_END;
    } else {
      static_assert(std::is_same_v<Result, tkm_status>, "this method returns void, bool or tkm_status");
      return call();
    }
  } catch (const Error& error) {
    say(err, error.text());
    return error.status() < 0 ? error.status() : TKM_E_INTERNAL;
  } catch (const std::exception& error) {
    say(err, "internal error: ");
    say(err, error.what());
  } catch (...) {
    say(err, "internal error: an exception of an unknown type");
  }
  return TKM_E_INTERNAL;
}

template <class T>
concept HasOptions = requires {
  typename T::Options;
};

// `new T` with what its constructor takes.
template <class T>
T* make(const tkm_create_args& args) {
  if constexpr (HasOptions<T>) {
    using Options = typename T::Options;
    constexpr bool kBoth = std::constructible_from<T, Options, const tkm_create_args&>;
    static_assert(
        kBoth || std::constructible_from<T, Options>,
        "a component with Options needs a constructor (Options) or (Options, const tkm_create_args&)");
    auto options = read_options<Options>(view(args.config));
    if constexpr (kBoth) {
      return new T(std::move(options), args);
    } else {
      return new T(std::move(options));
    }
  } else if constexpr (std::constructible_from<T, const tkm_create_args&>) {
    return new T(args);
  } else {
    static_assert(std::default_initializable<T>,
                  "a component without Options needs a constructor () or (const tkm_create_args&)");
    return new T();
  }
}

template <class T, class Handle>
tkm_status create(const tkm_create_args* args, const tkm_writer* err, Handle** out) noexcept {
  return guarded(err, [&] { *out = reinterpret_cast<Handle*>(make<T>(*args)); });
}

template <class T, class Handle>
void destroy(Handle* handle) noexcept {
  delete reinterpret_cast<T*>(handle);
}

template <class T, class Handle>
T& self(Handle* handle) noexcept {
  return *reinterpret_cast<T*>(handle);
}

template <class T>
struct ProcessorCalls {
  using Stream = decltype(std::declval<T&>().open(std::declval<const tkm_prompt&>()));

  static tkm_status describe(tkm_processor* it, const tkm_writer* json, const tkm_writer* err) noexcept {
    return guarded(err, [&] { say(json, std::string_view(self<T>(it).describe())); });
  }
  static tkm_status learn(tkm_processor* it, const tkm_answer* answer, const tkm_writer* err) noexcept {
    if constexpr (requires(T & t) { t.learn(*answer); }) {
      return guarded(err, [&] { return self<T>(it).learn(*answer); });
    } else {
      static_cast<void>(it), static_cast<void>(answer), static_cast<void>(err);
      return TKM_OK;
    }
  }
  static tkm_status encode(tkm_processor* it, const tkm_prompt* prompt, const tkm_request_out* sink,
                           const tkm_writer* err) noexcept {
    RequestOut out(*sink);
    return guarded(err, [&] { return self<T>(it).encode(*prompt, out); });
  }
  static tkm_status open(tkm_processor* it, const tkm_prompt* prompt, const tkm_writer* err,
                         tkm_stream** out) noexcept {
    return guarded(err, [&] { *out = reinterpret_cast<tkm_stream*>(new Stream(self<T>(it).open(*prompt))); });
  }
  static tkm_status head(tkm_stream* it, const tkm_head* head, const tkm_events* sink,
                         const tkm_writer* err) noexcept {
    if constexpr (requires(Stream & s, Events & e) { s.head(*head, e); }) {
      Events events(*sink);
      return guarded(err, [&] { return self<Stream>(it).head(*head, events); });
    } else {
      static_cast<void>(it), static_cast<void>(head), static_cast<void>(sink), static_cast<void>(err);
      return TKM_OK;
    }
  }
  static tkm_status data(tkm_stream* it, tkm_str bytes, const tkm_events* sink,
                         const tkm_writer* err) noexcept {
    Events events(*sink);
    return guarded(err, [&] { return self<Stream>(it).data(view(bytes), events); });
  }
  static tkm_status end(tkm_stream* it, const tkm_end* end, const tkm_events* sink,
                        const tkm_writer* err) noexcept {
    if constexpr (requires(Stream & s, Events & e) { s.end(*end, e); }) {
      Events events(*sink);
      return guarded(err, [&] { return self<Stream>(it).end(*end, events); });
    } else {
      static_cast<void>(it), static_cast<void>(end), static_cast<void>(sink), static_cast<void>(err);
      return TKM_OK;
    }
  }
  static constexpr tkm_processor_ops kOps{sizeof(tkm_processor_ops),
                                          0,
                                          create<T, tkm_processor>,
                                          destroy<T, tkm_processor>,
                                          describe,
                                          learn,
                                          encode,
                                          open,
                                          head,
                                          data,
                                          end,
                                          destroy<Stream, tkm_stream>};
};

template <class T>
struct DatasetCalls {
  static int64_t size(tkm_dataset* it) noexcept {
    if constexpr (requires(T & t) { t.size(); }) {
      return static_cast<int64_t>(self<T>(it).size());
    } else {
      static_cast<void>(it);
      return -2;
    }
  }
  static tkm_status next(tkm_dataset* it, const tkm_sample_out* sink, const tkm_writer* err) noexcept {
    SampleOut out(*sink);
    return guarded(err, [&] { return self<T>(it).next(out); });
  }
  static constexpr tkm_dataset_ops kOps{sizeof(tkm_dataset_ops), 0,    create<T, tkm_dataset>,
                                        destroy<T, tkm_dataset>, size, next};
};

template <class T>
struct PatternCalls {
  static tkm_status next(tkm_pattern* it, const tkm_load_state* state, tkm_load_step* out,
                         const tkm_writer* err) noexcept {
    return guarded(err, [&] {
      const LoadStep step = self<T>(it).next(*state);
      out->action = step.action;
      out->at_ns = step.at_ns;
      out->users = step.users;
    });
  }
  static constexpr tkm_pattern_ops kOps{sizeof(tkm_pattern_ops), 0, create<T, tkm_pattern>,
                                        destroy<T, tkm_pattern>, next};
};

template <class T>
std::string_view schema() {
  if constexpr (HasOptions<T>) {
    return options_schema<typename T::Options>();
  } else {
    return R"({"type":"object","properties":{}})";
  }
}

template <class T>
std::vector<tkm_str> capabilities() {
  std::vector<tkm_str> all;
  for (const std::string_view one : T::kCapabilities) all.push_back(str(one));
  return all;
}

template <class T>
concept Named = requires {
  {std::string_view(T::kId)};
  {std::string_view(T::kSummary)};
  {std::string_view(*std::begin(T::kCapabilities))};
};

// The static description of T, made at the first call.
template <class T>
const tkm_component* component(int32_t kind, const void* ops) {
  static_assert(Named<T>,
                "a component needs static members kId, kSummary (texts) and kCapabilities (array of texts)");
  static const std::vector<tkm_str> all = capabilities<T>();
  static const tkm_component it{sizeof(tkm_component), kind,       str(T::kId), str(T::kSummary),
                                str(schema<T>()),      all.data(), all.size(),  ops};
  return &it;
}

template <class T>
concept Describes = requires(T& t) {
  std::string_view(t.describe());
};
template <class T>
concept Encodes = requires(T& t, const tkm_prompt& prompt, RequestOut& out) {
  t.encode(prompt, out);
};
template <class T>
concept Opens = requires(T& t, const tkm_prompt& prompt) {
  t.open(prompt);
};
template <class T>
concept TakesData = requires(T& t, std::string_view bytes, Events& events) {
  t.data(bytes, events);
};
template <class T>
concept MakesSamples = requires(T& t, SampleOut& out) {
  { t.next(out) } -> std::same_as<bool>;
};
template <class T>
concept MakesSteps = requires(T& t, const tkm_load_state& state) {
  { t.next(state) } -> std::same_as<LoadStep>;
};

}  // namespace plugin_detail

// ---- the kinds
// ------------------------------------------------------------------------------------------------------- All
// kinds: `static constexpr auto kId, kSummary`, `static constexpr std::array kCapabilities{...}`; optionally
// `using Options = ...` (options.hpp) and then a constructor (Options) or (Options, const tkm_create_args&),
// else
// () or (const tkm_create_args&). Every method may throw Error. The descriptions are static.

// std::string describe()                                   the profile, JSON
// void learn(const tkm_answer&)                            optional: the answer of a `discover` probe
// void encode(const tkm_prompt&, RequestOut&)              pure in configuration, what was learned and prompt
// Stream open(const tkm_prompt&)                           any class with
//   void|tkm_status head(const tkm_head&, Events&)           optional; TKM_COLLECT: the whole body in one
//   piece, please void data(std::string_view bytes, Events&)               cut anywhere; 64 readable bytes
//   follow void end(const tkm_end&, Events&)                        optional: a clean end
template <class T>
const tkm_component* processor() {
  using namespace plugin_detail;
  static_assert(Describes<T>, "a processor needs: std::string describe()");
  static_assert(Encodes<T>, "a processor needs: void encode(const tkm_prompt&, tkm::RequestOut&)");
  static_assert(Opens<T>, "a processor needs: Stream open(const tkm_prompt&)");
  if constexpr (Describes<T> && Encodes<T> && Opens<T>) {
    static_assert(TakesData<typename ProcessorCalls<T>::Stream>,
                  "what open() returns needs: void data(std::string_view, tkm::Events&)");
    if constexpr (TakesData<typename ProcessorCalls<T>::Stream>) {
      return component<T>(TKM_KIND_PROCESSOR, &ProcessorCalls<T>::kOps);
    }
  }
}

// bool next(SampleOut&)                                    false: no more samples, now and ever after
// int64_t size()                                           optional; -1: endless, -2: unknown
template <class T>
const tkm_component* dataset() {
  using namespace plugin_detail;
  static_assert(MakesSamples<T>, "a dataset needs: bool next(tkm::SampleOut&)");
  if constexpr (MakesSamples<T>) return component<T>(TKM_KIND_DATASET, &DatasetCalls<T>::kOps);
}

// LoadStep next(const tkm_load_state&)                     what to do next; capability "open-loop" or
// "closed-loop"
template <class T>
const tkm_component* pattern() {
  using namespace plugin_detail;
  static_assert(MakesSteps<T>, "a pattern needs: tkm::LoadStep next(const tkm_load_state&)");
  if constexpr (MakesSteps<T>) return component<T>(TKM_KIND_PATTERN, &PatternCalls<T>::kOps);
}

}  // namespace tkm

// Makes this .so a plugin: the entry point and the note. Once in a module. `name`, `version` and `license`
// are string literals; the components are tkm::processor<T>(), tkm::dataset<T>(), tkm::pattern<T>(), or
// functions of yours that return one (for classes that live in other files).
#define TKM_MODULE(name, version, license, ...)                               \
  TKM_NOTE(name, version);                                                    \
  extern "C" TKM_EXPORT const tkm_module* tkm_module_v1(void) {               \
    return []() noexcept {                                                    \
      static const tkm_component* const components[] = {__VA_ARGS__};         \
      static const tkm_module module{sizeof(tkm_module),                      \
                                     TKM_ABI_MINOR,                           \
                                     TKM_ABI_MIN_HOST_MINOR,                  \
                                     0,                                       \
                                     {name, sizeof(name) - 1},                \
                                     {version, sizeof(version) - 1},          \
                                     {license, sizeof(license) - 1},          \
                                     components,                              \
                                     sizeof components / sizeof *components}; \
      return &module;                                                         \
    }();                                                                      \
  }                                                                           \
  static_assert(true, "so that a semicolon may follow")
