// The server's own tokenizer, asked before the load: the route that the processor's profile names as
// "tokenize". Blocking; preflight's thread, never while measuring.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "engine/preflight.hpp"

namespace tokometer {

class ServerTokens {
 public:
  // Both outlive this. The profile of `found` has a tokenize probe; its first server is asked.
  ServerTokens(const RunFile& file, const Preflight& found) : file_(file), found_(found) {}

  // The tokens of a text, with those that the server puts around any text. Errors begin with the route:
  // "POST /tokenize: HTTP 404".
  Result<int64_t> count(std::string_view text) const;

  std::string route() const;  // "POST /tokenize"

 private:
  const RunFile& file_;
  const Preflight& found_;
};

}  // namespace tokometer
