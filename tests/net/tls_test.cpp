// TLS over real loopback sockets: who is trusted, how a stream ends, what a read says of its times.
#include <doctest/doctest.h>

#include <fstream>
#include <string>
#include <vector>

#include "net/fetch.hpp"
#include "tls_peer.hpp"

using namespace tokometer;
using namespace tokometer::testing;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kOpenHead = "HTTP/1.1 200 OK\r\n\r\n";

void answer_all(TlsPeer& peer, const std::string& response) {
  while (!peer.request().empty()) peer.send(response);
}

std::string ca() {
  return Certificates::get().pem("ca");
}

}  // namespace

TEST_CASE("requests over TLS, and what they are told") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    TlsServer server([](TlsPeer& peer, int) { answer_all(peer, kOk); }, {.version = version});
    Client client(server.pool());
    Recorder first, second;
    REQUIRE(client.finish(first, kGet));
    CHECK(first.log == "connecting securing connection sent done head=200 end ");
    CHECK(first.body == "ok");
    CHECK(first.read_bytes == kOk.size());  // of HTTP, not of TLS
    CHECK(first.info.tcp_ready_ns <= first.info.tls_ready_ns);
    CHECK(first.info.tls_ready_ns <= first.sent_ns);
    CHECK_FALSE(first.info.tls_resumed);
    REQUIRE(client.finish(second, kGet));
    CHECK(second.log == "connection sent done head=200 end ");
    CHECK(second.info.id == first.info.id);
    CHECK(second.info.tls_ready_ns == kNoInstant);
  }
}

TEST_CASE("the next connection resumes the session, also after a bad end") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    TlsServer server(
        [](TlsPeer& peer, int n) {
          peer.request();
          peer.send(kOk);
          if (n == 1) peer.peer().reset();
        },
        {.version = version});
    Client client(server.pool());
    for (int i = 0; i < 4; ++i) {
      Recorder handler;
      REQUIRE(client.finish(handler, kGet));
      CHECK(handler.info.tls_resumed == (i > 0));
      client.pool.close_idle();
    }
    CHECK(client.pool.counters().resumed == 3);
  }
}

TEST_CASE("connections opened before the load") {
  TlsServer server([](TlsPeer& peer, int) { answer_all(peer, kOk); });
  Client client(server.pool());
  bool done = false;
  client.pool.preconnect(3, [&](Result<void> result) {
    CHECK(result);
    done = true;
  });
  REQUIRE(client.run_until([&] { return done; }));
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.info.reused);
  CHECK(handler.ended);
  CHECK(client.pool.counters().opened == 3);
}

TEST_CASE("row 23: a handshake that no request waits for is given up") {
  Server server([](Peer& peer, int) { peer.wait_for_close(); });
  Client client({.endpoints = {server.endpoint()},
                 .handshake_ns = 20'000'000,
                 .tls = *TlsContext::make({}),
                 .tls_host = "localhost"});
  std::string message;
  client.pool.preconnect(2, [&](const Result<void>& result) {
    REQUIRE_FALSE(result);
    message = result.error().message;
  });
  REQUIRE(client.run_until([&] { return !message.empty(); }));
  CHECK(message == "timeout.tls: the handshake takes too long");
  CHECK(client.pool.counters().connecting == 0);
}

TEST_CASE("rows 17 to 19: certificates that are not accepted") {
  struct Case {
    const char* certificate;
    TlsOptions tls;
    const char* host;
    std::string expected;  // after "TLS with 127.0.0.1:PORT: "; empty: it is accepted
  };
  const std::string trust = "; set target.tls.ca_file to the certificate of the authority that signed it";
  const std::string certificate = "the server's certificate ";
  const std::vector<Case> cases = {
      {"good", {.ca_file = ca()}, "localhost", ""},
      {"good", {.ca_file = ca()}, "127.0.0.1", ""},
      {"good", {.ca_file = ca()}, "::1", ""},
      {"chain-full", {.ca_file = ca()}, "localhost", ""},
      {"self", {.verify = false}, "localhost", ""},
      {"other", {.verify = false}, "localhost", ""},
      {"self", {.ca_file = Certificates::get().pem("self")}, "localhost", ""},
      {"self",
       {.ca_file = ca()},
       "localhost",
       certificate + "is self-signed; set target.tls.ca_file to it, if it is the right one"},
      {"good",
       {},
       "localhost",
       certificate +
           "is signed by an authority that is not known here, or the server leaves out an intermediate "
           "certificate" +
           trust},
      {"chain",
       {.ca_file = ca()},
       "localhost",
       certificate +
           "is signed by an authority that is not known here, or the server leaves out an intermediate "
           "certificate" +
           trust},
      {"expired", {.ca_file = ca()}, "localhost", certificate + "has expired on 2020-02-01 00:00 UTC"},
      {"future", {.ca_file = ca()}, "localhost", certificate + "is not valid before 2090-01-01 00:00 UTC"},
      {"weak", {.ca_file = ca()}, "localhost", certificate + "has a key or a signature that is too weak"},
      {"other",
       {.ca_file = ca()},
       "localhost",
       certificate + "is not for \"localhost\": it names other.example"},
      {"good",
       {.ca_file = ca()},
       "gpu-1",
       certificate + "is not for \"gpu-1\": it names localhost, 127.0.0.1, ::1"},
      {"good",
       {.ca_file = ca()},
       "127.0.0.2",
       certificate + "is not for \"127.0.0.2\": it names localhost, 127.0.0.1, ::1"},
      {"cn", {.ca_file = ca()}, "localhost", certificate + "is not for \"localhost\": it names no host"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.certificate);
    CAPTURE(c.host);
    TlsServer server([](TlsPeer& peer, int) { answer_all(peer, kOk); }, {.certificate = c.certificate});
    Client client(server.pool(c.tls, c.host));
    Recorder handler;
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.ended == c.expected.empty());
    if (c.expected.empty()) continue;
    CHECK(handler.log == "connecting securing failure=tls ");
    CHECK(handler.failure.message == "TLS with " + server.endpoint().text + ": " + c.expected);
  }
}

