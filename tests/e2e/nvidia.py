"""The processors `triton` and `nim` against the simulator's dialects: texts and counts equal the truth, and each bad input
ends with one clear sentence and its exit code."""

import json

from harness import Case, main, run_text
from truth import TruthCase

GENERATE = "{use: triton, options: {%s}}"
FRONTEND = "{use: triton, options: {api: chat}}"


class Nvidia(TruthCase):
    def small(self, *flags, processor="triton", request="", tokens=12, events=True, headers="", users=8, requests=40):
        return self.go(lambda url: run_text(url, processor=processor, request=request, tokens=tokens, headers=headers,
                                            load=f"{{use: concurrency, options: {{users: {users}}}}}",
                                            phase=f"requests: {requests}"),
                       "--ttft", "3ms", "--itl", "1ms", *flags, events=events)


class Triton(Nvidia):
    def test_tensors(self):
        for tensors, source, reason in (("trt_llm", "usage", None), ("vllm", "usage", "length"),
                                        ("llm_api", "events", "length")):
            with self.subTest(tensors):
                run = self.small("--triton-tensors", tensors)
                for record in run.requests:
                    self.assertEqual((record["token_source"], record.get("finish_reason"), record["events"]),
                                     (source, reason, 12))
                    self.assertNotIn("flags", {k: v for k, v in record.items() if v != ["coalesced"]})

    def test_whole(self):
        for tensors in ("trt_llm", "vllm"):
            with self.subTest(tensors):
                run = self.small("--triton-tensors", tensors, request="{stream: false}", events=False)
                self.assertTrue(all("first_token_ns" not in r and r["output_tokens"] == 12 for r in run.requests))

    def test_tokens_per_event(self):
        run = self.small("--tokens-per-event", "5")
        self.assertTrue(all(r["k"] == [5, 5, 2] and r["output_tokens"] == 12 for r in run.requests))

    def test_cuts(self):
        for cut in ("byte", "seeded"):
            with self.subTest(cut):
                self.small("--split", cut, "--triton-tensors", "llm_api", tokens=5)

    def test_exact_length(self):
        """min_tokens, and ignore_eos of the vLLM backend: the model would end after 4 tokens."""
        for tensors in ("trt_llm", "vllm"):
            with self.subTest(tensors):
                run = self.small("--triton-tensors", tensors, "--eos-after", "4", request="{output: exact}")
                self.assertTrue(all(r["output_tokens"] == 12 for r in run.requests))

    def test_frontend(self):
        run = self.small("--first-event", "role_early", processor=FRONTEND)
        self.assertTrue(all(r["output_tokens"] == 12 for r in run.requests))
        self.small(processor=GENERATE % "api: completions")

    def test_the_only_model_is_found(self):
        run = self.small("--model", "my-model.1")
        self.assertEqual(run.requests[0]["model"], "my-model.1")

    def test_faults(self):
        for words, cls in (("error; after=3", "in_band"), ("error", "status.400"), ("status; code=503; body=triton", "status.503"),
                           ("status; code=500; body=triton", "status.500"), ("rst; after=2", "truncated"),
                           ("cut_json; after=2", "format"), ("empty", "empty")):
            with self.subTest(words):
                sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--seed", "3", "--failure-rate", "0.3", "--failure", words)
                run = self.run_file(run_text(sim.url, processor="triton", phase="requests: 30",
                                             more="limits: {error_budget: 100%}\n"))
                self.assert_law(run)
                classes = [r["class"] for r in run.requests if r["status"] == "failed"]
                self.assertEqual(set(classes), {cls}, run.show())
                self.assertLess(2, len(classes))
                self.assert_true_text(run, sim)


