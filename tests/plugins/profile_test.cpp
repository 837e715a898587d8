// The profiles of the processors, against what a real server answered.
#include <doctest/doctest.h>

#include <tokometer/json.hpp>
#include <tokometer/plugin.hpp>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>

#include "processor_harness.hpp"
#include "standard/openai.hpp"

using namespace processor_test;

namespace {

const tkm_component* vllm() {
  return tkm_module_v1()->components[0];
}

std::set<std::string> features(const tkm_component* component, std::string_view options) {
  tkm::JsonDocument root;
  REQUIRE(tkm::parse_json(Processor(component, options).profile(), root));
  CHECK(tkm::get_int(root, "profile") == 1);
  std::set<std::string> all;
  for (const tkm::Json& feature : std::as_const(root)["features"].GetArray())
    all.emplace(tkm::text_of(feature));
  return all;
}

bool has_sample(const std::string& page, std::string_view metric) {
  for (const char* end : {"{", " ", "_count{", "_count "}) {
    if (page.find('\n' + std::string(metric) + end) != page.npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("features lie within the capabilities and follow the api") {
  for (const tkm_component* component : {vllm(), standard::openai_processor()}) {
    const auto chat = features(component, R"({"api":"chat"})"),
               plain = features(component, R"({"api":"completions"})");
    std::set<std::string> capabilities;
    for (size_t at = 0; at < component->capability_count; ++at)
      capabilities.emplace(tkm::view(component->capabilities[at]));
    CHECK(std::includes(capabilities.begin(), capabilities.end(), chat.begin(), chat.end()));
    CHECK(std::includes(capabilities.begin(), capabilities.end(), plain.begin(), plain.end()));
    CHECK(chat.contains("form.tokens") == false);
    CHECK(plain.contains("form.tokens"));
    CHECK(chat.contains("output.exact") == (component == vllm()));
  }
}

TEST_CASE("every quantity of vLLM's profile has a sample on a recorded metrics page, by its newest name") {
  const std::string page = read_text(TOKOMETER_SOURCE_DIR "/plugins/vllm/fixtures/pages/metrics_after.res");
  tkm::JsonDocument root;
  REQUIRE(tkm::parse_json(Processor(vllm(), "{}").profile(), root));
  const tkm::Json& quantities = root["telemetry"][0]["quantities"];
  CHECK(quantities.MemberCount() > 10);
  for (auto it = quantities.MemberBegin(); it != quantities.MemberEnd(); ++it) {
    const std::string_view metric = tkm::get_string(it->value[0], "metric");
    CAPTURE(metric);
    // Gone since the prefix cache has counters; kept for servers of the time before.
    CHECK(has_sample(page, metric) == (tkm::text_of(it->name) != "prefix_hit_rate"));
  }
}

TEST_CASE("the metrics that a reply tells are declared") {
  tkm::JsonDocument root;
  REQUIRE(tkm::parse_json(Processor(vllm(), "{}").profile(), root));
  const std::string body = read_text(TOKOMETER_SOURCE_DIR "/plugins/vllm/fixtures/metrics_in_usage.body");
  Response response{.model = "tiny", .body = body};
  std::istringstream said(Processor(vllm(), "{}").events(response, whole()));
  int metrics = 0;
  for (std::string word; said >> word;) {
    if (word != "metric") continue;
    said >> word;
    CHECK(tkm::find(root["request_metrics"], word) != nullptr);
    ++metrics;
  }
  CHECK(metrics == 5);
}

TEST_CASE("learn: anything at all does no harm") {
  for (const tkm_component* component : {vllm(), standard::openai_processor()}) {
    Processor it(component, "{}");
    for (const char* body : {"", "{", "[]", "{\"data\":5}", "{\"data\":[5,{\"id\":7}]}", "null", "\xFF"}) {
      it.learn("models", body);
      it.learn("other", body);
    }
    CHECK(it.profile() == Processor(component, "{}").profile());
  }
}

TEST_CASE("wrong options are refused with a sentence") {
  const auto& ops = *static_cast<const tkm_processor_ops*>(vllm()->ops);
  std::string error;
  const tkm_writer err{
      &error, [](void* ctx, tkm_str text) { static_cast<std::string*>(ctx)->append(tkm::view(text)); }};
  tkm_create_args args{};
  args.struct_size = sizeof args;
  args.config = tkm::str(R"({"api":"chatt"})");
  tkm_processor* it = nullptr;
  CHECK(ops.create(&args, &err, &it) == TKM_E_CONFIG);
  CHECK(error.find("api") != error.npos);
  CHECK(it == nullptr);
}
