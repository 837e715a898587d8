// What all TLS connections to a target share: whom we trust and who we are. Made once from the run file's
// target.tls, before a socket is opened; immutable afterwards and used by all workers' threads.
//
//   auto context = TlsContext::make({.ca_file = "ca.pem"});
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/error.hpp"

namespace tokometer {

struct TlsOptions {
  bool verify = true;                 // the certificate's chain, its time and its host
  std::string ca_file = {};           // PEM; only these authorities are trusted. Empty: the system's
  std::string cert_file = {};         // PEM; who we are, if the server asks
  std::string key_file = {};          // its key; both or none
  std::string protocol = "http/1.1";  // what ALPN offers
};

class TlsContext {
 public:
  // TLS 1.2 or later, no weak keys whatever the host's configuration says. Errors name option and file, never
  // a file's content.
  static Result<std::shared_ptr<const TlsContext>> make(const TlsOptions& options);

  bool verifies() const noexcept { return verifies_; }

 private:
  friend class TlsStream;
  TlsContext(std::shared_ptr<void> context, bool verifies)
      : context_(std::move(context)), verifies_(verifies) {}

  std::shared_ptr<void> context_;  // OpenSSL's
  bool verifies_;
};

}  // namespace tokometer
