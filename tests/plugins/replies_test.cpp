// What odd and broken replies turn into: one row a stimulus, each fed whole, byte by byte and at random. Rows
// carry the numbers of the table of hostile servers where they have one.
#include <doctest/doctest.h>

#include <tokometer/abi.h>

#include <string>

#include "processor_harness.hpp"
#include "standard/openai.hpp"

using namespace processor_test;

namespace {

Processor& openai() {
  static Processor it(standard::openai_processor(), "{}");
  return it;
}
Processor& vllm() {
  static Processor it(tkm_module_v1()->components[0], "{}");
  return it;
}

std::string in_all_cuts(Processor& processor, const Response& response) {
  const std::string said = processor.events(response, whole());
  CHECK(processor.events(response, pieces_of(1)) == said);
  for (uint64_t seed = 0; seed < 5; ++seed) CHECK(processor.events(response, randomly(seed)) == said);
  return said;
}

// A chat chunk of choice 0 with this delta.
std::string chunk(const std::string& delta, const std::string& finish = "null") {
  return R"(data: {"id":"c1","choices":[{"index":0,"delta":)" + delta + R"(,"finish_reason":)" + finish +
         "}]}\n\n";
}
std::string event(const std::string& data) {
  return "data: " + data + "\n\n";
}

// A chunk that ends with a text that says nothing.
std::string padded(const std::string& text, const std::string& padding) {
  return event(R"({"id":"c1","choices":[{"index":0,"delta":{"content":")" + text +
               R"("},"finish_reason":null}],"obfuscation":)" + padding + "}");
}

const std::string kA = chunk(R"({"content":"a"})");
const std::string kEnd = chunk("{}", "\"stop\"");
const std::string kDone = "data: [DONE]\n\n";
const std::string kSaidA = "delta 0 text -1 none a\n";
const std::string kSaidEnd = "finish 0 stop stop\n";

struct Row {
  std::string name, body, said;
};

void check(const Row& row) {
  CAPTURE(row.name);
  CHECK(in_all_cuts(openai(), {.body = row.body}) == row.said);
  CHECK(in_all_cuts(vllm(), {.body = row.body}) == row.said);
}

std::string crlf(std::string text, const std::string& end) {
  for (size_t at = 0; (at = text.find('\n', at)) != text.npos; at += end.size()) text.replace(at, 1, end);
  return text;
}

}  // namespace

