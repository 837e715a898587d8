"""tokometer itself, by the same rules: what it says in summary.json and by its verdict is what counts."""

import json
import subprocess

from programs import program

from .client import PROMPT, Client, Reading, Unavailable, requests_of

RUN_FILE = """version: 1
name: peers
target: {{url: "{url}"}}
processor: openai
dataset: {{use: synthetic, options: {{input_tokens: {prompt}, output_tokens: {tokens}}}}}
load: {load}
phases: [{{name: main, requests: {requests}, warmup: none}}]
{limits}"""


def run_file(url, workload, requests):
    if workload.users:
        load = f"{{use: concurrency, options: {{users: {workload.users}}}}}"
    else:
        load = f"{{use: {workload.arrivals}, options: {{rate: {workload.rate}}}}}"
    limits = f"limits: {{max_in_flight: {workload.cap}}}\n" if workload.cap else ""
    return RUN_FILE.format(url=url, prompt=PROMPT, tokens=workload.tokens, load=load, requests=requests, limits=limits)


class Tokometer(Client):
    name = "tokometer"
    settings = "defaults"
    documented = "docs/run-file.md"
    clock = "kernel"
    rate_requests = 100_000

    def install(self):
        said = subprocess.run([program("tokometer"), "--version"], capture_output=True, text=True).stdout.split()
        self.version = said[1] if len(said) > 1 else ""

    def command(self, workload, url, folder):
        (folder / "run.yaml").write_text(run_file(url, workload, requests_of(self, workload)))
        return [program("tokometer"), "run", "run.yaml"]

    def read(self, workload, folder, done):
        summaries = sorted(folder.glob("runs/*/summary.json"))
        if not summaries:
            raise Unavailable("no summary: " + done.err.strip()[-200:])
        return read_summary(json.loads(summaries[-1].read_text()))


def read_summary(summary):
    reading = Reading(ok=summary["totals"]["ok"], failed=summary["totals"]["failed"])
    if summary["phases"]:
        phase = summary["phases"][0]
        basis = "sched" if phase["headline"] == "from schedule" else "sent"
        reading.ttft = pair(phase["metrics"].get("ttft_" + basis))
        reading.e2e = pair(phase["metrics"].get("e2e_" + basis))
        reading.itl = pair(phase["metrics"].get("itl"))
    worst = [f"{check['id']} {check['name']}" for check in summary["checks"] if check["grade"] == summary["verdict"]]
    if summary["verdict"] != "VALID":
        reading.marked = f"{summary['verdict']} ({', '.join(worst)})"
    return reading


def pair(metric):
    if not metric or not metric.get("count"):
        return None
    return metric["p50"] / 1e6, metric["p99"] / 1e6
