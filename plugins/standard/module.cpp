// The module `standard`: what every installation has. It goes through the same door as any other plugin.
#include <tokometer/plugin.hpp>

#include "components.hpp"
#include "openai.hpp"

TKM_MODULE("standard", "0.1.0", "Apache-2.0", standard::openai_processor(), standard::synthetic_dataset(),
           standard::sharegpt_dataset(), standard::jsonl_dataset(), standard::csv_dataset(),
           standard::text_dataset(), standard::openorca_dataset(), standard::cnn_dailymail_dataset(),
           standard::billsum_dataset(), standard::code_alpaca_dataset(), standard::quac_dataset(),
           standard::sonnet_dataset(), standard::shared_prefix_dataset(), standard::multi_turn_dataset(),
           standard::mooncake_dataset(), standard::azure_dataset(), standard::burstgpt_dataset(),
           standard::constant_pattern(), standard::poisson_pattern(), standard::gamma_pattern(),
           standard::burst_pattern(), standard::ramp_pattern(), standard::steps_pattern(),
           standard::sine_pattern(), standard::trace_pattern(), standard::ramp_users_pattern(),
           standard::concurrency_pattern(), standard::synchronous_pattern(), standard::throughput_pattern());
