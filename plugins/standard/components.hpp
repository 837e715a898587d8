// The components of standard.so that live in files of their own here. module.cpp lists them; each function
// returns a static description, made at the first call. The processor `openai` is declared in openai.hpp.
#pragma once

#include <tokometer/abi.h>

namespace standard {

// Load patterns. Open loops never look at what has ended; closed loops (the last four) do.
const tkm_component* constant_pattern();
const tkm_component* poisson_pattern();
const tkm_component* gamma_pattern();
const tkm_component* burst_pattern();
const tkm_component* ramp_pattern();
const tkm_component* steps_pattern();
const tkm_component* sine_pattern();
const tkm_component* trace_pattern();
const tkm_component* concurrency_pattern();
const tkm_component* ramp_users_pattern();
const tkm_component* synchronous_pattern();
const tkm_component* throughput_pattern();

// Datasets.
const tkm_component* synthetic_dataset();
const tkm_component* sharegpt_dataset();
const tkm_component* jsonl_dataset();
const tkm_component* csv_dataset();
const tkm_component* text_dataset();
const tkm_component* openorca_dataset();
const tkm_component* cnn_dailymail_dataset();
const tkm_component* billsum_dataset();
const tkm_component* code_alpaca_dataset();
const tkm_component* quac_dataset();
const tkm_component* sonnet_dataset();
const tkm_component* shared_prefix_dataset();
const tkm_component* multi_turn_dataset();
const tkm_component* mooncake_dataset();
const tkm_component* azure_dataset();
const tkm_component* burstgpt_dataset();

}  // namespace standard
