// The words of X-Tkm-Sim, and the bodies that error replies have.
#include "sim/fault.hpp"

#include <doctest/doctest.h>

#include <tokometer/json.hpp>

#include "sim/error_forms.hpp"

namespace tokometer::sim {
namespace {

TEST_CASE("a fault and its parameters; other keys shape the stream") {
  Shape shape;
  const auto fault =
      parse_fault("fault=status; code=429;retry_after=2 ; body=flat; ttft=7ms; usage=each", shape);
  REQUIRE(fault);
  CHECK(fault->kind == FaultKind::status);
  CHECK(fault->code == 429);
  CHECK(fault->retry_after == "2");
  CHECK(fault->body == "flat");
  CHECK(shape.ttft_ns == 7'000'000);
  CHECK(shape.usage == UsageMode::each);
}

TEST_CASE("the first word may stand alone") {
  Shape shape;
  const auto fault = parse_fault("stall; at=first; for=250ms; after=3", shape);
  REQUIRE(fault);
  CHECK(fault->kind == FaultKind::stall);
  CHECK(fault->at == Fault::At::first);
  CHECK(fault->for_ns == 250'000'000);
  CHECK(fault->after == 3);
}

TEST_CASE("unknown words get the nearest one") {
  const std::pair<const char*, const char*> rows[] = {
      {"fault=erorr", "unknown fault \"erorr\", did you mean error?"},
      {"error; aftr=3", "unknown key \"aftr\", did you mean after?"},
      {"error; form=vlm", "unknown form \"vlm\", did you mean vllm?"},
      {"status; body=netsed", "unknown body \"netsed\", did you mean nested?"},
      {"stall; at=haed", "unknown place (at) \"haed\", did you mean head?"},
      {"status; code=x", "code: must be a whole number (got \"x\")"},
      {"status; code=9", "code: must be from 100 to 999 (got 9)"},
      {"stall; for=2", "for: must be a duration with a unit, as 2s (got \"2\")"},
      {"rst; fin", "\"fin\" needs a value: KEY=VALUE"},
      {"split=bytes", "split: must be one of whole, byte, seeded (got \"bytes\")"},
  };
  for (const auto& row : rows) {
    const std::string text = row.first, message = row.second;
    CAPTURE(text);
    Shape shape;
    const auto fault = parse_fault(text, shape);
    REQUIRE_FALSE(fault);
    CHECK(fault.error().message == message);
  }
}

TEST_CASE("each form of error body") {
  const std::pair<const char*, const char*> rows[] = {
      {"nested", R"({"error":{"message":"m","type":"BadRequestError","param":null,"code":422}})"},
      {"flat", R"({"object":"error","message":"m","type":"BadRequestError","param":null,"code":422})"},
      {"tgi", R"({"error":"m","error_type":"validation"})"},
      {"triton", R"({"error":"m"})"},
      {"bare", R"({"error":"Unprocessable Entity"})"},
      {"fastapi", R"({"detail":"m"})"},
      {"fastapi_list", R"({"detail":[{"loc":["body","max_tokens"],"msg":"m","type":"extra_forbidden"}]})"},
      {"text", "m"},
      {"empty", ""},
  };
  for (const auto& row : rows) {
    const std::string form = row.first, body = row.second;
    CAPTURE(form);
    CHECK(error_body(form, 422, "m").text == body);
  }
  CHECK(error_body("html", 503, "m").text.find("503 Service Unavailable") != std::string::npos);
}

TEST_CASE("each form of error event is one event with JSON in it") {
  for (const char* form : {"vllm", "sglang", "tgi", "tgi_chat", "llama_cpp", "triton", "event"}) {
    CAPTURE(form);
    std::string text = error_event(form, 500, "it \"broke\"");
    const size_t data = text.find("data: ");
    REQUIRE(data != text.npos);
    REQUIRE(text.ends_with("\n\n"));
    tkm::JsonDocument json;
    REQUIRE(tkm::parse_json(text.substr(data + 6, text.size() - data - 8), json));
    CHECK(tkm::find(json, "error") != nullptr);
  }
  CHECK(error_event("event", 500, "m").starts_with("event: error\n"));
}

}  // namespace
}  // namespace tokometer::sim
