"""What the simulator really sent, joined with what tokometer's records say arrived; and the CPU of a load.

Join key: the request id, then the number of the token event. Times are ns of CLOCK_MONOTONIC.
"""

import array
import dataclasses
import json
import math
import pathlib
import struct

TRUTH_ROW = struct.Struct("=QQIIII")    # due_ns, sent_ns, stream, seq, bytes, tokens
SUB_BUCKETS = 2048                      # of tokometer's histograms, for each power of two


def quantile(ordered, share):
    """Nearest rank, of values in order; None for none."""
    return ordered[max(1, math.ceil(share * len(ordered))) - 1] if ordered else None


def distribution(values):
    """The same keys as the raw reader prints."""
    ordered = sorted(values)
    if not ordered:
        return {"n": 0}
    return {"n": len(ordered), "mean": sum(ordered) / len(ordered), "p50": quantile(ordered, 0.5),
            "p90": quantile(ordered, 0.9), "p99": quantile(ordered, 0.99), "p999": quantile(ordered, 0.999),
            "max": ordered[-1]}


def bucket_value(index):
    """The middle of a bucket of a histogram in a tick line (docs/methodology.md, 8)."""
    shift = max(0, index // SUB_BUCKETS - 1)
    return ((index - (shift << 11)) << shift) + ((1 << shift) - 1) / 2


def histogram_quantile(buckets, share):
    """`buckets`: {index: count}."""
    total = sum(buckets.values())
    rank, seen = max(1, math.ceil(share * total)), 0
    for index in sorted(buckets):
        seen += buckets[index]
        if seen >= rank:
            return bucket_value(index)
    return None


class Truth:
    """The truth log of one simulator, preflight left out."""

    def __init__(self, requests, rows):
        self.requests, self.rows = requests, rows     # {id: line}, {stream: array of sent_ns}

    @staticmethod
    def read(folder):
        folder = pathlib.Path(folder)
        lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines() if line.endswith("}")]
        rows = {}
        data = (folder / "truth.bin").read_bytes()
        for _, sent, stream, seq, _, _ in TRUTH_ROW.iter_unpack(data[:len(data) // 32 * 32]):
            if sent == 0:
                break           # a file that was not closed ends in zeros
            row = rows.setdefault(stream, array.array("q"))
            if seq != len(row):
                raise ValueError(f"truth.bin: stream {stream} has a gap before event {seq}")
            row.append(sent)
        return Truth({line["x_request_id"]: line for line in lines
                      if not line["x_request_id"].startswith("preflight-")}, rows)


def server_ttft(folder):
    """Time to first token as the server's host saw it, for each request: from its last byte at the server's socket to the
    first event sent."""
    lines = [json.loads(line) for line in (pathlib.Path(folder) / "truth.jsonl").read_text().splitlines()]
    return [line["first_ns"] - line["arrived_ns"] for line in lines
            if "first_ns" in line and not line["x_request_id"].startswith("preflight-")]


@dataclasses.dataclass
class Records:
    """records.jsonl by kind of line."""
    requests: list
    ticks: list
    phases: list
    begin_ns: int          # of the run, on the monotonic clock

    @staticmethod
    def read(run):
        """`run`: programs.OurRun."""
        kinds = {"request": [], "tick": [], "phase": []}
        with open(run.records, "rb") as file:
            for text in file:
                line = json.loads(text)
                kinds.get(line["t"], []).append(line)
        return Records(kinds["request"], kinds["tick"], kinds["phase"], run.manifest["start_monotonic_ns"])


def arrivals_ns(record):
    """The reported arrival of each token event, since the run's start."""
    at = [record["first_token_ns"]]
    for gap_us in record.get("gaps_us", ()):
        at.append(at[-1] + gap_us * 1000)
    return at


class Join:
    """Records against truth: `wrong` counts what was lost, doubled or changed; the rest are times in ns."""

    def __init__(self):
        self.requests = self.events = self.tokens = 0
        self.wrong = {"unknown_request": 0, "text": 0, "events": 0, "tokens": 0, "unreported": 0}
        self.error = array.array("q")
        self.ttft, self.true_ttft = array.array("q"), array.array("q")
        self.itl, self.true_itl = array.array("q"), array.array("q")
        self.e2e, self.true_e2e = array.array("q"), array.array("q")

    @property
    def is_whole(self):
        return not any(self.wrong.values())

    def add(self, record, line, sent, begin_ns):
        """One ok request that streamed: its record, its line of truth.jsonl, the send times of its events."""
        self.requests += 1
        self.tokens += record["output_tokens"]
        self.wrong["text"] += int(record["text_crc"], 16) != line["text_crc"]
        self.wrong["tokens"] += record["output_tokens"] != line["tokens"]
        x = record["sent_ns"]
        self.e2e.append(record["end_ns"] - x)
        self.true_e2e.append(line["end_ns"] - begin_ns - x)
        if "first_token_ns" not in record:      # not streamed
            return
        seen = arrivals_ns(record)
        self.events += len(seen)
        if len(seen) != len(sent):
            self.wrong["events"] += 1
            return
        self.error.extend(at - (true - begin_ns) for at, true in zip(seen, sent))
        self.ttft.append(seen[0] - x)
        self.true_ttft.append(sent[0] - begin_ns - x)
        coalesced = set(record.get("coalesced", ()))
        self.itl.extend(seen[i] - seen[i - 1] for i in range(1, len(seen)) if i not in coalesced)
        self.true_itl.extend(sent[i] - sent[i - 1] for i in range(1, len(sent)))


def join(records, truth):
    result = Join()
    left = set(truth.requests)
    for record in records.requests:
        left.discard(record["id"])
        if record["status"] != "ok":
            continue
        line = truth.requests.get(record["id"])
        if line is None:
            result.wrong["unknown_request"] += 1
        else:
            result.add(record, line, truth.rows.get(line["stream"], ()), records.begin_ns)
    result.wrong["unreported"] = len(left)
    return result


@dataclasses.dataclass
class LoadUse:
    """What happened between the first and the last tick inside a window of the load."""
    seconds: float
    events: int
    requests: int
    reads: int
    io_cpu_s: float
    all_cpu_s: float        # with the threads that only /proc shows: main, feeder, sampler


def load_use(records, samples, window_s):
    """`window_s`: (from, to) since the load began. `samples`: [(monotonic_ns, {"name/tid": cpu_ns})] from /proc. None where
    fewer than two ticks lie in the window."""
    begin = next(p["at_ns"] for p in records.phases if p["event"] == "begin")
    inside = [t for t in records.ticks
              if window_s[0] * 1e9 <= t["at_ns"] - begin <= (window_s[1] + 0.15) * 1e9]
    if len(inside) < 2:
        return None
    first, last = inside[0], inside[-1]
    known = {t["name"] for t in last["threads"]}
    done = [sum(p["ok"] for p in t["totals"]) for t in (first, last)]
    others = [_others_ns(samples, records.begin_ns + t["at_ns"], known) for t in (first, last)]
    return LoadUse((last["at_ns"] - first["at_ns"]) / 1e9, last["token_events"] - first["token_events"],
                   done[1] - done[0], last["reads"] - first["reads"],
                   _cpu_s(last, io_only=True) - _cpu_s(first, io_only=True),
                   _cpu_s(last) - _cpu_s(first) + (others[1] - others[0]) / 1e9)


def _cpu_s(tick, *, io_only=False):
    return sum(t["cpu_ns"] for t in tick["threads"] if t["io"] or not io_only) / 1e9


def _others_ns(samples, at_ns, known):
    """CPU of the threads that the tick lines leave out, from the sample next to that instant."""
    if not samples:
        return 0
    _, threads = min(samples, key=lambda sample: abs(sample[0] - at_ns))
    return sum(cpu for name, cpu in threads.items() if name.split("/")[0] not in known)


def lag_buckets(records):
    """Client lag of all reads: {bucket: count}."""
    buckets = {}
    for tick in records.ticks:
        for index, count in tick.get("client_lag", ()):
            buckets[index] = buckets.get(index, 0) + count
    return buckets
