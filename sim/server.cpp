// The loop: sockets, due times, the engine's steps, the end of connections. What is answered:
// server_answers.cpp.
#include "sim/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <limits>

#include "base/text.hpp"

namespace tokometer::sim {
namespace {

constexpr uint64_t kListenerTag = ~uint64_t{1}, kSignalTag = ~uint64_t{2}, kStdinTag = ~uint64_t{3};
constexpr int64_t kForEverNs = std::numeric_limits<int64_t>::max() / 2;
constexpr int64_t kHiccupNs = 1'000'000, kSilenceNs = 10'000'000'000;
constexpr int kMostDueInARow = 1024, kMostAcceptsInARow = 64;

Engine::Options engine_options(const Options& options) {
  return {.gpu = gpu_preset(options.preset),
          .max_num_seqs = options.max_num_seqs,
          .queue_limit = options.queue_limit,
          .kv_tokens = options.kv_tokens,
          .jitter = options.jitter.value_or(0.025),
          .seed = options.seed};
}

Pace::Options pace_options(const Options& options, int64_t origin_ns) {
  return {.origin_ns = origin_ns,
          .step_ns = options.step ? options.shape.itl_ns : 0,
          .ttft_spread_ns = options.ttft_spread_ns,
          .jitter = options.jitter.value_or(0),
          .seed = options.seed};
}

Result<Descriptor> listen_on(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return Error{"--host: must be an IPv4 address (got \"" + escape_terminal(host) + "\")"};
  }
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(listener.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);  // its connections inherit it
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16384) != 0) {
    return Error{"cannot listen on " + host + ":" + std::to_string(port) + ": " + std::strerror(errno)};
  }
  return listener;
}

// Reads what is there.
bool is_at_end(int stdin_fd) {
  char ignored[256];
  return ::read(stdin_fd, ignored, sizeof ignored) <= 0;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(Options options, const Clock& clock, TruthLog* truth,
                                               const std::string& host, uint16_t port) {
  Script script;
  if (options.mode == Mode::script) {
    auto text = read_file(options.script, 64u << 20u);
    if (!text) return text.errors();
    auto parsed = parse_script(*text, options.script);
    if (!parsed) return parsed.errors();
    script = std::move(*parsed);
  }
  std::optional<TlsServer> tls;
  if (!options.tls.certificate.empty()) {
    auto made = TlsServer::create(options.tls);
    if (!made) return made.errors();
    tls = std::move(*made);
  }
  auto listener = listen_on(host, port);
  if (!listener) return listener.errors();
  auto loop = EventLoop::create(options.busy);
  if (!loop) return loop.errors();
  std::unique_ptr<Server> server(
      new Server(std::move(options), clock, truth, std::move(*loop), std::move(*listener), std::move(tls)));
  server->script_ = std::move(script);
  return server;
}

Server::Server(Options options, const Clock& clock, TruthLog* truth, EventLoop loop, Descriptor listener,
               std::optional<TlsServer> tls)
    : options_(std::move(options)),
      clock_(clock),
      books_(clock),
      loop_(std::move(loop)),
      listener_(std::move(listener)),
      tls_(std::move(tls)),
      pace_(pace_options(options_, clock.now_ns())),
      engine_(engine_options(options_)),
      prefixes_(options_.kv_tokens != 0 ? options_.kv_tokens : gpu_preset(options_.preset).kv_tokens),
      started_ns_(clock.now_ns()) {
  books_.truth = truth;
}

std::string Server::url() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
  char host[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  return (tls_ ? "https://" : "http://") + std::string(host) + ":" + std::to_string(ntohs(address.sin_port));
}

Result<void> Server::run(int signal_fd, int stdin_fd) {
  loop_.watch(listener_.get(), kListenerTag, EPOLLIN);
  loop_.watch(signal_fd, kSignalTag, EPOLLIN);
  if (stdin_fd >= 0 && !loop_.watch(stdin_fd, kStdinTag, EPOLLIN)) {
    return Error{"--exit-with-stdin: stdin must be a pipe, a socket or a terminal"};
  }
  while (!quit_) {
    freeze(signal_fd, stdin_fd);
    run_due(clock_.now_ns());
    if (books_.truth_lost) return Error{"the truth log cannot be written: is the disk full?"};
    const int64_t until_ns = idle_.empty() ? kForEverNs : idle_.front().deadline_ns;
    const int64_t now_ns = clock_.now_ns();
    slept_ = loop_.next_due().value_or(kForEverNs) > now_ns;
    for (const epoll_event& event : loop_.wait(now_ns, until_ns)) {
      run_due(clock_.now_ns());  // tokens go before requests
      if (event.data.u64 == kSignalTag) {
        signalfd_siginfo info;
        if (::read(signal_fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) on_stop_signal();
      } else if (event.data.u64 == kStdinTag) {
        quit_ |= is_at_end(stdin_fd);
      } else {
        on_socket(event.data.u64, event.events);
      }
    }
    close_idle(clock_.now_ns());
  }
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] != nullptr) close(slot, "server_stopped");
  }
  return {};
}

