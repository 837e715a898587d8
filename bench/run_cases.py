"""The main part of ./dev bench: cases, in blocks, to a table and a JSON file."""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time

import blocks as block_logic
import cases as all_cases
import figures
import machine
import measure
import programs
import table

HICCUP_S = 3


def say(text):
    print(text, file=sys.stderr, flush=True)


def arguments(argv):
    parser = argparse.ArgumentParser(prog="./dev bench", description="How exact and how costly is tokometer, beside the "
                                     "simplest reader there can be? Cases: " + " ".join(c.name for c in all_cases.CASES))
    parser.add_argument("cases", nargs="*", metavar="CASE")
    parser.add_argument("--blocks", type=int, default=5, help="blocks a case [5]")
    parser.add_argument("--more", type=int, default=2, help="blocks beyond these, in place of noisy ones [2]")
    parser.add_argument("--seed", type=int, default=1, help="of the order inside the blocks [1]")
    parser.add_argument("--scale", type=float, default=1 / 50, help="of M2: share of 1,000,000 requests [1/50]")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes [bench/results/TIME.json]")
    parser.add_argument("--keep", action="store_true", help="keep run directories and truth logs, and say where")
    parser.add_argument("--list", action="store_true", help="name the cases and end")
    return parser.parse_args(argv)


def list_cases():
    for case in all_cases.CASES:
        print(f"{case.name:11} {case.title}")
    for name, module in all_cases.ELSEWHERE.items():
        print(f"{name:11} ./dev bench {module}")


class CaseRun:
    """One case through its blocks. Whatever happens, `result()` tells what was measured so far."""

    def __init__(self, case, folder, options):
        self.case, self.folder, self.options = case, folder, options
        self.blocks, self.faults = [], []

    def run(self):
        wanted = self.case.blocks or self.options.blocks
        for number in range(wanted + (0 if self.case.blocks else self.options.more)):
            if number >= wanted and len(self.good()) >= wanted:
                return
            begin = time.monotonic()
            self.run_block(number)
            why = self.noise(self.blocks[-1])
            say(f"  {self.case.name} block {number + 1} of {wanted}: {time.monotonic() - begin:.0f} s"
                f"{'; noisy: ' + '; '.join(why) if why else ''}")

    def run_block(self, number):
        folder = self.folder / f"{self.case.name}-{number}"
        block = block_logic.Block(self.hiccup(folder))
        self.blocks.append(block)
        block.order = block_logic.shuffled_order(self.options.seed, number, self.case.runs)
        for at, who in enumerate(block.order):
            self.run_one(block, who, folder / f"{at}-{who}")
        if not self.options.keep:
            shutil.rmtree(folder, ignore_errors=True)

    def hiccup(self, folder):
        """How calm the machine is; memory does not ask."""
        if self.case.kind != "load":
            return {}
        return programs.run_hiccup(HICCUP_S, folder / "hiccup", cores=(programs.CLIENT_CORE, programs.SERVER_CORE))

    def run_one(self, block, who, folder):
        if self.case.kind == "load":
            done = measure.run(who, self.case, folder)
            block.sim_late_ms.append(done.sim_late_ms)
            values = done.figures
            self.note_faults(who, done)
        else:
            values = MEMORY[self.case.kind](self, who, folder)
        (block.raw if who == "raw" else block.ours).append(values)
        if not self.options.keep:
            shutil.rmtree(folder, ignore_errors=True)

    def note_faults(self, who, done):
        """A figure of a run that lost something is worth nothing; it is said, and shown all the same."""
        if who == "raw":
            wrong = {"lost_events": done.counts["lost_events"]}
        else:
            wrong = {k: done.counts[k] for k in ("failed", "cancelled", "not_issued") if k == "failed" or not self.case.cut}
            if done.counts["joined"]:
                wrong.update(done.counts["joined"].wrong)
        if any(wrong.values()):
            self.faults.append(f"{who}: " + ", ".join(f"{count:,} {name}" for name, count in wrong.items() if count))

    def memory_slope(self, who, folder):
        """B a stream: peaks of anonymous memory while all streams run, at two sizes."""
        peaks = []
        for users in self.case.sizes:
            done = measure.run(who, self.case, folder / str(users), users=users)
            self.note_faults(who, done)
            if done.counts.get("peak_in_flight", users) < users:
                self.faults.append(f"{who}: at most {done.counts['peak_in_flight']:,} of {users:,} at once")
            peaks.append(done.peak_anonymous_bytes)
        low, high = self.case.sizes
        return {"bytes_per_stream": (peaks[1] - peaks[0]) / (high - low)}

    def memory_peak(self, who, folder):
        sizes = [int(self.options.scale * 1e6 / 2), int(self.options.scale * 1e6)]
        runs = []
        for requests in sizes:
            say(f"  {self.case.name}: {requests:,} requests x {self.case.tokens} tokens")
            done = measure.run(who, self.case, folder / str(requests), requests=requests)
            self.note_faults(who, done)
            runs.append(done.figures)
            shutil.rmtree(folder / str(requests), ignore_errors=True)
        small, large = runs
        slope_mb = (large["peak_rss_mb"] - small["peak_rss_mb"]) / (sizes[1] - sizes[0])
        return {**large, "bytes_per_request": slope_mb * 1e6,
                "projected_rss_mb": large["peak_rss_mb"] + max(0.0, slope_mb) * (1e6 - sizes[1])}

    def noise(self, block):
        return block_logic.noise(block, self.case.late_ms)

    def good(self):
        return [b for b in self.blocks if b.ours and not self.noise(b)]

    def result(self):
        good = self.good()
        used = good or [b for b in self.blocks if b.ours or b.raw]
        return {
            "name": self.case.name, "title": self.case.title, "blocks_used": len(good),
            "blocks_rejected": len(self.blocks) - len(good), "faults": self.faults,
            "figures": {key: dataclasses.asdict(block_logic.summarise(used, key)) for key in self.case.figures},
            "targets": {key: dataclasses.asdict(target) for key, target in self.case.targets.items()},
            "blocks": [{**dataclasses.asdict(b), "noise": self.noise(b)} for b in self.blocks],
        }