TEST_CASE("rows 20 and 28: handshakes that do not come to an end") {
  struct Case {
    TlsServerOptions server;
    TlsOptions client;
    std::string expected;  // empty: it works
  };
  const Certificates& all = Certificates::get();
  const TlsOptions plain{.ca_file = ca()};
  const TlsOptions known{.ca_file = ca(), .cert_file = all.pem("client"), .key_file = all.key("client")};
  const TlsOptions stranger{.ca_file = ca(), .cert_file = all.pem("self"), .key_file = all.key("self")};
  const std::string none = "the server asks for a client certificate";
  const std::vector<Case> cases = {
      {{.client_certificate = true, .version = TLS1_3_VERSION}, known, ""},
      {{.client_certificate = true, .version = TLS1_2_VERSION}, known, ""},
      {{.client_certificate = true, .version = TLS1_3_VERSION},
       plain,
       "the server asks for a client certificate; set target.tls.cert_file and key_file"},
      {{.client_certificate = true, .version = TLS1_2_VERSION},
       plain,
       "it asks for a client certificate (target.tls.cert_file and key_file)"},
      {{.client_certificate = true, .version = TLS1_3_VERSION},
       stranger,
       "the server does not accept our certificate; set target.tls.cert_file and key_file to one that it "
       "accepts"},
      {{.client_certificate = true, .version = TLS1_2_VERSION},
       stranger,
       "the server does not accept our certificate; set target.tls.cert_file and key_file to one that it "
       "accepts"},
      {{.version = TLS1_1_VERSION}, plain, "the server speaks no TLS version from 1.2 on"},
      {{.protocol = "http/1.1"}, plain, ""},
      {{.protocol = "h2"},
       plain,
       "the server does not speak the version of HTTP that target.connections.http asks for (ALPN); gRPC "
       "asks for 2"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.expected);
    CAPTURE(c.server.version);
    TlsServer server([](TlsPeer& peer, int) { answer_all(peer, kOk); }, c.server);
    Client client(server.pool(c.client));
    Recorder handler;
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.ended == c.expected.empty());
    if (c.expected.empty()) continue;
    CHECK(handler.failure.cls == "tls");
    CHECK(handler.failure.message.find(server.endpoint().text + ": ") != std::string::npos);
    CHECK_MESSAGE(handler.failure.message.ends_with(c.expected), handler.failure.message);
  }
}

TEST_CASE("rows 21 and 24: a peer that speaks no TLS, or none to the end") {
  struct Case {
    std::string sent;  // then it closes
    std::string expected;
  };
  const std::string plain =
      "the server speaks plain text on this port, not TLS; use http:// in place of https://";
  const std::vector<Case> cases = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", plain},
      {"Invalid HTTP request received.", plain},
      {"", "the server closed the connection in the handshake: does it speak TLS on this port?"},
      {std::string("\x15\x03\x03\x00\x02\x02\x28", 7),
       "the server refused the handshake: no common cipher, or it asks for a client certificate "
       "(target.tls.cert_file and key_file)"},
      {std::string("\x16\x03\x03\x00\x04\x63\x00\x00\x00", 9), "TLS failed: unexpected message"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.sent);
    Server server([&](Peer& peer, int) {
      peer.exactly(5);
      peer.send(c.sent);
      peer.finish();
    });
    Client client({.endpoints = {server.endpoint()}, .tls = *TlsContext::make({}), .tls_host = "localhost"});
    Recorder handler;
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.log == "connecting securing failure=tls ");
    CHECK(handler.failure.message == "TLS with " + server.endpoint().text + ": " + c.expected);
  }
}

