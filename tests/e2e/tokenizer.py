"""A run with a tokenizer of its own: model.tokenizer through tokenizer-hf.so."""

import json
import urllib.request

from harness import Case, main, run_text

# A token is a word, as the simulator counts them: its letters are unknown, and the unknown is one token.
WORDS = {
    "model": {"type": "BPE", "vocab": {"<word>": 0}, "merges": [], "unk_token": "<word>", "fuse_unk": True},
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Removed", "invert": False},
}
# A token is a blank, or up to two letters: not what the simulator counts.
PAIRS = {
    "model": {"type": "BPE", "vocab": {"<x>": 0}, "merges": [], "unk_token": "<x>", "fuse_unk": True},
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "[^ ]{1,2}"}, "behavior": "Isolated", "invert": False},
}


class Tokenizer(Case):
    def file(self, name, content):
        return self.write(name, json.dumps(content))

    def run_with(self, file, **sections):
        sim = self.sim("--ttft", "1ms", "--itl", "100us")
        more = f"model: {{tokenizer: {{use: hf, options: {{file: {file}}}}}}}\n"
        return sim, self.run_ok(run_text(sim.url, more=more, **sections))

    def test_lengths_of_made_prompts(self):
        lengths = "{distribution: uniform, min: 5, max: 60}"
        _, run = self.run_with(self.file("words.json", WORDS), dataset=f"{{use: synthetic, options: {{input_tokens: {lengths}, output_tokens: 2}}}}",
                               phase="requests: 30")
        # What the server counts, less its template: as many as the run without a tokenizer has, which counts words itself.
        sim = self.sim("--ttft", "1ms", "--itl", "100us")
        plain = self.run_ok(run_text(sim.url, dataset=f"{{use: synthetic, options: {{input_tokens: {lengths}, output_tokens: 2}}}}", phase="requests: 30"))
        counts = [[r["prompt_tokens"] for r in sorted(one.requests, key=lambda r: r["seq"])] for one in (run, plain)]
        self.assertEqual(*counts)
        self.assertNotEqual(run.manifest["plan_hash"], plain.manifest["plan_hash"])

    def test_lengths_that_the_data_do_not_state(self):
        row = "{{\"conversations\":[{{\"from\":\"human\",\"value\":\"{}\"}},{{\"from\":\"gpt\",\"value\":\"{}\"}}]}}"
        rows = [row.format("why " * asked, "so " * answered) for asked, answered in ((3, 9), (40, 5), (6, 1))]
        data = self.write("s.json", "[" + ",".join(rows) + "]")
        filtered = f"{{use: sharegpt, options: {{file: {data}}}, rows: {{filter: {{max_prompt: 10}}}}}}"
        file = self.file("words.json", WORDS)
        _, run = self.run_with(file, dataset=filtered, phase="requests: 2")
        records = sorted(run.requests, key=lambda r: r["seq"])
        self.assertEqual([r["asked_output_tokens"] for r in records], [9, 1])
        self.assertIn("left out 1 of 3 rows (max_prompt 1); lengths that the data do not state are counted by the tokenizer", run.out)
        plugin = next(p for p in run.manifest["plugins"] if p["kind"] == "tokenizer")
        self.assertEqual((plugin["use"], plugin["module"]), ("hf", "tokenizer-hf"))
        named = [f for f in run.manifest["data_files"] if f["path"] == str(file)]
        self.assertEqual(len(named[0]["sha256"]), 64)
        # The manifest's run file runs again.
        code, out, err = self.tokometer("render", run.dir)
        self.assertEqual(code, 0, err)
        self.assertIn("use: hf", out)

    def test_another_models_tokenizer_is_told(self):
        file = self.file("pairs.json", PAIRS)
        _, run = self.run_with(file, dataset="{use: synthetic, options: {input_tokens: 60, output_tokens: 2}}", phase="requests: 5")
        self.assertIn("model.tokenizer is not the server's: it counts ", run.err)
        _, run = self.run_with(self.file("words.json", WORDS), phase="requests: 5", prompt=60)
        self.assertNotIn("not the server's", run.err)

    def test_the_hash_follows_the_file(self):
        hashes = []
        for content in (WORDS, PAIRS, WORDS):
            file = self.file("tokenizer.json", content)
            text = run_text("http://127.0.0.1:1", more=f"model: {{tokenizer: {{use: hf, options: {{file: {file}}}}}}}\n")
            code, out, err = self.tokometer("plan", self.write("run.yaml", text))
            self.assertEqual(code, 0, err)
            self.assertIn("\ntokenizer  hf, 1 ids\n", out)
            hashes.append(out.splitlines()[-1])
        self.assertEqual(hashes[0], hashes[2])
        self.assertNotEqual(hashes[0], hashes[1])

    def test_refused(self):
        unigram = self.file("unigram.json", {"model": {"type": "Unigram", "vocab": []}})
        for tokenizer, sentence in (
                (f"{{use: hf, options: {{file: {unigram}}}}}",
                 f"tokenizer \"hf\": {unigram}: model: the type \"Unigram\" is not supported (known: BPE)"),
                ("{use: hf, options: {file: /no/such.json}}", "tokenizer \"hf\": /no/such.json: cannot be read: No such file or directory"),
                ("{use: hf}", "model.tokenizer.options: \"file\" is missing"),
                ("auto", "model.tokenizer: must be a map of keys and values (got \"auto\")"),
                ("{use: hff, options: {file: a}}", "did you mean \"hf\"?"),
                ("{use: poisson, options: {file: a}}", "\"poisson\" is a load pattern, not a tokenizer")):
            with self.subTest(tokenizer=tokenizer):
                text = run_text("http://127.0.0.1:1", more=f"model: {{tokenizer: {tokenizer}}}\n")
                code, out, err = self.tokometer("run", self.write("run.yaml", text))
                self.assertEqual(code, 2, out + err)
                self.assertIn(sentence, err)

    def test_describe(self):
        code, out, err = self.tokometer("plugin", "describe", "hf", "--yaml")
        self.assertEqual(code, 0, err)
        self.assertIn("model:\n  tokenizer:\n    use: hf\n    options:\n      file: ", out)
        code, out, err = self.tokometer("schema", "--with", "hf")
        self.assertEqual(code, 0, err)
        condition = json.loads(out)["allOf"][0]
        self.assertEqual(condition["if"]["properties"]["model"]["properties"]["tokenizer"]["properties"]["use"]["enum"], ["hf", "tokenizer-hf/hf"])
        self.assertIn("file", condition["then"]["properties"]["model"]["properties"]["tokenizer"]["properties"]["options"]["properties"])


