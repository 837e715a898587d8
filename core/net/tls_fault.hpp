// Why TLS failed, in a sentence for the user; and what OpenSSL's callbacks note on the way. For tls*.cpp
// alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>

struct ssl_st;             // OpenSSL's SSL
struct x509_store_ctx_st;  // and X509_STORE_CTX: its headers stay in the .cpp files

namespace tokometer {

// The app data of each SSL, part of its TlsStream: what the callbacks of the context read and write.
struct TlsNotes {
  std::string host;
  std::shared_ptr<void>& ticket;       // of the endpoint
  std::string certificate_fault = {};  // a sentence; empty: none was found
};

TlsNotes& notes_of(const ssl_st* ssl) noexcept;

// Whether bytes begin as a TLS record does.
bool is_tls_record(std::string_view bytes) noexcept;

// The verify callback of a context: notes what is wrong with the peer's certificate.
int note_bad_certificate(int is_good, x509_store_ctx_st* store) noexcept;

// What went wrong in the last call. error: of SSL_get_error; spoke_tls: the peer's bytes began as TLS does.
std::string tls_fault(const ssl_st* ssl, int error, bool spoke_tls);

}  // namespace tokometer