TEST_CASE("framing of the event stream") {
  const std::string good = kA + kEnd + kDone, said = kSaidA + kSaidEnd + "done\n";
  const std::string two = "data: {\"choices\":\ndata: [{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
  const Row rows[] = {
      {"66 CR", crlf(good, "\r"), said},
      {"66 CRLF", crlf(good, "\r\n"), said},
      {"66 mixed", crlf(kA, "\r") + crlf(kEnd, "\r\n") + kDone, said},
      {"67 BOM at the start", "\xEF\xBB\xBF" + good, said},
      {"67 BOM later is content", chunk("{\"content\":\"\xEF\xBB\xBF\"}"),
       "delta 0 text -1 none \xEF\xBB\xBF\n"},
      {"67 two bytes of a BOM are a line of their own", "\xEF\xBB\n\n" + kA, "keep_alive\n" + kSaidA},
      {"68 no blank after data:", "data:" + kA.substr(6), kSaidA},
      {"68 two blanks after data:", "data:  " + kA.substr(6), kSaidA},
      {"68 a field without a colon", "data\n\n", "keep_alive\n"},
      {"68 many data lines", two, kSaidA},
      {"68 id and retry", "id: 7\nretry: 100\n" + kA, kSaidA},
      {"69 comments", ": ping\n\n" + kA + ":\n: pong\n" + kA,
       "keep_alive\n" + kSaidA + "keep_alive\nkeep_alive\n" + kSaidA},
      {"69 blank lines", "\n\n" + kA + "\n", "keep_alive\nkeep_alive\n" + kSaidA + "keep_alive\n"},
      {"70 event: error", "event: error\n" + event(R"({"message":"boom","code":500})"),
       "error in_band 500 boom\n"},
      {"70 event: error, data first", event(R"({"message":"boom"})").insert(24, "\nevent: error"),
       "error in_band -1 boom\n"},
      {"70 event: error without data", "event: error\n\n", "error in_band -1 an error event without data\n"},
      {"an event with another name", "event: note\n" + event("hello") + kA, "keep_alive\n" + kSaidA},
      {"73 U+0085, U+2028, VT and FF in data", chunk("{\"content\":\"\xC2\x85\xE2\x80\xA8\x0B\x0C\"}"),
       "delta 0 text -1 none \xC2\x85\xE2\x80\xA8\x0B\x0C\n"},
      {"73 NUL in data", chunk(std::string("{\"content\":\"a") + '\0' + "\"}"),
       std::string("delta 0 text -1 none a\0\n", 24)},
      {"74 invalid UTF-8", chunk("{\"content\":\"\xFF\"}") + chunk("{\"content\":\"\xFE\"}"),
       "warn bad_utf8\ndelta 0 text -1 none \xFF\ndelta 0 text -1 none \xFE\n"},
      {"77 no end mark", kA + kEnd, kSaidA + kSaidEnd},
      {"78 [DONE] twice, events after it", good + kDone + kA, said + "warn dup_done\n"},
      {"79 [DONE] without its blank line", kA + kEnd + "data: [DONE]", kSaidA + kSaidEnd},
      {"80 blanks around [DONE]", kA + "data:  [DONE] \t\n\n", kSaidA + "done\n"},
      {"80 [done]", kA + event("[done]"), kSaidA + "error format -1 not valid JSON: [done]\n"},
      {"80 \"[DONE]\"", kA + event("\"[DONE]\""),
       kSaidA + "error format -1 JSON, but no object: \"[DONE]\"\n"},
      {"81 [DONE] first", kDone, "done\n"},
      {"83 an unfinished event", kA + "data: {\"choices\":[", kSaidA},
      {"84 JSON lines", "{\"a\":1}\n{\"a\":2}\n",
       "error format -1 JSON where an event stream was promised: {\"a\":1}\n"},
      {"84 one JSON text without an end", "{\"a\":1}",
       "error format -1 JSON where an event stream was promised: {\"a\":1}\n"},
      {"85 the head of another response", kA + "HTTP/1.1 200 OK\r\n",
       kSaidA + "error semantics -1 the head of another response inside this one: HTTP/1.1 200 OK\n"},
      {"a blank at the end of data (trtllm-serve)", kA.substr(0, kA.size() - 2) + " \n\n", kSaidA},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("events of one response and of another") {
  const std::string other = R"({"id":"c2","choices":[{"index":0,"delta":{"content":"b"}}]})";
  check({"85 another id", kA + event(other),
         kSaidA + "error semantics -1 a chunk with another id: part of another reply\n"});
  const std::string by_choice = event(R"({"id":"x","choices":[{"index":0,"delta":{"content":"a"}}]})") +
                                event(R"({"id":"y","choices":[{"index":1,"delta":{"content":"b"}}]})");
  const std::string of_0 = event(R"({"id":"x","choices":[{"index":0,"delta":{"content":"c"}}]})");
  const std::string again =
      by_choice + of_0 + event(R"({"id":"x","choices":[{"index":1,"delta":{"content":"d"}}]})");
  const std::string said = "delta 0 text -1 none a\ndelta 1 text -1 none b\n";
  CHECK(in_all_cuts(openai(), {.choices = 2, .body = by_choice}) == said);
  CHECK(in_all_cuts(openai(), {.choices = 2, .body = again}) ==
        said + "delta 0 text -1 none c\n" +
            "error semantics -1 a chunk with another id: part of another reply\n");
}

TEST_CASE("limits of a line and of an event") {
  const std::string long_line = "data: " + std::string((1 << 20) + 1, 'x') + "\n\n";
  std::string long_event;
  for (int line = 0; line < 5; ++line) long_event += "data: " + std::string(1'000'000, 'x') + "\n";
  CHECK(openai().events({.body = kA + long_line + kDone}, whole()) ==
        kSaidA + "error format -1 limit: a line of the event stream is over 1 MiB\n");
  CHECK(openai().events({.body = kA + long_line + kDone}, randomly(1)) ==
        kSaidA + "error format -1 limit: a line of the event stream is over 1 MiB\n");
  CHECK(openai().events({.body = kA + long_event + "\n" + kDone}, whole()) ==
        kSaidA + "error format -1 limit: an event is over 4 MiB\n");
  CHECK(openai().events({.body = kA + long_event + "\n" + kDone}, randomly(1)) ==
        kSaidA + "error format -1 limit: an event is over 4 MiB\n");
  const std::string big(1'000'000, 'x');
  CHECK(openai().events({.body = chunk("{\"content\":\"" + big + "\"}")}, pieces_of(1)) ==
        "delta 0 text -1 none " + big + "\n");
}

TEST_CASE("JSON that is none, and JSON that is odd") {
  const std::string deep = std::string(1'000'000, '[');
  const auto nested = [](int depth) {
    const std::string inside =
        std::string(static_cast<size_t>(depth - 1), '[') + std::string(static_cast<size_t>(depth - 1), ']');
    return event(R"({"choices":[],"usage":{"completion_tokens":1},"x":)" + inside + "}");
  };
  const auto wrong = [](const std::string& text) {
    return "error format -1 not valid JSON: " + text.substr(0, 200) + "\n";
  };
  const Row rows[] = {
      {"86 cut JSON", event("{\"choices\":["), wrong("{\"choices\":[")},
      {"86 two objects", event("{} {}"), wrong("{} {}")},
      {"86 garbage behind", event("{}x"), wrong("{}x")},
      {"87 nesting 64", nested(64), "usage -1 -1 1 -1\n"},
      {"87 nesting 65", nested(65), wrong(nested(65).substr(6, nested(65).size() - 8))},
      {"87 nesting 1,000,000", event(deep), wrong(deep)},
      {"88 NaN", event("{\"x\":NaN}"), wrong("{\"x\":NaN}")},
      {"88 1e400", event("{\"x\":1e400}"), wrong("{\"x\":1e400}")},
      {"88 hex", event("{\"x\":0x1}"), wrong("{\"x\":0x1}")},
      {"88 a comment", event("{/**/}"), wrong("{/**/}")},
      {"88 null", event("null"), "error format -1 JSON, but no object: null\n"},
      {"88 []", event("[]"), "error format -1 JSON, but no object: []\n"},
      {"88 5", event("5"), "error format -1 JSON, but no object: 5\n"},
      {"89 a key twice: the first counts", chunk(R"({"content":"a","content":"b"})"), kSaidA},
      {"89 an escaped key", chunk(R"({"\u0063ontent":"a"})") + chunk(R"({"\u0063ontent":"b"})"),
       kSaidA + "delta 0 text -1 none b\n"},
      {"90 half a pair", chunk(R"({"content":"x\ud800"})") + chunk(R"({"content":"\udc00y"})"),
       "warn bad_utf8\ndelta 0 text -1 none x\xEF\xBF\xBD\ndelta 0 text -1 none \xEF\xBF\xBDy\n"},
      {"90 a whole pair", kA + chunk(R"({"content":"\ud83d\ude00"})"),
       kSaidA + "delta 0 text -1 none \xF0\x9F\x98\x80\n"},
      {"90 \\u0000", kA + chunk(R"({"content":"\u0000"})"),
       kSaidA + std::string("delta 0 text -1 none \0\n", 23)},
      {"escapes", kA + chunk(R"({"content":"\"\\\/\b\f\n\r\t\u00e9\u20ac"})"),
       kSaidA + "delta 0 text -1 none \"\\/\b\f\n\r\t\xC3\xA9\xE2\x82\xAC\n"},
      {"after bad JSON only the end mark counts", event("{x") + kA + kDone, wrong("{x") + "done\n"},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("meaning that cannot be") {
  const std::string choices_wrong = "error semantics -1 choices is no array\n";
  const auto choice = [](const std::string& inside) { return event("{\"choices\":[" + inside + "]}"); };
  const Row rows[] = {
      {"91 choices missing", event("{}"), "error semantics -1 no choices\n"},
      {"91 choices null", event("{\"choices\":null}"), "error semantics -1 no choices\n"},
      {"91 choices {}", event("{\"choices\":{}}"), choices_wrong},
      {"91 choices [null]", choice("null"), "error semantics -1 a choice is no object\n"},
      {"91 index -1", choice("{\"index\":-1}"),
       "error semantics -1 a choice with an index that was not asked for\n"},
      {"91 index 1 of one choice", choice("{\"index\":1}"),
       "error semantics -1 a choice with an index that was not asked for\n"},
      {"91 usage alone", event("{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}"),
       "usage 3 -1 4 -1\n"},
      {"92 content a number", chunk("{\"content\":5}"), "error semantics -1 content is no text\n"},
      {"92 content an array", chunk("{\"content\":[]}"), "error semantics -1 content is no text\n"},
      {"92 content an object", chunk("{\"content\":{}}"), "error semantics -1 content is no text\n"},
      {"92 content null", chunk("{\"content\":null}"), "began\n"},
      {"92 text a number", choice("{\"index\":0,\"text\":5}"), "error semantics -1 text is no text\n"},
      {"delta a number", chunk("5"), "error semantics -1 delta is no object\n"},
      {"tool_calls a text", chunk("{\"tool_calls\":\"x\"}"), "error semantics -1 tool_calls is no array\n"},
      {"the first fault counts", event("{}") + event("[]") + kDone, "error semantics -1 no choices\ndone\n"},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("errors under status 200") {
  const Row rows[] = {
      {"94 nested, in the middle, then usage of zeros",
       kA + event(R"({"error": {"message": "m", "code": 500}})") +
           event(R"({"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}})") + kA + kDone,
       kSaidA + "error in_band 500 m\nusage 0 -1 0 -1\ndone\n"},
      {"94 request error first",
       event(R"({"error":{"message":"m","type":"BadRequestError","code":400}})") + kDone,
       "error request 400 m\ndone\n"},
      {"95 text", event(R"({"error":"m"})"), "error in_band -1 m\n"},
      {"95 text with a type that says overload", event(R"({"error":"m","error_type":"overloaded"})"),
       "error rejected -1 m\n"},
      {"95 flat", event(R"({"object":"error","message":"m","code":"503"})"), "error rejected 503 m\n"},
      {"95 in choices[0]", event(R"({"choices":[{"index":0,"error":{"message":"m","code":502}}]})"),
       "error in_band 502 m\n"},
      {"95 Anthropic", event(R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})"),
       "error rejected -1 m\n"},
      {"95 overload by its words",
       event(R"({"error":{"message":"Model is overloaded","http_status_code":422}})"),
       "error rejected 422 Model is overloaded\n"},
      {"words for a code",
       event(R"({"error":{"message":"m","type":"invalid_request_error","code":"too_long"}})"),
       "error request -1 m\n"},
      {"429", event(R"({"error":{"message":"m","code":429}})"), "error rejected 429 m\n"},
      {"FastAPI", event(R"({"detail":[{"loc":["body"],"msg":"m"}]})"), "error in_band -1 m\n"},
      {"no message", event(R"({"error":{"code":500}})"), "error in_band 500 an error without a message\n"},
      {"96 error null, \"\" and {}",
       event(R"({"error":null,"choices":[{"delta":{"content":"a"}}]})") +
           event(R"({"error":"","choices":[{"delta":{"content":"a"}}]})") +
           event(R"({"error":{},"choices":[{"delta":{"content":"a"}}]})"),
       kSaidA + kSaidA + kSaidA},
      {"97 finish abort", kA + chunk("{}", "\"abort\""), kSaidA + "finish 0 abort abort\n"},
      {"97 finish error", kA + chunk("{}", "\"error\""), kSaidA + "finish 0 abort error\n"},
      {"an error after its finish", kA + kEnd + event(R"({"error":"m"})"),
       kSaidA + kSaidEnd + "error in_band -1 m\n"},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("usage and counts") {
  const auto used = [](const std::string& usage) {
    return event("{\"choices\":[],\"usage\":" + usage + "}");
  };
  const auto running = [](const std::string& text, int tokens) {
    return event(R"({"choices":[{"index":0,"delta":{"content":")" + text +
                 R"("}}],"usage":{"completion_tokens":)" + std::to_string(tokens) + "}}");
  };
  const auto ids = [](const std::string& text, const std::string& list) {
    return event(R"({"choices":[{"index":0,"text":")" + text + R"(","token_ids":)" + list + "}]}");
  };
  const Row rows[] = {
      {"98 negative", used(R"({"prompt_tokens":-1,"completion_tokens":2})"),
       "warn usage_bad\nusage -1 -1 2 -1\n"},
      {"98 huge", used(R"({"prompt_tokens":1,"completion_tokens":1e15})"),
       "warn usage_bad\nusage 1 -1 -1 -1\n"},
      {"98 text", used(R"({"prompt_tokens":1,"completion_tokens":"2"})"),
       "warn usage_bad\nusage 1 -1 -1 -1\n"},
      {"98 usage a text", used("\"many\""), "warn usage_bad\n"},
      {"98 usage {}", used("{}"), ""},
      {"99 running", running("", 0) + running("a", 1) + running("b", 4) + running("", 5) + running("", 5),
       "began\nusage -1 -1 0 -1\ndelta 0 text 1 server a\nusage -1 -1 1 -1\ndelta 0 text 3 server b\nusage "
       "-1 -1 4 -1\n"
       "delta 0 text 1 server \nusage -1 -1 5 -1\nkeep_alive\nusage -1 -1 5 -1\n"},
      {"99 running usage that falls", running("a", 3) + running("b", 2),
       "delta 0 text 3 server a\nusage -1 -1 3 -1\nwarn usage_bad\ndelta 0 text -1 none b\nusage -1 -1 2 "
       "-1\n"},
      {"99 usage with the last chunk only is no running usage", kA + running("b", 9),
       kSaidA + "delta 0 text -1 none b\nusage -1 -1 9 -1\n"},
      {"99 before the tokens", used("{\"prompt_tokens\":3}") + kA, "usage 3 -1 -1 -1\n" + kSaidA},
      {"details",
       used(
           R"({"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":6}})"),
       "usage -1 5 -1 6\n"},
      {"reasoning_tokens of SGLang", used(R"({"reasoning_tokens":6})"), "usage -1 -1 -1 6\n"},
      {"0 reasoning tokens beside reasoning",
       chunk("{\"reasoning\":\"r\"}") + used(R"({"completion_tokens_details":{"reasoning_tokens":0}})"),
       "delta 0 reasoning -1 none r\n"},
      {"ids", ids("a", "[1,2]") + ids("", "[3]") + ids("", "[]") + ids("b", "null"),
       "delta 0 text 2 ids a\ndelta 0 text 1 ids \nkeep_alive\ndelta 0 text -1 none b\n"},
      {"whole numbers with a point", used("{\"prompt_tokens\":3.0}"), "usage 3 -1 -1 -1\n"},
  };
  for (const Row& row : rows) check(row);
  const auto of = [](int choice, const char* text, int tokens) {
    return event(R"({"choices":[{"index":)" + std::to_string(choice) + R"(,"delta":{"content":")" + text +
                 R"("}}],"usage":{"completion_tokens":)" + std::to_string(tokens) + "}}");
  };
  CHECK(in_all_cuts(vllm(), {.choices = 2, .body = of(0, "a", 1) + of(1, "b", 2) + of(0, "c", 3)}) ==
        "delta 0 text 1 server a\nusage -1 -1 1 -1\ndelta 1 text 2 server b\nusage -1 -1 3 -1\n"
        "delta 0 text 2 server c\nusage -1 -1 5 -1\n");
}

