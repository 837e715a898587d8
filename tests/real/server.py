"""A real server under test: started, loaded by tokometer, and its own counters as the judge. What a check.py uses.

Nothing of tokometer's own sums is trusted: records.jsonl is read line by line. The requests of preflight stand in the
manifest and in no record, so they are added. The verdict is printed and not asked for: the server needs all cores.
"""
import collections
import contextlib
import dataclasses
import json
import math
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import counters

HERE = pathlib.Path(__file__).resolve().parent
TOKOMETER = os.environ.get("TOKOMETER", str(HERE.parents[1] / "build" / "bin" / "tokometer"))
START_PATIENCE_S = 1200     # for a machine with other work to do
RUN_PATIENCE_S = 600


class Failure(Exception):
    """What this server was asked for did not come out."""


@dataclasses.dataclass
class Kind:
    """What a server is called, how it shows that it is ready, and the names of its counters: those of a row are added."""
    version: str
    ready: str
    disk_gb: int
    is_quick: bool = False      # installed in less than two minutes
    prompt_tokens: tuple = ()
    output_tokens: tuple = ()
    requests: tuple = ()
    busy: tuple = ()
    histograms: dict = dataclasses.field(default_factory=dict)      # {"TTFT": name}: printed beside ours
    has_metrics_port: bool = False
    has_grpc_port: bool = False

    def counts(self):
        return (*self.prompt_tokens, *self.output_tokens, *self.requests, *(f"{name}_count" for name in self.histograms.values()))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Use it with `with`: serve.sh runs in a process group of its own, which ends with it."""

    def __init__(self, name, kind, folder, *flags):
        self.name, self.kind = name, kind
        self.home = HERE / name
        port, metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port if kind.has_metrics_port else port}/metrics"
        self.argv = ["nice", "-n", "15", self.home / "serve.sh", folder, str(port), str(metrics_port)]
        if kind.has_grpc_port:
            grpc_port = free_port()
            self.grpc_url = f"grpc://127.0.0.1:{grpc_port}"
            self.argv.append(str(grpc_port))
        self.argv += flags

    def __enter__(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix=f"tokometer-real-{self.name}-"))
        self.log = self.work / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_ready(self):
        start = time.monotonic()
        while self.process.poll() is None and time.monotonic() < start + START_PATIENCE_S:
            with contextlib.suppress(OSError):      # refused, or an error status
                counters.get(self.url + self.kind.ready)
                print(f"{self.kind.version} ready at {self.url} after {time.monotonic() - start:.1f} s", flush=True)
                return
            time.sleep(0.2)
        raise Failure(f"did not start after {time.monotonic() - start:.0f} s; {self.last_words()}")

    def last_words(self):
        return "its last words:\n" + "\n".join(line[:300] for line in self.log.read_text(errors="replace").splitlines()[-20:])

    def counts(self):
        try:
            return counters.settled(self.metrics_url, self.kind.busy, self.kind.counts())
        except OSError as error:     # a time-out is one, too
            raise Failure(f"its counters cannot be read: {error}; {self.last_words()}") from error

    def stop(self):
        """Ends the group; a server may leave workers behind that outlive their parent."""
        for number, patience_s in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
        shutil.rmtree(self.work, ignore_errors=True)

    def load(self, what, requests, api, *sets, fewer=0):
        """A run in which all must go well: each request accounted for, each stream complete, totals equal. Gives the records.
        `fewer`: so many tokens less than it was asked for does the server make on this route."""
        before = self.counts()
        run = self.run(what, self.prompts(requests), api, f"phases[0].requests={requests}", *sets)
        grown = counters.Growth(before, self.counts())
        report = Report(f"{self.name} {what}", self.name)
        report.same("requests accounted for", len({record["seq"] for record in run.requests}), requests)
        report.same("complete replies", sum(is_complete(record, fewer) for record in run.requests), requests)
        report.heading("server")
        if self.kind.requests:
            report.same("requests, with preflight", len(run.requests) + run.preflight["requests"], grown.count(self.kind.requests))
        for kind, names in (("prompt", self.kind.prompt_tokens), ("output", self.kind.output_tokens)):
            if names:
                ours = sum(record.get(f"{kind}_tokens", 0) for record in run.requests) + run.preflight[f"{kind}_tokens"]
                report.same(f"{kind} tokens, with preflight", ours, grown.count(names))
        report.latencies(run.requests, grown, self.kind.histograms)
        report.close()
        return run.requests

    def load_adapters(self, plain, api, names):
        """Adapters by name: all must go well, each be used, and answer otherwise than the model itself did to the same prompts."""
        model = plain[0]["model"]
        adapters = ", ".join(f"{{name: {name}}}" for name in names)
        records = self.load("adapters", 40, api, f"model={{name: {model}, adapters: [{adapters}]}}")
        bare = {record["sample"]: record["text_crc"] for record in plain}
        same = sum(record["text_crc"] == bare[record["sample"]] for record in records)
        used = collections.Counter(record.get("adapter") for record in records)
        print(f"  adapters {dict(used)}; answers like those of the model alone: {same} of {len(records)}")
        if set(used) != set(names) or same > len(records) // 2:
            raise Failure("adapters: not used, or without effect")

    def fails(self, what, requests, expected, api, *sets, long_every=2):
        """A run in which each second prompt is far too long: how many end how, {class or "ok": count}."""
        run = self.run(what, self.prompts(requests, long_every), api, f"phases[0].requests={requests}", *sets)
        ends = [record.get("class", record["status"]) for record in run.requests]
        report = Report(f"{self.name} {what}", "expected")
        for end in sorted(set(ends) | set(expected)):
            report.same(f"requests that end as {end}", ends.count(end), expected.get(end, 0))
        report.close()
        print("  it says:", next((record["error"] for record in run.requests if "error" in record), "nothing"))

    def same_answers(self, what, one, other):
        """Records of the same prompts by two ways: counts and texts must be equal, sample by sample."""
        def answers(records):
            return {record["sample"]: (record["prompt_tokens"], record["output_tokens"], record["text_crc"]) for record in records}
        report = Report(f"{self.name} {what}", "expected")
        report.same("equal answers", sum(answers(other).get(sample) == answer for sample, answer in answers(one).items()), len(one))
        report.close()
        begin = "first_token_ns" if "first_token_ns" in one[0] else "end_ns"      # of whole replies
        times = [percentile([(r[begin] - r["sent_ns"]) / 1e6 for r in records], 0.5) for records in (one, other)]
        print(f"  {begin} after the send, p50: {times[0]:.2f} and {times[1]:.2f} ms")

    def refuses(self, what, sentence, api, *sets):
        """A run that must end before any load was sent, with this sentence and exit code 3."""
        done = self.tokometer(self.prompts(1), api, *sets)
        print(f"\n{self.name} {what}\n  exit code {done.returncode}: {done.stderr.strip()}")
        if done.returncode != 3 or sentence not in done.stderr:
            raise Failure(f'{what}: expected exit code 3 and "{sentence}"')

    def prompts(self, rows, long_every=0):
        path = self.work / "prompts.json"
        with path.open("w") as out:
            subprocess.run(["python3", HERE / "make_sharegpt.py", str(rows), str(long_every)], stdout=out, check=True)
        return path

    def tokometer(self, prompts, api, *sets):
        shutil.rmtree(self.work / "runs", ignore_errors=True)
        flags = [word for item in (f"output.dir={self.work / 'runs'}", *sets) for word in ("--set", item)]
        env = {**os.environ, "URL": self.url, "FILE": str(prompts), "API": api}
        try:
            return subprocess.run([TOKOMETER, "run", self.home / "real.yaml", "--quiet", *flags], env=env, text=True,
                                  capture_output=True, timeout=RUN_PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"the run did not end in {RUN_PATIENCE_S} s; {self.last_words()}") from error

    def run(self, what, prompts, api, *sets):
        print(f"\n{self.name} {what}", flush=True)
        done = self.tokometer(prompts, api, *sets)
        if done.returncode not in (0, 5):    # 5: the verdict, which is the machine's
            raise Failure(f"{what}: tokometer ended with exit code {done.returncode}: {done.stderr.strip()}")
        print("\n".join(line for line in done.stdout.splitlines() if line.startswith(("Requests", "Errors"))))
        return Run(next((self.work / "runs").iterdir()))


class Run:
    def __init__(self, folder):
        lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
        self.requests = [line for line in lines if line["t"] == "request"]
        self.preflight = json.loads((folder / "manifest.json").read_text())["preflight"]


def is_complete(record, fewer):
    """To its end mark, with the length that was asked for, by the server's own count."""
    return (record["status"] == "ok" and not {"no_done", "no_finish", "short_output"} & set(record.get("flags", []))
            and record.get("token_source") == "usage" and record["output_tokens"] + fewer == record.get("asked_output_tokens"))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def gaps_ms(record):
    """Times between token events of one request; those that came in one read have no gap of their own."""
    flagged = set(record.get("coalesced", []))
    return [gap / 1e3 for at, gap in enumerate(record.get("gaps_us", []), 1) if at not in flagged]


