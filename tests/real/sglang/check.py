"""SGLang's own engine on the CPU with the processor `sglang`: behind its Python frontend, or, with SGLANG_RUST_SERVER=1, its Rust one.

It takes any model name. A stream of /generate says under status 200 that a prompt is too long.
"""
import os

from server import Kind

IS_RUST = os.environ.get("SGLANG_RUST_SERVER", "0") != "0"      # serve.sh reads it, too
KIND = Kind(version="SGLang 0.5.23" + (", Rust frontend" if IS_RUST else ""), disk_gb=8,
            ready="/health" if IS_RUST else "/ready",     # the first with an answer only after its own first request
            prompt_tokens=("sglang:prompt_tokens_total",), output_tokens=("sglang:generation_tokens_total",),
            requests=("sglang:num_requests_total",), busy=("sglang:num_running_reqs", "sglang:num_queue_reqs"),
            histograms={"TTFT": "sglang:time_to_first_token_seconds", "ITL": "sglang:inter_token_latency_seconds"})
TOKEN_IDS = "dataset={use: synthetic, options: {input_tokens: 100, form: token_ids, vocab_size: 2048}}"


def check(server):
    server.load("generate", 40, "generate")
    plain = server.load("chat", 40, "chat")
    server.load("completions", 40, "completions")
    server.load("generate, token ids", 40, "generate", TOKEN_IDS)
    server.load("generate, whole replies", 20, "generate", "request.stream=false")
    server.fails("prompts that are too long for chat", 10, {"ok": 5, "status.400": 5}, "chat")
    server.fails("prompts that are too long for generate", 10, {"ok": 5, "in_band.request": 5}, "generate")
    server.refuses("wrong model", 'the server has no model "no-such". It lists: tiny', "chat", "model.name=no-such")
    if not IS_RUST:
        server.load("responses", 40, "responses", "request.output=at_most", fewer=2)
        server.load_adapters(plain, "chat", ["lora-a", "lora-b"])
        server.refuses("wrong adapter", "lora-c", "chat", "model={name: tiny, adapters: [{name: lora-c}]}")
