// How a server says no to a request to generate, in its dialect's words: SGLang's and TGI's streams do so
// under status 200. Pure.
#pragma once

#include <string_view>

#include "sim/generation.hpp"
#include "sim/options.hpp"
#include "sim/pages.hpp"

namespace tokometer::sim {

// `path`: of the request.
Page refusal(Dialect dialect, std::string_view path, const ErrorReply& error);

}  // namespace tokometer::sim