class Report:
    """The table of one run: ours beside theirs."""

    def __init__(self, what, theirs):
        self.what, self.faults = what, []
        self.heading("expected")

    def heading(self, theirs):
        print(f"  {'':<34}{'tokometer':>12}{theirs:>12}")

    def same(self, what, ours, theirs):
        print(f"  {what:<34}{ours:>12}{theirs:>12}  {'equal' if ours == theirs else 'DIFFERENT'}")
        if ours != theirs:
            self.faults.append(what)

    def latencies(self, records, grown, histograms):
        ours = {"TTFT": [(record["first_token_ns"] - record["sent_ns"]) / 1e6 for record in records if "first_token_ns" in record],
                "ITL": [gap for record in records for gap in gaps_ms(record)]}
        for name, histogram in histograms.items():
            values = ours[name]
            if not values:      # whole replies
                continue
            print(f"  {name + ' ms':<12}mean p50 p99   client {sum(values) / len(values):.2f} {percentile(values, 0.5):.2f} "
                  f"{percentile(values, 0.99):.2f}   server {grown.mean_ms(histogram):.2f} "
                  f"{grown.at_most_ms(histogram, 0.5):.0f}< {grown.at_most_ms(histogram, 0.99):.0f}<")

    def close(self):
        if self.faults:
            raise Failure(f"{self.what}: not as expected: {', '.join(self.faults)}")
