"""What the end-to-end tests share: the simulator started apart, tokometer run on a text, and what both wrote down.

Programs come from $TOKOMETER_BIN_DIR (ctest sets it; by hand the build/ of this tree). Children are stopped by their
process object, always. No test asserts a time of this machine: times are printed, counts and texts are asserted.
"""

import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TOKOMETER_BIN_DIR", ROOT / "build" / "bin"))
TOKOMETER = str(BIN / "tokometer")
SIM = str(BIN / "tokometer-sim")
PATIENCE_S = 100     # for a child to end; sanitizer builds are slow
TRUTH_ROW = struct.Struct("=QQIIII")    # due_ns, sent_ns, stream, seq, bytes, tokens


def environment(**changes):
    """The environment of a child: a plain one, so that a developer's locale or colours change nothing."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    kept.update({"LC_ALL": "C", "TERM": "dumb"})
    kept.update(changes)
    return {k: v for k, v in kept.items() if v is not None}


class Sim:
    """A tokometer-sim started apart, on port 0. Use it with `with`, or call stop()."""

    def __init__(self, *flags, truth=None):
        argv = [SIM, "--exit-with-stdin", *map(str, flags)]
        if truth is not None:
            truth.mkdir(parents=True, exist_ok=True)
            argv += ["--truth", str(truth)]
        self.truth_dir = truth
        self.said = ""
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment())
        line = self.process.stdout.readline()
        if not line.startswith("READY "):
            self.stop()
            raise AssertionError(f"the simulator did not start: {line!r} {self.said}")
        self.url = line.split()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the simulator; afterwards `said` is its stderr, with its own lateness."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            _, self.said = self.process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, self.said = self.process.communicate()

    def requests(self):
        """truth.jsonl, the requests of preflight left out: {request id: line}."""
        text = (self.truth_dir / "truth.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return {line["x_request_id"]: line for line in lines if not line["x_request_id"].startswith("preflight-")}

    def rows(self):
        """truth.bin: {stream: [(due_ns, sent_ns, tokens)]}, in the order of the tokens."""
        streams = {}
        data = (self.truth_dir / "truth.bin").read_bytes()
        for due, sent, stream, seq, _, tokens in TRUTH_ROW.iter_unpack(data[:len(data) // 32 * 32]):
            if sent == 0:
                break      # not closed: the rest of the mapping is zero
            assert seq == len(streams.setdefault(stream, [])), "the truth log itself has a gap"
            streams[stream].append((due, sent, tokens))
        return streams


def read_records(directory):
    """The lines of records.jsonl that are whole."""
    lines = []
    for line in (pathlib.Path(directory) / "records.jsonl").read_bytes().split(b"\n"):
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


class Run:
    """A finished `tokometer run`: exit code, what it printed, its run directory (None if it left none)."""

    def __init__(self, code, out, err, parent):
        self.code, self.out, self.err = code, out, err
        found = sorted(parent.iterdir()) if parent.is_dir() else []
        assert len(found) <= 1, found
        self.dir = found[0] if found else None

    def _json(self, name):
        return json.loads((self.dir / name).read_text())

    @property
    def summary(self):
        return self._json("summary.json")

    @property
    def manifest(self):
        return self._json("manifest.json")

    @property
    def lines(self):
        return read_records(self.dir)

    @property
    def requests(self):
        return [line for line in self.lines if line["t"] == "request"]

    def check(self, identity):
        return next(c for c in self.summary["checks"] if c["id"] == identity)

    def show(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


def copy_bytes(source, sink):
    """From one socket to another until either ends; then both are shut down."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def stop_process(process):
    """Kills a child that still runs, by its process object."""
    if process.poll() is None:
        process.kill()
    process.communicate()


