#include "net/transport.hpp"

#include <utility>

namespace tokometer {
namespace {

constexpr size_t kKeptBytes = 16 * 1024;  // of what was sealed, once its bytes are sent

}  // namespace

void Transport::begin(Socket socket, size_t endpoint) {
  socket_ = std::move(socket);
  if (link_ == nullptr) return;
  tls_ = std::make_unique<Secured>(*link_, link_->sessions[endpoint]);
  put_output();
}

void Transport::close() noexcept {
  if (tls_ != nullptr && unsent_.empty()) {
    tls_->stream.close();
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
  read.bytes = tls_->stream.open(read.bytes, *link_->buffer);
  read.stamp.cut_record = tls_->stream.is_inside_record();
  if (tls_->stream.peer_has_closed()) read.then = Kind::eof;
  if (has_fault()) read.then = Kind::fault;
  if (read.bytes.empty()) read.kind = read.then == Kind::nothing ? Kind::unreadable : read.then;
}

void Transport::put(std::string_view bytes) {
  if (tls_ == nullptr) return void(unsent_ = bytes);
  tls_->stream.seal(bytes);
  put_output();
}

void Transport::put_output() {
  std::string& output = tls_->stream.output();
  std::string& sealed = tls_->sealed;
  sealed.erase(0, sealed.size() - unsent_.size());
  if (sealed.empty()) {
    std::swap(sealed, output);
  } else {
    sealed.append(output);
  }
  output.clear();
  unsent_ = sealed;
}

int Transport::send() {
  size_t accepted = 0;
  const int error = socket_.send(unsent_, accepted);
  unsent_.remove_prefix(accepted);
  if (unsent_.empty() && tls_ != nullptr && tls_->sealed.capacity() > kKeptBytes)
    tls_->sealed = std::string();
  return error;
}

}  // namespace tokometer
