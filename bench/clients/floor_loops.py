"""Two floors: what any client in Python costs before it does anything of its own."""

import json

from . import environments
from .client import HERE, PROMPT, Client, Reading, Unavailable, requests_of


class Floor(Client):
    library = ""
    settings = "no limit on connections, uvloop"
    documented = "bench/clients/floor/loop.py"

    def install(self):
        self.bin = environments.venv("floors", "3.11")

    def command(self, workload, url, folder):
        words = [self.bin / "python", HERE / "floor" / "loop.py", self.library, "--url", url, "--prompt-tokens", PROMPT,
                 "--requests", requests_of(self, workload), "--tokens", workload.tokens]
        if workload.users:
            return words + ["--users", workload.users]
        return words + ["--rate", workload.rate, "--arrivals", workload.arrivals, "--cap", workload.cap]

    def read(self, workload, folder, done):
        lines = done.out.strip().splitlines()
        if not lines:
            raise Unavailable("no result: " + done.err.strip()[-200:])
        said = json.loads(lines[-1])
        pairs = {name: tuple(said[name]) if said[name] else None for name in ("ttft", "itl", "e2e")}
        return Reading(**pairs, ok=said["ok"], failed=said["failed"])


class Aiohttp(Floor):
    name, library, version = "aiohttp", "aiohttp", "3.14.5"
    rate_requests = 15000


class Httpx(Floor):
    name, library, version = "httpx", "httpx", "0.28.1"
    rate_requests = 4000
