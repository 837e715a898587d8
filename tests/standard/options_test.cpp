// The schemas of standard.so as the program uses them: within the subset, and good and bad options from YAML
// to `create`.
#include <string>
#include <vector>

#include "config/schema.hpp"
#include "config/yaml.hpp"
#include "host.hpp"

namespace {

std::string copy_of_schema(int32_t kind, std::string_view id) {
  return host::copy(host::component(kind, id).config_schema);
}

tokometer::Checked check(int32_t kind, std::string_view id, const std::string& yaml) {
  auto schema = tokometer::Schema::parse(copy_of_schema(kind, id));
  REQUIRE(schema);
  auto document = tokometer::parse_yaml(yaml, "options.yaml");
  REQUIRE(document);
  return schema->check(document->root);
}

TEST_CASE("every component of standard.so: its schema is within the subset, its texts are there") {
  const tkm_module* module = tkm_module_v1();
  CHECK(module->component_count == 29);
  for (size_t index = 0; index < module->component_count; ++index) {
    const tkm_component& it = *module->components[index];
    const std::string id = host::copy(it.id);
    CAPTURE(id);
    const auto checked = tokometer::check_schema(host::copy(it.config_schema));
    CHECK_MESSAGE(checked, (checked ? "" : checked.error().message));
    CHECK(it.summary.size > 10);
  }
}

TEST_CASE("options written as users write them arrive") {
  struct Case {
    int32_t kind;
    const char *id, *yaml;
  };
  const Case cases[] = {
      {TKM_KIND_PATTERN, "poisson", "{rate: 8}"},
      {TKM_KIND_PATTERN, "gamma", "{rate: 0.5, burstiness: 2}"},
      {TKM_KIND_PATTERN, "synchronous", "{}"},
      {TKM_KIND_PATTERN, "throughput", "{}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 50, ramp_up: 20s, think_time: 500ms}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 1, think_time: {distribution: exponential, mean: 2s}}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 1, think_time: {distribution: uniform, min: 1s, max: 3s}}"},
      {TKM_KIND_DATASET, "synthetic", "{input_tokens: 128, output_tokens: 32, prefix_tokens: 8}"},
      {TKM_KIND_DATASET, "synthetic",
       "{input_tokens: {distribution: lognormal, mean: 512, stddev: 300, max: 4096}}"},
      {TKM_KIND_DATASET, "synthetic", "{input_tokens: 8, form: token_ids, vocab_size: 128000}"},
      {TKM_KIND_DATASET, "multi_turn",
       "{turns: {distribution: uniform, min: 2, max: 5}, input_tokens: 16, output_tokens: 4, think_time: 2s, "
       "history: scripted}"},
      {TKM_KIND_DATASET, "shared_prefix",
       "{groups: 4, prompts_per_group: 8, system_tokens: 100, question_tokens: {distribution: uniform, min: "
       "8, max: 64}, "
       "output_tokens: 32}"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.yaml);
    const auto checked = check(it.kind, it.id, it.yaml);
    CHECK(checked.faults.empty());
    const host::Setup setup{.config = checked.canonical_json};
    CAPTURE(setup.config);
    if (it.kind == TKM_KIND_PATTERN) {
      CHECK(host::Pattern(it.id, setup).status() == TKM_OK);
    } else {
      CHECK(host::Dataset(it.id, setup).status() == TKM_OK);
    }
  }
}

TEST_CASE("think_time reaches the pattern in the unit it was written in") {
  for (const char* think_time :
       {"1500ms", "{mean: 1.5s}", "{distribution: uniform, min: 1500ms, max: 1500ms}"}) {
    CAPTURE(think_time);
    const auto checked =
        check(TKM_KIND_PATTERN, "concurrency", "{users: 1, think_time: " + std::string(think_time) + "}");
    host::Pattern pattern("concurrency", {.config = checked.canonical_json});
    CHECK(pattern.next(0, 0).at_ns == 0);
    CHECK(pattern.next(1'000, 0, 1).at_ns == 1'500'001'000);
  }
}

TEST_CASE("options that are wrong are found before create") {
  struct Case {
    int32_t kind;
    const char *id, *yaml;
  };
  const Case cases[] = {
      {TKM_KIND_PATTERN, "poisson", "{rate: 0}"},
      {TKM_KIND_PATTERN, "poisson", "{rat: 3}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 0}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 1, think_time: 3}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 1, think_time: {mean: 2s, spread: 1s}}"},
      {TKM_KIND_PATTERN, "concurrency", "{users: 1, think_time: {distribution: pareto}}"},
      {TKM_KIND_DATASET, "synthetic", "{input_tokens: 0}"},
      {TKM_KIND_DATASET, "synthetic", "{input_tokens: 1.5}"},
      {TKM_KIND_DATASET, "synthetic", "{input_tokens: {distribution: exponential, mean: 3}}"},
      {TKM_KIND_DATASET, "synthetic", "{input_tokens: 8, range_ratio: 1.5}"},
      {TKM_KIND_DATASET, "shared_prefix", "{groups: 4, prompts_per_group: 8, system_tokens: 100}"},
      {TKM_KIND_DATASET, "azure", "{file: a.csv, from: 10}"},
      {TKM_KIND_DATASET, "azure", "{file: a.csv, block_tokens: 512}"},
      {TKM_KIND_DATASET, "burstgpt", "{file: b.csv, to: 0s}"},
      {TKM_KIND_DATASET, "sonnet", "{file: s.txt, input_tokens: 0}"},
      {TKM_KIND_DATASET, "csv", "{file: p.csv, messages: m}"},
      {TKM_KIND_DATASET, "jsonl", "{}"},
      {TKM_KIND_DATASET, "text", "{file: \"\"}"},
  };
  for (const Case& it : cases) {
    CAPTURE(it.yaml);
    CHECK_FALSE(check(it.kind, it.id, it.yaml).faults.empty());
  }
}

}  // namespace
