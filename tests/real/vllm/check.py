"""vLLM's CPU build with the processor `vllm`."""
from server import Kind

KIND = Kind(version="vLLM 0.32.0", ready="/health", disk_gb=8,
            prompt_tokens=("vllm:prompt_tokens_total",), output_tokens=("vllm:generation_tokens_total",),
            requests=("vllm:request_success_total",), busy=("vllm:num_requests_running", "vllm:num_requests_waiting"),
            histograms={"TTFT": "vllm:time_to_first_token_seconds", "ITL": "vllm:inter_token_latency_seconds"})


def check(server):
    server.load("first requests, which compile", 4, "chat")
    plain = server.load("chat", 200, "chat", "target.prepare={reset_cache: true}")
    server.load("completions", 40, "completions")
    server.load_adapters(plain, "chat", ["lora-a", "lora-b"])
    server.fails("prompts that are too long", 10, {"ok": 5, "status.400": 5}, "chat")
    server.refuses("wrong model", 'the server has no model "no-such". It lists: tiny, lora-a, lora-b', "chat", "model.name=no-such")
    server.refuses("wrong adapter", 'the server has no model "lora-c"', "chat", "model={name: tiny, adapters: [{name: lora-c}]}")
