// The lines of records.jsonl that are few: phase and tick lines and totals, from a parsed document. What is
// missing or of another type gets its default. Private to core/metrics.
#pragma once

#include <tokometer/json.hpp>
#include <vector>

#include "metrics/record_log.hpp"

namespace tokometer {

PhaseLine read_phase(const tkm::Json& json);
void read_tick(const tkm::Json& json, TickLine& line);  // reuses the line's memory
std::vector<PhaseTotals> read_totals(const tkm::Json& json);
uint64_t get_count(const tkm::Json& object, std::string_view key);  // negative or missing: 0

}  // namespace tokometer
