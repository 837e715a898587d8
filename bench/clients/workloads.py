"""The loads that every client gets, and what the simulator does under them.

W1 to W4 ask how exact and how costly a client is, W5 how many requests a second it makes on one core. The next four
ask what it says when things go wrong: a frozen server, a client without CPU, broken streams, a server that only fails.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    what: str                      # one line for the table's key
    sim: dict                      # options of tokometer-sim
    tokens: int                    # of each answer
    requests: int                  # in all; of W5 each client has its own number
    users: int = 0                 # closed loop: so many requests at a time, or
    rate: int = 0                  # open loop: so many a second
    arrivals: str = "poisson"      # or constant
    cap: int = 0                   # open loop: no more than so many at a time; 0: no such limit
    throttled_s: float = 0         # the client is stopped for 80 of each 100 ms, for so long
    timeout_s: float = 240         # start of the client included

    @property
    def in_flight(self):
        """The most requests that a client must be able to hold at a time."""
        return self.users or self.cap or 1000


_FIXED = {"ttft": "50ms", "itl": "10ms"}

WORKLOADS = [
    Workload("W1", "64 users, 100 tokens, a token each 10 ms", _FIXED, tokens=100, requests=704, users=64),
    Workload("W2", "256 users, 50 tokens, all on one 20 ms step, as continuous batching sends them",
             {"ttft": "50ms", "itl": "20ms", "phases": "step"}, tokens=50, requests=1536, users=256),
    Workload("W3", "1,000 users that start at once, 60 tokens, a token each 50 ms",
             {"ttft": "50ms", "itl": "50ms"}, tokens=60, requests=2000, users=1000),
    Workload("W4", "Poisson arrivals, 100 a second, 32 tokens, a token each 10 ms",
             _FIXED, tokens=32, requests=800, rate=100),
    Workload("W5", "64 users, one token, at once", {"mode": "instant"}, tokens=1, requests=0, users=64),
    # Fewer than 1 % of the requests are inside the server while it is frozen: a p99 shows it only if waiting counts.
    Workload("freeze", "200 requests a second, evenly, at most 8 at a time, 20 ms each; after 2 s the server freezes "
             "for 500 ms",
             {"ttft": "10ms", "itl": "5ms", "stall": '{"at": "2s", "for": "500ms"}'},
             tokens=3, requests=1200, rate=200, arrivals="constant", cap=8),
    Workload("throttle", "W4 while the client is stopped for 80 of each 100 ms, 6 s long",
             _FIXED, tokens=32, requests=800, rate=100, throttled_s=6),
    Workload("broken", "20 users; every second stream dies in an error event after 3 tokens (none of the first five, "
             "since a client may ask before it starts)",
             {**_FIXED, "failure_rate": 0.5, "failure": "error; after=3", "seed": 47},
             tokens=20, requests=200, users=20),
    Workload("failing", "20 users; every request gets status 500",
             {**_FIXED, "failure_rate": 1, "failure": "status; code=500"}, tokens=20, requests=60, users=20),
    Workload("start", "64 requests of W1: what a client costs before and after its load", _FIXED, tokens=100,
             requests=64, users=64),
]

BY_NAME = {w.name: w for w in WORKLOADS}
EXACT = ("W1", "W2", "W3", "W4")      # judged by the errors of their percentiles
