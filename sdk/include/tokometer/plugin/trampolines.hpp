// Between the C ABI and plain classes: `noexcept` functions that call a method and turn what it throws into a
// status with a sentence, and the tables of them for each kind. A handle is the object itself. Included by
// <tokometer/plugin.hpp>, which says what the classes need.
#pragma once

#include <tokometer/plugin/sinks.hpp>

#include <concepts>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tkm {

// Options: see options.hpp, which defines these two.

template <class Options>
const std::string& options_schema();
template <class Options>
Options read_options(std::string_view canonical_json);

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
struct TokenizerCalls {
  static int64_t vocab_size(tkm_tokenizer* it) noexcept {
    return static_cast<int64_t>(self<T>(it).vocab_size());
  }
  static tkm_status encode(tkm_tokenizer* it, tkm_str text, int32_t mode, const tkm_ids_out* sink,
                           const tkm_writer* err) noexcept {
    IdsOut out(*sink);
    return guarded(err, [&] { return self<T>(it).encode(view(text), mode, out); });
  }
  static constexpr tkm_tokenizer_ops kOps{sizeof(tkm_tokenizer_ops), 0,          create<T, tkm_tokenizer>,
                                          destroy<T, tkm_tokenizer>, vocab_size, encode};
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
concept KnowsVocabulary = requires(T& t) {
  static_cast<int64_t>(t.vocab_size());
};
template <class T>
concept EncodesText = requires(T& t, std::string_view text, IdsOut& out) {
  t.encode(text, TKM_ENCODE_TEXT, out);
};
template <class T>
concept MakesSteps = requires(T& t, const tkm_load_state& state) {
  { t.next(state) } -> std::same_as<LoadStep>;
};

}  // namespace plugin_detail

}  // namespace tkm
