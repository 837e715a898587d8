#!/usr/bin/env python3
"""compare.py RUN_DIR BEFORE AFTER PLANNED: a run's records against the server's counters (counters.py).

Exits with 1 if a request is missing or failed, or if the token totals differ. Reads the records by itself: none of
tokometer's own sums are trusted. Preflight's requests stand in the manifest and in no record, so they are added.
"""
import json
import math
import pathlib
import sys


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else float("nan")


def gaps_ms(request):
    """Times between token events of one request, in ms; those that came in one read have no gap of their own."""
    flagged = set(request.get("coalesced", []))
    return [gap / 1e3 for at, gap in enumerate(request.get("gaps_us", []), 1) if at not in flagged]


class Server:
    def __init__(self, before, after):
        self.grown = {name: value - before.get(name, 0.0) for name, value in after.items()}

    def count(self, name):
        return round(self.grown.get(name, 0))

    def mean_ms(self, histogram):
        count = self.grown.get(f"{histogram}_count", 0)
        return 1e3 * self.grown[f"{histogram}_sum"] / count if count else float("nan")

    def at_most_ms(self, histogram, share):
        """The upper end of the bucket that holds this share: a histogram knows no more."""
        prefix = f"{histogram}_bucket "
        buckets = sorted((float(name[len(prefix):]), value) for name, value in self.grown.items() if name.startswith(prefix))
        total = buckets[-1][1] if buckets else 0
        return next((1e3 * bound for bound, value in buckets if value >= share * total), float("nan"))


def main():
    run_dir, before, after, planned = sys.argv[1:]
    run_dir, planned = pathlib.Path(run_dir), int(planned)
    server = Server(json.loads(pathlib.Path(before).read_text()), json.loads(pathlib.Path(after).read_text()))
    preflight = json.loads((run_dir / "manifest.json").read_text())["preflight"]
    lines = [json.loads(line) for line in (run_dir / "records.jsonl").read_text().splitlines()]
    requests = [line for line in lines if line["t"] == "request"]
    good = [request for request in requests if request["status"] == "ok"]
    faults = []

    def same(what, ours, theirs):
        print(f"  {what:<34}{ours:>12}{theirs:>12}  {'equal' if ours == theirs else 'DIFFERENT'}")
        if ours != theirs:
            faults.append(what)

    print(f"  {'':<34}{'tokometer':>12}{'expected':>12}")
    same("requests accounted for", len({request["seq"] for request in requests}), planned)
    same("requests ok", len(good), planned)
    print(f"  {'':<34}{'tokometer':>12}{'vLLM':>12}")
    same("requests, with preflight", len(requests) + preflight["requests"], server.count("vllm:request_success_total"))
    for kind, counter in (("prompt", "vllm:prompt_tokens_total"), ("output", "vllm:generation_tokens_total")):
        total = sum(request.get(f"{kind}_tokens", 0) for request in requests) + preflight[f"{kind}_tokens"]
        same(f"{kind} tokens, with preflight", total, server.count(counter))

    ttft = [(request["first_token_ns"] - request["sent_ns"]) / 1e6 for request in good if "first_token_ns" in request]
    itl = [gap for request in good for gap in gaps_ms(request)]
    print(f"\n  {'ms':<14}{'mean':>10}{'p50':>10}{'p99':>10}")
    for name, values, histogram in (("TTFT", ttft, "vllm:time_to_first_token_seconds"),
                                    ("ITL", itl, "vllm:inter_token_latency_seconds")):
        mean = sum(values) / len(values) if values else float("nan")
        print(f"  {name + ' client':<14}{mean:>10.2f}{percentile(values, 0.5):>10.2f}{percentile(values, 0.99):>10.2f}")
        print(f"  {name + ' vLLM':<14}{server.mean_ms(histogram):>10.2f}{server.at_most_ms(histogram, 0.5):>9.0f}<"
              f"{server.at_most_ms(histogram, 0.99):>9.0f}<")
    sys.exit(f"compare.py: not as expected: {', '.join(faults)}" if faults else 0)


main()
