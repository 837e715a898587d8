"""What the run file's keys do: phases, datasets, traces, plans."""

import gzip
import json
import os
import re

from harness import ROOT, Case, Run, main, run_text


def by_status(run, status):
    return [r for r in run.requests if r["status"] == status]


class Phases(Case):
    """Warm-up, window, cool-down, drain, one phase after another."""

    def fast(self, *flags):
        return self.sim("--ttft", "2ms", "--itl", "1ms", *flags)

    def test_two_phases(self):
        sim = self.fast()
        for drain in ("wait", "none", "cancel"):
            with self.subTest(drain):    # the second phase begins with or after the first one's end
                text = run_text(sim.url, load="{use: constant, options: {rate: 50}}", phase="requests: 30",
                                ).replace("phases: [", f"phases: [{{name: first, duration: 500ms, warmup: none, cooldown: none, drain: {drain}}}, ")
                run = self.run_ok(text)
                self.assertEqual([p["phase"] for p in run.summary["phases"]], ["first", "main"])
                count = {p: sum(r["phase"] == p for r in run.requests) for p in ("first", "main")}
                self.assertEqual(count["main"], 30)
                self.assertTrue(20 <= count["first"] <= 30, count)
                events = [(line["phase"], line["event"]) for line in run.lines if line["t"] == "phase"]
                for phase in ("first", "main"):
                    self.assertEqual([e for p, e in events if p == phase], ["begin", "load_end", "end"])
                self.assertLess(events.index(("first", "load_end")), events.index(("main", "begin")))
                if drain != "none":
                    self.assertLess(events.index(("first", "end")), events.index(("main", "begin")))

    def measured(self, warmup, cooldown="none", phase="requests: 50"):
        sim = self.fast()
        text = run_text(sim.url, load="{use: constant, options: {rate: 50}}", phase=phase)
        run = self.run_ok(text.replace("warmup: none", f"warmup: {warmup}").replace("cooldown: none", f"cooldown: {cooldown}"))
        return run, run.summary["phases"][0]["metrics"]["ttft_sent"]["count"]

    def test_warmup(self):
        self.assertEqual(self.measured("none")[1], 50)
        self.assertEqual(self.measured("10")[1], 40)
        run, count = self.measured("500ms")
        self.assertTrue(20 <= count <= 30, count)
        run, count = self.measured("auto", phase="duration: 1s")
        self.assertTrue(1 <= count <= 50, count)

    def test_cooldown(self):
        run, count = self.measured("none", "none", "duration: 1s")
        self.assertEqual(len(run.requests), count)
        # the load goes on until the window's requests have ended, at most so long
        sim = self.fast("--ttft", "400ms")
        text = run_text(sim.url, load="{use: constant, options: {rate: 100}}", phase="duration: 500ms")
        for cooldown, least, most in (("none", 49, 51), ("100ms", 59, 61), ("5s", 85, 250), ("auto", 85, 250), ("7", 56, 57)):
            with self.subTest(cooldown):
                run = self.run_ok(text.replace("cooldown: none", f"cooldown: {cooldown}"))
                self.assertTrue(least <= len(run.requests) <= most, len(run.requests))
                self.assertTrue(49 <= run.summary["phases"][0]["metrics"]["ttft_sent"]["count"] <= 50)


