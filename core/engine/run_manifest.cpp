// What plan and preflight know of a run, as its manifest has it.
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include <tokometer/json.hpp>

#include "engine/run.hpp"

namespace tokometer {
namespace {

Manifest::Sweep sweep_facts(const Plan& plan) {
  const RunFile::Sweep& sweep = *plan.file.sweep;
  static constexpr std::array kMethods{"even", "list", "bisect"};
  return {.method = kMethods[static_cast<size_t>(sweep.method)],
          .option = sweep.option,
          .pattern = plan.sweep()->pattern,
          .points = SweepPlanner(sweep, plan.sweep()->pattern, plan.sweep()->whole).planned(),
          .duration_ns = sweep.point.duration_ns.value_or(0)};
}

// A dataset that can share prefixes does so in this run unless its option says that they are empty.
bool shares_prefixes(const WorkloadPlan& plan) {
  tkm::JsonDocument options;
  if (!plan.dataset->has_capability("shared-prefix")) return false;
  return !tkm::parse_json(plan.file.dataset.options_json, options) ||
         tkm::get_int(options, "prefix_tokens", 1) != 0;
}

// Each once, in the order in which they are first used.
class PluginList {
 public:
  explicit PluginList(Manifest& manifest) : manifest_(manifest) {}

  void add(const char* kind, const std::string& use, const Component& component) {
    if (!known_.insert(&component).second) return;
    manifest_.plugins.push_back({.kind = kind,
                                 .use = use,
                                 .module = std::string(component.module_name()),
                                 .version = std::string(component.version()),
                                 .path = component.path,
                                 .sha256 = component.sha256,
                                 .build_id = component.build_id,
                                 .abi_major = TKM_ABI_MAJOR,
                                 .abi_minor = static_cast<int>(component.module->abi_minor)});
  }

 private:
  Manifest& manifest_;
  std::set<const Component*> known_;
};

void put_plugins(const Plan& plan, Manifest& manifest) {
  PluginList list(manifest);
  for (const WorkloadPlan& workload : plan.workloads) {
    const RunFile& file = workload.file;
    list.add("processor", file.processor.use, *workload.processor);
    list.add("dataset", file.dataset.use, *workload.dataset);
    if (workload.tokenizer_plugin != nullptr)
      list.add("tokenizer", file.tokenizer.use, *workload.tokenizer_plugin);
    for (const PhasePlan& phase : workload.phases) list.add("pattern", phase.file.load.use, *phase.load);
    if (workload.sweep) list.add("pattern", file.load.use, *workload.sweep->load);
  }
}

void put_data_files(const Plan& plan, Manifest& manifest) {
  std::set<std::string> known;
  const auto add = [&](const std::vector<Manifest::DataFile>& files) {
    for (const Manifest::DataFile& file : files) {
      if (known.insert(file.path).second) manifest.data_files.push_back(file);
    }
  };
  for (const WorkloadPlan& workload : plan.workloads) add(workload.data_files), add(workload.tokenizer_files);
}

// The servers are the same for all workloads; the first one's preflight tells about them.
void put_target(const Plan& plan, const Preflight& preflight, Manifest& manifest) {
  for (const TargetServer& server : preflight.servers) {
    manifest.target.url += (manifest.target.url.empty() ? "" : ", ") + server.url.text();
    for (const Endpoint& endpoint : server.endpoints) manifest.target.endpoints.push_back(endpoint.text);
  }
  manifest.target.tls_verify = preflight.tls == nullptr || preflight.tls->verifies();
  manifest.target.simulated = plan.file.target.simulate;
  manifest.target.server = preflight.server;
  manifest.preflight.info_json = preflight.info_json;
}

Manifest::Slo slo_of(const RunFile& file) {
  return {file.slo.ttft_ns, file.slo.tpot_ns, file.slo.e2e_ns, file.slo.itl_p99_ns};
}

Manifest::Workload workload_facts(const WorkloadPlan& plan, const Preflight& preflight) {
  Manifest::Workload facts;
  facts.name = plan.file.workload;
  facts.processor = plan.file.processor.use;
  facts.dataset = plan.file.dataset.use;
  facts.load = plan.sweep ? plan.file.load.use : plan.phases.front().file.load.use;
  facts.model = preflight.model;
  for (size_t at = 1; at < plan.file.model.mix.size(); ++at)
    facts.model += " + " + plan.file.model.mix[at].name;
  facts.shared_prefix = shares_prefixes(plan);
  facts.sessions = plays_sessions(plan);
  facts.cache_salt_none = plan.file.request.cache_salt == RunFile::Request::CacheSalt::none;
  return facts;
}

}  // namespace

Manifest make_manifest(const Plan& plan, const std::vector<Preflight>& preflights, const Redactor& redactor) {
  Manifest manifest;
  const RunFile& file = plan.file;
  manifest.name = file.name;
  manifest.tags.assign(file.tags.begin(), file.tags.end());
  manifest.seed = file.seed;
  manifest.plan_hash = plan.hash;
  manifest.run_file_json = redactor.redact(file.resolved_json);
  manifest.host.io_threads = static_cast<int>(plan.io_threads);
  manifest.host.spin = plan.spin;
  manifest.host.io_uring = plan.io_uring;
  put_plugins(plan, manifest);
  put_data_files(plan, manifest);
  put_target(plan, preflights.front(), manifest);
  for (size_t i = 0; i < preflights.size(); ++i) {
    manifest.preflight.requests += preflights[i].requests;
    manifest.preflight.prompt_tokens += preflights[i].prompt_tokens;
    manifest.preflight.output_tokens += preflights[i].output_tokens;
    manifest.workloads.push_back(workload_facts(plan.workloads[i], preflights[i]));
    if (plan.workloads.size() == 1) continue;
    const RunFile& own = plan.workloads[i].file;
    manifest.workloads.back().goals = {slo_of(own), own.slo.gates};
  }
  if (plan.workloads.size() == 1) manifest.slo = slo_of(file), manifest.gates = file.slo.gates;
  manifest.error_budget = file.limits.error_budget;
  manifest.console = file.output.console;
  if (plan.sweep()) manifest.sweep = sweep_facts(plan);
  return manifest;
}

}  // namespace tokometer
