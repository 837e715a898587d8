// What every component must do, whatever its kind: be made, be destroyed, and be gone.
#include <tokometer/json.hpp>

#include <array>
#include <optional>

#include "check/memory_in_use.hpp"
#include "check/process_state.hpp"
#include "check/sample_options.hpp"
#include "check/subject.hpp"
#include "plugin/handles.hpp"

namespace tokometer::check {
namespace {

// Made and destroyed; the error is the component's own sentence, or a plugin bug.
std::optional<Error> make_and_destroy(const Component& component, const std::string& options_json) {
  const CreateOptions options{.config_json = options_json, .models = {"a-model"}, .seed = 1};
  const auto error_of = [](const auto& made) { return made ? std::nullopt : std::optional(made.error()); };
  switch (component.kind()) {
    case TKM_KIND_PROCESSOR:
      return error_of(Processor::create(component, options));
    case TKM_KIND_DATASET:
      return error_of(Dataset::create(component, options));
    case TKM_KIND_TOKENIZER:
      return error_of(Tokenizer::create(component, options));
    default:
      return error_of(Pattern::create(component, options));
  }
}

bool is_bug(const Error& error) {
  return error.message.starts_with("plugin bug:");
}

Finding creates(const Subject& subject) {
  const auto error = make_and_destroy(*subject.component, subject.options_json);
  if (error) return fail("with the options " + in_quotes(subject.sample_json) + ": " + error->message);
  return pass();
}

// The core checks options before create(), so this is the second line: a sentence and no crash.
Finding refuses_wrong_options(const Subject& subject) {
  constexpr std::array kWrong{"", "{", "[]", "null", "{\"no-such-option\":1}x", "\xff\xfe"};
  std::string taken;
  for (const char* wrong : kWrong) {
    const auto error = make_and_destroy(*subject.component, wrong);
    if (error && is_bug(*error)) return fail("options " + in_quotes(wrong) + ": " + error->message);
    if (!error && *wrong != '\0') taken += (taken.empty() ? "" : ", ") + in_quotes(wrong);
  }
  const bool has_options = !option_names(*subject.component, "").empty();
  if (has_options && !taken.empty()) return warn("takes options that are no JSON object: " + taken);
  return pass();
}

Finding takes_examples(const Subject& subject) {
  const auto variants = option_variants(*subject.component);
  for (const Variant& variant : variants) {
    const auto options = canonical_options(*subject.component, variant.options_json, "/");
    if (!options) return fail(variant.what + ": " + options.error().message);
  }
  return pass(std::to_string(variants.size()) + " values tried");
}

Finding explains_options(const Subject& subject) {
  std::string bare;
  tkm::JsonDocument schema;
  tkm::parse_json(subject.component->config_schema(), schema);
  const tkm::Json* options = tkm::find(schema, "properties");
  for (const std::string& name : option_names(*subject.component, "")) {
    if (tkm::get_string(*tkm::find(*options, name), "description").empty()) {
      bare += (bare.empty() ? "" : ", ") + in_quotes(name);
    }
  }
  if (subject.component->summary().empty()) return warn("has no summary");
  return bare.empty() ? pass() : warn("no description of: " + bare);
}

Finding leaves_process_alone(const Subject& subject) {
  make_and_destroy(*subject.component, subject.options_json);  // what the libraries below set up once
  const ProcessState before = ProcessState::now();
  make_and_destroy(*subject.component, subject.options_json);
  const ProcessState after = ProcessState::now();
  for (int aspect = 0; aspect < kAspects; ++aspect) {
    const std::string difference = before.difference(after, static_cast<Aspect>(aspect));
    if (!difference.empty()) return fail(difference);
  }
  return pass();
}

Finding leaks_nothing(const Subject& subject) {
  if (make_and_destroy(*subject.component, subject.options_json)) return skip("see module.creates");
  const size_t lost =
      bytes_lost_per_round([&] { make_and_destroy(*subject.component, subject.options_json); });
  if (lost == 0) return pass();
  return fail("each create() and destroy() leaves " + std::to_string(lost) + " bytes behind");
}

constexpr std::array kTests{
    Test{"module.creates", "it can be made with default options, and destroyed", creates},
    Test{"module.wrong-options", "options that are no JSON object are refused with a sentence",
         refuses_wrong_options},
    Test{"module.examples", "defaults and examples of its options obey its own schema", takes_examples},
    Test{"module.explained", "it has a summary, and each option a description", explains_options},
    Test{"module.traceless", "made and destroyed, it leaves no thread, open file or changed process",
         leaves_process_alone},
    Test{"module.no-leak", "create() and destroy() leave no memory behind", leaks_nothing}};

}  // namespace

std::span<const Test> component_tests() {
  return kTests;
}

}  // namespace tokometer::check
