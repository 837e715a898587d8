// Requests over real loopback sockets against a scripted server: connections kept, shared, dropped, drained.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "http1_peer.hpp"

using namespace tokometer;
using namespace tokometer::testing;

TEST_CASE("one connection serves request after request") {
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Client client(server.endpoint());
  Recorder first;
  REQUIRE(client.finish(first, kGet));
  CHECK(first.log == "connecting connection sent done head=200 end ");
  CHECK(first.body == "ok");
  CHECK(first.end.keep_alive);
  CHECK_FALSE(first.info.reused);
  CHECK(first.info.connect_ns <= first.info.tcp_ready_ns);
  CHECK(first.info.tcp_ready_ns <= first.sent_ns);
  CHECK(first.sent_ns <= first.send_done_ns);
  CHECK(first.info.endpoint == server.endpoint().text);

  Recorder second;
  REQUIRE(client.finish(second, kGet));
  CHECK(second.log == "connection sent done head=200 end ");
  CHECK(second.info.reused);
  CHECK(second.info.id == first.info.id);
  CHECK(second.info.connect_ns == kNoInstant);
  CHECK(second.info.tcp_ready_ns == kNoInstant);
  CHECK(client.pool.counters().opened == 1);
  CHECK(client.pool.counters().reused == 1);
  CHECK(client.pool.counters().idle == 1);
}

TEST_CASE("the connection used last is taken first") {
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Client client(server.endpoint());
  Recorder a, b, c;
  client.pool.start(a, kGet);
  client.pool.start(b, kGet);
  REQUIRE(client.run_until([&] { return a.over() && b.over(); }));
  CHECK(a.info.id != b.info.id);
  CHECK(client.pool.counters().idle == 2);
  REQUIRE(client.finish(c, kGet));
  const auto first_id = c.info.id;
  Recorder d;
  REQUIRE(client.finish(d, kGet));
  CHECK(d.info.id == first_id);
}

TEST_CASE("a tenant's requests follow one another on its own connection, which nobody else takes") {
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Client client(server.endpoint());
  const auto request = [&](Tenant tenant) {
    Recorder recorder;
    recorder.tenant = tenant;
    REQUIRE(client.finish(recorder, kGet));
    return recorder.info.id;
  };
  const auto first = request({.id = 7, .moves_in = true, .moves_out = false});
  const auto second = request({.id = 8, .moves_in = true, .moves_out = false});
  const auto anybody = request({});
  CHECK(std::set<uint64_t>{first, second, anybody}.size() == 3);
  CHECK(request({.id = 7, .moves_in = false, .moves_out = false}) == first);
  CHECK(request({.id = 8, .moves_in = false, .moves_out = true}) == second);
  CHECK(request({.id = 9, .moves_in = true, .moves_out = false}) == second);
  CHECK(request({}) == anybody);
  client.pool.close_idle();
  const auto next = request({.id = 7, .moves_in = false, .moves_out = false});
  CHECK(next > second);
  CHECK(request({.id = 7, .moves_in = false, .moves_out = true}) == next);
}

TEST_CASE("a handler may start its next request from on_end") {
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Client client(server.endpoint());
  Recorder handler;
  int rounds = 0;
  handler.at_end = [&] {
    if (++rounds < 100) client.pool.start(handler, kGet);
  };
  client.pool.start(handler, kGet);
  REQUIRE(client.run_until([&] { return rounds == 100; }));
  CHECK(client.pool.counters().opened == 1);
  CHECK(client.pool.counters().reused == 99);
}

TEST_CASE("policy fresh: a connection for each request") {
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Client client({.endpoints = {server.endpoint()}, .policy = ConnectionPolicy::fresh});
  Recorder first, second;
  REQUIRE(client.finish(first, kGet));
  REQUIRE(client.finish(second, kGet));
  CHECK_FALSE(first.end.keep_alive);
  CHECK_FALSE(second.info.reused);
  CHECK(first.info.id != second.info.id);
  CHECK(client.pool.counters().opened == 2);
  CHECK(client.pool.counters().idle == 0);
}

