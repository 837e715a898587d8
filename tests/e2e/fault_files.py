"""Every case file of tests/faults, played on 1 of 10 connections: it ends in its class, and the other 9 are unhurt.

A case file is the simulator's script (sim/script.hpp). Its `expect` lines, which the simulator skips, say what must come:
  expect CLASS [+flag ...]     "ok" or a class of failure; a closing * stands for any ending; all flags, `coalesced` aside
  expect text "..."            the text that the client must have read, by checksum
  expect events N              token events
  expect with KEY=VALUE        a --set for the run
The number in a file's name is its row in docs/internals/outcomes.md, where there is one.
"""

import ast
import concurrent.futures
import re
import shutil

from harness import ROOT, Case, crc32c, main, run_text

FILES = sorted((ROOT / "tests" / "faults").glob("*.case"))
REQUESTS = 10
BYTE_CUT_LIMIT = 100_000     # bytes; a longer case is not sent byte by byte


def read_expectation(path):
    cls, flags, text, events, sets = None, set(), None, None, []
    for line in path.read_text().splitlines():
        if not line.startswith("expect "):
            continue
        word, _, rest = line[len("expect "):].partition(" ")
        if word == "text":
            text = ast.literal_eval("b" + rest)
        elif word == "events":
            events = int(rest)
        elif word == "with":
            sets.append(rest)
        else:
            cls, flags = word, {w[1:] for w in rest.split()}
    return cls, flags, text, events, sets


def played_bytes(path):
    total = 0
    for line in path.read_text().splitlines():
        times = re.match(r"repeat (\d+) ", line)
        total += len(line) * (int(times[1]) if times else 1)
    return total


class FaultFiles(Case):
    def play(self, path, cut):
        """Gives what is wrong, as a list of sentences."""
        cls, flags, text, events, sets = read_expectation(path)
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--mode", "script", "--script", path, "--script-every", REQUESTS,
                       "--split", cut)
        run_name = f"{path.stem}-{cut}"
        flags_of_run = [f for s in sets for f in ("--set", s)]
        run = self.run_file(run_text(sim.url, name="fault", target="connections: {policy: fresh}",
                                     phase=f"requests: {REQUESTS}",
                                     more="limits: {error_budget: 100%, drain_timeout: 5s}\n"),
                            *flags_of_run, parent=self.tmp / run_name, name=run_name + ".yaml")
        sim.stop()
        try:
            return [f"{run_name}: {w}" for w in self.judge(run, sim, cls, flags, text, events)]
        finally:
            shutil.rmtree(self.tmp / run_name, ignore_errors=True)

    def judge(self, run, sim, cls, flags, text, events):
        if run.dir is None or run.code not in (0, 5):
            return [run.show()]
        self.assert_law(run)
        truth = sim.requests()
        hit = [r for r in run.requests if r["id"] not in truth]
        if len(run.requests) != REQUESTS or len(hit) != 1:
            return [f"{len(hit)} of {len(run.requests)} requests met the case"]
        return [*self.judge_bystanders(run, truth), *self.judge_case(hit[0], cls, flags, text, events)]

    def judge_bystanders(self, run, truth):
        for record in run.requests:
            line = truth.get(record["id"])
            if line and (record["status"] != "ok" or int(record["text_crc"], 16) != line["text_crc"]):
                yield f"a bystander was hurt: {record}"

    def judge_case(self, record, cls, flags, text, events):
        got = record.get("class", "ok")
        if got != cls and not (cls.endswith("*") and got.startswith(cls[:-1])):
            yield f"class {got} in place of {cls}: {record.get('error', '')}"
        seen = set(record.get("flags", [])) - ({"coalesced"} - flags)
        if cls == "ok" and seen != flags:
            yield f"flags {sorted(seen)} in place of {sorted(flags)}"
        if cls != "ok" and not record.get("error"):
            yield "a failure without a message"
        if text is not None and record.get("text_crc") != f"{crc32c(text):08x}":
            yield f"another text: {record.get('text_crc')} in place of {crc32c(text):08x}"
        if events is not None and record.get("events", 0) != events:
            yield f"{record.get('events', 0)} token events in place of {events}"
        gaps, coalesced = record.get("gaps_us", []), record.get("coalesced", [])
        if "coalesced" in flags and not coalesced:
            yield "several events in one read are not marked"
        if any(gap < 0 for gap in gaps):
            yield "a negative gap"

    def play_all(self, cut):
        self.assertGreater(len(FILES), 150)
        files = [f for f in FILES if cut != "byte" or played_bytes(f) < BYTE_CUT_LIMIT]
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            wrong = [w for found in pool.map(lambda f: self.play(f, cut), files) for w in found]
        self.assertFalse(wrong, f"{len(wrong)} of {len(files)}:\n" + "\n".join(wrong))

    def test_whole(self):
        self.play_all("whole")

    def test_bytes(self):
        self.play_all("byte")

    def test_seeded(self):
        self.play_all("seeded")


if __name__ == "__main__":
    main()
