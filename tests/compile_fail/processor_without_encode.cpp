// expect: a processor needs: void encode(const tkm_prompt&, tkm::RequestOut&)
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
  std::string describe() { return "{}"; }
#ifndef BROKEN
  void encode(const tkm_prompt&, tkm::RequestOut&) {}
#endif
  Reply open(const tkm_prompt&) {
    return {};
  }
};

TKM_MODULE("mute", "1", "MIT", tkm::processor<Mute>());
