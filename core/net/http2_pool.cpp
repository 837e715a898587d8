#include "net/http2_pool.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace tokometer {

Http2Pool::Http2Pool(boost::asio::io_context& io, Poller& poller, const Clock& clock, PoolOptions options)
    : poller_(poller), clock_(clock), options_(std::move(options)), alarm_(io, [this] { on_alarm(); }) {
  assert(!options_.endpoints.empty() && options_.streams_per_connection > 0);
  if (options_.policy == ConnectionPolicy::fresh) options_.streams_per_connection = 1;
  if (options_.tls == nullptr) return;
  link_ = std::make_unique<TlsLink>();
  link_->context = options_.tls;
  link_->host = options_.tls_host;
  link_->sessions.resize(options_.endpoints.size());
}

Http2Pool::~Http2Pool() {
  poller_.remove(-1, *this);
}

// --- requests ---

Http2Exchange& Http2Pool::new_exchange(ExchangeHandler& handler, std::string_view request) {
  if (spare_.empty()) {
    spare_.emplace_back();
    spare_.back().position = std::prev(spare_.end());
  }
  Http2Exchange& exchange = spare_.back();
  waiting_.splice(waiting_.end(), spare_, exchange.position);
  exchange.handler = &handler;
  exchange.request = request;
  exchange.connection = nullptr;
  exchange.waits_since_ns = kNoInstant;
  exchange.knows_securing = false;
  handler.exchange_ = &exchange;
  return exchange;
}

void Http2Pool::start(ExchangeHandler& handler, std::string_view request) {
  assert(handler.exchange_ == nullptr);
  Http2Connection* connection = waiting_.empty() ? connection_with_room() : nullptr;
  Http2Exchange& exchange = new_exchange(handler, request);
  if (connection != nullptr) return start_on(*connection, exchange);
  exchange.waits_since_ns = poller_.receiver().now_ns();
  if (may_open()) handler.on_connecting(exchange.waits_since_ns);
  serve_waiting();
}

void Http2Pool::start_on(Http2Connection& connection, Http2Exchange& exchange) {
  running_.splice(running_.end(), waiting_, exchange.position);
  connection.start(exchange);
  counters_.reused += exchange.reused ? 1 : 0;
  if (connection.list != &dead_) place(connection);
}

void Http2Pool::cancel(ExchangeHandler& handler) {
  if (handler.exchange_ == nullptr) return;
  Http2Exchange& exchange = *handler.exchange_;
  if (exchange.connection != nullptr) return exchange.connection->cancel(exchange);
  exchange.handler->exchange_ = nullptr;
  exchange.handler = nullptr;
  spare_.splice(spare_.end(), waiting_, exchange.position);
  // A connection that nobody waits for any more, perhaps to a silent address, must not keep others waiting.
  if (!opening_.empty() && !opening_.front().is_preconnect && promised() >= waiting_.size() + streams_each())
    drop(opening_.front());
}

void Http2Pool::release(Http2Exchange& exchange) {
  spare_.splice(spare_.end(), running_, exchange.position);
}

// A connection for one more request, if there is one that lives.
Http2Connection* Http2Pool::connection_with_room() {
  while (!roomy_.empty()) {
    Http2Connection& connection = roomy_.back();
    if (connection.takes_requests() && room(connection) > 0) return &connection;
    place(connection);  // the read at hand has brought a GOAWAY, or a lower limit
  }
  const int64_t oldest_ns = clock_.now_ns() - options_.max_idle_ns;
  while (!idle_.empty() && idle_.back().since_ns > oldest_ns) {
    Http2Connection& connection = idle_.back();
    if (connection.is_still_open() && connection.list == &idle_) return &connection;
  }
  return nullptr;
}

// How many more requests the connections that are being opened can be expected to take.
size_t Http2Pool::promised() const {
  if (peer_limit_ == 0) return 0;
  return opening_.size() * streams_each() + unsettled_.size() * (streams_each() - 1);
}

void Http2Pool::serve_waiting() {
  if (std::exchange(serving_, true)) return;
  while (!waiting_.empty()) {
    if (Http2Connection* connection = connection_with_room(); connection != nullptr) {
      start_on(*connection, waiting_.front());
    } else if (waiting_.size() > promised() && may_open()) {
      open_one(false);
    } else {
      break;
    }
  }
  serving_ = false;
}

void Http2Pool::open_one(bool is_preconnect) {
  Http2Connection& connection = opening_.emplace_back(poller_, *this, options_, link_.get(), ++last_id_);
  connection.list = &opening_;
  connection.position = std::prev(opening_.end());
  connection.since_ns = clock_.now_ns();
  connection.is_preconnect = is_preconnect;
  connection.open(options_.endpoints, preferred_);
  set_alarm();
}

// The first of those that no connection is left for.
void Http2Pool::fail_waiting(const Failure& failure) {
  size_t most = options_.streams_per_connection;
  for (; most > 0 && waiting_.size() > promised(); --most) {
    Http2Exchange& exchange = waiting_.front();
    ExchangeHandler* handler = std::exchange(exchange.handler, nullptr);
    handler->exchange_ = nullptr;
    spare_.splice(spare_.end(), waiting_, exchange.position);
    handler->on_failure(failure);
  }
}

// --- what connections say ---

