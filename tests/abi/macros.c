/* Uses every macro of abi.h; compiled as C and as C++ by language_modes.sh. */
#include <tokometer/abi.h>
#include <tokometer/abi.h> /* twice does no harm */

TKM_NOTE("macros", "1.0.0");

static void log_line(const tkm_host* host, tkm_str text) {
  if (TKM_HAS(host, log)) host->log(host, TKM_LOG_INFO, text);
}

static const void* ask(const tkm_host* host, tkm_str id) {
  return TKM_CAN(host, extension) ? host->extension(host, id) : NULL;
}

const void* use_host(const tkm_host* host, tkm_str text);
const void* use_host(const tkm_host* host, tkm_str text) {
  log_line(host, text);
  return TKM_ABI_MAJOR == 1 && TKM_ABI_MINOR >= TKM_ABI_MIN_HOST_MINOR ? ask(host, text) : NULL;
}
