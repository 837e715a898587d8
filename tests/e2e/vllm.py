"""Routes besides chats and completions, and what a run does to its servers, against the simulator."""

import json
import urllib.request

from backends import BackendCase
from harness import ROOT, Run, main, run_text
from truth import arrivals_ns

PAIRS = [["the sea", "a ship on the sea", "the moon"], ["one", "two"], ["a b c", "d", "e f", "g h i j"]]


class Responses(BackendCase):
    name = "vllm"

    def run_api(self, *flags, **parts):
        return self.small("responses", *flags, **parts)

    def test_streams(self):
        for self.name in ("vllm", "openai"):
            with self.subTest(self.name):
                self.assert_lengths(self.go_plain())

    def go_plain(self):
        return self.go(lambda url: run_text(url, processor=self.processor("responses"), tokens=12, phase="requests: 40",
                                            load="{use: concurrency, options: {users: 8}}"), "--ttft", "3ms", "--itl", "1ms")

    def test_whole(self):
        run = self.run_api("--reasoning-tokens", "4", request="{stream: false}", events=False)
        self.assert_lengths(run)
        self.assertNotIn("TTFT", run.out)

    def test_reasoning(self):
        for record in self.run_api("--reasoning-tokens", "4").requests:  # gaps are whole microseconds
            self.assertAlmostEqual(record["first_answer_ns"], arrivals_ns(record)[4], delta=4000)

    def test_exact_length_and_salt(self):
        run = self.run_api("--eos-after", "3", "--prefix-cache", request="{output: exact}")
        self.assert_lengths(run)
        self.assertTrue(all("cached_tokens" in r for r in run.requests), run.requests[0])

    def test_ends_by_itself(self):
        run = self.run_api("--eos-after", "3", request="{output: at_most}")
        self.assert_lengths(run, output=3)
        self.assertEqual({r["finish_reason"] for r in run.requests}, {"completed"})

    def test_without_usage(self):
        run = self.run_api(headers="usage_missing")
        self.assert_lengths(run, source="events")

    def test_refused(self):
        self.refused("responses", "makes one choice only", request="{choices: 2}", code=2)

    def test_sglang(self):
        self.name = "sglang"
        self.assert_lengths(self.run_api())
        run = self.run_api("--eos-after", "3", request="{output: at_most}")
        self.assertEqual({r["finish_reason"] for r in run.requests}, {"completed"})
        self.refused("responses", "exact", request="{output: exact}", code=2)
        self.refused("responses", "knows no adapters", "--adapters", "sql", code=2,
                     more="model: {name: sim-model, adapters: [{name: sql}]}\n")


class ResponsesShapes(Responses):
    test_streams = test_whole = test_reasoning = test_exact_length_and_salt = test_ends_by_itself = None
    test_without_usage = test_refused = test_sglang = None

    def test_shapes(self):
        for flags in (("--split", "byte"), ("--split", "seeded"), ("--crlf", "--comments", "1ms"),
                      ("--first-event", "role_early"), ("--first-event", "none"), ("--mode", "model")):
            with self.subTest(flags):
                self.assert_lengths(self.run_api(*flags))

    def test_failures(self):
        for fault, wanted in (("error; after=3; form=responses", "in_band"), ("error; form=vllm; code=400", "in_band.request"),
                              ("error; after=3; form=responses; code=429", "in_band.rejected"), ("abort; after=3", "in_band"),
                              ("fin; after=3", "truncated"), ("no_finish", "truncated"), ("status; code=503", "status.503")):
            with self.subTest(fault):
                sim = self.sim("--ttft", "3ms", "--itl", "1ms", "--failure", fault, "--failure-rate", "0.5")
                text = run_text(sim.url, processor=self.processor("responses"), tokens=12, phase="requests: 30",
                                load="{use: concurrency, options: {users: 6}}")
                run = self.run_file(text)
                self.assertIsNotNone(run.dir, run.show())
                self.assertEqual({r.get("class", r["status"]) for r in run.requests} - {"ok"}, {wanted})


