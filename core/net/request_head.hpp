// Writes request heads, for HTTP/1.1, HTTP/2 and gRPC, and is the one gate for header names and values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "net/field.hpp"

namespace tokometer {

// What a request head is made of. Views need to live for the call only.
struct RequestHead {
  std::string_view method = "POST";
  std::string_view origin = {};  // for a proxy: "http://" and the authority, put before the target
  std::string_view proxy_authorization = {};  // likewise; left out when empty
  std::string_view target = {};               // path with prefix and query, begins with "/"
  std::string_view authority = {};            // Url::authority()
  std::string_view scheme = "http";           // HTTP/2 only
  std::string_view accept = "*/*";
  std::string_view request_id = {};             // X-Request-Id; left out when empty
  bool keep_alive = true;                       // false: "Connection: close"
  std::span<const Field> headers = {};          // of the plugin and of the run file, Content-Type among them
  std::optional<uint64_t> content_length = {};  // absent: no body (GET)
};

// The head of a gRPC call, for HTTP/2. Views need to live for the call only.
struct GrpcHead {
  std::string_view path = {};  // "/package.Service/Method", a prefix before it
  std::string_view authority = {};
  std::string_view scheme = "http";
  std::string_view request_id = {};     // left out when empty
  int64_t timeout_ns = 0;               // for the server; 0: none
  std::span<const Field> headers = {};  // metadata
};

// Appends the head to out. This is the one gate against header injection: method, target and each name and
// value are checked (CR, LF, NUL and other controls, empty or non-token names, length). On error `out` is as
// it was.
Result<void> write_request_head(const RequestHead& head, std::string& out);

// The same for HTTP/2, as Pool takes it then: name, NUL, value, NUL for each field, a further NUL, and the
// body follows. The same gate.
Result<void> write_http2_request_head(const RequestHead& head, std::string& out);

Result<void> write_grpc_request_head(const GrpcHead& head, std::string& out);

}  // namespace tokometer