MEMORY = {"slope": CaseRun.memory_slope, "peak": CaseRun.memory_peak}


def run_all(chosen, folder, options, results):
    """Appends to `results`; keeps what was measured when it is interrupted."""
    for at, case in enumerate(chosen):
        say(f"[{at + 1}/{len(chosen)}] {case.name}  {case.title}")
        run = CaseRun(case, folder, options)
        try:
            run.run()
        except programs.ProgramFailed as failure:
            run.faults.append(str(failure))
        finally:
            if run.blocks:
                results.append(run.result())
                print("\n".join(table.case_lines(results[-1])) + "\n", flush=True)
            elif run.faults:
                say(f"{case.name}: {run.faults[-1]}")


def write_json(path, result):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    temporary.replace(path)


def main(argv):
    options = arguments(argv)
    if options.list:
        list_cases()
        return 0
    chosen, unknown = all_cases.select(options.cases)
    if unknown:
        say(f"bench: no case {', '.join(unknown)}; see ./dev bench --list")
        return 2
    for word in options.cases:
        if word.upper() in all_cases.ELSEWHERE:
            say(f"{word}: ./dev bench {all_cases.ELSEWHERE[word.upper()]}")
    if not chosen:
        return 0
    return bench(chosen, options)


def bench(chosen, options):
    about = machine.describe()
    print(machine.headline(about) + "\n", flush=True)
    if len(programs.CORES) > 1:
        os.sched_setaffinity(0, {programs.SERVER_CORE})     # this driver stays out of the client's way
    begin, results, interrupted = time.monotonic(), [], False
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tokometer-bench-"))
    try:
        run_all(chosen, folder, options, results)
    except KeyboardInterrupt:
        interrupted = True
        say("interrupted: this is what was measured")
    finally:
        if options.keep:
            say(f"run directories: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    path = options.json or pathlib.Path(__file__).parent / "results" / f"{time.strftime('%Y%m%dT%H%M%S')}.json"
    write_json(path, {"schema": "tokometer-bench-1", "machine": about, "blocks": options.blocks, "seed": options.seed,
                      "interrupted": interrupted, "cases": results})
    rejected = sum(r["blocks_rejected"] for r in results)
    total = sum(len(r["blocks"]) for r in results)
    print(f"{len(results)} cases, {total} blocks, {rejected} rejected as noisy, {time.monotonic() - begin:.0f} s. {path}")
    return 130 if interrupted else (1 if any(r["faults"] for r in results) else 0)
