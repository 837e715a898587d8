#include "engine/request.hpp"

#include <ctime>

#include "net/grpc.hpp"
#include "net/request_head.hpp"

namespace tokometer {
namespace {

// Our own timer comes first and gives the class; the server's is for a server that does not hear us leave.
constexpr int64_t kServerGraceNs = 1'000'000'000;

tkm_str str(std::string_view text) {
  return {text.data(), text.size()};
}

int32_t output_mode(const RunContext& context, const Sample& sample) {
  if (context.task != TKM_TASK_GENERATE) return TKM_OUTPUT_AT_MOST;
  switch (context.request.output) {
    case RunFile::Request::Output::exact:
    case RunFile::Request::Output::best_effort:
      return context.declared_output_mode;
    case RunFile::Request::Output::at_most:
      return TKM_OUTPUT_AT_MOST;
    case RunFile::Request::Output::automatic:
      break;
  }
  return sample.output_mode == TKM_OUTPUT_EXACT ? context.declared_output_mode : TKM_OUTPUT_AT_MOST;
}

}  // namespace

int64_t asked_output_tokens(const RunContext& context, const Sample& sample) {
  if (context.task != TKM_TASK_GENERATE) return 0;
  return context.request.output_tokens >= 0 ? context.request.output_tokens : sample.output_tokens;
}

RequestEncoder::RequestEncoder(const RunContext& context, Processor& processor)
    : context_(context),
      processor_(processor),
      own_auth_(processor.component().has_capability("auth.own")),
      sink_(own_auth_) {}

tkm_prompt RequestEncoder::prompt_of(const Sample& sample, const RequestIdentity& identity) {
  tkm_prompt prompt{};
  prompt.struct_size = sizeof prompt;
  prompt.task = context_.task;
  prompt.form = sample.form;
  prompt.reply = context_.request.stream ? TKM_REPLY_STREAM : TKM_REPLY_WHOLE;
  prompt.request_id = identity.seq;
  prompt.request_name = str(identity.name);
  prompt.messages = sample.messages().data();
  prompt.message_count = sample.messages().size();
  prompt.text = sample.text();
  prompt.tokens = sample.tokens.data();
  prompt.token_count = sample.tokens.size();
  prompt.model = sample.model().size > 0  ? sample.model()
                 : identity.model.empty() ? str(context_.model)
                                          : str(identity.model);
  prompt.adapter = sample.adapter().size > 0 ? sample.adapter() : str(identity.adapter);
  prompt.cache_salt = str(identity.salt);
  prompt.sampling = str(context_.request.sampling_json);
  prompt.extra = sample.extra().size > 0 ? sample.extra() : str(context_.request.extra_json);
  prompt.choices = context_.request.choices;
  prompt.output_tokens = asked_output_tokens(context_, sample);
  prompt.output_mode = prompt.output_tokens < 0 ? TKM_OUTPUT_AT_MOST : output_mode(context_, sample);
  if (own_auth_) {
    prompt.authority = str(context_.servers[identity.server].authority);
    prompt.unix_time_s = static_cast<int64_t>(std::time(nullptr));
  }
  if (identity.session != nullptr) history_.put(*identity.session, prompt);
  return prompt;
}

EncodeFault RequestEncoder::fill_sink(const Sample& sample, const RequestIdentity& identity) {
  sink_.clear();
  switch (processor_.encode(prompt_of(sample, identity), sink_.out(), sentence_)) {
    case TKM_OK:
      break;
    case TKM_E_INPUT:
      return {"client.dataset", sentence_};
    case TKM_E_UNSUPPORTED:
      return {"client.unsupported", sentence_};
    default:
      return {"client.plugin", sentence_};
  }
  if (!sink_.fault().empty()) return {"client.plugin", std::string(sink_.fault())};
  if ((sink_.protocol() == TKM_GRPC) != context_.grpc)
    return {"client.plugin", "plugin bug: encode: the protocol is not the one of the profile's features"};
  return {};
}

std::string_view RequestEncoder::collect_fields(const Sample& sample) {
  fields_.clear();
  std::string_view accept = "*/*";
  for (size_t i = 0; i < sink_.header_count(); ++i) {
    const RequestSink::Header header = sink_.header(i);
    if (header.name == "accept") {
      accept = header.value;
    } else {
      fields_.push_back({header.name, header.value});
    }
  }
  for (const auto& [name, value] : context_.headers) fields_.push_back({name, value});
  for (const auto& [name, value] : sample.headers) fields_.push_back({name, value});
  return accept;
}

EncodeFault RequestEncoder::encode(const Sample& sample, const RequestIdentity& identity, std::string& wire) {
  if (EncodeFault fault = fill_sink(sample, identity); !fault.cls.empty()) return fault;
  const std::string_view accept = collect_fields(sample);
  if (auto written = write_wire(identity, accept, wire); !written)
    return {"client.plugin", written.error().message};
  return {};
}

Result<void> RequestEncoder::write_wire(const RequestIdentity& identity, std::string_view accept,
                                        std::string& wire) {
  const TargetServer& server = context_.servers[identity.server];
  path_.assign(server.url.path_prefix).append(sink_.path());
  wire.clear();
  if (context_.grpc) {
    const int64_t total_ns = context_.timeouts.total_ns;
    auto head = write_grpc_request_head({.path = path_,
                                         .authority = server.authority,
                                         .scheme = server.url.tls ? "https" : "http",
                                         .request_id = identity.name,
                                         .timeout_ns = total_ns > 0 ? total_ns + kServerGraceNs : 0,
                                         .headers = fields_},
                                        wire);
    if (head) append_body(wire);
    return head;
  }
  const bool forwards = !server.origin.empty();
  const RequestHead fields{.method = sink_.method(),
                           .origin = server.origin,
                           .proxy_authorization = forwards ? server.proxy->authorization : std::string_view(),
                           .target = path_,
                           .authority = server.authority,
                           .scheme = server.url.tls ? "https" : "http",
                           .accept = accept,
                           .request_id = identity.name,
                           .keep_alive = context_.keep_alive,
                           .headers = fields_,
                           .content_length = sink_.body().size()};
  auto head = context_.http2 ? write_http2_request_head(fields, wire) : write_request_head(fields, wire);
  if (head) append_body(wire);
  return head;
}

void RequestEncoder::append_body(std::string& out) const {
  if (!context_.grpc) {
    out.append(sink_.body());
    return;
  }
  size_t begin = 0;
  for (const size_t end : sink_.message_ends()) {
    append_grpc_message(sink_.body().substr(begin, end - begin), out);
    begin = end;
  }
}

EncodeFault RequestEncoder::encode(const Sample& sample, const RequestIdentity& identity,
                                   FetchRequest& request) {
  if (EncodeFault fault = fill_sink(sample, identity); !fault.cls.empty()) return fault;
  collect_fields(sample);
  request.method.assign(sink_.method());
  request.path.assign(sink_.path());
  for (const Field& field : fields_) request.headers.emplace_back(field.name, field.value);
  request.body.clear();
  append_body(request.body);
  request.request_id.assign(identity.name);
  return {};
}

}  // namespace tokometer