TEST_CASE("rows 25 and 26: how a response may end") {
  struct Case {
    std::string response;
    enum { close_notify, fin, reset, cut_record } end;
    const char* log;
    std::string message = {};
  };
  const std::string framed = kChunkedHead + "2\r\nok\r\n0\r\n\r\n";
  const std::vector<Case> cases = {
      {framed, Case::fin, "head=200 end "},
      {framed, Case::close_notify, "head=200 end "},
      {kOpenHead + "ok", Case::close_notify, "head=200 end "},
      {kOpenHead + "ok", Case::fin, "head=200 failure=truncated ",
       "closed the connection without the close_notify of TLS, the only end that this response has"},
      {kOpenHead + "ok", Case::cut_record, "head=200 failure=truncated ",
       "closed the connection inside a TLS record"},
      {kChunkedHead + "5\r\nok", Case::close_notify, "head=200 failure=truncated ", ""},
      {kChunkedHead + "5\r\nok", Case::fin, "head=200 failure=truncated ", ""},
      {kChunkedHead + "2\r\nok\r\n", Case::cut_record, "head=200 failure=truncated ",
       "closed the connection inside a TLS record"},
      {kChunkedHead + "2\r\nok\r\n", Case::reset, "head=200 failure=truncated ", ""},
      {"", Case::close_notify, "failure=closed ", "closed the connection before a response byte"},
      {"", Case::fin, "failure=closed ", "closed the connection before a response byte"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.response);
    CAPTURE(c.end);
    Signal seen;
    TlsServer server([&](TlsPeer& peer, int) {
      peer.request();
      if (!c.response.empty()) peer.send(c.response);
      if (c.end == Case::reset) seen.wait();
      if (c.end == Case::reset) return peer.peer().reset();
      if (c.end == Case::close_notify) peer.close_notify();
      if (c.end == Case::cut_record) peer.peer().send(std::string("\x17\x03\x03\x01\x00half", 9));
      peer.peer().finish();
    });
    Client client(server.pool());
    Recorder handler;
    handler.at_read_done = [&] { seen.set(); };
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.log == std::string("connecting securing connection sent done ") + c.log);
    if (!c.message.empty()) CHECK(handler.failure.message == server.endpoint().text + ": " + c.message);
  }
}

TEST_CASE("row 24: a record that was tampered with") {
  TlsServer server([](TlsPeer& peer, int) {
    peer.request();
    peer.send(kChunkedHead);
    peer.peer().send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
    peer.peer().wait_for_close();
  });
  Client client(server.pool());
  Recorder handler;
  REQUIRE(client.finish(handler, kGet));
  CHECK(handler.failure.cls == "tls");
  CHECK(handler.failure.message ==
        server.endpoint().text + ": TLS failed: decryption failed or bad record mac");
}

TEST_CASE("close_notify behind a whole response: the connection is not used again") {
  bool together = false;
  SUBCASE("in the same segment") {
    together = true;
  }
  SUBCASE("in another") {}
  TlsServer server([&](TlsPeer& peer, int) {
    peer.request();
    if (together) {
      peer.peer().send(peer.records([&] {
        peer.send(kOk);
        peer.close_notify();
      }));
    } else {
      peer.send(kOk);
      peer.close_notify();
    }
    peer.peer().wait_for_close();  // the socket stays: only TLS is over
  });
  Client client(server.pool());
  for (int i = 0; i < 3; ++i) {
    Recorder handler;
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.ended);
    CHECK_FALSE(handler.info.reused);
    if (together) CHECK_FALSE(handler.end.keep_alive);
    REQUIRE(client.run_until([&] { return client.pool.counters().idle == 0; }));
  }
}

TEST_CASE("row 27: tickets and key updates in the middle of streams") {
  constexpr int kRounds = 100;
  TlsServer server(
      [](TlsPeer& peer, int) {
        for (int i = 0; i < 2; ++i) {
          peer.request();
          peer.send(kChunkedHead);
          for (int k = 0; k < kRounds; ++k) {
            peer.send("1\r\n" + std::string(1, static_cast<char>('a' + k % 26)) + "\r\n");
            k % 2 == 0 ? peer.tickets(1) : peer.update_keys();
          }
          peer.send("0\r\n\r\n");
          peer.tickets(1);  // on the idle connection
        }
        peer.request();
      },
      {.version = TLS1_3_VERSION});
  Client client(server.pool());
  for (int i = 0; i < 2; ++i) {
    Recorder handler;
    REQUIRE(client.finish(handler, kGet));
    CHECK(handler.ended);
    CHECK(handler.body.size() == kRounds);
    CHECK(handler.info.reused == (i == 1));
    CHECK(handler.log.find("done ") == handler.log.rfind("done "));
  }
}

