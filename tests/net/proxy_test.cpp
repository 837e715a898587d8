#include "net/proxy.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "loopback.hpp"
#include "net/fetch.hpp"
#include "net/request_head.hpp"

using namespace tokometer;
using namespace tokometer::testing;

namespace {

const std::string kOpened = "HTTP/1.1 200 Connection established\r\n\r\n";

PoolOptions through(const Server& proxy) {
  return {.endpoints = {proxy.endpoint()}, .tunnel_request = "CONNECT gpu-1:8000 HTTP/1.1\r\n\r\n"};
}

const std::string kRequest = "POST / HTTP/1.1\r\n\r\n";
const std::string kReply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("who is behind no proxy") {
  struct Row {
    const char *list, *url;
    bool exempt;
  };
  const std::vector<Row> rows = {{"", "http://a", false},
                                 {"*", "http://a", true},
                                 {"a", "http://a", true},
                                 {"A", "http://a", true},
                                 {"b, a", "http://a", true},
                                 {"b a", "http://a", true},
                                 {"b,,", "http://a", false},
                                 {"example.org", "http://gpu.example.org", true},
                                 {".example.org", "http://gpu.example.org", true},
                                 {".example.org", "http://example.org", true},
                                 {"example.org", "http://badexample.org", false},
                                 {".", "http://a", false},
                                 {"a:8000", "http://a:8000", true},
                                 {"a:8001", "http://a:8000", false},
                                 {"127.0.0.1", "http://127.0.0.1:9", true},
                                 {"127.0.0.1:9", "http://127.0.0.1:9", true},
                                 {"127.0.0.1", "http://127.0.0.2:9", false},
                                 {"127.0.0.0/8", "http://127.1.2.3", true},
                                 {"10.0.0.0/9", "http://10.128.0.1", false},
                                 {"0.0.0.0/0", "http://10.128.0.1", true},
                                 {"10.0.0.0/33", "http://10.0.0.0", false},
                                 {"10.0.0.0/x", "http://10.0.0.0", false},
                                 {"10.0.0.0/", "http://10.0.0.0", false},
                                 {"::1", "http://[::1]:8000", true},
                                 {"[::1]", "http://[::1]:8000", true},
                                 {"fd00::/8", "http://[fd12::1]", true},
                                 {"fd00::/8", "http://10.0.0.1", false},
                                 {"0.1", "http://10.0.0.1", false}};
  for (const Row& row : rows) {
    CAPTURE(row.list);
    CAPTURE(row.url);
    CHECK(is_exempt(row.list, *parse_url(row.url, 80)) == row.exempt);
  }
}

TEST_CASE("what a proxy is asked") {
  Proxy proxy{.url = *parse_url("http://p:3128", 0), .authorization = ""};
  const std::string plain = tunnel_request(proxy, *parse_url("https://gpu-1", 80));
  CHECK(plain.starts_with("CONNECT gpu-1:443 HTTP/1.1\r\nHost: gpu-1:443\r\n"));
  CHECK(plain.ends_with("\r\n\r\n"));
  CHECK(plain.find("Proxy-Authorization") == std::string::npos);
  CHECK(tunnel_request(proxy, *parse_url("grpc://[::1]:8001", 80)).starts_with("CONNECT [::1]:8001 "));
  CHECK(basic_authorization("user:pass") == "Basic dXNlcjpwYXNz");
  CHECK(basic_authorization("u:p") == "Basic dTpw");
  CHECK(basic_authorization("user:") == "Basic dXNlcjo=");
  CHECK(basic_authorization("ab:c") == "Basic YWI6Yw==");
  proxy.authorization = "Basic dTpw";
  CHECK(tunnel_request(proxy, *parse_url("https://gpu-1", 80))
            .find("\r\nProxy-Authorization: Basic dTpw\r\n") != std::string::npos);
}

TEST_CASE("through a tunnel, its answer cut anywhere") {
  int with_kernel_stamp = 0;  // the first user of stamps on a host finds them switched on a little later
  const SteadyClock clock;
  const Receiver keeps_stamping_on(clock);
  for (const std::string& answer : {kOpened, "HTTP/1.1 102 Wait\r\n\r\n" + kOpened}) {
    for (size_t cut = 1; cut < answer.size(); ++cut) {
      CAPTURE(cut);
      Server server([&](Peer& peer, int) {
        peer.head();
        peer.send(answer.substr(0, cut));
        peer.send(answer.substr(cut));
        peer.head();
        peer.send(kReply);
        peer.wait_for_close();
      });
      Client client(through(server));
      Recorder handler;
      REQUIRE(client.finish(handler, kRequest));
      CHECK(handler.body == "ok");
      CHECK(handler.log == "connecting connection sent done head=200 end ");
      with_kernel_stamp += handler.stamps.back().kernel ? 1 : 0;
    }
  }
  CHECK(with_kernel_stamp > 0);
}

TEST_CASE("bytes of the server right behind the tunnel's answer are the server's") {
  Server server([](Peer& peer, int) {
    peer.head();
    peer.send(kOpened + std::string("\0\0\0\4\0\0\0\0\0", 9));  // SETTINGS of HTTP/2
    peer.wait_for_close();
  });
  Client client(through(server));
  Recorder handler;
  REQUIRE(client.finish(handler, kRequest));
  CHECK(handler.failure.cls == "framing");
  CHECK(handler.failure.message.find("speaks HTTP/2") != std::string::npos);
}

TEST_CASE("no tunnel") {
  struct Row {
    std::string answer, cls, sentence;
  };
  const std::vector<Row> rows = {
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy.407", "a user and a password"},
      {"HTTP/1.0 502 Bad Gateway\r\nX: y\r\n\r\n", "proxy.502", "it answered \"HTTP/1.0 502 Bad Gateway\""},
      {"SSH-2.0\r\n\r\n", "proxy", "did not answer CONNECT in HTTP/1.1: \"SSH-2.0\""},
      {"HTTP/1.1 20\r\n\r\n", "proxy", "did not answer CONNECT in HTTP/1.1"},
      {"HTTP/1.1 200 OK\r\n", "proxy", "closed the connection in place of an answer"},
      {"", "proxy", "closed the connection in place of an answer"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'y'), "proxy", "more than 16 KiB"}};
  for (const Row& row : rows) {
    for (const bool http2 : {false, true}) {
      CAPTURE(row.answer.substr(0, 40));
      Server server([&](Peer& peer, int) {
        peer.head();
        peer.send(row.answer);
        peer.finish();
      });
      PoolOptions options = through(server);
      options.http2 = http2;
      Client client(options);
      Recorder handler;
      std::string request = kRequest;
      if (http2) {
        request.clear();
        RequestHead head;
        head.target = "/";
        head.authority = "gpu-1:8000";
        REQUIRE(write_http2_request_head(head, request));
      }
      REQUIRE(client.finish(handler, request));
      CHECK(handler.failure.cls == row.cls);
      CHECK(handler.failure.message.find(row.sentence) != std::string::npos);
      CHECK(handler.failure.message.starts_with(server.endpoint().text + ": "));
    }
  }
}

