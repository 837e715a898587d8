"""The least that a client in Python can do: stream, stamp each piece in user space, count. No dataset, no JSON, no checks.

    python loop.py aiohttp|httpx --url URL --requests N --tokens N (--users N | --rate R [--arrivals poisson|constant] [--cap N])

Prints one JSON object. Both run on uvloop. An event is a token if its text is not empty; a reply of 200 is a success.
"""

import argparse
import asyncio
import json
import math
import random
import time

import uvloop

IDLE_S = 4                         # a connection idle for longer is not used again: servers close them at 5 s
MARK = b'"content":"'
HEADERS = {"content-type": "application/json"}


def body(tokens, prompt_tokens):
    words = " ".join(f"w{i}" for i in range(prompt_tokens))
    return json.dumps({"model": "sim-model", "messages": [{"role": "user", "content": words}], "stream": True,
                       "max_completion_tokens": tokens, "stream_options": {"include_usage": True}}).encode()


class Times:
    def __init__(self):
        self.ttft, self.gaps, self.e2e = [], [], []
        self.ok = self.failed = 0

    def add(self, begin, arrivals, end):
        self.ok += 1
        self.e2e.append(end - begin)
        if arrivals:
            self.ttft.append(arrivals[0] - begin)
            self.gaps += [b - a for a, b in zip(arrivals, arrivals[1:])]


async def read(pieces, arrivals):
    """Stamps each token event of a reply when the piece that completes it has been read."""
    rest = b""
    async for piece in pieces:
        now = time.perf_counter_ns()
        *events, rest = (rest + piece).split(b"\n\n")
        for event in events:
            at = event.find(MARK)
            if at >= 0 and event[at + len(MARK)] != 0x22:
                arrivals.append(now)


async def with_aiohttp(work):
    import aiohttp
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_S)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout()) as session:
        async def ask(url, content, arrivals):
            async with session.post(url, data=content, headers=HEADERS) as reply:
                await read(reply.content.iter_any(), arrivals)
                return reply.status
        await work(ask)


async def with_httpx(work):
    import httpx
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=IDLE_S)
    async with httpx.AsyncClient(limits=limits, timeout=None) as client:
        async def ask(url, content, arrivals):
            async with client.stream("POST", url, content=content, headers=HEADERS) as reply:
                await read(reply.aiter_raw(), arrivals)
                return reply.status_code
        await work(ask)


async def one(ask, options, content, times):
    arrivals, begin = [], time.perf_counter_ns()
    try:
        status = await ask(options.url + "/v1/chat/completions", content, arrivals)
    except Exception:                # whatever the library calls a failed request
        status = 0
    if status == 200:
        times.add(begin, arrivals, time.perf_counter_ns())
    else:
        times.failed += 1


async def closed(ask, options, content, times):
    left = options.requests

    async def user():
        nonlocal left
        while left > 0:
            left -= 1
            await one(ask, options, content, times)
    await asyncio.gather(*(user() for _ in range(options.users)))


async def opened(ask, options, content, times):
    chance, due = random.Random(42), time.perf_counter()
    gate = asyncio.Semaphore(options.cap or 1_000_000)
    tasks = []

    async def held():
        async with gate:
            await one(ask, options, content, times)
    for _ in range(options.requests):
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(held()))
        due += 1 / options.rate if options.arrivals == "constant" else chance.expovariate(options.rate)
    await asyncio.gather(*tasks)


def percentiles_ms(values):
    values = sorted(values)
    return [values[max(0, math.ceil(p * len(values)) - 1)] / 1e6 for p in (0.5, 0.99)] if values else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=["aiohttp", "httpx"])
    parser.add_argument("--url", required=True)
    for name in ("requests", "tokens", "prompt-tokens", "users", "cap"):
        parser.add_argument("--" + name, type=int, default=0)
    parser.add_argument("--rate", type=float, default=0)
    parser.add_argument("--arrivals", default="poisson")
    options = parser.parse_args()
    content, times = body(options.tokens, options.prompt_tokens), Times()
    pattern = closed if options.users else opened

    async def work(ask):
        await pattern(ask, options, content, times)
    uvloop.run((with_aiohttp if options.library == "aiohttp" else with_httpx)(work))
    print(json.dumps({"ok": times.ok, "failed": times.failed, "ttft": percentiles_ms(times.ttft),
                      "itl": percentiles_ms(times.gaps), "e2e": percentiles_ms(times.e2e)}))


if __name__ == "__main__":
    main()
