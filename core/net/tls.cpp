#include "net/tls.hpp"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "net/tls_fault.hpp"

namespace tokometer {
namespace {

constexpr int kRecordHeaderBytes = 5;

bool is_address(const std::string& host) {
  in6_addr ignored{};
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1 || inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

}  // namespace

// OpenSSL's view of the network: it reads `in` and appends to `out`, and nothing is copied in between.
class TlsStream::State {
 public:
  State(SSL_CTX* context, const std::string& host, std::shared_ptr<void>& ticket);

  void handshake();
  size_t read(char* to, size_t room);
  void fail_with(int error);

  std::unique_ptr<SSL, decltype(&SSL_free)> ssl;
  TlsNotes notes;
  std::string_view in;
  std::string out;
  std::string fault;
  bool is_tls = false;    // the peer's first byte was that of a TLS record
  bool at_border = true;  // `in` ended where a record does
  bool open = false, closed = false;

 private:
  static BIO_METHOD* method();
  static State& of(BIO* bio) { return *static_cast<State*>(BIO_get_data(bio)); }
  static int read_bio(BIO* bio, char* to, int size);
  static int write_bio(BIO* bio, const char* from, int size);
  static long control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
};

BIO_METHOD* TlsStream::State::method() {
  static BIO_METHOD* const kMethod = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory");
    BIO_meth_set_read(made, read_bio);
    BIO_meth_set_write(made, write_bio);
    BIO_meth_set_ctrl(made, control_bio);
    return made;
  }();
  return kMethod;
}

// Without read-ahead OpenSSL asks for a record's head, then for its body: a head asked for with nothing kept
// is the border of a record.
int TlsStream::State::read_bio(BIO* bio, char* to, int size) {
  State& state = of(bio);
  BIO_clear_retry_flags(bio);
  if (state.in.empty()) {
    state.at_border = size == kRecordHeaderBytes;
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = std::min(state.in.size(), static_cast<size_t>(size));
  std::memcpy(to, state.in.data(), count);
  state.in.remove_prefix(count);
  return static_cast<int>(count);
}

int TlsStream::State::write_bio(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  of(bio).out.append(from, static_cast<size_t>(size));
  return size;
}

TlsStream::State::State(SSL_CTX* context, const std::string& host, std::shared_ptr<void>& ticket)
    : ssl(SSL_new(context), SSL_free), notes{host, ticket} {
  SSL_set_app_data(ssl.get(), &notes);
  BIO* bio = BIO_new(method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  SSL_set_connect_state(ssl.get());
  SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), host.c_str());
  } else {
    SSL_set1_host(ssl.get(), host.c_str());
    SSL_set_tlsext_host_name(ssl.get(), host.c_str());
  }
  if (ticket) SSL_set_session(ssl.get(), static_cast<SSL_SESSION*>(ticket.get()));
}

void TlsStream::State::fail_with(int error) {
  fault = tls_fault(ssl.get(), error, is_tls);
}

void TlsStream::State::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl.get());
  if (result == 1) return void(open = true);
  const int error = SSL_get_error(ssl.get(), result);
  if (error != SSL_ERROR_WANT_READ) fail_with(error);
}

// At most one record. 0: no more can be read now.
size_t TlsStream::State::read(char* to, size_t room) {
  ERR_clear_error();
  size_t got = 0;
  const int result = SSL_read_ex(ssl.get(), to, room, &got);
  if (result == 1) return got;
  const int error = SSL_get_error(ssl.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN) {
    closed = true;
  } else if (error != SSL_ERROR_WANT_READ) {
    fail_with(error);
  }
  return 0;
}

TlsStream::TlsStream(const TlsContext& context, const std::string& host, TlsSession& session)
    : state_(std::make_unique<State>(static_cast<SSL_CTX*>(context.context_.get()), host, session.ticket_)) {
  state_->handshake();
}
TlsStream::~TlsStream() = default;

std::string_view TlsStream::open(std::string_view sealed, TlsBuffer& buffer) {
  State& state = *state_;
  if (!state.fault.empty() || state.closed) return {};
  state.is_tls = state.is_tls || is_tls_record(sealed);
  state.in = sealed;
  if (!state.open) state.handshake();
  size_t size = 0;
  while (state.open) {
    const size_t got = state.read(buffer.bytes.data() + size, TlsBuffer::kBytes - size);
    if (got == 0) break;
    size += got;
  }
  state.in = {};
  return {buffer.bytes.data(), size};
}

void TlsStream::seal(std::string_view plain) {
  ERR_clear_error();
  size_t written = 0;
  const int result = SSL_write_ex(state_->ssl.get(), plain.data(), plain.size(), &written);
  if (result != 1) state_->fail_with(SSL_get_error(state_->ssl.get(), result));
}

// Without it OpenSSL takes the session for broken, and its ticket would not be used again.
void TlsStream::close() {
  if (!state_->open || !state_->fault.empty()) return;
  ERR_clear_error();
  SSL_shutdown(state_->ssl.get());
}

std::string& TlsStream::output() noexcept {
  return state_->out;
}
bool TlsStream::is_open() const noexcept {
  return state_->open;
}
bool TlsStream::is_resumed() const noexcept {
  return SSL_session_reused(state_->ssl.get()) == 1;
}
bool TlsStream::peer_has_closed() const noexcept {
  return state_->closed;
}
bool TlsStream::is_inside_record() const noexcept {
  return !state_->at_border || SSL_has_pending(state_->ssl.get()) == 1;
}
const std::string& TlsStream::fault() const noexcept {
  return state_->fault;
}

std::string_view TlsStream::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(state_->ssl.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace tokometer
