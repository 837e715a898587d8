// What a workload's plan and preflight make together, for preflight's own requests and for the run: TLS, the
// processor, the rules of its samples, what its requests share.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "engine/context.hpp"
#include "engine/plan.hpp"
#include "engine/preflight.hpp"
#include "engine/samples.hpp"
#include "plugin/handles.hpp"
#include "plugin/profile.hpp"

namespace tokometer {

// For every request to a target with https://. Errors name what cannot be used.
Result<std::shared_ptr<const TlsContext>> make_tls(const RunFile::Target& target, bool http2);

// A processor that has learned what preflight found out. One for each worker.
Result<Processor> make_processor(const WorkloadPlan& plan, const Preflight& preflight);

// The rules by which samples become requests: shared by preflight and run. `salt` is the nonce where the
// server has none.
SampleRules sample_rules(const WorkloadPlan& plan, const Profile& profile, const std::string& salt);

// What all requests of a workload share, from plan and preflight; the caller sets start_ns and id_prefix.
RunContext make_context(const WorkloadPlan& plan, const Preflight& preflight, const std::string& salt,
                        const Clock& clock, const Redactor& redactor);

}  // namespace tokometer
