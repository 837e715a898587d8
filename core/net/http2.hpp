// HTTP/2 without a socket: the client's side of one connection, on nghttp2's session. Http2Connection feeds
// it what it reads and sends what it produces. What a feed() brought is gathered by stream and read after it,
// so that handlers may do as they like: nothing of theirs runs inside the session.
//
//   Http2Session session(limits);
//   session.submit(stream, request);  session.produce(out, most);  session.feed(bytes);
//   for (Http2Stream* stream : session.touched()) ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http1.hpp"

namespace tokometer {

// The names and values of one HEADERS block, kept until they are told.
class FieldBlock {
 public:
  void clear() noexcept { text_.clear(), sizes_.clear(); }
  void add(std::string_view name, std::string_view value) {
    text_.append(name).append(value);
    sizes_.emplace_back(name.size(), value.size());
  }
  size_t bytes() const noexcept { return text_.size(); }
  size_t count() const noexcept { return sizes_.size(); }
  void read(std::vector<Field>& out) const;  // views into this block

 private:
  std::string text_;
  std::vector<std::pair<size_t, size_t>> sizes_;
};

// One request and its response. Made for reuse; the members up to the blank line are the session's own.
struct Http2Stream {
  int32_t id = 0;
  std::string_view body;  // of the request: what is still to be framed
  size_t interim_replies = 0;
  uint64_t body_bytes = 0;
  const char* seen_to = nullptr;  // where its frames end in the bytes of the last feed()
  bool is_touched = false, has_head = false, is_closed = false, reset_by_peer = false;
  uint32_t code = 0;  // why it was closed

  int status = 0;
  FieldBlock head, trailers;
  std::vector<std::string_view> pieces;  // of the body, in the bytes of the last feed()
  size_t bytes = 0;                      // of fields and body, likewise
  bool head_is_new = false;              // it came with the last feed()
  bool has_ended = false;                // END_STREAM: the response is complete
  bool is_head_only = false;             // it came with the head
  bool is_followed = false;              // the last feed() held bytes behind those of this stream
  HttpFault fault;                       // no class: none

  void begin();  // for the next request
};

class Http2Session {
 public:
  // Both outlive it. `advice`: what to do when the server speaks HTTP/1.1.
  Http2Session(const HttpLimits& limits, std::string_view advice);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // request: write_http2_request()'s bytes, which must live until the stream is in departed(). The stream
  // must stay until forget(). False: the connection takes no more requests.
  bool submit(Http2Stream& stream, std::string_view request);
  void forget(Http2Stream& stream);  // resets it, unless it is closed

  // False: the connection is over, see fault(). Views in the touched streams point into `bytes`.
  bool feed(std::string_view bytes);
  // Streams that the last feed() told something about; clear_touched() when all is read.
  const std::vector<Http2Stream*>& touched() const noexcept { return touched_; }
  void clear_touched();
  void untouch(Http2Stream& stream) { std::erase(touched_, &stream); }

  // Appends what is to be sent, until `most` bytes are reached or nothing is left. False as with feed().
  bool produce(std::string& out, size_t most);
  // Streams whose head was in the last produce(), and those of which now nothing more is to be sent. The
  // caller clears them.
  std::vector<Http2Stream*>& departing() noexcept { return departing_; }
  std::vector<Http2Stream*>& departed() noexcept { return departed_; }

  void say_goodbye();  // the next produce() has a GOAWAY

  const std::vector<Http2Stream*>& streams() const noexcept { return streams_; }  // not forgotten yet
  bool knows_settings() const noexcept { return knows_settings_; }
  uint32_t stream_limit() const noexcept;  // the peer's SETTINGS_MAX_CONCURRENT_STREAMS
  bool takes_requests() const noexcept;    // no GOAWAY, and stream ids are left
  uint32_t goaway_code() const noexcept { return goaway_code_; }
  const HttpFault& fault() const noexcept { return fault_; }

 private:
  struct Callbacks;
  friend struct Callbacks;
  class Handle;

  void touch(Http2Stream& stream);
  bool fail(std::string cls, std::string message);  // the connection; false
  bool looks_like_http1(std::string_view bytes);
  int take_field(Http2Stream& stream, std::string_view name, std::string_view value);
  void take_head(Http2Stream& stream);
  int take_piece(Http2Stream& stream, std::string_view piece);
  Http2Stream* find(int32_t id) const;

  const HttpLimits& limits_;
  const std::string_view advice_;
  std::unique_ptr<Handle> session_;
  std::vector<Http2Stream*> streams_, touched_, departing_, departed_;
  std::string first_bytes_;
  bool knows_settings_ = false, has_goaway_ = false;
  uint32_t goaway_code_ = 0;
  HttpFault fault_;
  std::string detail_;  // nghttp2's own words about the last fault
};

// The failure class of an HTTP/2 error code: "h2.cancel", "h2.refused".
std::string http2_failure_class(uint32_t code);

}  // namespace tokometer
