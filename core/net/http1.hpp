// HTTP/1.1 without a socket: reads a response from bytes cut anywhere. Connection feeds it; tests feed it
// too. Requests: request_head.hpp.
//
//   Http1Reader reader(limits);
//   switch (reader.feed(bytes, sink)) { case Http1Reader::Progress::failed: use(reader.fault()); ... }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "net/field.hpp"
#include "net/http_fault.hpp"

namespace tokometer {

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

}  // namespace tokometer
