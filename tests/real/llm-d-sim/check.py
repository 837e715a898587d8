"""llm-d-inference-sim, which speaks as vLLM does, with the processors `vllm` and `openai`. Its answers are random: adapters have no
effect. Of a stream it says under status 200 that the prompt is too long."""
from server import Kind

KIND = Kind(version="llm-d-inference-sim v0.10.2", ready="/health", disk_gb=3,
            prompt_tokens=("vllm:prompt_tokens_total",), output_tokens=("vllm:generation_tokens_total",),
            requests=("vllm:request_success_total",), busy=("vllm:num_requests_running", "vllm:num_requests_waiting"),
            histograms={"TTFT": "vllm:time_to_first_token_seconds", "ITL": "vllm:inter_token_latency_seconds"})
OPENAI = ("processor.use=openai", "request.output=best_effort", "request.extra={ignore_eos: true}")


def check(server):
    server.load("chat", 200, "chat")
    server.load("completions", 200, "completions")
    server.load("chat by the processor openai", 100, "chat", *OPENAI)
    server.load("adapters", 40, "chat", "model={name: tiny, adapters: [{name: lora-a}, {name: lora-b}]}")
    server.fails("prompts that are too long", 10, {"ok": 5, "in_band.request": 5}, "chat")
    server.refuses("wrong model", 'the server has no model "no-such"', "chat", "model.name=no-such")
