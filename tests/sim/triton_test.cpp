// Triton's dialect, byte for byte: the form of recorded replies of 2.51.0 (text and counts made equal).
#include <doctest/doctest.h>

#include "program.hpp"

namespace tokometer::sim {
namespace {

const std::vector<std::string> kFast = {"--ttft", "2ms", "--itl", "1ms", "--stamp", "none", "--model", "m"};
constexpr auto kStream = "/v2/models/m/generate_stream";

std::vector<std::string> with(std::string tensors) {
  std::vector<std::string> flags = kFast;
  flags.insert(flags.end(), {"--triton-tensors", std::move(tensors)});
  return flags;
}

}  // namespace

TEST_CASE("a stream: an event a response, no end mark") {
  SimProgram sim(kFast);
  const Reply reply = post(sim.port(), kStream, R"({"text_input":"a b","max_tokens":2,"stream":true})");
  CHECK(reply.status == 200);
  CHECK(reply.head.find("Content-Type: text/event-stream; charset=utf-8\r\n") != reply.head.npos);
  CHECK(reply.end == Reply::End::complete);
  CHECK(reply.events ==
        std::vector<std::string>{R"({"model_name":"m","model_version":"1","text_output":" r0t0"})",
                                 R"({"model_name":"m","model_version":"1","text_output":" r0t1"})"});
}

TEST_CASE("counts and reasons where they are asked for") {
  SimProgram sim(with("vllm"));
  const Reply reply = post(
      sim.port(), kStream,
      R"({"text_input":"a b","stream":true,"sampling_parameters":"{\"max_tokens\":2}","return_finish_reason":true,)"
      R"("return_num_input_tokens":true,"return_num_output_tokens":true})");
  const std::string counts =
      R"("model_name":"m","model_version":"1","num_input_tokens":2,"num_output_tokens":1,)";
  CHECK(reply.events ==
        std::vector<std::string>{R"({"finish_reason":"None",)" + counts + R"("text_output":" r0t0"})",
                                 R"({"finish_reason":"length",)" + counts + R"("text_output":" r0t1"})"});
}

TEST_CASE("the LLM API gives the whole text so far") {
  SimProgram sim(with("llm_api"));
  const Reply reply =
      post(sim.port(), kStream, R"({"text_input":"a b","streaming":true,"sampling_param_max_tokens":2})");
  REQUIRE(reply.events.size() == 2);
  CHECK(reply.events[1] == R"({"model_name":"m","model_version":"1","text_output":" r0t0 r0t1"})");
}

TEST_CASE("refusals in Triton's words and statuses") {
  struct Row {
    const char *path, *body;
    int status;
    const char* says;
  };
  const Row rows[] = {
      {"/v2/models/x/generate", R"({"text_input":"a"})", 404,
       R"({"error":"Request for unknown model: 'x' is not found"})"},
      {kStream, "", 500,
       R"({"error":"failed to parse the request JSON buffer: The document is empty. at 0"})"},
      {kStream, R"({"text_input":"a","max_tokens":"four"})", 500,
       R"({"error":"Unable to parse 'data': attempt to access JSON non-signed-integer as signed-integer"})"},
      {kStream, R"({"text_input":5})", 500,
       R"({"error":"Unable to parse JSON bytes array: attempt to access JSON non-string as string"})"},
      {kStream, R"({"text_input":"a","foo":{}})", 400,
       R"({"error":"parameter 'foo' has invalid type. It should be either 'int', 'bool', or 'string'."})"},
      {"/v2/models/m/generate", R"({"text_input":"a","max_tokens":2,"stream":true})", 200,
       R"({"error":"generate expects model to produce exactly 1 response, use generate stream for model that generates various number of responses"})"},
      {"/v2/models/m/generate", R"({"text_input":"a","max_tokens":2,"min_length":2})", 200,
       R"({"model_name":"m","model_version":"1","text_output":" r6t0 r6t1"})"}};
  SimProgram sim(kFast);
  for (const Row& row : rows) {
    const Reply reply = post(sim.port(), row.path, row.body);
    CHECK(reply.status == row.status);
    CHECK(reply.body == row.says);
  }
}

}  // namespace tokometer::sim
