"""./dev bench budget: how many instructions of user space do a token and a request cost, and did that grow?

valgrind counts them (callgrind), so neither the machine's speed nor other work on it matters. Each case is run in two
sizes against a simulator of its own, and the figure is the difference quotient: start, preflight and end cancel out.
The budget is bench/budget.json. The exit code is 1 when a figure is more than 5 % above it.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import platform
import subprocess
import sys
import tempfile

import callgrind
import programs

BUDGET = pathlib.Path(__file__).with_name("budget.json")
TOLERANCE = 0.05
COALESCED = 1.1          # events a read; above, a token is cheaper than one that comes alone
PATIENT = "timeouts: {connect: 60s, headers: 60s, first_token: 60s, idle: 60s, total: 300s}"
ONE_THREAD = "limits: {io_threads: 1, spin: off}\n"      # whatever the machine has
# libc picks "rep stosb" by the size of the processor's caches, and valgrind counts each byte of it as an instruction.
TUNABLES = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000"

IO_THREAD = "tokometer::Worker::Loop::turn("
WRITER_THREAD = "tokometer::WriterThread::write_items("
EVERY_SECOND = "tokometer::Worker::Loop::send_tick("
TICK_LINES = "tokometer::WriterThread::write(tokometer::TickLine"
TURN, ALARMS = IO_THREAD, "tokometer::Worker::Loop::serve_context("
WAIT, SERVE = "tokometer::Poller::wait(", "tokometer::Poller::serve_events("
RECEIVE, TAKE = "tokometer::Receiver::receive(", "tokometer::Connection::take_bytes("
HTTP, BODY, HEAD = "tokometer::Http1Reader::feed(", "tokometer::Exchange::on_body(", "tokometer::Exchange::on_head("
PLUGIN = "tkm::plugin_detail::ProcessorCalls<standard::(anonymous namespace)::OpenAi>::data("
EVENT, DELTA, TOKEN = "tkm::JsonReply<tkm::OpenAiReply>::event(", "tokometer::ResponseEvents::delta(", "tokometer::ResponseEvents::token_event("
ENCODE, BODY_JSON = "tokometer::RequestEncoder::encode(", "tokometer::Processor::encode("
DISPATCH, SEND = "tokometer::LoadDriver::dispatch(", "tokometer::Exchange::send("
ALL = None               # the whole thread


@dataclasses.dataclass(frozen=True)
class Figure:
    """Instructions inside `of`, without those inside `but` (functions that it calls), of one thread of one case."""
    text: str
    of: str
    but: tuple = ()
    thread: str = IO_THREAD
    key: str = ""
    per: str = ""            # by the calls of this function instead of by the case's units
    unit: str = ""           # then: what one such call is

    def count(self, profile):
        if self.of is not ALL and not profile.calls(self.of):
            raise LookupError(f'"{self.text}": nothing that was called begins with {self.of}: is its name in bench/budget.py still right?')
        whole = profile.total if self.of is ALL else profile.inclusive(self.of)
        return whole - sum(profile.inclusive(name) for name in self.but)


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    unit: str                 # what the figures are per
    sim: dict
    load: str
    sizes: tuple              # two of (requests, tokens of each)
    units: tuple              # how many units each size has
    figures: tuple
    parts: tuple              # shown by --parts only


TOKENS = Case(
    "token", "token event", {"mode": "fixed", "ttft": "50ms", "ttft-spread": "10ms", "itl": "10ms"},
    "{use: concurrency, options: {users: 8}}", ((40, 100), (40, 300)), (40 * 100, 40 * 300),
    (Figure("parse + record", TAKE, key="token_parse_record"),
     Figure("poller to record: receive, parse + record", SERVE, key="token_poller_to_record"),
     # An early or late token changes how many turns there are, not what one costs.
     Figure("what is due, waiting", TURN, (ALARMS, SERVE), key="turn_of_loop", per=TURN, unit="turn of the loop")),
    (Figure("turn of the loop: what is due", TURN, (ALARMS, WAIT)),
     Figure("waiting for sockets", WAIT, (SERVE,)),
     Figure("from the poller to the connection", SERVE, (RECEIVE, TAKE)),
     Figure("receive, with its stamps", RECEIVE),
     Figure("begin and end of a read: lag, flags", TAKE, (HTTP,)),
     Figure("HTTP framing", HTTP, (BODY,)),
     Figure("call into the plugin", BODY, (PLUGIN,)),
     Figure("SSE lines", PLUGIN, (EVENT,)),
     Figure("JSON by shape", EVENT, (DELTA,)),
     Figure("record: count, CRC, time", DELTA)))

REQUESTS = Case(
    "request", "request of 1 token", {"mode": "instant"}, "{use: concurrency, options: {users: 16}}",
    ((1000, 1), (3000, 1)), (1000, 3000),
    (Figure("I/O thread", ALL, (EVERY_SECOND,), key="request_io_thread"),
     Figure("writer thread", WRITER_THREAD, (TICK_LINES,), WRITER_THREAD, "request_writer_thread")),
    (Figure("pattern, cap, sample; loop and waiting", ALL, (EVERY_SECOND, DISPATCH, SERVE)),
     Figure("taking a sample to its exchange", DISPATCH, (ENCODE, SEND)),
     Figure("request body by the plugin", BODY_JSON),
     Figure("request head, checks", ENCODE, (BODY_JSON,)),
     Figure("connection and send", SEND),
     Figure("poller, receive", SERVE, (TAKE,)),
     Figure("end: record handed over, idle connection", TAKE, (HTTP,)),
     Figure("HTTP framing and fields", HTTP, (BODY, HEAD)),
     Figure("head to the exchange", HEAD),
     Figure("SSE lines, call into the plugin", BODY, (EVENT,)),
     Figure("JSON of three events", EVENT, (DELTA,)),
     Figure("record: count, CRC, time", DELTA)))
CASES = (TOKENS, REQUESTS)


def profile_run(case, size, folder):
    """One run under callgrind: {thread: its Profile}."""
    requests, tokens = size
    wrapper = ["env", TUNABLES, "valgrind", "-q", "--tool=callgrind", "--separate-threads=yes",
               f"--callgrind-out-file={folder}/callgrind.out"]
    with programs.start_sim(case.sim) as sim:
        run_file = programs.run_file(sim.url, load=case.load, phase=f"requests: {requests}", tokens=tokens, target=PATIENT,
                                     more=ONE_THREAD)
        run = programs.run_ours(run_file, folder, wrapper=wrapper, timeout_s=120)
    totals = run.summary["totals"]
    if totals["ok"] != requests:
        raise programs.ProgramFailed(f"{case.name}: {totals['ok']} of {requests} requests were ok: {totals}")
    return {thread: callgrind.thread_with(folder.glob("callgrind.out-*"), thread) for thread in (IO_THREAD, WRITER_THREAD)}


def per_unit(few, many, units):
    """The slope between two sizes."""
    return (many - few) / (units[1] - units[0])


def slope(figure, case, profiles):
    few, many = (profile[figure.thread] for profile in profiles)
    units = (few.calls(figure.per), many.calls(figure.per)) if figure.per else case.units
    return per_unit(figure.count(few), figure.count(many), units)


def events_a_read(profiles):
    events, reads = ([p[IO_THREAD].calls(name) for p in profiles] for name in (TOKEN, TAKE))
    return (events[1] - events[0]) / max(reads[1] - reads[0], 1)


def made_with():
    """What the figures depend on beside the source. Not the processor."""
    cache = programs.BIN.parent / "CMakeCache.txt"
    settings = dict(line.split("=", 1) for line in cache.read_text().splitlines() if "=" in line) if cache.exists() else {}
    compiler = settings.get("CMAKE_CXX_COMPILER:FILEPATH") or settings.get("CMAKE_CXX_COMPILER:STRING") or "c++"
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    return {"compiler": version.splitlines()[0], "build_type": settings.get("CMAKE_BUILD_TYPE:STRING", ""),
            "architecture": platform.machine(), "libc": " ".join(platform.libc_ver())}


@dataclasses.dataclass(frozen=True)
class Line:
    key: str
    text: str
    measured: int
    budget: int            # None: not in the file

    @property
    def growth(self):
        return None if not self.budget else self.measured / self.budget - 1

    @property
    def too_much(self):
        return bool(self.budget) and self.measured - self.budget > TOLERANCE * self.budget


def compare(texts, measured, budget):
    return [Line(key, texts[key], value, budget.get(key)) for key, value in measured.items()]


def table(lines):
    rows = [f"{'instructions of user space':<58}{'measured':>10}{'budget':>10}{'change':>9}"]
    for line in lines:
        known = line.growth is not None
        rows.append(f"{line.text:<58}{line.measured:>10,}" + (f"{line.budget:>10,}{line.growth:>+9.1%}" if known else
                    f"{'none':>10}") + ("  !" if line.too_much else ""))
    return "\n".join(rows)


def parts_table(case, profiles):
    counts = [(figure.text, slope(figure, case, profiles)) for figure in case.parts]
    whole = sum(count for _, count in counts)
    return "\n".join([f"a {case.unit}:", *(f"  {text:<44}{count:>9,.0f}{count / whole:>7.0%}" for text, count in counts)])


def differences(here, there):
    return [f"{name} {here.get(name)}, the budget's {there.get(name)}" for name in here if here[name] != there.get(name)]


def judge(lines, here, budget):
    """What is said below the table, and the exit code."""
    other = differences(here, budget.get("made_with", {}))
    grown = [line.text for line in lines if line.too_much]
    if other:
        return "not comparable, so nothing fails: " + "; ".join(other), 0
    if grown:
        return f"over the budget by more than {TOLERANCE:.0%}: {', '.join(grown)}. If it must be: --update", 1
    shrunk = [line.text for line in lines if line.growth is not None and line.growth < -TOLERANCE]
    return (f"smaller now: {', '.join(shrunk)}. Keep it: --update" if shrunk else "within the budget"), 0


def measure(case, folder, with_parts):
    profiles = []
    for size in case.sizes:
        print(f"budget: {case.name}: {size[0]:,} requests, {size[1]} tokens each", file=sys.stderr)
        profiles.append(profile_run(case, size, folder / f"{case.name}-{size[0]}x{size[1]}"))
    if case is TOKENS and (together := events_a_read(profiles)) > COALESCED:
        print(f"{together:.2f} events a read: this machine was busy, and tokens that come together are cheaper")
    if with_parts:
        print(parts_table(case, profiles) + "\n")
    return {figure.key: round(slope(figure, case, profiles)) for figure in case.figures}


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="./dev bench budget", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="make what is measured the budget")
    parser.add_argument("--parts", action="store_true", help="also show where the instructions go")
    parser.add_argument("--keep", metavar="FOLDER", help="leave callgrind's files there, for callgrind_annotate")
    return parser.parse_args(argv)


def main(argv):
    arguments = parse_arguments(argv)
    keep = contextlib.nullcontext(arguments.keep) if arguments.keep else tempfile.TemporaryDirectory(prefix="budget-")
    texts = {figure.key: f"per {figure.unit or case.unit}: {figure.text}" for case in CASES for figure in case.figures}
    budget = json.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    measured = {}
    with keep as folder:
        try:
            for case in CASES:
                measured |= measure(case, pathlib.Path(folder), arguments.parts)
        except (programs.ProgramFailed, LookupError, OSError) as failed:
            print(f"budget: {failed}", file=sys.stderr)
            return 2
    lines, here = compare(texts, measured, budget.get("figures", {})), made_with()
    print(table(lines))
    if arguments.update:
        BUDGET.write_text(json.dumps({"made_with": here, "figures": measured}, indent=2) + "\n")
        print(f"written: {BUDGET}")
        return 0
    sentence, code = judge(lines, here, budget)
    print(sentence)
    return code
