// The simulator's end of TLS: OpenSSL between a connection's socket and its request reader. One TlsServer for
// all connections, one TlsEnd each; single thread. Shares no code with core/net.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace tokometer::sim {

struct TlsFiles {
  std::string certificate, key;  // PEM
  std::string client_ca;         // PEM; not empty: a client must show a certificate that these signed
};

class TlsEnd {
 public:
  // Bytes of the client in; what they say is appended to `plain`. False: TLS is over, by fault or good-bye.
  bool open(std::string_view sealed, std::string& plain);
  // Bytes to send in place of `plain`, one record for each 16 KiB, what the handshake left in front. Valid
  // until the next call.
  std::string_view seal(std::string_view plain);
  std::string_view close_notify();
  bool is_open() const;  // the handshake is over

 private:
  friend class TlsServer;
  explicit TlsEnd(std::shared_ptr<void> ssl) : ssl_(std::move(ssl)) {}
  std::string_view take_output();

  std::shared_ptr<void> ssl_;  // OpenSSL's
  std::string output_;
};

class TlsServer {
 public:
  // Errors name the option and the file.
  static Result<TlsServer> create(const TlsFiles& files);
  std::unique_ptr<TlsEnd> accept() const;

 private:
  explicit TlsServer(std::shared_ptr<void> context) : context_(std::move(context)) {}
  std::shared_ptr<void> context_;  // OpenSSL's
};

}  // namespace tokometer::sim
