// Numbers as people read them, the same under every locale: "2.31 ms", "0.31 %", "1.4". Used by the verdict's
// sentences and by the reports.
#pragma once

#include <cstdint>
#include <string>

namespace tokometer {

std::string fixed(double value, int decimals);  // "1234.50"
std::string percent_text(double ratio);         // 0.0031 -> "0.31 %"; at most two decimals
std::string milliseconds_text(double ns);       // "2.31 ms"
std::string seconds_text(double ns);            // "120.0 s"

}  // namespace tokometer
