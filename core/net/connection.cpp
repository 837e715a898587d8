#include "net/connection.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace tokometer {
namespace {

const std::string kSpeaksHttp2 =
    "the server speaks HTTP/2 on this port, not HTTP/1.1: set target.connections.http to \"2\"";

// The head of the frame with which every HTTP/2 server begins: type 4, of no stream.
bool is_http2_settings(std::string_view bytes) {
  return bytes.size() >= 9 && bytes[0] == 0 && bytes[3] == 4 &&
         bytes.substr(4, 5) == std::string_view("\0\0\0\0\0", 5);
}

}  // namespace

Connection::Connection(Poller& poller, ConnectionOwner& owner, const HttpLimits& limits, TlsLink* tls,
                       uint64_t id)
    : Link(poller, tls, id), owner_(owner), reader_(limits) {}

// --- connect ---

void Connection::open(std::span<const Endpoint> endpoints, size_t first, std::string_view tunnel_request) {
  info_.connect_ns = poller_.receiver().now_ns();
  if (handler_ != nullptr) handler_->on_connecting(info_.connect_ns);
  if (phase_ != Phase::closed) connect(endpoints, first, tunnel_request);
}

void Connection::on_securing() {
  phase_ = Phase::securing;
  owner_.on_securing(*this);
  if (handler_ != nullptr) handler_->on_securing(info_);
  if (phase_ == Phase::securing) send_some();
}

void Connection::secure_some() {
  const ReceiveResult read = receive();
  if (read.kind == ReceiveResult::Kind::bytes)
    return handshake_broken("the server sent data before it was asked");
  secure(read, send_error_);
}

void Connection::on_link_open() {
  const bool has_request = handler_ != nullptr;
  if (!has_request) become_idle();
  owner_.on_opened(*this);
  if (has_request && phase_ != Phase::closed) begin_exchange();
}

// Never told from inside: open() may be running in the call that started the request.
void Connection::on_link_broken(std::string_view cls, std::string message) {
  Failure failure{std::string(cls), std::move(message), poller_.receiver().now_ns()};
  if (handler_ == nullptr) {
    close();
    return owner_.on_open_failed(*this, failure);
  }
  phase_ = Phase::broken;
  broken_ = std::make_unique<Failure>(std::move(failure));
  poller_.wake(*this);
}

void Connection::send_output() {
  if (!sending_) send_some();  // else it leaves behind the request
}

// --- one exchange ---

void Connection::start(ExchangeHandler& handler, std::string_view request, bool after_stale) {
  assert(handler_ == nullptr && handler.connection_ == nullptr);
  handler_ = &handler;
  handler.connection_ = this;
  request_ = request;
  info_.after_stale = after_stale;
  if (phase_ == Phase::idle) begin_exchange();
}

void Connection::begin_exchange() {
  phase_ = Phase::exchange;
  handler_->on_connection(info_);
  if (phase_ != Phase::exchange) return;
  transport_.put(request_);
  if (transport_.has_fault())
    return on_link_broken("tls", std::string(info_.endpoint) + ": " + transport_.fault());
  sending_ = true;
  const int64_t sent_ns = poller_.receiver().now_ns();
  known_empty_ns_ = sent_ns;  // an idle connection that held a byte was dropped
  handler_->on_sent(sent_ns);
  if (phase_ == Phase::exchange) send_some();
}

void Connection::send_some() {
  const size_t before = transport_.unsent_bytes();
  const int error = transport_.send();
  if (error != 0 && error != EAGAIN) {
    // A response may lie in the receive queue all the same (413, then a reset): it is read first, on the next
    // turn.
    send_error_ = error;
    sending_ = false;
    transport_.drop_unsent();
    watch_writable(false);
    return poller_.wake(*this);
  }
  const size_t left = transport_.unsent_bytes();
  watch_writable(left > 0);
  if (!sending_) return;
  if (left == 0) {
    sending_ = false;
    handler_->on_send_done(poller_.receiver().now_ns());
  } else if (left < before) {
    handler_->on_send_progress(poller_.receiver().now_ns(), left);
  }
}

void Connection::on_ready(uint32_t events) {
  if (phase_ == Phase::broken) return fail(Failure(*broken_));
  if ((events & EPOLLOUT) != 0 && transport_.unsent_bytes() > 0) send_some();
  if (phase_ == Phase::closed) return;
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0 && send_error_ == 0) return;
  phase_ == Phase::securing ? secure_some() : take(receive());
}

void Connection::take(const ReceiveResult& read) {
  switch (read.kind) {
    case ReceiveResult::Kind::bytes:
      take_bytes(read);
      if (read.then == ReceiveResult::Kind::nothing) return;
      if (phase_ != Phase::exchange && phase_ != Phase::draining) return;
      return read.then == ReceiveResult::Kind::fault ? take_fault() : take_close(0);
    case ReceiveResult::Kind::eof:
      return take_close(0);
    case ReceiveResult::Kind::error:
      return take_close(read.error);
    case ReceiveResult::Kind::fault:
      return take_fault();
    case ReceiveResult::Kind::nothing:
      if (send_error_ != 0) take_close(send_error_);
      return;
    case ReceiveResult::Kind::unreadable:
      return;
  }
}

