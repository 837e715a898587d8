// Servers that close, refuse, answer early or say too much: rows of the hostile-server table, over real
// sockets.
#include <doctest/doctest.h>

#include <sys/resource.h>

#include <atomic>
#include <string>
#include <vector>

#include "http1_peer.hpp"

using namespace tokometer;
using namespace tokometer::testing;

TEST_CASE("row 11: the server closes after each answer") {
  SUBCASE("announced") {
    Server server([](Peer& peer, int) {
      peer.request();
      peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    });
    Client client(server.endpoint());
    for (int i = 0; i < 3; ++i) {
      Recorder handler;
      REQUIRE(client.finish(handler, kGet));
      CHECK(handler.ended);
      CHECK_FALSE(handler.end.keep_alive);
    }
    CHECK(client.pool.counters().opened == 3);
  }
  SUBCASE("unannounced: the EOF of an idle connection drops it") {
    Server server([](Peer& peer, int) {
      peer.request();
      peer.send(kOk);
    });
    Client client(server.endpoint());
    for (unsigned i = 1; i <= 3; ++i) {
      Recorder handler;
      REQUIRE(client.finish(handler, kGet));
      CHECK(handler.ended);
      CHECK(handler.end.keep_alive);
      REQUIRE(client.run_until([&] { return client.pool.counters().closed_idle == i; }));
    }
    CHECK(client.pool.counters().opened == 3);
    CHECK(client.pool.counters().stale == 0);
  }
}

TEST_CASE("rows 5 and 10: closed before a response byte") {
  Recorder handler;
  SUBCASE("FIN on a new connection") {
    Server server([](Peer& peer, int) { peer.request(); });
    Client client(server.endpoint());
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.failure.cls == "closed");
    CHECK(handler.failure.message ==
          server.endpoint().text + ": closed the connection before a response byte");
  }
  SUBCASE("RST on a new connection") {
    Server server([](Peer& peer, int) {
      peer.request();
      peer.reset();
    });
    Client client(server.endpoint());
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.failure.cls == "closed");
    CHECK(handler.failure.message.find("ECONNRESET") != std::string::npos);
  }
  SUBCASE("on a reused connection, and never sent again") {
    std::atomic<int> requests = 0;
    Server server([&](Peer& peer, int) {
      peer.request();
      ++requests;
      peer.send(kOk);
      peer.request();
      ++requests;
    });
    Client client(server.endpoint());
    Recorder first;
    REQUIRE(client.finish(first, kGet));
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.failure.cls == "closed.reused");
    CHECK(handler.info.reused);
    CHECK(requests == 2);
    CHECK(client.pool.counters().opened == 1);
  }
  CHECK(handler.log.ends_with("failure=" + handler.failure.cls + " "));
}

