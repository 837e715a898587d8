// Streams of one processor instance learn from each other how chunks look (EventShapes). What an instance
// says must not depend on what it has seen: each response is fed to one that has seen all the others, again
// and again, and to a new one.
#include <doctest/doctest.h>

#include <tokometer/abi.h>

#include <string>
#include <vector>

#include "processor_harness.hpp"
#include "standard/openai.hpp"

using namespace processor_test;

namespace {

struct Stream {
  std::string id = "c1", created = "1700000000", model = "m";

  std::string chunk(const std::string& choice, const std::string& more = "") const {
    return "data: {\"id\":\"" + id + "\",\"created\":" + created + ",\"model\":\"" + model +
           "\",\"choices\":[" + choice + "]" + more + "}\n\n";
  }
  std::string delta(const std::string& members, const std::string& finish = "null", int index = 0) const {
    return chunk("{\"index\":" + std::to_string(index) + ",\"delta\":{" + members +
                 "},\"finish_reason\":" + finish + "}");
  }
  std::string role() const { return delta(R"("role":"assistant","content":"")"); }
  std::string text(const std::string& escaped) const { return delta("\"content\":\"" + escaped + "\""); }
  std::string thought(const std::string& escaped) const { return delta("\"reasoning\":\"" + escaped + "\""); }
  std::string end(const std::string& reason = "length") const { return delta("", "\"" + reason + "\""); }
  std::string usage(const std::string& choice = "") const {
    return chunk(choice, R"(,"usage":{"prompt_tokens":3,"completion_tokens":2,)"
                         R"("completion_tokens_details":{"reasoning_tokens":0}})");
  }
  std::string counts(const std::string& members) const { return chunk("", ",\"usage\":{" + members + "}"); }
};

const std::string kDone = "data: [DONE]\n\n";
const Stream kFirst, kSecond{"chatcmpl-2", "1700000123", "m"}, kLater{"c3", "99999999999", "m"},
    kForeign{"c1", "1700000000", "other"};

std::vector<Response> responses() {
  std::vector<Response> all;
  const auto add = [&](const std::string& body, uint32_t choices = 1) {
    all.push_back({.choices = choices, .model = "m", .body = body + kDone});
    all.push_back({.choices = choices, .adapter = "m", .body = body + kDone});
    all.push_back({.choices = choices, .model = "other", .body = body + kDone});
  };
  for (const Stream& s : {kFirst, kSecond, kLater, kForeign}) {
    add(s.role() + s.text("a") + s.text("b\\n\\u00e9") + s.end() + s.usage());
    add(s.role() + s.text("") + s.text("a") + s.text("") + s.end("stop") + s.end("stop") + s.end("length"));
    add(s.thought("t") + s.thought("") + s.text("a") + s.end() + s.usage());
    add(s.text("a") + s.text("b") + s.usage("{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}"));
    add(s.text("a") + s.usage(R"({"index":0,"delta":{},"finish_reason":"tool_calls"})") +
        s.end("tool_calls"));
    add(s.text("a") + s.end("tool_calls"));
    add(s.text("a") + s.end("abort"));
    add(s.delta(R"("content":"a")", "null", 1) + s.text("b") + s.end(), 2);
    add(s.delta(R"("content":"a")", "null", 1) + s.text("b"));
    add(s.text("a") + s.text("\\ud800") + s.text("b"));
    add(s.text("a") + s.text("\xFF") + s.text("b"));
  }
  for (
      const char* counts : {
          R"("prompt_tokens":3,"total_tokens":5,"completion_tokens":2)",
          R"("prompt_tokens":4711,"total_tokens":4999,"completion_tokens":288)",
          R"("prompt_tokens":0,"total_tokens":0,"completion_tokens":0)",
          R"("prompt_tokens":999999999,"total_tokens":1,"completion_tokens":1000000000)",
          R"("prompt_tokens":9999999999,"total_tokens":1,"completion_tokens":2)",  // none is that long
          R"("prompt_tokens":03,"total_tokens":5,"completion_tokens":2)",          // no JSON
          R"("prompt_tokens":-3,"total_tokens":5,"completion_tokens":2)",
          R"("prompt_tokens":3.5,"total_tokens":5,"completion_tokens":2)",
          R"("prompt_tokens":3e2,"total_tokens":5,"completion_tokens":2)",
          R"("prompt_tokens":null,"total_tokens":5,"completion_tokens":2)",
          R"("prompt_tokens":3,"total_tokens":-5,"completion_tokens":2)",
          R"("prompt_tokens":3,"prompt_tokens":4,"completion_tokens":2)",
          R"("prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1})",
          R"("prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":33})",
          R"("prompt_tokens":3,"completion_tokens":2,"cached_tokens":1)",  // not where it counts
          R"("prompt_tokens":3,"completion_tokens":2,"cached_tokens":7)",
          R"("prompt_tokens":3,"completion_tokens":2,"reasoning_tokens":1,"completion_tokens_details":{"reasoning_tokens":1})",
          R"("prompt_tokens":3,"completion_tokens":2,"reasoning_tokens":2,"completion_tokens_details":{"reasoning_tokens":1})",
          R"("prompt_tokens":3,"completion_tokens":2,"reasoning_tokens":0)",
          R"("prompt_tokens":3,"completion_tokens":2,"reasoning_tokens":12)",
          R"("other":{"prompt_tokens":3},"completion_tokens":2)",
          R"("other":{"prompt_tokens":4},"completion_tokens":2)",
      }) {
    add(kFirst.text("a") + kFirst.counts(counts));
    add(kSecond.thought("a") + kSecond.counts(counts));
    add(kFirst.counts(counts) + kFirst.text("a") + kFirst.counts(counts));
    add(kFirst.text("a") + kSecond.counts(counts) + kFirst.end());
  }
  add(kFirst.text("a") + kSecond.text("b"));  // another reply's
  add(kFirst.text("a") + kSecond.end());
  add(kFirst.text("a") + Stream{"c1", "01", "m"}.text("b"));       // no number
  add(kFirst.text("a") + Stream{"c1", "", "m"}.text("b"));         // no JSON
  add(kFirst.text("a") + Stream{"c\\u0031", "1", "m"}.text("b"));  // the same id, written otherwise
  add(Stream{"c\\u0031", "1", "m"}.text("a") + kFirst.usage(R"({"index":0,"delta":{}})"));
  add(Stream{"", "1", "m"}.text("a") + kFirst.text("b") + Stream{"", "1", "m"}.text("c"));
  return all;
}

}  // namespace