class Datasets(Case):
    """From a file to requests: what the records say was asked."""

    def asked(self, dataset, requests, **sections):
        sim = self.sim("--ttft", "1ms", "--itl", "100us")
        run = self.run_ok(run_text(sim.url, dataset=dataset, phase=f"requests: {requests}", **sections))
        records = sorted((r for r in run.requests), key=lambda r: r["seq"])
        self.assertEqual(len(sim.requests()), requests, run.show())
        return run, [r.get("asked_output_tokens") for r in records]

    def test_answers_give_lengths_and_filters_count(self):
        turns = "{{\"conversations\":[{{\"from\":\"human\",\"value\":\"{}\"}},{{\"from\":\"gpt\",\"value\":\"{}\"}}]}}"
        rows = [turns.format("q" * 40, "a" * n) for n in (8, 40, 80, 9000)]
        path = self.tmp / "s.json.gz"
        path.write_bytes(gzip.compress(("[" + ",\n".join(rows) + "]").encode()))
        run, asked = self.asked(f"{{use: sharegpt, options: {{file: {path}}}, rows: {{filter: vllm}}}}", 4)
        self.assertEqual(asked, [10, 20, 10, 20])
        self.assertIn("filter vllm left out 2 of 4 rows (min_output 1, max_total 1)", run.out)
        _, asked = self.asked(f"{{use: sharegpt, options: {{file: {path}}}}}", 4, request="{output_tokens: 3}")
        self.assertEqual(asked, [3, 3, 3, 3])

    def test_trace_lengths(self):
        path = self.write("t.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,374,4\n"
                                   "2023-11-16 18:17:04.0319600,96,9\n")
        run, asked = self.asked(f"{{use: azure, options: {{file: {path}}}}}", 2)
        self.assertEqual(asked, [4, 9])
        counted = [r["prompt_tokens"] for r in sorted(run.requests, key=lambda r: r["seq"])]
        self.assertEqual(counted, [374, 96])     # the simulator's template and nonce are counted off

    def test_damaged_archive(self):
        path = self.tmp / "p.txt.gz"
        path.write_bytes(gzip.compress(os.urandom(99).hex().encode())[:60])
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", dataset=f"{{use: text, options: {{file: {path}}}}}"))
        code, _, err = self.tokometer("run", file)
        self.assertEqual(code, 2, err)
        self.assertIn("p.txt.gz: ends inside its gzip data (byte 60 of the file)", err)


