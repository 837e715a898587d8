"""What really happened, from the simulator's truth log, and how far a client's own report is from it.

Truth is the server's view: a request begins when its last byte came to the server's socket (arrived_ns), an event is at the stamp taken
just before its send(). So time to first token is first_ns - arrived_ns; what a client adds by sending late, connecting
inside its clock, or reading late shows as error, and it is an error: it is not the server's.
"""

import dataclasses
import json
import pathlib

from truth import TRUTH_ROW, quantile


@dataclasses.dataclass
class Truth:
    """Of the requests that belong to the load. Milliseconds."""
    ttft: list
    gaps: list
    e2e: list
    complete: int                  # requests that got a whole answer
    broken: int                    # that did not
    tokens: int                    # sent in complete answers
    rate: float                    # requests a second over the middle 80 %
    begun_s: float                 # when its first request was there, on the monotonic clock; None if none came
    most_at_once: int              # requests that the server answered at a time, at most
    start_ms: float                # closed loop: from the first request until each user's first was there
    from_schedule: list            # first token - the time it was planned for, of even arrivals


def pair(values):
    """(p50, p99) by nearest rank; None for none."""
    ordered = sorted(values)
    return (quantile(ordered, 0.5), quantile(ordered, 0.99)) if ordered else None


def read_requests(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.endswith("}")]


def sent_by_stream(data):
    """{stream: its stamps in order of sending} from truth.bin; a file that was not closed ends in zero rows."""
    streams = {}
    for _, sent, stream, *_ in TRUTH_ROW.iter_unpack(data[:len(data) - len(data) % TRUTH_ROW.size]):
        if sent == 0:
            break
        streams.setdefault(stream, []).append(sent)
    return streams


def of_load(requests, count):
    """The load's own requests, by arrival: a client may ask before it starts (is the server there?), never after."""
    ordered = sorted(requests, key=lambda r: r["arrived_ns"])
    return ordered[-count:] if count else ordered


def middle_rate(requests):
    """Requests a second by arrival, without the first and last tenth: start and end of a load are not its rate."""
    n = len(requests)
    if n < 20:
        return None
    first, last = requests[n // 10]["arrived_ns"], requests[n - 1 - n // 10]["arrived_ns"]
    return (n - 1 - 2 * (n // 10)) / ((last - first) / 1e9) if last > first else None


def most_at_once(requests):
    """The peak of requests between arrival and end."""
    ended = [r for r in requests if "end_ns" in r]
    steps = sorted([(r["arrived_ns"], 1) for r in ended] + [(r["end_ns"], -1) for r in ended])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def start_ms(requests, users):
    """How long the start of all users took, as the server saw it: its own reading of their requests is part of that."""
    if not users or len(requests) < users:
        return None
    return (requests[users - 1]["arrived_ns"] - requests[0]["arrived_ns"]) / 1e6


def planned_wait(requests, rate):
    """Time from the planned instant to the first token, of a load that plans one request each 1/rate seconds.

    The plan begins with the first arrival. Requests leave a queue in order, so the i-th arrival is the i-th planned.
    """
    begin = requests[0]["arrived_ns"]
    return [(r["first_ns"] - begin - i * 1e9 / rate) / 1e6 for i, r in enumerate(requests) if r.get("first_ns")]


def read_truth(folder, workload, count):
    requests = of_load(read_requests(folder / "truth.jsonl"), count)
    good = [r for r in requests if r["outcome"] == "complete" and r.get("first_ns")]
    streams = sent_by_stream((folder / "truth.bin").read_bytes())
    gaps = []
    for request in good:
        stamps = streams.get(request["stream"], [])
        gaps += [(b - a) / 1e6 for a, b in zip(stamps, stamps[1:])]
    even = workload.rate if workload.arrivals == "constant" else 0
    return Truth(ttft=[(r["first_ns"] - r["arrived_ns"]) / 1e6 for r in good], gaps=gaps,
                 e2e=[(r["end_ns"] - r["arrived_ns"]) / 1e6 for r in good], complete=len(good),
                 broken=len(requests) - len(good), tokens=sum(r["tokens"] for r in good), rate=middle_rate(requests),
                 begun_s=requests[0]["arrived_ns"] / 1e9 if requests else None, most_at_once=most_at_once(requests),
                 start_ms=start_ms(requests, workload.users),
                 from_schedule=planned_wait(requests, even) if even and requests else [])


def error(reported, true):
    """(|p50 - truth|, |p99 - truth|), or None where one of the two is missing."""
    if reported is None or true is None:
        return None
    return tuple(abs(a - b) for a, b in zip(reported, true))


def cpu_per_million(run_cpu_s, run_tokens, start_cpu_s, start_tokens):
    """CPU seconds a million tokens of the load alone: the difference to a run with few requests; None if it drowns."""
    tokens, cpu_s = run_tokens - start_tokens, run_cpu_s - start_cpu_s
    return cpu_s / tokens * 1e6 if tokens > 0 and cpu_s > 0 else None
