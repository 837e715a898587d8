"""What users do with whole runs: users who leave, hopeless runs that end early, offline load, the presets."""

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


if __name__ == "__main__":
    main()
