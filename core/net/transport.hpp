// One open byte stream to a peer: a socket, under TLS or not, with what the kernel has not yet taken of our
// bytes. Above it stands a protocol (HTTP/1.1 in Connection), which sees plain bytes, with the stamps of the
// reads that completed them. Owned by its Connection; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket.hpp"
#include "net/tls.hpp"

namespace tokometer {

// What the TLS connections of one pool share. Outlives them.
struct TlsLink {
  std::shared_ptr<const TlsContext> context;
  std::string host;                  // of the URL
  std::vector<TlsSession> sessions;  // by endpoint
  std::unique_ptr<TlsBuffer> buffer = std::make_unique<TlsBuffer>();
};

class Transport {
 public:
  // link: null for plain bytes.
  explicit Transport(TlsLink* link) : link_(link) {}

  // The socket is connected. With TLS the handshake begins; it goes on in open() until is_open().
  void begin(Socket socket, size_t endpoint);
  void close() noexcept;  // says good-bye if TLS can

  int fd() const noexcept { return socket_.fd(); }
  bool has_socket() const noexcept { return socket_.is_open(); }
  bool is_open() const noexcept {
    return tls_ == nullptr || tls_->stream.is_open();
  }  // for the protocol's bytes
  bool is_resumed() const noexcept { return tls_ != nullptr && tls_->stream.is_resumed(); }
  // TLS is over: nothing more can be read, though the socket may stand.
  bool has_ended() const noexcept {
    return tls_ != nullptr && (tls_->stream.peer_has_closed() || has_fault());
  }
  // What an EOF now would cut: under TLS only close_notify is a good end.
  bool is_inside_record() const noexcept { return tls_ != nullptr && tls_->stream.is_inside_record(); }
  bool awaits_close_notify() const noexcept { return tls_ != nullptr && !tls_->stream.peer_has_closed(); }
  bool has_fault() const noexcept { return tls_ != nullptr && !tls_->stream.fault().empty(); }
  const std::string& fault() const noexcept { return tls_->stream.fault(); }  // [has_fault] a sentence
  std::string_view protocol() const noexcept {
    return tls_ != nullptr ? tls_->stream.protocol() : "";
  }  // by ALPN

  // What a read of the socket makes readable.
  void open(ReceiveResult& read) {
    if (tls_ != nullptr) open_records(read);
  }

  // The protocol's bytes are to be sent. Without TLS they must live until they are.
  void put(std::string_view bytes);
  // TLS has bytes of its own to send: the handshake, or an answer to the peer's records. put_output() puts
  // them behind what is unsent.
  bool has_output() const noexcept { return tls_ != nullptr && !tls_->stream.output().empty(); }
  void put_output();
  // One send() of what is unsent. Returns 0, EAGAIN or errno.
  int send();
  size_t unsent_bytes() const noexcept { return unsent_.size(); }
  void drop_unsent() noexcept { unsent_ = {}; }

 private:
  void open_records(ReceiveResult& read);

  struct Secured {
    Secured(const TlsLink& link, TlsSession& session) : stream(*link.context, link.host, session) {}
    TlsStream stream;
    std::string sealed;  // unsent_ is its end
  };

  TlsLink* link_;
  Socket socket_;
  std::unique_ptr<Secured> tls_;
  std::string_view unsent_;
};

}  // namespace tokometer
