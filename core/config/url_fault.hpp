// What is wrong with a target's URL, as a sentence; empty if nothing is. Only the form is looked at: no name
// is resolved. User names and passwords are refused here and never shown. Called for run files and for
// `init --url`; net/url.hpp parses.
#pragma once

#include <string>
#include <string_view>

namespace tokometer {

std::string url_fault(std::string_view url);

}  // namespace tokometer
