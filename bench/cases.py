"""The cases of ./dev bench, as data: what the simulator does, what load there is, which figures are shown and what they
should be. Sizes are for one core of client and one of server; a block of one case takes less than a minute.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class OpenLoad:
    """Requests by a schedule of their own, beside the closed part or alone."""
    rate: float
    seconds: float
    tokens: int = 1
    pattern: str = "poisson"
    delay: float = 0.0          # raw reader: after the start. tokometer begins its second phase at once


@dataclasses.dataclass(frozen=True)
class Target:
    """What a figure should be: of ours, or of the ratio to the raw reader. `row`: of the list in README.md."""
    row: int
    must: float
    moonshot: float
    of: str = "ours"            # or "ratio"
    at_least: bool = False      # else at most


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    figures: tuple                              # keys of figures.FIGURES, in the order of the table
    sim: dict = dataclasses.field(default_factory=dict)
    users: int = 0                              # closed part: so many at a time
    tokens: int = 1
    requests: int = 0                           # 0: one for each user, or as many as fit in `duration`
    duration: float = 0.0                       # seconds; 0: until `requests` are done
    cut: bool = False                           # when `duration` is over, what still runs is cancelled
    stream: bool = True
    spin: bool = False                          # poll before a send, in place of a timer
    open: OpenLoad = None
    window: tuple = (0.0, 1e6)                  # seconds of the load that rates and CPU are about
    truth: bool = True
    transport: str = ""                         # of ours: "tls", "http2"; the raw reader knows plain HTTP/1.1 only
    io: str = "epoll"                           # of ours: limits.io
    late_ms: float = 0.0                        # p99 of the simulator's lateness from which a block is noisy; 0: not asked
    kind: str = "load"                          # "slope": memory at two sizes; "peak": memory of a long load
    sizes: tuple = ()
    runs: tuple = ("raw", "ours", "raw")
    blocks: int = 0                             # 0: as asked
    targets: dict = dataclasses.field(default_factory=dict)

    @property
    def tokens_per_event(self):
        return self.sim.get("tokens_per_event", 1)

    @property
    def planned(self):
        """Requests of the closed part, where their number is fixed."""
        return self.requests or (0 if self.duration else self.users)


ERRORS = ("event_error_p50_us", "event_error_p99_us", "event_error_p999_us", "event_error_max_us", "event_error_bias_us",
          "lag_p50_us", "ttft_p99_error_pct", "itl_p99_error_pct", "e2e_p99_error_pct")
COST = ("cpu_all_per_mtok_s", "cpu_io_per_mtok_s", "cpu_total_s", "events_per_read", "tokens_per_s")
REQUESTS = ("requests_per_s", "cpu_all_per_request_us", "cpu_io_per_request_us", "e2e_p50_us")
LATENESS = ("lateness_p50_us", "lateness_p99_us", "lateness_max_us", "rate_error_pct")

CHEAP = {"cpu_all_per_mtok_s": Target(4, 1.3, 0.7, of="ratio")}
EXACT = {"event_error_p99_us": Target(1, 50, 15), "event_error_p999_us": Target(1, 250, 100)}
SAME_SHAPE = {f"{name}_p99_error_pct": Target(2, 1, 0.1) for name in ("ttft", "itl", "e2e")}
PROMPT = {"lag_p50_us": Target(3, 2, 1.2, of="ratio")}
LATE_START = (1.0, 5.0)     # after the start burst, before the first stream ends

P1 = Case("P1", "spread, 2,000 streams x 20 ms (100k tokens/s)", ERRORS + COST,
          {"ttft": "500ms", "itl": "20ms", "ttft_spread": "400ms"}, users=2000, tokens=250, window=LATE_START, late_ms=5.0,
          targets={**EXACT, **SAME_SHAPE, **PROMPT, **CHEAP})
T1 = Case("T1", "as fast as both can, 1 token an event, 1,000 streams", COST,
          {"ttft": "5ms", "itl": "5ms", "ttft_spread": "5ms"}, users=1000, tokens=5000, duration=6, cut=True,
          window=(1.5, 5.8), truth=False, targets={**CHEAP, "tokens_per_s": Target(5, 100e3, 160e3, at_least=True)})


def on_ring(case):
    return dataclasses.replace(case, name=f"{case.name}.uring", title=f"{case.name}, reads by io_uring", io="auto", targets={})


CASES = (
    P1,
    dataclasses.replace(P1, name="P1.half", title="P1 with 1,000 streams (50k tokens/s)", users=1000, late_ms=1.0),
    Case("P2", "step, 256 streams x 20 ms", ERRORS + COST, {"ttft": "500ms", "itl": "20ms", "phases": "step"},
         users=256, tokens=250, window=LATE_START, targets={**EXACT, **SAME_SHAPE, **PROMPT}),
    Case("P3", "step, 1,024 streams x 50 ms", ERRORS + COST, {"ttft": "500ms", "itl": "50ms", "phases": "step"},
         users=1024, tokens=100, window=LATE_START, targets={**EXACT, **SAME_SHAPE, **PROMPT}),
    Case("P4", "spread, 8,000 streams x 100 ms (80k tokens/s)", ERRORS + COST,
         {"ttft": "1s", "itl": "100ms", "ttft_spread": "1s"}, users=8000, tokens=55, window=(2.0, 6.0), late_ms=5.0,
         targets=SAME_SHAPE),
    Case("P5", "5 tokens an event, cut at random, 300 streams x 20 ms", ERRORS + COST,
         {"ttft": "500ms", "itl": "20ms", "ttft_spread": "200ms", "tokens_per_event": 5, "split": "seeded"}, users=300,
         tokens=1252, window=LATE_START, late_ms=1.0),
    Case("P6", "TLS: spread, 500 streams x 20 ms; the raw reader without TLS", ERRORS + COST,
         {"ttft": "500ms", "itl": "20ms", "ttft_spread": "200ms"}, users=500, tokens=250, window=LATE_START, late_ms=1.0,
         transport="tls", targets={**EXACT, **SAME_SHAPE}),
    Case("P7", "HTTP/2, 100 streams a connection: P6's load; the raw reader on HTTP/1.1", ERRORS + COST,
         {"ttft": "500ms", "itl": "20ms", "ttft_spread": "200ms"}, users=500, tokens=250, window=LATE_START, late_ms=1.0,
         transport="http2", targets={**EXACT, **SAME_SHAPE}),
    Case("U1", "1,000 users who start at the same instant, 60 tokens x 50 ms", ("ttft_added_p99_ms", "ttft_added_sched_p99_ms")
         + LATENESS[:3] + ERRORS[:2], {"ttft": "50ms", "itl": "50ms"}, users=1000, tokens=60,
         targets={"ttft_added_p99_ms": Target(16, 1, 0.1)}),
    T1,
    on_ring(T1),
    Case("T2", "as fast as both can, 8 tokens an event, 1,000 streams", COST,
         {"ttft": "5ms", "itl": "5ms", "ttft_spread": "5ms", "tokens_per_event": 8}, users=1000, tokens=40000, duration=6,
         cut=True, window=(1.5, 5.8), truth=False, targets={"tokens_per_s": Target(6, 400e3, 1e6, at_least=True)}),
    Case("T3", "many events a read: answers of 512 tokens sent at once, 64 users", COST, {"mode": "instant"}, users=64,
         tokens=512, duration=6, window=(1.5, 6), truth=False),
    Case("R1.sse64", "one-token streams, 64 connections", REQUESTS, {"mode": "instant"}, users=64, duration=5,
         window=(0.9, 5), truth=False, targets={"requests_per_s": Target(7, 30e3, 60e3, at_least=True)}),
    Case("R1.sse512", "one-token streams, 512 connections", REQUESTS, {"mode": "instant"}, users=512, duration=5,
         window=(0.9, 5), truth=False, targets={"requests_per_s": Target(7, 30e3, 60e3, at_least=True)}),
    Case("R1.unary64", "whole replies, 64 connections", REQUESTS, {"mode": "instant"}, users=64, duration=5,
         window=(0.9, 5), stream=False, truth=False),
    Case("R2", "Poisson, 5,000 requests/s x 3 tokens", LATENESS + ERRORS + REQUESTS, {"ttft": "5ms", "itl": "5ms"},
         open=OpenLoad(5000, 4, tokens=3), window=(0.9, 4), late_ms=1.0),
    Case("A1", "Poisson, 1,000 requests/s, nothing else", LATENESS + ("event_error_p99_us",), {"ttft": "5ms"},
         open=OpenLoad(1000, 6), spin=True, window=(0.9, 6), late_ms=1.0,
         targets={"lateness_p99_us": Target(10, 50, 1)}),
    Case("A2", "A1 while P1 runs", LATENESS + ERRORS[:6], {"ttft": "500ms", "itl": "20ms", "ttft_spread": "400ms"},
         users=2000, tokens=250, open=OpenLoad(1000, 4.5, delay=0.1), spin=True, window=(1.0, 4.5), late_ms=5.0,
         targets={"lateness_p99_us": Target(11, 500, 100)}),
    Case("A3", "constant, 1,000 requests/s for 60 s", LATENESS, {"ttft": "5ms"},
         open=OpenLoad(1000, 60, pattern="constant"), runs=("ours",), blocks=1, truth=False,
         targets={"rate_error_pct": Target(12, 0.1, 0.01)}),
    Case("M1", "memory of a stream: 10,000 and 19,000 slow ones", ("bytes_per_stream",),
         {"ttft": "3s", "itl": "500ms", "ttft_spread": "1s"}, tokens=10, kind="slope", sizes=(10000, 19000), truth=False,
         runs=("raw", "ours"), blocks=1, targets={"bytes_per_stream": Target(8, 2048, 614)}),
    Case("M2", "memory of a long load: requests x 500 tokens", ("load_rss_mb", "peak_rss_mb", "bytes_per_request", "projected_rss_mb"),
         {"mode": "instant"}, users=64, tokens=500, kind="peak", sizes=(10000, 20000), truth=False, runs=("ours",),
         blocks=1, targets={"projected_rss_mb": Target(9, 256, 64)}),
)

ELSEWHERE = {"C1": "verdict", "C2": "verdict", "S1": "verdict"}      # ./dev bench MODULE


def select(words):
    """Cases by name; P1 stands for P1 and all P1.*. ([Case], [unknown word])"""
    if not words:
        return list(CASES), []
    chosen, unknown = [], []
    for word in words:
        found = [c for c in CASES if c.name.lower() == word.lower() or c.name.lower().startswith(word.lower() + ".")]
        chosen += [c for c in found if c not in chosen]
        if not found and word.upper() not in ELSEWHERE:
            unknown.append(word)
    return chosen, unknown


def tiny(case):
    """The same case in a size that takes a second: for the smoke test, which looks at counts."""
    sim = {**case.sim, **{k: v for k, v in {"ttft": "20ms", "itl": "2ms"}.items() if k in case.sim}}
    if "ttft_spread" in sim:
        sim["ttft_spread"] = "2ms"
    part = case.open and dataclasses.replace(case.open, rate=200.0, seconds=0.4)
    users = 12 if case.users or case.sizes else 0
    return dataclasses.replace(case, sim=sim, users=users, tokens=min(case.tokens, 12 * case.tokens_per_event),
                               requests=40 if case.duration else 0, duration=0.0, cut=False, open=part, window=(0.0, 1e6),
                               truth=True)
