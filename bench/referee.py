"""./dev bench referee: our stamps against a packet capture that neither tokometer nor the simulator had a hand in.

    ./dev bench referee              on lo, then over a veth pair between two namespaces, GRO off and on; half a minute
    ./dev bench referee lo           one of them: lo, gro-off, gro-on

Needs a packet socket, and for veth namespaces, so mostly root. Where the machine does not allow that it says "not judged" and exits
0. Exit 1: an event is missing on one side, though the capture lost nothing. No time is asserted.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import captured
import machine
import netns
import programs
import truth

CASES = {"lo": "loopback", "gro-off": "veth between two namespaces, GRO off", "gro-on": "veth between two namespaces, GRO on"}
SIM = {"ttft": "200ms", "itl": "20ms", "ttft_spread": "20ms", "idle_close": "0s"}
NOT_ALLOWED = 3             # exit code of capture
SLACK_S = 12                # a run may last so much longer than its tokens
STOP_S = 10


class NotJudged(Exception):
    """The machine does not allow it; the text says what."""


class Capture:
    """A capture program beside a run. After stop(): `summary`, and the file holds the segments."""

    def __init__(self, interface, port, path, wrapper=()):
        self.path, self.summary = path, {}
        argv = [*wrapper, programs.program("capture"), interface, str(port), str(path)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=programs.environment(), preexec_fn=programs.in_child(None))
        if self.process.stdout.readline().strip() != "READY":
            _, said = self.process.communicate(timeout=STOP_S)
            if self.process.returncode == NOT_ALLOWED:
                raise NotJudged(said.strip())
            raise programs.ProgramFailed(f"{' '.join(argv)}: did not start: {said.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()

    def stop(self):
        out, said = self.process.communicate(timeout=STOP_S)       # its stdin ends here
        if self.process.returncode != 0:
            raise programs.ProgramFailed(f"capture: exit code {self.process.returncode}: {said.strip()}")
        self.summary = json.loads(out.splitlines()[-1])

    @property
    def is_whole(self):
        return not any(self.summary[name] for name in ("dropped", "holes", "cut_short"))


def run_text(url, options):
    return programs.run_file(url, tokens=options.tokens, load=f"{{use: concurrency, options: {{users: {options.streams}}}}}",
                             phase=f"requests: {options.streams}, warmup: none, cooldown: none", name="referee",
                             more="limits: {io_threads: 1}\n")


def measure(name, folder, options, pair=None):
    """One run with its captures. The result as it goes into the JSON file."""
    folder.mkdir(parents=True)
    inside = pair.inside if pair else lambda side: []
    host = netns.ADDRESS["server"] if pair else None
    with contextlib.ExitStack() as stack:
        sim = stack.enter_context(programs.start_sim(SIM, truth=folder / "truth", host=host, wrapper=inside("server")))
        captures = [stack.enter_context(Capture("client" if pair else "lo", sim.port, folder / "arrived", inside("client")))]
        if pair:
            captures.append(stack.enter_context(Capture("server", sim.port, folder / "left", inside("server"))))
        ours = programs.run_ours(run_text(sim.url, options), folder / "ours", wrapper=inside("client"),
                                 timeout_s=SLACK_S + 0.02 * options.tokens)
        for capture in captures:
            capture.stop()
    return judge(name, folder, ours, captures, sim.lateness_ms)


def judge(name, folder, ours, captures, lateness_ms):
    arrived = captured.Captured.read(captures[0].path, "in")
    left = captured.Captured.read(captures[1].path, "out") if len(captures) > 1 else None
    records, log = truth.Records.read(ours), truth.Truth.read(folder / "truth")
    compared = captured.compare(records, log, arrived, left)
    summary = ours.summary
    return {"name": name, "title": CASES[name], **compared.result(), "captures": [c.summary for c in captures],
            "events_a_segment": len(arrived.at) / max(1, arrived.event_segments), "simulator_late_ms": lateness_ms,
            "verdict": summary["verdict"], "wrong": faults(compared, captures, summary)}


def faults(compared, captures, summary):
    wrong = [f"{count} {name.replace('_', ' ')}" for name, count in compared.counts.items()
             if count and name not in ("events", "matched")]
    totals = summary["totals"]
    if totals["ok"] != totals["planned"]:
        wrong.append(f"{totals['planned'] - totals['ok']} of {totals['planned']} requests were not ok")
    if not compared.counts["matched"]:
        wrong.append("no event matched")
    if wrong and not all(capture.is_whole for capture in captures):
        wrong = [f"{fault} (the capture is not whole: nobody's fault)" for fault in wrong]
    return wrong


def is_fault(result):
    return any("nobody's fault" not in fault for fault in result["wrong"])


def lines(result):
    """The result as text."""
    if "not_judged" in result:
        return [f"{result['name']}  {result['title']}: not judged: {result['not_judged']}"]
    counts = result["counts"]
    out = [f"{result['name']}  {result['title']}   [{counts['matched']:,} of {counts['events']:,} events matched, "
           f"{sum(c['dropped'] for c in result['captures'])} packets dropped, {result['events_a_segment']:.2f} events a segment]",
           f"  {'us':38}{'n':>9}{'min':>10}{'p50':>10}{'p99':>10}{'p99.9':>10}{'max':>10}"]
    for key, label in captured.DIFFERENCES.items():
        values = result["differences_ns"].get(key)
        if values:
            cells = "".join(f"{values[name] / 1000:>10,.1f}" for name in ("min", "p50", "p99", "p999", "max"))
            out.append(f"  {label:38}{values['n']:>9,}{cells}")
    return out + [f"  ! {fault}" for fault in result["wrong"]]


def run_case(name, folder, options):
    try:
        if name == "lo":
            return measure(name, folder, options)
        with netns.Pair() as pair:
            reason = pair.offload("client", "gro", name == "gro-on")
            if reason:
                raise NotJudged(f"GRO cannot be switched: {reason}")
            return measure(name, folder, options, pair)
    except (NotJudged, netns.NotAllowed) as reason:
        return {"name": name, "title": CASES[name], "not_judged": str(reason), "wrong": []}


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev bench referee", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="lo, gro-off, gro-on [all]")
    parser.add_argument("--streams", type=int, default=300, help="at the same time [300]")
    parser.add_argument("--tokens", type=int, default=200, help="of each stream, 20 ms apart [200]")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes [bench/results/referee-TIME.json]")
    parser.add_argument("--keep", action="store_true", help="leave the captures and runs where they are, and say where")
    options = parser.parse_args(argv)
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case {unknown[0]!r}; there are {', '.join(CASES)}")
    if not 1 <= options.streams <= 5000 or not 1 <= options.tokens <= 1000:
        parser.error("1 to 5,000 streams, 1 to 1,000 tokens")
    return options


def publish(path, result):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def main(argv):
    options = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))      # so that namespaces go in any case
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tokometer-referee-"))
    results = []
    try:
        about = machine.describe()
        print(machine.headline(about) + f"\n{options.streams} streams, a token each 20 ms, {options.tokens} tokens\n", flush=True)
        for name in CASES:
            if not options.cases or name in options.cases:
                results.append(run_case(name, folder / name, options))
                print("\n".join(lines(results[-1])) + "\n", flush=True)
    except programs.ProgramFailed as error:
        print(f"referee: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    path = options.json or pathlib.Path(__file__).parent / "results" / f"referee-{time.strftime('%Y%m%dT%H%M%S')}.json"
    publish(path, {"machine": about, "streams": options.streams, "tokens": options.tokens, "cases": results})
    print(path)
    return 1 if any(is_fault(result) for result in results) else 0
