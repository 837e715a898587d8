"""One run of one case, by the raw reader or by tokometer, against a simulator of its own."""

import contextlib
import dataclasses
import json
import pathlib
import subprocess
import time

import figures
import programs
import truth as truth_log

SAMPLE_EVERY_S = 0.1
# A saturated simulator reads requests late, and would close their connections as idle.
SIM = {"idle_close": "0s"}
WORDS = "one two three four five six seven eight"


class Watch:
    """Looks at a running child: memory, and the CPU of each thread (the records leave out those that no verdict needs)."""

    def __init__(self):
        self.samples = []           # [(monotonic_ns, {"name/tid": cpu_ns})]
        self.anonymous = []         # [(monotonic_ns, bytes of RssAnon)]
        self.peaks = []             # [(monotonic_ns, VmHWM bytes)]
        self._cpu_ns, self._next = {}, 0.0

    def __call__(self, pid):
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SAMPLE_EVERY_S
        memory = programs.process_memory(pid)
        self.anonymous.append((time.monotonic_ns(), memory.get("RssAnon", 0)))
        self.peaks.append((time.monotonic_ns(), memory.get("VmHWM", 0)))
        for task in _tasks(pid):
            with contextlib.suppress(OSError, ValueError, IndexError):
                name = (task / "comm").read_text().strip()
                self._cpu_ns[f"{name}/{task.name}"] = int((task / "schedstat").read_text().split()[0])
        self.samples.append((time.monotonic_ns(), dict(self._cpu_ns)))

    def peak_anonymous_bytes(self, until_ns=float("inf")):
        return max((peak for at, peak in self.anonymous if at <= until_ns), default=0)


def _tasks(pid):
    with contextlib.suppress(OSError):
        return list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    return []


@dataclasses.dataclass
class Measured:
    figures: dict
    sim_late_ms: float
    counts: dict                # what the smoke test asks for
    peak_anonymous_bytes: int = 0       # while all streams run: before the first ends and the report is made


def run(who, case, folder, *, users=0, requests=0):
    """`who`: "raw" or "ours". `users`, `requests`: in place of the case's own."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    case = dataclasses.replace(case, users=users or case.users, requests=requests or case.requests)
    return (_raw if who == "raw" else _ours)(case, folder)


def raw_options(case, port):
    options = {"port": port, "from": case.window[0], "to": case.window[1]}
    if case.users:
        options.update(streams=case.users, tokens=case.tokens, requests=case.planned or None,
                       duration=case.duration or None, cut=case.cut)
    if case.open:
        part = case.open
        options.update({"rate": part.rate, "seconds": part.seconds, "rate-tokens": part.tokens,
                        "poisson": part.pattern == "poisson", "spin": case.spin, "delay": part.delay})
    options["unary"] = not case.stream
    options["no-samples"] = case.kind != "load"
    return options


def _raw(case, folder):
    watch = Watch()
    truth = folder / "truth" if "ttft_added_p99_ms" in case.figures else None
    with programs.start_sim({**SIM, **case.sim}, truth=truth) as sim:
        argv = [programs.program("rawreader"), *programs.flags_of(raw_options(case, sim.port))]
        done = programs.run_program(argv, folder, watch=watch).require(0)
    raw = json.loads(done.out)
    server_ttft = truth_log.server_ttft(truth) if truth else ()
    return Measured(figures.of_raw(case, raw, server_ttft), sim.lateness_ms.get("p99", 0.0), raw, watch.peak_anonymous_bytes())


def certificates(folder):
    subprocess.run(["sh", programs.ROOT / "tests" / "tls" / "certificates.sh", folder], check=True)
    return folder


def sim_options(case, folder):
    """For ours: with the transport of the case."""
    options = {**SIM, **case.sim}
    if case.transport == "tls":
        made = certificates(folder)
        options.update(tls_cert=made / "good.pem", tls_key=made / "good.key")
    return options


def target_text(case, url, folder):
    more = ""
    if case.transport == "tls":
        more = f", tls: {{ca_file: {folder / 'ca.pem'}}}"
    elif case.transport == "http2":
        more = ", connections: {http: \"2\", streams_per_connection: 100}"
    return f"{{url: \"{url}\", timeouts: {{connect: 60s}}{more}}}"


def run_text(case, url, folder):
    """The run file of a case. Where it has a closed and an open part these are two phases that overlap, with prompts
    from a file, since only a file can ask for different lengths."""
    closed = open_ = ""
    edges = "warmup: none, cooldown: none"
    if case.users:
        how = f"requests: {case.planned}" if case.planned else f"duration: {case.duration}s"
        drain = ", drain: none" if case.open else ", drain: cancel" if case.cut else ""
        closed = f"{{name: closed, {how}, {edges}{drain}, load: {{use: concurrency, options: {{users: {case.users}}}}}}}"
    if case.open:
        part = case.open
        open_ = (f"{{name: open, duration: {part.seconds}s, {edges}, "
                 f"load: {{use: {part.pattern}, options: {{rate: {part.rate}}}}}}}")
    tokens = case.tokens if case.users else case.open.tokens
    dataset = f"{{use: synthetic, options: {{input_tokens: 8, output_tokens: {tokens}}}}}"
    if closed and open_:
        dataset = f"{{use: jsonl, options: {{file: {_prompts(case, folder)}}}}}"
    stream = "" if case.stream else "request: {stream: false}\n"
    return (f"version: 1\nname: {case.name.replace('.', '-')}\ntarget: {target_text(case, url, folder)}\nprocessor: openai\n{stream}"
            f"dataset: {dataset}\nlimits: {{io_threads: 1, spin: {'on' if case.spin else 'off'}, io: {case.io}}}\n"
            f"phases: [{', '.join(part for part in (closed, open_) if part)}]\n")


def _prompts(case, folder):
    path = folder / "prompts.jsonl"
    rows = [case.tokens] * case.planned + [case.open.tokens] * int(case.open.rate * case.open.seconds * 1.5 + 100)
    path.write_text("".join(json.dumps({"prompt": WORDS, "output_tokens": n}) + "\n" for n in rows))
    return path


def _ours(case, folder):
    watch = Watch()
    with programs.start_sim(sim_options(case, folder), truth=folder / "truth" if case.truth else None) as sim:
        ours = programs.run_ours(run_text(case, sim.url, folder), folder, watch=watch)
    records = truth_log.Records.read(ours)
    joined = truth_log.join(records, truth_log.Truth.read(folder / "truth")) if case.truth else None
    server_ttft = truth_log.server_ttft(folder / "truth") if case.truth else ()
    first_end_ns = records.begin_ns + min((r["end_ns"] for r in records.requests if "end_ns" in r), default=0)
    summary = ours.summary
    counts = {**summary["totals"], "verdict": summary["verdict"], "lines": len(records.requests),
              "joined": joined, "peak_in_flight": max((t["in_flight"] for t in records.ticks), default=0), "tokens": sum(r.get("output_tokens", 0) for r in records.requests),
              "events": sum(r.get("events", 0) for r in records.requests)}
    return Measured(figures.of_ours(case, ours, records, joined, watch, server_ttft), sim.lateness_ms.get("p99", 0.0), counts,
                    watch.peak_anonymous_bytes(first_end_ns))