// The whole server stands still, sockets open, as in a long pause of the real one; only its own end comes
// through.
void Server::freeze(int signal_fd, int stdin_fd) {
  if (clock_.now_ns() < freeze_at_ns_) return;
  pollfd ends[] = {{signal_fd, POLLIN, 0}, {stdin_fd, POLLIN, 0}};  // a negative one is left out
  for (int64_t now_ns = clock_.now_ns(); now_ns < freeze_until_ns_ && !quit_; now_ns = clock_.now_ns()) {
    const int64_t left_ns = freeze_until_ns_ - now_ns;
    const timespec left{static_cast<time_t>(left_ns / 1'000'000'000),
                        static_cast<long>(left_ns % 1'000'000'000)};
    if (::ppoll(ends, 2, &left, nullptr) <= 0) continue;
    quit_ = ends[0].revents != 0 || is_at_end(stdin_fd);
  }
}

void Server::on_stop_signal() {
  if (stopping_ || options_.shutdown == Shutdown::close) return void(quit_ = true);
  stopping_ = true;
  loop_.forget(listener_.get());
  listener_.reset();
  if (options_.shutdown == Shutdown::stall) {
    silent_ = true;
    return loop_.push(clock_.now_ns() + kSilenceNs, Wake::Kind::quit, 0, 0);
  }
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] == nullptr) continue;
    if (slots_[slot]->exchange != nullptr && options_.shutdown == Shutdown::abort) {
      finish_exchange(slot, slots_[slot]->exchange->abort());
    }
  }
  quit_ = running_ == 0;
}

void Server::on_socket(uint64_t tag, uint32_t events) {
  if (tag == kListenerTag) {
    if (options_.accept_delay_ns == 0) return accept_all();
    loop_.change(listener_.get(), kListenerTag, 0);
    return loop_.push(clock_.now_ns() + options_.accept_delay_ns, Wake::Kind::accept, 0, 0);
  }
  const auto slot = static_cast<uint32_t>(tag);
  const bool is_known = slot < slots_.size() && slots_[slot] != nullptr && tag_of(slot) == tag;
  if (!is_known || slots_[slot]->parent() != nullptr) return;
  Connection& connection = *slots_[slot];
  if ((events & EPOLLOUT) != 0) {
    connection.flush();
    if (connection.script != nullptr && !connection.script->waits && !connection.has_unsent())
      return play_script(slot);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connection.receive())
    return close(slot, "client_gone");
  read_requests(slot);
}

void Server::run_due(int64_t now_ns) {
  for (int count = 0; count < kMostDueInARow && !quit_; ++count) {
    const auto wake = loop_.pop_due(now_ns);
    if (!wake) return;
    if (slept_ && now_ns - wake->due_ns > kHiccupNs) ++hiccups_;
    slept_ = false;
    handle(*wake);
  }
}

