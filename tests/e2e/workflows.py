"""What users do with whole runs: users who leave, hopeless runs that end early, offline load, the presets."""

import json

from harness import Case, main, run_text

SLOW = ("--ttft", "20ms", "--itl", "20ms")      # 50 tokens take a second


class Cancel(Case):
    """request.cancel closes a seeded share of the streams in the middle."""

    def left(self, run):
        return {r["seq"] for r in run.requests if r["status"] == "cancelled"}

    def cancelled_run(self, seed, load="{use: constant, options: {rate: 100}}"):
        sim = self.sim(*SLOW)
        text = run_text(sim.url, load=load, phase="requests: 200", tokens=50, request="{cancel: {share: 20%, after: 300ms}}")
        run = self.run_file(text, "--set", f"seed={seed}")
        self.assertIn(run.code, (0, 5), run.show())
        self.assert_law(run)
        sim.stop()
        return run, sim

    def test_share(self):
        run, sim = self.cancelled_run(42)
        truth, left = sim.requests(), self.left(run)
        self.assertGreater(len(left), 20)
        self.assertLess(len(left), 60)
        for record in run.requests:
            line = truth[record["id"]]
            if record["seq"] not in left:
                self.assertEqual((record["status"], line["outcome"]), ("ok", "complete"))
                continue
            self.assertEqual((record["class"], line["outcome"]), ("user", "client_gone"))
            self.assertGreaterEqual(record["end_ns"] - record["sent_ns"], 300_000_000)
            self.assertLess(line["tokens"], 50, "closed in the middle")
        totals, (phase,) = run.summary["totals"], run.summary["phases"]
        self.assertEqual((totals["ok"], totals["failed"], totals["cancelled"]), (200 - len(left), 0, len(left)))
        self.assertEqual([(e["status"], e["class"], e["count"]) for e in phase["errors"]], [("cancelled", "user", len(left))])
        self.assertRegex(run.out, rf"(?m)^Users left  {len(left)} of 200 \(")
        self.assertNotRegex(run.out, "(?m)^Errors")
        self.assertEqual(run.check("V12")["grade"], "VALID")
        self.assertEqual(phase["metrics"]["e2e_sent"]["count"], totals["ok"])
        self.assertGreater(phase["metrics"]["lost_tokens_per_s"]["value"], 0)

    def test_seed(self):
        """The same seed cancels the same requests, whatever the load; another seed others."""
        first = self.left(self.cancelled_run(7)[0])
        self.assertEqual(self.left(self.cancelled_run(7, "{use: concurrency, options: {users: 100}}")[0]), first)
        self.assertNotEqual(self.left(self.cancelled_run(8)[0]), first)

    def test_answers_that_end_before(self):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, request="{cancel: {share: 1, after: 60s}}"))
        self.assertEqual(run.summary["totals"]["ok"], 10)

    def test_refused(self):
        for value, words in (("{share: 5%}", "after"), ("{share: 120%, after: 1s}", "share"), ("{share: 0, after: 1s}", "share"),
                             ("{share: 5%, after: 0s}", "after"), ("{share: 5%, after: 1s, at: 2s}", "at")):
            with self.subTest(value):
                code, _, err = self.tokometer("validate", self.write("bad.yaml", run_text("http://h", request=f"{{cancel: {value}}}")))
                self.assertEqual(code, 2, err)
                self.assertIn("request.cancel", err)
                self.assertIn(words, err)


class Saturated(Case):
    """limits.stop: a hopeless open loop ends by itself; one that the server can do does not."""

    MODEL = ("--mode", "model", "--preset", "h100-80", "--max-num-seqs", "2")

    def at(self, rate, seconds, more="limits: {stop: saturated, drain_timeout: 200ms}\n", load="constant"):
        sim = self.sim(*self.MODEL)
        load = f"{{use: {load}, options: {{rate: {rate}}}}}"
        run = self.run_file(run_text(sim.url, load=load, phase=f"duration: {seconds}s", tokens=20, more=more))
        self.assertIsNotNone(run.dir, run.show())
        self.assert_law(run)
        return run

    def test_hopeless(self):
        run = self.at(200, 60)
        self.assertEqual(run.summary["end"], "saturated", run.show())
        self.assertLess(run.summary["totals"]["planned"], 60 * 200, "it ended before its time")
        self.assertEqual(run.check("V1")["grade"], "SUSPECT")
        self.assertIn("V1 run saturated", run.out)
        self.assertIn("limits.stop", run.err)
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 0, run.show())
        code, out, err = self.tokometer("report", run.dir)
        self.assertEqual((code, out.splitlines()[1:4]), (run.code, run.out.splitlines()[1:4]), err)

    def test_calm(self):
        run = self.at(2, 12)
        self.assertEqual(run.summary["end"], "finished", run.show())
        self.assertEqual(run.summary["totals"]["planned"], 24)

    def test_never_is_the_default(self):
        run = self.at(200, 12, "limits: {drain_timeout: 200ms}\n")
        self.assertEqual(run.summary["end"], "finished", run.show())
        self.assertEqual(run.summary["totals"]["planned"], 12 * 200)


