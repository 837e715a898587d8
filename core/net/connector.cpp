#include "net/connector.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tokometer {

Connector::Connector(Poller& poller, ConnectorListener& listener, std::span<const Endpoint> endpoints,
                     size_t first)
    : poller_(poller),
      listener_(listener),
      endpoints_(endpoints),
      first_(first),
      limit_(std::min(endpoints.size(), kMaxAddresses)) {}

Connector::~Connector() {
  for (Attempt& attempt : attempts_) poller_.remove(attempt.socket.fd(), attempt);
}

void Connector::try_next() {
  while (has_next()) {
    attempts_.emplace_back();
    Attempt& attempt = attempts_.back();
    attempt.position = std::prev(attempts_.end());
    attempt.connector = this;
    attempt.endpoint = (first_ + tried_++) % endpoints_.size();
    const int error = begin(attempt);
    if (error == EINPROGRESS) return;
    if (error == 0) return win(attempt);
    note_failure(attempt, error);
    attempts_.erase(attempt.position);
  }
  if (attempts_.empty()) listener_.on_connect_failed(failure_cls_, std::move(failures_));
}

int Connector::begin(Attempt& attempt) {
  listener_.on_attempt(poller_.receiver().now_ns());
  const int error = attempt.socket.start_connect(endpoints_[attempt.endpoint]);
  if (error != EINPROGRESS) return error;
  const int add_error = poller_.add(attempt.socket.fd(), attempt, EPOLLOUT);
  return add_error == 0 ? EINPROGRESS : add_error;
}

void Connector::on_answer(Attempt& attempt) {
  const int error = attempt.socket.connect_result();
  poller_.remove(attempt.socket.fd(), attempt);
  if (error == 0) return win(attempt);
  note_failure(attempt, error);
  attempts_.erase(attempt.position);
  if (has_next() || attempts_.empty()) try_next();
}

void Connector::win(Attempt& attempt) {
  const int64_t ready_ns = poller_.receiver().now_ns();
  listener_.on_connected(std::move(attempt.socket), attempt.endpoint, ready_ns);
}

void Connector::note_failure(const Attempt& attempt, int error) {
  const std::string_view cls = connect_failure_class(error);
  if (cls.starts_with("client.") || failure_cls_ == "connect") failure_cls_ = cls;  // our own outweighs
  if (!failures_.empty()) failures_ += "; ";
  failures_ += "connect to " + endpoints_[attempt.endpoint].text + ": " + error_text(error);
}

}  // namespace tokometer
