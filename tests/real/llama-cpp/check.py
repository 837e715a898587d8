"""llama.cpp's llama-server with the processor `openai`.

Its adapters are chosen by number in a field of its own, not by name, so LoRA is not tried. It takes any model name;
the wrong one is found by our own look at its list.
"""
from server import Kind

KIND = Kind(version="llama.cpp b10434", ready="/health", disk_gb=1, is_quick=True,
            prompt_tokens=("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total"),
            output_tokens=("llamacpp:tokens_predicted_total",),
            busy=("llamacpp:requests_processing", "llamacpp:requests_deferred"))


def check(server):
    server.load("chat", 200, "chat")
    server.load("completions", 40, "completions")
    server.load("chat, whole replies", 40, "chat", "request.stream=false")
    server.fails("prompts that are too long", 10, {"ok": 5, "status.400": 5}, "chat")
    server.refuses("wrong model", 'the server has no model "no-such". It lists: tiny', "chat", "model.name=no-such")