TEST_CASE("channels and marks") {
  const Row rows[] = {
      {"100 role-only, repeated role, empty content",
       chunk(R"({"role":"assistant","content":""})") + chunk(R"({"role":"assistant"})") +
           chunk(R"({"content":null})") + chunk(R"({"role":"assistant","content":"a"})") +
           chunk(R"({"content":""})"),
       "began\nbegan\nbegan\n" + kSaidA + "keep_alive\n"},
      {"Azure: no choices yet", event(R"({"id":"","choices":[],"prompt_filter_results":[]})") + kA,
       "began\n" + kSaidA},
      {"101 the same text twice",
       chunk(R"({"reasoning":"r","reasoning_content":"r"})") +
           chunk(R"({"reasoning":"s","reasoning_content":"s"})"),
       "delta 0 reasoning -1 none r\ndelta 0 reasoning -1 none s\n"},
      {"reasoning_content alone, thinking alone",
       chunk(R"({"reasoning_content":"r"})") + chunk(R"({"thinking":"s"})"),
       "delta 0 reasoning -1 none r\ndelta 0 reasoning -1 none s\n"},
      {"reasoning and answer in one chunk count once",
       event(R"({"choices":[{"index":0,"delta":{"reasoning":"r","content":"a"},"token_ids":[1,2]}]})"),
       "delta 0 reasoning 2 ids r\ndelta 0 text 0 none a\n"},
      {"102 tools",
       chunk(R"({"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":""}}]})") +
           chunk(
               R"({"content":null,"tool_calls":[{"index":0,"function":{"name":null,"arguments":"{\"x\":"}}]})") +
           chunk("{\"tool_calls\":[]}"),
       "delta 0 tool -1 none f\ndelta 0 tool -1 none {\"x\":\nkeep_alive\n"},
      {"102 the whole call in one chunk counts once",
       chunk(R"({"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]})"),
       "delta 0 tool -1 none f\ndelta 0 tool 0 none {}\n"},
      {"function_call", chunk(R"({"function_call":{"name":"f","arguments":"{}"}})"),
       "delta 0 tool -1 none f\ndelta 0 tool 0 none {}\n"},
      {"102 refusal", chunk(R"({"content":null,"refusal":"no"})"), "delta 0 refusal -1 none no\n"},
      {"103 finish null", kA + kDone, kSaidA + "done\n"},
      {"103 finish \"\"", chunk("{\"content\":\"a\"}", "\"\""), kSaidA},
      {"103 tokens after the finish", kA + kEnd + kA, kSaidA + kSaidEnd + kSaidA},
      {"finish twice", kEnd + kEnd, kSaidEnd + "began\n"},
      {"finish words", chunk("{}", "\"repetition\""), "finish 0 other repetition\n"},
      {"text and finish in one chunk", chunk("{\"content\":\"a\"}", "\"length\""),
       kSaidA + "finish 0 length length\n"},
      {"completions",
       event(R"({"choices":[{"index":0,"text":"a","finish_reason":"eos_token"}],"usage":null})"),
       kSaidA + "finish 0 stop eos_token\n"},
  };
  for (const Row& row : rows) check(row);
  CHECK(in_all_cuts(openai(),
                    {.choices = 2,
                     .body = event(R"({"choices":[{"index":1,"text":"b"},{"index":0,"text":"a"}]})")}) ==
        "delta 1 text -1 none b\n" + kSaidA);
}

