#include "plugin/probe.hpp"

#include <doctest/doctest.h>

#include <string>

#include "plugin/base64.hpp"

namespace tokometer {
namespace {

std::string selected(const std::string& json, std::string_view pointer) {
  tkm::JsonDocument document;
  REQUIRE(tkm::parse_json(json, document));
  std::string text;
  for (const tkm::Json* value : select(document, pointer)) {
    tkm::JsonWriter(text).value(*value);
    text += ' ';
  }
  return text;
}

TEST_CASE("pointers with a star for each item") {
  const std::string models =
      R"({"data": [{"id": "a", "len": 8}, {"id": "b"}, 7], "m/n": {"~": 1}, "*": 5, "o": {"x": 1, "y": 2}})";
  struct Case {
    std::string pointer, found;
  };
  const Case cases[] = {
      {"/data/*/id", "\"a\" \"b\" "},
      {"/data/*/len", "8 "},
      {"/data/1/id", "\"b\" "},
      {"/data/2", "7 "},
      {"/data/3", ""},
      {"/data/-1", ""},
      {"/data/x", ""},
      {"/data/99999999999", ""},
      {"/m~1n/~0", "1 "},
      {"/*", "5 "},
      {"/o/*", "1 2 "},
      {"/data/*/id/deeper", ""},
      {"/none/*/id", ""},
      {"no/slash", ""},
  };
  for (const Case& each : cases) {
    CAPTURE(each.pointer);
    CHECK(selected(models, each.pointer) == each.found);
  }
  CHECK(selected("[1]", "") == "[1] ");
}

TEST_CASE("values are filled in, escaped for their place") {
  const FillValues values{"org/model \"8b\"", "lora&1", "/data/x y", "a\nb"};
  struct Case {
    std::string text;
    Place place;
    const char* filled;
  };
  const Case cases[] = {
      {"/v1/models/${model}/ready", Place::url, "/v1/models/org%2Fmodel%20%228b%22/ready"},
      {"/load?name=${adapter}&path=${path}", Place::url, "/load?name=lora%261&path=%2Fdata%2Fx%20y"},
      {R"({"model": "${model}", "text": "${text}"})", Place::json,
       R"({"model": "org/model \"8b\"", "text": "a\nb"})"},
      {"${model}", Place::header, "org/model %228b%22"},
      {"${text}", Place::header, "a%0Ab"},
      {"${other} $model ${mod", Place::json, "${other} $model ${mod"},
      {"${model}${model}", Place::url, "org%2Fmodel%20%228b%22org%2Fmodel%20%228b%22"},
  };
  for (const Case& each : cases) {
    CAPTURE(each.text);
    CHECK(fill(each.text, each.place, values) == each.filled);
  }
}

TEST_CASE("what was filled in is not filled in again") {
  CHECK(fill("${model}", Place::json, FillValues{"${text}", "", "", "secret"}) == "${text}");
}

TEST_CASE("a probe is filled in all its texts, but bytes stay bytes") {
  Probe probe;
  probe.path = "/${model}";
  probe.headers = {{"x-model", "${model}"}};
  probe.body = "${model}";
  const FillValues values{"a/\"b", "", "", ""};
  CHECK(fill(probe, values).body == "${model}");
  probe.body_is_json = true;
  const Probe filled = fill(probe, values);
  CHECK(filled.path == "/a%2F%22b");
  CHECK(filled.headers[0].second == "a/%22b");
  CHECK(filled.body == "a/\\\"b");
}

std::string complaint(const Probe& probe, int status, std::string_view body) {
  const auto good = check_answer(probe, status, body);
  return good ? "" : good.error().message;
}

TEST_CASE("answers of probes") {
  Probe probe;
  probe.method = "GET";
  probe.path = "/health";
  CHECK(complaint(probe, 200, "").empty());
  CHECK(complaint(probe, 204, "").empty());
  CHECK(complaint(probe, -1, "") == "GET /health: no answer");
  CHECK(complaint(probe, 302, "") == "GET /health: status 302");
  CHECK(complaint(probe, 503, "loading\x1b[1m") == "GET /health: status 503: \"loading\\x1b[1m\"");
  SUBCASE("statuses") {
    probe.statuses = {404, 405};
    CHECK(complaint(probe, 405, "").empty());
    CHECK(complaint(probe, 200, "") == "GET /health: status 200");
  }
  SUBCASE("gRPC: status 0") {
    probe.grpc = true;
    CHECK(complaint(probe, 0, "").empty());
    CHECK(complaint(probe, 14, "") == "gRPC /health: status 14");
  }
  SUBCASE("bytes") {
    probe.expect_bytes = std::string("\x08\x01", 2);
    CHECK(complaint(probe, 200, "\x08\x01").empty());
    CHECK(complaint(probe, 200, "\x08") == "GET /health: another answer than expected: \"\\x08\"");
  }
  SUBCASE("values") {
    probe.expect = {{"/state", "\"ok\""}, {"/items/*/n", "2"}};
    CHECK(complaint(probe, 200, R"({"state": "ok", "items": [{"n": 1}, {"n": 2}]})").empty());
    CHECK(complaint(probe, 200, R"({"state": "ok", "items": [{"n": 1}]})") ==
          R"(GET /health: expected 2 at /items/*/n in the answer "{"state": "ok", "items": [{"n": 1}]}")");
    CHECK(complaint(probe, 200, "no") == "GET /health: the answer is no JSON: \"no\"");
  }
}

TEST_CASE("model names with their context") {
  ModelsProbe models;
  models.probe.method = "GET";
  models.probe.path = "/v1/models";
  models.names = "/data/*/id";
  models.context = "/data/*/max_model_len";
  auto names = read_models(
      models, R"({"data": [{"id": "base", "max_model_len": 4096}, {"id": "lora", "max_model_len": null}]})");
  REQUIRE(names.ok());
  REQUIRE(names->size() == 2);
  CHECK((*names)[0].name == "base");
  CHECK((*names)[0].context_tokens == 4096);
  CHECK((*names)[1].context_tokens == -1);
  // Not one context for each name: nobody can say whose it is.
  names = read_models(models, R"({"data": [{"id": "base"}, {"id": "lora", "max_model_len": 8}]})");
  CHECK((*names)[0].context_tokens == -1);
  CHECK(read_models(models, "{}")->empty());
  CHECK(read_models(models, "<html>").error().message == "GET /v1/models: the answer is no JSON: \"<html>\"");
}

TEST_CASE("token ids") {
  TokenizeProbe tokenize;
  tokenize.probe.method = "POST";
  tokenize.probe.path = "/tokenize";
  tokenize.ids = "/tokens";
  CHECK(*read_token_ids(tokenize, R"({"tokens": [1, 2, 3]})") == std::vector<int32_t>{1, 2, 3});
  CHECK(read_token_ids(tokenize, R"({"tokens": []})")->empty());
  CHECK(read_token_ids(tokenize, R"({"count": 3})").error().message ==
        "POST /tokenize: no token ids at /tokens");
  CHECK(read_token_ids(tokenize, R"({"tokens": [1, "x"]})").error().message ==
        "POST /tokenize: a token id at /tokens is no whole number");
  CHECK(!read_token_ids(tokenize, R"({"tokens": [4294967296]})").ok());
  tokenize.ids = "/*/id";
  CHECK(*read_token_ids(tokenize, R"([{"id": 7, "text": "a"}, {"id": 9}])") == std::vector<int32_t>{7, 9});
  CHECK(*read_token_ids(tokenize, R"([{"id": 7}])") == std::vector<int32_t>{7});
}

TEST_CASE("base64") {
  CHECK(decode_base64("") == "");
  CHECK(decode_base64("Zg==") == "f");
  CHECK(decode_base64("Zm8=") == "fo");
  CHECK(decode_base64("Zm9v") == "foo");
  CHECK(decode_base64("AP+/") == std::string("\0\xff\xbf", 3));
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zg===", "Z===", "Zh==", "Zm9v\n", "Zm 9", "Zg==Zg==", "===="}) {
    CAPTURE(wrong);
    CHECK(!decode_base64(wrong).has_value());
  }
}

}  // namespace
}  // namespace tokometer
