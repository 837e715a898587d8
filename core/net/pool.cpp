#include "net/pool.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>

#include "net/alarm.hpp"
#include "net/http2_pool.hpp"
#include "net/preconnects.hpp"

namespace tokometer {

// Each connection stands in one of seven lists and is spliced from one to the other, which allocates nothing.
// The lists with a deadline are in order of since_ns, so that one timer serves them all.
class Pool::Http1 final : public PoolCore, public ConnectionOwner, public Pollable {
 public:
  Http1(boost::asio::io_context& io, Poller& poller, const Clock& clock, PoolOptions options)
      : poller_(poller), clock_(clock), options_(std::move(options)), alarm_(io, [this] { on_alarm(); }) {
    assert(!options_.endpoints.empty());
    if (options_.tls == nullptr) return;
    link_ = std::make_unique<TlsLink>();
    link_->context = options_.tls;
    link_->host = options_.tls_host;
    link_->sessions.resize(options_.endpoints.size());
  }
  ~Http1() override { poller_.remove(-1, *this); }

  void start(ExchangeHandler& handler, std::string_view request) override {
    Connection* idle = take_idle(handler.tenant);
    Connection& connection = idle != nullptr ? *idle : add();
    if (handler.tenant.id != 0) settle(connection, handler.tenant);
    counters_.reused += idle != nullptr ? 1 : 0;
    if (idle != nullptr) move(connection, active_);
    connection.start(handler, request, std::exchange(after_stale_, false));
    if (idle == nullptr) connection.open(options_.endpoints, preferred_, options_.tunnel_request);
  }

  void cancel(ExchangeHandler& handler) override {
    if (handler.connection_ != nullptr) drop(*handler.connection_);
  }

  void detach(ExchangeHandler& handler) override {
    if (handler.connection_ == nullptr) return;
    Connection& connection = *handler.connection_;
    connection.detach();
    if (connection.is_open()) move_timed(connection, draining_);
  }

  void preconnect(size_t n, std::function<void(Result<void>)> done) override {
    preconnects_.add(n, std::move(done));
    wake();
  }

  void close_idle() override {
    while (!idle_.empty()) drop(idle_.front());
  }

  PoolCounters counters() const override {
    PoolCounters now = counters_;
    now.idle = idle_.size();
    now.active = active_.size();
    now.draining = draining_.size();
    now.connecting = connecting_.size() + last_address_.size() + securing_.size();
    return now;
  }

 private:
  // --- what connections say ---

  void on_attempt(Connection& connection, int64_t at_ns) override {
    connection.since_ns = at_ns;
    move(connection, connection.has_next_address() ? connecting_ : last_address_);
    set_alarm();
  }

  void on_securing(Connection& connection) override {
    if (connection.has_handler()) return move(connection, last_address_);
    move_timed(connection, securing_);
  }

  void on_opened(Connection& connection) override {
    ++counters_.opened;
    counters_.resumed += connection.is_resumed() ? 1 : 0;
    preferred_ = connection.endpoint();
    if (connection.has_handler()) return move(connection, active_);
    move_timed(connection, idle_);
    on_preconnected({});
  }

  void on_open_failed(Connection& connection, const Failure& failure) override {
    bury(connection);
    on_preconnected(Error{failure.cls + ": " + failure.message});
  }

  bool on_exchange_over(Connection& connection, bool reusable) override {
    counters_.surplus_bytes += connection.take_dropped_bytes();
    if (reusable && options_.policy == ConnectionPolicy::reuse) {
      move_timed(connection, idle_);
      return true;
    }
    drop(connection);
    return false;
  }

  void on_idle_broken(Connection& connection, size_t unasked_bytes) override {
    counters_.surplus_bytes += unasked_bytes;
    ++(unasked_bytes > 0 ? counters_.stale : counters_.closed_idle);
    after_stale_ = after_stale_ || unasked_bytes > 0;
    bury(connection);
  }

  // --- lists ---

  Connection& add() {
    Connection& connection =
        last_address_.emplace_back(poller_, *this, options_.limits, link_.get(), ++last_id_);
    connection.list = &last_address_;
    connection.position = std::prev(last_address_.end());
    return connection;
  }

  void move(Connection& connection, std::list<Connection>& to) {
    to.splice(to.end(), *connection.list, connection.position);
    connection.list = &to;
  }

  void move_timed(Connection& connection, std::list<Connection>& to) {
    connection.since_ns = clock_.now_ns();
    move(connection, to);
    set_alarm();
  }

  void drop(Connection& connection) {
    connection.close();
    bury(connection);
  }

  // A connection that is over may still be on the stack: it is destroyed on the next turn.
  void bury(Connection& connection) {
    evict(connection);
    move(connection, dead_);
    wake();
  }