TEST_CASE("many choices in turn take the short way and say the same") {
  std::string body, said;
  for (int round = 0; round < 3; ++round) {
    for (const char* choice : {"0", "1", "11"}) {
      body += event(std::string(R"({"id":"c","choices":[{"index":)") + choice +
                    R"(,"delta":{"content":"t\"x"},"finish_reason":null}]})");
      said += std::string("delta ") + choice + " text -1 none t\"x\n";
    }
  }
  CHECK(in_all_cuts(openai(), {.choices = 12, .body = body}) == said);
  const std::string beyond =
      event(R"({"id":"c","choices":[{"index":12,"delta":{"content":"t"},"finish_reason":null}]})");
  CHECK(in_all_cuts(openai(), {.choices = 12, .body = body + beyond}) ==
        said + "error semantics -1 a choice with an index that was not asked for\n");
}

TEST_CASE("an event that only looks like the one before") {
  const Row rows[] = {
      {"finish hidden in the text", kA + chunk(R"({"content":"b"},"finish_reason":"stop","x":{"y":"z"})"),
       kSaidA + "delta 0 text -1 none b\nfinish 0 stop stop\n"},
      {"leading zeros in the index",
       kA + event(R"({"id":"c1","choices":[{"index":00,"delta":{"content":"a"},"finish_reason":null}]})"),
       kSaidA + "error format -1 not valid JSON: "
                "{\"id\":\"c1\",\"choices\":[{\"index\":00,\"delta\":{\"content\":\"a\"},\"finish_reason\":"
                "null}]}\n"},
      {"a raw line end in the text",
       kA + "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\ndata: "
            "c\"},\"finish_reason\":null}]}\n\n",
       kSaidA + "delta 0 text -1 none b\nc\n"},
      {"the key in an object before",
       event(R"({"x":{"content":"no"},"choices":[{"delta":{"content":"a"}}]})") +
           event(R"({"x":{"content":"no"},"choices":[{"delta":{"content":"b"}}]})"),
       kSaidA + "delta 0 text -1 none b\n"},
      {"an escape that is none", kA + chunk(R"({"content":"\x"})"),
       kSaidA + "error format -1 not valid JSON: " +
           chunk(R"({"content":"\x"})").substr(6, chunk(R"({"content":"\x"})").size() - 8) + "\n"},
      {"sorted keys (llama.cpp)",
       event(R"({"choices":[{"finish_reason":null,"index":0,"delta":{"content":"a"}}],"id":"c"})") +
           event(R"({"choices":[{"finish_reason":null,"index":0,"delta":{"content":"b"}}],"id":"c"})"),
       kSaidA + "delta 0 text -1 none b\n"},
      {"padding that is new in each event",
       padded("a", R"("x1")") + padded("b", R"("y234")") + padded("c", R"("")"),
       kSaidA + "delta 0 text -1 none b\ndelta 0 text -1 none c\n"},
      {"padding with escapes and with foreign letters",
       padded("a", R"("x")") + padded("b", R"("\"y")") + padded("c", "\"\u00e9\""),
       kSaidA + "delta 0 text -1 none b\ndelta 0 text -1 none c\n"},
      {"padding that ends too early",
       padded("a", R"("x")") + padded("b", R"("y","usage":{"prompt_tokens":3})"),
       kSaidA + "delta 0 text -1 none b\nusage 3 -1 -1 -1\n"},
      {"padding that is no JSON", padded("a", R"("x")") + padded("b", "\"y\"z\""),
       kSaidA + "error format -1 not valid JSON: " +
           padded("b", "\"y\"z\"").substr(6, padded("b", "\"y\"z\"").size() - 8) + "\n"},
      {"index behind the text",
       event(R"({"choices":[{"delta":{"content":"a"},"index":0}]})") +
           event(R"({"choices":[{"delta":{"content":"b"},"index":0}]})"),
       kSaidA + "delta 0 text -1 none b\n"},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("whole bodies") {
  const std::string body =
      R"({"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"a","tool_calls":[]},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}})";
  const std::string said = "delta 0 text 1 server a\nfinish 0 stop stop\nusage 3 -1 1 -1\ndone\n";
  const auto whole_body = [](const std::string& text, bool is_stream) {
    return in_all_cuts(
        openai(), {.is_stream = is_stream, .content_type = "application/json; charset=utf-8", .body = text});
  };
  CHECK(whole_body(body, false) == said);
  CHECK(whole_body(body, true) == said);  // 60: JSON though a stream was asked
  CHECK(whole_body(" \r\n" + body + "\n", true) == said);
  CHECK(whole_body(R"({"error":{"message":"m","code":500}})", true) == "error in_band 500 m\n");
  CHECK(whole_body(kA + kEnd + kDone, false) ==
        kSaidA + kSaidEnd + "done\n");  // 61: a stream under another type
  CHECK(whole_body(body + body, true).starts_with("error format -1 not valid JSON: "));
  CHECK(whole_body("<html>", true) == "error format -1 not valid JSON: <html>\n");
  CHECK(whole_body("", false) == "");  // 93: the core finds it empty
  CHECK(
      whole_body(
          R"({"choices":[{"index":0,"message":{"content":null},"finish_reason":"length"}],"usage":{"completion_tokens":8}})",
          false) == "delta 0 other 8 server \nfinish 0 length length\nusage -1 -1 8 -1\ndone\n");
  CHECK(in_all_cuts(openai(), {.content_type = "", .body = kA + kEnd}) == kSaidA + kSaidEnd);
  CHECK(in_all_cuts(openai(), {.content_type = "application/x-ndjson", .body = body + "\n"})
            .starts_with("error format -1 JSON where"));
}

