// The object "usage" of OpenAI-like servers, with its details where a server gives them.
#pragma once

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <cstdint>
#include <string_view>

namespace tkm {

struct ReadUsage {
  Usage usage;          // what was no count is -1
  bool is_bad = false;  // there was something that cannot be a count: negative, huge, text
};

namespace usage_detail {

inline constexpr int64_t kMostTokens = 1'000'000'000;  // in one reply; more is nonsense

inline int64_t count(const Json& from, std::string_view key, bool& is_bad) {
  const Json* value = find(from, key);
  if (value == nullptr || value->IsNull()) return -1;
  const int64_t number = int_of(*value).value_or(-1);
  if (number >= 0 && number <= kMostTokens) return number;
  is_bad = true;
  return -1;
}

inline int64_t detail(const Json& usage, std::string_view object, std::string_view key, bool& is_bad) {
  const Json* details = find(usage, object);
  return details == nullptr ? -1 : count(*details, key, is_bad);
}

}  // namespace usage_detail

inline ReadUsage read_usage(const Json& json) {
  using namespace usage_detail;
  ReadUsage it{.usage = {}, .is_bad = !json.IsObject()};
  it.usage.prompt_tokens = count(json, "prompt_tokens", it.is_bad);
  it.usage.cached_tokens = detail(json, "prompt_tokens_details", "cached_tokens", it.is_bad);
  it.usage.output_tokens = count(json, "completion_tokens", it.is_bad);
  it.usage.reasoning_tokens = detail(json, "completion_tokens_details", "reasoning_tokens", it.is_bad);
  if (it.usage.reasoning_tokens < 0) {  // SGLang
    it.usage.reasoning_tokens = count(json, "reasoning_tokens", it.is_bad);
  }
  return it;
}

// As /v1/responses has it.
inline ReadUsage read_responses_usage(const Json& json) {
  using namespace usage_detail;
  ReadUsage it{.usage = {}, .is_bad = !json.IsObject()};
  it.usage.prompt_tokens = count(json, "input_tokens", it.is_bad);
  it.usage.cached_tokens = detail(json, "input_tokens_details", "cached_tokens", it.is_bad);
  it.usage.output_tokens = count(json, "output_tokens", it.is_bad);
  it.usage.reasoning_tokens = detail(json, "output_tokens_details", "reasoning_tokens", it.is_bad);
  return it;
}

inline bool says_something(const Usage& usage) {
  return usage.prompt_tokens >= 0 || usage.cached_tokens >= 0 || usage.output_tokens >= 0 ||
         usage.reasoning_tokens >= 0;
}

}  // namespace tkm
