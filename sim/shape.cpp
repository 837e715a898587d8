#include "sim/shape.hpp"

#include <array>
#include <charconv>
#include <utility>

#include "base/text.hpp"

namespace tokometer::sim {
namespace {

Error bad(std::string_view key, std::string_view value, std::string_view want) {
  return {std::string(key) + ": must be " + std::string(want) + " (got \"" + escape_terminal(value) + "\")"};
}

template <class T, size_t N>
Result<bool> choose(T& out, std::string_view key, std::string_view value,
                    const std::array<std::pair<std::string_view, T>, N>& choices) {
  std::string names;
  for (const auto& [name, choice] : choices) {
    if (name == value) return out = choice, true;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return bad(key, value, "one of " + names);
}

Result<bool> duration(int64_t& out, std::string_view key, std::string_view value) {
  const auto ns = parse_duration_ns(value);
  if (!ns) return bad(key, value, "a duration with a unit, as 50ms or 2s");
  return out = *ns, true;
}

Result<bool> whole_number(uint64_t& out, uint64_t least, std::string_view key, std::string_view value) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < least) {
    return bad(key, value, "a whole number from " + std::to_string(least));
  }
  return out = number, true;
}

Result<bool> flag(bool& out, std::string_view key, std::string_view value) {
  using Choices = std::array<std::pair<std::string_view, bool>, 4>;
  return choose(out, key, value, Choices{{{"true", true}, {"false", false}, {"1", true}, {"0", false}}});
}

template <class T>
using Pairs3 = std::array<std::pair<std::string_view, T>, 3>;

}  // namespace

Result<bool> set_shape(Shape& shape, std::string_view key, std::string_view value) {
  if (key == "ttft") return duration(shape.ttft_ns, key, value);
  if (key == "itl") return duration(shape.itl_ns, key, value);
  if (key == "comments") return duration(shape.comments_ns, key, value);
  if (key == "tokens_per_event") return whole_number(shape.tokens_per_event, 1, key, value);
  if (key == "eos_after") return whole_number(shape.eos_after, 0, key, value);
  if (key == "reasoning_tokens") return whole_number(shape.reasoning_tokens, 0, key, value);
  if (key == "crlf") return flag(shape.crlf, key, value);
  if (key == "usage") {
    using Choices = std::array<std::pair<std::string_view, UsageMode>, 4>;
    return choose(shape.usage, key, value,
                  Choices{{{"asked", UsageMode::asked},
                           {"none", UsageMode::none},
                           {"last", UsageMode::last},
                           {"each", UsageMode::each}}});
  }
  if (key == "first_event") {
    return choose(shape.first_event, key, value,
                  Pairs3<FirstEvent>{{{"role_early", FirstEvent::role_early},
                                      {"role_with_token", FirstEvent::role_with_token},
                                      {"none", FirstEvent::none}}});
  }
  if (key == "reasoning_field") {
    return choose(shape.reasoning_field, key, value,
                  Pairs3<ReasoningField>{{{"reasoning", ReasoningField::reasoning},
                                          {"reasoning_content", ReasoningField::reasoning_content},
                                          {"both", ReasoningField::both}}});
  }
  if (key == "split") {
    return choose(shape.split, key, value,
                  Pairs3<Split>{{{"whole", Split::whole}, {"byte", Split::byte}, {"seeded", Split::seeded}}});
  }
  if (key == "head") {
    using Choices = std::array<std::pair<std::string_view, bool>, 2>;
    return choose(shape.head_at_once, key, value, Choices{{{"at_once", true}, {"with_first_event", false}}});
  }
  if (key == "stamp") {
    using Choices = std::array<std::pair<std::string_view, bool>, 2>;
    return choose(shape.stamp, key, value, Choices{{{"key", true}, {"none", false}}});
  }
  return false;
}

}  // namespace tokometer::sim
