"""Sweeps: points one by one, the table, what stops them, and the same points again."""

import csv
import json
import re

from harness import INT, ROOT, Case, main, send_signal
from sessions import Echo, EchoCase


def sweep_text(url, sweep, *, tokens=4, load="{use: constant}", more=""):
    return (f"version: 1\nname: sweep\ntarget: {{url: \"{url}\"}}\nprocessor: openai\n"
            f"dataset: {{use: synthetic, options: {{input_tokens: 8, output_tokens: {tokens}}}}}\n"
            f"load: {load}\nsweep: {sweep}\n{more}")


POINT = "point: {duration: 500ms, warmup: none, cooldown: none}"


class Sweep(Case):
    def points(self, run):
        return [line for line in run.lines if line["t"] == "phase" and line["event"] == "begin"]

    def names(self, run):
        return [phase["phase"] for phase in run.summary["phases"]]

    def test_list(self):
        sim = self.sim("--ttft", "5ms", "--itl", "1ms")
        run = self.run_file(sweep_text(sim.url, f"{{method: list, values: [40, synchronous, 80], {POINT}}}"))
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 0, run.show())
        self.assert_law(run)
        self.assert_true_text(run, sim)
        self.assertEqual(self.names(run), ["constant@40", "synchronous", "constant@80"])
        self.assertEqual([p.get("value") for p in self.points(run)], [40, None, 80])
        self.assertEqual([p["options"].get("rate") for p in self.points(run)], [40, None, 80])
        self.assertRegex(run.out, r"(?m)^Sweep list · 3 points, 500ms each · constant · synthetic · ms$")
        for name in self.names(run):
            self.assertRegex(run.out, rf"(?m)^{name} +[-0-9.]+ +[0-9.]+ ")
        self.assertRegex(run.out, r"(?m)^Best: ")
        rows = list(csv.DictReader((run.dir / "sweep.csv").read_text().splitlines()))
        self.assertEqual([row["name"] for row in rows], self.names(run))
        self.assertEqual([int(row["requests_comp"]) for row in rows],
                         [phase["metrics"]["ok"]["value"] for phase in run.summary["phases"]])
        self.assert_rebuilt(run)
        # nothing runs between two points
        for begin, end in zip(self.points(run)[1:], [l for l in run.lines if l["t"] == "phase" and l["event"] == "end"]):
            self.assertGreater(begin["at_ns"], end["at_ns"])

    def test_reports(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        run = self.run_file(sweep_text(sim.url, f"{{method: list, values: [40, 80], {POINT}}}", more="tags: {gpu: none}\n"))
        code, out, _ = self.tokometer("report", run.dir, "--point", "constant@80")
        self.assertEqual(code, run.code)
        self.assertIn("phase constant@80", out)
        self.assertNotIn("constant@40", out)
        self.assertIn("TTFT from schedule", out)
        code, out, err = self.tokometer("report", run.dir, "--point", "constant@8")
        self.assertEqual(code, 2)
        self.assertIn("did you mean \"constant@80\"", err)
        _, out, _ = self.tokometer("report", run.dir, "--style", "guidellm")
        for words in ("Benchmarks Metadata:", "Benchmarks Info:", "Benchmarks Stats:", "Requests Made", "TTFT (ms)", "gpu=none"):
            self.assertIn(words, out)
        self.assertEqual(len(re.findall(r"(?m)^constant@(?:40|80) ", out)), 4, out)
        code, out, _ = self.tokometer("report", run.dir, "--style", "json")
        self.assertEqual(json.loads(out)["sweep"]["method"], "list")

    def test_even_and_again(self):
        """Even steps between two rates; `render DIR` gives a second server the very same points."""
        sim = self.sim("--ttft", "20ms", "--itl", "5ms")
        run = self.run_file(sweep_text(sim.url, f"{{points: 4, {POINT}, stop: never}}"))
        names = self.names(run)
        self.assertEqual(names[:2], ["synchronous", "throughput"])
        self.assertEqual(len(names), 4)
        values = [p.get("value") for p in self.points(run)]
        self.assertLess(values[2], values[3])
        self.assertAlmostEqual(values[3], run.summary["sweep"]["saturated_per_s"], delta=values[3] * 0.001)
        self.assert_law(run)
        self.assert_rebuilt(run)
        code, again, err = self.tokometer("render", run.dir)
        self.assertEqual(code, 0, err)
        self.assertIn("method: list", again)
        other = self.sim("--ttft", "2ms", "--itl", "1ms")
        second = self.run_file(again, "--url", other.url)
        self.assertEqual([p.get("value") for p in self.points(second)], values)
        self.assertEqual(self.names(second), names)

    def test_errors_end_it(self):
        """Two points in a row with more errors than the budget: the rest is skipped, and the run's verdict is not theirs."""
        # with this seed the requests of the preflight fare well
        sim = self.sim("--ttft", "1ms", "--failure-rate", "0.6", "--failure", "status", "--seed", "20")
        text = sweep_text(sim.url, f"{{method: list, values: [40, 41, 42, 43], {POINT}}}", more="slo: {gates: [\"ok >= 1\"]}\n")
        run = self.run_file(text)
        self.assertIsNotNone(run.dir, run.show())
        self.assertEqual(self.names(run), ["constant@40", "constant@41"])
        self.assertEqual(run.summary["sweep"]["skipped"], 2)
        self.assertEqual([phase["over"] for phase in run.summary["phases"]], [True, True])
        self.assertRegex(run.out, r"(?m)^constant@41 .* over$")
        self.assertIn("2 points skipped", run.out)
        errors = [c for c in run.summary["checks"] if c["id"] == "V12"]
        self.assertEqual([(c["grade"], c["marks_row"]) for c in errors], [("INVALID", True)] * 2)
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 4, run.show())
        other = self.sim("--ttft", "1ms", "--failure-rate", "0.6", "--failure", "status", "--seed", "20")
        text = text.replace(sim.url, other.url).replace("cooldown: none}", "cooldown: none}, stop: never")
        self.assertEqual(len(self.names(self.run_file(text))), 4)

    def test_backlog(self):
        """An open loop above what the server can do: its backlog grows, and the sweep ends there."""
        sim = self.sim("--mode", "model", "--preset", "h100-80", "--max-num-seqs", "2")
        run = self.run_file(sweep_text(
            sim.url, "{method: list, values: [1, 200, 210, 220, 230, 240, 250], point: {duration: 3s, warmup: none, cooldown: none}}",
            tokens=20, more="limits: {drain_timeout: 200ms}\n"))
        over = [phase.get("over", False) for phase in run.summary["phases"]]
        # two in a row; on a machine that stands still for long, not the first two
        self.assertEqual(over[-2:], [True, True], run.show())
        self.assertNotIn((True, True), list(zip(over[:-1], over[1:-1])))
        self.assertFalse(over[0])
        self.assertGreater(run.summary["sweep"]["skipped"], 0)
        self.assertGreater(run.summary["totals"]["cancelled"], 0)
        self.assertEqual([c["id"] for c in run.summary["checks"] if c["id"] == "V10" and not c.get("marks_row")], [])
        self.assert_law(run)

    def test_slow_answers(self):
        """A point goes on until ten requests of its window have ended: no row of zeros."""
        sim = self.sim("--ttft", "300ms", "--itl", "50ms")
        run = self.run_file(sweep_text(sim.url, "{method: list, values: [synchronous], point: {duration: 1s, warmup: none}}"))
        load_end = next(l for l in run.lines if l["t"] == "phase" and l["event"] == "load_end")
        self.assertEqual(load_end["duration_ns"], 4_000_000_000, "450 ms each: fewer than ten in the longest time")
        run = self.run_file(sweep_text(sim.url, "{method: list, values: [10], point: {duration: 1s, warmup: none}}"))
        phase, = run.summary["phases"]
        self.assertGreaterEqual(phase["metrics"]["ok"]["value"], 10)
        window = phase["window"]["end_ns"] - phase["window"]["begin_ns"]
        self.assertGreater(window, 1_000_000_000)
        self.assertLess(window, 4_000_000_000)

    def test_gates(self):
        """Exit 4 only if no point holds all gates."""
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        sweep = f"{{method: list, values: [20, 40], {POINT}}}"
        run = self.run_file(sweep_text(sim.url, sweep, more="slo: {gates: [\"planned <= 10\"]}\n"))
        self.assertIn(run.code, (0, 5), run.show())
        self.assertEqual(run.summary["sweep"]["best"], "constant@20")
        self.assertRegex(run.out, r"(?m)^constant@20 .* hold$")
        self.assertRegex(run.out, r"(?m)^constant@40 .* fail$")
        self.assertIn("Best in the gates: constant@20", run.out)
        run = self.run_file(sweep_text(sim.url, sweep, more="slo: {gates: [\"planned < 1\"]}\n"))
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 4, run.show())
        self.assertIn("No point holds all gates", run.out)

    def test_bisect(self):
        """The gate counts requests, so the edge is known: at most 25 of them in half a second."""
        sim = self.sim("--ttft", "1ms", "--itl", "1ms")
        run = self.run_file(sweep_text(sim.url, f"{{method: bisect, between: [10, 100], within: 10%, {POINT}}}",
                                       more="slo: {gates: [\"offered_rate <= 50\"]}\n"))
        found = run.summary["sweep"]
        values = {p["phase"]: p["value"] for p in self.points(run)}
        self.assertTrue(found["confirmed"])
        self.assertLessEqual(values[found["highest_held"]], 51)
        self.assertGreaterEqual(values[found["lowest_failed"]], 49)
        self.assertLessEqual(values[found["lowest_failed"]] - values[found["highest_held"]],
                             0.1 * values[found["lowest_failed"]] + 0.1)
        self.assertIn("Highest that holds: ", run.out)
        self.assert_rebuilt(run)

    def test_ctrl_c(self):
        """What was measured stays, with its table."""
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        child = self.start(sweep_text(sim.url, "{method: list, values: [100, 101, 102], point: {duration: 600ms, warmup: none}}"))
        self.wait_for_records(child, 75)
        send_signal(child, INT)
        run = self.end(child)
        self.assertEqual(run.code, 130, run.show())
        self.assertEqual(self.names(run)[0], "constant@100")
        self.assertLess(len(self.names(run)), 3)
        self.assertIn("constant@100 ", run.out)
        self.assertRegex(run.out, r"points? not run")
        self.assert_law(run)
        self.assert_rebuilt(run)

    def test_refused(self):
        for sweep, words in (("{method: list}", "needs \"values\""),
                             ("{method: list, values: [10, -1]}", "sweep.values[1]: must be a number > 0"),
                             ("{method: list, values: [fast]}", "synchronous or throughput"),
                             ("{method: bisect, between: [1, 5]}", "give slo.gates"),
                             ("{points: 4, values: [1]}", "belongs to method list"),
                             ("{over: dataset.options.input_tokens}", "must name an option of the load"),
                             ("{method: list, values: [1], over: load.options.raet}", "raet")):
            with self.subTest(sweep):
                file = self.write("bad.yaml", sweep_text("http://127.0.0.1:1", sweep))
                code, _, err = self.tokometer("validate", file)
                self.assertEqual(code, 2, err)
                self.assertIn(words, err)
                self.assertIn("bad.yaml:", err)

    def test_users(self):
        sim = self.sim("--ttft", "5ms", "--itl", "1ms")
        run = self.run_file(sweep_text(sim.url, f"{{method: list, over: load.options.users, values: [1, 3], {POINT}}}",
                                       load="concurrency"))
        self.assertEqual(self.names(run), ["concurrency@1", "concurrency@3"])
        self.assertEqual([p["users"] for p in self.points(run)], [1, 3])