TEST_CASE("an idle connection is asked before it is used, not only watched") {
  Signal answered;
  Signal closed;
  Server server([&](Peer& peer, int n) {
    peer.request();
    peer.send(kOk);
    if (n > 0) return peer.wait_for_close();
    answered.wait();
    peer.close();
    closed.set();
  });
  Client client(server.endpoint());
  Recorder first, second;
  REQUIRE(client.finish(first, kGet));
  answered.set();
  REQUIRE(closed.wait());
  client.pool.start(second, kGet);  // the loop has not run since
  CHECK(client.pool.counters().closed_idle == 1);
  REQUIRE(client.run_until([&] { return second.over(); }));
  CHECK(second.ended);
}

TEST_CASE("a request that the kernel takes in parts") {
  const std::string request = post(16 << 20);
  Signal full;
  size_t received = 0;
  bool intact = false;
  Server server(
      [&](Peer& peer, int) {
        full.wait();
        const std::string got = peer.request();
        received = got.size();
        intact = got == request;
        peer.send(kOk);
        peer.wait_for_close();
      },
      64 * 1024);
  Client client(server.endpoint());
  Recorder handler;
  client.pool.start(handler, request);
  REQUIRE(client.run_until([&] { return handler.progress > 0; }));
  CHECK(handler.bytes_left > 0);
  CHECK(handler.send_done_ns == kNoInstant);
  full.set();
  REQUIRE(client.run_until([&] { return handler.over(); }));
  CHECK(handler.ended);
  CHECK(handler.end.keep_alive);
  CHECK(handler.log.ends_with("sent done head=200 end "));
  CHECK(handler.progress > 1);
  CHECK(received == request.size());
  CHECK(intact);
  client.pool.close_idle();
}

TEST_CASE("cancel") {
  Signal closed;
  Server server([&](Peer& peer, int) {
    peer.request();
    peer.send(kChunkedHead + "5\r\nhello\r\n5\r\nworld\r\n");
    peer.wait_for_close();
    closed.set();
  });
  Client client(server.endpoint());
  Recorder handler;
  const auto cancel = [&] { client.pool.cancel(handler); };
  std::string expected;
  SUBCASE("while connecting") {
    client.pool.start(handler, kGet);
    const std::string before = handler.log;
    cancel();
    expected = before;
    while (client.io.poll_one() > 0) {
    }
    closed.set();
  }
  SUBCASE("in on_connection") {
    handler.at_connection = cancel;
    expected = "connecting connection ";
    closed.set();
  }
  SUBCASE("in on_head") {
    handler.at_head = cancel;
    expected = "connecting connection sent done head=200 ";
  }
  SUBCASE("in on_body") {
    handler.at_body = cancel;
    expected = "connecting connection sent done head=200 ";
  }
  SUBCASE("in on_read_done") {
    handler.at_read_done = cancel;
    expected = "connecting connection sent done head=200 ";
  }
  if (expected.find("connection") != std::string::npos && handler.log.empty()) {
    client.pool.start(handler, kGet);
    REQUIRE(client.run_until(
        [&] { return client.pool.counters().active + client.pool.counters().connecting == 0; }));
  }
  CHECK(closed.wait());  // the server saw it
  CHECK(handler.log == expected);
  CHECK_FALSE(handler.over());
  CHECK(client.pool.counters().active == 0);
  CHECK(client.pool.counters().idle == 0);
  client.pool.cancel(handler);  // without effect
}

