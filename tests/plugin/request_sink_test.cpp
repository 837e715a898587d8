#include "plugin/request_sink.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>

namespace tokometer {
namespace {

tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

void begin(const tkm_request_out& out, std::string_view method = "POST", std::string_view path = "/v1/x",
           int32_t protocol = TKM_HTTP) {
  const tkm_call call{sizeof call, protocol, str(method), str(path)};
  out.begin(out.ctx, &call);
}
void header(const tkm_request_out& out, std::string_view name, std::string_view value) {
  out.header(out.ctx, str(name), str(value));
}
void body(const tkm_request_out& out, std::string_view bytes) {
  out.body(out.ctx, str(bytes));
}

TEST_CASE("a good request is kept, and the sink is as new after clear") {
  RequestSink sink;
  for (int round = 0; round < 2; ++round) {
    sink.clear();
    begin(sink.out(), "POST", "/v1/chat/completions?a=%20b");
    header(sink.out(), "content-type", "application/json");
    header(sink.out(), "x-note", "caf\xc3\xa9\tau lait");
    header(sink.out(), "x-empty", "");
    body(sink.out(), "{\"a\":");
    body(sink.out(), std::string_view("1\0}", 3));
    CHECK(sink.fault().empty());
    CHECK(sink.method() == "POST");
    CHECK(sink.path() == "/v1/chat/completions?a=%20b");
    REQUIRE(sink.header_count() == 3);
    CHECK(sink.header(0).name == "content-type");
    CHECK(sink.header(0).value == "application/json");
    CHECK(sink.header(1).value == "caf\xc3\xa9\tau lait");
    CHECK(sink.header(2).value.empty());
    CHECK(sink.body() == std::string_view("{\"a\":1\0}", 8));
    CHECK(sink.message_ends().empty());
  }
}

TEST_CASE("gRPC keeps messages apart") {
  RequestSink sink;
  begin(sink.out(), "", "/inference.GRPCInferenceService/ModelInfer", TKM_GRPC);
  body(sink.out(), "one");
  body(sink.out(), "");
  body(sink.out(), "three");
  CHECK(sink.fault().empty());
  CHECK(sink.message_ends() == std::vector<size_t>{3, 3, 8});
}

TEST_CASE("each rule that is broken has its sentence") {
  struct Case {
    std::string fault;  // after "plugin bug: encode: "
    std::function<void(const tkm_request_out&)> play;
  };
  using Out = const tkm_request_out&;
  const Case cases[] = {
      {"begin was called twice", [](Out out) { begin(out), begin(out); }},
      {"a header came before begin", [](Out out) { header(out, "x", "1"), begin(out); }},
      {"body came before begin", [](Out out) { body(out, "x"), begin(out); }},
      {"header \"x\" came after the body",
       [](Out out) { begin(out), body(out, "b"), header(out, "x", "1"); }},
      {"begin was given no valid tkm_call", [](Out out) { out.begin(out.ctx, nullptr); }},
      {"unknown protocol 9", [](Out out) { begin(out, "POST", "/", 9); }},
      {"method \"post\" is not valid", [](Out out) { begin(out, "post"); }},
      {"method \"\" is not valid", [](Out out) { begin(out, ""); }},
      {"method \"POST\" is not valid", [](Out out) { begin(out, "POST", "/s/m", TKM_GRPC); }},
      {"method \"GET / HTTP/1.1\\r\\nX:\" is not valid", [](Out out) { begin(out, "GET / HTTP/1.1\r\nX:"); }},
      {"path \"v1\" is not valid", [](Out out) { begin(out, "GET", "v1"); }},
      {"path \"/a b\" is not valid", [](Out out) { begin(out, "GET", "/a b"); }},
      {"path \"/\\r\\n\" is not valid", [](Out out) { begin(out, "GET", "/\r\n"); }},
      {"path \"/a#b\" is not valid", [](Out out) { begin(out, "GET", "/a#b"); }},
      {"header name \"Content-Type\" is no lower-case name",
       [](Out out) { begin(out), header(out, "Content-Type", "x"); }},
      {"header name \"a:b\" is no lower-case name", [](Out out) { begin(out), header(out, "a:b", "x"); }},
      {"header name \"\" is no lower-case name", [](Out out) { begin(out), header(out, "", "x"); }},
      {"header \"x\": control characters are not allowed",
       [](Out out) { begin(out), header(out, "x", "1\r\nhost: evil"); }},
      {"header \"x\": control characters are not allowed",
       [](Out out) {
         begin(out), header(out, "x", {"a\0b", 3});
       }},
      {"header \"authorization\" belongs to the core: a plugin must not set it",
       [](Out out) { begin(out), header(out, "authorization", "Bearer x"); }},
      {"header \"content-type\" belongs to the core: a plugin must not set it",
       [](Out out) { begin(out, "", "/s/m", TKM_GRPC), header(out, "content-type", "application/grpc"); }},
      {"a header is a NULL pointer with a length",
       [](Out out) {
         begin(out), out.header(out.ctx, {nullptr, 4}, {});
       }},
      {"the body is a NULL pointer with a length",
       [](Out out) {
         begin(out), out.body(out.ctx, {nullptr, 4});
       }},
      {"the body is larger than 1 GiB",
       [](Out out) {
         begin(out), out.body(out.ctx, {"x", SIZE_MAX});
       }},
      {"more than 256 headers or 64 KiB of them",
       [](Out out) {
         begin(out);
         for (int i = 0; i < 257; ++i) header(out, "x", "1");
       }},
      {"more than 256 headers or 64 KiB of them",
       [](Out out) {
         const std::string value(40'000, 'v');
         begin(out), header(out, "x", value), header(out, "y", value);
       }},
  };
  for (const Case& each : cases) {
    CAPTURE(each.fault);
    RequestSink sink;
    each.play(sink.out());
    CHECK(sink.fault() == "plugin bug: encode: " + std::string(each.fault));
    sink.clear();
    CHECK(sink.fault() == "plugin bug: encode never called begin");
  }
}

TEST_CASE("the headers of the core") {
  for (const std::string name : {"host", "content-length", "transfer-encoding", "connection", "te", "trailer",
                                 "upgrade", "expect", "accept-encoding", "user-agent", "x-request-id",
                                 "authorization", "cookie", "proxy-authorization", "grpc-timeout"}) {
    CAPTURE(name);
    CHECK(is_core_owned_header(name));
  }
  for (const std::string name :
       {"content-type", "accept", "x-api-key", "hostname", "x-host", "proxy", "grpc"}) {
    CAPTURE(name);
    CHECK(!is_core_owned_header(name));
  }
}

TEST_CASE("a processor that signs its requests sets authorization, and nothing else of the core's") {
  RequestSink sink(true);
  begin(sink.out());
  header(sink.out(), "authorization", "AWS4-HMAC-SHA256 ...");
  CHECK(sink.fault().empty());
  header(sink.out(), "host", "evil");
  CHECK(sink.fault() == "plugin bug: encode: header \"host\" belongs to the core: a plugin must not set it");
}

}  // namespace
}  // namespace tokometer