TEST_CASE("a read says when its last record was complete, and whether another had begun") {
  // A record with the first `cut` bytes of the next, then the rest. 23: five are left, as many as a head has.
  for (const size_t cut : {size_t{1}, size_t{4}, size_t{5}, size_t{6}, size_t{23}, size_t{27}}) {
    CAPTURE(cut);
    std::string log;
    Signal first, second;
    TlsServer server([&](TlsPeer& peer, int) {
      peer.request();
      peer.send(kChunkedHead);
      first.wait();
      const std::string records = peer.records([&] {
        peer.send("1\r\na\r\n");
        peer.send("1\r\nb\r\n");
      });
      peer.peer().send(std::string_view(records).substr(0, records.size() / 2 + cut));
      second.wait();
      peer.peer().send(std::string_view(records).substr(records.size() / 2 + cut));
    });
    Client client(server.pool());
    Recorder handler;
    handler.at_read_done = [&] {
      log += handler.stamps.back().cut_record ? "cut " : "whole ";
      if (handler.stamps.size() == 1) first.set();
      if (handler.stamps.size() == 2) second.set();
    };
    client.pool.start(handler, kGet);
    REQUIRE(client.run_until([&] { return handler.body == "ab"; }));
    CHECK(log == "whole cut whole ");
    REQUIRE(handler.stamps.size() == 3);
    for (size_t i = 1; i < 3; ++i) CHECK(handler.stamps[i].at_ns > handler.stamps[i - 1].at_ns);
    client.pool.cancel(handler);
  }
}

TEST_CASE("a long prompt and a long answer") {
  const std::string body(20'000'000, 'p');
  const std::string request = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n" + body;
  size_t received = 0;
  TlsServer server([&](TlsPeer& peer, int) {
    peer.request();
    std::string bytes(64 * 1024, '\0');
    while (received < body.size()) {
      const int got = SSL_read(peer.ssl(), bytes.data(), static_cast<int>(bytes.size()));
      if (got <= 0) return;
      received += static_cast<size_t>(got);
    }
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n" + body);
  });
  Client client(server.pool());
  Recorder handler;
  REQUIRE(client.finish(handler, request));
  CHECK(handler.ended);
  CHECK(received == body.size());
  CHECK(handler.body == body);
  CHECK(handler.progress > 0);
}

TEST_CASE("options of target.tls that cannot be used") {
  const Certificates& all = Certificates::get();
  struct Case {
    TlsOptions options;
    std::string expected;
  };
  const std::string locked = all.key("locked"), empty = "/dev/null";
  const std::vector<Case> cases = {
      {{.ca_file = "/no/ca.pem"}, "target.tls.ca_file: /no/ca.pem: No such file or directory (ENOENT)"},
      {{.ca_file = "/tmp"}, "target.tls.ca_file: /tmp: is a folder"},
      {{.ca_file = empty}, "target.tls.ca_file: /dev/null: holds no certificate in PEM form"},
      {{.cert_file = all.pem("client")}, "target.tls.key_file: is missing; a client certificate needs both"},
      {{.key_file = all.key("client")}, "target.tls.cert_file: is missing; a client certificate needs both"},
      {{.cert_file = all.key("client"), .key_file = all.key("client")},
       "target.tls.cert_file: " + all.key("client") + ": holds no certificate in PEM form"},
      {{.cert_file = all.pem("client"), .key_file = all.key("good")},
       "target.tls.key_file: " + all.key("good") + ": is not the key of the certificate in cert_file"},
      {{.cert_file = all.pem("client"), .key_file = locked},
       "target.tls.key_file: " + locked + ": holds no private key in PEM form without a passphrase"},
      {{.cert_file = all.pem("weak"), .key_file = all.key("weak")},
       "target.tls.cert_file: " + all.pem("weak") + ": its key or signature is too weak"},
  };
  for (const Case& c : cases) {
    const auto context = TlsContext::make(c.options);
    REQUIRE_FALSE(context);
    CHECK(context.error().message == c.expected);
  }
}

TEST_CASE("fetch over TLS") {
  TlsServer server([](TlsPeer& peer, int) { answer_all(peer, kOk); });
  const Url url = *parse_url("https://" + server.endpoint().text, 80);
  const auto answer = fetch({.url = url, .tls = *TlsContext::make({.ca_file = ca()})});
  REQUIRE(answer);
  CHECK(answer->body == "ok");
  const auto refused = fetch({.url = url});  // the system's authorities
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.starts_with("tls: GET " + url.text() + "/: TLS with " +
                                            server.endpoint().text +
                                            ": the server's certificate is signed by an authority"));
}
