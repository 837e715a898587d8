// expect: a component with Options needs a constructor (Options) or (Options, const tkm_create_args&)
#include <tokometer/options.hpp>
#include <tokometer/plugin.hpp>

#include <array>
#include <cstdint>

struct Rate {
  int64_t per_s = 1;
  static void options(tkm::OptionSet<Rate>& o) { o.add("rate", &Rate::per_s).above(0); }
};

struct Deaf {
  static constexpr auto kId = "deaf", kSummary = "takes no options";
  static constexpr std::array kCapabilities{"open-loop"};
  using Options = Rate;
#ifndef BROKEN
  explicit Deaf(const Rate&) {}
#endif
  tkm::LoadStep next(const tkm_load_state&) {
    return tkm::load_done();
  }
};

TKM_MODULE("deaf", "1", "MIT", tkm::pattern<Deaf>());