void Connection::take_bytes(const ReceiveResult& read) {
  if (phase_ == Phase::idle) {
    close();
    return owner_.on_idle_broken(*this, read.bytes.size());
  }
  if (phase_ == Phase::exchange) handler_->on_read(read.stamp, read.bytes.size());
  if (phase_ == Phase::closed) return;
  const auto progress = reader_.feed(read.bytes, *this);
  if (phase_ == Phase::exchange) handler_->on_read_done();
  if (phase_ == Phase::closed) return;
  if (progress == Http1Reader::Progress::failed) {
    return fail(reader_.fault().cls, is_http2_settings(read.bytes) ? kSpeaksHttp2 : reader_.fault().message);
  }
  if (progress == Http1Reader::Progress::ended) finish({}, read.bytes.size() - reader_.consumed());
}

bool Connection::on_head(const ResponseHead& head) {
  if (phase_ == Phase::exchange) handler_->on_head(head);
  return phase_ != Phase::closed;
}

bool Connection::on_body(std::string_view piece) {
  if (phase_ == Phase::exchange) {
    handler_->on_body(piece);
  } else {
    dropped_bytes_ += piece.size();
  }
  return phase_ != Phase::closed;
}

void Connection::take_fault() {
  if (phase_ != Phase::idle) return fail("tls", transport_.fault());
  close();
  owner_.on_idle_broken(*this, 0);
}

// The peer closed (0) or the connection broke (errno).
void Connection::take_close(int error) {
  if (phase_ == Phase::idle) {
    close();
    return owner_.on_idle_broken(*this, 0);
  }
  const bool sending_failed = send_error_ != 0 && send_error_ != EPIPE && send_error_ != ECONNRESET;
  if (sending_failed) return fail("send", "sending the request failed: " + error_text(send_error_));
  const std::string how = error != 0 ? "broke the connection: " + error_text(error) : "closed the connection";
  if (!reader_.got_bytes()) {
    return fail(no_byte_class(),
                how + " before a response byte" + (info_.reused ? ", on a reused connection" : ""));
  }
  if (error != 0) return fail(reader_.got_head() ? "truncated" : "framing", how + " inside the response");
  if (transport_.is_inside_record())
    return fail(reader_.got_head() ? "truncated" : "framing", how + " inside a TLS record");
  if (reader_.feed_eof() == Http1Reader::Progress::failed)
    return fail(reader_.fault().cls, reader_.fault().message);
  if (transport_.awaits_close_notify() && !reader_.no_last_chunk()) {
    return fail("truncated", how + " without the close_notify of TLS, the only end that this response has");
  }
  finish({.no_last_chunk = reader_.no_last_chunk()}, 0);
}

// --- its end ---

void Connection::become_idle() {
  phase_ = Phase::idle;
  info_.reused = true;
  info_.connect_ns = info_.tcp_ready_ns = info_.tls_ready_ns = kNoInstant;
}

void Connection::finish(EndInfo info, size_t surplus_bytes) {
  dropped_bytes_ += surplus_bytes;
  const bool reusable = reader_.keep_alive() && surplus_bytes == 0 && transport_.unsent_bytes() == 0 &&
                        send_error_ == 0 && !transport_.has_ended();
  ExchangeHandler* handler = release_handler();
  if (reusable) {
    reader_.reset();
    become_idle();
  } else {
    close();
  }
  info.surplus = surplus_bytes > 0;
  info.keep_alive = owner_.on_exchange_over(*this, reusable);
  if (handler != nullptr) handler->on_end(info);
}

void Connection::fail(std::string_view cls, const std::string& what) {
  fail(Failure{std::string(cls), std::string(info_.endpoint) + ": " + what, poller_.receiver().now_ns()});
}

void Connection::fail(const Failure& failure) {
  ExchangeHandler* handler = release_handler();
  close();
  owner_.on_exchange_over(*this, false);
  if (handler != nullptr) handler->on_failure(failure);
}

void Connection::detach() {
  release_handler();
  if (phase_ == Phase::exchange && transport_.unsent_bytes() == 0) {
    phase_ = Phase::draining;
    return;
  }
  close();
  owner_.on_exchange_over(*this, false);
}

void Connection::close() noexcept {
  phase_ = Phase::closed;
  release_handler();
  close_link();
}

bool Connection::is_still_idle() {
  assert(phase_ == Phase::idle);
  ReceiveResult::Kind found{};
  do {
    const ReceiveResult read = receive();
    found = read.kind;
    take(read);
  } while (phase_ == Phase::idle &&
           found == ReceiveResult::Kind::unreadable);  // a ticket, perhaps an EOF next
  return phase_ == Phase::idle;
}

ExchangeHandler* Connection::release_handler() noexcept {
  if (handler_ != nullptr) handler_->connection_ = nullptr;
  return std::exchange(handler_, nullptr);
}

}  // namespace tokometer
