// Turns a Summary into text: what the console prints and the files of the run directory. Called by the live
// run at its end and by `tokometer report`. Knows no other input than the run directory.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "metrics/summary.hpp"

namespace tokometer {

enum class Style { table, vllm_bench, guidellm, markdown, json, quiet };
std::optional<Style> style_from_name(std::string_view name);  // "table", "vllm-bench", ...
std::vector<std::string> style_names();

struct ConsoleOptions {
  Style style = Style::table;
  bool colour = false;    // only the verdict word is coloured
  std::string directory;  // shown in the last line, "runs/chat-8b-..."; empty: no such line
  std::string point;      // of a sweep: the full block of this phase in place of the table
};

// Ends with a newline, unless it is empty (quiet and VALID prints the verdict line alone).
std::string render_console(const Summary& summary, const ConsoleOptions& options);

// Deterministic byte for byte: fixed key order, shortest round-trip numbers, absent is absent.
std::string summary_json(const Summary& summary);
std::string histograms_json(const Summary& summary);

// Publishes summary.json, histograms.json, console.txt (style table, no colour) and, of a sweep, sweep.csv
// into the run directory.
Result<void> write_reports(const std::filesystem::path& run_dir, const Summary& summary);

}  // namespace tokometer
