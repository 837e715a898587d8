"""Processors of servers with a protocol of their own, against the simulator in that server's dialect: texts, counts and
classes must be those of its truth log."""

import json

from harness import main, run_text
from truth import TruthCase, arrivals_ns

TOKENS = "{use: synthetic, options: {input_tokens: 50, output_tokens: 12, form: token_ids, vocab_size: 1000}}"
APIS = ("chat", "completions", "generate")


class BackendCase(TruthCase):
    name = None

    def processor(self, api, **options):
        words = "".join(f", {key}: {value}" for key, value in options.items())
        return f"{{use: {self.name}, options: {{api: {api}{words}}}}}"

    def small(self, api, *flags, options=None, events=True, **parts):
        parts = {"tokens": 12, "load": "{use: concurrency, options: {users: 8}}", "phase": "requests: 40", **parts}
        return self.go(lambda url: run_text(url, processor=self.processor(api, **(options or {})), **parts),
                       "--dialect", self.name, "--ttft", "3ms", "--itl", "1ms", *flags, events=events)

    def assert_lengths(self, run, output=12, source="usage"):
        for record in run.requests:
            self.assertEqual((record["output_tokens"], record["token_source"]), (output, source), record)

    def refused(self, api, sentence, *flags, options=None, code=3, **parts):
        """A run that must end before any load was sent, with this sentence; gives the simulator."""
        sim = self.sim("--dialect", self.name, *flags)
        text = run_text(sim.url, processor=self.processor(api, **(options or {})), **parts)
        got, out, err = self.tokometer("run", self.write("refused.yaml", text), "--set", f"output.dir={self.tmp / 'none'}")
        self.assertIn(sentence, out + err)
        self.assertEqual(got, code, out + err)
        sim.stop()
        self.assertEqual(sim.requests(), {})
        return sim


class Sglang(BackendCase):
    name = "sglang"

    def test_streams(self):
        for api in APIS:
            with self.subTest(api):
                self.assert_lengths(self.small(api))

    def test_whole(self):
        for api in APIS:
            with self.subTest(api):
                self.assert_lengths(self.small(api, request="{stream: false}", events=False))

    def test_incremental(self):
        for flag in ((), ("--incremental",)):
            run = self.small("generate", "--tokens-per-event", "5", *flag)
            for record in run.requests:
                self.assertEqual(record["k"], [5, 5, 2])

    def test_cut_in_bytes(self):
        for api in APIS:
            for cut in ("byte", "seeded"):
                with self.subTest(f"{api} {cut}"):
                    self.assert_lengths(self.small(api, "--split", cut, tokens=5), output=5)

    def test_token_ids(self):
        for api in ("completions", "generate"):
            with self.subTest(api):
                run = self.small(api, dataset=TOKENS)
                self.assertTrue(all(r["prompt_tokens"] == 50 for r in run.requests))

    def test_choices(self):
        for api in APIS:
            for stream in ("true", "false"):
                with self.subTest(f"{api} {stream}"):
                    self.assert_lengths(self.small(api, request=f"{{choices: 3, stream: {stream}}}", events=False), output=36)

    def test_reasoning(self):
        for record in self.small("chat", "--reasoning-tokens", "4").requests:  # gaps are whole microseconds
            self.assertAlmostEqual(record["first_answer_ns"], arrivals_ns(record)[4], delta=4000)

    def test_running_usage(self):
        for record in self.small("chat", "--tokens-per-event", "5", options={"running_usage": "true"}).requests:
            self.assertEqual(record["k"], [5, 5, 2])

    def test_exact_length(self):
        for api in APIS:
            with self.subTest(api):
                self.assert_lengths(self.small(api, "--eos-after", "3", request="{output: exact}"))

    def test_adapters(self):
        for api in APIS:
            with self.subTest(api):
                sim = self.sim("--dialect", "sglang", "--ttft", "3ms", "--itl", "1ms", "--adapters", "sql")
                run = self.run_ok(run_text(sim.url, processor=self.processor(api), more="model: {name: sim-model, adapters: [{name: sql}]}\n"))
                self.compare(run, sim)
                base = "" if api == "generate" else "sim-model"
                self.assertEqual({line["model"] for line in sim.requests().values()}, {f"{base}:sql"})
                self.assertFalse([r for r in run.requests if "wrong_model" in r.get("flags", ())], run.requests[0])

    def test_reset_cache(self):
        run = self.small("generate", "--prefix-cache", target="prepare: {reset_cache: true}")
        self.assertTrue(all("cached_tokens" in r for r in run.requests), run.requests[0])

    def test_in_band_errors(self):
        for api in APIS:
            for fault, status in (("error; after=3; form=sglang; code=503", "in_band.rejected"),
                                  ("error; form=sglang; code=400", "in_band.request"), ("abort; after=3", "in_band")):
                with self.subTest(f"{api} {fault}"):
                    self.assertEqual(self.classes_of_failures(api, fault), {status})

    def classes_of_failures(self, api, fault):
        """Preflight's first request must be answered, so the fault is drawn for some of the others."""
        sim = self.sim("--dialect", self.name, "--ttft", "3ms", "--itl", "1ms", "--failure", fault, "--failure-rate", "0.5")
        return self.classes(run_text(sim.url, processor=self.processor(api), tokens=12, phase="requests: 30")) - {"ok"}

    def classes(self, text):
        run = self.run_file(text)
        self.assertIsNotNone(run.dir, run.show())
        return {r.get("class", r["status"]) for r in run.requests}

    def test_queue_full(self):
        for api in APIS:
            for stream in ("true", "false"):
                with self.subTest(f"{api} {stream}"):
                    statuses = self.overload(api, stream)
                    wanted = "in_band.rejected" if stream == "true" else "status.503"
                    self.assertEqual(statuses, {"ok", wanted})

    def overload(self, api, stream):
        sim = self.sim("--dialect", self.name, "--mode", "model", "--max-num-seqs", "1", "--queue-limit", "1")
        return self.classes(run_text(sim.url, processor=self.processor(api), tokens=30, phase="requests: 60",
                                     request=f"{{stream: {stream}}}", load="{use: concurrency, options: {users: 8}}"))

    def test_id_outside_the_vocabulary(self):
        """The simulator says how large it is (128,000); an option beats it. Nothing may be sent."""
        for options, vocabulary in (({}, 1_000_000_000), ({"vocab_size": 50}, 1000)):
            with self.subTest(vocabulary):
                data = TOKENS.replace("vocab_size: 1000", f"vocab_size: {vocabulary}")
                self.refused("generate", "outside the vocabulary of", options=options, dataset=data)


