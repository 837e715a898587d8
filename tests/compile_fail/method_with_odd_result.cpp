// expect: this method returns void, bool or tkm_status
#include <tokometer/plugin.hpp>

#include <array>
#include <string>
#include <string_view>

struct Reply {
#ifdef BROKEN
  std::string data(std::string_view bytes, tkm::Events&) {
    return std::string(bytes);
  }
#else
  void data(std::string_view, tkm::Events&) {}
#endif
};

struct Odd {
  static constexpr auto kId = "odd", kSummary = "returns what nobody reads";
  static constexpr std::array kCapabilities{"proto.http"};
  std::string describe() { return "{}"; }
  void encode(const tkm_prompt&, tkm::RequestOut&) {}
  Reply open(const tkm_prompt&) { return {}; }
};

TKM_MODULE("odd", "1", "MIT", tkm::processor<Odd>());
