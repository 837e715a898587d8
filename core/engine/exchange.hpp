// One request from its release to its terminal state: a small state machine of callbacks on one I/O thread.
//
//   prepare (encode)  ->  send  ->  connecting  ->  sending  ->  waiting  ->  streaming  ->  [lingering]  ->
//   over
//
// Two ends: at the logical end (or a failure) the scheduler is told, since the slot is free; when nothing
// more can come the record is final. Between them the rest of the reply may only set flags, for at most a
// second. Made for reuse.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/context.hpp"
#include "engine/events.hpp"
#include "engine/head_fields.hpp"
#include "engine/in_flight.hpp"
#include "engine/request.hpp"
#include "engine/samples.hpp"
#include "engine/sessions.hpp"
#include "engine/timer_wheel.hpp"
#include "metrics/record.hpp"
#include "net/grpc.hpp"
#include "net/pool.hpp"
#include "plugin/handles.hpp"

namespace tokometer {

// What the scheduler hands to a worker. Times on the clock's axis.
struct Release {
  uint64_t seq = 0;
  uint32_t phase = 0;                 // of a workload: each pair has a number of its own
  const PhaseFacts* facts = nullptr;  // of this pair
  int64_t scheduled_ns = 0;
  int64_t released_ns = 0;
  int64_t held_ns = 0;                           // the part of released - scheduled that a cap caused
  int64_t cancel_after_ns = TimerWheel::kNever;  // of the send: then its user leaves
  std::string_view model;    // of the run file's mix, whose text it is; empty: the only one
  std::string_view adapter;  // likewise; empty: none
  std::shared_ptr<const Sample> sample;
  std::shared_ptr<Session> session;  // whose turn it is; null: none. Back with the completion.
};

// What the worker hands back at the logical end.
struct Completion {
  uint64_t seq = 0;
  uint32_t phase = 0;
  int64_t scheduled_ns = 0;
  int64_t end_ns = 0;
  Status status = Status::ok;
  bool client_fault = false;  // class client.*
  std::shared_ptr<Session> session;
};

class Exchange;

// The worker, as its exchanges see it.
class ExchangeOwner {
 public:
  virtual void on_complete(Completion completion) = 0;
  virtual void on_over(Exchange& exchange) = 0;  // the record is final; the exchange may be used again
  // Once a socket read: how many token events it completed, and whether their stamp may be late (flagged).
  virtual void on_read_stamp(const ReadStamp& stamp, uint32_t token_events, bool flagged) = 0;

 protected:
  ~ExchangeOwner() = default;
};

// Request bytes are held from encoding to the last byte sent; then their buffer serves another request, so
// that a stream in flight costs nothing for its prompt.
class WireBuffers {
 public:
  std::string take() {
    if (free_.empty()) return {};
    std::string buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give_back(std::string& buffer) {
    std::string kept = std::exchange(buffer, {});
    kept.clear();
    if (kept.capacity() <= kKeptBytes && free_.size() < kKeptBuffers) free_.push_back(std::move(kept));
  }

 private:
  static constexpr size_t kKeptBytes = 256 * 1024, kKeptBuffers = 64;
  std::vector<std::string> free_;
};

// What the exchanges of one worker and workload share. Everything outlives them.
struct ExchangeServices {
  const RunContext& context;
  Processor& processor;
  RequestEncoder& encoder;
  std::vector<std::unique_ptr<Pool>>& pools;  // by server
  TimerWheel& timers;
  BlockPool& blocks;
  WireBuffers& wires;
  ExchangeOwner& owner;
  // For the length of one call:
  tkm_events sink = ResponseEvents::make_sink();
  std::string salt = {};      // of the request that is encoded or opened
  std::string sentence = {};  // of the plugin
  HeadFields fields = {};     // of the head that is handed over
};

class Exchange final : private ExchangeHandler, private TimerWheel::Entry {
 public:
  explicit Exchange(ExchangeServices& services) : services_(services) {}
  ~Exchange() { services_.timers.disarm(*this); }

