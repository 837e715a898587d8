// The program's two mouths: results on stdout, everything else on stderr; and what stands behind them.
// Written with write(2), whole, at once. A reader that has gone away is no fault: what matters is in files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace tokometer {

void print(std::string_view text);     // stdout
void complain(std::string_view text);  // stderr, as it stands

// One line each; those that are not about a file begin with "tokometer: ".
void complain(const std::vector<Error>& errors);

// A terminal that understands control codes, and a user who wants them: TERM is set and not "dumb", NO_COLOR
// is not set. CLICOLOR_FORCE wants colours even where there is no terminal.
bool wants_panel();   // on stderr
bool wants_colour();  // on stdout

}  // namespace tokometer