class Tgi(Sglang):
    name = "tgi"
    test_incremental = test_token_ids = test_choices = test_reasoning = test_running_usage = None
    test_exact_length = test_adapters = test_reset_cache = test_id_outside_the_vocabulary = None

    def assert_lengths(self, run, output=12, source="usage"):
        super().assert_lengths(run, output, source)

    def test_in_band_errors(self):
        for api in APIS:
            form = "tgi" if api == "generate" else "tgi_chat"
            with self.subTest(api):
                self.assertEqual(self.classes_of_failures(api, f"error; after=3; form={form}"), {"in_band"})

    def test_queue_full(self):
        """Under status 200, and in a chat under the code of a bad request: only the words tell it."""
        for api in APIS:
            for stream, wanted in (("true", "in_band.rejected"), ("false", "status.429")):
                with self.subTest(f"{api} {stream}"):
                    self.assertEqual(self.overload(api, stream), {"ok", wanted})

    def test_ends_by_itself(self):
        for api in APIS:
            with self.subTest(api):
                self.assert_lengths(self.small(api, "--eos-after", "3"), output=3)

    def test_exact_length_is_refused(self):
        for api in APIS:
            self.refused(api, "cannot ask for an exact length; use best_effort", request="{output: exact}", code=2)

    def test_pieces(self):
        """1100 tokens become 2048."""
        for api in APIS:
            with self.subTest(api):
                self.refused(api, "ask for 1024 at most", tokens=1100)
                run = self.small(api, "--mode", "instant", options={"best_effort": "true"}, tokens=1100, phase="requests: 2")
                self.assert_lengths(run, output=2048)

    def test_other_refusals(self):
        self.refused("completions", "TGI takes text only", dataset=TOKENS)
        self.refused("chat", "makes one choice only", request="{choices: 2}", code=2)
        self.refused("generate", "has no such parameter", request="{sampling: {min_p: 0.1}}")

    def test_sampling(self):
        """What TGI would refuse or skip is said in its words, and the server takes it."""
        self.small("generate", request="{sampling: {temperature: 0, top_p: 1.0, stop: x, seed: 3}}")

    def test_adapter(self):
        for api in APIS:
            with self.subTest(api):
                sim = self.sim("--dialect", "tgi", "--ttft", "3ms", "--itl", "1ms")
                run = self.run_ok(run_text(sim.url, processor=self.processor(api), more="model: {name: sim-model, adapters: [{name: sql}]}\n"))
                self.compare(run, sim)
                self.assertEqual({line["model"] for line in sim.requests().values()}, {"sql"})

    def test_server_times(self):
        run = self.small("generate", request="{stream: false}", events=False)
        self.assertIn("queue_time_ms", json.dumps(run.lines))


if __name__ == "__main__":
    main()
