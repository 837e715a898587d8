#include "net/http2_connection.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>
#include <vector>

#include "net/pool.hpp"

namespace tokometer {
namespace {

constexpr size_t kSendBytes = 256 * 1024;  // of frames made at a time

}  // namespace

Http2Connection::Http2Connection(Poller& poller, Http2Owner& owner, const PoolOptions& options, TlsLink* tls,
                                 uint64_t id)
    : Link(poller, tls, id),
      owner_(owner),
      options_(options),
      session_(options.limits, options.http2_advice) {}

// --- connect ---

void Http2Connection::open(std::span<const Endpoint> endpoints, size_t first) {
  info_.connect_ns = poller_.receiver().now_ns();
  connect(endpoints, first, options_.tunnel_request);
}

void Http2Connection::on_securing() {
  phase_ = Phase::securing;
  owner_.on_securing(*this);
  if (phase_ == Phase::securing) flush();
}

// The server speaks first: its SETTINGS may come with the end of the handshake.
void Http2Connection::secure_some() {
  const ReceiveResult read = receive();
  secure(read, send_error_);
  if (is_open() && read.kind == ReceiveResult::Kind::bytes) take(read);
}

void Http2Connection::on_link_open() {
  if (info_.tls_ready_ns != kNoInstant && transport_.protocol() != "h2") {
    return on_link_broken("h2", std::string(info_.endpoint) +
                                    ": the server does not speak HTTP/2 over TLS (ALPN): " +
                                    std::string(options_.http2_advice));
  }
  phase_ = Phase::open;
  owner_.on_opened(*this);
  if (is_open()) flush();  // the preface, if no request has taken it along
}

// Never told from inside: the caller may be starting a request.
void Http2Connection::on_link_broken(std::string_view cls, std::string message) {
  phase_ = phase_ == Phase::open ? Phase::open : Phase::broken;
  broken_ =
      std::make_unique<Failure>(Failure{std::string(cls), std::move(message), poller_.receiver().now_ns()});
  poller_.wake(*this);
}

// --- requests ---

ConnectionInfo Http2Connection::info_for(const Http2Exchange& exchange) const {
  ConnectionInfo info = info_;
  info.after_stale = exchange.after_stale;
  info.reused = exchange.reused;
  if (info.reused) {
    info.connect_ns = info.tcp_ready_ns = info.tls_ready_ns = kNoInstant;
    if (exchange.waits_since_ns != kNoInstant) info.held_until_ns = poller_.receiver().now_ns();
    return info;
  }
  // Who joined a connection that was being opened has waited only since then.
  for (int64_t* at : {&info.connect_ns, &info.tcp_ready_ns, &info.tls_ready_ns}) {
    if (*at != kNoInstant) *at = std::max(*at, exchange.waits_since_ns);
  }
  return info;
}

void Http2Connection::start(Http2Exchange& exchange) {
  exchange.connection = this;
  exchange.reused = exchange.waits_since_ns == kNoInstant ||
                    exchange.waits_since_ns > std::max(info_.tcp_ready_ns, info_.tls_ready_ns);
  exchange.sent_ns = kNoInstant;
  exchange.is_sent = false;
  const bool submitted = session_.submit(exchange, exchange.request);
  exchange.handler->on_connection(info_for(exchange));
  if (exchange.handler == nullptr) return;  // cancelled
  if (!submitted) on_link_broken("h2", "the connection takes no more requests");
  flush();
}

void Http2Connection::cancel(Http2Exchange& exchange) {
  release(exchange);
  session_.forget(exchange);
  if (delivering_ && exchange.is_touched) return;  // deliver() goes on
  session_.untouch(exchange);
  owner_.release(exchange);
  if (delivering_) return;
  flush();
  owner_.on_changed(*this);
}

// Makes and sends frames while the transport takes them.
void Http2Connection::flush() {
  if (std::exchange(flushing_, true)) return;
  while (phase_ == Phase::open || phase_ == Phase::securing) {
    if (transport_.unsent_bytes() == 0 && !fill_transport()) break;
    const size_t before = transport_.unsent_bytes();
    if (before == 0) break;
    const int error = transport_.send();
    if (error != 0 && error != EAGAIN) {
      // What lies in the receive queue is read first, on the next turn: it may be a GOAWAY that explains it.
      send_error_ = error;
      transport_.drop_unsent();
      poller_.wake(*this);
      break;
    }
    const size_t left = transport_.unsent_bytes();
    if (left < before) tell_sent(left);
    if (left > 0) break;
  }
  flushing_ = false;
  if (phase_ != Phase::closed && phase_ != Phase::broken) watch_writable(transport_.unsent_bytes() > 0);
  if (!delivering_ && !session_.touched().empty()) poller_.wake(*this);
}

// False: there is nothing to send.
bool Http2Connection::fill_transport() {
  if (phase_ != Phase::open || send_error_ != 0) return false;
  out_.clear();
  if (!session_.produce(out_, kSendBytes) && broken_ == nullptr)
    on_link_broken(session_.fault().cls, session_.fault().message);
  if (out_.empty()) return false;
  transport_.put(out_);
  if (transport_.has_fault() && broken_ == nullptr) on_link_broken("tls", transport_.fault());
  tell_departing();
  return true;
}

void Http2Connection::tell_departing() {
  auto& departing = session_.departing();
  if (departing.empty()) return;
  const int64_t now_ns = poller_.receiver().now_ns();
  while (!departing.empty()) {
    Http2Exchange& exchange = exchange_of(*departing.front());
    departing.erase(departing.begin());
    exchange.sent_ns = now_ns;
    if (exchange.handler != nullptr) exchange.handler->on_sent(now_ns);
  }
}

void Http2Connection::tell_sent(size_t left) {
  const int64_t now_ns = poller_.receiver().now_ns();
  auto& departed = session_.departed();
  while (left == 0 && !departed.empty()) {
    Http2Exchange& exchange = exchange_of(*departed.front());
    departed.erase(departed.begin());
    exchange.is_sent = true;
    if (exchange.handler != nullptr) exchange.handler->on_send_done(now_ns);
  }
  for (size_t i = 0; i < session_.streams().size(); ++i) {  // a handler may cancel
    Http2Exchange& exchange = exchange_of(*session_.streams()[i]);
    if (exchange.handler != nullptr && !exchange.is_sent && exchange.sent_ns != kNoInstant)
      exchange.handler->on_send_progress(now_ns, exchange.body.size() + left);
  }
}

// --- what comes ---

void Http2Connection::on_ready(uint32_t events) {
  if (phase_ == Phase::broken) {
    const Failure failure = *broken_;
    close();
    return owner_.on_open_failed(*this, failure);
  }
  if (broken_ != nullptr) return fail_all(broken_->cls, std::string(broken_->message));
  if (!session_.touched().empty()) {
    deliver({});
    owner_.on_changed(*this);
  }
  if (phase_ == Phase::closed) return;
  if ((events & EPOLLOUT) != 0 && transport_.unsent_bytes() > 0) flush();
  if (phase_ == Phase::closed || broken_ != nullptr) return;
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0 && send_error_ == 0) return;
  phase_ == Phase::securing ? secure_some() : take(receive());
}

// --- its end ---

void Http2Connection::close() noexcept {
  if (phase_ == Phase::closed) return;
  if (phase_ == Phase::open && transport_.unsent_bytes() == 0 && send_error_ == 0 && broken_ == nullptr) {
    session_.say_goodbye();
    out_.clear();
    if (session_.produce(out_, kSendBytes) && !out_.empty()) {
      transport_.put(out_);
      transport_.send();
    }
  }
  phase_ = Phase::closed;
  close_link();
}

bool Http2Connection::is_still_open() {
  ReceiveResult::Kind found{};
  do {
    const ReceiveResult read = receive();
    found = read.kind;
    take(read);
  } while (is_open() && (found == ReceiveResult::Kind::unreadable || found == ReceiveResult::Kind::bytes));
  return is_open();
}

}  // namespace tokometer
