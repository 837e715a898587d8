#include "sim/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace tokometer::sim {
namespace {

constexpr std::array<std::string_view, 2> kProtocols = {"h2", "http/1.1"};

SSL* ssl_of(const std::shared_ptr<void>& ssl) {
  return static_cast<SSL*>(ssl.get());
}

Error refused(std::string_view option, const std::string& file) {
  const char* why = ERR_reason_error_string(ERR_peek_last_error());
  return Error{std::string(option) + ": " + escape_terminal(file) + ": " +
               (why != nullptr ? why : "cannot be used")};
}

// The client's list is a byte of length, then a name, and so on.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned in_size, void*) {
  for (unsigned at = 0; at < in_size; at += in[at] + 1u) {
    const std::string_view offered(reinterpret_cast<const char*>(in + at + 1), in[at]);
    if (std::find(kProtocols.begin(), kProtocols.end(), offered) == kProtocols.end()) continue;
    *out = in + at + 1;
    *size = in[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

Result<TlsServer> TlsServer::create(const TlsFiles& files) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> owner(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX* context = owner.get();
  if (context == nullptr) return Error{"TLS: the library does not start"};
  SSL_CTX_set_security_level(context, 0);  // weak keys are for the client to refuse
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    return refused("tls_cert", files.certificate);
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return refused("tls_key", files.key);
  if (!files.client_ca.empty()) {
    if (SSL_CTX_load_verify_file(context, files.client_ca.c_str()) != 1)
      return refused("tls_client_ca", files.client_ca);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  static constexpr unsigned char kName[] = "tokometer-sim";
  SSL_CTX_set_session_id_context(context, kName, sizeof kName);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return TlsServer(owner);
}

std::unique_ptr<TlsEnd> TlsServer::accept() const {
  std::shared_ptr<SSL> ssl(SSL_new(static_cast<SSL_CTX*>(context_.get())), SSL_free);
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl.get());
  return std::unique_ptr<TlsEnd>(new TlsEnd(std::move(ssl)));
}

bool TlsEnd::open(std::string_view sealed, std::string& plain) {
  static std::array<char, 16 * 1024> buffer;  // one thread
  ERR_clear_error();
  SSL* ssl = ssl_of(ssl_);
  BIO_write(SSL_get_rbio(ssl), sealed.data(), static_cast<int>(sealed.size()));
  for (;;) {
    const int got = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()));
    if (got <= 0) return SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ;
    plain.append(buffer.data(), static_cast<size_t>(got));
  }
}

std::string_view TlsEnd::take_output() {
  char* bytes = nullptr;
  BIO* memory = SSL_get_wbio(ssl_of(ssl_));
  const long size = BIO_get_mem_data(memory, &bytes);
  output_.assign(bytes, static_cast<size_t>(size));
  BIO_reset(memory);
  return output_;
}

std::string_view TlsEnd::seal(std::string_view plain) {
  ERR_clear_error();
  if (!plain.empty()) SSL_write(ssl_of(ssl_), plain.data(), static_cast<int>(plain.size()));
  return take_output();
}

std::string_view TlsEnd::close_notify() {
  ERR_clear_error();
  if (is_open()) SSL_shutdown(ssl_of(ssl_));
  return take_output();
}

bool TlsEnd::is_open() const {
  return SSL_is_init_finished(ssl_of(ssl_)) == 1;
}

}  // namespace tokometer::sim
