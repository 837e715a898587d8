"""What the records say against what the simulator really sent: texts and counts must be equal, times are printed.

The simulator runs apart and logs each token event with the instant just before its send().
"""

import unittest

from harness import Case, main, milliseconds, run_text


def arrivals_ns(record):
    """The reported arrival of each token event, since the run's start."""
    at = [record["first_token_ns"]]
    for gap_us in record.get("gaps_us", []):
        at.append(at[-1] + gap_us * 1000)
    return at


class TruthCase(Case):
    def compare(self, run, sim, *, events=True):
        """Asserts that all is there; prints how exact the times are."""
        sim.stop()
        self.assert_true_text(run, sim)
        self.assertEqual(run.summary["totals"]["failed"], 0, run.show())
        truth, rows, begin = sim.requests(), sim.rows(), run.manifest["start_monotonic_ns"]
        requests = run.requests
        self.assertEqual({r["id"] for r in requests if "sent_ns" in r}, set(truth))
        errors, pairs = [], {"TTFT": ([], []), "ITL": ([], []), "E2E": ([], [])}
        for record in requests:
            line = truth[record["id"]]
            sent = [row[1] - begin for row in rows[line["stream"]]]
            if not events:
                continue
            seen = arrivals_ns(record)
            self.assertEqual(len(seen), len(sent), record["id"])
            self.assertEqual(record["events"], len(sent), record["id"])
            errors += [a - b for a, b in zip(seen, sent)]
            for name, ours, theirs in (
                    ("TTFT", [record["first_token_ns"] - record["sent_ns"]], [sent[0] - record["sent_ns"]]),
                    ("ITL", [b - a for a, b in zip(seen, seen[1:])], [b - a for a, b in zip(sent, sent[1:])]),
                    ("E2E", [record["end_ns"] - record["sent_ns"]], [line["end_ns"] - begin - record["sent_ns"]])):
                pairs[name][0].extend(ours)
                pairs[name][1].extend(theirs)
        doubts = [f"{c['id']} {c['name']} {c['measured']}" for c in run.summary["checks"] if c["grade"] != "VALID"]
        print(f"\n{self.id()}: {len(requests)} requests, {sum(len(r) for r in rows.values())} token events, verdict "
              f"{run.summary['verdict']} {'; '.join(doubts)}")
        if events:
            print(f"  event error      {milliseconds(errors)}   (arrival reported - sent)")
            for name, (ours, theirs) in pairs.items():
                print(f"  {name:4} reported    {milliseconds(ours)}\n  {name:4} truth       {milliseconds(theirs)}")
        print("  " + sim.said.strip())

    def go(self, text, *flags, events=True):
        sim = self.sim(*flags)
        run = self.run_ok(text(sim.url))
        self.compare(run, sim, events=events)
        return run


