#include <doctest/doctest.h>

#include <string>

#include "loopback.hpp"
#include "net/fetch.hpp"

using namespace tokometer;
using namespace tokometer::testing;

namespace {

Url url_of(const Endpoint& endpoint, const std::string& path = "") {
  return *parse_url("http://" + endpoint.text + path, 80);
}

}  // namespace

TEST_CASE("a probe and its answer") {
  std::string seen;
  Server server([&](Peer& peer, int) {
    seen = peer.request();
    peer.send(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nX-A: b\r\nTransfer-Encoding: "
        "chunked\r\n\r\n"
        "2\r\n{}\r\n0\r\n\r\n");
  });
  FetchRequest request{.url = url_of(server.endpoint(), "/gw/v1"), .path = "/v1/models"};
  request.headers = {{"Authorization", "Bearer k"}};
  std::string first_line = "GET /gw/v1/models HTTP/1.1\r\n";
  SUBCASE("GET") {}
  SUBCASE("POST with a body") {
    request.method = "POST";
    request.body = "{\"a\":1}";
    first_line = "POST /gw/v1/models HTTP/1.1\r\n";
  }
  const auto answer = fetch(request);
  REQUIRE(answer);
  CHECK(answer->status == 404);
  CHECK(answer->content_type == "application/json");
  CHECK(answer->body == "{}");
  CHECK(answer->headers.size() == 3);
  CHECK(seen.starts_with(first_line));
  CHECK(seen.find("Host: " + server.endpoint().text + "\r\n") != std::string::npos);
  CHECK(seen.find("Authorization: Bearer k\r\n") != std::string::npos);
  CHECK(seen.ends_with("\r\n\r\n" + request.body));
}

TEST_CASE("what goes wrong is named by class, method and URL") {
  std::string message;
  std::string expected;
  SUBCASE("refused") {
    RefusedPort port;
    const auto answer = fetch({.url = url_of(port.endpoint()), .path = "/health"});
    REQUIRE_FALSE(answer);
    message = answer.error().message;
    expected = "connect: GET http://" + port.endpoint().text + "/health: connect to " + port.endpoint().text +
               ": Connection refused (ECONNREFUSED)";
  }
  SUBCASE("silent") {
    Server server([](Peer& peer, int) { peer.wait_for_close(); });
    const auto answer = fetch({.url = url_of(server.endpoint()), .timeout_ns = 20'000'000});
    REQUIRE_FALSE(answer);
    message = answer.error().message;
    expected = "timeout.total: GET http://" + server.endpoint().text + "/: no answer in 20ms";
  }
  SUBCASE("cut before the last chunk") {
    Server server([](Peer& peer, int) {
      peer.request();
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
    });
    const auto answer = fetch({.url = url_of(server.endpoint())});
    REQUIRE_FALSE(answer);
    message = answer.error().message;
    expected = "truncated: GET http://" + server.endpoint().text + "/: closed before the last chunk";
  }
  SUBCASE("a header with a line end") {
    const auto answer = fetch({.url = *parse_url("http://127.0.0.1:1", 80), .headers = {{"A", "b\r\nc"}}});
    REQUIRE_FALSE(answer);
    message = answer.error().message;
    expected = "header \"A\": control characters are not allowed";
  }
  CHECK(message == expected);
}
