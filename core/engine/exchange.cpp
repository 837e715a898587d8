#include "engine/exchange.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace tokometer {
namespace {

constexpr size_t kSpareBytes = 64;             // parsers may look this far past the end
constexpr size_t kErrorBodyBytes = 64 * 1024;  // read of a reply that is no 2xx
constexpr size_t kReplyBytes = 64 * 1024 * 1024;

std::string_view media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (!content_type.empty() && content_type.back() == ' ') content_type.remove_suffix(1);
  return content_type;
}

}  // namespace

RequestIdentity Exchange::identity() {
  const RunContext& context = services_.context;
  std::string& salt = services_.salt;
  salt = release_.facts->salt;
  if (context.salt_per_request) salt += record_->id;
  return {.seq = release_.seq,
          .name = record_->id,
          .model = release_.model,
          .adapter = release_.adapter,
          .salt = salt,
          .server = server_,
          .session = release_.session.get()};
}

void Exchange::start_record() {
  const RunContext& context = services_.context;
  RequestRecord& record = *record_;
  record.seq = release_.seq;
  record.id.assign(context.id_prefix).append(std::to_string(release_.seq));
  record.workload = context.workload;
  record.phase = release_.facts->name;
  record.sample = static_cast<int64_t>(release_.sample->index);
  const tkm_str model = release_.sample->model();
  record.model.assign(model.size > 0           ? std::string_view(model.data, model.size)
                      : release_.model.empty() ? std::string_view(context.model)
                                               : release_.model);
  const tkm_str adapter = release_.sample->adapter();
  record.adapter.assign(adapter.size > 0 ? std::string_view(adapter.data, adapter.size) : release_.adapter);
  record.scheduled_ns = relative(release_.scheduled_ns);
  record.released_ns = relative(release_.released_ns);
  record.endpoint.assign(context.servers[server_].authority);  // until an address has answered
  record.held_by_cap_ns = release_.held_ns;
  const int64_t asked = asked_output_tokens(context, *release_.sample);
  record.asked_output_tokens = asked >= 0 ? asked : kAbsent;
  const Session* session = release_.session.get();
  if (session != nullptr) {
    record.session.assign(session->id);
    record.turn = static_cast<int64_t>(session->turn);
    record.turns = static_cast<int64_t>(session->turns());
  }
  const bool has_history = session != nullptr && session->has_history();
  record.prompt_tokens =
      release_.sample->prompt_tokens >= 0 && !has_history ? release_.sample->prompt_tokens : kAbsent;
  record.prompt_from_dataset = record.prompt_tokens != kAbsent;
  exact_ =
      context.declared_output_mode == TKM_OUTPUT_EXACT && release_.sample->output_mode == TKM_OUTPUT_EXACT;
}

bool Exchange::prepare(Release release) {
  release_ = std::move(release);
  // Sessions stay on one server.
  server_ = (release_.session ? release_.session->number : release_.seq) % services_.pools.size();
  stage_ = Stage::prepared;
  completed_ = collecting_ = stray_ = body_seen_ = false;
  last_byte_ = '\n';
  if (collected_ != nullptr) collected_->clear();
  if (services_.context.grpc && messages_ == nullptr) messages_ = std::make_unique<GrpcReader>();
  if (messages_ != nullptr) messages_->reset();
  start_record();
  wire_ = services_.wires.take();
  events_.begin(services_.context, *record_, services_.blocks);
  if (release_.session) keep_for_session();
  const EncodeFault fault = services_.encoder.encode(*release_.sample, identity(), wire_);
  if (fault.cls.empty()) return true;
  fail(fault.cls, fault.message, services_.context.clock->now_ns());
  over();
  return false;
}

void Exchange::keep_for_session() {
  Session& session = *release_.session;
  session.answers.resize(session.turn + 1);
  events_.keep_for_session(release_.sample->keeps_answer ? &session.answers.back() : nullptr, &session.carry);
}

// With sticky connections a session stays on its own, from its first turn to its last.
Tenant Exchange::tenant_of(const Release& release) const {
  if (!services_.context.sticky || !release.session) return {};
  const Session& session = *release.session;
  return {.id = session.number + 1, .moves_in = session.turn == 0, .moves_out = session.turns_left() == 0};
}

void Exchange::send() {
  sent_ns_ = 0;
  stage_since_ns_ = services_.context.clock->now_ns();
  const tkm_prompt prompt = services_.encoder.prompt_of(*release_.sample, identity());
  if (services_.processor.open(prompt, stream_, services_.sentence) != TKM_OK) {
    fail("client.plugin", "open: " + services_.sentence, stage_since_ns_);
    return over();
  }
  release_.sample.reset();  // prompts may be long, and streams many
  stage_ = Stage::connecting;
  tenant = tenant_of(release_);
  pool().start(*this, wire_);
  if (stage_ == Stage::connecting)
    services_.timers.arm(*this);  // it may wait without a connection of its own
}

