// The log: rare lines for a person, never results, never on the path of a token. The core calls log(); cli
// connects a sink (spdlog) at start. Without a sink, warnings and errors go to stderr. Text must already be
// escaped and redacted.
#pragma once

#include <functional>
#include <string_view>

namespace tokometer {

enum class LogLevel { debug, info, warn, error };

// "debug", "info", "warning", "error".
std::string_view to_string(LogLevel level) noexcept;

// Any thread; lines of different threads do not mix.
void log(LogLevel level, std::string_view line);

// Replaces the sink; an empty function restores the default. The sink is called under a lock: it must not
// log.
void set_log_sink(std::function<void(LogLevel, std::string_view)> sink);

}  // namespace tokometer
