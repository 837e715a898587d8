// expect: a component needs static members kId, kSummary (texts) and kCapabilities (array of texts)
#include <tokometer/plugin.hpp>

#include <array>

struct Anonymous {
#ifndef BROKEN
  static constexpr auto kId = "anonymous";
#endif
  static constexpr auto kSummary = "who?";
  static constexpr std::array kCapabilities{"open-loop"};
  tkm::LoadStep next(const tkm_load_state&) {
    return tkm::load_done();
  }
};

TKM_MODULE("anonymous", "1", "MIT", tkm::pattern<Anonymous>());