TEST_CASE("other statuses") {
  const auto of = [](int32_t status, const std::string& body) {
    return in_all_cuts(openai(), {.status = status, .content_type = "application/json", .body = body});
  };
  CHECK(of(400, R"({"error":{"message":"m","code":400}})") == "error request 400 m\n");
  CHECK(of(400, R"({"error":{"message":"m","code":"too_long"}})") == "error request 400 m\n");
  CHECK(of(422, R"({"error":"m","error_type":"validation"})") == "error request 422 m\n");
  CHECK(of(404, R"({"detail":"Not Found"})") == "error request 404 Not Found\n");
  CHECK(of(422, R"({"detail":[{"loc":["body","x"],"msg":"m","type":"t"}]})") == "error request 422 m\n");
  CHECK(of(400, R"({"object":"error","message":"m","code":400})") == "error request 400 m\n");
  CHECK(of(400, "data: {\"error\":\"m\"}\n\n") == "error request 400 m\n");
  CHECK(of(401, R"({"error":"Unauthorized"})") == "error request 401 Unauthorized\n");
  CHECK(of(429, "") == "error rejected 429 an error without a message\n");
  CHECK(of(503, "<html>\nno\n</html>") == "error rejected 503 <html>\nno\n</html>\n");
  CHECK(of(529, "{}") == "error rejected 529 {}\n");
  CHECK(of(500, R"({"error":{"message":"m"}})") == "error in_band 500 m\n");
  CHECK(of(424, R"({"error":"m","error_type":"overloaded"})") == "error rejected 424 m\n");
  CHECK(of(302, "moved") == "error in_band 302 moved\n");
  CHECK(of(500, std::string(5000, 'x')) == "error in_band 500 " + std::string(200, 'x') + "\n");
}