class Keys(Case):
    """What keys of the run file do, as the records show it."""

    def fast(self, *flags):
        return self.sim("--ttft", "2ms", "--itl", "1ms", *flags)

    def test_gates(self):
        sim = self.fast()
        run = self.run_file(run_text(sim.url, more="slo: {gates: [\"ttft.p50 < 1us\", \"error_ratio <= 5%\"]}\n"))
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 4, run.show())
        self.assertEqual([g["holds"] for g in run.summary["phases"][0]["gates"]], [False, True])
        self.assertIn("1 of 2 hold", run.out)

    def test_goodput(self):
        sim = self.fast("--ttft-spread", "40ms")
        run = self.run_ok(run_text(sim.url, phase="requests: 40", more="slo: {per_request: {ttft: 20ms}}\n"))
        good = sum(r["first_token_ns"] - r["scheduled_ns"] <= 20_000_000 for r in run.requests)
        self.assertTrue(0 < good < 40)
        self.assertIn(f"{good} of 40", run.out)

    def test_strict(self):
        sim = self.fast()
        file = run_text(sim.url)      # too short to be VALID
        run = self.run_file(file, "--strict")
        self.assertIn(run.summary["verdict"], ("SUSPECT", "INVALID"))
        self.assertEqual(run.code, 5)

    def test_phase_with_its_own_load(self):
        sim = self.fast()
        text = run_text(sim.url, load="{use: constant, options: {rate: 20}}", phase="duration: 500ms, load: {use: concurrency, options: {users: 3}}")
        run = self.run_ok(text)
        self.assertEqual(run.summary["phases"][0]["load"], "concurrency")

    def test_drain_cancel(self):
        sim = self.fast("--itl", "50ms")
        run = self.run_ok(run_text(sim.url, tokens=40, load="{use: constant, options: {rate: 20}}",
                                   phase="duration: 1s, drain: cancel"))
        gone = by_status(run, "cancelled")
        self.assertGreater(len(gone), 10, run.show())
        self.assertEqual({r["class"] for r in gone}, {"drain"})

    def test_drain_timeout(self):
        case = self.write("hang.case", 'head 200 text/event-stream\nhang\n')
        sim = self.sim("--ttft", "1ms", "--mode", "script", "--script", case, "--script-every", "10")
        run = self.run_ok(run_text(sim.url, target="connections: {policy: fresh}", load="{use: constant, options: {rate: 50}}",
                                   more="limits: {drain_timeout: 300ms}\n"))
        self.assertEqual([r["class"] for r in by_status(run, "cancelled")], ["drain"])

    def overload(self, policy):
        sim = self.fast("--ttft", "100ms")
        run = self.run_ok(run_text(sim.url, load="{use: constant, options: {rate: 100}}", phase="requests: 40",
                                   more=f"limits: {{max_in_flight: 2, overload: {policy}}}\n"))
        spans = [(r["sent_ns"], r["end_ns"]) for r in run.requests if "sent_ns" in r]
        for sent, _ in spans:
            self.assertLessEqual(sum(a <= sent < b for a, b in spans), 2, "max_in_flight is kept")
        self.assertNotEqual(run.summary["verdict"], "VALID")
        return run

    def test_overload_queue(self):
        run = self.overload("queue")
        self.assertEqual(run.summary["totals"]["ok"], 40)
        self.assertGreater(max(r.get("held_by_cap_ns", 0) for r in run.requests), 500_000_000)
        self.assertGreater(run.check("V15")["grade"], "")

    def test_overload_drop(self):
        run = self.overload("drop")
        dropped = by_status(run, "not_issued")
        self.assertGreater(len(dropped), 10)
        self.assertEqual({r["class"] for r in dropped}, {"overload"})

    def test_overload_block(self):
        run = self.overload("block")
        self.assertEqual(run.summary["totals"]["ok"], 40)
        self.assertLess(max(r["sent_ns"] - r["scheduled_ns"] for r in run.requests), 400_000_000, "the schedule is shifted")

    def rows(self, rows, count=6, phase="", load="{use: synchronous}", more=""):
        data = self.write("rows.jsonl", "".join(json.dumps({"prompt": f"row {i}", "output_tokens": 2}) + "\n" for i in range(count)))
        sim = self.fast()
        return self.run_file(run_text(sim.url, dataset=f"{{use: jsonl, options: {{file: {data}}}, rows: {rows}}}", load=load,
                                      phase=phase or "requests: 15", more=more))

    def samples(self, run):
        return [r["sample"] for r in sorted(run.requests, key=lambda r: r["seq"]) if "sample" in r]

    def test_rows(self):
        self.assertEqual(self.samples(self.rows("{on_end: repeat}")), [i % 6 for i in range(15)])
        self.assertEqual(self.samples(self.rows("{limit: 2}")), [i % 2 for i in range(15)])
        run = self.rows("{on_end: stop}")
        self.assertEqual(self.samples(run), list(range(6)))
        self.assert_law(run)
        shuffled = self.samples(self.rows("{order: shuffle, on_end: stop}"))
        self.assertEqual(sorted(shuffled), list(range(6)))
        self.assertNotEqual(shuffled, list(range(6)))
        self.assertEqual(shuffled, self.samples(self.rows("{order: shuffle, on_end: stop}")), "by the seed")

    def test_rows_without_phases(self):
        data = self.write("rows.jsonl", "".join(json.dumps({"prompt": f"row {i}", "output_tokens": 2}) + "\n" for i in range(6)))
        sim = self.fast()
        text = run_text(sim.url, dataset=f"{{use: jsonl, options: {{file: {data}}}, rows: {{on_end: stop}}}}", load="{use: synchronous}")
        text = "\n".join(line for line in text.splitlines() if not line.startswith("phases"))
        self.assertEqual(self.samples(self.run_ok(text)), list(range(6)))

    def test_the_end_of_the_data_is_no_request(self):
        stop = "{on_end: stop}"
        for load, phase in (("{use: concurrency, options: {users: 4}}", "requests: 50"), ("{use: throughput, options: {users: 9}}", "duration: 20s"),
                            ("{use: constant, options: {rate: 200}}", "duration: 20s")):
            with self.subTest(load):
                run = self.rows(stop, load=load, phase=phase)
                self.assert_law(run)
                self.assertEqual((run.summary["totals"]["planned"], run.summary["totals"]["ok"]), (6, 6))
        # What waits for the cap when the data end is sent all the same.
        run = self.rows(stop, load="{use: concurrency, options: {users: 4}}", phase="requests: 50", more="limits: {max_in_flight: 1}\n")
        self.assertEqual(run.summary["totals"]["ok"], 6, run.show())

    def test_rows_too_few(self):
        run = self.rows("{on_end: error}")
        self.assertEqual(run.code, 5, run.show())
        self.assertIn("set dataset.rows.on_end: repeat", run.err)
        self.assertEqual(run.summary["end"], "dataset")

    def test_bad_rows(self):
        data = self.write("bad.jsonl", '{"prompt": "a", "output_tokens": 2}\nnot json\n{"prompt": "b", "output_tokens": 2}\n')
        sim = self.fast()
        for on_bad in ("skip", "error"):
            run = self.run_file(run_text(sim.url, load="{use: synchronous}", phase="requests: 6",
                                         dataset=f"{{use: jsonl, options: {{file: {data}}}, rows: {{on_bad: {on_bad}}}}}"))
            if on_bad == "skip":
                self.assertEqual(run.summary["totals"]["ok"], 6, run.show())
            else:
                self.assertIn(run.code, (2, 5), run.show())
                self.assertIn("bad.jsonl:2", run.err + run.out + (json.dumps(run.requests) if run.dir else ""))

    def test_think_time(self):
        sim = self.fast()
        run = self.run_ok(run_text(sim.url, load="{use: concurrency, options: {users: 1, think_time: 50ms}}"))
        ordered = sorted(run.requests, key=lambda r: r["seq"])
        for before, after in zip(ordered, ordered[1:]):
            self.assertGreaterEqual(after["sent_ns"] - before["end_ns"], 50_000_000)

    def test_same_seed_same_plan(self):
        sim = self.fast()
        text = run_text(sim.url, load="{use: poisson, options: {rate: 60}}", phase="duration: 1s")
        runs = [self.run_ok(text + f"seed: {seed}\n") for seed in (5, 5, 6)]
        begins = [next(line["at_ns"] for line in run.lines if line["t"] == "phase") for run in runs]
        times = [[r["scheduled_ns"] - begin for r in sorted(run.requests, key=lambda r: r["seq"])]
                 for run, begin in zip(runs, begins)]
        self.assertEqual(times[0], times[1])
        self.assertNotEqual(times[0], times[2])
        self.assertEqual(runs[0].summary["plan_hash"], runs[1].summary["plan_hash"])
        self.assertNotEqual(runs[0].summary["plan_hash"], runs[2].summary["plan_hash"])


