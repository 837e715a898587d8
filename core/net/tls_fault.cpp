#include "net/tls_fault.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr int kMostNames = 4;
constexpr size_t kNameBytes = 80;
constexpr int kFirstRecordType = 20, kLastRecordType = 23;  // change_cipher_spec to application_data

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};

std::string date_of(const ASN1_TIME* time) {
  tm utc{};
  char text[64] = "an unreadable date";
  if (ASN1_TIME_to_tm(time, &utc) == 1) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
  return text;
}

std::string text_of(const ASN1_STRING* string) {
  const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(string));
  return {bytes, static_cast<size_t>(ASN1_STRING_length(string))};
}

std::string name_text(const GENERAL_NAME& name) {
  if (name.type == GEN_DNS) return escape_terminal(text_of(name.d.dNSName), kNameBytes);
  if (name.type != GEN_IPADD) return {};
  const std::string bytes = text_of(name.d.iPAddress);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(bytes.size() == sizeof(in_addr) ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return bytes.size() == sizeof(in_addr) || bytes.size() == sizeof(in6_addr) ? text : "";
}

// "a.example, 10.0.0.1": the hosts that a certificate is for.
std::string hosts_of(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string list;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    if (i == kMostNames) return list + ", ...";
    const std::string name = name_text(*sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty()) list += (list.empty() ? "" : ", ") + name;
  }
  return list.empty() ? "no host" : list;
}

std::string certificate_fault(int code, const X509* certificate, const std::string& host) {
  const std::string trust = "; set target.tls.ca_file to the certificate of the authority that signed it";
  switch (code) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return "the server's certificate is self-signed; set target.tls.ca_file to it, if it is the right one";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "the server's certificate is signed by an authority that is not trusted here" + trust;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "the server's certificate is signed by an authority that is not known here, or the server "
             "leaves "
             "out an intermediate certificate" +
             trust;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate has expired on " + date_of(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate is not valid before " + date_of(X509_get0_notBefore(certificate));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "the server's certificate is not for \"" + escape_terminal(host) + "\": it names " +
             hosts_of(certificate);
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return "the server's certificate has a key or a signature that is too weak";
    default:
      return std::string("the server's certificate is not accepted: ") + X509_verify_cert_error_string(code);
  }
}

// Reasons from 1000 on are alerts that the peer sent.
std::string alert_fault(int reason) {
  constexpr std::string_view kOurs = "; set target.tls.cert_file and key_file to one that it accepts";
  switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the server asks for a client certificate; set target.tls.cert_file and key_file";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the server does not accept our certificate" + std::string(kOurs);
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the server refused the handshake: no common cipher, or it asks for a client certificate "
             "(target.tls.cert_file and key_file)";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the server speaks no TLS version from 1.2 on";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return "the server does not speak the version of HTTP that target.connections.http asks for (ALPN); "
             "gRPC asks for 2";
    default: {
      const char* text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
      return "the server sent an alert: " + std::string(text != nullptr ? text : std::to_string(reason));
    }
  }
}

}  // namespace

TlsNotes& notes_of(const SSL* ssl) noexcept {
  return *static_cast<TlsNotes*>(SSL_get_app_data(ssl));
}

bool is_tls_record(std::string_view bytes) noexcept {
  return !bytes.empty() && bytes[0] >= kFirstRecordType && bytes[0] <= kLastRecordType &&
         (bytes.size() < 2 || bytes[1] == 3);
}

int note_bad_certificate(int is_good, X509_STORE_CTX* store) noexcept {
  if (is_good == 1) return 1;
  const auto* ssl =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsNotes& notes = notes_of(ssl);
  notes.certificate_fault =
      certificate_fault(X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store), notes.host);
  return 0;
}

std::string tls_fault(const SSL* ssl, int error, bool spoke_tls) {
  const TlsNotes& notes = notes_of(ssl);
  if (!notes.certificate_fault.empty()) return notes.certificate_fault;
  if (!spoke_tls)
    return "the server speaks plain text on this port, not TLS; use http:// in place of https://";
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET) return alert_fault(reason);
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL) return "the server speaks no TLS version from 1.2 on";
  const char* text = ERR_reason_error_string(code);
  return "TLS failed: " + (text != nullptr ? std::string(text) : "OpenSSL error " + std::to_string(error));
}

}  // namespace tokometer