void Http2Pool::on_attempt(Http2Connection& connection, int64_t at_ns) {
  connection.since_ns = at_ns;
  move(connection, opening_);
  set_alarm();
}

void Http2Pool::on_securing(Http2Connection& connection) {
  connection.since_ns = clock_.now_ns();
  move(connection, opening_);
  size_t left = options_.streams_per_connection;
  for (auto at = waiting_.begin(); at != waiting_.end() && left > 0;) {
    Http2Exchange& exchange = *at++;  // the handler may cancel it
    if (std::exchange(exchange.knows_securing, true)) continue;
    --left;
    exchange.handler->on_securing(connection.info());
  }
  set_alarm();
}

void Http2Pool::on_opened(Http2Connection& connection) {
  ++counters_.opened;
  counters_.resumed += connection.is_resumed() ? 1 : 0;
  preferred_ = connection.endpoint();
  on_preconnected(connection, {});
  on_changed(connection);
}

void Http2Pool::on_open_failed(Http2Connection& connection, const Failure& failure) {
  move(connection, dead_);
  on_preconnected(connection, Error{failure.cls + ": " + failure.message});
  fail_waiting(failure);
  wake();
}

void Http2Pool::on_changed(Http2Connection& connection) {
  if (connection.list == &dead_) return;
  if (connection.knows_settings()) peer_limit_ = connection.stream_limit();
  place(connection);
  serve_waiting();
}

void Http2Pool::on_over(Http2Connection& connection) {
  counters_.closed_idle += connection.list == &idle_ ? 1 : 0;
  move(connection, dead_);
  wake();
}

// --- where connections stand ---

size_t Http2Pool::room(const Http2Connection& connection) const {
  const size_t asked = connection.knows_settings() ? options_.streams_per_connection : 1;
  const size_t most = std::min<size_t>(asked, connection.stream_limit());
  return most - std::min(most, connection.streams());
}

void Http2Pool::place(Http2Connection& connection) {
  if (!connection.is_open()) return;
  const bool was_used = connection.list != &opening_ && connection.list != &idle_;
  const bool is_used_up = options_.policy == ConnectionPolicy::fresh && was_used && connection.streams() == 0;
  if (!connection.takes_requests() || is_used_up) {
    if (connection.streams() == 0) return drop(connection);
    return move(connection, leaving_);
  }
  if (room(connection) == 0) return move(connection, connection.knows_settings() ? full_ : unsettled_);
  if (connection.streams() > 0) return move(connection, roomy_);
  if (connection.list == &idle_) return;
  connection.since_ns = clock_.now_ns();
  move(connection, idle_);
  set_alarm();
}

void Http2Pool::move(Http2Connection& connection, Connections& to) {
  to.splice(to.end(), *connection.list, connection.position);
  connection.list = &to;
}

// It may still be on the stack: it is destroyed on the next turn.
void Http2Pool::drop(Http2Connection& connection) {
  connection.close();
  move(connection, dead_);
  wake();
}

void Http2Pool::close_idle() {
  while (!idle_.empty()) drop(idle_.front());
}

// --- later ---

void Http2Pool::preconnect(size_t requests, std::function<void(Result<void>)> done) {
  const size_t streams = options_.streams_per_connection;
  preconnects_.add((requests + streams - 1) / streams, std::move(done));
  wake();
}

void Http2Pool::on_preconnected(Http2Connection& connection, std::optional<Error> error) {
  if (!std::exchange(connection.is_preconnect, false)) return;
  preconnects_.on_result(std::move(error));
  wake();
}

void Http2Pool::wake() {
  if (!std::exchange(woken_, true)) poller_.wake(*this);
}

void Http2Pool::on_ready(uint32_t) {
  woken_ = false;
  dead_.clear();
  serve_waiting();
  while (preconnects_.take()) open_one(true);
  if (preconnects_.finish() && !preconnects_.empty()) wake();
}

void Http2Pool::set_alarm() {
  int64_t at_ns = std::numeric_limits<int64_t>::max();
  if (!idle_.empty()) at_ns = idle_.front().since_ns + options_.max_idle_ns;
  if (!opening_.empty()) at_ns = std::min(at_ns, opening_.front().since_ns + options_.next_address_ns);
  if (at_ns != std::numeric_limits<int64_t>::max()) alarm_.ring_at(at_ns, clock_.now_ns());
}

void Http2Pool::on_alarm() {
  const int64_t now_ns = clock_.now_ns();
  while (!idle_.empty() && idle_.front().since_ns + options_.max_idle_ns <= now_ns) drop(idle_.front());
  for (size_t left = opening_.size(); left > 0 && !opening_.empty(); --left) {
    Http2Connection& connection = opening_.front();
    if (connection.since_ns + options_.next_address_ns > now_ns) break;
    connection.since_ns = now_ns;
    move(connection, opening_);
    if (connection.is_preconnect && connection.info().connect_ns + options_.handshake_ns <= now_ns) {
      on_preconnected(connection, Error{"timeout.tls: the connection takes too long"});
      drop(connection);
      continue;
    }
    if (connection.has_next_address()) connection.try_next_address();
  }
  set_alarm();
}

PoolCounters Http2Pool::counters() const {
  PoolCounters now = counters_;
  now.idle = idle_.size();
  now.active = roomy_.size() + unsettled_.size() + full_.size() + leaving_.size();
  now.connecting = opening_.size();
  return now;
}

}  // namespace tokometer
