// Before the load: how long the texts of a dataset are in the server's own tokens, so that prompts come out
// as long as the run file asks. For datasets that make their text: tokens a word and the chat template. For
// dataset.rows.input_tokens: bytes a token and the template. Blocking.
#pragma once

#include <string>

#include "base/error.hpp"
#include "engine/first_requests.hpp"
#include "engine/plan.hpp"
#include "engine/preflight.hpp"
#include "engine/samples.hpp"

namespace tokometer {

// Fills in the calibration or the fit scale of `found`, and warns where model.tokenizer counts otherwise.
// What the server does not count stays an estimate. `first`: the first sample of the data, which the server
// has answered. `salt`: the run's own. Errors: a request that the server refuses.
Result<void> calibrate(const WorkloadPlan& plan, const std::string& salt, const Sample& first,
                       FirstRequests& requests, Preflight& found);

}  // namespace tokometer
