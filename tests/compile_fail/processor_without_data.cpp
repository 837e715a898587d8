// expect: what open() returns needs: void data(std::string_view, tkm::Events&)
#include <tokometer/plugin.hpp>

#include <array>
#include <string>
#include <string_view>

struct Reply {
#ifndef BROKEN
  void data(std::string_view, tkm::Events&) {}
#endif
};

struct Mute {
  static constexpr auto kId = "mute", kSummary = "says nothing";
  static constexpr std::array kCapabilities{"proto.http"};
  std::string describe() { return "{}"; }
  void encode(const tkm_prompt&, tkm::RequestOut&) {}
  Reply open(const tkm_prompt&) { return {}; }
};

TKM_MODULE("mute", "1", "MIT", tkm::processor<Mute>());
