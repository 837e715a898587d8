// The entry point throws: an exception must not cross, but a plugin that is not made with plugin.hpp may let
// one out.
#include <tokometer/abi.h>

#include <stdexcept>

extern "C" const tkm_module* tkm_module_v1() {
  throw std::runtime_error("from the entry point");
}
TKM_NOTE("throwing-entry", "1.0.0");
