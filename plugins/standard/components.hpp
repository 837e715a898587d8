// The components of standard.so that live in files of their own here. module.cpp lists them; each function
// returns a static description, made at the first call. The processor `openai` is declared in openai.hpp.
#pragma once

#include <tokometer/abi.h>

namespace standard {

// Load patterns. Open loops (open_loop.cpp) never look at what has ended; closed loops (closed_loop.cpp) do.
const tkm_component* constant_pattern();
const tkm_component* poisson_pattern();
const tkm_component* gamma_pattern();
const tkm_component* concurrency_pattern();
const tkm_component* synchronous_pattern();
const tkm_component* throughput_pattern();

// Datasets.
const tkm_component* synthetic_dataset();
const tkm_component* sharegpt_dataset();
const tkm_component* jsonl_dataset();
const tkm_component* text_dataset();

}  // namespace standard
