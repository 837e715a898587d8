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
// What each kind needs is said at processor(), dataset(), pattern() and tokenizer() below; threads and
// lifetimes in abi.h.
#pragma once

#include <tokometer/plugin/sinks.hpp>
#include <tokometer/plugin/trampolines.hpp>

namespace tkm {

// The kinds. Every class has `static constexpr auto kId, kSummary` and `static constexpr std::array
// kCapabilities{...}`; it may have `using Options = ...` (options.hpp) and then a constructor (Options) or
// (Options, const tkm_create_args&), else () or (const tkm_create_args&). Every method may throw Error. What
// the functions return is static.

// A processor has
//   std::string describe()                       the profile, JSON
//   void learn(const tkm_answer&)                optional: the answer of a `discover` probe
//   void encode(const tkm_prompt&, RequestOut&)  pure in configuration, what was learned and prompt
//   Stream open(const tkm_prompt&)               any class with
//     void|tkm_status head(const tkm_head&, Events&)  optional; TKM_COLLECT: the body in one piece, please
//     void data(std::string_view bytes, Events&)      cut anywhere; 64 readable bytes follow
//     void end(const tkm_end&, Events&)               optional: a clean end
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

// A dataset has
//   bool next(SampleOut&)  false: no more samples, now and ever after
//   int64_t size()         optional; -1: endless, -2: unknown
template <class T>
const tkm_component* dataset() {
  using namespace plugin_detail;
  static_assert(MakesSamples<T>, "a dataset needs: bool next(tkm::SampleOut&)");
  if constexpr (MakesSamples<T>) return component<T>(TKM_KIND_DATASET, &DatasetCalls<T>::kOps);
}

// A pattern has
//   LoadStep next(const tkm_load_state&)  what to do next; capability "open-loop" or "closed-loop"
template <class T>
const tkm_component* pattern() {
  using namespace plugin_detail;
  static_assert(MakesSteps<T>, "a pattern needs: tkm::LoadStep next(const tkm_load_state&)");
  if constexpr (MakesSteps<T>) return component<T>(TKM_KIND_PATTERN, &PatternCalls<T>::kOps);
}

// A tokenizer has
//   int64_t vocab_size()                                      every id is below it
//   void encode(std::string_view text, int32_t mode, IdsOut&)  mode is TKM_ENCODE_*
template <class T>
const tkm_component* tokenizer() {
  using namespace plugin_detail;
  static_assert(KnowsVocabulary<T>, "a tokenizer needs: int64_t vocab_size()");
  static_assert(EncodesText<T>,
                "a tokenizer needs: void encode(std::string_view text, int32_t mode, tkm::IdsOut&)");
  if constexpr (KnowsVocabulary<T> && EncodesText<T>) {
    return component<T>(TKM_KIND_TOKENIZER, &TokenizerCalls<T>::kOps);
  }
}

}  // namespace tkm

// Makes this .so a plugin: the entry point and the note. Once in a module. `name`, `version` and `license`
// are string literals; the components are tkm::processor<T>(), tkm::dataset<T>(), tkm::pattern<T>(),
// tkm::tokenizer<T>(), or functions of yours that return one (for classes that live in other files).
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
