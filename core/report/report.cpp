#include "report/report.hpp"

#include <array>

#include "base/file.hpp"
#include "report/styles.hpp"

namespace tokometer {
namespace {

constexpr std::array<std::pair<std::string_view, Style>, 6> kStyles{{{"table", Style::table},
                                                                     {"vllm-bench", Style::vllm_bench},
                                                                     {"guidellm", Style::guidellm},
                                                                     {"md", Style::markdown},
                                                                     {"json", Style::json},
                                                                     {"quiet", Style::quiet}}};

}  // namespace

std::optional<Style> style_from_name(std::string_view name) {
  for (const auto& [known, style] : kStyles) {
    if (known == name) return style;
  }
  return std::nullopt;
}

std::vector<std::string> style_names() {
  std::vector<std::string> names;
  for (const auto& style : kStyles) names.emplace_back(style.first);
  return names;
}

std::string render_console(const Summary& summary, const ConsoleOptions& options) {
  switch (options.style) {
    case Style::table:
      return render_table(summary, options);
    case Style::vllm_bench:
      return render_vllm_bench(summary, options);
    case Style::guidellm:
      return render_guidellm(summary, options);
    case Style::markdown:
      return render_markdown(summary);
    case Style::json:
      return summary_json(summary);
    case Style::quiet:
      return verdict_lines(summary, options);
  }
  return {};
}

// Each file that can be written is written; the faults of the others come back together.
Result<void> write_reports(const std::filesystem::path& run_dir, const Summary& summary) {
  ConsoleOptions plain;
  plain.directory = run_dir.string();
  std::vector<std::pair<const char*, std::string>> files{{"summary.json", summary_json(summary)},
                                                         {"histograms.json", histograms_json(summary)},
                                                         {"console.txt", render_console(summary, plain)}};
  if (summary.sweep) files.emplace_back("sweep.csv", rows_csv(rows_of(summary)));
  std::vector<Error> errors;
  for (const auto& [name, text] : files) {
    if (const auto done = publish_file(run_dir / name, text); !done) {
      errors.insert(errors.end(), done.errors().begin(), done.errors().end());
    }
  }
  if (errors.empty()) return {};
  return errors;
}

}  // namespace tokometer
