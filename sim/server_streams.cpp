// The life of a reply: its next due time, the engine's steps, its end and that of its connection.
#include <algorithm>

#include "sim/server.hpp"

namespace tokometer::sim {
namespace {
constexpr int64_t kResetRetryNs = 1'000'000;
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
    constexpr int64_t kBeforeEngineNs = 3'000'000;  // a0: tokenizing, scheduling
    if (first)
      ++entering_, loop_.push(pace_.stall().after(exchange.received_ns()) + kBeforeEngineNs,
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
              std::max<uint64_t>(generation.output_tokens, 1));
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
  const bool is_cut = fault.kind == FaultKind::fin || fault.kind == FaultKind::no_last_chunk;
  connection.exchange->end(connection.exchange->outcome());
  connection.exchange.reset();
  --running_;
  engine_.remove(slot);
  if (stopping_ && running_ == 0) quit_ = true;
  if (step.next == Exchange::Next::reset) {
    return reset(slot);
  }
  if (closes) connection.close_when_sent = true;
  connection.abrupt = is_cut;
  end_of_reply(slot);
}

void Server::end_of_reply(uint32_t slot) {
  Connection& connection = *slots_[slot];
  if (connection.parent() != nullptr) return end_of_stream(slot);
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
  if (connection.parent() != nullptr) return settle_stream(slot);
  if (connection.broken()) return close(slot, "client_gone");
  if (connection.close_when_sent && !connection.resets && !connection.has_unsent()) {
    if (!connection.abrupt) connection.say_goodbye();
    return close(slot, {});
  }
  if (connection.has_unsent() == connection.watches_writable) return;
  connection.watches_writable = connection.has_unsent();
  const uint32_t events = connection.watches_writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  loop_.change(connection.fd(), tag_of(slot), events);
}

void Server::close(uint32_t slot, std::string_view outcome) {
  Connection& connection = *slots_[slot];
  if (connection.exchange != nullptr) {
    connection.exchange->end(outcome);
    --running_;
    engine_.remove(slot);
    if (stopping_ && running_ == 0) quit_ = true;
  }
  if (connection.parent() == nullptr) {
    close_streams(slot, outcome);
    loop_.forget(connection.fd());
  } else {
    leave_parent(connection);
  }
  slots_[slot].reset();
  free_slots_.push_back(slot);
}

// A reset throws away what the peer has not got yet, so it waits for that; a peer that takes nothing is not
// reset.
void Server::reset(uint32_t slot) {
  Connection& connection = *slots_[slot];
  if (connection.parent() != nullptr) return close(slot, {});  // RST_STREAM
  connection.resets = connection.close_when_sent = true;       // nothing more is answered
  if (!connection.is_delivered())
    return loop_.push(clock_.now_ns() + kResetRetryNs, Wake::Kind::reset, slot, connection.number());
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

// Every n-th connection, counted from 1: with n > 1 the first, a client's probe, is answered as usual.
bool Server::plays_script(uint32_t connection) const {
  return options_.mode == Mode::script && (connection + 1) % options_.script_every == 0;
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

}  // namespace tokometer::sim
