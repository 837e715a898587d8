// How one stream looks on the wire and in time. Options give the default; the header X-Tkm-Sim may change it
// for one request: "ttft=20ms; itl=1ms; usage=none". Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace tokometer::sim {

enum class UsageMode { asked, none, last, each };
enum class FirstEvent { role_early, role_with_token, none };
enum class ReasoningField { reasoning, reasoning_content, both };
enum class Split { whole, byte, seeded };

struct Shape {
  int64_t ttft_ns = 50'000'000, itl_ns = 10'000'000;
  uint64_t tokens_per_event = 1;
  uint64_t eos_after = 0;  // 0: the model never ends by itself
  uint64_t reasoning_tokens = 0;
  int64_t comments_ns = 0;  // 0: no keep-alive comments
  UsageMode usage = UsageMode::asked;
  FirstEvent first_event = FirstEvent::role_with_token;
  ReasoningField reasoning_field = ReasoningField::reasoning;
  Split split = Split::whole;
  bool head_at_once = true;
  bool crlf = false;
  bool stamp = true;
  bool incremental = false;  // SGLang's /generate: only what is new
};

// Sets the key's value from its text. False: no such key (nothing changed). Fails when the value is not one
// of it.
Result<bool> set_shape(Shape& shape, std::string_view key, std::string_view value);

}  // namespace tokometer::sim
