#include "engine/workload_parts.hpp"

#include <filesystem>

#include "base/text.hpp"
#include "engine/server_probe.hpp"

namespace tokometer {

Result<std::shared_ptr<const TlsContext>> make_tls(const RunFile::Target& target, bool http2) {
  return TlsContext::make({.verify = target.tls.verify,
                           .ca_file = target.tls.ca_file,
                           .cert_file = target.tls.cert_file,
                           .key_file = target.tls.key_file,
                           .protocol = http2 ? "h2" : "http/1.1"});
}

Result<Processor> make_processor(const WorkloadPlan& plan, const Preflight& preflight) {
  auto processor = Processor::create(
      *plan.processor,
      {.config_json = plan.file.processor.options_json, .models = {preflight.model}, .seed = plan.file.seed});
  if (!processor) return processor.errors();
  for (const LearnedAnswer& answer : preflight.learned) {
    if (auto taken = processor->learn(answer.status, answer.probe, answer.body); !taken)
      return taken.errors();
  }
  return processor;
}

SampleRules sample_rules(const WorkloadPlan& plan, const Profile& profile, const std::string& salt) {
  SampleRules rules;
  rules.rows = plan.file.rows;
  rules.seed = plan.file.seed;
  rules.output_tokens = plan.file.request.output_tokens;
  rules.tokenizer = plan.tokenizer;
  for (const PhasePlan& phase : plan.phases)
    rules.needs_arrivals = rules.needs_arrivals || phase.follows_data;
  if (!plan.data_files.empty()) {
    rules.data_name =
        escape_terminal(std::filesystem::path(plan.data_files.front().path).filename().string());
  }
  rules.text_as_chat = profile.has_feature("form.chat") && !profile.has_feature("form.text");
  const bool cold = plan.file.request.cache_salt != RunFile::Request::CacheSalt::none;
  if (cold && !profile.has_feature("cache.salt") && plan.dataset->has_capability("made-text"))
    rules.nonce = salt;
  return rules;
}

RunContext make_context(const WorkloadPlan& plan, const Preflight& preflight, const std::string& salt,
                        const Clock& clock, const Redactor& redactor) {
  RunContext context;
  context.clock = &clock;
  context.workload = plan.file.workload;
  context.servers = preflight.servers;
  context.tls = preflight.tls;
  context.keep_alive = plan.file.target.connections.policy != RunFile::Connections::Policy::fresh;
  context.sticky = plan.file.target.connections.sticky;
  context.http2 = needs_http2(plan.file, preflight.profile);
  context.grpc = preflight.profile.is_grpc();
  context.headers = target_headers(plan.file, preflight.profile);
  context.model = preflight.model;
  context.request = plan.file.request;
  context.task = preflight.profile.task();
  if (context.task != TKM_TASK_GENERATE) context.request.stream = false;
  context.timeouts = plan.file.target.timeouts;
  const bool exact = preflight.profile.has_feature("output.exact");
  context.declared_output_mode = exact ? TKM_OUTPUT_EXACT : TKM_OUTPUT_AT_MOST;
  const bool cold = plan.file.request.cache_salt != RunFile::Request::CacheSalt::none;
  if (cold && preflight.profile.has_feature("cache.salt")) context.salt = salt;
  context.salt_per_request =
      !context.salt.empty() && plan.file.request.cache_salt == RunFile::Request::CacheSalt::request;
  for (const auto& [name, metric] : preflight.profile.request_metrics)
    context.request_metrics.push_back(name);
  context.redactor = &redactor;
  return context;
}

}  // namespace tokometer