class Pooling(BackendCase):
    """One answer at once, no output: the only latency is E2E."""

    def pool(self, name, api, *flags, dataset=None):
        self.name = name
        sim = self.sim("--ttft", "3ms", *flags)
        run = self.run_ok(run_text(sim.url, processor=self.processor(api), dataset=dataset, phase="requests: 40",
                                   load="{use: concurrency, options: {users: 4}}"))
        sim.stop()
        truth = sim.requests()
        self.assertEqual(run.summary["totals"]["ok"], 40, run.show())
        for record in run.requests:
            line = truth[record["id"]]
            self.assertEqual((line["route"], line["tokens"]), (api, 0))
            self.assertEqual((record["prompt_tokens"], record["output_tokens"]), (line["prompt_tokens"], 0))
            self.assertNotIn("first_token_ns", record)
        self.assertIn("E2E", run.out)
        for absent in ("TTFT", "TPOT", "ITL"):
            self.assertNotIn(absent, run.out)
        return run

    def lines(self, rows):
        path = self.write("rows.jsonl", "".join(
            json.dumps({"messages": [{"role": "user", "content": text} for text in row]}) + "\n" for row in rows))
        return f'{{use: jsonl, options: {{file: "{path}"}}}}'

    def test_embeddings(self):
        for name in ("vllm", "openai", "sglang", "nim"):
            with self.subTest(name):
                self.pool(name, "embeddings", *{"sglang": ("--dialect", "sglang"), "nim": ("--nim", "2.x")}.get(name, ()))
        self.pool("vllm", "embeddings", "--mode", "model")

    def test_inputs_and_token_ids(self):
        self.pool("vllm", "embeddings", dataset=self.lines(PAIRS))
        self.pool("vllm", "embeddings", dataset="{use: synthetic, options: {input_tokens: 9, output_tokens: 1, form: token_ids, vocab_size: 999}}")

    RANKINGS = (("vllm", "rerank", ()), ("sglang", "rerank", ("--dialect", "sglang")), ("nim", "ranking", ("--nim", "2.x")))

    def test_rankings(self):
        for name, api, flags in self.RANKINGS:
            with self.subTest(name):
                self.pool(name, api, *flags, dataset=self.lines(PAIRS))

    def test_a_ranking_needs_documents(self):
        for self.name, api, flags in self.RANKINGS:
            with self.subTest(self.name):
                sim = self.sim(*flags)
                code, out, err = self.tokometer("run", self.write("r.yaml", run_text(sim.url, processor=self.processor(api))))
                self.assertEqual(code, 3, out + err)
                self.assertIn(f"api: {api} takes a query and documents", err)

    def test_rankings_that_are_refused(self):
        for self.name, api, flags in self.RANKINGS:
            with self.subTest(self.name):
                sim = self.sim("--ttft", "1ms", "--failure", "status; code=400", "--failure-rate", "0.5", *flags)
                run = self.run_file(run_text(sim.url, processor=self.processor(api), dataset=self.lines(PAIRS), phase="requests: 30"))
                self.assertIsNotNone(run.dir, run.show())
                self.assertEqual({r.get("class", r["status"]) for r in run.requests}, {"ok", "status.400"})

    def test_sglang_ranks_without_adapters(self):
        self.name = "sglang"
        more = "model: {name: sim-model, adapters: [{name: sql}]}\n"
        self.refused("rerank", "knows no adapters", "--adapters", "sql", dataset=self.lines(PAIRS), more=more, code=2)