class Refused(Case):
    """Exit 3 and one sentence; nothing but preflight reached the server."""

    def refused(self, flags, words, processor="triton", target="", request="", more="", code=3):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", *flags)
        run = self.run_file(run_text(sim.url, processor=processor, target=target, request=request, more=more))
        self.assertEqual(run.code, code, run.show())
        self.assertIsNone(run.dir)
        for word in words:
            self.assertEqual(run.err.count(word), 1, f"{word!r}: {run.show()}")
        sim.stop()
        self.assertEqual(sim.requests(), {}, "load was sent")

    def test_wrong_tensor_name(self):
        self.refused((), ['tensors.prompt: the model "sim-model" has no input "PROMPT"', "text_input BYTES, max_tokens INT32"],
                     processor=GENERATE % "tensors: {prompt: PROMPT}")
        self.refused((), ['tensors.text: the model "sim-model" has no output "OUTPUT"', "text_output BYTES"],
                     processor=GENERATE % "tensors: {text: OUTPUT}")

    def test_wrong_tensor_type(self):
        self.refused((), ['tensors.max_tokens: the model "sim-model" has the input "temperature" as FP32, which holds no whole number'],
                     processor=GENERATE % "tensors: {max_tokens: temperature}")

    def test_keys_that_triton_would_ignore(self):
        self.refused((), ['extra sets "min_length"', "Triton would ignore it"], request="{extra: {min_length: 4}}")
        self.refused((), ['sets "presence_penalty"', "no such input"], request="{sampling: {presence_penalty: 1}}")
        self.refused((), ['sets "end_id", which is INT32', 'to "two"'], request='{extra: {end_id: "two"}}')

    def test_no_exact_length(self):
        self.refused(("--triton-tensors", "llm_api"), ["request.output: exact", "best_effort"], request="{output: exact}")

    def test_wrong_model(self):
        for processor in ("triton", FRONTEND, "nim"):
            with self.subTest(processor):
                self.refused(("--model", "llama", "--nim", "2.x"), ['no model "lama"', 'did you mean "llama"', "It lists: llama"],
                             processor=processor, more="model: {name: lama}\n")

    def test_missing_key(self):
        for processor, path in (("triton", "/v2/repository/index"), (FRONTEND, "/v1/models"), ("nim", "/v1/models")):
            with self.subTest(processor):
                self.refused(("--api-key", "k-123456", "--nim", "2.x"), [f"answered 401 to {path}", "check target.api_key"],
                             processor=processor)

    def test_still_loading(self):
        self.refused(("--startup", "1h"), ["/v2/health/ready", "400"])
        self.refused(("--startup", "1h", "--nim", "2.x"), ["/v1/health/ready", "503"], processor="nim")


class Nim(Nvidia):
    def test_both_generations(self):
        for generation in ("1.x", "2.x"):
            for api in ("chat", "completions"):
                with self.subTest(generation=generation, api=api):
                    run = self.small("--nim", generation, processor=f"{{use: nim, options: {{api: {api}}}}}")
                    self.assertTrue(all(r["output_tokens"] == 12 and r["token_source"] == "usage" for r in run.requests))
                    self.assertIn("release", run.manifest["preflight"]["info"]["version"])
                    has_stats = [r.get("server", {}).get("time_to_first_token_in_ms") for r in run.requests]
                    self.assertEqual(set(has_stats), {110.0 if generation == "1.x" else None})

    def test_exact_length(self):
        """1.x knows ignore_eos inside nvext only; that it is 1.x was found out by asking."""
        for generation in ("1.x", "2.x"):
            with self.subTest(generation):
                run = self.small("--nim", generation, "--eos-after", "4", processor="nim", request="{output: exact}")
                self.assertTrue(all(r["output_tokens"] == 12 for r in run.requests))
        run = self.small("--nim", "1.x", "--eos-after", "4", processor="{use: nim, options: {generation: 2.x}}",
                         request="{output: exact}")
        self.assertTrue(all(r["output_tokens"] == 4 and "short_output" in r["flags"] for r in run.requests))

    def test_key(self):
        sim = self.sim("--nim", "1.x", "--api-key", "nvapi-1234567", "--ttft", "1ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, processor="nim", target='api_key: "${TKM_KEY:-nvapi-1234567}"'))
        self.assertEqual(run.summary["totals"]["ok"], 10)

    def test_probe_reads_the_metrics_of_both(self):
        for generation, known in (("1.x", 6), ("2.x", 10)):
            with self.subTest(generation):
                sim = self.sim("--nim", generation, "--ttft", "1ms", "--itl", "1ms")
                code, out, err = self.tokometer("probe", self.write("probe.yaml", run_text(sim.url, processor="nim")), "--json")
                self.assertEqual(code, 0, err)
                page = json.loads(out)["metrics_pages"][0]
                self.assertTrue(page["url"].endswith("/v1/metrics"))
                self.assertEqual(page["known"], known, page)
                code, out, err = self.tokometer("probe", sim.url, "--json")
                self.assertEqual((code, json.loads(out)["processor"]), (0, "nim"), err)


if __name__ == "__main__":
    main()