TEST_CASE("106: a reply of another model") {
  const auto of = [](Processor& processor, const char* asked, const char* adapter, const char* answered) {
    const std::string body = event(std::string(R"({"model":")") + answered + R"(","choices":[]})");
    return in_all_cuts(processor, {.model = asked, .adapter = adapter, .body = body + body});
  };
  Processor it(standard::openai_processor(), "{}");
  CHECK(of(it, "a", "", "b") == "began\nbegan\n");  // nothing known
  CHECK(of(it, "a", "lora", "a") == "warn wrong_model\nbegan\nbegan\n");
  it.learn(
      "models",
      R"({"data":[{"id":"a","root":"/m"},{"id":"alias","root":"/m"},{"id":"b","root":"/n"},{"id":"lora","root":"/l","parent":"a"}]})");
  CHECK(of(it, "a", "", "a") == "began\nbegan\n");
  CHECK(of(it, "alias", "", "a") == "began\nbegan\n");
  CHECK(of(it, "a", "", "a-2026-01-31") == "began\nbegan\n");
  CHECK(of(it, "any", "", "b") == "began\nbegan\n");
  CHECK(of(it, "a", "", "b") == "warn wrong_model\nbegan\nbegan\n");
  CHECK(of(it, "a", "", "new") == "warn wrong_model\nbegan\nbegan\n");
  CHECK(of(it, "a", "lora", "lora") == "began\nbegan\n");
  CHECK(of(it, "", "", "new") == "began\nbegan\n");
}