class Shapes(TruthCase):
    """One small run each: every form in which the simulator can send the same tokens."""

    def small(self, *flags, processor="openai", request="", tokens=12, dataset=None, events=True, headers=""):
        return self.go(lambda url: run_text(url, processor=processor, request=request, tokens=tokens, dataset=dataset,
                                            load="{use: concurrency, options: {users: 8}}", phase="requests: 40",
                                            headers=headers), "--ttft", "3ms", "--itl", "1ms", *flags, events=events)

    def test_chat(self):
        for processor in ("openai", "vllm"):
            with self.subTest(processor):
                run = self.small(processor=processor)
                self.assertTrue(all(r["output_tokens"] == 12 and r["token_source"] == "usage" for r in run.requests))

    def test_completions(self):
        for processor in ("openai", "vllm"):
            with self.subTest(processor):
                self.small(processor=f"{{use: {processor}, options: {{api: completions}}}}")

    def test_token_ids(self):
        data = "{use: synthetic, options: {input_tokens: 50, output_tokens: 12, form: token_ids, vocab_size: 1000}}"
        for processor in ("openai", "vllm"):
            with self.subTest(processor):
                run = self.small(processor=f"{{use: {processor}, options: {{api: completions}}}}", dataset=data)
                self.assertTrue(all(r["prompt_tokens"] == 50 for r in run.requests))

    def test_whole(self):
        for processor in ("openai", "vllm", "{use: vllm, options: {api: completions}}"):
            with self.subTest(processor):
                run = self.small(processor=processor, request="{stream: false}", events=False)
                self.assertTrue(all("first_token_ns" not in r and r["output_tokens"] == 12 for r in run.requests))

    def test_step(self):
        self.small("--phases", "step")

    def test_spread(self):
        self.small("--ttft-spread", "1ms")

    def test_cut_in_bytes(self):
        for cut in ("byte", "seeded"):
            with self.subTest(cut):
                self.small("--split", cut, tokens=5)

    def test_crlf_and_comments(self):
        self.small("--crlf", "--comments", "1ms")

    def test_first_event(self):
        for form in ("role_early", "role_with_token", "none"):
            with self.subTest(form):
                self.small("--first-event", form)

    def test_reasoning(self):
        for field in ("reasoning", "reasoning_content", "both"):
            with self.subTest(field):
                run = self.small("--reasoning-tokens", "4", "--reasoning-field", field, processor="vllm")
                for record in run.requests:  # four tokens of reasoning, then the answer; gaps are whole microseconds
                    self.assertAlmostEqual(record["first_answer_ns"], arrivals_ns(record)[4], delta=4000)

    def test_only_reasoning(self):
        run = self.small("--reasoning-tokens", "12", processor="vllm")
        self.assertTrue(all("first_answer_ns" not in r for r in run.requests))

    def test_tokens_per_event(self):
        for processor in ("openai", "{use: vllm, options: {running_usage: true}}"):
            with self.subTest(processor):
                run = self.small("--tokens-per-event", "5", processor=processor)
                self.assertTrue(all(r["output_tokens"] == 12 and r["events"] == 3 for r in run.requests))
        for record in run.requests:
            self.assertEqual(record["k"], [5, 5, 2])
            self.assertIn("multi_token", record["flags"])

    def test_usage(self):
        run = self.small("--usage", "none")
        self.assertTrue(all(r["token_source"] == "events" and r["events"] == 12 for r in run.requests))
        for form in ("last", "each"):
            with self.subTest(form):
                run = self.small("--usage", form)
                self.assertTrue(all(r["token_source"] == "usage" and r["output_tokens"] == 12 for r in run.requests))

    def test_choices(self):
        run = self.small(request="{choices: 3}", processor="vllm", events=False)
        self.assertTrue(all(r["output_tokens"] == 36 for r in run.requests), run.requests[0])


class InStep(TruthCase):
    def test_256_streams_in_step(self):
        """256 streams, all of whose tokens leave together each 20 ms."""
        run = self.go(lambda url: run_text(url, tokens=60, load="{use: concurrency, options: {users: 256}}",
                                           phase="requests: 512"),
                      "--ttft", "40ms", "--itl", "20ms", "--phases", "step")
        self.assertEqual(run.summary["totals"]["ok"], 512)


class Loops(TruthCase):
    def closed(self, seconds):
        self.go(lambda url: run_text(url, tokens=16, load="{use: concurrency, options: {users: 64}}",
                                     phase=f"duration: {seconds}s"), "--ttft", "20ms", "--itl", "5ms")

    def open(self, seconds):
        run = self.go(lambda url: run_text(url, tokens=3, load="{use: constant, options: {rate: 2000}}",
                                           phase=f"duration: {seconds}s"), "--ttft", "10ms", "--itl", "5ms")
        self.assertEqual(run.summary["totals"]["planned"], 2000 * seconds)

    def test_two_io_threads(self):
        """The scheduler on a thread of its own, and requests dealt out to two workers."""
        for load, phase in (("{use: concurrency, options: {users: 16}}", "requests: 200"),
                            ("{use: poisson, options: {rate: 200}}", "duration: 2s")):
            with self.subTest(load):
                self.go(lambda url: run_text(url, tokens=5, load=load, phase=phase, more="limits: {io_threads: 2}\n"),
                        "--ttft", "10ms", "--itl", "2ms")

    def test_closed_quick(self):
        self.closed(3)

    def test_open_quick(self):
        self.open(2)


class SlowLoops(Loops):
    test_closed_quick = test_open_quick = test_two_io_threads = None

    def test_closed_64_users(self):
        self.closed(10)

    def test_open_2000_per_s(self):
        self.open(10)


if __name__ == "__main__":
    main()
