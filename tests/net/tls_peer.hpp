// A scripted TLS server for the tests: OpenSSL, blocking, on the Peer of loopback.hpp; and the certificates
// that tests/tls/certificates.sh makes once for the process.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "loopback.hpp"
#include "net/tls_context.hpp"

namespace tokometer::testing {

class Certificates {
 public:
  static const Certificates& get() {
    static const Certificates all;
    return all;
  }
  std::string pem(const std::string& name) const { return folder_ + "/" + name + ".pem"; }
  std::string key(const std::string& name) const { return folder_ + "/" + name + ".key"; }

 private:
  Certificates() {
    char name[] = "/tmp/tokometer-tls-XXXXXX";
    folder_ = ::mkdtemp(name);
    if (std::system(("sh " TOKOMETER_CERTIFICATES " " + folder_).c_str()) != 0)
      throw std::runtime_error("certificates.sh failed");
  }
  ~Certificates() { std::filesystem::remove_all(folder_); }

  std::string folder_;
};

struct TlsServerOptions {
  std::string certificate = "good";
  bool client_certificate = false;  // required
  int version = 0;                  // 0: any
  std::string protocol = "";        // of ALPN; "": no ALPN; another than the client's ends the handshake
};

inline std::shared_ptr<SSL_CTX> server_context(const TlsServerOptions& options) {
  const Certificates& all = Certificates::get();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_use_certificate_chain_file(context.get(), all.pem(options.certificate).c_str());
  const std::string key = options.certificate == "chain-full" ? "chain" : options.certificate;
  SSL_CTX_use_PrivateKey_file(context.get(), all.key(key).c_str(), SSL_FILETYPE_PEM);
  if (options.version != 0) {
    SSL_CTX_set_min_proto_version(context.get(), options.version);
    SSL_CTX_set_max_proto_version(context.get(), options.version);
  }
  if (options.client_certificate) {
    SSL_CTX_load_verify_file(context.get(), all.pem("ca").c_str());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  static constexpr unsigned char kContext[] = "test";
  SSL_CTX_set_session_id_context(context.get(), kContext, sizeof kContext);
  if (options.protocol.empty()) return context;
  SSL_CTX_set_alpn_select_cb(
      context.get(),
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in, unsigned in_size,
         void* wanted) {
        const auto& name = *static_cast<const std::string*>(wanted);
        const std::string_view offered(reinterpret_cast<const char*>(in), in_size);
        const size_t at = offered.find(name);
        if (at == std::string_view::npos) return SSL_TLSEXT_ERR_ALERT_FATAL;
        *out = in + at;
        *size = static_cast<unsigned char>(name.size());
        return SSL_TLSEXT_ERR_OK;
      },
      const_cast<std::string*>(&options.protocol));
  return context;
}

// The server's end of one TLS connection; each send() is one record.
class TlsPeer {
 public:
  TlsPeer(SSL_CTX* context, Peer& peer) : peer_(peer), ssl_(SSL_new(context), SSL_free) {
    SSL_set_fd(ssl_.get(), peer.fd());
    accepted_ = SSL_accept(ssl_.get()) == 1;
  }
  bool accepted() const { return accepted_; }
  SSL* ssl() { return ssl_.get(); }

  // A request without a body. "" at the end.
  std::string request() {
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n")) {
      if (SSL_read(ssl_.get(), &byte, 1) != 1) return {};
      head += byte;
    }
    return head;
  }
  void send(std::string_view bytes) {
    tell_sent();
    if (SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) ERR_clear_error();
  }
  // The records that `write` makes, not sent.
  std::string records(const std::function<void()>& write) {
    BIO* memory = BIO_new(BIO_s_mem());
    BIO_up_ref(memory);
    BIO* socket = SSL_get_wbio(ssl_.get());
    BIO_up_ref(socket);
    SSL_set0_wbio(ssl_.get(), memory);
    write();
    char* bytes = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(memory, &bytes));
    std::string made(bytes, size);
    SSL_set0_wbio(ssl_.get(), socket);
    BIO_free(memory);
    return made;
  }
  void close_notify() {
    tell_sent();
    SSL_shutdown(ssl_.get());
  }
  void tickets(int count) {
    for (int i = 0; i < count; ++i) SSL_new_session_ticket(ssl_.get());
    SSL_do_handshake(ssl_.get());
  }
  void update_keys() {
    SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(ssl_.get());
  }
  Peer& peer() { return peer_; }

 private:
  Peer& peer_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool accepted_ = false;
};

// A Server each of whose connections is a TlsPeer.
class TlsServer {
 public:
  explicit TlsServer(std::function<void(TlsPeer&, int)> script, TlsServerOptions options = {})
      : options_(std::move(options)),
        context_(server_context(options_)),
        server_([this, script](Peer& peer, int n) {
          TlsPeer tls(context_.get(), peer);
          if (tls.accepted()) script(tls, n);
        }) {}
  const Endpoint& endpoint() const { return server_.endpoint(); }
  // Of a pool that trusts the test's authority.
  PoolOptions pool(TlsOptions tls, std::string host = "localhost") const {
    return {.endpoints = {endpoint()}, .tls = *TlsContext::make(tls), .tls_host = std::move(host)};
  }
  PoolOptions pool() const { return pool({.ca_file = Certificates::get().pem("ca")}); }

 private:
  TlsServerOptions options_;
  std::shared_ptr<SSL_CTX> context_;
  Server server_;
};

}  // namespace tokometer::testing
