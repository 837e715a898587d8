"""wrk (Debian): how many plain requests a second one core makes. It reads whole replies and knows nothing of tokens."""

import json
import re
import shutil
import subprocess

from .client import MODEL, PROMPT, Client, Reading, Unavailable

SECONDS = 5
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


class Wrk(Client):
    name = "wrk"
    settings = "one thread, one connection a user"
    rate_requests = 0              # it counts seconds, not requests
    documented = "its README, \"Basic Usage\""

    def install(self):
        self.path = shutil.which("wrk")
        if not self.path:
            raise Unavailable("not installed: apt-get install wrk")
        said = subprocess.run([self.path, "--version"], capture_output=True, text=True).stdout.split()
        self.version = said[1].removeprefix("debian/") if len(said) > 1 else ""

    def require(self, workload):
        if not (workload.users and workload.tokens == 1):
            raise Unavailable("knows no tokens and no arrival times")

    def command(self, workload, url, folder):
        words = " ".join(f"w{i}" for i in range(PROMPT))
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": words}], "stream": True,
                           "max_completion_tokens": workload.tokens, "stream_options": {"include_usage": True}})
        (folder / "post.lua").write_text(
            f'wrk.method = "POST"\nwrk.body = [==[{body}]==]\nwrk.headers["Content-Type"] = "application/json"\n')
        return [self.path, "-t", 1, "-c", workload.users, "-d", f"{SECONDS}s", "--latency", "-s", "post.lua",
                url + "/v1/chat/completions"]

    def read(self, workload, folder, done):
        return read_output(done.out)


def read_output(text):
    total = re.search(r"(\d+) requests in", text)
    if not total:
        raise Unavailable("no result")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    failed = int(bad.group(1)) if bad else 0
    at = {p: float(value) * UNITS[unit] for p, value, unit in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s|m)", text)}
    e2e = (at["50"], at["99"]) if len(at) == 2 else None
    return Reading(e2e=e2e, ok=int(total.group(1)) - failed, failed=failed)
