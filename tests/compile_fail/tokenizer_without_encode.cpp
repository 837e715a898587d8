// expect: a tokenizer needs: void encode(std::string_view text, int32_t mode, tkm::IdsOut&)
#include <tokometer/plugin.hpp>

#include <array>
#include <string_view>

struct Empty {
  static constexpr auto kId = "empty", kSummary = "no ids";
  static constexpr std::array<const char*, 0> kCapabilities{};
  int64_t vocab_size() { return 1; }
#ifdef BROKEN
  void encode(std::string_view, tkm::IdsOut&) {}  // does not ask what for
#else
  void encode(std::string_view, int32_t, tkm::IdsOut&) {}
#endif
};

TKM_MODULE("empty", "1", "MIT", tkm::tokenizer<Empty>());