void Exchange::on_connecting(int64_t connect_ns) {
  record_->connect_ns = relative(connect_ns);
  stage_since_ns_ = connect_ns;
  services_.timers.arm(*this);
}

void Exchange::on_securing(const ConnectionInfo& info) {
  record_->endpoint.assign(info.endpoint);
  record_->tcp_ready_ns = relative(info.tcp_ready_ns);
  stage_ = Stage::securing;
}

void Exchange::on_connection(const ConnectionInfo& info) {
  record_->conn = static_cast<int64_t>(info.id);
  record_->reused = info.reused;
  record_->endpoint.assign(info.endpoint);
  if (info.connect_ns != kNoInstant) record_->connect_ns = relative(info.connect_ns);
  if (info.tcp_ready_ns != kNoInstant) record_->tcp_ready_ns = relative(info.tcp_ready_ns);
  if (info.tls_ready_ns != kNoInstant) record_->tls_ready_ns = relative(info.tls_ready_ns);
  if (info.after_stale) record_->flags |= kFlagStaleConn;
  if (info.held_until_ns == kNoInstant) return;
  record_->held_by_cap_ns += info.held_until_ns - release_.released_ns;
  record_->released_ns = relative(info.held_until_ns);
}

void Exchange::on_sent(int64_t sent_ns) {
  record_->sent_ns = relative(sent_ns);
  record_->bytes_sent = static_cast<int64_t>(wire_.size());
  sent_ns_ = stage_since_ns_ = sent_ns;
  stage_ = Stage::sending;
  services_.timers.arm(*this);
}

void Exchange::on_send_progress(int64_t at_ns, size_t) {
  stage_since_ns_ = at_ns;
}

void Exchange::on_send_done(int64_t at_ns) {
  services_.wires.give_back(wire_);
  record_->send_done_ns = relative(at_ns);
  if (stage_ == Stage::sending) stage_ = Stage::waiting;
  services_.timers.arm(*this);
}

void Exchange::on_read(const ReadStamp& stamp, size_t bytes) {
  RequestRecord& record = *record_;
  if (record.first_byte_ns == kAbsent) {
    record.first_byte_ns = relative(stamp.at_ns);
    record.stamp_kernel = true;
    record.client_lag_max_ns = 0;
  }
  record.stamp_kernel = record.stamp_kernel && stamp.kernel;
  record.client_lag_max_ns = std::max(record.client_lag_max_ns, stamp.user_ns - stamp.at_ns);
  record.bytes_received += static_cast<int64_t>(bytes);
  stamp_ = stamp;
  events_.on_read(stamp);
}

bool Exchange::accept_head(const ResponseHead& head) {
  const bool stream = services_.context.request.stream, grpc = services_.context.grpc;
  const std::string_view type = media_type(head.content_type);
  if (grpc && is_success_status()) {
    if (!is_grpc_type(type)) return collecting_ = stray_ = true;  // its body is no message, and no length
    if (type.empty()) record_->flags |= kFlagContentType;
  } else if (stream && is_success_status() && type != "text/event-stream") {
    if (type == "text/html") return collecting_ = stray_ = true;
    if (type != "application/json") record_->flags |= kFlagContentType;
  }
  HeadFields& fields = services_.fields;
  fields.assign(head.fields);
  const tkm_head plugin_head{.struct_size = sizeof(tkm_head),
                             .http_status = head.status,
                             .fields = fields.data(),
                             .field_count = fields.size()};
  const tkm_status status = stream_.head(plugin_head, events_.sink(services_.sink), services_.sentence);
  if (status < 0) return false;
  collecting_ = grpc ? !is_success_status() : status == TKM_COLLECT || !stream || !is_success_status();
  if (!stream) events_.ignore_times();
  if (stream && is_success_status() && collecting_) record_->flags |= kFlagNotStreamed;
  return true;
}

void Exchange::on_head(const ResponseHead& head) {
  record_->http_status = head.status;
  if (stage_ != Stage::sending) stage_ = Stage::streaming;
  stage_since_ns_ = stamp_.at_ns;
  if (head.status >= 300 && head.status < 400) {
    const std::string_view* location = head.find("location");
    return abandon("status." + std::to_string(head.status),
                   "redirects are not followed; Location: " + (location ? std::string(*location) : "none"),
                   stamp_.at_ns);
  }
  if (!accept_head(head)) return plugin_failed("head");
  if (collecting_) events_.ignore_times();
  services_.timers.arm(*this);  // the first-token timer may be due before the one for the head
}

void Exchange::collect(std::string_view piece) {
  const size_t limit = is_success_status() ? kReplyBytes : kErrorBodyBytes;
  if (collected_ == nullptr) collected_ = std::make_unique<std::string>();
  collected_->append(piece.substr(0, std::min(piece.size(), limit - collected_->size())));
  if (collected_->size() < limit) return;
  if (is_success_status()) return abandon("limit", "the reply is larger than 64 MiB", stamp_.at_ns);
  pool().cancel(*this);  // of an error, what was read so far tells enough
  feed_collected();
  if (!completed_) judge();
  if (stage_ != Stage::over) over();
}

