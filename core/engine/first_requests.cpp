#include "engine/first_requests.hpp"

#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "engine/events.hpp"
#include "engine/head_fields.hpp"
#include "engine/server_probe.hpp"
#include "engine/workload_parts.hpp"
#include "net/fetch.hpp"
#include "net/grpc.hpp"

namespace tokometer {
namespace {

constexpr size_t kForeignTextBytes = 256;
constexpr size_t kSpareBytes = 64;

// The body of a reply, as the plugin gets it.
bool feed(Stream& stream, const Answer& answer, const tkm_events& sink, std::string& sentence) {
  if (answer.grpc_status < 0)
    return stream.data({answer.body.data(), answer.body.size()}, sink, sentence) >= 0;
  size_t begin = 0;
  for (const size_t end : answer.message_ends) {
    if (stream.data({answer.body.data() + begin, end - begin}, sink, sentence) < 0) return false;
    begin = end;
  }
  return true;
}

bool is_good(const Answer& answer, const ResponseEvents& events) {
  return answer.status >= 200 && answer.status <= 299 && answer.grpc_status <= 0 && !events.failed();
}

Error refusal(const Answer& answer, const ResponseEvents& events, const Redactor& redactor) {
  const std::string status = answer.grpc_status > 0
                                 ? "gRPC " + std::string(grpc_code_name(answer.grpc_status))
                                 : "HTTP " + std::to_string(answer.status);
  const std::string said = events.failed()          ? events.error_message()
                           : answer.grpc_status > 0 ? answer.grpc_message
                                                    : answer.body;
  return Error{"the server refused the first request (" + status +
               "): " + escape_terminal(redactor.redact(said), kForeignTextBytes)};
}

}  // namespace

Result<std::vector<std::shared_ptr<const Sample>>> first_samples(const WorkloadPlan& plan,
                                                                 const Profile& profile,
                                                                 const FirstSample& which, size_t count) {
  auto dataset = make_dataset(plan, nullptr);
  if (!dataset) return dataset.errors();
  SampleRules rules = sample_rules(plan, profile, which.salt);
  rules.rows.order = RunFile::Rows::Order::sequential;
  rules.rows.on_end = RunFile::Rows::OnEnd::stop;
  rules.rows.limit = static_cast<int64_t>(count);
  rules.word_limit = which.word_limit;
  if (which.input_tokens) {
    rules.rows.input_tokens = RunFile::TokenLength{};
    rules.rows.input_tokens->mean = static_cast<double>(*which.input_tokens);
  }
  auto source = SampleSource::open(std::move(*dataset), std::move(rules));
  if (!source) return source.errors();
  std::vector<std::shared_ptr<const Sample>> samples;
  while (samples.size() < count) {
    auto row = (*source)->next();
    if (!row) return row.errors();
    if (row->sample == nullptr) break;
    samples.push_back(std::move(row->sample));
  }
  return samples;
}

Result<std::shared_ptr<const Sample>> first_sample(const WorkloadPlan& plan, const Profile& profile,
                                                   const FirstSample& which) {
  auto samples = first_samples(plan, profile, which, 1);
  if (!samples) return samples.errors();
  return samples->empty() ? nullptr : std::move(samples->front());
}

FirstRequests::FirstRequests(const WorkloadPlan& plan, const std::string& salt, const Clock& clock,
                             const Redactor& redactor, Processor& processor, Preflight& found)
    : plan_(plan),
      clock_(clock),
      redactor_(redactor),
      processor_(processor),
      found_(found),
      salt_("preflight-" + salt),
      context_(make_context(plan, found, salt_, clock, redactor)),
      encoder_(context_, processor) {}

Result<int64_t> FirstRequests::send(const Sample& sample, const TargetServer& server, const Route& route) {
  const std::string name = salt_ + "-" + std::to_string(found_.requests);
  const RequestIdentity identity{.seq = 0,
                                 .name = name,
                                 .model = route.model,
                                 .adapter = route.adapter,
                                 .salt = context_.salt,
                                 .server = static_cast<size_t>(&server - found_.servers.data())};
  FetchRequest request = request_to(plan_.file, found_, server);
  if (auto made = encoder_.encode(sample, identity, request); !made.cls.empty()) return Error{made.message};
  request.timeout_ns =
      plan_.file.target.timeouts.total_ns > 0 ? plan_.file.target.timeouts.total_ns : 900'000'000'000;
  const int64_t begin_ns = clock_.now_ns();
  auto answer = fetch(request);
  if (!answer) return answer.errors();
  const bool is_first = found_.requests++ == 0;
  if (is_first) found_.first_reply_ns = clock_.now_ns() - begin_ns;
  auto tokens = read(sample, identity, *answer);
  if (is_first && tokens) first_prompt_tokens_ = *tokens;
  return tokens;
}

Result<int64_t> FirstRequests::read(const Sample& sample, const RequestIdentity& identity, Answer& answer) {
  BlockPool blocks;
  RequestRecord record;
  ResponseEvents events;
  events.begin(context_, record, blocks);
  Stream stream;
  std::string sentence;
  if (processor_.open(encoder_.prompt_of(sample, identity), stream, sentence) != TKM_OK)
    return Error{sentence};
  HeadFields fields;
  fields.assign(answer.headers);
  const tkm_head head{.struct_size = sizeof(tkm_head),
                      .http_status = answer.status,
                      .fields = fields.data(),
                      .field_count = fields.size()};
  answer.body.reserve(answer.body.size() + kSpareBytes);
  tkm_events shared = ResponseEvents::make_sink();
  const tkm_events& sink = events.sink(shared);
  const bool taken = stream.head(head, sink, sentence) >= 0 && feed(stream, answer, sink, sentence);
  if (!taken) return Error{sentence};
  events.conclude(-1, false);
  if (!is_good(answer, events)) return refusal(answer, events, redactor_);
  const bool counted = record.prompt_tokens != kAbsent;
  if (counted) found_.prompt_tokens += record.prompt_tokens;
  if (record.output_tokens != kAbsent) found_.output_tokens += record.output_tokens;
  return counted ? record.prompt_tokens : -1;
}

}  // namespace tokometer
