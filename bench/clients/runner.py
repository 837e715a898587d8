"""Runs one client to its end: pinned, bounded in time, its whole tree of processes measured, nothing left behind.

The client gets a session of its own. This process is the reaper of what the client's processes leave behind, so that
CPU time is that of all of them, and so that none can escape. Memory is the sum of the tree's proportional shares (Pss):
a page that ten workers share counts once.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import signal
import subprocess
import time

from programs import CLIENT_CORE, environment

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LOOK_S = 0.1                       # between looks at the tree
MEMORY_S = 0.5                     # between sums of its memory: each one walks page tables
STOPPED_S, RUNNING_S = 0.080, 0.020
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass
class Ended:
    code: int                      # exit code; of a signal: minus its number
    out: str
    err: str
    wall_s: float
    cpu_s: float                   # user and system, all processes
    peak_bytes: int
    processes: int                 # the most at a time
    timed_out: bool


def children(pid):
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def tree(roots):
    """The processes `roots` and all that come from them."""
    seen, todo = [], list(roots)
    while todo:
        pid = todo.pop()
        if pid not in seen:
            seen.append(pid)
            todo += children(pid)
    return seen


def memory_bytes(pid):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


class Run:
    """One run of one client. `others`: children of this process that are not the client's."""

    def __init__(self, argv, folder, env, others, core=CLIENT_CORE):
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.folder, self.others = pathlib.Path(folder), set(others)
        self.peak_bytes = self.processes = 0
        self.cpu_s, self.next_memory = 0.0, 0.0
        self.begin = time.monotonic()

        def prepare():
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {core})

        with open(self.folder / "stdout", "wb") as out, open(self.folder / "stderr", "wb") as err:
            self.child = subprocess.Popen(list(map(str, argv)), cwd=self.folder, env=environment(**env), stdout=out,
                                          stderr=err, stdin=subprocess.DEVNULL, start_new_session=True,
                                          preexec_fn=prepare)

    def pids(self):
        """The client's processes, those included whose parents have left."""
        return tree(pid for pid in children(os.getpid()) if pid not in self.others)

    def look(self):
        pids = self.pids()
        self.processes = max(self.processes, len(pids))
        if time.monotonic() >= self.next_memory:
            self.peak_bytes = max(self.peak_bytes, sum(map(memory_bytes, pids)))
            self.next_memory = time.monotonic() + MEMORY_S

    def reap(self, pid, flags=os.WNOHANG):
        """The status of a child that has ended, or None. Its CPU time and that of what it waited for is added."""
        try:
            ended, status, usage = os.wait4(pid, flags)
        except ChildProcessError:
            return None
        if not ended:
            return None
        self.cpu_s += usage.ru_utime + usage.ru_stime
        return status

    def wait(self, timeout_s, each_look=None):
        """Until the client has ended. `each_look(run)` may stop and continue it. Always leaves nothing behind."""
        status, timed_out = None, False
        try:
            while (status := self.reap(self.child.pid)) is None:
                if time.monotonic() - self.begin > timeout_s:
                    timed_out = True
                    break
                self.look()
                if each_look:
                    each_look(self)
                else:
                    time.sleep(LOOK_S)
        finally:
            wall_s = time.monotonic() - self.begin
            code = self.clear(status)
        return Ended(code, self.text("stdout"), self.text("stderr"), wall_s, self.cpu_s, self.peak_bytes,
                     self.processes, timed_out)

    def clear(self, status):
        """Ends what still runs of the tree, by id, and takes its CPU time. Gives the client's exit code."""
        for number in (signal.SIGCONT, signal.SIGKILL):
            self.signal(number)
        if status is None:
            status = self.reap(self.child.pid, 0) or 0
        self.child.returncode = os.waitstatus_to_exitcode(status)
        for _ in range(100):
            left = [pid for pid in children(os.getpid()) if pid not in self.others]
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                self.reap(pid)
            time.sleep(0.02)
        return self.child.returncode

    def signal(self, number):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def text(self, name):
        return (self.folder / name).read_text(errors="replace")


class Throttle:
    """Lets a client run for 20 of each 100 ms, from its first finished request on, for `seconds`."""

    def __init__(self, requests_file, seconds, after=8):
        self.requests_file, self.seconds, self.after = requests_file, seconds, after
        self.begun = self.over = None

    def __call__(self, run):
        if self.begun is None and self._lines() > self.after:
            self.begun = time.monotonic()
        if self.begun is None or self.over:
            time.sleep(LOOK_S)
            return
        run.signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        run.signal(signal.SIGCONT)
        self.over = time.monotonic() - self.begun > self.seconds
        time.sleep(RUNNING_S)

    def _lines(self):
        with contextlib.suppress(OSError):
            return self.requests_file.read_bytes().count(b"\n")
        return 0
