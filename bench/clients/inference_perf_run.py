"""inference-perf of the Kubernetes project. Needs Python 3.12. Its random prompts go to /v1/completions only."""

import json
import pathlib

from . import environments, tokenizer
from .client import CACHE, MODEL, PROMPT, Client, Reading, Unavailable, requests_of

LATE_S = 0.010                     # its own measure of late sends; worth a remark from here on


class InferencePerf(Client):
    name, version = "inference-perf", "0.7.0"
    settings = "one worker for the one core, worker_max_concurrency = users, counts from the server's usage"
    documented = "docs/loadgen.md, docs/config.md"
    rate_requests = 3500
    warnings = (r"WARNING.*(overload|behind schedule|falling behind|too slow|saturat)",)

    def install(self):
        self.bin = environments.venv(self.name, "3.12")
        self.tokenizer = tokenizer.folder(CACHE)

    def environment(self):
        return environments.offline()

    def command(self, workload, url, folder):
        path = pathlib.Path(folder) / "config.yml"
        path.write_text(json.dumps(self.config(workload, url), indent=1))     # JSON is YAML
        return [self.bin / "inference-perf", "--config_file", path]

    def config(self, workload, url):
        count = requests_of(self, workload)
        if workload.users:
            load = {"type": "concurrent", "stages": [{"num_requests": count, "concurrency_level": workload.users}]}
        else:
            load = {"type": workload.arrivals,
                    "stages": [{"rate": workload.rate, "duration": count // workload.rate}]}
        load |= {"interval": 0, "num_workers": 1, "worker_max_concurrency": workload.in_flight,
                 "worker_max_tcp_connections": 2500}

        def fixed(n):
            return {"type": "fixed", "min": n, "max": n, "mean": n, "std_dev": 0, "total_count": count}
        lifecycle = {"summary": True, "per_stage": False, "per_request": False, "per_adapter": False,
                     "percentiles": [50, 99], "use_server_output_tokens": True}
        return {"api": {"type": "completion", "streaming": True},
                "server": {"type": "vllm", "model_name": MODEL, "base_url": url, "ignore_eos": True},
                "tokenizer": {"pretrained_model_name_or_path": str(self.tokenizer)},
                "data": {"type": "random", "input_distribution": fixed(PROMPT),
                         "output_distribution": fixed(workload.tokens)},
                "load": load, "report": {"request_lifecycle": lifecycle, "prometheus": None},
                "storage": {"local_storage": {"path": "out"}}}

    def read(self, workload, folder, done):
        found = sorted(pathlib.Path(folder).glob("out/**/summary_lifecycle_metrics.json"))
        if not found:
            raise Unavailable("no result file")
        reading = read_summary(json.loads(found[-1].read_text()))
        if workload.users:
            reading.logged = ""        # a closed loop has no schedule to be late for
        return reading


def read_summary(summary):
    latency = summary["successes"].get("latency") or {}

    def pair(name):
        found = latency.get(name)
        return (found["median"] * 1e3, found["p99"] * 1e3) if found else None
    late = summary["load_summary"].get("schedule_delay") or {}
    reading = Reading(ttft=pair("time_to_first_token"), itl=pair("inter_token_latency"), e2e=pair("request_latency"),
                      ok=summary["successes"]["count"], failed=summary["failures"]["count"])
    if late.get("p99", 0) > LATE_S:
        reading.logged = f"schedule_delay p99 {late['p99'] * 1e3:.0f} ms"
    return reading
