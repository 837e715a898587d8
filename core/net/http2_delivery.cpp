// What a read brought, told to the exchanges of an HTTP/2 connection: stamps, heads, bodies, and how each
// ends.
#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "net/ascii.hpp"
#include "net/http2_connection.hpp"
#include "net/pool.hpp"

namespace tokometer {
void Http2Connection::take(const ReceiveResult& read) {
  using Kind = ReceiveResult::Kind;
  const auto fault = [this] { fail_all("tls", transport_.fault()); };
  switch (read.kind) {
    case Kind::bytes:
      take_bytes(read);
      if (phase_ == Phase::closed || read.then == Kind::nothing) return;
      return read.then == Kind::fault ? fault() : take_close(0);
    case Kind::eof:
      return take_close(0);
    case Kind::error:
      return take_close(read.error);
    case Kind::fault:
      return fault();
    case Kind::nothing:
      if (send_error_ != 0) take_close(send_error_);
      return;
    case Kind::unreadable:
      return;
  }
}

void Http2Connection::take_bytes(const ReceiveResult& read) {
  got_bytes_ = true;
  const bool goes_on = session_.feed(read.bytes);
  deliver(read.stamp);
  if (phase_ == Phase::closed) return;
  if (goes_on) flush();
  if (!session_.fault().cls.empty()) return fail_all(session_.fault().cls, session_.fault().message);
  if (phase_ == Phase::closed) return;
  if (!session_.touched().empty()) deliver(read.stamp);  // what our own answer has closed
  if (phase_ != Phase::closed) owner_.on_changed(*this);
}

// The peer closed (0) or the connection broke (errno).
void Http2Connection::take_close(int error) {
  const bool sending_failed = send_error_ != 0 && send_error_ != EPIPE && send_error_ != ECONNRESET;
  if (sending_failed) return fail_all("send", "sending the request failed: " + error_text(send_error_));
  const std::string how = error != 0 ? "broke the connection: " + error_text(error) : "closed the connection";
  if (session_.goaway_code() != 0) {
    const std::string cls = http2_failure_class(session_.goaway_code());
    return fail_all(cls, how + " with GOAWAY: " + cls.substr(3));
  }
  fail_all("", how);
}

ExchangeHandler* Http2Connection::release(Http2Exchange& exchange) {
  if (exchange.handler != nullptr) exchange.handler->exchange_ = nullptr;
  return std::exchange(exchange.handler, nullptr);
}

void Http2Connection::fail(Http2Exchange& exchange, std::string_view cls, const std::string& what) {
  const Failure failure{std::string(cls), std::string(info_.endpoint) + ": " + what,
                        poller_.receiver().now_ns()};
  ExchangeHandler* handler = release(exchange);
  session_.forget(exchange);
  if (handler != nullptr) handler->on_failure(failure);
}

// cls: empty: as each exchange stands.
void Http2Connection::fail_all(std::string_view cls, const std::string& what) {
  const std::string hint =
      got_bytes_ ? "" : "; if the server speaks HTTP/1.1 only: " + std::string(options_.http2_advice);
  const std::string one_cls(cls);
  std::vector<Http2Stream*> streams = session_.streams();
  close();
  owner_.on_over(*this);  // first: a handler may start its next request
  for (Http2Stream* stream : streams) {
    Http2Exchange& exchange = exchange_of(*stream);
    const std::string_view own = exchange.has_head ? "truncated"
                                 : exchange.reused ? "closed.reused"
                                                   : "closed";
    const std::string where = exchange.has_head ? " inside the response" : " before a response byte" + hint;
    fail(exchange, one_cls.empty() ? own : one_cls, one_cls.empty() ? what + where : what);
    owner_.release(exchange);
  }
}

void Http2Connection::deliver(const ReadStamp& stamp) {
  delivering_ = true;
  const std::vector<Http2Stream*>& touched = session_.touched();
  for (size_t i = 0; i < touched.size() && phase_ != Phase::closed; ++i)
    tell(exchange_of(*touched[i]), stamp);
  // Only now are they free: until here the session notes what it is told about them.
  std::vector<Http2Stream*>& over = over_;
  for (Http2Stream* stream : touched) {
    if (exchange_of(*stream).handler == nullptr) over.push_back(stream);
  }
  session_.clear_touched();
  for (Http2Stream* stream : over) owner_.release(exchange_of(*stream));
  over.clear();
  delivering_ = false;
}

void Http2Connection::tell(Http2Exchange& exchange, ReadStamp stamp) {
  ExchangeHandler* const& handler = exchange.handler;  // null once it has cancelled
  if (handler == nullptr) return;
  if (exchange.bytes > 0) {
    stamp.empty_before_ns = std::max(stamp.empty_before_ns, std::min(exchange.sent_ns, stamp.at_ns));
    stamp.cut_record = stamp.cut_record || exchange.is_followed;
    handler->on_read(stamp, exchange.bytes);
  }
  if (handler != nullptr && exchange.head_is_new) tell_head(exchange);
  for (size_t i = 0; handler != nullptr && exchange.has_head && i < exchange.pieces.size(); ++i)
    handler->on_body(exchange.pieces[i]);
  if (handler != nullptr && exchange.bytes > 0) handler->on_read_done();
  if (handler != nullptr) conclude(exchange);
}

void Http2Connection::tell_head(Http2Exchange& exchange) {
  thread_local std::vector<Field> fields;
  exchange.head.read(fields);
  ResponseHead head;
  head.status = exchange.status;
  head.fields = fields;
  head.keep_alive = true;
  if (const auto* type = head.find("content-type")) head.content_type = *type;
  const auto* coding = head.find("content-encoding");
  if (coding != nullptr && !coding->empty() && !equals_ignoring_case(*coding, "identity")) {
    exchange.fault = {"encoding",
                      "content-encoding \"" + escape_terminal(*coding) + "\", though identity was asked for"};
    exchange.pieces.clear();
    return;
  }
  exchange.handler->on_head(head);
}

// Is the exchange over, and how?
void Http2Connection::conclude(Http2Exchange& exchange) {
  if (!exchange.fault.cls.empty()) return fail(exchange, exchange.fault.cls, exchange.fault.message);
  if (exchange.has_ended && exchange.has_head) {
    thread_local std::vector<Field> trailers;
    (exchange.is_head_only ? exchange.head : exchange.trailers).read(trailers);
    ExchangeHandler* handler = release(exchange);
    session_.forget(exchange);
    return handler->on_end({.keep_alive = session_.takes_requests(), .trailers = trailers});
  }
  if (!exchange.is_closed) return;
  const std::string cls = http2_failure_class(exchange.code);
  if (exchange.reset_by_peer) return fail(exchange, cls, "the server reset the stream: " + cls.substr(3));
  if (!session_.takes_requests())
    return fail(exchange, cls,
                "the server shuts the connection down (GOAWAY) and has not taken this request");
  fail(exchange, "h2", "the response breaks the rules of HTTP/2: " + cls.substr(3));  // our own verdict
}

}  // namespace tokometer
