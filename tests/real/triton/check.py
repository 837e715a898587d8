"""Triton's HTTP and gRPC frontends with the processor `triton`, over models that have no weights (model.py).

Tokens are counted by the model, in Triton's own metrics; requests by Triton. It has neither LoRA nor an OpenAI frontend in this package.
"""
import dataclasses

from server import Kind

KIND = Kind(version="Triton 2.51.0", ready="/v2/health/ready", disk_gb=1, is_quick=True, has_metrics_port=True, has_grpc_port=True,
            prompt_tokens=("tiny_prompt_tokens_total",), output_tokens=("tiny_output_tokens_total",),
            busy=("nv_inference_pending_request_count",))


def check(server):
    grpc = f"target.url={server.grpc_url}"
    for model in ("trt_llm", "vllm", "ensemble"):
        server.kind = dataclasses.replace(KIND, requests=(f"nv_inference_request_success {model}",))
        over_http = server.load(f"generate_stream of {model}", 100, "generate", f"model.name={model}")
        over_grpc = server.load(f"ModelStreamInfer of {model}", 100, "grpc", f"model.name={model}", grpc)
        server.same_answers(f"the same over HTTP and gRPC, {model}", over_http, over_grpc)
        server.load(f"generate of {model}", 20, "generate", f"model.name={model}", "request.stream=false")
        server.fails(f"prompts too long for {model}", 10, {"ok": 5, "status.400": 5}, "generate", f"model.name={model}")
    server.kind = dataclasses.replace(KIND, requests=("nv_inference_request_success one_shot",))
    over_http = server.load("generate of one_shot", 40, "generate", "model.name=one_shot", "request.stream=false")
    over_grpc = server.load("ModelInfer of one_shot", 40, "grpc", "model.name=one_shot", "request.stream=false", grpc)
    server.same_answers("the same over HTTP and gRPC, one_shot", over_http, over_grpc)
    server.fails("prompts too long for ModelInfer", 10, {"ok": 5, "grpc.invalid_argument": 5}, "grpc", "model.name=one_shot",
                 "request.stream=false", grpc)
    server.fails("failure in the stream", 10, {"ok": 5, "in_band": 5}, "generate", "model.name=trt_llm",
                 "request.extra={parameters: {fail_every: 2}}", long_every=0)
    # The model has counted 11 such requests: of the next, preflight's is the 12th, and the 15th and the 20th fail.
    server.fails("failure in a gRPC stream", 10, {"ok": 8, "in_band": 2}, "grpc", "model.name=trt_llm", grpc,
                 "request.extra={parameters: {fail_every: 5}}", long_every=0)
    server.refuses("wrong model", "no-such", "generate", "model.name=no-such")
    server.refuses("wrong model over gRPC", "no-such", "grpc", "model.name=no-such", grpc)
    server.refuses("wrong tensor", "no-such", "generate", "model.name=trt_llm", "processor.options.tensors={prompt: no-such}")
