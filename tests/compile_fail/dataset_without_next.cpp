// expect: a dataset needs: bool next(tkm::SampleOut&)
#include <tokometer/plugin.hpp>

#include <array>

struct Empty {
  static constexpr auto kId = "empty", kSummary = "no samples";
  static constexpr std::array kCapabilities{"endless"};
#ifdef BROKEN
  void next(tkm::SampleOut&) {}  // says not whether there was one
#else
  bool next(tkm::SampleOut&) {
    return false;
  }
#endif
};

TKM_MODULE("empty", "1", "MIT", tkm::dataset<Empty>());
