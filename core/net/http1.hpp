// HTTP/1.1 without a socket: writes a request head, reads a response from bytes cut anywhere. Connection
// feeds it; tests feed it too. The grammar is Boost.Beast's basic_parser; limits and what Beast lets pass are
// checked here.
//
//   Http1Reader reader(limits);
//   switch (reader.feed(bytes, sink)) { case Http1Reader::Progress::failed: use(reader.fault()); ... }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace tokometer {

struct Field {
  std::string_view name;   // as the peer wrote it
  std::string_view value;  // without blanks around it; any byte but CR, LF, NUL
};

// The final response head (interim replies are swallowed). Views are valid during the callback only.
struct ResponseHead {
  int status = 0;  // 200 to 599
  std::span<const Field> fields;
  std::string_view content_type;  // "" if absent
  std::optional<uint64_t> content_length;
  bool keep_alive = false;  // the peer is willing

  // Value of the first field of that name (any case), or nullptr.
  const std::string_view* find(std::string_view name) const noexcept;
};

// Breaking one is failure class "limit".
struct HttpLimits {
  size_t head_bytes = 64 * 1024;
  size_t fields = 256;
  size_t interim_replies = 16;
  size_t chunk_line_bytes = 4 * 1024;
  size_t trailer_bytes = 4 * 1024;
  size_t trailers = 64;
  uint64_t body_bytes = 64 * 1024 * 1024;
};

// Where the reader puts what it finds. false: stop at once, feed() returns Progress::stopped and the reader
// is not used again before reset(). From inside a call, nothing may touch the reader.
class Http1Sink {
 public:
  virtual bool on_head(const ResponseHead& head) = 0;
  virtual bool on_body(std::string_view piece) = 0;  // a view into the fed bytes, never empty

 protected:
  ~Http1Sink() = default;
};

struct HttpFault {
  std::string cls;      // "framing", "truncated", "limit" or "encoding"
  std::string message;  // what is wrong, foreign text escaped and cut
};

class Http1Reader {
 public:
  enum class Progress {
    more,     // feed on
    ended,    // the response is complete; consumed() tells where, bytes after it are surplus
    failed,   // see fault()
    stopped,  // a sink said so
  };

  explicit Http1Reader(const HttpLimits& limits);  // which outlive it
  explicit Http1Reader(HttpLimits&&) = delete;
  ~Http1Reader();
  Http1Reader(Http1Reader&&) noexcept;
  Http1Reader& operator=(Http1Reader&&) noexcept;

  // For the next response on the connection.
  void reset();

  // Allocates nothing once the head is read, unless a chunk line of more than 15 bytes is cut. After anything
  // but `more`, call reset() before feeding again.
  Progress feed(std::string_view bytes, Http1Sink& sink);
  // The peer closed. Never `more`. got_bytes() must be true: an EOF before a first byte is the caller's to
  // judge.
  Progress feed_eof();

  size_t consumed() const noexcept;         // bytes of the last feed() that belonged to the response
  bool got_bytes() const noexcept;          // at least one byte since reset()
  bool got_head() const noexcept;           // the final head was reported
  bool no_last_chunk() const noexcept;      // ended by EOF at a chunk border, without the 0-chunk
  bool keep_alive() const noexcept;         // ended, and both framing and head allow another exchange
  const HttpFault& fault() const noexcept;  // only after `failed`

 private:
  class State;
  std::unique_ptr<State> state_;
};

// What a request head is made of. Views need to live for the call only.
struct RequestHead {
  std::string_view method = "POST";
  std::string_view origin = {};  // for a proxy: "http://" and the authority, put before the target
  std::string_view proxy_authorization = {};  // likewise; left out when empty
  std::string_view target;                    // path with prefix and query, begins with "/"
  std::string_view authority;                 // Url::authority()
  std::string_view scheme = "http";           // HTTP/2 only
  std::string_view accept = "*/*";
  std::string_view request_id;             // X-Request-Id; left out when empty
  bool keep_alive = true;                  // false: "Connection: close"
  std::span<const Field> headers;          // of the plugin and of the run file, Content-Type among them
  std::optional<uint64_t> content_length;  // absent: no body (GET)
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

// The gate alone, for a run file's headers before the start.
Result<void> check_header(std::string_view name, std::string_view value);

// True for headers that only this library writes (host, content-length, transfer-encoding, connection, te,
// trailer, upgrade, expect, keep-alive, accept-encoding): refused from run files and plugins alike.
bool is_transport_header(std::string_view name) noexcept;

// True for all that a plugin may not set: transport headers, user-agent, x-request-id, authorization, cookie,
// proxy-*, grpc-*.
bool is_core_header(std::string_view name) noexcept;

}  // namespace tokometer