class Fit(Case):
    """dataset.rows.input_tokens and .output_tokens: real prompts at any length."""

    def data(self, lengths):
        rows = [{"conversations": [{"from": "human", "value": " ".join(["word"] * count)}, {"from": "gpt", "value": "an answer"}]}
                for count in lengths]
        return self.write("talks.json", json.dumps(rows))

    def fitted(self, rows, more="", lengths=(3, 40, 250, 93), **sections):
        sim = self.sim("--ttft", "1ms", "--itl", "100us")
        dataset = f"{{use: sharegpt, options: {{file: {self.data(lengths)}}}, rows: {rows}}}"
        run = self.run_ok(run_text(sim.url, dataset=dataset, more=more, phase="requests: 40", **sections))
        self.assertEqual(self.assert_true_text(run, sim), 40)
        return run

    def test_by_the_servers_counts(self):
        run = self.fitted("{input_tokens: 100, output_tokens: 6}")
        self.assertEqual({r["prompt_tokens"] for r in run.requests}, {100})      # the server's template is counted off
        self.assertEqual({(r["asked_output_tokens"], r["output_tokens"]) for r in run.requests}, {(6, 6)})
        self.assertIn("prompts are fitted to dataset.rows.input_tokens by 5.00 bytes a token, as the server counted two of them: "
                      "1 cut, 2 repeated, 1 as they were", run.out)

    def test_by_a_tokenizer(self):
        words = self.write("words.json", json.dumps(WORDS))
        run = self.fitted("{input_tokens: {distribution: uniform, min: 20, max: 200}}",
                          f"model: {{tokenizer: {{use: hf, options: {{file: {words}}}}}}}\n", lengths=range(1, 31))
        counts = [r["prompt_tokens"] for r in run.requests]
        self.assertTrue(20 <= min(counts) < 60 < 150 < max(counts) <= 200, counts)
        self.assertGreater(len(set(counts)), 15)
        self.assertEqual({r["asked_output_tokens"] for r in run.requests}, {2})
        self.assertIn("dataset.rows.input_tokens by the tokenizer: ", run.out)

    def test_refused(self):
        def refused(dataset, sentence, **sections):
            code, _, err = self.tokometer("validate", self.write("run.yaml", run_text("http://127.0.0.1:1", dataset=dataset, **sections)))
            self.assertEqual(code, 2, err)
            self.assertIn(sentence, err)
        refused("{use: synthetic, options: {input_tokens: 8}, rows: {input_tokens: 9}}",
                "dataset.rows.input_tokens: dataset \"synthetic\" makes its prompts by lengths of its own; set them in dataset.options")
        data = self.data([3])
        refused(f"{{use: sharegpt, options: {{file: {data}, sessions: true}}, rows: {{output_tokens: 9}}}}",
                "dataset.rows.output_tokens: dataset \"sharegpt\" gives sessions, whose turns keep the lengths that they have")


