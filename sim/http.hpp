// HTTP/1.1 as the simulator reads and writes it: a request reader without a socket (bytes in, requests out,
// pipelined ones included), heads and chunks as text. Boost.Beast's parser inside; nothing of core/net, which
// it judges.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/dialect.hpp"

namespace tokometer::sim {

struct Request {
  std::string method, target;                               // target without the query
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;
  bool keep_alive = true;
  std::optional<GrpcCall> grpc = {};  // it was one, and is answered so

  std::string_view field(std::string_view name) const;  // the first of that name; empty: none
};

class RequestReader {
 public:
  enum class State { need_more, complete, bad };

  RequestReader();
  ~RequestReader();
  void append(std::string_view bytes) { buffer_.append(bytes); }
  size_t buffered() const { return buffer_.size(); }
  // What was appended and not read.
  std::string_view unread() const { return buffer_; }
  std::string take_unread() { return std::exchange(buffer_, {}); }
  // Reads on in what was appended. After `complete`, take() gives the request and makes way for the next one.
  State read();
  Request take();
  // True once for each request whose head asks for "100 Continue" before its body.
  bool wants_continue();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
  std::string buffer_;
  bool continued_ = false;
};

// "HTTP/1.1 200 OK\r\ndate: ...\r\nserver: tokometer-sim\r\n" + fields + "\r\n". `fields`: complete lines.
std::string response_head(int status, std::string_view fields);

// A whole response with its content-length. Media type: empty: none. `fields`: more complete lines.
std::string whole_response(int status, std::string_view media_type, std::string_view body,
                           std::string_view fields = {});

inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Text that will leave as one HTTP chunk, written into a buffer that is kept: begin(), append to text(),
// end() puts the size line in front and gives the bytes, valid until the next begin().
class ChunkBuffer {
 public:
  void begin() { text_.assign(kSizeLine, ' '); }
  std::string& text() { return text_; }
  std::string_view end();

 private:
  static constexpr size_t kSizeLine = 10;  // 8 hex digits, CR LF
  std::string text_;
};

}  // namespace tokometer::sim