class Traces(Case):
    """Load `trace`: requests start when the records of the dataset say."""

    TIMES = [1000, 1000, 1003.5, 1010, 1010, 1040, 1300]     # ms

    def data(self, times):
        lines = [{"prompt": f"row {i}", "output_tokens": 2, **({} if at is None else {"at": at})} for i, at in enumerate(times)]
        return self.write("trace.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    def text(self, url, times=TIMES, options="timestamp: at, timestamp_unit: ms", rows="{on_end: stop}", load="{use: trace}", phase="duration: 5s"):
        return run_text(url, dataset=f"{{use: jsonl, options: {{file: {self.data(times)}, {options}}}, rows: {rows}}}", load=load, phase=phase)

    def scheduled(self, run):
        begins = {line["phase"]: line["at_ns"] for line in run.lines if line.get("event") == "begin"}
        return [r["scheduled_ns"] - begins[r["phase"]] for r in sorted(run.requests, key=lambda r: r["seq"])]

    def test_times_of_the_file(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        for speed in (1, 4, 0.5):
            run = self.run_ok(self.text(sim.url, load=f"{{use: trace, options: {{speed: {speed}}}}}"))
            expected = [round((at - self.TIMES[0]) * 1e6 / speed) for at in self.TIMES]
            self.assertEqual(self.scheduled(run), expected)
            self.assertEqual([r["sample"] for r in sorted(run.requests, key=lambda r: r["seq"])], list(range(7)))
            self.assertEqual(run.summary["totals"]["ok"], 7)
            self.assertNotIn("V10", [c["id"] for c in run.summary["checks"]])

    def test_window_and_phases(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        run = self.run_ok(self.text(sim.url, options="timestamp: at, timestamp_unit: ms, from: 2ms, to: 300ms"))
        self.assertEqual(self.scheduled(run), [0, 6_500_000, 6_500_000, 36_500_000])
        text = self.text(sim.url).replace("phases: [", "phases: [{name: first, requests: 3, warmup: none}, ")
        run = self.run_ok(text)
        self.assertEqual(self.scheduled(run), [0, 0, 3_500_000, 0, 0, 30_000_000, 290_000_000])

    def test_repeat(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        run = self.run_ok(self.text(sim.url, rows="{on_end: repeat}", phase="requests: 9"))
        self.assertEqual(self.scheduled(run)[6:], [300_000_000, 350_000_000, 350_000_000], "goes on at the mean rate")

    def refused(self, text, *words):
        for verb in ("validate", "plan", "run"):
            code, _, err = self.tokometer(verb, self.write("run.yaml", text))
            self.assertEqual(code, 2, err)
            for word in words:
                self.assertIn(word, err)

    def test_refused(self):
        url = "http://127.0.0.1:1"
        self.refused(self.text(url, rows="{order: shuffle}"), "dataset.rows.order: shuffle cannot go with load \"trace\"")
        self.refused(self.text(url, times=[1, 2, None], options="timestamp: at"), "trace.jsonl:3:", "\"at\" is missing")
        self.refused(self.text(url, options="timestamp_unit: ms"), "trace.jsonl: record 1 has no arrival time")
        self.refused(self.text(url, times=[5, 9, 8]), "trace.jsonl: record 3 arrives 1ms before the record in front of it")
        self.refused(run_text(url, load="{use: trace}"), "dataset.use: \"synthetic\" has no arrival times")
        both = run_text(url, more="matrix: [{load: [{use: synchronous}, {use: trace}]}]\n", load="synchronous")
        code, _, err = self.tokometer("validate", self.write("matrix.yaml", both))
        self.assertEqual((code, "has no arrival times" in err), (2, True), err)

    def test_validate_without_the_data(self):
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", load="{use: trace}", dataset="{use: jsonl, options: {file: no.jsonl, timestamp: at}}"))
        code, out, err = self.tokometer("validate", file)
        self.assertEqual(code, 0, err)


class Plans(Case):
    """The plan hash: equal for equal load, another for any other."""

    def plan(self, text, name="run.yaml"):
        code, out, err = self.tokometer("plan", self.write(name, text))
        self.assertEqual(code, 0, err)
        return re.search(r"plan hash +([0-9a-f]{64})", out)[1], out

    def test_hash(self):
        for place in ("here", "there"):
            (self.tmp / place).mkdir()
            self.write(f"{place}/p.jsonl", '{"prompt": "a"}\n{"prompt": "b"}\n')
        text = run_text("http://127.0.0.1:1", dataset="{use: jsonl, options: {file: p.jsonl}}",
                        load="{use: sine, options: {mean: 20, amplitude: 5, period: 10s, arrivals: poisson}}", phase="duration: 10s")
        first = self.plan(text, "here/run.yaml")[0]
        self.assertEqual(first, self.plan(text, "here/run.yaml")[0])
        self.assertEqual(first, self.plan(text, "there/run.yaml")[0], "contents count, not paths")
        self.assertEqual(first, self.plan(text.replace("127.0.0.1:1", "127.0.0.1:2"), "here/run.yaml")[0])
        others = [text + "seed: 7\n", text.replace("mean: 20", "mean: 21"), text.replace("duration: 10s", "duration: 9s"),
                  text.replace("p.jsonl}", "p.jsonl}, rows: {order: shuffle}"), text + "request: {output_tokens: 9}\n"]
        hashes = [self.plan(other, "here/run.yaml")[0] for other in others]
        self.write("here/p.jsonl", '{"prompt": "b"}\n{"prompt": "a"}\n')
        hashes.append(self.plan(text, "here/run.yaml")[0])
        self.assertEqual(len({first, *hashes}), 1 + len(hashes), "each differs")

    def test_examples(self):
        for name in ("burst", "ramp", "steps", "sine", "trace", "ramp_users"):
            with self.subTest(name):
                file = ROOT / "examples" / f"{name}.yaml"
                code, _, err = self.tokometer("validate", file)
                self.assertEqual(code, 0, err)
                parent = self.tmp / name
                phase = [] if name == "trace" else ["--set", "phases.main.duration=1s"]
                code, out, err = self.tokometer("run", file, "--set", f"output.dir={parent}", *phase)
                self.assertIn(code, (0, 5), out + err)
                self.assertEqual(Run(code, out, err, parent).summary["totals"]["failed"], 0)


if __name__ == "__main__":
    main()