class ServerCounts(Case):
    """The processor knows a route that counts texts: it is asked before the load, and prompts follow its counts."""

    LONG = "incomprehensibilities" * 2      # three of the simulator's tokens, of sixteen letters at most

    def start_sim(self, *flags):
        return self.sim("--ttft", "1ms", "--itl", "100us", *flags)

    def asked(self, sim):
        """How often the route was asked, by the simulator's metrics."""
        page = urllib.request.urlopen(sim.url + "/metrics").read().decode()
        return sum(float(line.split()[-1]) for line in page.splitlines()
                   if line.startswith("http_requests_total{") and 'handler="/tokenize"' in line)

    def made(self, sim, dialect="vllm", prompt=100):
        run = self.run_ok(run_text(sim.url, processor=dialect, prompt=prompt, phase="requests: 12"))
        self.assertEqual({r["prompt_tokens"] for r in run.requests}, {prompt}, run.out)
        return run

    def test_made_prompts(self):
        for dialect in ("vllm", "sglang", "tgi"):
            with self.subTest(dialect=dialect):
                sim = self.start_sim("--dialect", dialect)
                run = self.made(sim, dialect)
                self.assertRegex(run.out, r"Data        prompts are made to length at 1\.00 tokens a word, "
                                          r"as the server counted \d{4} of them \(POST /tokenize\)\n")
                self.assertEqual(run.manifest["preflight"]["requests"], 1)     # no request to generate just to calibrate

    def test_without_the_route(self):
        run = self.made(self.start_sim("--no-tokenize"))
        self.assertIn("at 1.00 tokens a word, as the server counted two of them (POST /tokenize: HTTP 404)\n", run.out)
        self.assertEqual(run.manifest["preflight"]["requests"], 3)

    def fitted(self, sim, rows, *, limit=""):
        data = self.write("talks.jsonl", "".join(json.dumps({"prompt": row}) + "\n" for row in rows))
        dataset = f"{{use: jsonl, options: {{file: {data}}}, rows: {{input_tokens: 300, output_tokens: 4{limit}}}}}"
        return self.run_ok(run_text(sim.url, processor="vllm", dataset=dataset, phase="requests: 40"))

    def test_real_prompts(self):
        """Prompts whose tokens have other lengths than the first one's: each is within 1 % of what is asked."""
        rows = ["word " * 30, f"{self.LONG} " * 200, f"a {self.LONG} " * 50, "an even longer word " * 90] * 5
        sim = self.start_sim()
        run = self.fitted(sim, rows)
        off = [abs(r["prompt_tokens"] - 300) for r in run.requests]
        self.assertLessEqual(max(off), 3, off)
        self.assertIn("dataset.rows.input_tokens by the server's counts of each: ", run.out)
        asked = self.asked(sim)
        self.assertTrue(len(rows) < asked < 6 * len(rows), asked)     # while the data are read, not for each request
        # Two requests know the first prompt only.
        off = [abs(r["prompt_tokens"] - 300) for r in self.fitted(self.start_sim("--no-tokenize"), rows).requests]
        self.assertGreater(max(off), 30, off)


if __name__ == "__main__":
    main()
