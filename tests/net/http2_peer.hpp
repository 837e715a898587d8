// The server's end of an HTTP/2 connection for tests, frame by frame and by hand, so that it can break every
// rule. On Peer of loopback.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "loopback.hpp"
#include "net/request_head.hpp"

namespace tokometer::testing {

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kRst = 3,
  kSettings = 4,
  kPush = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9
};
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

inline std::string u32(uint32_t number) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(number >> static_cast<unsigned>(shift));
  return out;
}

inline std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string out = u32(static_cast<uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return out.append(u32(stream)).append(payload);
}

// A field for a HEADERS frame, literal, never indexed.
inline std::string field(std::string_view name, std::string_view value) {
  std::string out(1, '\x10');
  out += static_cast<char>(name.size());
  out.append(name);
  out += static_cast<char>(value.size());
  return out.append(value);
}

inline std::string head(uint32_t stream, std::string_view more = {}, uint8_t flags = 0) {
  return frame(kHeaders, static_cast<uint8_t>(flags | kEndHeaders), stream, "\x88" + std::string(more));
}
inline std::string data(uint32_t stream, std::string_view bytes, uint8_t flags = 0) {
  return frame(kData, flags, stream, bytes);
}
inline std::string setting(uint16_t id, uint32_t value) {
  return u32(id).substr(2) + u32(value);
}

struct Frame {
  uint8_t type = 0xff, flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

class Http2Peer {
 public:
  // Reads the preface and greets.
  explicit Http2Peer(Peer& peer, std::string_view settings = {}) : peer_(peer) {
    preface = peer_.exactly(24);
    send(frame(kSettings, 0, 0, settings) + frame(kSettings, kAck, 0));
  }
  void send(std::string_view bytes) { peer_.send(bytes); }
  Frame read() {
    const std::string bytes = peer_.exactly(9);
    if (bytes.size() < 9) return {};
    const auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
    Frame out;
    out.type = static_cast<uint8_t>(bytes[3]);
    out.flags = static_cast<uint8_t>(bytes[4]);
    out.stream = (at(5) << 24u) | (at(6) << 16u) | (at(7) << 8u) | at(8);
    out.payload = peer_.exactly((at(0) << 16u) | (at(1) << 8u) | at(2));
    return out;
  }
  // The next frame of that type; 0xff at EOF.
  Frame next(uint8_t type) {
    for (;;) {
      Frame got = read();
      if (got.type == type || got.type == 0xff) return got;
    }
  }
  // Reads to the end of a request; its stream, 0 at EOF.
  uint32_t request() {
    for (;;) {
      const Frame got = read();
      if (got.type == 0xff) return 0;
      if ((got.type == kHeaders || got.type == kData) && (got.flags & kEndStream) != 0) return got.stream;
    }
  }
  Peer& peer() { return peer_; }
  std::string preface;

 private:
  Peer& peer_;
};

inline std::string http2_request(std::string_view body = {}) {
  RequestHead head;
  head.target = "/v1/x";
  head.authority = "h";
  if (!body.empty()) head.content_length = body.size();
  std::string out;
  if (!write_http2_request_head(head, out)) throw std::runtime_error("request");
  return out.append(body);
}

inline PoolOptions http2_options(const Endpoint& endpoint, size_t streams = 1) {
  PoolOptions options;
  options.endpoints = {endpoint};
  options.http2 = true;
  options.streams_per_connection = streams;
  return options;
}

}  // namespace tokometer::testing
