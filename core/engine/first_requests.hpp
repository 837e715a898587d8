// The requests of preflight to the model: samples of the data as the run sends them, one after the other and
// unmeasured. Blocking. They stand in the manifest and in no record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "engine/context.hpp"
#include "engine/plan.hpp"
#include "engine/preflight.hpp"
#include "engine/request.hpp"
#include "engine/samples.hpp"
#include "net/fetch.hpp"
#include "plugin/handles.hpp"

namespace tokometer {

// Which sample, and how much of it.
struct FirstSample {
  std::string salt;                     // the nonce where the server has no salt
  size_t word_limit = 0;                // cuts texts to this many words; 0: whole
  std::optional<int64_t> input_tokens;  // in place of rows.input_tokens
};
// The first of the data, read afresh; fewer where they have no more.
Result<std::vector<std::shared_ptr<const Sample>>> first_samples(const WorkloadPlan& plan,
                                                                 const Profile& profile,
                                                                 const FirstSample& which, size_t count);
// Null: there is none.
Result<std::shared_ptr<const Sample>> first_sample(const WorkloadPlan& plan, const Profile& profile,
                                                   const FirstSample& which);

// Where a request goes at the server; empty: the workload's own model, no adapter.
struct Route {
  std::string_view model, adapter;
};

class FirstRequests {
 public:
  // All outlive this. `salt`: the run's own.
  FirstRequests(const WorkloadPlan& plan, const std::string& salt, const Clock& clock,
                const Redactor& redactor, Processor& processor, Preflight& found);
  FirstRequests(const FirstRequests&) = delete;
  FirstRequests& operator=(const FirstRequests&) = delete;

  // Gives the prompt tokens that the server counted, -1 if it did not, and adds the request to what was
  // found. server: one of those.
  Result<int64_t> send(const Sample& sample, const TargetServer& server, const Route& route = {});

  // Of the very first one; -1: the server did not say.
  int64_t first_prompt_tokens() const { return first_prompt_tokens_; }

  const std::string& salt() const { return salt_; }  // of these requests: no prompt of the run has it

 private:
  Result<int64_t> read(const Sample& sample, const RequestIdentity& identity, Answer& answer);

  const WorkloadPlan& plan_;
  const Clock& clock_;
  const Redactor& redactor_;
  Processor& processor_;
  Preflight& found_;
  const std::string salt_;
  int64_t first_prompt_tokens_ = -1;
  const RunContext context_;
  RequestEncoder encoder_;
};

}  // namespace tokometer
