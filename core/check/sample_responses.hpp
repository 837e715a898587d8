// Responses that any processor may meet, whatever its server speaks: streams in common dialects, error pages,
// and noise. A processor need not understand them; it must say the same however they are cut.
#pragma once

#include <string>
#include <vector>

#include "check/fixtures.hpp"

namespace tokometer::check {

struct NamedResponse {
  std::string name;
  Response response;
};

std::vector<NamedResponse> common_responses();  // 200, complete
std::vector<NamedResponse> error_responses();   // 4xx and 5xx
std::vector<NamedResponse> noise();             // 200, from a fixed seed

}  // namespace tokometer::check
