// The loop: sockets, due times, the engine's steps, the end of connections. What is answered:
// server_answers.cpp.
#include "sim/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
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
constexpr int64_t kForEver_ns = std::numeric_limits<int64_t>::max() / 2;
constexpr int64_t kHiccup_ns = 1'000'000, kSilence_ns = 10'000'000'000, kResetRetry_ns = 1'000'000;
constexpr int kMostDueInARow = 1024, kMostAcceptsInARow = 64;

uint64_t tag_of(uint32_t slot, uint32_t number) {
  return (uint64_t{number} << 32u) | slot;
}

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
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16384) != 0) {
    return Error{"cannot listen on " + host + ":" + std::to_string(port) + ": " + std::strerror(errno)};
  }
  return listener;
}

void sleep_until(int64_t at_ns) {
  const timespec at{.tv_sec = at_ns / 1'000'000'000, .tv_nsec = at_ns % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
  }
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
  auto listener = listen_on(host, port);
  if (!listener) return listener.errors();
  auto loop = EventLoop::create(options.busy);
  if (!loop) return loop.errors();
  std::unique_ptr<Server> server(
      new Server(std::move(options), clock, truth, std::move(*loop), std::move(*listener)));
  server->script_ = std::move(script);
  return server;
}

Server::Server(Options options, const Clock& clock, TruthLog* truth, EventLoop loop, Descriptor listener)
    : options_(std::move(options)),
      clock_(clock),
      books_(clock),
      loop_(std::move(loop)),
      listener_(std::move(listener)),
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
  return std::string("http://") + host + ":" + std::to_string(ntohs(address.sin_port));
}

