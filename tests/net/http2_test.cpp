// HTTP/2 over real loopback sockets against a server that is written frame by frame.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "http2_peer.hpp"
#include "net/fetch.hpp"

using namespace tokometer;
using namespace tokometer::testing;

namespace {

const std::string kGet = http2_request();

void answer_all(Peer& peer) {
  Http2Peer http2(peer);
  while (const uint32_t stream = http2.request()) http2.send(head(stream) + data(stream, "ok", kEndStream));
}

}  // namespace

TEST_CASE("http2: one connection serves request after request") {
  Server server([](Peer& peer, int) { answer_all(peer); });
  Client client(http2_options(server.endpoint()));
  Recorder first, second;
  REQUIRE(client.finish(first, kGet));
  CHECK(first.log == "connecting connection sent done head=200 end ");
  CHECK(first.body == "ok");
  CHECK(first.end.keep_alive);
  CHECK(first.info.connect_ns <= first.info.tcp_ready_ns);
  CHECK(first.info.tcp_ready_ns <= first.sent_ns);
  REQUIRE(client.finish(second, http2_request("body")));
  CHECK(second.log == "connection sent done head=200 end ");
  CHECK(second.info.reused);
  CHECK(second.info.id == first.info.id);
  CHECK(second.info.connect_ns == kNoInstant);
  CHECK(client.pool.counters().opened == 1);
  CHECK(client.pool.counters().reused == 1);
  CHECK(client.pool.counters().idle == 1);
}

TEST_CASE("http2: what we say first") {
  std::string preface, settings;
  uint32_t update = 0;
  std::string pong;
  Server server([&](Peer& peer, int) {
    Http2Peer http2(peer);
    preface = http2.preface;
    settings = http2.next(kSettings).payload;
    update = static_cast<uint32_t>(http2.next(kWindowUpdate).payload.size());
    const Frame request = http2.next(kHeaders);
    http2.send(frame(kPing, 0, 0, "12345678"));
    pong = http2.next(kPing).payload;
    http2.send(head(request.stream, "", kEndStream));
  });
  Client client(http2_options(server.endpoint()));
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.ended);
  CHECK(preface == "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  CHECK(settings.find(setting(2, 0)) != std::string::npos);                 // no push
  CHECK(settings.find(setting(4, 16 * 1024 * 1024)) != std::string::npos);  // a stream's window
  CHECK(update == 4);
  CHECK(pong == "12345678");
}

