// The simulated server: it listens, accepts, hands each request to an Exchange or a page, and keeps the
// times: fixed pace, engine model, stalls, faults by rate. One thread, one EventLoop.
// docs/internals/simulator.md
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "sim/connection.hpp"
#include "sim/event_loop.hpp"
#include "sim/exchange.hpp"
#include "sim/generation.hpp"
#include "sim/model.hpp"
#include "sim/options.hpp"
#include "sim/pace.hpp"
#include "sim/pages.hpp"
#include "sim/script.hpp"
#include "sim/tls.hpp"
#include "sim/tokens.hpp"

namespace tokometer::sim {

class Server {
 public:
  // Listens on host:port. `truth` may be null and must outlive the server, as must `clock`.
  static Result<std::unique_ptr<Server>> listen(Options options, const Clock& clock, TruthLog* truth,
                                                const std::string& host, uint16_t port);
  std::string url() const;

  // Serves until SIGTERM or SIGINT (read from `signal_fd`), or until `stdin_fd` (-1: none) reaches its end.
  // Fails when the truth log cannot be written any more.
  Result<void> run(int signal_fd, int stdin_fd);

  // "N token events of M requests; lateness p50 ... p99 ... max ...; K hiccups over 1 ms"
  std::string lateness_report() const;

 private:
  Server(Options options, const Clock& clock, TruthLog* truth, EventLoop loop, Descriptor listener,
         std::optional<TlsServer> tls);

  void on_socket(uint64_t tag, uint32_t events);
  void run_due(int64_t now_ns);
  void handle(const Wake& wake);
  void on_stop_signal();
  void freeze(int signal_fd, int stdin_fd);

  void accept_all();
  void read_requests(uint32_t slot);
  bool read_http2(uint32_t slot);  // true: the connection speaks it
  void begin_stream(uint32_t slot, int32_t stream, const Request& request);
  void settle_stream(uint32_t slot);
  void end_of_stream(uint32_t slot);
  void close_streams(uint32_t slot, std::string_view outcome);
  void close_gone_streams(uint32_t slot);
  static void leave_parent(Connection& stream);
  uint32_t new_slot(std::unique_ptr<Connection> connection);
  void answer(uint32_t slot, const Request& request);
  void send_page(uint32_t slot, const Request& request, const Page& page);
  void answer_grpc(uint32_t slot, const Request& request);
  void send_grpc_page(uint32_t slot, const Request& request, const Page& page);
  void answer_generation(uint32_t slot, const Request& request);
  void refuse(uint32_t slot, const Request& request, uint32_t stream, const Page& page);
  std::optional<Page> early_failure(const Generation& generation, std::string_view path, int64_t now_ns);
  void begin_exchange(uint32_t slot, Generation generation, uint32_t stream, int64_t now_ns);
  void draw_failure(Generation& generation, uint32_t stream);
  int64_t look_up_prefix(const Generation& generation);

  void schedule(uint32_t slot, Exchange::Step step, int64_t due_ns, bool first);
  void advance(uint32_t slot, int64_t due_ns);
  void enter_engine(uint32_t slot, int64_t due_ns);
  void kick_engine(int64_t at_ns);
  void end_engine_step(int64_t due_ns);
  void finish_exchange(uint32_t slot, Exchange::Step step);
  void end_of_reply(uint32_t slot);
  void play_script(uint32_t slot);
  bool plays_script(uint32_t connection) const;

  void close(uint32_t slot, std::string_view outcome);
  void reset(uint32_t slot);
  void settle(uint32_t slot);
  void close_idle(int64_t now_ns);
  Exchange* exchange_of(const Wake& wake);
  bool is_for_connection(const Wake& wake) const;
  Metrics::Gauges gauges() const;
  uint64_t tag_of(uint32_t slot) const { return (uint64_t{slots_[slot]->number()} << 32u) | slot; }
  bool is_starting(int64_t now_ns) const { return now_ns < started_ns_ + options_.startup_ns; }

  struct IdleConnection {
    int64_t deadline_ns;
    uint32_t slot, number, idle_serial;
  };

  Options options_;
  const Clock& clock_;
  Books books_;
  EventLoop loop_;
  Descriptor listener_;
  std::optional<TlsServer> tls_;
  Pace pace_;
  Engine engine_;
  PrefixCache prefixes_;
  Script script_;
  std::vector<std::unique_ptr<Connection>> slots_;
  std::vector<uint32_t> free_slots_;
  std::vector<Engine::Progress> step_;  // of the engine's step being sent
  std::deque<IdleConnection> idle_;
  int64_t started_ns_ = 0;
  int64_t freeze_at_ns_ = 0, freeze_until_ns_ = 0;
  uint32_t accepted_ = 0, requests_ = 0;
  size_t entering_ = 0;  // requests on their way into the engine
  size_t running_ = 0;   // exchanges
  uint64_t hiccups_ = 0;
  bool slept_ = false, stopping_ = false, silent_ = false, quit_ = false;
};

}  // namespace tokometer::sim
