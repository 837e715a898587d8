#include "net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/text.hpp"
#include "net/socket.hpp"
#include "net/tls_fault.hpp"

namespace tokometer {
namespace {

constexpr int kSecurityLevel = 2;  // no RSA below 2048 bits, no MD5, no SHA-1 signatures

Error refused(std::string_view option, const std::string& file, const std::string& why) {
  return Error{"target.tls." + std::string(option) + ": " + escape_terminal(file) + ": " + why};
}

// OpenSSL says of a missing file only that it could not read it.
Result<void> check_readable(std::string_view option, const std::string& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) return refused(option, file, "is a folder");
  if (!std::ifstream(file)) return refused(option, file, error_text(errno));
  return {};
}

// An encrypted key is refused: without this OpenSSL would ask the terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

Result<void> trust(SSL_CTX* context, const std::string& ca_file) {
  if (ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  if (auto readable = check_readable("ca_file", ca_file); !readable) return readable;
  if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1)
    return refused("ca_file", ca_file, "holds no certificate in PEM form");
  return {};
}

Result<void> identify(SSL_CTX* context, const TlsOptions& options) {
  if (options.cert_file.empty() != options.key_file.empty()) {
    const bool no_key = options.key_file.empty();
    return Error{std::string("target.tls.") + (no_key ? "key_file" : "cert_file") +
                 ": is missing; a client certificate needs both"};
  }
  if (options.cert_file.empty()) return {};
  if (auto readable = check_readable("cert_file", options.cert_file); !readable) return readable;
  if (auto readable = check_readable("key_file", options.key_file); !readable) return readable;
  if (SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1) {
    const bool weak = ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL;
    return refused("cert_file", options.cert_file,
                   weak ? "its key or signature is too weak" : "holds no certificate in PEM form");
  }
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) == 1) return {};
  const bool other = ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509;
  return refused("key_file", options.key_file,
                 other ? "is not the key of the certificate in cert_file"
                       : "holds no private key in PEM form without a passphrase");
}

int keep_ticket(SSL* ssl, SSL_SESSION* ticket) {
  notes_of(ssl).ticket =
      std::shared_ptr<void>(ticket, [](void* kept) { SSL_SESSION_free(static_cast<SSL_SESSION*>(kept)); });
  return 1;  // it is ours now
}

void offer(SSL_CTX* context, const std::string& protocol) {
  const std::string list = static_cast<char>(protocol.size()) + protocol;
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(list.data()),
                          static_cast<unsigned>(list.size()));
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsOptions& options) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> owner(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX* context = owner.get();
  if (context == nullptr) return Error{"TLS: the library does not start"};
  SSL_CTX_set_security_level(context, kSecurityLevel);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_verify(context, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     options.verify ? note_bad_certificate : nullptr);
  // Tickets are kept by endpoint, beside the connections (TlsSession).
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_ticket);
  offer(context, options.protocol);
  if (auto trusted = trust(context, options.ca_file); !trusted) return trusted.errors();
  if (auto identified = identify(context, options); !identified) return identified.errors();
  return std::shared_ptr<const TlsContext>(new TlsContext(owner, options.verify));
}

}  // namespace tokometer
