// expect: a processor needs: std::string describe()
#include <tokometer/plugin.hpp>

#include <array>
#include <string>
#include <string_view>

struct Reply {
  void data(std::string_view, tkm::Events&) {}
};

struct Mute {
  static constexpr auto kId = "mute", kSummary = "says nothing";
  static constexpr std::array kCapabilities{"proto.http"};
#ifndef BROKEN
  std::string describe() {
    return "{}";
  }
#endif
  void encode(const tkm_prompt&, tkm::RequestOut&) {}
  Reply open(const tkm_prompt&) {
    return {};
  }
};

TKM_MODULE("mute", "1", "MIT", tkm::processor<Mute>());
