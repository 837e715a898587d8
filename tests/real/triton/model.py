"""A model without weights for Triton's Python backend: words at an even pace, and counters of its own tokens. Decoupled, or,
by its config, one answer a request.

It speaks the tensors of the vLLM backend or those of TensorRT-LLM, by its config's parameter `names`. A prompt has a token a
word, 1000 at most. The request parameter `fail_every: n` makes each n-th such request fail after 3 tokens.
"""
import json
import threading
import time

import numpy
import triton_python_backend_utils as triton

WORDS = (" red", " green", " blue", " caf\u00e9", " \u6771\u4eac", " \U0001f642", ".")
FIRST_S, GAP_S = 0.01, 0.002
MAX_PROMPT = 1000


def value(request, name, default):
    tensor = triton.get_input_tensor_by_name(request, name)
    if tensor is None:
        return default
    found = tensor.as_numpy().reshape(-1)[0]
    return found.decode() if isinstance(found, bytes) else found.item()


def counter(name, model):
    family = triton.MetricFamily(name=name, description="of the model's own count", kind=triton.MetricFamily.COUNTER)
    return family, family.Metric(labels={"model": model})     # the family must live as long as its metric


def failure(text, code):
    return triton.InferenceResponse(error=triton.TritonError(text, code))


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.is_vllm = config["parameters"]["names"]["string_value"] == "vllm"
        self.is_decoupled = config.get("model_transaction_policy", {}).get("decoupled", False)
        self.is_batched = config["max_batch_size"] > 0
        self.prompt_family, self.prompt_tokens = counter("tiny_prompt_tokens_total", config["name"])
        self.output_family, self.output_tokens = counter("tiny_output_tokens_total", config["name"])
        self.lock = threading.Lock()
        self.fallible = 0

    def execute(self, requests):
        if not self.is_decoupled:
            return [self.whole_answer(request) for request in requests]
        for request in requests:
            every = int(json.loads(request.parameters() or "{}").get("fail_every", 0))
            self.fallible += every > 0
            fails = every > 0 and self.fallible % every == 0
            threading.Thread(target=self.answer, args=(request, request.get_response_sender(), fails), daemon=True).start()

    def whole_answer(self, request):
        prompt, length = len(value(request, "text_input", "").split()), self.length(request)
        if prompt > MAX_PROMPT:
            return failure(f"a prompt of {prompt} tokens is longer than {MAX_PROMPT}", triton.TritonError.INVALID_ARG)
        time.sleep(FIRST_S)
        with self.lock:
            self.prompt_tokens.increment(prompt)
            self.output_tokens.increment(length)
        return self.response("".join(WORDS[number % len(WORDS)] for number in range(length)), prompt, length, True)

    def answer(self, request, sender, fails):
        prompt = len(value(request, "text_input", "").split())
        if prompt > MAX_PROMPT:
            text = f"a prompt of {prompt} tokens is longer than {MAX_PROMPT}"
            sender.send(failure(text, triton.TritonError.INVALID_ARG), triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            return
        length, is_stream = self.length(request), value(request, "stream", False)
        due, text = time.monotonic() + FIRST_S, ""
        for number in range(length):
            if sender.is_cancelled():
                return
            time.sleep(max(0.0, due - time.monotonic()))
            due += GAP_S
            if fails and number == 3:
                sender.send(failure("failed as asked", triton.TritonError.INTERNAL), triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
                return
            text += WORDS[number % len(WORDS)]
            if is_stream:
                sender.send(self.response(text, prompt, 1, number == length - 1))
                text = ""
        if not is_stream:
            sender.send(self.response(text, prompt, length, True))
        with self.lock:     # two increments at once end the server
            self.prompt_tokens.increment(prompt)
            self.output_tokens.increment(number + 1)
        sender.send(flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def length(self, request):
        if self.is_vllm:
            return json.loads(value(request, "sampling_parameters", "{}"))["max_tokens"]
        return value(request, "max_tokens", 0)

    def response(self, text, prompt, tokens, is_last):
        kind = numpy.uint32 if self.is_vllm else numpy.int32
        parts = {"text_output": numpy.array([text.encode()], object), "num_input_tokens": numpy.array([prompt], kind),
                 "num_output_tokens": numpy.array([tokens], kind)}
        if self.is_vllm:
            parts["finish_reason"] = numpy.array(["length" if is_last else "None"], object)
        shape = (1, 1) if self.is_batched else (1,)
        return triton.InferenceResponse([triton.Tensor(name, part.reshape(shape)) for name, part in parts.items()])
