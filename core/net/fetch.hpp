// One request and its whole answer, for probes, preflight and scrapes: blocks the caller, on an io_context of
// its own. Any thread. Not for measured traffic.
//
//   auto answer = fetch({.url = url, .path = "/v1/models", .timeout_ns = 10'000'000'000});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "net/http1.hpp"
#include "net/proxy.hpp"
#include "net/tls_context.hpp"
#include "net/url.hpp"

namespace tokometer {

struct FetchRequest {
  Url url = {};
  std::vector<Endpoint> endpoints = {};     // empty: url, or the proxy, is resolved first
  std::shared_ptr<const Proxy> proxy = {};  // null: straight to the server
  std::string method = "GET";
  std::string path = "/";  // the url's path_prefix is put before it
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string body = {};  // sent with Content-Length unless empty and the method is GET
  std::string request_id = {};
  int64_t timeout_ns = 10'000'000'000;  // for all of it, resolving included
  bool http2 = false;
  bool grpc = false;  // over HTTP/2; the body is framed by append_grpc_message(), the method is ignored
  HttpLimits limits = {};
  std::shared_ptr<const TlsContext> tls = {};  // for https; null: verified, by the system's authorities
};

struct Answer {
  int status = 0;  // any final status: 404 is an answer. Of gRPC always 200
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type;
  std::string body;
  // gRPC: the messages are joined in body; a status other than OK is an answer, too.
  std::vector<size_t> message_ends = {};
  int grpc_status = -1;  // -1: HTTP
  std::string grpc_message = {};
};

// Errors begin with the failure class: "connect: http://h:1: Connection refused (ECONNREFUSED)",
// "timeout.total: ...".
Result<Answer> fetch(const FetchRequest& request);

}  // namespace tokometer
