"""`vllm bench serve`, from the CPU build of vLLM that tests/real/vllm/setup.sh installs: its wheel needs a GPU."""

import json
import pathlib
import subprocess

from . import environments, tokenizer
from .client import CACHE, MODEL, PROMPT, Client, Reading, Unavailable, requests_of

LATE_MS = 10                       # its own measure of waiting in the client; worth a remark from here on
INSTALLED = CACHE.parent / "vllm" / "venv"


class VllmBench(Client):
    name = "vllm-bench"
    settings = "no progress bar, --max-concurrency"
    documented = "docs/benchmarking/cli.md"
    rate_requests = 9000
    EVEN = 1e9                     # shape of the gamma distribution of its gaps: this large they are even

    def install(self):
        python = INSTALLED / "bin" / "python"
        if not python.exists():
            raise Unavailable("vLLM's wheel needs a GPU, and its CPU build is not here: tests/real/vllm/setup.sh "
                              f"{INSTALLED.parent} installs it (6 GB)")
        asked = "from importlib.metadata import version; print(version('vllm'))"
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable("vLLM is installed but broken: " + done.stderr.strip().splitlines()[-1][:200])
        self.version = done.stdout.strip()
        self.tokenizer = tokenizer.folder(CACHE)

    def environment(self):
        return environments.offline()

    def command(self, workload, url, folder):
        words = [INSTALLED / "bin" / "vllm", "bench", "serve", "--backend", "openai-chat", "--base-url", url,
                 "--endpoint", "/v1/chat/completions", "--model", MODEL, "--tokenizer", self.tokenizer,
                 "--dataset-name", "random", "--random-input-len", PROMPT, "--random-output-len", workload.tokens,
                 "--num-prompts", requests_of(self, workload), "--metric-percentiles", "50,99",
                 "--percentile-metrics", "ttft,tpot,itl,e2el,client_queue_time", "--ignore-eos", "--disable-tqdm",
                 "--seed", 42, "--save-result", "--result-filename", "result.json"]
        if workload.users or workload.cap:
            words += ["--max-concurrency", workload.users or workload.cap]
        if workload.rate:
            even = workload.arrivals == "constant"
            words += ["--request-rate", workload.rate, "--burstiness", self.EVEN if even else 1]
        return words

    def read(self, workload, folder, done):
        path = pathlib.Path(folder) / "result.json"
        if not path.exists():
            raise Unavailable("no result file")
        return read_result(json.loads(path.read_text()))


def read_result(result):
    def pair(name):
        p50, p99 = result.get(f"p50_{name}_ms"), result.get(f"p99_{name}_ms")
        return (p50, p99) if p50 is not None and p99 else None
    reading = Reading(ttft=pair("ttft"), itl=pair("itl"), e2e=pair("e2el"), ok=result["completed"],
                      failed=result["failed"])
    queue = pair("client_queue_time")
    if queue and result["request_rate"] != "inf" and queue[1] > LATE_MS:
        reading.logged = f"client_queue_time p99 {queue[1]:.0f} ms, if one asks for that metric"
    return reading
