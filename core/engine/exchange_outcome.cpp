// How a request ends: the class of its failure, its timers, and the two ends of an exchange.
#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "engine/exchange.hpp"

namespace tokometer {
namespace {

constexpr size_t kErrorTextBytes = 256;       // of an error's text in the record
constexpr int64_t kLingerNs = 1'000'000'000;  // what comes behind the logical end may still set flags

std::string_view failure_class(int32_t kind, std::string_view message) {
  switch (kind) {
    case TKM_FAIL_REJECTED:
      return "in_band.rejected";
    case TKM_FAIL_REQUEST:
      return "in_band.request";
    case TKM_FAIL_FORMAT:
      return message.starts_with("limit:") ? "limit" : "format";
    case TKM_FAIL_SEMANTICS:
      return "semantics";
    default:
      return "in_band";
  }
}

}  // namespace

bool Exchange::is_in_flight() const noexcept {
  return stage_ != Stage::prepared && stage_ != Stage::over && !completed_;
}

InFlight Exchange::state(int64_t now_ns) const {
  static constexpr std::array<std::string_view, 6> kNames{"prepared", "connecting", "securing",
                                                          "sending",  "waiting",    "streaming"};
  return {.id = record_->id,
          .phase = record_->phase,
          .stage = kNames.at(static_cast<size_t>(stage_)),
          .age_ns = now_ns - release_.scheduled_ns,
          .events = record_->events};
}

void Exchange::judge() {
  const int64_t end_ns = stamp_.at_ns;
  if (!is_success_status()) {
    const std::string status = std::to_string(record_->http_status);
    const std::string text = services_.context.grpc ? ", no gRPC: " + std::string(collected()) : "";
    return fail("status." + status,
                events_.failed() ? events_.error_message() : "HTTP status " + status + text, end_ns);
  }
  if (stray_) {
    const std::string what = services_.context.grpc ? "no gRPC" : "an HTML page";
    return fail(
        "content_type",
        what + " came where a stream was asked: " + std::string(collected().substr(0, kErrorTextBytes)),
        end_ns);
  }
  if (events_.failed()) {
    return fail(failure_class(events_.error_kind(), events_.error_message()), events_.error_message(),
                end_ns);
  }
  if (body_seen_ && !events_.all_finished() &&
      !events_.done()) {  // without a body nothing was cut: it is empty
    return fail("truncated", "the reply ended before its end mark", end_ns);
  }
  judge_success();
}

void Exchange::judge_success() {
  const bool nothing_asked = record_->asked_output_tokens == 0;
  if (!events_.has_output() && !nothing_asked && services_.context.request.empty_is_failure) {
    return fail("empty", "the reply holds no token", stamp_.at_ns);
  }
  if (!events_.all_finished()) record_->flags |= kFlagNoFinish;
  const bool whole = !services_.context.request.stream || (record_->flags & kFlagNotStreamed) != 0;
  if (!events_.done() && !whole) record_->flags |= kFlagNoDone;
  complete(Status::ok, stamp_.at_ns);
}

void Exchange::fail(std::string_view cls, std::string_view message, int64_t end_ns) {
  record_->cls.assign(cls);
  const Redactor* redactor = services_.context.redactor;
  record_->error =
      escape_terminal(redactor != nullptr ? redactor->redact(message) : message, kErrorTextBytes);
  complete(Status::failed, end_ns);
}

void Exchange::complete(Status status, int64_t end_ns) {
  completed_ = true;
  record_->status = status;
  record_->end_ns = relative(end_ns);
  events_.forget_session();
  services_.owner.on_complete({.seq = release_.seq,
                               .phase = release_.phase,
                               .scheduled_ns = release_.scheduled_ns,
                               .end_ns = end_ns,
                               .status = status,
                               .client_fault = record_->cls.starts_with("client."),
                               .session = std::move(release_.session)});
}

void Exchange::over() {
  const int64_t asked = record_->asked_output_tokens == kAbsent ? -1 : record_->asked_output_tokens;
  events_.conclude(asked, exact_ && record_->status == Status::ok);
  stream_.close();
  services_.timers.disarm(*this);
  stage_ = Stage::over;
  release_.sample.reset();
  services_.wires.give_back(wire_);
  services_.owner.on_over(*this);
}

void Exchange::abandon(std::string_view cls, std::string_view message, int64_t end_ns) {
  pool().cancel(*this);
  fail(cls, message, end_ns);
  over();
}

void Exchange::plugin_failed(std::string_view call) {
  stream_.close();
  if (!completed_)
    return abandon("client.plugin", std::string(call) + ": " + services_.sentence, stamp_.user_ns);
  pool().cancel(*this);  // behind the logical end it changes nothing
  over();
}

void Exchange::cancel(std::string_view reason) {
  if (stage_ == Stage::over) return;
  if (stage_ != Stage::prepared) pool().cancel(*this);
  if (!completed_) {
    record_->cls.assign(reason);
    complete(Status::cancelled, services_.context.clock->now_ns());
  }
  over();
}

int64_t Exchange::stage_deadline_ns() const {
  const RunFile::Timeouts& timeouts = services_.context.timeouts;
  const auto after = [](int64_t from_ns, int64_t timeout_ns) {
    return timeout_ns > 0 ? from_ns + timeout_ns : TimerWheel::kNever;
  };
  switch (stage_) {
    case Stage::connecting:
    case Stage::securing:  // the handshake is part of the connection
      return after(stage_since_ns_, timeouts.connect_ns);
    case Stage::sending:
      return after(stage_since_ns_, timeouts.send_ns);
    case Stage::waiting:
      return after(sent_ns_, timeouts.headers_ns);
    case Stage::streaming:
      if (!collecting_ && record_->first_token_ns == kAbsent) return after(sent_ns_, timeouts.first_token_ns);
      return after(stage_since_ns_, timeouts.idle_ns);
    case Stage::lingering:
      return stage_since_ns_ + kLingerNs;
    case Stage::prepared:
    case Stage::over:
      break;
  }
  return TimerWheel::kNever;
}

std::string_view Exchange::stage_timer() const {
  switch (stage_) {
    case Stage::connecting:
      return "connect";
    case Stage::securing:
      return "tls";
    case Stage::sending:
      return "send";
    case Stage::waiting:
      return "headers";
    default:
      return !collecting_ && record_->first_token_ns == kAbsent ? "first_token" : "idle";
  }
}

int64_t Exchange::leave_ns() const {
  const bool leaves = sent_ns_ > 0 && !completed_ && release_.cancel_after_ns != TimerWheel::kNever;
  return leaves ? sent_ns_ + release_.cancel_after_ns : TimerWheel::kNever;
}

int64_t Exchange::deadline_ns() const {
  const int64_t total_ns = services_.context.timeouts.total_ns;
  const bool counts = sent_ns_ > 0 && total_ns > 0 && stage_ != Stage::lingering;
  return std::min({stage_deadline_ns(), leave_ns(), counts ? sent_ns_ + total_ns : TimerWheel::kNever});
}

void Exchange::on_deadline(int64_t now_ns) {
  if (stage_ == Stage::lingering) {
    pool().cancel(*this);
    return over();
  }
  if (leave_ns() <= now_ns) return cancel("user");
  const std::string timer(stage_deadline_ns() <= now_ns ? stage_timer() : "total");
  abandon("timeout." + timer, "the " + timer + " timer ran out at " + record_->endpoint, now_ns);
}

}  // namespace tokometer
