// The simulator's HTTP/2: nghttp2's server session of one connection, without a socket. Requests come out as
// those of HTTP/1.1 do; replies go in as the HTTP/1.1 text that an Exchange writes, and leave as frames at
// once, a DATA frame for each chunk. Shares no code with core/net. Owned by its Connection.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/http.hpp"

namespace tokometer::sim {

inline constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class Http2Session {
 public:
  explicit Http2Session(uint32_t max_streams);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  bool feed(std::string_view bytes);  // false: the client breaks the rules, or flooded us
  std::vector<std::pair<int32_t, Request>> take_requests() { return std::exchange(requests_, {}); }
  std::vector<int32_t> take_gone() { return std::exchange(gone_, {}); }  // reset by the client, or refused
  // Bytes to send. Valid until the next call.
  std::string_view produce();

  // A piece of the reply, cut where the caller likes.
  void reply(int32_t stream, std::string_view http1);
  bool is_answered(int32_t stream) const;  // the end of the reply was given, or there is no such stream
  void reset(int32_t stream);
  void go_away(int32_t last_stream);  // the streams above are refused
  void finish();                      // GOAWAY, nothing follows

 private:
  struct Stream;
  struct Callbacks;
  class Handle;
  void take_reply(Stream& stream);
  void send_head(Stream& stream, std::string_view text);
  void add_body(Stream& stream, std::string_view bytes);
  void end(Stream& stream);

  std::unique_ptr<Handle> session_;
  std::map<int32_t, std::unique_ptr<Stream>> streams_;
  std::vector<std::pair<int32_t, Request>> requests_;
  std::vector<int32_t> gone_;
  std::string out_;
};

}  // namespace tokometer::sim