class Lingering(Echo):
    """vLLM's page says that it goes on with three requests for a while: one less at each look. It answers all the same."""

    def do_GET(self):
        if self.path != "/metrics":
            return super().do_GET()
        self.server.log.append(self.server.left)
        page = f"vllm:num_requests_running{{engine=\"0\"}} {self.server.left}.0\nvllm:num_requests_waiting{{engine=\"0\"}} 0.0\n"
        self.server.left = max(self.server.left - 1, 0)
        self.reply(200, "text/plain", page.encode())

    def do_POST(self):
        self.server.log.append("request")
        self.server.left = 3
        super().do_POST()


class Between(EchoCase):
    def test_a_point_waits_for_the_server(self):
        server = self.echo(Lingering)
        server.log, server.left = [], 0
        text = sweep_text(server.url, f"{{method: list, values: [40, 80, 20], {POINT}}}").replace("processor: openai", "processor: vllm")
        run = self.run_file(text)
        self.assertIn(run.code, (0, 5), run.show())
        self.assertEqual([p["value"] for p in self.points(run)], [40, 80, 20])
        looks = "".join("r" if entry == "request" else str(entry) for entry in server.log)
        self.assertRegex(looks, r"^r+3210r+3210r+$")

    def points(self, run):
        return [line for line in run.lines if line["t"] == "phase" and line["event"] == "begin"]