class Offline(Case):
    """A number of requests as fast as the server takes them, or all at once: whole.* figures first."""

    def offline(self, load, phase="requests: 60", more=""):
        sim = self.sim("--ttft", "5ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, load=load, phase=phase, more=more))
        return run, run.summary["phases"][0]["metrics"]

    def test_whole_comes_first(self):
        for load in ("throughput", "{use: throughput, options: {users: 60}}"):
            with self.subTest(load):
                run, metrics = self.offline(load)
                first = next(line for line in run.out.splitlines() if line.startswith(("Whole run", "Load ")))
                rate = f"{metrics['whole.completed_rate']['value']:.2f}"
                self.assertRegex(first, rf"^Whole run   60 ok in .* = {rate} req/s · in .* · out .* · total ")
                spans = [(r["sent_ns"], r["end_ns"]) for r in run.requests]
                length = (max(e for _, e in spans) - min(x for x, _ in spans)) / 1e9
                self.assertAlmostEqual(metrics["whole.duration"]["value"], length, delta=1e-6)
                self.assertAlmostEqual(metrics["whole.completed_rate"]["value"], 60 / length, delta=0.01)
                self.assertAlmostEqual(metrics["whole.output_tokens_per_s"]["value"], 240 / length, delta=0.01)

    def test_all_at_once(self):
        run, _ = self.offline("{use: throughput, options: {users: 60}}")
        first_end = min(r["end_ns"] for r in run.requests)
        self.assertEqual(len({r["scheduled_ns"] for r in run.requests}), 1)
        self.assertGreater(first_end, run.requests[0]["scheduled_ns"])

    def test_not_elsewhere(self):
        self.assertNotIn("Whole run", self.offline("{use: concurrency, options: {users: 2}}")[0].out)
        self.assertNotIn("Whole run", self.offline("throughput", "duration: 1s")[0].out)


class Presets(Case):
    """Each preset runs as it is, only shorter."""

    POINT = ("sweep.point={duration: 400ms, warmup: none, cooldown: none}",)
    SHORT = {   # what makes it short enough for a test
        "chat": ("phases.main.duration=2s", "load.options.rate=20"),
        "emulated-data": ("phases.main.duration=2s",),
        "file-data": ("phases.main.duration=2s", "dataset.options.file=prompts.txt"),
        "high-concurrency": POINT,
        "load-test": ("phases.main.requests=100",),
        "low-latency": ("phases.main.duration=2s",),
        "max-rate": POINT + ("sweep.between=[10, 40]", "sweep.within=50%"),
        "mlperf-8b": ("phases.main.duration=2s", "phases.main.warmup=200ms", "load.options.rate=20"),
        "rate-ladder": POINT + ("sweep.values=[1, 2, 64, 275]",),
        "realtime": ("phases.main.duration=2s",),
        "shapes": ("phases.main.duration=200ms", "dataset.options.output_tokens=8", "phases.main.cooldown=none",
                   "matrix=[{tags.shape: [chatbot, long], dataset.options.input_tokens: [128, 2048]}, {load.options.users: [1, 5]}]"),
        "summary": ("phases.main.duration=2s", "load.options.users=8"),
        "sweep": POINT + ("sweep.points=4", "sweep.point.duration=300ms"),
        "users-50": ("phases.main.duration=2s", "load.options.ramp_up=200ms", "dataset.options.file=sharegpt.json"),
        "variability": POINT,
    }

    def setUp(self):
        super().setUp()
        self.write("prompts.txt", "".join(f"what is {n} and {n}?\n" for n in range(20)))
        talks = [{"id": str(n), "conversations": [{"from": "human", "value": f"say {n}"}, {"from": "gpt", "value": "a short answer"}]}
                 for n in range(30)]
        self.write("sharegpt.json", json.dumps(talks))
        self.names = [preset["name"] for preset in json.loads(self.tokometer("init", "--list", "--json")[1])]

    def flags(self, name):
        return [word for value in self.SHORT[name] for word in ("--set", value)]

    def test_all_are_here(self):
        self.assertEqual(sorted(self.names), sorted(self.SHORT))

    def test_validate(self):
        for name in self.names:
            with self.subTest(name):
                code, text, err = self.tokometer("init", name)
                self.assertEqual(code, 0, err)
                code, _, err = self.tokometer("validate", self.write(f"{name}.yaml", text))
                self.assertEqual((code, err), (0, ""))

    def test_run(self):
        sim = self.sim("--ttft", "1ms", "--itl", "100us", truth=False)
        for name in self.names:
            with self.subTest(name):
                runs = self.tmp / f"runs-{name}"
                code, out, err = self.tokometer("run", name, "--url", sim.url, *self.flags(name), "--set", f"output.dir={runs}")
                self.assertIn(code, (0, 4, 5), out + err)    # a noisy host may fail a gate of 50 ms, or spoil the verdict
                self.assertEqual(len(list(runs.iterdir())), 1)
                summaries = [json.loads(path.read_text()) for path in runs.glob("**/summary.json")]
                self.assertEqual(len(summaries), 4 if name == "shapes" else 1, out + err)
                for summary in summaries:
                    self.assertEqual(summary["end"], "finished", out + err)
                    self.assertGreater(summary["totals"]["ok"], 0, out + err)
                    self.assertEqual(summary["totals"]["failed"], 0, out + err)
                self.assertEqual("Whole run" in out, name == "load-test", out)


if __name__ == "__main__":
    main()