TEST_CASE("connections opened before the load go through the tunnel, too") {
  Server server([](Peer& peer, int) {
    peer.head();
    peer.send(kOpened);
    peer.head();
    peer.send(kReply);
    peer.wait_for_close();
  });
  Client client(through(server));
  bool done = false, good = false;
  client.pool.preconnect(3, [&](const Result<void>& result) { done = true, good = bool(result); });
  REQUIRE(client.run_until([&] { return done; }));
  CHECK(good);
  CHECK(client.pool.counters().idle == 3);
  Recorder handler;
  REQUIRE(client.finish(handler, kRequest));
  CHECK(handler.info.reused);
}

TEST_CASE("a request that is cancelled while the proxy is silent") {
  Signal asked;
  Server server([&](Peer& peer, int) {
    peer.head();
    asked.set();
    peer.wait_for_close();
  });
  Client client(through(server));
  Recorder handler;
  client.pool.start(handler, kRequest);
  REQUIRE(client.run_until([&] { return asked.is_set(); }));
  CHECK(client.pool.counters().connecting == 1);
  client.pool.cancel(handler);
  CHECK(client.pool.counters().connecting == 0);
  CHECK_FALSE(handler.over());
}

TEST_CASE("a plain request is handed over whole") {
  std::string seen;
  Server server([&](Peer& peer, int) {
    seen = peer.request();
    peer.send(kReply);
  });
  const auto proxy =
      std::make_shared<const Proxy>(Proxy{*parse_url("http://" + server.endpoint().text, 0), "Basic dTpw"});
  const auto answer =
      fetch({.url = *parse_url("http://gpu-1:8000/gw", 80), .proxy = proxy, .path = "/health"});
  REQUIRE(answer);
  CHECK(seen.starts_with("GET http://gpu-1:8000/gw/health HTTP/1.1\r\nHost: gpu-1:8000\r\n"));
  CHECK(seen.find("\r\nProxy-Authorization: Basic dTpw\r\n") != std::string::npos);
}
