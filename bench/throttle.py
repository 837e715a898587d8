"""Ways to hold a running program to a fifth of its time, from outside: stopped in bursts by signals, or by a cgroup's
quota. Each is a context manager whose `watch(pid)` goes to programs.run_ours().

    with Stopped(period_s=0.01) as held:
        run = programs.run_ours(text, folder, watch=held.watch)
    held.share      # of the time, as it came out
"""

import contextlib
import os
import pathlib
import signal
import threading
import time

RUNNING_SHARE = 0.2


class Stopped:
    """SIGSTOP for 80 % of each period. By a pidfd, so that no other process can ever be hit."""

    def __init__(self, period_s):
        self.name = f"stopped {1 - RUNNING_SHARE:.0%} of each {period_s * 1000:.0f} ms"
        self.period_s, self.share = period_s, None
        self.thread, self.over = None, threading.Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        if self.thread:
            self.thread.join()

    def watch(self, pid):
        if self.thread is None:
            self.thread = threading.Thread(target=self._hold, args=(os.pidfd_open(pid),))
            self.thread.start()

    def _hold(self, pidfd):
        stopped_s, begin = 0.0, time.monotonic()
        try:
            while not self.over.is_set():
                signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
                at = time.monotonic()
                self.over.wait(self.period_s * (1 - RUNNING_SHARE))
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
                stopped_s += time.monotonic() - at
                self.over.wait(self.period_s * RUNNING_SHARE)
        except ProcessLookupError:
            pass                        # it has ended
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGCONT)
            os.close(pidfd)
            self.share = 1 - stopped_s / max(time.monotonic() - begin, 1e-9)


class Quota:
    """A cgroup (version 1 or 2) with 20 ms of CPU in each 100 ms. `share` is the time it was not throttled."""
    ROOTS = (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/cpu"))

    def __init__(self):
        self.name, self.share = "cgroup quota of 20 %", None
        self.folder, self.joined_at = None, None

    @classmethod
    def fault(cls):
        """Why it cannot be had here; empty: it can."""
        try:
            with cls():
                return ""
        except OSError as error:
            return f"no cgroup can be made here: {error}"

    def __enter__(self):
        version_2 = (self.ROOTS[0] / "cgroup.controllers").exists()
        self.folder = self.ROOTS[0 if version_2 else 1] / f"tokometer-bench-{os.getpid()}"
        self.folder.mkdir()
        try:
            if version_2:
                (self.folder / "cpu.max").write_text("20000 100000")
            else:
                (self.folder / "cpu.cfs_period_us").write_text("100000")
                (self.folder / "cpu.cfs_quota_us").write_text("20000")
        except OSError:
            self.folder.rmdir()
            raise
        return self

    def __exit__(self, *_):
        self._note_share()
        for _ in range(50):             # the kernel lets go of an ended process a little later
            with contextlib.suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.02)

    def watch(self, pid):
        if self.joined_at is None:
            (self.folder / "cgroup.procs").write_text(str(pid))
            self.joined_at = time.monotonic()

    def _note_share(self):
        if self.joined_at is None:
            return
        stat = dict(line.split() for line in (self.folder / "cpu.stat").read_text().splitlines())
        throttled_s = int(stat["throttled_usec"]) / 1e6 if "throttled_usec" in stat else int(stat["throttled_time"]) / 1e9
        self.share = 1 - throttled_s / (time.monotonic() - self.joined_at)
