"""What a server that freezes once must look like from the schedule, in closed form. Pure arithmetic.

The server answers each request with `tokens` events: the first `ttft` after it arrived, one each `itl`, and what falls
into the freeze [begin, end) happens at its end. A request scheduled at S that arrives at X >= S therefore has
    first token  d1 = after(after(X) + ttft)        after(t) = end if begin <= t < end else t
    next tokens  d(k+1) = after(d(k) + itl)
so a request that arrives inside the freeze waits end - X longer than usual, and one whose tokens fall into it, less.
X = S, unless a cap of c requests holds it back in order: then X is the c-th latest end before it, if that is later.
"""

import dataclasses
import heapq
import math


@dataclasses.dataclass
class Server:
    ttft_ns: int
    itl_ns: int
    tokens: int
    begin_ns: int
    end_ns: int

    def after(self, at_ns):
        return self.end_ns if self.begin_ns <= at_ns < self.end_ns else at_ns

    def answer(self, arrival_ns):
        """(first token, last token)"""
        first = at = self.after(self.after(arrival_ns) + self.ttft_ns)
        for _ in range(self.tokens - 1):
            at = self.after(at + self.itl_ns)
        return first, at


def expected(server, scheduled_ns, cap=None):
    """[(TTFT, E2E)] from schedule, for requests in the order of their schedule; first come, first served."""
    ends, times = [], []
    for s in sorted(scheduled_ns):
        x = s
        if cap is not None:
            while ends and ends[0] <= s:
                heapq.heappop(ends)
            if len(ends) >= cap:
                x = max(x, heapq.heappop(ends))
        first, last = server.answer(x)
        heapq.heappush(ends, last)
        times.append((first - s, last - s))
    return times


def percentile(values, per_cent):
    """Nearest rank, as docs/methodology.md, 8."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(len(ordered) * per_cent / 100)) - 1]