TEST_CASE("row 12: a 408 into an idle connection") {
  Signal idle;
  Server server([&](Peer& peer, int n) {
    peer.request();
    peer.send(kOk);
    if (n > 0) return peer.wait_for_close();
    idle.wait();
    peer.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder first, second;
  REQUIRE(client.finish(first, kGet));
  CHECK_FALSE(first.info.after_stale);
  idle.set();
  REQUIRE(client.run_until([&] { return client.pool.counters().stale == 1; }));
  CHECK(client.pool.counters().idle == 0);
  CHECK(client.pool.counters().surplus_bytes == 51);
  REQUIRE(client.finish(second, kGet));
  CHECK(second.ended);
  CHECK(second.info.after_stale);
  CHECK_FALSE(second.info.reused);
}

TEST_CASE("row 116: cut in the middle") {
  Recorder handler;
  std::string expected = "truncated";
  std::function<void(Peer&)> script;
  SUBCASE("FIN inside a chunk") {
    script = [](Peer& peer) { peer.send(kChunkedHead + "5\r\nhel"); };
  }
  SUBCASE("FIN inside a body with a length") {
    script = [](Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"); };
  }
  SUBCASE("FIN inside the head") {
    script = [](Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nConte"); };
    expected = "framing";
  }
  SUBCASE("RST in a stream") {
    Signal read;
    Server server([&](Peer& peer, int) {
      peer.request();
      peer.send(kChunkedHead + "5\r\nhello\r\n");
      read.wait();
      peer.reset();
    });
    Client client(server.endpoint());
    handler.at_read_done = [&] { read.set(); };
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.body == "hello");
  }
  if (script) {
    Server server([&](Peer& peer, int) {
      peer.request();
      script(peer);
    });
    Client client(server.endpoint());
    REQUIRE(client.finish(handler, kGet));
  }
  CHECK(handler.failure.cls == expected);
  CHECK(static_cast<size_t>(handler.reads_done) == handler.stamps.size());
}

TEST_CASE("EOF for the 0-chunk is an end with a mark") {
  Server server([](Peer& peer, int) {
    peer.request();
    peer.send(kChunkedHead + "5\r\nhello\r\n");
  });
  Client client(server.endpoint());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.ended);
  CHECK(handler.end.no_last_chunk);
  CHECK_FALSE(handler.end.keep_alive);
}

TEST_CASE("row 47: read to close") {
  Server server([](Peer& peer, int) {
    peer.request();
    peer.send("HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  Client client(server.endpoint());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.ended);
  CHECK(handler.body == "all of it");
  CHECK_FALSE(handler.end.keep_alive);
  CHECK_FALSE(handler.end.no_last_chunk);
}

TEST_CASE("row 40: interim heads before the answer") {
  int n = 0;
  SUBCASE("16 pass") {
    n = 16;
  }
  SUBCASE("100 are too many") {
    n = 100;
  }
  Server server([&](Peer& peer, int) {
    peer.request();
    for (int i = 0; i < n; ++i) peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    peer.send(kOk);
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  client.pool.close_idle();
  CHECK(handler.ended == (n == 16));
  if (n == 100) CHECK(handler.failure.cls == "limit");
}

TEST_CASE("rows 46 and 56: bytes after the response") {
  Server server([](Peer& peer, int) {
    peer.request();
    peer.send(kOk + "HTTP/1.1 200 OK\r\n");
    peer.wait_for_close();
  });
  Client client(server.endpoint());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.ended);
  CHECK(handler.body == "ok");
  CHECK(handler.end.surplus);
  CHECK_FALSE(handler.end.keep_alive);
  CHECK(client.pool.counters().surplus_bytes == 17);
  CHECK(client.pool.counters().idle == 0);
}

TEST_CASE("row 13: an early 413") {
  const std::string request = post(16 << 20);  // more than any socket buffer takes
  const std::string refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
  Recorder handler;
  SUBCASE("then the server stops reading") {
    Signal over;
    Server server(
        [&](Peer& peer, int) {
          peer.head();
          peer.send(refusal);
          over.wait();
        },
        64 * 1024);
    Client client(server.endpoint());
    const bool finished = client.finish(handler, request);
    over.set();
    REQUIRE(finished);
    CHECK(client.pool.counters().active == 0);
  }
  SUBCASE("then it resets") {
    Signal told;
    Server server(
        [&](Peer& peer, int) {
          peer.head();
          peer.send(refusal);
          told.set();
          peer.reset();
        },
        64 * 1024);
    Client client(server.endpoint());
    client.pool.start(handler, request);
    REQUIRE(client.run_until([&] { return handler.sent_ns != kNoInstant; }));
    REQUIRE(told.wait());
    REQUIRE(client.run_until([&] { return handler.over(); }));
  }
  CHECK(handler.ended);
  CHECK(handler.status == 413);
  CHECK(handler.body == "no");
  CHECK(handler.send_done_ns == kNoInstant);
  CHECK_FALSE(handler.end.keep_alive);
}

TEST_CASE("row 1: nothing listens") {
  RefusedPort port;
  Client client(port.endpoint());
  Recorder handler;
  client.pool.start(handler, kGet);
  CHECK_FALSE(handler.over());  // never told from inside start()
  REQUIRE(client.run_until([&] { return handler.over(); }));
  CHECK(handler.log == "connecting failure=connect ");
  CHECK(handler.failure.message ==
        "connect to " + port.endpoint().text + ": Connection refused (ECONNREFUSED)");
  CHECK(client.pool.counters().connecting == 0);
}

TEST_CASE("row 9: several addresses") {
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Recorder first, second;
  SUBCASE("the first is refused") {
    RefusedPort dead;
    Client client({.endpoints = {dead.endpoint(), server.endpoint()}});
    REQUIRE(client.finish(first, kGet));
    CHECK(first.ended);
    client.pool.close_idle();
    REQUIRE(client.finish(second, kGet));  // the one that answered is tried first from now on
    CHECK(second.info.endpoint == server.endpoint().text);
  }
  SUBCASE("the first is silent: its accept queue is full") {
    RefusedPort silent;
    REQUIRE(::listen(silent.fd(), 0) == 0);
    std::vector<Socket> crowd(4);  // more than the queue holds, so that the next SYN is dropped
    for (Socket& socket : crowd) socket.start_connect(silent.endpoint());
    Client client({.endpoints = {silent.endpoint(), server.endpoint()}, .next_address_ns = 5'000'000});
    REQUIRE(client.finish(first, kGet));
    CHECK(first.ended);
    CHECK(first.info.endpoint == server.endpoint().text);
    CHECK(first.info.tcp_ready_ns - first.info.connect_ns >= 5'000'000);
    CHECK(client.pool.counters().opened == 1);
    CHECK(client.pool.counters().connecting == 0);
  }
  SUBCASE("all are refused") {
    RefusedPort a, b;
    Client client({.endpoints = {a.endpoint(), b.endpoint()}});
    REQUIRE(client.finish(first, kGet));
    CHECK(first.failure.cls == "connect");
    CHECK(first.failure.message.find(a.endpoint().text) != std::string::npos);
    CHECK(first.failure.message.find(b.endpoint().text) != std::string::npos);
  }
}

TEST_CASE("row 16: descriptors used up") {
#ifdef TOKOMETER_SANITIZED  // UBSan's vptr check opens a pipe; where none can be opened it reports a fault
                            // that is none
  MESSAGE("left out under a sanitizer");
  return;
#endif
  Server server([](Peer& peer, int) { answer_all(peer, kOk); });
  Client client(server.endpoint());
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 3;  // what is open stays open
  setrlimit(RLIMIT_NOFILE, &none);
  Recorder handler;
  client.pool.start(handler, kGet);
  setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE(client.run_until([&] { return handler.over(); }));
  CHECK(handler.failure.cls == "client.fd");
  CHECK(handler.failure.message.find("EMFILE") != std::string::npos);
}
