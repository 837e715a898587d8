// TLS without a socket: one connection's records in, plain bytes out, and back. OpenSSL reads and writes
// memory, so that recvmsg with its stamps stays ours. Owned by a Transport; one thread.
//
//   TlsStream tls(context, "gpu-1", session);     // output() is the first message of the handshake
//   plain = tls.open(bytes_from_the_socket, buffer);
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "net/socket.hpp"
#include "net/tls_context.hpp"

namespace tokometer {

// The newest ticket of one endpoint: the next connection to it skips half of the handshake. Outlives the
// streams that use it.
class TlsSession {
 private:
  friend class TlsStream;
  std::shared_ptr<void> ticket_;
};

// Where plain bytes are put, shared by all streams of a thread. It holds all that one socket read can
// complete: a full read and what was kept of an unfinished record.
struct TlsBuffer {
  static constexpr size_t kBytes = Receiver::kBufferBytes + 17 * 1024;
  std::array<char, kBytes + Receiver::kSpareBytes> bytes;
};

class TlsStream {
 public:
  // host: a name or an address as in the URL; the certificate must be for it, and a name is sent (SNI).
  TlsStream(const TlsContext& context, const std::string& host, TlsSession& session);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Takes bytes as they came, all of them. Returns what they complete, in `buffer`; kSpareBytes may be read
  // behind it.
  std::string_view open(std::string_view sealed, TlsBuffer& buffer);
  // [when open] Encrypts into output().
  void seal(std::string_view plain);
  void close();  // says close_notify, if it may
  // Bytes for the peer: take them after the constructor, open(), seal() and close().
  std::string& output() noexcept;

  bool is_open() const noexcept;               // the handshake is over
  bool is_resumed() const noexcept;            // with the ticket of an earlier connection
  bool peer_has_closed() const noexcept;       // close_notify: what came before it is all there is
  bool is_inside_record() const noexcept;      // more bytes must come before all that came can be read
  std::string_view protocol() const noexcept;  // that ALPN chose; "" if the server chose none
  const std::string& fault() const noexcept;   // why it failed, a sentence; empty: it has not

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace tokometer
