"""./dev bench verdict: is the verdict honest? A client that is held back must be found out, a calm one believed; a frozen
server must show in full; an interval must hold the truth as often as it says.

    ./dev bench verdict --runs 50            all of it: about half an hour
    ./dev bench verdict held freeze          some of it, 5 runs each
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import blocks
import freeze
import machine
import programs
import throttle
from truth import TRUTH_ROW, Records

OWN_CHECKS = [f"V{number}" for number in range(4, 10)]
TOLERANCE = 0.02
JUDGED = ("p95", "p99")     # below, a millisecond of the machine is more than 2 %: shown, not judged
SMALL = {"tokens": 20, "load": "{use: poisson, options: {rate: 200}}", "phase": "duration: 4s, warmup: 500ms, cooldown: none"}
SMALL_SIM = {"ttft": "20ms", "itl": "5ms"}
# What a quota of 20 % must stop has to want more than that: 50,000 events a second.
MANY = {"tokens": 50, "load": "{use: concurrency, options: {users: 1000}}",
        "phase": "duration: 4s, warmup: 1s, cooldown: none, drain: cancel"}
MANY_SIM = {"ttft": "20ms", "itl": "20ms", "ttft_spread": "20ms"}
SHAPE = "duration: 5s, warmup: 1s"
SHAPES = {      # loads that are no reason for a doubt: (simulator, run file)
    "think time": ({}, {"load": "{use: concurrency, options: {users: 32, think_time: 200ms}}"}),
    "ramp": ({}, {"load": "{use: concurrency, options: {users: 32, ramp_up: 2s}}"}),
    "bursts": ({}, {"load": "{use: gamma, options: {rate: 100, burstiness: 0.3}}"}),
    "adapters": ({"adapters": "a,b"}, {"load": "{use: poisson, options: {rate: 100}}", "processor": "vllm",
                                       "more": "model: {name: sim-model, adapters: [{name: a}, {name: b, weight: 3}]}\n"}),
    "one user": ({}, {"load": "synchronous"}),
}
COVERAGE = {"independent": 2000, "ar50": 2000, "ar90": 10000, "queue70": 20000}   # requests in each simulated run
COVERAGE_RUNS = 200


def say(text):
    print(text, file=sys.stderr, flush=True)


def doubts(summary):
    """{"V4": ["SUSPECT", "p99 2.3 ms"]}: all checks that are not VALID."""
    return {c["id"]: [c["grade"], c["measured"]] for c in summary["checks"] if c["grade"] != "VALID"}


def one_run(sim_options, file, folder, watch=None):
    with programs.start_sim(sim_options) as sim:
        run = programs.run_ours(programs.run_file(sim.url, **{"tokens": 20, "phase": SHAPE, **file}), folder, watch=watch)
    summary = run.summary
    shutil.rmtree(folder, ignore_errors=True)
    checks = {c["id"]: c["measured"] for c in summary["checks"] if c["id"] in OWN_CHECKS}
    return {"verdict": summary["verdict"], "doubts": doubts(summary), "checks": checks}


def is_noisy(folder):
    hiccup = programs.run_hiccup(1, folder, cores=(programs.CLIENT_CORE, programs.SERVER_CORE))
    return blocks.noise(blocks.Block(hiccup))


def count_verdicts(runs):
    return {grade: sum(r["verdict"] == grade for r in runs) for grade in ("VALID", "SUSPECT", "INVALID")}


def held(folder, options):
    """C2: a client held to 20 % of its time is INVALID, always."""
    ways = [(lambda period=period: throttle.Stopped(period), SMALL_SIM, SMALL) for period in (0.01, 0.05, 0.2)]
    missing = throttle.Quota.fault()
    if missing:
        say(f"  {missing}")
    else:
        ways.append((throttle.Quota, MANY_SIM, MANY))
    runs = []
    for number in range(options.runs):
        make, sim_options, file = ways[number % len(ways)]
        with make() as way:
            run = one_run(sim_options, file, folder / f"held-{number}", watch=way.watch)
        runs.append({**run, "way": way.name, "share": way.share})
        say(f"  held {number + 1}: {way.name}, ran {way.share or 0:.0%} of the time: {run['verdict']} {sorted(run['doubts'])}")
    counts = count_verdicts(runs)
    return {"must": "INVALID in all", "met": counts["INVALID"] == len(runs), "counts": counts, "runs": runs}


def calm(folder, options):
    """Calm runs are INVALID in at most 1 of 50. Runs of a noisy machine are counted apart."""
    runs, noisy = [], []
    for number in range(options.runs):
        noise = is_noisy(folder / "hiccup")
        run = one_run(SMALL_SIM, SMALL, folder / f"calm-{number}")
        (noisy if noise else runs).append({**run, "noise": noise})
        say(f"  calm {number + 1}: {run['verdict']} {run['doubts'] or ''} {'; '.join(noise)}")
    counts = count_verdicts(runs)
    return {"must": "INVALID in at most 1 of 50", "met": counts["INVALID"] <= max(1, len(runs) // 50) if runs else None,
            "counts": counts,
            "noisy": count_verdicts(noisy), "runs": runs, "noisy_runs": noisy}


def shapes(folder, options):
    """Loads that think, ramp, burst or mix adapters are no reason for a doubt."""
    found = {}
    for name, (sim_options, file) in SHAPES.items():
        runs = []
        for number in range(max(1, options.runs // 5)):
            noise = is_noisy(folder / "hiccup")
            runs.append({**one_run({**SMALL_SIM, **sim_options}, file, folder / f"shape-{number}"), "noise": noise})
            say(f"  {name} {number + 1}: {runs[-1]['verdict']} {runs[-1]['doubts'] or ''} {'; '.join(noise)}")
        found[name] = runs
    quiet = [r for runs in found.values() for r in runs if not r["noise"]]
    return {"must": "not SUSPECT where the machine is calm",
            "met": all(r["verdict"] == "VALID" for r in quiet) if quiet else None, "counts": count_verdicts(quiet),
            "noisy": count_verdicts([r for runs in found.values() for r in runs if r["noise"]]), "runs": found}


def freeze_end_ns(folder):
    """The instant at which most tokens were due at once: the end of the freeze."""
    data = (folder / "truth.bin").read_bytes()
    dues = collections.Counter(row[0] for row in TRUTH_ROW.iter_unpack(data[:len(data) // 32 * 32]) if row[1])
    return dues.most_common(1)[0]


def frozen_run(folder, cap):
    """One run against a server that freezes for 500 ms; reported and expected percentiles in ms."""
    ttft_ms, itl_ms, tokens, freeze_ms = 50, 10, 20, 500
    truth = folder / "truth"
    with programs.start_sim({"ttft": f"{ttft_ms}ms", "itl": f"{itl_ms}ms",
                             "stall": json.dumps({"at": "2s", "for": f"{freeze_ms}ms"})}, truth=truth) as sim:
        text = programs.run_file(sim.url, tokens=tokens, load="{use: constant, options: {rate: 200}}",
                                 phase="duration: 5s, warmup: none, cooldown: none",
                                 more=f"limits: {{max_in_flight: {cap}}}\n" if cap else "")
        run = programs.run_ours(text, folder / "ours")
    end_ns, together = freeze_end_ns(truth)
    if together < 10:
        raise programs.ProgramFailed(f"freeze: only {together} tokens were due at its end: it fell outside the load")
    records = Records.read(run)
    end_ns -= records.begin_ns
    server = freeze.Server(ttft_ms * 10**6, itl_ms * 10**6, tokens, end_ns - freeze_ms * 10**6, end_ns)
    times = freeze.expected(server, [r["scheduled_ns"] for r in records.requests], cap)
    metrics = run.summary["phases"][0]["metrics"]
    rows = {}
    for at, name in enumerate(("ttft", "e2e")):
        for per_cent in (50, 90, 95, 99):
            want = freeze.percentile([t[at] for t in times], per_cent)
            got = metrics[f"{name}_sched"][f"p{per_cent}"]
            rows[f"{name} p{per_cent}"] = {"reported_ms": got / 1e6, "expected_ms": want / 1e6, "off": abs(got - want) / want}
    counts = run.summary["totals"]
    shutil.rmtree(folder, ignore_errors=True)
    worst = max(row["off"] for name, row in rows.items() if name.split()[1] in JUDGED)
    return {"cap": cap, "rows": rows, "worst": worst, "ok": counts["ok"], "planned": counts["planned"],
            "sent_p95_ms": metrics["ttft_sent"]["p95"] / 1e6}


def worst_of(runs):
    return {"runs": len(runs), "worst": max((r["worst"] for r in runs), default=0.0)}


def frozen(folder, options):
    """C1: a server frozen for 500 ms at 200 requests/s shows in the percentiles from schedule, with and without a cap."""
    runs = []
    for number in range(max(2, options.runs // 5)):
        noise = is_noisy(folder / "hiccup")
        run = {**frozen_run(folder / f"freeze-{number}", cap=60 if number % 2 else None), "noise": noise}
        runs.append(run)
        ttft = run["rows"]["ttft p95"]
        say(f"  freeze {number + 1}: cap {run['cap'] or 'none'}: TTFT p95 {ttft['reported_ms']:.1f} ms, expected "
            f"{ttft['expected_ms']:.1f}, from send {run['sent_p95_ms']:.1f}; worst off {run['worst']:.2%} {'; '.join(noise)}")
    quiet, noisy = ([r for r in runs if bool(r["noise"]) == state] for state in (False, True))
    return {"must": "p95 and p99 within 2 %",
            "met": all(r["worst"] <= TOLERANCE and r["ok"] == r["planned"] for r in quiet) if quiet else None,
            "counts": worst_of(quiet), "noisy": worst_of(noisy), "runs": runs}


def coverage(folder, options):
    """S1: the 95 % interval of p99 holds the truth in 92 to 98 % of simulated runs, dependent ones too."""
    found = {}
    for kind, requests in COVERAGE.items():
        found[kind] = programs.run_json_program("coverage", [kind, COVERAGE_RUNS, requests, options.seed], folder / kind,
                                                core=None)
        given = found[kind]["runs"] - found[kind]["absent"]
        found[kind]["share"] = found[kind]["covered"] / given if given else None
        say(f"  {kind}: {found[kind]['covered']} of {given} intervals hold the truth, {found[kind]['absent']} runs gave none")
    shares = [f["share"] for f in found.values()]
    return {"must": "92 to 98 %", "met": all(s is not None and 0.92 <= s <= 0.98 for s in shares),
            "counts": {kind: f["share"] for kind, f in found.items()}, "runs": found}


MET = {True: "met", False: "NOT met", None: "not judged, no calm moment was found"}
CASES = {"held": held, "calm": calm, "shapes": shapes, "freeze": frozen, "coverage": coverage}


def shown(counts):
    return ", ".join(f"{name} {value:.1%}" if isinstance(value, float) else f"{name} {value}" for name, value in counts.items())


def arguments(argv):
    parser = argparse.ArgumentParser(prog="./dev bench verdict", description="Is the verdict honest? Cases: " + "; ".join(
        f"{name}: {case.__doc__.rstrip('.')}" for name, case in CASES.items()))
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--runs", type=int, default=5, help="held and calm runs; a fifth of it of each shape [5]")
    parser.add_argument("--seed", type=int, default=1, help="of the simulated runs [1]")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes [bench/results/verdict-TIME.json]")
    return parser.parse_args(argv)


def main(argv):
    options = arguments(argv)
    unknown = [name for name in options.cases if name not in CASES]
    if unknown or options.runs < 1:
        say(f"bench verdict: no case {', '.join(unknown)}" if unknown else "bench verdict: --runs must be 1 or more")
        return 2
    about = machine.describe()
    print(machine.headline(about), flush=True)
    if len(programs.CORES) > 1:
        os.sched_setaffinity(0, {programs.SERVER_CORE})     # this driver stays out of the client's way
    results, faults = {}, []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tokometer-verdict-"))
    try:
        for name in options.cases or CASES:
            say(f"{name}: {CASES[name].__doc__}")
            try:
                results[name] = CASES[name](folder, options)
            except programs.ProgramFailed as failure:
                faults.append(f"{name}: {failure}")
                continue
            result = results[name]
            print(f"{name:9} must: {result['must']}: {MET[result['met']]}   {shown(result['counts'])}"
                  + (f"   noisy machine: {shown(result['noisy'])}" if "noisy" in result else ""), flush=True)
    except KeyboardInterrupt:
        faults.append("interrupted")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    path = options.json or pathlib.Path(__file__).parent / "results" / f"verdict-{time.strftime('%Y%m%dT%H%M%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": "tokometer-bench-verdict-1", "machine": about, "runs": options.runs,
                                "faults": faults, "cases": results}, indent=1) + "\n")
    for fault in faults:
        say(f"! {fault}")
    print(path)
    return 1 if faults or any(result["met"] is False for result in results.values()) else 0
