// One accepted connection: the request reader, and sends that never block. Bytes that the socket does not
// take wait here and leave when it is writable. A stream of an HTTP/2 connection is one too, without a
// socket: its replies become frames of its parent. Owned by the Server; single thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tokometer/random.hpp>

#include "base/file.hpp"
#include "sim/exchange.hpp"
#include "sim/http.hpp"
#include "sim/http2.hpp"
#include "sim/script.hpp"
#include "sim/shape.hpp"
#include "sim/tls.hpp"

namespace tokometer::sim {

class Connection {
 public:
  // tls: null for plain bytes.
  Connection(Descriptor socket, uint32_t number, uint64_t seed, std::unique_ptr<TlsEnd> tls);

  // A stream of `parent`, which outlives it.
  Connection(Connection& parent, int32_t stream);

  int fd() const { return socket_.get(); }
  uint32_t number() const { return number_; }

  // Reads what is there into the reader. False: the peer is gone (or has closed its half, or TLS, which
  // counts as gone).
  bool receive();
  // When the newest byte that was read had come to the socket, by the kernel's stamp; else when it was read.
  // CLOCK_MONOTONIC.
  int64_t arrived_ns() const { return parent_ != nullptr ? parent_->arrived_ns() : arrived_ns_; }
  // Sends at once what the socket takes; cut as `split` says, one send() a piece.
  void send(std::string_view bytes, Split split = Split::whole);
  void flush();  // when the socket is writable again
  bool has_unsent() const { return parent_ != nullptr ? parent_->has_unsent() : !unsent_.empty(); }
  bool broken() const { return broken_ || (parent_ != nullptr && parent_->broken()); }
  // Bytes that the peer's kernel has not acknowledged: a reset would throw them away.
  bool is_delivered() const;
  void set_reset_on_close();  // closing will send RST
  void say_goodbye();         // TLS and HTTP/2: the end that follows is meant

  void begin_http2(uint32_t max_streams);
  void send_frames(Split split = Split::whole);  // what the session has to send
  Connection* parent() const { return parent_; }
  int32_t stream() const { return stream_; }
  void refuse_later_streams();  // HTTP/2: a GOAWAY that names this stream as the last

  RequestReader reader;
  std::unique_ptr<Exchange> exchange;  // the request being answered
  std::unique_ptr<ScriptPlay> script;  // the case file being played instead
  std::unique_ptr<Http2Session> http2;
  uint32_t own_slot = 0;
  std::map<int32_t, uint32_t> slots;  // of its streams
  bool keep_alive = true;             // of the request being answered
  bool close_when_sent = false;
  bool abrupt = false;  // closes without a good-bye
  bool resets = false;  // will be reset when all is delivered
  bool watches_writable = false;
  uint32_t replies = 0;
  uint32_t idle_serial =
      0;  // counts up when a request begins, so that an old idle deadline is known as stale

 private:
  bool take(std::string_view bytes);
  void send_piece(std::string_view bytes);
  void send_bytes(std::string_view bytes);

  Connection* parent_ = nullptr;  // of a stream
  int32_t stream_ = 0;
  Descriptor socket_;
  std::unique_ptr<TlsEnd> tls_;
  uint32_t number_;
  int64_t arrived_ns_ = 0;
  bool broken_ = false;
  std::string unsent_;
  size_t unsent_at_ = 0;
  tkm::Random cuts_;
};

}  // namespace tokometer::sim
