// One renderer a style, behind render_console(). Private to core/report. None of them knows colours but for
// the verdict word, none depends on the locale, and foreign text passes escape_terminal().
#pragma once

#include <string>

#include "report/point_rows.hpp"
#include "report/report.hpp"

namespace tokometer {

std::string render_table(const Summary& summary, const ConsoleOptions& options);
std::string render_vllm_bench(const Summary& summary, const ConsoleOptions& options);
std::string render_markdown(const Summary& summary);
std::string render_guidellm(const Summary& summary, const ConsoleOptions& options);

// Of a sweep: heading, a row a point, what was found. Part of the style "table".
std::string render_sweep(const Summary& summary);
// A row a phase.
std::vector<PointRow> rows_of(const Summary& summary, bool from_send = false);

// "VERDICT SUSPECT  V12 errors 0.31 % > 0.1 %: see Errors", and a line for each further check that is not
// valid.
std::string verdict_lines(const Summary& summary, const ConsoleOptions& options);
// The same for the checks that concern one phase (the run's own included), with `where` at the right of line
// one.
std::string verdict_lines(const Summary& summary, const PhaseSummary& phase, const ConsoleOptions& options);

// Part of the table: the latencies of one phase, with adjusted rows, marks and their notes.
std::string latency_table(const PhaseSummary& phase);

// TTFT by the turns of sessions; empty if there are none.
std::string turns_table(const PhaseSummary& phase);
// Part of it, too: a row for each model or adapter; empty if there is one only.
std::string route_table(const PhaseSummary& phase);

// What the workloads have there, each once: "openai", "vllm, sglang".
std::string of_workloads(const Manifest& manifest, std::string Manifest::Workload::*member);

// "workload default · phase steady · window 120.0 s"
std::string place_text(const PhaseSummary& phase);

}  // namespace tokometer
