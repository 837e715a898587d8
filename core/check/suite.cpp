#include <algorithm>
#include <filesystem>
#include <functional>
#include <regex>
#include <system_error>

#include "check/check.hpp"
#include "check/child.hpp"
#include "check/fixtures.hpp"
#include "check/sample_options.hpp"
#include "check/subject.hpp"
#include "check/survey.hpp"

namespace tokometer::check {
namespace {

using Named = Survey::Found;

struct Planned {
  Test test;
  std::string id;
  std::optional<Named> component;
};

std::vector<Planned> plan_tests(const std::vector<Named>& components) {
  std::vector<Planned> all;
  for (const Test& test : module_tests()) all.push_back({test, std::string(test.id), std::nullopt});
  for (const Named& component : components) {
    const auto add = [&](std::span<const Test> tests) {
      for (const Test& test : tests)
        all.push_back({test, std::string(test.id) + "@" + component.name, component});
    };
    add(component_tests());
    if (component.kind == TKM_KIND_PROCESSOR)
      add(processor_tests()), add(wish_tests()), add(response_tests());
    if (component.kind == TKM_KIND_DATASET) add(dataset_tests());
    if (component.kind == TKM_KIND_PATTERN) add(pattern_tests());
    if (component.kind == TKM_KIND_TOKENIZER) add(tokenizer_tests());
  }
  return all;
}

const Component* find_component(const std::vector<Component>& components, const Named& wanted) {
  const auto found = std::find_if(components.begin(), components.end(), [&](const Component& it) {
    return it.kind() == wanted.kind && it.name() == wanted.name;
  });
  return found != components.end() ? &*found : nullptr;
}

// Options of the author's setup.json, else of the schema.
Result<void> give_options(Subject& subject, const Fixtures& fixtures) {
  const std::string name(subject.component->name());
  const auto setup = fixtures.setup.find(name);
  if (setup != fixtures.setup.end()) {
    subject.learned = setup->second.learned;
    subject.sample_json = setup->second.options_json;
  }
  if (subject.sample_json.empty()) {
    auto sample = sample_options(*subject.component);
    if (!sample) return sample.errors();
    subject.sample_json = std::move(*sample);
  }
  auto canonical = canonical_options(*subject.component, subject.sample_json, fixtures.folder);
  if (!canonical) return canonical.errors();
  subject.options_json = std::move(*canonical);
  return {};
}

Finding run_test(const Planned& planned, Subject subject, const Fixtures& fixtures) {
  if (!planned.component) return planned.test.run(subject);
  const auto components = load_library(subject.path, subject.trust);
  if (!components) return fail(to_string(components.error()));
  subject.component = find_component(**components, *planned.component);
  if (subject.component == nullptr)
    return fail("tkm_module_v1 no longer tells of " + in_quotes(planned.component->name));
  if (auto given = give_options(subject, fixtures); !given) return skip(to_string(given.error()));
  for (const Fixture& fixture : fixtures.responses) {
    if (fixture.component.empty() || fixture.component == planned.component->name)
      subject.responses.push_back(&fixture);
  }
  return planned.test.run(subject);
}

std::string in_shell(const std::string& word) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string text = word;
  for (size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) text.replace(at, 1, "'\\''");
  return "'" + text + "'";
}

std::string repeat_line(const CheckOptions& options, const std::string& id) {
  std::string line =
      "tokometer plugin check " + in_shell(options.path) + " --only '^" + id + "$' --in-process";
  if (!options.fixtures.empty()) line += " --fixtures " + in_shell(options.fixtures);
  if (options.trust == Trust::skip) line += " --trust-plugin-dir";
  return line;
}

Result<std::vector<Planned>> choose(std::vector<Planned> all, const std::string& only) {
  if (only.empty()) return all;
  try {
    const std::regex wanted(only);
    std::erase_if(all, [&](const Planned& it) { return !std::regex_search(it.id, wanted); });
  } catch (const std::regex_error&) {
    return Error{"--only " + in_quotes(only) + ": not a regular expression"};
  }
  if (all.empty())
    return Error{"--only " + in_quotes(only) + " finds no test; without it all are run and named"};
  return all;
}

}  // namespace

Result<CheckReport> check_plugin(const CheckOptions& options) {
  const auto note = inspect_library(options.path, options.trust);
  if (!note) return note.errors();
  Fixtures fixtures;
  std::error_code failure;
  fixtures.folder = std::filesystem::current_path(failure).string();
  if (!options.fixtures.empty()) {
    auto read = read_fixtures(options.fixtures);
    if (!read) return read.errors();
    fixtures = std::move(*read);
  }
  const Subject subject{.path = options.path, .trust = options.trust};
  const Survey found = survey(options.path, options.trust, options.time_limit_ns);
  if (!found.errors.empty()) return found.errors;
  CheckReport report{note->module, note->version, options.path, {}};
  if (!found.loads()) {
    const Test& first = module_tests().front();
    const std::string id(first.id);
    report.results.push_back({id, std::string(first.sentence), found.crash, repeat_line(options, id)});
    return report;
  }
  const auto chosen = choose(plan_tests(found.components), options.only);
  if (!chosen) return chosen.errors();
  for (const Planned& planned : *chosen) {
    const auto run = [&] { return run_test(planned, subject, fixtures); };
    const Finding finding = options.in_process ? run() : run_in_child(run, options.time_limit_ns);
    report.results.push_back(
        {planned.id, std::string(planned.test.sentence), finding, repeat_line(options, planned.id)});
  }
  return report;
}

int CheckReport::count(Outcome outcome) const {
  return static_cast<int>(std::count_if(results.begin(), results.end(),
                                        [&](const TestResult& it) { return it.finding.outcome == outcome; }));
}

bool CheckReport::passed() const {
  return count(Outcome::fail) == 0 && count(Outcome::crashed) == 0;
}

}  // namespace tokometer::check
