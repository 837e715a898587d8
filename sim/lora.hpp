// vLLM's pages that load and unload adapters: any path is taken for an adapter, unless it ends in "missing".
// Pure: request in, reply out; the server does what Page::adapters says.
#pragma once

#include "sim/pages.hpp"

namespace tokometer::sim {

Page load_lora(const Request& request, const PageState& state);
Page unload_lora(const Request& request, const PageState& state);

}  // namespace tokometer::sim
