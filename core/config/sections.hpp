// From the checked JSON of a run file to the plain structs of RunFile: all that needs no plugin.
// Contradictions between keys are found here. Used by run_file.cpp alone.
#pragma once

#include <optional>
#include <tokometer/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "config/run_file.hpp"
#include "config/yaml.hpp"

namespace tokometer {

// `canonical` is what Schema::check made of `root`. Values with faults are missing or null there; they keep
// their defaults in `out`. Faults are added in no order. Phases get no load here.
void read_sections(const tkm::Json& canonical, const Node& root, RunFile& out, std::vector<Error>& faults);

// Parts of it. read_phases needs out.rows: they may end the run in place of a phase's own rule. read_sweep
// needs out.rows and out.slo.
void read_target(const tkm::Json& target, const Node& root, RunFile::Target& out, std::vector<Error>& faults);
void read_proxy(const tkm::Json& target, const Node& root, RunFile& out, std::vector<Error>& faults);
void read_phases(const tkm::Json& canonical, const Node& root, RunFile& out, std::vector<Error>& faults);
void read_sweep(const tkm::Json& canonical, const Node& root, RunFile& out, std::vector<Error>& faults);

// A length in tokens, `node` in checked `rows`; none: it is not written there, or faulty.
std::optional<RunFile::TokenLength> read_token_length(const tkm::Json& rows, const Node* node,
                                                      std::vector<Error>& faults);

// What a phase and a point have in common: duration, warm-up, cool-down, drain.
void read_phase_spans(const tkm::Json& json, const Node& node, RunFile::Phase& phase,
                      std::vector<Error>& faults);

}  // namespace tokometer
