"""GuideLLM, with its `perf` extra."""

import json
import pathlib

from . import environments, tokenizer
from .client import CACHE, MODEL, PROMPT, Client, Reading, Unavailable, requests_of


class Guidellm(Client):
    name, version = "guidellm", "0.8.1"
    settings = "extra `perf` (uvloop, orjson, msgspec), one worker process for the one core"
    documented = "README (installation), `guidellm env`"
    itl_is = "mean"
    rate_requests = 500

    def install(self):
        self.bin = environments.venv(self.name, "3.11")
        self.tokenizer = tokenizer.folder(CACHE)

    def environment(self):
        return environments.offline() | {"GUIDELLM__MAX_WORKER_PROCESSES": "1"}

    def command(self, workload, url, folder):
        return [self.bin / "guidellm", "run", "--backend", f"kind=openai_http,target={url},model={MODEL}",
                "--profile", self.profile(workload),
                "--constraint", f"kind=max_requests,count={requests_of(self, workload)}",
                "--tokenizer", f"kind=huggingface_auto,model={self.tokenizer}",
                "--data", f"kind=synthetic_text,prompt_tokens={PROMPT},output_tokens={workload.tokens}",
                "--output", "kind=json,path=result.json", "--output", "kind=console", "--disable-console-interactive"]

    def profile(self, workload):
        if workload.users:
            return f"kind=concurrent,streams={workload.users}"
        cap = f",max_concurrency={workload.cap}" if workload.cap else ""
        return f"kind={workload.arrivals},rate={workload.rate}{cap}"

    def read(self, workload, folder, done):
        path = pathlib.Path(folder) / "result.json"
        if not path.exists():
            raise Unavailable("no result file")
        return read_report(json.loads(path.read_text()))


def read_report(report):
    metrics = report["benchmarks"][0]["metrics"]

    def pair(name, scale):
        found = (metrics.get(name) or {}).get("successful") or {}
        at = found.get("percentiles")
        return (at["p50"] * scale, at["p99"] * scale) if found.get("count") else None
    totals = metrics["request_totals"]
    warned = [warning["code"] for warning in report["benchmarks"][0].get("warnings") or []]
    return Reading(ttft=pair("time_to_first_token_ms", 1), itl=pair("inter_token_latency_ms", 1),
                   e2e=pair("request_latency", 1e3), ok=totals["successful"],
                   failed=totals["errored"] + totals["incomplete"],
                   logged="warnings " + ", ".join(warned) if warned else "")