  // Encodes the request. False: it has failed and is over; do not send it.
  bool prepare(Release release);
  void send();
  // Ends it now: cancelled, for one of the reasons "drain", "stop", "user". Harmless when it is over.
  void cancel(std::string_view reason);

  int64_t scheduled_ns() const noexcept { return release_.scheduled_ns; }
  uint32_t phase() const noexcept { return release_.phase; }
  size_t workload() const noexcept { return release_.facts->workload; }
  bool is_over() const noexcept { return stage_ == Stage::over; }
  bool is_in_flight() const noexcept;    // sent, or about to, and not at its logical end
  InFlight state(int64_t now_ns) const;  // only while it is in flight

  // The record goes with the request: given before prepare (as new), taken when it is over.
  void give_record(std::unique_ptr<RequestRecord> record) noexcept { record_ = std::move(record); }
  std::unique_ptr<RequestRecord> take_record() noexcept { return std::move(record_); }

 private:
  enum class Stage : uint8_t { prepared, connecting, securing, sending, waiting, streaming, lingering, over };

  void on_connecting(int64_t connect_ns) override;
  void on_securing(const ConnectionInfo& info) override;
  void on_connection(const ConnectionInfo& info) override;
  void on_sent(int64_t sent_ns) override;
  void on_send_progress(int64_t at_ns, size_t bytes_left) override;
  void on_send_done(int64_t at_ns) override;
  void on_read(const ReadStamp& stamp, size_t bytes) override;
  void on_head(const ResponseHead& head) override;
  void on_body(std::string_view piece) override;
  void on_read_done() override;
  void on_end(const EndInfo& info) override;
  void on_failure(const Failure& failure) override;

  int64_t deadline_ns() const override;
  void on_deadline(int64_t now_ns) override;
  int64_t stage_deadline_ns() const;
  int64_t leave_ns() const;  // when the user leaves
  std::string_view stage_timer() const;

  RequestIdentity identity();
  Tenant tenant_of(const Release& release) const;
  Pool& pool() noexcept { return *services_.pools[server_]; }
  void keep_for_session();
  void start_record();
  bool accept_head(const ResponseHead& head);
  void collect(std::string_view piece);
  void feed(std::string_view bytes);
  void feed_messages(std::string_view bytes);
  void end_plugin(const GrpcStatus& status, std::span<const Field> trailers);
  void end_call(const EndInfo& info);
  bool ends_inside_event() const noexcept;
  void feed_collected();
  std::string_view collected() const noexcept {
    return collected_ == nullptr ? std::string_view() : *collected_;
  }
  void judge();  // the reply is complete: ok, or which failure
  void judge_success();
  void fail(std::string_view cls, std::string_view message, int64_t end_ns);
  void complete(Status status, int64_t end_ns);  // tells the scheduler
  void over();                                   // the record is final
  void abandon(std::string_view cls, std::string_view message,
               int64_t end_ns);  // fail, and close the connection
  void plugin_failed(std::string_view call);
  int64_t relative(int64_t at_ns) const noexcept { return at_ns - services_.context.start_ns; }
  bool is_success_status() const noexcept {
    return record_->http_status >= 200 && record_->http_status < 300;
  }

  ExchangeServices& services_;
  Release release_;
  std::unique_ptr<RequestRecord> record_;
  ResponseEvents events_;
  Stream stream_;
  std::string wire_;                        // head and body of the request, until they are sent
  std::unique_ptr<std::string> collected_;  // a reply that is handed over as a whole; kept once made
  std::unique_ptr<GrpcReader> messages_;    // of gRPC alone
  ReadStamp stamp_;
  size_t server_ = 0;  // of the context's
  Stage stage_ = Stage::over;
  bool completed_ = false;
  bool exact_ = false;  // the output length was asked for as an exact one
  bool collecting_ = false;
  bool stray_ = false;          // a login page or a proxy's error where a stream was asked
  bool body_seen_ = false;      // at least one byte of it
  char last_byte_ = '\n';       // of the body so far: a read that ends inside an event is flagged
  int64_t stage_since_ns_ = 0;  // when the timer of this stage began
  int64_t sent_ns_ = 0;
};

}  // namespace tokometer