Exchange* Server::exchange_of(const Wake& wake) {
  if (wake.slot >= slots_.size() || slots_[wake.slot] == nullptr) return nullptr;
  Exchange* exchange = slots_[wake.slot]->exchange.get();
  return exchange != nullptr && exchange->stream() == wake.serial ? exchange : nullptr;
}

bool Server::is_for_connection(const Wake& wake) const {
  return wake.slot < slots_.size() && slots_[wake.slot] != nullptr &&
         slots_[wake.slot]->number() == wake.serial;
}

void Server::handle(const Wake& wake) {
  if (silent_ && wake.kind != Wake::Kind::quit) return;
  Exchange* exchange = exchange_of(wake);
  switch (wake.kind) {
    case Wake::Kind::token:
      if (exchange == nullptr) return;
      exchange->resume();
      return advance(wake.slot, wake.due_ns);
    case Wake::Kind::comment:
      if (exchange == nullptr) return;
      loop_.push(exchange->comment(clock_.now_ns()), Wake::Kind::comment, wake.slot, wake.serial);
      return settle(wake.slot);
    case Wake::Kind::enter_engine:
      --entering_;
      if (exchange != nullptr) enter_engine(wake.slot, wake.due_ns);
      return;
    case Wake::Kind::end_step:
      return end_engine_step(wake.due_ns);
    case Wake::Kind::script:
      if (!is_for_connection(wake) || slots_[wake.slot]->script == nullptr) return;
      slots_[wake.slot]->script->waits = false;
      return play_script(wake.slot);
    case Wake::Kind::reset:
      if (is_for_connection(wake)) reset(wake.slot);
      return;
    case Wake::Kind::accept:
      if (!listener_) return;
      loop_.change(listener_.get(), kListenerTag, EPOLLIN);
      return accept_all();
    case Wake::Kind::quit:
      quit_ = true;
  }
}

void Server::accept_all() {
  for (int count = 0; count < kMostAcceptsInARow; ++count) {
    Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return;
    const uint32_t slot = new_slot(std::make_unique<Connection>(std::move(socket), accepted_, options_.seed,
                                                                tls_ ? tls_->accept() : nullptr));
    loop_.watch(slots_[slot]->fd(), tag_of(slot), EPOLLIN);
    if (!plays_script(accepted_++) || !script_.on_accept) continue;
    slots_[slot]->script = std::make_unique<ScriptPlay>(script_);
    play_script(slot);
  }
}

uint32_t Server::new_slot(std::unique_ptr<Connection> connection) {
  uint32_t slot = static_cast<uint32_t>(slots_.size());
  if (free_slots_.empty()) {
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  slots_[slot] = std::move(connection);
  slots_[slot]->own_slot = slot;
  return slot;
}

Metrics::Gauges Server::gauges() const {
  if (options_.mode != Mode::model) return {.running = running_};
  return {.running = engine_.running(),
          .waiting = engine_.waiting() + entering_,
          .preemptions = engine_.preemptions(),
          .kv_usage = engine_.kv_usage()};
}

std::string Server::lateness_report() const {
  const Lateness& late = books_.lateness;
  const auto ms = [](uint64_t ns) { return static_cast<double>(ns) / 1e6; };
  char text[256];
  std::snprintf(
      text, sizeof text,
      "%llu events of %u requests; lateness p50 %.3f ms, p99 %.3f ms, max %.3f ms; %llu hiccups over 1 ms",
      static_cast<unsigned long long>(late.count()), requests_, ms(late.quantile_ns(0.5)),
      ms(late.quantile_ns(0.99)), ms(late.max_ns()), static_cast<unsigned long long>(hiccups_));
  return text;
}

}  // namespace tokometer::sim