def model_rate(prompt, output, slots):
    """Requests per second of the simulator's model (docs/internals/simulator.md) when its queue never runs dry: step by
    step, without jitter."""
    base, per_context, per_prefill, per_sequence = 1.15e-3 + 16.06e9 / (0.855 * 3.35e12), 131072 / (0.53 * 3.35e12), \
        2 * 8.03e9 / (0.45 * 989e12), 4e-6
    batch, seconds, done = [], 0.0, 0
    for step in range(6000):
        batch += [[prompt, prompt, output] for _ in range(slots - len(batch))]      # context, to prefill, left
        budget, chunks = 2048, []
        for _, to_prefill, _ in batch:
            chunks.append(min(to_prefill, budget))
            budget -= chunks[-1]
        took = base + per_context * sum(s[0] for s in batch) + per_prefill * sum(chunks) + per_sequence * len(batch)
        for sequence, chunk in zip(batch, chunks):
            sequence[1] -= chunk
            if sequence[1] == 0:
                sequence[0] += 1
                sequence[2] -= 1
        if step >= 1000:
            seconds += took
            done += sum(s[2] == 0 for s in batch)
        batch = [s for s in batch if s[2] > 0]
    return done / seconds


class SlowSweep(Case):
    def test_saturation(self):
        """The saturated rate is the one of the model's formula, and what the truth log counts in the same window."""
        sim = self.sim("--mode", "model", "--preset", "h100-80", "--max-num-seqs", "64", "--jitter", "0")
        text = sweep_text(sim.url, "{method: list, values: [throughput], point: {duration: 30s, warmup: 6s}}", tokens=32)
        off = []
        for _ in range(4):      # a noisy machine may spoil one, not all
            run = self.run_file(text.replace("input_tokens: 8", "input_tokens: 128"))
            self.assertIn(run.code, (0, 5), run.show())
            self.assert_true_text(run, sim)
            phase, = run.summary["phases"]
            reported = run.summary["sweep"]["saturated_per_s"]
            formula = model_rate(round(phase["tokens"]["ok"]["prompt_mean"]), 32, 64)
            start = run.manifest["start_monotonic_ns"]
            begin, end = (start + phase["window"][key] for key in ("begin_ns", "end_ns"))
            ids = {r["id"] for r in run.requests}
            truth = sum(begin <= line["end_ns"] < end for name, line in sim.requests().items() if name in ids)
            truth_rate = truth / (end - begin) * 1e9
            off.append((abs(reported / formula - 1), abs(reported / truth_rate - 1)))
            print(f"\nreported {reported:.2f}, formula {formula:.2f}, truth log {truth_rate:.2f} req/s, {run.summary['verdict']}")
            if max(off[-1]) < 0.03:
                return
        self.fail(f"off by {off}")

    def test_example(self):
        run = self.run_file((ROOT / "examples" / "sweep.yaml").read_text())
        self.assertIn(run.code, (0, 4, 5), run.show())
        self.assertEqual(len(run.summary["phases"]) + run.summary["sweep"]["skipped"], 6)
        self.assert_law(run)


if __name__ == "__main__":
    main()