Result<void> Server::run(int signal_fd, int stdin_fd) {
  loop_.watch(listener_.get(), kListenerTag, EPOLLIN);
  loop_.watch(signal_fd, kSignalTag, EPOLLIN);
  if (stdin_fd >= 0 && !loop_.watch(stdin_fd, kStdinTag, EPOLLIN)) {
    return Error{"--exit-with-stdin: stdin must be a pipe, a socket or a terminal"};
  }
  while (!quit_) {
    freeze(clock_.now_ns());
    run_due(clock_.now_ns());
    if (books_.truth_lost) return Error{"the truth log cannot be written: is the disk full?"};
    const int64_t until_ns = idle_.empty() ? kForEver_ns : idle_.front().deadline_ns;
    const int64_t now_ns = clock_.now_ns();
    slept_ = loop_.next_due().value_or(kForEver_ns) > now_ns;
    for (const epoll_event& event : loop_.wait(now_ns, until_ns)) {
      run_due(clock_.now_ns());  // tokens go before requests
      if (event.data.u64 == kSignalTag) {
        signalfd_siginfo info;
        if (::read(signal_fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) on_stop_signal();
      } else if (event.data.u64 == kStdinTag) {
        char ignored[256];
        if (::read(stdin_fd, ignored, sizeof ignored) <= 0) quit_ = true;
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

// The whole server stands still, sockets open, as in a long pause of the real one.
void Server::freeze(int64_t now_ns) {
  if (now_ns >= freeze_at_ns_ && now_ns < freeze_until_ns_) sleep_until(freeze_until_ns_);
}

void Server::on_stop_signal() {
  if (stopping_ || options_.shutdown == Shutdown::close) return void(quit_ = true);
  stopping_ = true;
  loop_.forget(listener_.get());
  listener_.reset();
  if (options_.shutdown == Shutdown::stall) {
    silent_ = true;
    return loop_.push(clock_.now_ns() + kSilence_ns, Wake::Kind::quit, 0, 0);
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
  if (slot >= slots_.size() || slots_[slot] == nullptr || tag_of(slot, slots_[slot]->number()) != tag) return;
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
    if (slept_ && now_ns - wake->due_ns > kHiccup_ns) ++hiccups_;
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
    uint32_t slot = static_cast<uint32_t>(slots_.size());
    if (free_slots_.empty()) {
      slots_.emplace_back();
    } else {
      slot = free_slots_.back();
      free_slots_.pop_back();
    }
    slots_[slot] = std::make_unique<Connection>(std::move(socket), accepted_, options_.seed);
    loop_.watch(slots_[slot]->fd(), tag_of(slot, accepted_), EPOLLIN);
    const bool plays = options_.mode == Mode::script && accepted_ % options_.script_every == 0;
    ++accepted_;
    if (!plays || !script_.on_accept) continue;
    slots_[slot]->script = std::make_unique<ScriptPlay>(script_);
    play_script(slot);
  }
}

// What follows a step of an exchange. due_ns: of the event just sent; `first`: nothing was sent yet.
void Server::schedule(uint32_t slot, Exchange::Step step, int64_t due_ns, bool first) {
  Exchange& exchange = *slots_[slot]->exchange;
  const uint32_t stream = exchange.stream();
  if (step.next == Exchange::Next::later) loop_.push(step.at_ns, Wake::Kind::token, slot, stream);
  if (step.next == Exchange::Next::done || step.next == Exchange::Next::close ||
      step.next == Exchange::Next::reset) {
    return finish_exchange(slot, step);
  }
  if (options_.mode == Mode::model) {
    constexpr int64_t kBeforeEngine_ns = 3'000'000;  // a0: tokenizing, scheduling
    if (first)
      ++entering_, loop_.push(pace_.stall().after(exchange.received_ns()) + kBeforeEngine_ns,
                              Wake::Kind::enter_engine, slot, stream);
  } else if (step.next == Exchange::Next::tokens) {
    const Shape& shape = exchange.generation().shape;
    const int64_t next_ns = options_.mode == Mode::instant ? clock_.now_ns()
                            : first ? pace_.first_due(shape, stream, exchange.received_ns())
                                    : pace_.next_due(shape, stream, exchange.events(), due_ns);
    loop_.push(next_ns, Wake::Kind::token, slot, stream);
  }
  settle(slot);
}

void Server::advance(uint32_t slot, int64_t due_ns) {
  const bool model = options_.mode == Mode::model;
  Exchange& exchange = *slots_[slot]->exchange;
  if (model && !exchange.can_advance()) return;
  Exchange::Step step = exchange.advance(due_ns);
  while (model && step.next == Exchange::Next::tokens && exchange.can_advance())
    step = exchange.advance(due_ns);
  schedule(slot, step, due_ns, false);
  if (slots_[slot] != nullptr && slots_[slot]->exchange == nullptr) read_requests(slot);
}

void Server::enter_engine(uint32_t slot, int64_t due_ns) {
  const Generation& generation = slots_[slot]->exchange->generation();
  const int64_t cached = slots_[slot]->exchange->cached();
  engine_.add(slot, generation.prompt_tokens, static_cast<uint64_t>(cached < 0 ? 0 : cached),
              generation.output_tokens);
  kick_engine(due_ns);
}

void Server::kick_engine(int64_t at_ns) {
  const int64_t begin_ns = pace_.stall().after(at_ns);
  const auto length_ns = engine_.begin_step();
  if (!length_ns) return;
  for (const uint32_t slot : engine_.admitted()) slots_[slot]->exchange->set_entered(begin_ns);
  loop_.push(begin_ns + *length_ns, Wake::Kind::end_step, 0, 0);
}

void Server::end_engine_step(int64_t due_ns) {
  const auto progress = engine_.end_step();
  books_.metrics.iteration_tokens.add(static_cast<double>(engine_.last_step_tokens()));
  step_.assign(progress.begin(), progress.end());
  kick_engine(due_ns);  // on the due time, not the clock: our own lateness must not add up
  for (const Engine::Progress& one : step_) {
    if (slots_[one.id] == nullptr || slots_[one.id]->exchange == nullptr) continue;
    slots_[one.id]->exchange->token_ready();
    advance(one.id, due_ns);
  }
}

void Server::finish_exchange(uint32_t slot, Exchange::Step step) {
  Connection& connection = *slots_[slot];
  const Fault& fault = connection.exchange->generation().fault;
  const bool closes = step.next == Exchange::Next::close || fault.kind == FaultKind::close;
  connection.exchange->end(connection.exchange->outcome());
  connection.exchange.reset();
  --running_;
  engine_.remove(slot);
  if (stopping_ && running_ == 0) quit_ = true;
  if (step.next == Exchange::Next::reset) {
    return reset(slot);
  }
  if (closes) connection.close_when_sent = true;
  end_of_reply(slot);
}

void Server::end_of_reply(uint32_t slot) {
  Connection& connection = *slots_[slot];
  ++connection.replies;
  if (!connection.keep_alive) connection.close_when_sent = true;
  if (options_.close_after != 0 && connection.replies >= options_.close_after)
    connection.close_when_sent = true;
  if (options_.idle_close_ns > 0 && !connection.close_when_sent) {
    idle_.push_back(
        {clock_.now_ns() + options_.idle_close_ns, slot, connection.number(), connection.idle_serial});
  }
  settle(slot);
}

// After something was sent: what did not fit waits for a writable socket; a connection that is over is
// closed.
void Server::settle(uint32_t slot) {
  Connection& connection = *slots_[slot];
  if (connection.broken()) return close(slot, "client_gone");
  if (connection.close_when_sent && !connection.resets && !connection.has_unsent()) return close(slot, {});
  if (connection.has_unsent() == connection.watches_writable) return;
  connection.watches_writable = connection.has_unsent();
  const uint32_t events = connection.watches_writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  loop_.change(connection.fd(), tag_of(slot, connection.number()), events);
}

void Server::close(uint32_t slot, std::string_view outcome) {
  Connection& connection = *slots_[slot];
  if (connection.exchange != nullptr) {
    connection.exchange->end(outcome);
    --running_;
    engine_.remove(slot);
    if (stopping_ && running_ == 0) quit_ = true;
  }
  loop_.forget(connection.fd());
  slots_[slot].reset();
  free_slots_.push_back(slot);
}

// A reset throws away what the peer has not got yet, so it waits for that; a peer that takes nothing is not
// reset.
void Server::reset(uint32_t slot) {
  Connection& connection = *slots_[slot];
  connection.resets = connection.close_when_sent = true;  // nothing more is answered
  if (!connection.is_delivered())
    return loop_.push(clock_.now_ns() + kResetRetry_ns, Wake::Kind::reset, slot, connection.number());
  connection.set_reset_on_close();
  close(slot, {});
}

void Server::close_idle(int64_t now_ns) {
  while (!idle_.empty() && idle_.front().deadline_ns <= now_ns) {
    const IdleConnection idle = idle_.front();
    idle_.pop_front();
    const Connection* connection = slots_[idle.slot].get();
    if (connection == nullptr || connection->number() != idle.number ||
        connection->idle_serial != idle.idle_serial)
      continue;
    close(idle.slot, {});
  }
}

void Server::play_script(uint32_t slot) {
  Connection& connection = *slots_[slot];
  while (!connection.has_unsent() && !connection.broken()) {
    const ScriptStep* step = connection.script->next();
    if (step == nullptr) {
      connection.script.reset();
      return end_of_reply(slot);
    }
    switch (step->kind) {
      case ScriptStep::Kind::send:
        connection.send(step->bytes, options_.shape.split);
        break;
      case ScriptStep::Kind::wait:
        connection.script->waits = true;
        return loop_.push(clock_.now_ns() + step->wait_ns, Wake::Kind::script, slot, connection.number());
      case ScriptStep::Kind::hang:
        connection.script->waits = true;
        return;
      case ScriptStep::Kind::rst:
        connection.script->waits = true;
        return reset(slot);
      case ScriptStep::Kind::fin:
        return close(slot, {});
    }
  }
  settle(slot);
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
