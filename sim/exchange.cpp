#include "sim/exchange.hpp"

#include <algorithm>
#include <array>
#include <tokometer/json.hpp>

#include "sim/connection.hpp"
#include "sim/error_forms.hpp"
#include "sim/tokens.hpp"
#include "sim/triton.hpp"
#include "sim/triton_grpc.hpp"

namespace tokometer::sim {
namespace {

constexpr std::string_view kDone = "data: [DONE]\n\n", kComment = ": keep-alive\n\n";
constexpr int64_t kCommentGapNs = 10'000'000;

void write_hex(char* out, uint64_t number) {
  for (int at = 15; at >= 0; --at, number >>= 4u) out[at] = "0123456789abcdef"[number & 15u];
}

bool is_bad_message(FaultKind kind) {
  using enum FaultKind;
  return kind == compressed || kind == huge_message || kind == cut_message;
}

bool has_place(FaultKind kind) {
  using enum FaultKind;
  return kind == error || kind == FaultKind::abort || kind == stall || kind == rst || kind == fin ||
         kind == cut_json || kind == goaway || kind == grpc_status || is_bad_message(kind);
}

double seconds(int64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

}  // namespace

Exchange::Exchange(Books& books, Connection& connection, Generation generation, uint32_t stream,
                   int64_t received_ns, int64_t cached)
    : books_(books),
      connection_(connection),
      generation_(std::move(generation)),
      writer_(make_event_writer(generation_, books.chunk)),
      stream_(stream),
      arrived_ns_(connection.arrived_ns()),
      received_ns_(received_ns),
      cached_(cached),
      entered_ns_(received_ns) {
  books_.metrics.prompt_tokens += generation_.prompt_tokens;
}

Exchange::Step Exchange::start() {
  const Fault& fault = generation_.fault;
  if (fault.at == Fault::At::head && fault.kind == FaultKind::goaway) {
    fault_done_ = true;
    connection_.refuse_later_streams();
  } else if (fault.at == Fault::At::head && has_place(fault.kind)) {
    return fire(received_ns_);
  }
  if (generation_.stream && generation_.shape.head_at_once) send_head();
  if (generation_.stream && generation_.chat && generation_.shape.first_event == FirstEvent::role_early) {
    send_head();
    send_roles();
  }
  return {Next::tokens};
}

void Exchange::send_head(int status) {
  if (head_sent_ || !generation_.stream) return;
  head_sent_ = true;
  const bool triton = generation_.dialect == Dialect::triton && !generation_.grpc;  // which writes names so
  std::string fields(triton ? "Content-Type" : "content-type");
  fields += generation_.grpc ? ": application/grpc\r\n" : ": text/event-stream; charset=utf-8\r\n";
  if (generation_.fault.kind == FaultKind::gzip) fields += "content-encoding: gzip\r\n";
  if (!connection_.keep_alive) fields += "connection: close\r\n";
  send(response_head(status, fields + "transfer-encoding: chunked\r\n"));
}

void Exchange::send(std::string_view bytes) {
  connection_.send(bytes, generation_.shape.split);
  last_write_ns_ = books_.clock.now_ns();
}

void Exchange::send_roles() {
  if (!writer_->rules().has_roles) return;
  for (uint32_t choice = 0; choice < generation_.choices; ++choice)
    send(writer_->role(choice, usage()).bytes);
}

Usage Exchange::usage() const {
  using enum FaultKind;
  Usage usage{
      .prompt = generation_.prompt_tokens, .completion = sent_ * generation_.choices, .cached = cached_};
  const Fault& fault = generation_.fault;
  if (fault.kind == usage_zero) return {.prompt = 0, .completion = 0};
  if (fault.kind == usage_off)
    usage.completion =
        static_cast<uint64_t>(std::max<int64_t>(0, static_cast<int64_t>(usage.completion) + fault.by));
  return usage;
}

const char* Exchange::finish_reason() const {
  if (generation_.fault.kind == FaultKind::no_finish) return nullptr;
  return generation_.ends_by_itself ? "stop" : "length";
}

// Tokens of the next event: as many as an event holds, up to the place of a fault.
uint64_t Exchange::event_size() const {
  uint64_t most = generation_.output_tokens - sent_;
  const Fault& fault = generation_.fault;
  if (has_place(fault.kind) && !fault_done_ && fault.after > sent_)
    most = std::min(most, fault.after - sent_);
  return std::min(most, generation_.shape.tokens_per_event);
}

bool Exchange::fault_is_due() const {
  const Fault& fault = generation_.fault;
  return has_place(fault.kind) && !fault_done_ && fault.at != Fault::At::head &&
         sent_ >= std::min(fault.after, generation_.output_tokens);
}

Exchange::Step Exchange::advance(int64_t due_ns) {
  using enum FaultKind;
  const FaultKind kind = generation_.fault.kind;
  if (generation_.stream &&
      (kind == empty || kind == done_only || kind == role_only || kind == comments_only)) {
    return without_tokens(due_ns);
  }
  if (fault_is_due()) return fire(due_ns);
  if (sent_ < generation_.output_tokens) send_tokens(due_ns);
  if (connection_.broken()) return {Next::close};
  if (sent_ < generation_.output_tokens) return {Next::tokens};
  if (fault_is_due()) return fire(due_ns);
  return generation_.stream ? finish(true, nullptr) : finish_whole(finish_reason(), due_ns);
}

void Exchange::send_tokens(int64_t due_ns) {
  const uint64_t count = event_size();
  const bool first = sent_ == 0;
  send_head();
  if (first && generation_.stream && generation_.chat &&
      generation_.shape.first_event == FirstEvent::role_with_token)
    send_roles();
  const uint64_t before = sent_;
  sent_ += count;
  ready_ -= std::min(ready_, count);
  ++events_;
  const bool last = sent_ == generation_.output_tokens, ends_apart = writer_->rules().ends_apart;
  for (uint32_t choice = 0; choice < generation_.choices; ++choice) {
    if (!generation_.stream) {
      note_token(books_.clock.now_ns());
      continue;
    }
    const EventWriter::Token token{.choice = choice,
                                   .index = before,
                                   .count = count,
                                   .reasoning = before < generation_.shape.reasoning_tokens,
                                   .finish = last && !ends_apart ? finish_reason() : nullptr,
                                   .stream = stream_,
                                   .seq = seq_};
    books_.text.clear();
    const auto event = writer_->token(token, usage(), books_.text);
    if (choice == 0) crc_.update(books_.text);
    note_token(send_event(event, due_ns, count));
  }
  books_.metrics.generation_tokens += count * generation_.choices;
  if (!last || !ends_apart || !generation_.stream || finish_reason() == nullptr) return;
  for (uint32_t choice = 0; choice < generation_.choices; ++choice)
    send(writer_->finish(choice, finish_reason(), usage()).bytes);
}

int64_t Exchange::send_event(EventWriter::Event event, int64_t due_ns, uint64_t tokens) {
  if (connection_.has_unsent()) ++blocked_;
  const int64_t now_ns = books_.clock.now_ns();
  if (event.stamp != nullptr) write_hex(event.stamp, static_cast<uint64_t>(now_ns));
  connection_.send(event.bytes, generation_.shape.split);
  books_.lateness.add(now_ns - due_ns);
  if (books_.truth != nullptr) {
    const TruthRow row{.due_ns = static_cast<uint64_t>(due_ns),
                       .sent_ns = static_cast<uint64_t>(now_ns),
                       .stream = stream_,
                       .seq = seq_,
                       .bytes = static_cast<uint32_t>(event.bytes.size()),
                       .tokens = static_cast<uint32_t>(tokens)};
    if (!books_.truth->add(row)) books_.truth_lost = true;
  }
  ++seq_;
  return now_ns;
}

void Exchange::note_token(int64_t now_ns) {
  if (first_ns_ == 0) {
    first_ns_ = now_ns;
    books_.metrics.ttft.add(seconds(now_ns - received_ns_));
  } else {
    books_.metrics.itl.add(seconds(now_ns - last_ns_));
  }
  last_ns_ = last_write_ns_ = now_ns;
}

Exchange::Step Exchange::without_tokens(int64_t due_ns) {
  using enum FaultKind;
  outcome_ = fault_name(generation_.fault.kind);
  send_head();
  if (generation_.fault.kind == comments_only) {
    send(writer_->text(kComment).bytes);
    return {connection_.broken() ? Next::close : Next::later, due_ns + kCommentGapNs};
  }
  if (generation_.fault.kind == role_only) {
    if (generation_.chat) send_roles();
    for (uint32_t choice = 0; choice < generation_.choices; ++choice)
      send(writer_->finish(choice, "stop", usage()).bytes);
  }
  return finish(generation_.fault.kind != empty, "without_tokens");
}

// The fault's place is reached: what happens there.
Exchange::Step Exchange::fire(int64_t due_ns) {
  using enum FaultKind;
  const Fault& fault = generation_.fault;
  fault_done_ = true;
  if (fault.kind == goaway) {
    connection_.refuse_later_streams();
    return advance(due_ns);
  }
  outcome_ = fault_name(fault.kind);
  if (fault.kind == stall) {
    if (fault.at != Fault::At::head) send_head();
    stalled_ = true;
    return {Next::later, due_ns + fault.for_ns};
  }
  if (fault.kind == rst) return {Next::reset};
  const bool is_call_error = fault.kind == FaultKind::error && generation_.grpc && generation_.grpc->is_unary;
  if (fault.kind == grpc_status || is_call_error) {
    const int code = is_call_error ? 3 : fault.code;
    send(head_sent_ ? grpc_trailers(code, "simulated failure") : grpc_refusal(code, "simulated failure"));
    return end_of_reply();
  }
  if (fault.kind == fin) return {Next::close};
  if (fault.kind == FaultKind::abort) return this->abort();
  if (!generation_.stream && !generation_.grpc) {
    const bool triton = generation_.dialect == Dialect::triton;
    send(whole_response(triton ? 400 : 500, "application/json",
                        triton ? triton_error_json("simulated failure")
                               : error_json({500, "simulated failure", "InternalServerError", ""})));
    return end_of_reply();
  }
  generation_.stream = true;  // a gRPC call has the same form
  send_head(fault.kind == FaultKind::error ? writer_->first_error_status() : 200);
  if (generation_.grpc && (fault.kind == cut_json || is_bad_message(fault.kind))) {
    send(grpc_bad_message(fault.kind));
    return finish(true, "cut");
  }
  if (fault.kind == cut_json) {
    std::string event(writer_->finish(0, "length", usage()).bytes);
    event = event.substr(event.find("data:"));
    send(writer_->text(event.substr(0, event.size() / 2) + "\n\n").bytes);
    return finish(true, "cut");
  }
  send(writer_->failure(fault).bytes);
  return finish(fault.done, "error");
}

Exchange::Step Exchange::abort() {
  outcome_ = "abort";
  if (!generation_.stream) return finish_whole("abort", books_.clock.now_ns());
  send_head();
  for (uint32_t choice = 0; choice < generation_.choices; ++choice)
    send(writer_->finish(choice, "abort", usage()).bytes);
  return finish(true, nullptr);
}

// The end of a stream: usage (unless it failed), [DONE], the last chunk, in one send. `failure`: null: none.
Exchange::Step Exchange::finish(bool done_event, const char* failure) {
  using enum FaultKind;
  const FaultKind kind = generation_.fault.kind;
  std::string& tail = books_.tail;
  tail.clear();
  const WireRules& rules = writer_->rules();
  if (generation_.include_usage && rules.has_usage_chunk && failure == nullptr && kind != usage_missing)
    tail.append(writer_->usage(usage()).bytes);
  done_event = done_event && rules.has_done_mark;
  if (done_event && kind != no_done) tail.append(writer_->text(kDone).bytes);
  if (done_event && kind == double_done) tail.append(writer_->text(kDone).bytes);
  if (kind != no_last_chunk)
    tail.append(kind == no_trailers ? std::string(kLastChunk) : writer_->last_chunk());
  send(tail);
  if (kind == no_done || kind == double_done || kind == no_last_chunk || kind == no_trailers)
    outcome_ = fault_name(kind);
  return end_of_reply();
}

Exchange::Step Exchange::finish_whole(const char* reason, int64_t due_ns) {
  const std::string body = writer_->whole_body(usage(), reason, stream_);
  const bool grpc = generation_.grpc.has_value();
  for (uint64_t at = 0; at < generation_.output_tokens; ++at) {
    books_.text.clear();
    append_token(books_.text, stream_, 0, at);
    crc_.update(books_.text);
  }
  const std::string fields =
      writer_->whole_fields(usage()) + (connection_.keep_alive ? "" : "connection: close\r\n");
  const bool has_trailers = generation_.fault.kind != FaultKind::no_trailers;
  const std::string reply =
      grpc ? grpc_reply(body, has_trailers) : whole_response(200, "application/json", body, fields);
  send_event({.bytes = reply}, due_ns, sent_ * generation_.choices);  // the one event of the truth log
  return end_of_reply();
}

Exchange::Step Exchange::end_of_reply() {
  const bool closes = !connection_.keep_alive || generation_.fault.kind == FaultKind::no_last_chunk;
  return {closes || connection_.broken() ? Next::close : Next::done};
}

int64_t Exchange::comment(int64_t now_ns) {
  const int64_t gap_ns = generation_.shape.comments_ns;
  if (gap_ns == 0 || !generation_.stream) return 0;
  if (now_ns - last_write_ns_ >= gap_ns) {
    send_head();
    send(writer_->text(kComment).bytes);
  }
  return last_write_ns_ + gap_ns;
}

void Exchange::end(std::string_view outcome) {
  const int64_t now_ns = books_.clock.now_ns();
  const bool complete = sent_ == generation_.output_tokens || outcome == "abort";
  if (complete && first_ns_ != 0) {
    books_.metrics.finished({.e2e = seconds(last_ns_ - received_ns_),
                             .queue = seconds(entered_ns_ - received_ns_),
                             .prefill = seconds(first_ns_ - entered_ns_),
                             .decode = seconds(last_ns_ - first_ns_),
                             .prompt = generation_.prompt_tokens,
                             .output = sent_ * generation_.choices,
                             .choices = generation_.choices,
                             .asked = generation_.output_tokens,
                             .reason = outcome == "abort"           ? "abort"
                                       : generation_.ends_by_itself ? "stop"
                                                                    : "length"});
  }
  if (books_.truth != nullptr && !books_.truth->add_request(truth_line(outcome, now_ns)))
    books_.truth_lost = true;
}

const char* Exchange::route() const {
  if (generation_.grpc) return generation_.grpc->is_unary ? "infer" : "stream_infer";
  if (generation_.dialect == Dialect::triton) return "generate";
  constexpr std::array kOther{"", "responses", "embeddings", "rerank", "ranking"};
  if (generation_.other != OtherApi::none) return kOther.at(static_cast<size_t>(generation_.other));
  return generation_.chat ? "chat" : "completions";
}

std::string Exchange::truth_line(std::string_view outcome, int64_t end_ns) const {
  std::string line;
  tkm::JsonWriter json(line);
  json.begin_object()
      .member("stream", stream_)
      .member("x_request_id", generation_.request_id)
      .member("outcome", outcome);
  json.member("route", route()).member("model", generation_.model);
  json.member("streamed", generation_.stream).member("choices", generation_.choices);
  json.member("prompt_tokens", generation_.prompt_tokens).member("tokens", sent_ * generation_.choices);
  if (cached_ >= 0) json.member("cached_tokens", cached_);
  json.member("events", seq_).member("text_crc", crc_.value()).member("blocked", blocked_);
  json.member("arrived_ns", arrived_ns_).member("received_ns", received_ns_);
  if (first_ns_ != 0) json.member("first_ns", first_ns_).member("last_ns", last_ns_);
  json.member("end_ns", end_ns).end_object();
  return line;
}

}  // namespace tokometer::sim
