"""What a client under test is to the bench: how it gets here, how it is run, how its own output is read.

One module a client, each with one class. Durations are milliseconds, percentiles are pairs (p50, p99). A reader only
takes what the client itself reports: nothing is computed for it that it does not say.
"""

import dataclasses
import os
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tokometer" / "bench"
MODEL = "sim-model"
PROMPT = 32                        # tokens of each prompt


class Unavailable(Exception):
    """This client cannot run here, or cannot do this workload. The text is the reason, as it stands in the table."""


@dataclasses.dataclass
class Reading:
    """What a client said about its own run."""
    ttft: tuple = None             # (p50, p99), ms
    itl: tuple = None
    e2e: tuple = None
    ok: int = None                 # requests that it calls successes
    failed: int = None
    marked: str = ""               # how its result says that the numbers are not to be used; "" if it does not
    logged: str = ""               # the same, but only as a line of a log beside unmarked numbers


class Client:
    name = ""                      # on the command line and in the table
    version = ""                   # pinned; "" if it is of this tree
    settings = ""                  # what we set for high load, one line
    documented = ""                # where these settings are documented
    itl_is = "gaps"                # or "mean": what it calls ITL is one mean of each request
    clock = "user"                 # whose stamps: its own calls', or the kernel's
    rate_requests = 2000           # of W5: about five seconds' worth
    warnings = ()                  # regular expressions of log lines by which it would tell of its own overload

    def install(self):
        """Makes the client runnable, or raises Unavailable."""

    def require(self, workload):
        """Raises Unavailable for a workload that this client has no means for."""

    def command(self, workload, url, folder):
        """The words to run. `folder` is empty, the client's own, and its working directory."""
        raise NotImplementedError

    def environment(self):
        return {}

    def read(self, workload, folder, done):
        """Its own report as a Reading. Raises Unavailable if it left none."""
        raise NotImplementedError

    def log_remark(self, done):
        """The first line of its output that one of `warnings` matches, cut to a table's width."""
        for line in (done.out + "\n" + done.err).splitlines():
            if any(re.search(pattern, line, re.IGNORECASE) for pattern in self.warnings):
                return " ".join(line.split())[:160]
        return ""


def requests_of(client, workload):
    return workload.requests or client.rate_requests