class Case(unittest.TestCase):
    """A folder of its own for each test, the simulator and the program to run in it, and the law."""

    def setUp(self):
        self.tmp = pathlib.Path(tempfile.mkdtemp(prefix="tokometer-e2e-"))
        self.addCleanup(shutil.rmtree, self.tmp, ignore_errors=True)
        self.counter = itertools.count(1)

    def sim(self, *flags, truth=True):
        sim = Sim(*flags, truth=self.tmp / f"truth{next(self.counter)}" if truth else None)
        self.addCleanup(sim.stop)
        return sim

    def write(self, name, text):
        path = self.tmp / name
        path.write_text(text)
        return path

    def start(self, text, *flags, parent=None, env=None, stdout=subprocess.PIPE, stderr=subprocess.PIPE, name="case.yaml"):
        """`tokometer run` as a child that the test looks after; its run directory goes below `parent`."""
        parent = parent or self.tmp / f"runs{next(self.counter)}"
        argv = [TOKOMETER, "run", str(self.write(name, text)), "--set", f"output.dir={parent}", *flags]
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, text=True,
                                 env=env or environment(), cwd=self.tmp)
        child.parent = parent
        self.addCleanup(stop_process, child)
        return child

    def end(self, child):
        out, err = child.communicate(timeout=PATIENCE_S)
        return Run(child.returncode, out, err, child.parent)

    def run_file(self, text, *flags, **options):
        return self.end(self.start(text, *flags, **options))

    def run_ok(self, text, *flags, **options):
        """A run that ends by itself: its exit code follows from its verdict, and the law holds."""
        run = self.run_file(text, *flags, **options)
        self.assertIsNotNone(run.dir, run.show())
        expected = 5 if run.summary["verdict"] == "INVALID" else 0
        self.assertEqual(run.code, expected, run.show())
        self.assert_law(run)
        return run

    def tokometer(self, *arguments, env=None, stdin=None, cwd=None):
        """Any verb; gives (exit code, stdout, stderr)."""
        done = subprocess.run([TOKOMETER, *map(str, arguments)], input=stdin, capture_output=True, text=True,
                              env=env or environment(), cwd=cwd or self.tmp, timeout=PATIENCE_S,
                              **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
        return done.returncode, done.stdout, done.stderr

    def wait_for(self, condition, what, child=None):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if child is not None and child.poll() is not None:
                self.fail(f"{what}: the program ended: {child.communicate()}")
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.005)

    def wait_for_records(self, child, count):
        """Until `count` request lines are written; gives the run directory."""
        def there():
            found = sorted(child.parent.iterdir()) if child.parent.is_dir() else []
            files = [d / "records.jsonl" for d in found if (d / "records.jsonl").exists()]
            return files and files[0].read_bytes().count(b'{"t":"request"') >= count
        self.wait_for(there, f"{count} request lines", child)
        return next(child.parent.iterdir())

    def assert_rebuilt(self, run):
        """`report DIR` makes the same bytes from manifest and records alone."""
        before = {path.name: path.read_bytes() for path in run.dir.iterdir()
                  if path.name in ("summary.json", "histograms.json", "sweep.csv", "console.txt")}
        self.assertIn("summary.json", before)
        for name in before:
            (run.dir / name).unlink()
        code, out, err = self.tokometer("report", run.dir)
        self.assertEqual(code, run.code, out + err)
        for name, content in before.items():
            self.assertEqual((run.dir / name).read_bytes(), content, name)

    def assert_law(self, run):
        """planned = issued + not_issued; issued = ok + failed + cancelled; and the request lines say the same."""
        lines = run.requests
        counts = {s: sum(r["status"] == s for r in lines) for s in ("ok", "failed", "cancelled", "not_issued")}
        totals = run.summary["totals"]
        self.assertEqual(len(lines), totals["planned"])
        self.assertEqual(totals["planned"], totals["issued"] + totals["not_issued"])
        self.assertEqual(totals["issued"], totals["ok"] + totals["failed"] + totals["cancelled"])
        for status, count in counts.items():
            self.assertEqual(totals[status], count, status)
        self.assertEqual(sorted(r["seq"] for r in lines), list(range(len(lines))))
        self.assertEqual(run.check("V2")["grade"], "VALID")
        for record in lines:
            self.assertEqual("class" in record, record["status"] != "ok", record)

    def assert_true_text(self, run, sim):
        """Every ok request of the records is in the truth log with the same text: nothing lost, doubled or swapped."""
        truth = sim.requests()
        ok = [r for r in run.requests if r["status"] == "ok"]
        self.assertTrue(ok, run.show())
        for record in ok:
            line = truth.get(record["id"])
            self.assertIsNotNone(line, f"{record['id']} is not in the truth log")
            self.assertEqual(int(record["text_crc"], 16), line["text_crc"], record["id"])
            if record["token_source"] != "events":
                self.assertEqual(record["output_tokens"], line["tokens"], record["id"])
        return len(ok)


def run_text(url, *, name="case", processor="openai", tokens=4, prompt=8, load="{use: concurrency, options: {users: 1}}",
             phase="requests: 10", request="", headers="", target="", dataset=None, more=""):
    """A small run file against `url`; each argument is the YAML of its section."""
    dataset = dataset or f"{{use: synthetic, options: {{input_tokens: {prompt}, output_tokens: {tokens}}}}}"
    words = f", headers: {{X-Tkm-Sim: \"{headers}\"}}" if headers else ""
    return (f"version: 1\nname: {name}\n"
            f"target: {{url: \"{url}\"{words}{', ' + target if target else ''}}}\n"
            f"processor: {processor}\n" + (f"request: {request}\n" if request else "") +
            f"dataset: {dataset}\nload: {load}\nphases: [{{name: main, warmup: none, cooldown: none, {phase}}}]\n{more}")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def quantile(values, share):
    """Nearest rank; 0 for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def milliseconds(values):
    return "p50 %9.4f  p99 %9.4f  max %9.4f ms" % tuple(quantile(values, q) / 1e6 for q in (0.5, 0.99, 1.0))


def send_signal(child, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, number)


INT, TERM, HUP, KILL, STOP, CONT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGSTOP,
                                    signal.SIGCONT)
main = unittest.main