TEST_CASE("cancel and start again in one callback") {
  Server server([](Peer& peer, int n) {
    peer.request();
    peer.send(n == 0 ? kChunkedHead + "1\r\nx\r\n1\r\ny\r\n" : kOk);
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder handler;
  handler.at_body = [&] {
    handler.at_body = nullptr;
    client.pool.cancel(handler);
    client.pool.start(handler, kGet);
  };
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.body == "xok");
  CHECK(handler.ended);
  client.pool.close_idle();
}

TEST_CASE("detach: the rest is drained") {
  Signal detached;
  std::string rest = "0\r\n\r\n";
  bool ends = true;
  SUBCASE("and the connection used again") {}
  SUBCASE("in the same read") {
    rest.clear();
  }
  SUBCASE("with late bytes, which are dropped") {
    rest = "3\r\nabc\r\n0\r\n\r\n";
  }
  SUBCASE("for a while only") {
    ends = false;
  }
  Server server([&](Peer& peer, int n) {
    peer.request();
    if (n > 0) return peer.send(kOk);
    peer.send(kChunkedHead + "6\r\n[DONE]\r\n" + (rest.empty() ? "0\r\n\r\n" : ""));
    detached.wait();
    if (ends) {
      peer.send(rest);
      peer.request();
      peer.send(kOk);
    }
    peer.wait_for_close();
  });
  Client client({.endpoints = {server.endpoint()},
                 .drain_ns = ends ? int64_t{kSafetySeconds} * 1'000'000'000 : 20'000'000});
  Recorder handler;
  handler.at_body = [&] {
    client.pool.detach(handler);
    detached.set();
  };
  client.pool.start(handler, kGet);
  REQUIRE(client.run_until([&] {
    const PoolCounters now = client.pool.counters();
    return !handler.body.empty() && now.draining == 0 && now.active == 0;
  }));
  CHECK(handler.log == "connecting connection sent done head=200 ");  // nothing after the detach
  CHECK(handler.reads_done == 0);
  CHECK(handler.body == "[DONE]");
  CHECK(client.pool.counters().idle == (ends ? 1 : 0));
  CHECK(client.pool.counters().surplus_bytes == (rest.starts_with('3') ? 3 : 0));
  Recorder next;
  REQUIRE(client.finish(next, kGet));
  CHECK(next.ended);
  CHECK(next.info.reused == ends);
  client.pool.close_idle();
}

TEST_CASE("preconnect") {
  Result<void> result;
  bool done = false;
  const auto note = [&](Result<void> told) {
    result = std::move(told);
    done = true;
  };
  SUBCASE("more than go at once") {
    Server server([](Peer& peer, int) { answer_all(peer, kOk); });
    Client client(server.endpoint());
    client.pool.preconnect(150, note);
    REQUIRE(client.run_until([&] { return done; }));
    CHECK(result);
    CHECK(client.pool.counters().opened == 150);
    CHECK(client.pool.counters().idle == 150);
    Recorder handler;
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.log == "connection sent done head=200 end ");
    CHECK(handler.info.reused);
    CHECK(handler.info.connect_ns == kNoInstant);
    CHECK(client.pool.counters().opened == 150);
  }
  SUBCASE("one job after the other") {
    Server server([](Peer& peer, int) { answer_all(peer, kOk); });
    Client client(server.endpoint());
    int finished = 0;
    for (const size_t n : {size_t{2}, size_t{0}, size_t{3}}) {
      client.pool.preconnect(n, [&, n](Result<void> told) {
        CHECK(told);
        finished += static_cast<int>(n) + 1;
      });
    }
    REQUIRE(client.run_until([&] { return finished == 8; }));
    CHECK(client.pool.counters().idle == 5);
  }
  SUBCASE("none") {
    RefusedPort port;
    Client client(port.endpoint());
    client.pool.preconnect(0, note);
    REQUIRE(client.run_until([&] { return done; }));
    CHECK(result);
  }
  SUBCASE("refused") {
    RefusedPort port;
    Client client(port.endpoint());
    client.pool.preconnect(100, note);
    REQUIRE(client.run_until([&] { return done; }));
    REQUIRE_FALSE(result);
    CHECK(result.error().message ==
          "connect: connect to " + port.endpoint().text + ": Connection refused (ECONNREFUSED)");
  }
}

TEST_CASE("an idle connection is closed after max_idle") {
  Signal closed;
  Server server([&](Peer& peer, int) {
    answer_all(peer, kOk);
    closed.set();
  });
  Client client({.endpoints = {server.endpoint()}, .max_idle_ns = 10'000'000});
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(client.pool.counters().idle == 1);
  REQUIRE(client.run_until([&] { return client.pool.counters().idle == 0; }));
  CHECK(closed.wait());
  CHECK(client.pool.counters().closed_idle == 0);
}

TEST_CASE("a pool may be destroyed with everything under way") {
  Server server([](Peer& peer, int) {
    peer.request();
    peer.send(kChunkedHead);
    peer.wait_for_close();
  });
  Recorder streaming, connecting;
  Client client(server.endpoint());
  {
    Pool pool(client.io, client.poller, client.clock, {.endpoints = {server.endpoint()}});
    pool.start(streaming, kGet);
    REQUIRE(client.run_until([&] { return streaming.status == 200; }));
    pool.start(connecting, kGet);
    pool.preconnect(3, [](Result<void>) { FAIL("not called any more"); });
  }
  while (client.io.poll_one() > 0) {
  }
  CHECK_FALSE(streaming.over());
  CHECK_FALSE(connecting.over());
}