class Actions(BackendCase):
    """What a run does to its server before the load, and puts back after it, by the server's own pages."""
    name = "vllm"

    def quick(self, *flags):
        return self.sim("--ttft", "1ms", "--itl", "1ms", *flags)

    def get(self, sim, path):
        with urllib.request.urlopen(sim.url + path, timeout=60) as answer:
            return answer.read().decode()

    def served(self, sim):
        return [model["id"] for model in json.loads(self.get(sim, "/v1/models"))["data"]]

    def asked(self, sim, path):
        """How often a page was asked, by status class."""
        lines = [line for line in self.get(sim, "/metrics").splitlines() if f'handler="{path}"' in line and "http_requests" in line]
        return {line.split('status="')[1][:3]: int(float(line.split()[-1])) for line in lines}

    def prepared(self, sim, prepare, adapters="", **parts):
        model = f"model: {{name: sim-model, adapters: [{adapters}]}}\n" if adapters else ""
        return run_text(sim.url, processor="vllm", target=f"prepare: {{{prepare}}}", more=model, phase="requests: 40", **parts)

    def test_adapters_come_and_go(self):
        sim = self.quick("--adapters", "there")
        run = self.run_ok(self.prepared(sim, "load_adapters: true", "{name: sql, path: /lora/sql, weight: 3}, {name: there}"))
        self.assertEqual({r["adapter"] for r in run.requests}, {"sql", "there"})
        routes = {route["adapter"]: route for route in run.summary["phases"][0]["routes"]}
        for adapter in ("sql", "there"):
            self.assertEqual(routes[adapter]["ok"], sum(r["adapter"] == adapter for r in run.requests))
        self.assertRegex(run.out, r"By model, ms[^\n]*\n +sql +\d")
        self.assertEqual(self.served(sim), ["sim-model", "there"])
        self.assertEqual(self.asked(sim, "/v1/load_lora_adapter"), {"2xx": 1})
        sim.stop()
        self.assertEqual({line["model"] for line in sim.requests().values()}, {"sql", "there"})

    def test_an_adapter_that_cannot_be_loaded(self):
        """What was loaded before it is unloaded, and no load is sent."""
        sim = self.sim()
        text = self.prepared(sim, "load_adapters: true", "{name: a, path: /a}, {name: b, path: /missing}")
        code, out, err = self.tokometer("run", self.write("r.yaml", text))
        self.assertEqual(code, 3, out + err)
        self.assertIn('target.prepare.load_adapters: adapter "b": POST /v1/load_lora_adapter: status 404', err)
        self.assertEqual(self.served(sim), ["sim-model"])

    def test_profiler_and_cache(self):
        sim = self.quick("--prefix-cache")
        for times in (1, 2):
            self.run_ok(self.prepared(sim, "reset_cache: true, profile: true"))
            for path in ("/reset_prefix_cache", "/start_profile", "/stop_profile"):
                self.assertEqual(self.asked(sim, path), {"2xx": times}, path)

    def test_examples(self):
        for name, flags in (("responses", ()), ("embeddings", ()), ("rerank", ()), ("lora", ("--set", "model.name=sim-model"))):
            with self.subTest(name):
                sim, parent = self.quick(), self.tmp / name
                code, out, err = self.tokometer("run", ROOT / "examples" / f"vllm-{name}.yaml", "--set", f"target.url={sim.url}",
                                                "--set", "phases.main.duration=1s", "--set", f"output.dir={parent}", *flags)
                run = Run(code, out, err, parent)
                self.assertIn(code, (0, 4, 5), run.show())
                self.assertEqual(run.summary["totals"]["failed"], 0)

    def test_refused(self):
        sim = self.sim()
        rows = (("load_adapters: true", "{name: a}", "no entry of model.adapters has a path"),
                ("reset_cache: true", "{name: a, path: /a}", "needs target.prepare.load_adapters: true"))
        for prepare, adapters, sentence in rows:
            code, out, err = self.tokometer("validate", self.write("r.yaml", self.prepared(sim, prepare, adapters)))
            self.assertEqual(code, 2, out + err)
            self.assertIn(sentence, err)
        for prepare, adapters in (("profile: true", ""), ("load_adapters: true", "{name: a, path: /a}")):
            text = self.prepared(sim, prepare, adapters).replace("processor: vllm", "processor: openai")
            code, out, err = self.tokometer("run", self.write("r.yaml", text))
            self.assertEqual(code, 2, out + err)
            self.assertIn(f'target.prepare.{prepare.split(":")[0]}: the processor "openai" knows no way to do it', err)


if __name__ == "__main__":
    main()