TEST_CASE("http2: responses, whole and byte by byte") {
  const std::string open = head(1);
  struct Case {
    std::string name;
    std::string bytes;
    bool closes;
    const char* log;
    const char* body;
  };
  const std::vector<Case> cases = {
      {"no body", head(1, "", kEndStream), false, "head=200 end ", ""},
      {"an empty last frame", open + data(1, "ok") + data(1, "", kEndStream), false, "head=200 end ", "ok"},
      {"trailers", open + data(1, "ok") + frame(kHeaders, kEndStream | kEndHeaders, 1, field("x", "y")),
       false, "head=200 end ", "ok"},
      {"an interim reply", frame(kHeaders, kEndHeaders, 1, field(":status", "103")) + head(1, "", kEndStream),
       false, "head=200 end ", ""},
      {"a head in two frames",
       frame(kHeaders, 0, 1, "\x88") + frame(kContinuation, kEndHeaders, 1, field("a", "b")) +
           data(1, "ok", kEndStream),
       false, "head=200 end ", "ok"},
      {"RST before the head", frame(kRst, 0, 1, u32(8)), false, "failure=h2.cancel ", ""},
      {"RST after data", open + data(1, "ok") + frame(kRst, 0, 1, u32(2)), false,
       "head=200 failure=h2.internal_error ", "ok"},
      {"RST refused", frame(kRst, 0, 1, u32(7)), false, "failure=h2.refused ", ""},
      {"RST behind the end", open + data(1, "ok", kEndStream) + frame(kRst, 0, 1, u32(0)), false,
       "head=200 end ", "ok"},
      {"GOAWAY below", frame(kGoaway, 0, 0, u32(0) + u32(0)), false, "failure=h2.refused ", ""},
      {"GOAWAY above", frame(kGoaway, 0, 0, u32(1) + u32(0)) + open + data(1, "ok", kEndStream), false,
       "head=200 end ", "ok"},
      {"GOAWAY with a reason, then EOF", open + frame(kGoaway, 0, 0, u32(1) + u32(11)), true,
       "head=200 failure=h2.enhance_your_calm ", ""},
      {"EOF before a byte of it", "", true, "failure=closed ", ""},
      {"EOF inside", open + data(1, "ok"), true, "head=200 failure=truncated ", "ok"},
      {"data of an idle stream", data(5, "x"), false, "failure=h2 ", ""},
      {"a push", frame(kPush, kEndHeaders, 1, u32(2) + "\x88"), false, "failure=h2 ", ""},
      {"a frame that is too large", frame(kData, 0, 1, std::string(16385, 'x')).substr(0, 9), false,
       "failure=h2 ", ""},
      {"a bad HPACK index", frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\x0f"), false, "failure=h2 ", ""},
      {"an upper-case name", frame(kHeaders, kEndHeaders, 1, "\x88" + field("Bad", "x")), false,
       "failure=h2 ", ""},
      {"data before a head", data(1, "x"), false, "failure=h2 ", ""},
      {"a status of three letters", frame(kHeaders, kEndHeaders, 1, field(":status", "abc")), false,
       "failure=h2 ", ""},
      {"101", frame(kHeaders, kEndHeaders, 1, field(":status", "101")), false, "failure=h2 ", ""},
      {"HTTP/1.1", "HTTP/1.1 400 Bad Request\r\n\r\n", false, "failure=h2 ", ""},
      {"less than announced", head(1, field("content-length", "3")) + data(1, "ok", kEndStream), false,
       "head=200 failure=h2 ", nullptr},
      {"a coding", head(1, field("content-encoding", "gzip")) + data(1, "zz", kEndStream), false,
       "failure=encoding ", ""},
  };
  for (const Case& c : cases) {
    for (const bool in_bytes : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(in_bytes);
      const bool is_http1 = c.bytes.starts_with("HTTP/1");
      Server server([&](Peer& peer, int) {
        if (is_http1) {
          peer.exactly(24);
        } else {
          Http2Peer(peer).request();
        }
        for (size_t at = 0; at < c.bytes.size(); at += in_bytes ? 1 : c.bytes.size())
          peer.send(std::string_view(c.bytes).substr(at, in_bytes ? 1 : c.bytes.size()));
        c.closes ? peer.finish() : peer.wait_for_close();
      });
      Recorder handler;
      {
        Client client(http2_options(server.endpoint()));
        REQUIRE(client.finish(handler, kGet));
      }
      CHECK(handler.log == std::string("connecting connection sent done ") + c.log);
      if (c.body != nullptr) CHECK(handler.body == c.body);
      if (is_http1)
        CHECK(handler.failure.message.find("set target.connections.http to \"1.1\"") != std::string::npos);
    }
  }
}

TEST_CASE("http2: limits") {
  Server server([](Peer& peer, int) {
    Http2Peer http2(peer);
    const uint32_t stream = http2.request();
    http2.send(head(stream, field("a", std::string(100, 'x')) + field("b", std::string(100, 'y'))) +
               data(stream, std::string(200, 'z'), kEndStream));
    peer.wait_for_close();
  });
  HttpLimits limits;
  SUBCASE("bytes of the head") {
    limits.head_bytes = 150;
  }
  SUBCASE("fields") {
    limits.fields = 1;
  }
  SUBCASE("body") {
    limits.body_bytes = 100;
  }
  PoolOptions options = http2_options(server.endpoint());
  options.limits = limits;
  Recorder handler;
  {
    Client client(std::move(options));
    REQUIRE(client.finish(handler, kGet));
  }
  CHECK(handler.failure.cls == "limit");
}

TEST_CASE("http2: streams that share a read are stamped each, and only the last of it is exact") {
  Server server([](Peer& peer, int) {
    Http2Peer http2(peer);
    for (int i = 0; i < 3; ++i) http2.request();
    http2.send(head(1) + head(3) + head(5) + data(1, "a\n") + data(3, "b\n") + data(1, "c\n") +
               data(5, "d\n"));
    http2.send(frame(kPing, 0, 0, "12345678"));
    http2.next(kPing);
    http2.next(kPing);  // never comes: the client closes
  });
  Client client(http2_options(server.endpoint(), 3));
  Recorder warm, handlers[3];
  for (Recorder& handler : handlers) client.pool.start(handler, kGet);
  REQUIRE(client.run_until([&] { return handlers[2].pieces == 1; }));
  CHECK(client.pool.counters().opened == 1);
  for (const Recorder& handler : handlers) {
    REQUIRE(handler.stamps.size() == handlers[0].stamps.size());
    CHECK(handler.stamps.back().at_ns == handlers[0].stamps.back().at_ns);
    CHECK(handler.reads_done == static_cast<int>(handler.stamps.size()));
    CHECK(handler.stamps.back().empty_before_ns >= handler.sent_ns);
  }
  CHECK(handlers[0].body == "a\nc\n");
  CHECK(handlers[0].pieces == 2);
  CHECK(handlers[0].stamps.back().cut_record);
  CHECK(handlers[1].stamps.back().cut_record);
  for (Recorder& handler : handlers) client.pool.cancel(handler);
}

TEST_CASE("http2: the end of a stream in the same read is no doubt about its last event") {
  Server server([](Peer& peer, int) {
    Http2Peer http2(peer);
    http2.request();
    http2.send(head(1) + data(1, "a\n") + data(1, "", kEndStream));
    peer.wait_for_close();
  });
  Recorder handler;
  Client client(http2_options(server.endpoint()));
  REQUIRE(client.finish(handler, kGet));
  CHECK_FALSE(handler.stamps.back().cut_record);
}

TEST_CASE("http2: the peer's limit on streams") {
  SUBCASE("another connection is opened") {
    Signal all_are_asked;
    Server server([&](Peer& peer, int) {
      Http2Peer http2(peer, setting(3, 2));
      while (const uint32_t stream = http2.request()) {
        all_are_asked.wait();
        http2.send(head(stream, "", kEndStream));
      }
    });
    Client client(http2_options(server.endpoint(), 8));
    Recorder handlers[6];
    for (Recorder& handler : handlers) client.pool.start(handler, kGet);
    // Two on each: no answer was given yet.
    REQUIRE(client.run_until(
        [&] { return client.pool.counters().opened == 3 && handlers[5].send_done_ns != kNoInstant; }));
    all_are_asked.set();
    REQUIRE(client.run_until(
        [&] { return std::all_of(handlers, handlers + 6, [](const Recorder& h) { return h.over(); }); }));
    for (const Recorder& handler : handlers) CHECK(handler.ended);
    CHECK(client.pool.counters().opened == 3);
  }
  SUBCASE("none at all: the request is held, and the time is told") {
    Signal first_is_over;
    Server server([&](Peer& peer, int) {
      Http2Peer http2(peer);
      uint32_t stream = http2.request();
      http2.send(frame(kSettings, 0, 0, setting(3, 0)) + head(stream, "", kEndStream));
      first_is_over.wait();
      http2.send(frame(kSettings, 0, 0, setting(3, 5)));
      stream = http2.request();
      http2.send(head(stream, "", kEndStream));
      peer.wait_for_close();
    });
    Client client(http2_options(server.endpoint()));
    Recorder first, second;
    REQUIRE(client.finish(first, kGet));
    const int64_t asked_ns = client.clock.now_ns();
    client.pool.start(second, kGet);
    CHECK(second.log.empty());
    first_is_over.set();
    REQUIRE(client.run_until([&] { return second.over(); }));
    CHECK(second.log == "connection sent done head=200 end ");
    CHECK(second.info.held_until_ns >= asked_ns);
    CHECK(second.info.held_until_ns <= second.sent_ns);
    CHECK(client.pool.counters().opened == 1);
  }
}

TEST_CASE("http2: after GOAWAY the next request takes a new connection") {
  Server server([](Peer& peer, int n) {
    Http2Peer http2(peer);
    const uint32_t stream = http2.request();
    http2.send((n == 0 ? frame(kGoaway, 0, 0, u32(stream) + u32(0)) : "") + head(stream, "", kEndStream));
    peer.wait_for_close();
  });
  Client client(http2_options(server.endpoint(), 4));
  Recorder first, second;
  REQUIRE(client.finish(first, kGet));
  CHECK(first.ended);
  CHECK_FALSE(first.end.keep_alive);
  REQUIRE(client.finish(second, kGet));
  CHECK(second.ended);
  CHECK(second.info.id != first.info.id);
}

TEST_CASE("http2: so does a request that is started while the GOAWAY is being read") {
  Server server([](Peer& peer, int n) {
    Http2Peer http2(peer);
    const uint32_t one = http2.request();
    if (n == 0) {
      const uint32_t two = http2.request();
      http2.send(frame(kGoaway, 0, 0, u32(two) + u32(0)) + head(one, "", kEndStream));
      http2.send(head(two, "", kEndStream));
    } else {
      http2.send(head(one, "", kEndStream));
    }
    peer.wait_for_close();
  });
  Recorder first, other, next;
  Client client(http2_options(server.endpoint(), 4));
  first.at_end = [&] { client.pool.start(next, kGet); };
  client.pool.start(first, kGet);
  client.pool.start(other, kGet);
  REQUIRE(client.run_until([&] { return other.over() && next.over(); }));
  CHECK(other.ended);
  CHECK(next.ended);
  CHECK(next.info.id != first.info.id);
}

TEST_CASE("http2: cancel resets the stream alone") {
  std::string code;
  Server server([&](Peer& peer, int) {
    Http2Peer http2(peer);
    const uint32_t one = http2.request(), two = http2.request();
    http2.send(head(one) + data(one, "x") + head(two) + data(two, "y"));
    code = http2.next(kRst).payload;
    http2.send(data(one, "late") + data(two, "z", kEndStream));
    peer.wait_for_close();
  });
  Recorder first, second;
  Client client(http2_options(server.endpoint(), 2));
  SUBCASE("from outside") {
    client.pool.start(first, kGet);
    client.pool.start(second, kGet);
    REQUIRE(client.run_until([&] { return first.pieces == 1; }));
    client.pool.cancel(first);
  }
  SUBCASE("from inside a callback") {
    first.at_body = [&] { client.pool.cancel(first); };
    client.pool.start(first, kGet);
    client.pool.start(second, kGet);
  }
  REQUIRE(client.run_until([&] { return second.over(); }));
  CHECK(second.ended);
  CHECK(second.body == "yz");
  CHECK(first.body == "x");
  CHECK_FALSE(first.over());
  CHECK(code == u32(8));
  CHECK(client.pool.counters().idle == 1);
}

TEST_CASE("http2: a handler may start its next request from its last callback") {
  Server server([](Peer& peer, int) { answer_all(peer); });
  Client client(http2_options(server.endpoint(), 2));
  Recorder handler;
  int rounds = 0;
  handler.at_end = [&] {
    if (++rounds < 100) client.pool.start(handler, kGet);
  };
  client.pool.start(handler, kGet);
  REQUIRE(client.run_until([&] { return rounds == 100; }));
  CHECK(client.pool.counters().opened == 1);
}

TEST_CASE("http2: an early answer ends the request while its body is still on the way") {
  Server server([](Peer& peer, int) {
    Http2Peer http2(peer);
    const Frame request = http2.next(kHeaders);
    http2.send(frame(kHeaders, kEndHeaders | kEndStream, request.stream, field(":status", "413")));
    http2.next(kRst);
    peer.wait_for_close();
  });
  Recorder handler;
  Client client(http2_options(server.endpoint()));
  REQUIRE(client.finish(handler, http2_request(std::string(1 << 20, 'p'))));
  CHECK(handler.ended);
  CHECK(handler.status == 413);
}

TEST_CASE("http2: nobody listens") {
  const RefusedPort port;
  Client client(http2_options(port.endpoint(), 4));
  Recorder handlers[3];
  for (Recorder& handler : handlers) client.pool.start(handler, kGet);
  REQUIRE(client.run_until([&] { return handlers[0].over() && handlers[1].over() && handlers[2].over(); }));
  for (const Recorder& handler : handlers) CHECK(handler.failure.cls == "connect");
}

TEST_CASE("http2: connections opened before the load") {
  Server server([](Peer& peer, int) { answer_all(peer); });
  Client client(http2_options(server.endpoint(), 4));
  bool done = false;
  client.pool.preconnect(10, [&](const Result<void>& result) { done = static_cast<bool>(result); });
  REQUIRE(client.run_until([&] { return done; }));
  CHECK(client.pool.counters().idle == 3);
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.info.reused);
}
