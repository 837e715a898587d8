#include "engine/input_check.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/server_actions.hpp"
#include "engine/server_probe.hpp"
#include "engine/workload_parts.hpp"

namespace tokometer {
namespace {

Result<void> check_scheme(const std::string& processor, const Profile& profile, const std::string& url) {
  const std::string scheme = url.substr(0, url.find("://"));
  const bool is_secure = scheme.ends_with('s');
  const char* right = profile.is_grpc() ? (is_secure ? "grpcs://" : "grpc://")
                      : is_secure       ? "https://"
                                        : "http://";
  if (scheme == "unix" || scheme.starts_with("grpc") == profile.is_grpc()) return {};
  return Error{"target.url: " + url + ": the processor \"" + processor + "\" speaks " +
               (profile.is_grpc() ? "gRPC" : "HTTP") + " with these options: write " + right +
               " in place of " + scheme + "://"};
}

Result<void> check_workload(const WorkloadPlan& plan) {
  auto processor = Processor::create(*plan.processor, {.config_json = plan.file.processor.options_json,
                                                       .models = {plan.file.model.name},
                                                       .seed = plan.file.seed});
  if (!processor) return processor.errors();
  auto described = processor->describe();
  if (!described) return described.errors();
  auto profile = parse_profile(*described);
  if (!profile) return profile.errors();
  if (auto able = check_features(plan.file, *profile); !able) return able;
  if (auto context = make_tls(plan.file.target, needs_http2(plan.file, *profile)); !context)
    return context.errors();
  auto dataset = make_dataset(plan, nullptr);
  if (!dataset) return dataset.errors();
  auto source = SampleSource::open(std::move(*dataset), sample_rules(plan, *profile, ""));
  if (!source) return source.errors();
  auto first = (*source)->next();
  return first ? Result<void>() : Result<void>(first.errors());
}

Result<void> check_arrivals_of(const WorkloadPlan& plan) {
  const auto follows = [](const PhasePlan& phase) { return phase.follows_data; };
  const auto is_missing = [](const Manifest::DataFile& file) { return file.sha256.empty(); };
  if (std::none_of(plan.phases.begin(), plan.phases.end(), follows) ||
      std::any_of(plan.data_files.begin(), plan.data_files.end(), is_missing))
    return {};
  auto dataset = make_dataset(plan, nullptr);
  if (!dataset) return dataset.errors();
  auto source = SampleSource::open(std::move(*dataset), sample_rules(plan, Profile(), ""));
  if (!source) return source.errors();
  auto first = (*source)->next();
  return first ? Result<void>() : Result<void>(first.errors());
}

}  // namespace

Result<void> check_features(const RunFile& file, const Profile& profile) {
  if (!profile.has_feature("proto.http") && !profile.is_grpc()) {
    return Error{"the processor \"" + file.processor.use +
                 "\" needs a protocol that this version does not speak"};
  }
  if (file.request.choices > 1 && !profile.has_feature("choices.many")) {
    return Error{"request.choices: the processor \"" + file.processor.use + "\" makes one choice only"};
  }
  if (file.request.output == RunFile::Request::Output::exact && !profile.has_feature("output.exact")) {
    return Error{"request.output: exact: the processor \"" + file.processor.use +
                 "\" cannot ask for an exact length; use best_effort"};
  }
  if (file.request.cache_salt == RunFile::Request::CacheSalt::request && !profile.has_feature("cache.salt")) {
    return Error{"request.cache_salt: request: the processor \"" + file.processor.use +
                 "\" has no cache salt to send; use auto or none"};
  }
  if (!file.model.adapters.empty() && !profile.has_feature("route.adapter")) {
    return Error{"model.adapters: the processor \"" + file.processor.use + "\" knows no adapters"};
  }
  if (!file.model.mix.empty() && !profile.has_feature("route.model")) {
    return Error{"model.mix: the processor \"" + file.processor.use +
                 "\" cannot name a model in a request with these options: its server has one"};
  }
  for (const std::string& url : file.target.urls) {
    if (auto fits = check_scheme(file.processor.use, profile, url); !fits) return fits;
  }
  return check_actions(file, profile);
}

Result<void> check_arrivals(const Plan& plan) {
  for (const WorkloadPlan& workload : plan.workloads) {
    if (auto usable = check_arrivals_of(workload); !usable) return errors_of(plan, workload, usable.errors());
  }
  return {};
}

Result<void> check_inputs(const Plan& plan) {
  for (const WorkloadPlan& workload : plan.workloads) {
    if (auto usable = check_workload(workload); !usable) return errors_of(plan, workload, usable.errors());
  }
  return {};
}

}  // namespace tokometer
