#!/usr/bin/env python3
"""What vLLM says about its own work.

    counters.py read URL       samples of /metrics as JSON: name -> sum over labels; histograms also by bucket
    counters.py warm-up URL    two requests, so that lazy compilation is over, then an empty prefix cache
"""
import collections
import json
import re
import sys
import time
import urllib.request

SAMPLE = re.compile(r'(vllm:[a-z_]+)(?:\{(.*)\})? (\S+)$')


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read().decode()


def read(base):
    samples = collections.defaultdict(float)
    for line in ask(f"{base}/metrics").splitlines():
        if match := SAMPLE.match(line):
            name, labels, value = match.groups()
            bound = re.search(r'le="([^"]+)"', labels or "")
            samples[name + (f" {bound[1]}" if bound else "")] += float(value)
    return samples


def settled(base):
    """Reads until nothing runs: the counters follow the last token by an engine step."""
    for _ in range(50):
        samples = read(base)
        if samples["vllm:num_requests_running"] == samples["vllm:num_requests_waiting"] == 0:
            time.sleep(0.5)
            return read(base)
        time.sleep(0.2)
    sys.exit("counters.py: requests are still running after 10 s")


def warm_up(base):
    for words in (8, 200):
        ask(f"{base}/v1/chat/completions", {"messages": [{"role": "user", "content": "warm up " * words}],
                                            "max_tokens": 32, "ignore_eos": True, "temperature": 0})
    ask(f"{base}/reset_prefix_cache", {})


def main():
    what, base = sys.argv[1:]
    if what == "warm-up":
        warm_up(base)
    else:
        json.dump(settled(base), sys.stdout)


main()