  // The connection used last, if it is young enough and silent; a tenant's own.
  Connection* take_idle(const Tenant& tenant) {
    if (options_.policy == ConnectionPolicy::fresh) return nullptr;
    const int64_t oldest_ns = clock_.now_ns() - options_.max_idle_ns;
    if (!tenant.moves_in) {
      const auto found = tenants_.find(tenant.id);
      const bool waits = found != tenants_.end() && found->second->list == &idle_;
      return waits && found->second->since_ns > oldest_ns && found->second->is_still_idle() ? found->second
                                                                                            : nullptr;
    }
    for (Connection* free = last_free(oldest_ns); free != nullptr; free = last_free(oldest_ns)) {
      if (free->is_still_idle()) return free;
    }
    return nullptr;
  }

  Connection* last_free(int64_t oldest_ns) {
    for (auto it = idle_.rbegin(); it != idle_.rend() && it->since_ns > oldest_ns; ++it) {
      if (it->tenant == 0) return &*it;
    }
    return nullptr;
  }

  void settle(Connection& connection, const Tenant& tenant) {
    if (const auto old = tenants_.find(tenant.id); old != tenants_.end()) evict(*old->second);
    if (tenant.moves_out) return;
    connection.tenant = tenant.id;
    tenants_[tenant.id] = &connection;
  }

  void evict(Connection& connection) {
    if (connection.tenant != 0) tenants_.erase(std::exchange(connection.tenant, 0));
  }

  // --- later ---

  void wake() {
    if (!std::exchange(woken_, true)) poller_.wake(*this);
  }

  void on_ready(uint32_t) override {
    woken_ = false;
    dead_.clear();
    if (!preconnects_.empty()) go_on_preconnecting();
  }

  void go_on_preconnecting() {
    while (preconnects_.take()) add().open(options_.endpoints, preferred_, options_.tunnel_request);
    if (preconnects_.finish() && !preconnects_.empty()) wake();
  }

  void on_preconnected(std::optional<Error> error) {
    if (preconnects_.empty()) return;
    preconnects_.on_result(std::move(error));
    wake();
  }

  void set_alarm() {
    int64_t at_ns = std::numeric_limits<int64_t>::max();
    const auto consider = [&](const std::list<Connection>& list, int64_t allowed_ns) {
      if (!list.empty()) at_ns = std::min(at_ns, list.front().since_ns + allowed_ns);
    };
    consider(connecting_, options_.next_address_ns);
    consider(securing_, options_.handshake_ns);
    consider(idle_, options_.max_idle_ns);
    consider(draining_, options_.drain_ns);
    if (at_ns != std::numeric_limits<int64_t>::max()) alarm_.ring_at(at_ns, clock_.now_ns());
  }

  void on_alarm() {
    const int64_t now_ns = clock_.now_ns();
    while (!idle_.empty() && idle_.front().since_ns + options_.max_idle_ns <= now_ns) drop(idle_.front());
    while (!draining_.empty() && draining_.front().since_ns + options_.drain_ns <= now_ns)
      drop(draining_.front());
    while (!securing_.empty() && securing_.front().since_ns + options_.handshake_ns <= now_ns) {
      const bool is_tunneling = securing_.front().is_tunneling();
      drop(securing_.front());
      on_preconnected(Error{is_tunneling ? "timeout.connect: the proxy does not answer"
                                         : "timeout.tls: the handshake takes too long"});
    }
    while (!connecting_.empty() && connecting_.front().since_ns + options_.next_address_ns <= now_ns) {
      connecting_.front().try_next_address();  // moves it
    }
    set_alarm();
  }

  Poller& poller_;
  const Clock& clock_;
  PoolOptions options_;
  std::unique_ptr<TlsLink> link_;       // outlives the connections
  std::list<Connection> connecting_;    // another address is left to try
  std::list<Connection> last_address_;  // connecting, tunneling or in the TLS handshake, none is left
  std::list<Connection> securing_;      // in the tunnel's or the TLS handshake, for no request
  std::list<Connection> active_;
  std::list<Connection> idle_;  // the back was used last
  std::list<Connection> draining_;
  std::list<Connection> dead_;
  Alarm alarm_;
  PoolCounters counters_;
  Preconnects preconnects_;
  std::unordered_map<uint64_t, Connection*> tenants_;  // by their id: those that stay between two requests
  uint64_t last_id_ = 0;
  size_t preferred_ = 0;  // the address that answered last
  bool after_stale_ = false;
  bool woken_ = false;
};

Pool::Pool(boost::asio::io_context& io, Poller& poller, const Clock& clock, PoolOptions options)
    : core_(options.http2 ? std::unique_ptr<PoolCore>(
                                std::make_unique<Http2Pool>(io, poller, clock, std::move(options)))
                          : std::make_unique<Http1>(io, poller, clock, std::move(options))) {}
Pool::~Pool() = default;

void Pool::start(ExchangeHandler& handler, std::string_view request) {
  core_->start(handler, request);
}

void Pool::cancel(ExchangeHandler& handler) {
  core_->cancel(handler);
}

void Pool::detach(ExchangeHandler& handler) {
  core_->detach(handler);
}

void Pool::preconnect(size_t n, std::function<void(Result<void>)> done) {
  core_->preconnect(n, std::move(done));
}
void Pool::close_idle() {
  core_->close_idle();
}
PoolCounters Pool::counters() const {
  return core_->counters();
}

}  // namespace tokometer
