#include "net/transport.hpp"

#include <utility>

namespace tokometer {
namespace {

constexpr size_t kKeptBytes = 16 * 1024;  // of sealed_, once its bytes are sent

}  // namespace

void Transport::begin(Socket socket, size_t endpoint) {
  socket_ = std::move(socket);
  if (link_ == nullptr) return;
  tls_ = std::make_unique<TlsStream>(*link_->context, link_->host, link_->sessions[endpoint]);
  put_output();
}

void Transport::close() noexcept {
  if (tls_ != nullptr && unsent_.empty()) {
    tls_->close();
    put_output();
    if (!unsent_.empty()) send();  // the last word, or an alert: nobody waits for it
  }
  tls_.reset();
  unsent_ = {};
  socket_.close();
}

void Transport::open_records(ReceiveResult& read) {
  using Kind = ReceiveResult::Kind;
  if (read.kind != Kind::bytes) return;
  read.bytes = tls_->open(read.bytes, *link_->buffer);
  read.stamp.cut_record = tls_->is_inside_record();
  if (tls_->peer_has_closed()) read.then = Kind::eof;
  if (has_fault()) read.then = Kind::fault;
  if (read.bytes.empty()) read.kind = read.then == Kind::nothing ? Kind::unreadable : read.then;
}

void Transport::put(std::string_view bytes) {
  if (tls_ == nullptr) return void(unsent_ = bytes);
  tls_->seal(bytes);
  put_output();
}

void Transport::put_output() {
  std::string& output = tls_->output();
  sealed_.erase(0, sealed_.size() - unsent_.size());
  if (sealed_.empty()) {
    std::swap(sealed_, output);
  } else {
    sealed_.append(output);
  }
  output.clear();
  unsent_ = sealed_;
}

int Transport::send() {
  size_t accepted = 0;
  const int error = socket_.send(unsent_, accepted);
  unsent_.remove_prefix(accepted);
  if (unsent_.empty() && sealed_.capacity() > kKeptBytes) sealed_ = std::string();
  return error;
}

}  // namespace tokometer
