// vLLM's routes besides chats and completions, in the form of recorded replies of 0.32.0.
#include <doctest/doctest.h>

#include <tokometer/json.hpp>

#include "program.hpp"

namespace tokometer::sim {
namespace {

const std::vector<std::string> kFast = {"--ttft", "2ms", "--itl", "1ms", "--stamp", "none", "--model", "m"};

std::vector<std::string> types_of(const Reply& reply) {
  std::vector<std::string> types;
  for (const std::string& event : reply.events) {
    tkm::JsonDocument json;
    REQUIRE(tkm::parse_json(event, json));
    CHECK(tkm::get_int(json, "sequence_number", -1) == static_cast<int64_t>(types.size()));
    types.emplace_back(tkm::get_string(json, "type"));
  }
  return types;
}

}  // namespace

TEST_CASE("/v1/responses, streamed: items open and close around their text, no end mark") {
  std::vector<std::string> flags = kFast;
  flags.insert(flags.end(), {"--reasoning-tokens", "1"});
  SimProgram sim(flags);
  const Reply reply =
      post(sim.port(), "/v1/responses", R"({"input":"a b","max_output_tokens":3,"stream":true})");
  CHECK(reply.end == Reply::End::complete);
  const std::vector<std::string> types{"response.created",
                                       "response.in_progress",
                                       "response.output_item.added",
                                       "response.content_part.added",
                                       "response.reasoning_text.delta",
                                       "response.reasoning_text.done",
                                       "response.output_item.done",
                                       "response.output_item.added",
                                       "response.content_part.added",
                                       "response.output_text.delta",
                                       "response.output_text.delta",
                                       "response.output_text.done",
                                       "response.output_item.done",
                                       "response.completed"};
  CHECK(types_of(reply) == types);
  CHECK(reply.events.back().find(R"("status":"incomplete")") != std::string::npos);
  CHECK(reply.events.back().find(R"("input_tokens":9,"output_tokens":3,"total_tokens":12)") !=
        std::string::npos);
}

TEST_CASE("/v1/responses, whole: messages as input, the model's own end") {
  SimProgram sim(kFast);
  const Reply reply = post(
      sim.port(), "/v1/responses",
      R"({"input":[{"role":"system","content":"x"},{"role":"user","content":[{"type":"input_text","text":"a b"}]}],)"
      R"("max_output_tokens":2})");
  CHECK(reply.status == 200);
  CHECK(reply.body.find(R"("content":[{"type":"output_text","text":" r0t0 r0t1"}])") != std::string::npos);
  CHECK(reply.body.find(R"("input_tokens":14)") != std::string::npos);
}

TEST_CASE("embeddings and rankings count no output") {
  SimProgram sim(kFast);
  struct Row {
    const char *path, *body, *says;
    size_t results;
  };
  const Row rows[] = {
      {"/v1/embeddings", R"({"input":"a b"})", R"("prompt_tokens":2)", 1},
      {"/v1/embeddings", R"({"input":["a b","c"]})", R"("prompt_tokens":3)", 2},
      {"/v1/embeddings", R"({"input":[1,2,3]})", R"("prompt_tokens":3)", 1},
      {"/v1/rerank", R"({"query":"q","documents":["a b","c"]})", R"("prompt_tokens":5)", 2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const Reply reply = post(sim.port(), row.path, row.body);
    CHECK(reply.status == 200);
    CHECK(reply.body.find(row.says) != std::string::npos);
    size_t results = 0;
    for (size_t at = 0; (at = reply.body.find("\"index\":", at)) != std::string::npos; ++at) ++results;
    CHECK(results == row.results);
  }
  CHECK(post(sim.port(), "/v1/embeddings", "{}").status == 400);
  CHECK(post(sim.port(), "/v1/rerank", R"({"query":"q","documents":[]})").status == 400);
}

TEST_CASE("a ranking of SGLang: a list, each result with its document and counts") {
  std::vector<std::string> flags = kFast;
  flags.insert(flags.end(), {"--dialect", "sglang"});
  SimProgram sim(flags);
  const Reply reply = post(sim.port(), "/v1/rerank", R"({"query":"q","documents":["a b","c"]})");
  CHECK(reply.status == 200);
  CHECK(reply.body.starts_with(R"([{"score":1,"document":"a b","index":0,"meta_info":{"id":")"));
  CHECK(reply.body.find(R"("prompt_tokens":3,"weight_version":"default","num_retractions":0}})") !=
        std::string::npos);
  CHECK(reply.body.find(R"({"score":0.5,"document":"c","index":1,)") != std::string::npos);
  const Reply none = post(sim.port(), "/v1/rerank", R"({"query":"q","documents":[]})");
  CHECK(none.status == 400);
  CHECK(
      none.body ==
      R"({"object":"error","message":"Documents cannot be empty","type":"BadRequestError","param":null,"code":400})");
}

TEST_CASE("a ranking of NIM: texts in objects, logits") {
  std::vector<std::string> flags = kFast;
  flags.insert(flags.end(), {"--nim", "2.x"});
  SimProgram sim(flags);
  const Reply reply = post(sim.port(), "/v1/ranking",
                           R"({"model":"m","query":{"text":"q"},"passages":[{"text":"a b"},{"text":"c"}]})");
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"rankings":[{"index":0,"logit":1},{"index":1,"logit":0.5}],)"
                      R"("usage":{"prompt_tokens":5,"total_tokens":5}})");
  const Reply none = post(sim.port(), "/v1/ranking", R"({"model":"m","query":{"text":"q"},"passages":[]})");
  CHECK(none.status == 400);
  CHECK(none.body.starts_with(R"({"object":"error","message":")"));
  CHECK(post(SimProgram(kFast).port(), "/v1/ranking", "{}").status == 404);
}

TEST_CASE("adapters are loaded and unloaded") {
  SimProgram sim(kFast);
  struct Row {
    const char *path, *body;
    int status;
    const char* says;
  };
  const Row rows[] = {
      {"/v1/load_lora_adapter", R"({"lora_name":"a","lora_path":"/a"})", 200, "added successfully"},
      {"/v1/load_lora_adapter", R"({"lora_name":"a","lora_path":"/a"})", 400, "has already been loaded"},
      {"/v1/load_lora_adapter", R"({"lora_name":"b","lora_path":"/missing"})", 404, "No adapter found"},
      {"/v1/load_lora_adapter", R"({"lora_path":"/a"})", 400, "body.lora_name"},
      {"/v1/completions", R"({"model":"a","prompt":"x","max_tokens":1})", 200, R"("model":"a")"},
      {"/v1/unload_lora_adapter", R"({"lora_name":"a"})", 200, "removed successfully"},
      {"/v1/unload_lora_adapter", R"({"lora_name":"a"})", 404, "cannot be found"},
      {"/v1/completions", R"({"model":"a","prompt":"x","max_tokens":1})", 404, "does not exist"},
      {"/start_profile", "", 200, ""},
      {"/stop_profile", "", 200, ""},
  };
  for (const Row& row : rows) {
    CAPTURE(row.body);
    const Reply reply = post(sim.port(), row.path, row.body);
    CHECK(reply.status == row.status);
    CHECK(reply.body.find(row.says) != std::string::npos);
  }
}

}  // namespace tokometer::sim