void Exchange::on_body(std::string_view piece) {
  body_seen_ = true;
  last_byte_ = piece.back();
  stage_since_ns_ = completed_ ? stage_since_ns_ : stamp_.at_ns;
  if (collecting_) return collect(piece);
  const bool no_token_yet = record_->first_token_ns == kAbsent;
  if (stream_.is_open()) services_.context.grpc ? feed_messages(piece) : feed(piece);
  if (stage_ == Stage::over || !no_token_yet || record_->first_token_ns == kAbsent) return;
  if (stage_ == Stage::sending) {
    return abandon("semantics", "the first token came before the request was sent", stamp_.at_ns);
  }
  services_.timers.arm(*this);  // from the first-token timer to the idle timer, which may be due earlier
}

void Exchange::feed(std::string_view bytes) {
  if (stream_.data({bytes.data(), bytes.size()}, events_.sink(services_.sink), services_.sentence) < 0)
    plugin_failed("data");
}

void Exchange::feed_messages(std::string_view bytes) {
  std::string_view message;
  GrpcReader::Progress progress{};
  while ((progress = messages_->read(bytes, message)) == GrpcReader::Progress::message) {
    feed(message);
    if (!stream_.is_open()) return;
  }
  if (progress != GrpcReader::Progress::failed) return;
  if (!completed_) return abandon(messages_->fault().cls, messages_->fault().message, stamp_.at_ns);
  pool().cancel(*this);  // behind the logical end it changes nothing
  over();
}

void Exchange::feed_collected() {
  collecting_ = false;
  if (services_.context.grpc) return;  // no message
  if (stray_ || collected().empty()) return;
  collected_->reserve(collected_->size() + kSpareBytes);
  feed(*collected_);
}

bool Exchange::ends_inside_event() const noexcept {
  return services_.context.grpc ? messages_->is_inside() : last_byte_ != '\n';
}

void Exchange::on_read_done() {
  const uint32_t events = events_.token_events_in_read();
  services_.owner.on_read_stamp(stamp_, events,
                                events > 1 || (events == 1 && (ends_inside_event() || stamp_.cut_record)));
  if (completed_ || collecting_ || !(events_.done() || events_.failed())) return;
  judge();
  stage_ = Stage::lingering;
  stage_since_ns_ = stamp_.user_ns;
  services_.timers.arm(*this);
}

void Exchange::end_plugin(const GrpcStatus& status, std::span<const Field> trailers) {
  HeadFields& fields = services_.fields;
  fields.assign(trailers);
  const tkm_end end{.struct_size = sizeof(tkm_end),
                    .grpc_status = status.code,
                    .grpc_message = {status.message.data(), status.message.size()},
                    .trailers = fields.data(),
                    .trailer_count = fields.size()};
  if (stream_.end(end, events_.sink(services_.sink), services_.sentence) < 0 && !completed_)
    fail("client.plugin", "end: " + services_.sentence, stamp_.at_ns);
}

// A gRPC call has ended. What a proxy says, without a status of gRPC, is judged by its own.
void Exchange::end_call(const EndInfo& info) {
  if ((stray_ || !is_success_status()) && !has_grpc_status(info.trailers)) return;
  GrpcStatus status = read_grpc_status(info.trailers);
  if (messages_->is_inside() && !completed_)
    fail("truncated", "the reply ended inside a gRPC message", stamp_.at_ns);
  if (stream_.is_open() && !stray_) end_plugin(status, info.trailers);
  if (status.code == 0 || completed_) return;
  const std::string cls = "grpc." + std::string(grpc_code_name(status.code));
  fail(cls, status.message.empty() ? "the server ended the call with " + cls.substr(5) : status.message,
       stamp_.at_ns);
}

void Exchange::on_end(const EndInfo& info) {
  if (info.surplus) record_->flags |= kFlagSurplus;
  if (info.no_last_chunk) record_->flags |= kFlagNoLastChunk;
  if (collecting_) feed_collected();
  if (stage_ == Stage::over) return;  // the plugin failed
  if (services_.context.grpc) {
    end_call(info);
  } else if (stream_.is_open() && !stray_) {
    end_plugin({.code = -1, .message = {}}, {});
  }
  if (!completed_ && info.no_last_chunk && !events_.done()) {
    fail("truncated", "the connection was closed before the last chunk", stamp_.at_ns);
  }
  if (!completed_) judge();
  over();
}

void Exchange::on_failure(const Failure& failure) {
  if (completed_) {
    if (failure.cls == "truncated") record_->flags |= kFlagNoLastChunk;
  } else if (record_->http_status != kAbsent && !is_success_status()) {
    if (collecting_) feed_collected();  // the status says more than how the connection ended
    if (stage_ == Stage::over) return;
    judge();
  } else {
    fail(failure.cls, failure.message, failure.at_ns);
  }
  over();
}

}  // namespace tokometer
