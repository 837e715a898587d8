"""`tokometer schema summary` and `schema records`: what real runs write has just that form."""

import json

from harness import Case, main, run_text
from schema_check import faults


class Schemas(Case):
    def schema(self, name):
        code, out, err = self.tokometer("schema", name)
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def check(self, run):
        records, summary = self.schema("records"), self.schema("summary")
        for line in run.lines:
            self.assertEqual(faults(line, records, records), [])
        self.assertEqual(faults(run.summary, summary, summary), [])
        return {line["t"] for line in run.lines}

    def test_good_run(self):
        sim = self.sim("--ttft", "5ms", "--itl", "2ms", "--tokens-per-event", "2")
        run = self.run_ok(run_text(sim.url, load="{use: poisson, options: {rate: 100}}", phase="duration: 2s", tokens=6,
                                   more="slo: {per_request: {ttft: 1s}, gates: [\"ttft.p99 < 9s\", \"itl.p50 < 9s\"]}\n"
                                        "tags: {gpu: none}\n"))
        self.assertEqual(self.check(run), {"phase", "tick", "request", "end", "warn"})     # how lengths were counted

    def test_failures_and_a_cap(self):
        sim = self.sim("--failure-rate", "0.3", "--failure", "status; code=503")
        run = self.run_file(run_text(sim.url, load="{use: constant, options: {rate: 200}}", phase="duration: 1s",
                                     more="limits: {max_in_flight: 4, overload: drop}\n"))
        self.assertEqual({r["status"] for r in run.requests}, {"ok", "failed", "not_issued"}, run.show())
        self.check(run)

    def test_closed_loop_stopped_whole_replies(self):
        sim = self.sim("--ttft", "5ms")
        run = self.run_file(run_text(sim.url, load="{use: concurrency, options: {users: 4}}", request="{stream: false}",
                                     phase="duration: 1s, drain: cancel"))
        self.check(run)

    def test_two_adapters(self):
        sim = self.sim("--ttft", "5ms", "--itl", "1ms", "--adapters", "a,b")
        run = self.run_ok(run_text(sim.url, phase="requests: 20", more="model: {name: sim-model, adapters: [{name: a}, {name: b}]}\n"))
        self.check(run)
        self.assertEqual([route["adapter"] for route in run.summary["phases"][0]["routes"]], ["a", "b"])

    def test_checker_finds_what_is_wrong(self):
        """A test that cannot fail tests nothing."""
        records = self.schema("records")
        line = {"t": "warn", "at_ns": 1, "id": "x", "text": "y", "n": 1, "crc": "0a0b0c0d"}
        self.assertEqual(faults(line, records, records), [])
        for change in ({"n": 0}, {"crc": "0A0B0C0D"}, {"at_ns": "1"}, {"at_ns": 1.5}, {"t": "worn"}, {"more": 1}):
            with self.subTest(change):
                self.assertNotEqual(faults({**line, **change}, records, records), [])
        self.assertNotEqual(faults({k: v for k, v in line.items() if k != "id"}, records, records), [])

    def test_unknown_name(self):
        code, _, err = self.tokometer("schema", "sumary")
        self.assertEqual(code, 2)
        self.assertIn("run, sim, summary, records", err)


if __name__ == "__main__":
    main()
