// The metrics page of a Triton server, as a member of a profile. Of all routes but the OpenAI frontend's.
#pragma once

namespace triton {

inline constexpr auto kTelemetry = R"("telemetry":[{"get":"/metrics","port":"metrics","quantities":{
  "queue_size":[{"metric":"nv_trt_llm_request_metrics","labels":{"request_type":"waiting"}},
                {"metric":"nv_inference_pending_request_count"}],
  "batch_size":[{"metric":"nv_trt_llm_request_metrics","labels":{"request_type":"scheduled"}}],
  "kv_usage":[{"metric":"nv_trt_llm_kv_cache_block_metrics","labels":{"kv_cache_block_type":"fraction"},"fold":"mean"}],
  "prompt_tokens":[{"metric":"vllm:prompt_tokens_total"},{"metric":"nv_llm_input_token_len_sum"}],
  "output_tokens":[{"metric":"vllm:generation_tokens_total"},{"metric":"nv_llm_output_token_len_sum"}],
  "requests_ok":[{"metric":"nv_inference_request_success"}],
  "requests_failed":[{"metric":"nv_inference_request_failure"}],
  "requests_rejected":[{"metric":"nv_inference_request_failure","labels":{"reason":"REJECTED"}}],
  "ttft":[{"metric":"vllm:time_to_first_token_seconds"},
          {"metric":"nv_inference_first_response_histogram_ms","scale":0.001}],
  "itl":[{"metric":"vllm:time_per_output_token_seconds"}],
  "e2e":[{"metric":"vllm:e2e_request_latency_seconds"}]}}])";

}  // namespace triton
