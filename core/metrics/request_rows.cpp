#include "metrics/request_rows.hpp"

#include <algorithm>

#include "metrics/token_walk.hpp"

namespace tokometer {
namespace {

int64_t since(int64_t at, int64_t from) {
  return at == kAbsent || from == kAbsent ? kAbsent : at - from;
}

bool is_censored(const RequestRecord& r) {
  return r.status == Status::cancelled || (r.status == Status::failed && r.cls.rfind("timeout", 0) == 0);
}

}  // namespace

void RequestRows::add(const RequestRecord& r, const Extra& extra) {
  const int64_t s = r.scheduled_ns;
  state_.push(static_cast<int64_t>(r.status) | (extra.in_window ? kInWindow : 0) | (extra.good ? kGood : 0) |
              (is_censored(r) ? kCensored : 0));
  s_.push(s);
  r_.push(since(r.released_ns, s));
  x_.push(since(r.sent_ns, s));
  b_.push(since(r.first_byte_ns, s));
  v_.push(since(r.first_event_ns, s));
  t1_.push(since(r.first_token_ns, s));
  a1_.push(since(r.first_answer_ns, s));
  e_.push(since(r.end_ns, s));
  n_.push(output_tokens_of(r));
  tpot_.push(extra.tpot_ns);
  gap_.push(extra.longest_gap_ns);
  connect_.push(since(r.tls_ready_ns != kAbsent ? r.tls_ready_ns : r.tcp_ready_ns, r.connect_ns));
  held_.push(r.held_by_cap_ns);
  turn_.push(r.turn);
}

int64_t RequestRows::own_lag(size_t row) const {
  const int64_t lag = x_[row], connecting = connect_[row];
  if (lag == kAbsent) return kAbsent;
  return std::max<int64_t>(0, lag - held_[row] - (connecting == kAbsent ? 0 : connecting));
}

int64_t RequestRows::per_token(int64_t value, size_t row) const {
  const int64_t tokens = n_[row];
  return value == kAbsent || tokens == kAbsent || tokens <= 0 ? kAbsent : (value + tokens / 2) / tokens;
}

size_t RequestRows::memory_bytes() const {
  size_t bytes = 0;
  for (const PackedColumn* column :
       {&state_, &s_, &r_, &x_, &b_, &v_, &t1_, &a1_, &e_, &n_, &tpot_, &gap_, &connect_, &held_, &turn_}) {
    bytes += column->memory_bytes();
  }
  return bytes;
}

}  // namespace tokometer
