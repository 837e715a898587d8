// expect: a processor needs: Stream open(const tkm_prompt&)
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
  void encode(const tkm_prompt&, tkm::RequestOut&) {}
#ifndef BROKEN
  Reply open(const tkm_prompt&) {
    return {};
  }
#endif
};

TKM_MODULE("mute", "1", "MIT", tkm::processor<Mute>());
