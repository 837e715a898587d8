// expect: a pattern needs: tkm::LoadStep next(const tkm_load_state&)
#include <tokometer/plugin.hpp>

#include <array>

struct Never {
  static constexpr auto kId = "never", kSummary = "releases nothing";
  static constexpr std::array kCapabilities{"open-loop"};
#ifndef BROKEN
  tkm::LoadStep next(const tkm_load_state&) {
    return tkm::load_done();
  }
#endif
};

TKM_MODULE("never", "1", "MIT", tkm::pattern<Never>());
