"""NVIDIA AIPerf."""

import json

from . import environments, tokenizer
from .client import CACHE, MODEL, PROMPT, Client, Reading, Unavailable, requests_of


class Aiperf(Client):
    name, version = "aiperf", "0.13.0"
    settings = "counts from the server's usage, no dashboard, summary export, connection limit 2,500"
    documented = "docs/cli-options.md, docs/environment-variables.md"
    rate_requests = 2500
    warnings = (r"CPU usage for .* is \d+%",)

    def install(self):
        self.bin = environments.venv(self.name, "3.11")
        self.tokenizer = tokenizer.hub_name(CACHE)

    def environment(self):
        return environments.offline()

    def command(self, workload, url, folder):
        words = [self.bin / "aiperf", "profile", "--model", MODEL, "--tokenizer", self.tokenizer, "--url", url,
                 "--endpoint-type", "chat", "--streaming", "--request-count", requests_of(self, workload),
                 "--synthetic-input-tokens-mean", PROMPT, "--synthetic-input-tokens-stddev", 0,
                 "--output-tokens-mean", workload.tokens, "--output-tokens-stddev", 0,
                 "--extra-inputs", "ignore_eos:true", "--use-server-token-count", "--ui", "none", "--random-seed", 42,
                 "--export-level", "summary", "--artifact-dir", "out"]
        if workload.users:
            return words + ["--concurrency", workload.users]
        words += ["--request-rate", workload.rate, "--arrival-pattern", workload.arrivals]
        return words + (["--concurrency", workload.cap] if workload.cap else [])

    def read(self, workload, folder, done):
        found = sorted(folder.glob("out/**/profile_export_aiperf.json"))
        if not found:
            raise Unavailable("no result file")
        return read_export(json.loads(found[-1].read_text()))


def read_export(export):
    """"Inter chunk latency" is what we call a gap; its "inter token latency" is one mean of each request."""
    def pair(name):
        metric = export.get(name)
        return (metric["p50"], metric["p99"]) if metric and metric.get("p50") is not None else None

    def count(name):
        return int(export[name]["avg"]) if export.get(name) else 0
    return Reading(ttft=pair("time_to_first_token"), itl=pair("inter_chunk_latency") or pair("inter_token_latency"),
                   e2e=pair("request_latency"), ok=count("request_count"), failed=count("error_request_count"))