TEST_CASE("what an instance says does not depend on what it has seen") {
  Processor seasoned(standard::openai_processor(), "{}");
  const std::vector<Response> all = responses();
  for (int round = 0; round < 3; ++round) {
    for (const Response& response : all) {
      Processor fresh(standard::openai_processor(), "{}");
      CAPTURE(response.body);
      CAPTURE(response.model);
      CHECK(seasoned.events(response, whole()) == fresh.events(response, whole()));
    }
  }
}

TEST_CASE("a chunk of another reply is no chunk of this one, though it looks like it") {
  Processor processor(standard::openai_processor(), "{}");
  for (const std::string& stray : {kSecond.text("b"), kSecond.role(), kSecond.end()}) {
    const Response response{.model = "m", .body = kFirst.text("a") + stray};
    for (int round = 0; round < 2; ++round) {
      CHECK(processor.events(response, whole()) ==
            "delta 0 text -1 none a\nerror semantics -1 a chunk with another id: part of another reply\n");
    }
  }
}

TEST_CASE("events of /v1/responses: what an instance says does not depend on what it has seen") {
  const auto event = [](const std::string& members) { return "event: e\ndata: {" + members + "}\n\n"; };
  const auto delta = [&](const std::string& text, const std::string& number,
                         const std::string& item = "msg_1", const std::string& type = "output_text",
                         const std::string& more = "") {
    return event("\"delta\":\"" + text + "\",\"item_id\":\"" + item + "\",\"sequence_number\":" + number +
                 ",\"type\":\"response." + type + ".delta\"" + more);
  };
  const std::string begin =
      event(R"("type":"response.created","response":{"id":"r1","status":"in_progress"})");
  const std::string end = event(
      R"("type":"response.completed","response":{"id":"r1","status":"completed","usage":{"output_tokens":2}})");
  const std::vector<std::string> bodies = {
      delta("a", "4") + delta("b", "5"),
      delta("b\\n\\u00e9", "10", "msg_2") + delta("", "11", "msg_2"),
      delta("a", "4", "rs_1", "reasoning_text") + delta("b", "5", "msg_1"),
      delta("a", "4", "fc_1", "function_call_arguments"),
      delta("a", "4", "x", "unheard_of") + delta("b", "5"),
      delta("a", "04") + delta("b", "5"),  // no JSON
      delta("a", "-4") + delta("b", "5.5"),
      delta("a", "4", "msg\\u0031"),
      delta("a", "4", "msg_1", "output_text", R"(,"delta":"z")"),
      delta("a", "4", "msg_1", "output_text", R"(,"x":{"delta":"z"})"),
      delta("a", "4", "msg_1", "output_text", R"(,"error":{"message":"no"})") + delta("b", "5"),
      delta("a", "4", "msg_1", "output_text", R"(,"response":{"id":"r1","status":"incomplete"})"),
      delta("\\ud800", "4") + delta("\xFF", "5"),
      "event: error\n" + delta("a", "4").substr(9) + delta("b", "5")};
  Processor seasoned(standard::openai_processor(), R"({"api":"responses"})");
  for (int round = 0; round < 3; ++round) {
    for (const std::string& body : bodies) {
      Processor fresh(standard::openai_processor(), R"({"api":"responses"})");
      const Response response{.model = "m", .body = begin + body + end};
      CAPTURE(body);
      CHECK(seasoned.events(response, whole()) == fresh.events(response, whole()));
    }
  }
  CHECK(seasoned.events({.model = "m", .body = begin + bodies[1]}, whole()) ==
        "began\ndelta 0 text -1 none b\n\xC3\xA9\nkeep_alive\n");
}
