"""./dev bench peers [CLIENT...]: the same loads through other people's clients, judged from the simulator's truth log.

    ./dev bench peers                                        everybody, all workloads; writes docs/comparison.md
    ./dev bench peers guidellm tokometer --workloads W1,W5   some; prints the table, writes no docs
    ./dev bench peers --resume                               goes on with a run that was interrupted

The simulator has one core, the client and all its processes the other. Each client is installed once, pinned, below
~/.cache/tokometer/bench. Results: bench/results/peers/.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import machine  # noqa: E402
from clients import everyone, judge, publish  # noqa: E402
from clients.client import Reading, Unavailable, requests_of  # noqa: E402
from clients.runner import Run, Throttle  # noqa: E402
from clients.workloads import BY_NAME, WORKLOADS  # noqa: E402
from programs import ROOT, SERVER_CORE, ProgramFailed, Sim  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "peers"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def measure(client, workload, folder):
    """One run of one client under one workload, as the JSON that is kept."""
    shutil.rmtree(folder, ignore_errors=True)
    own = folder / "client"
    own.mkdir(parents=True)
    options = {name: str(value) for name, value in workload.sim.items()}
    with Sim(options, truth=folder / "truth") as sim:
        throttle = Throttle(folder / "truth" / "truth.jsonl", workload.throttled_s) if workload.throttled_s else None
        run = Run(client.command(workload, sim.url, own), own, client.environment(), [sim.pid])
        ended = run.wait(workload.timeout_s, throttle)
    truth = judge.read_truth(folder / "truth", workload, requests_of(client, workload))
    (folder / "truth" / "truth.bin").unlink()
    try:
        reading, reason = client.read(workload, own, ended), ""
        reading.logged = reading.logged or client.log_remark(ended)
    except (Unavailable, KeyError, ValueError, TypeError) as no:
        reading, reason = Reading(logged=client.log_remark(ended)), f"no result to read: {no}"
    if ended.timed_out:
        reason = f"did not end in {workload.timeout_s:.0f} s"
    return {"client": client.name, "version": client.version, "workload": workload.name, "reason": reason,
            "code": ended.code, "wall_s": ended.wall_s, "cpu_s": ended.cpu_s, "peak_bytes": ended.peak_bytes,
            "processes": ended.processes, "first_request_s": truth.begun_s - run.begin if truth.begun_s else None,
            "reading": dataclasses.asdict(reading), "sim_lateness_ms": sim.lateness_ms, "at": now(),
            "truth": {"ttft": judge.pair(truth.ttft), "itl": judge.pair(truth.gaps), "e2e": judge.pair(truth.e2e),
                      "complete": truth.complete, "broken": truth.broken, "tokens": truth.tokens, "rate": truth.rate,
                      "most_at_once": truth.most_at_once, "start_ms": truth.start_ms,
                      "from_schedule": judge.pair(truth.from_schedule)}}


def attempt(client, workload, folder):
    try:
        client.require(workload)
        return measure(client, workload, folder)
    except Unavailable as reason:
        return {"client": client.name, "version": client.version, "workload": workload.name, "reason": str(reason)}


class Store:
    """Results on the disk, one file a run, so that an interrupted bench can go on."""

    def __init__(self, resume):
        if not resume:
            shutil.rmtree(RESULTS, ignore_errors=True)
        RESULTS.mkdir(parents=True, exist_ok=True)

    def path(self, client, workload):
        return RESULTS / f"{client.name}-{workload.name}.json"

    def get(self, client, workload):
        with open(self.path(client, workload)) as file:
            kept = json.load(file)
        return kept if kept["version"] == client.version else None

    def take(self, client, workload):
        try:
            return self.get(client, workload)
        except (OSError, ValueError, KeyError):
            return None

    def put(self, client, workload, result):
        self.path(client, workload).write_text(json.dumps(result, indent=1) + "\n")


def one_line(result):
    name = f"{result['client']:<15}{result['workload']:<9}"
    if "code" not in result:
        return f"{name}left out: {result['reason']}"
    said, true = result["reading"], result["truth"]
    errors = [judge.error(said[m] and tuple(said[m]), true[m]) for m in ("ttft", "itl", "e2e")]
    shown = "  ".join(f"{m} p99 off {e[1]:.2f}" if e else f"{m} -" for m, e in zip(("ttft", "itl", "e2e"), errors))
    remark = result["reason"] or said["marked"] or said["logged"]
    return (f"{name}{result['wall_s']:6.1f} s  cpu {result['cpu_s']:6.1f} s  {shown}  "
            f"ok {said['ok']}/{true['complete']}  exit {result['code']}  {remark}")


def bench(clients, workloads, store):
    results, left_out = [], {}
    for client in clients:
        try:
            client.install()
        except Unavailable as reason:
            left_out[client.name] = str(reason)
            print(f"{client.name:<15}left out: {reason}", flush=True)
            continue
        for workload in workloads:
            result = store.take(client, workload)
            if not result:
                result = attempt(client, workload, RESULTS / "now")
                store.put(client, workload, result)
            results.append(result)
            print(one_line(result), flush=True)
    return results, left_out


def chosen(names, known, what):
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"peers: unknown {what} \"{unknown[0]}\"; there are: {' '.join(known)}")
    return [known[name] for name in names]


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev bench peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", help="some of: " + " ".join(c.name for c in everyone()))
    parser.add_argument("--workloads", default="", help="some of: " + " ".join(BY_NAME) + ", comma separated")
    parser.add_argument("--resume", action="store_true", help="keep the results of an interrupted run")
    return parser.parse_args(argv)


def main(argv):
    signal.signal(signal.SIGTERM, signal.default_int_handler)     # so that a client's processes are cleared then, too
    try:
        return run(parse(argv))
    except KeyboardInterrupt:
        print("peers: interrupted; --resume goes on", file=sys.stderr)
        return 130
    except ProgramFailed as failed:
        print(f"peers: {failed}", file=sys.stderr)
        return 1


def run(options):
    known = {client.name: client for client in everyone()}
    clients = chosen(options.clients, known, "client") or list(known.values())
    workloads = chosen(list(filter(None, options.workloads.split(","))), BY_NAME, "workload") or WORKLOADS
    os.sched_setaffinity(0, {SERVER_CORE})      # nothing of ours runs beside the client
    begun, clock = now(), time.monotonic()
    results, left_out = bench(clients, workloads, Store(options.resume))
    report = {"begun": begun, "ended": now(), "minutes": round((time.monotonic() - clock) / 60, 1),
              "resumed": options.resume, "machine": machine.describe(), "left_out": left_out, "results": results}
    (RESULTS / "peers.json").write_text(json.dumps(report, indent=1) + "\n")
    text = publish.tables(report, clients)
    print(text)
    if len(clients) == len(known) and len(workloads) == len(WORKLOADS):
        publish.write(ROOT / "docs" / "comparison.md", text)
        print("wrote docs/comparison.md")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
