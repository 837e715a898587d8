"""What a user gives: wrong words, wrong servers, several ways to say the same."""

import json
import os
import pty
import re
import shutil
import socket
import subprocess

from harness import BIN, SIM, TOKOMETER, Case, Run, environment, main, run_text

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


class Refused(Case):
    """Exit 2 before a socket is opened, one sentence, no run directory, nothing on stdout."""

    def refused(self, arguments, *words, env=None, code=2):
        got, out, err = self.tokometer(*arguments, env=env)
        self.assertEqual(got, code, out + err)
        self.assertEqual(out, "")
        for word in words:
            self.assertIn(word, err)
        self.assertNotRegex(err, r"terminate called|what\(\)|\.cpp:\d+|0x[0-9a-f]{6,}")
        self.assertFalse((self.tmp / "runs").exists(), "a partial run")

    def test_unknown_words(self):
        file = self.write("run.yaml", run_text("http://127.0.0.1:1"))
        self.refused(["rnu", file], "rnu", "run")
        self.refused(["run", file, "--stlye", "json"], "--stlye", "--style")
        self.refused(["run", file, "--style", "tabel"], "tabel", "table")
        self.refused(["run"], "run")
        self.refused(["run", "no-such-file.yaml"], "no-such-file.yaml")
        self.refused(["run", "chatt", "--url", "http://127.0.0.1:1"], "chatt", "chat")
        self.refused(["run", "chat"], "url")
        self.refused(["run", file, "--set", "load.options.uesrs=3"], "uesrs", "users")
        self.refused(["run", file, "--set", "noequals"], "noequals")
        self.refused(["report", self.tmp / "nowhere"], "nowhere")

    def test_url_of_init(self):
        for url, words in (("localhost:8000", "must begin with http://"), ("ftp://h", "must begin with http://"), ("http://h:99999", "port must be 1-65535"),
                           ("http://me:key@h", "a user name or password does not belong here"), ("http://h/?a=b", "a query (?)"), ("http://", "the host is missing")):
            self.refused(["init", "chat", "--url", url], "--url: ", words)

    def test_unset_variable(self):
        file = self.write("run.yaml", run_text("http://127.0.0.1:${TKM_NO_SUCH_PORT}"))
        self.refused(["run", file], "run.yaml:3:", "TKM_NO_SUCH_PORT", "not set")
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", target="api_key: \"${TKM_NO_SUCH_KEY}\""))
        self.refused(["run", file], "run.yaml:3:", "TKM_NO_SUCH_KEY", "not set")

    def test_all_faults_at_once(self):
        text = run_text("http://127.0.0.1:1", request="{straem: true}", load="{use: constant, options: {rat: 5}}",
                        more="limits: {error_budget: lots}\n")
        file = self.write("run.yaml", text)
        self.refused(["run", file], "straem", "did you mean \"stream\"", "rat", "error_budget")
        code, _, err = self.tokometer("validate", file)
        self.assertEqual(code, 2)
        places = [int(line) for line in re.findall(r"run\.yaml:(\d+):\d+:", err)]
        self.assertGreaterEqual(len(places), 3, err)
        self.assertEqual(places, sorted(places), err)

    def test_missing_dataset_file(self):
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", dataset="{use: jsonl, options: {file: no-such.jsonl}}"))
        self.refused(["run", file], "no-such.jsonl")

    def test_no_plugin(self):
        """Bundled plugins come through the same door as all: without standard.so a run fails by name."""
        place = self.tmp / "installed"
        (place / "bin").mkdir(parents=True)
        plugins = place / "lib" / "tokometer" / "plugins-1"
        plugins.mkdir(parents=True)
        for program in (TOKOMETER, SIM):
            shutil.copy2(program, place / "bin")
        shutil.copy2(BIN.parent / "lib" / "tokometer" / "plugins-1" / "vllm.so", plugins)
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", processor="vllm"))
        env = environment(HOME=str(self.tmp), XDG_DATA_HOME=None)
        done = subprocess.run([place / "bin" / "tokometer", "run", file], capture_output=True, text=True, env=env, cwd=self.tmp)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("synthetic", done.stderr)
        self.assertIn("concurrency", done.stderr)
        self.assertIn("not found", done.stderr)
        self.assertNotIn('"vllm"', done.stderr)

    def test_no_sockets(self):
        """validate, render and plan open no socket; neither does a run that is refused."""
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        good = self.write("good.yaml", run_text("http://example.invalid:8000"))
        bad = self.write("bad.yaml", run_text("http://example.invalid:8000", load="{use: constant, options: {rate: fast}}"))
        for verb, file, code in (("validate", good, 0), ("plan", good, 0), ("render", good, 0), ("run", bad, 2)):
            with self.subTest(verb):
                trace = self.tmp / "trace"
                done = subprocess.run(["strace", "-f", "-e", "trace=network", "-o", trace, TOKOMETER, verb, file],
                                      capture_output=True, text=True, env=environment(ASAN_OPTIONS="detect_leaks=0"), cwd=self.tmp)
                if "ptrace" in done.stderr and done.returncode != code:
                    self.skipTest("strace may not trace here")
                self.assertEqual(done.returncode, code, done.stderr)
                calls = [line for line in trace.read_text().splitlines() if "socket(" in line or "connect(" in line]
                # libc asks a local daemon for the user's name, whose plugins are trusted
                self.assertFalse([call for call in calls if "AF_UNIX" not in call and "nscd" not in call])


class Servers(Case):
    def test_wrong_model(self):
        sim = self.sim("--model", "llama-3.1-8b", "--ttft", "1ms")
        run = self.run_file(run_text(sim.url), "--model", "llama-3.1-8")
        self.assertEqual(run.code, 3)
        self.assertIn("llama-3.1-8b", run.err)
        self.assertIn("did you mean", run.err)
        self.assertIsNone(run.dir)

    def test_refused_port(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        run = self.run_file(run_text(f"http://127.0.0.1:{port}"))
        self.assertEqual(run.code, 3)
        self.assertIn(str(port), run.err)
        self.assertIsNone(run.dir)
        self.assertEqual(self.tokometer("probe", f"http://127.0.0.1:{port}")[0], 3)

    def test_probe(self):
        sim = self.sim("--model", "probed-model", "--ttft", "5ms", "--itl", "1ms")
        code, out, err = self.tokometer("probe", sim.url)
        self.assertEqual(code, 0, err)
        self.assertIn("probed-model", out)
        self.assertIn("vllm", out)
        code, out, err = self.tokometer("probe", sim.url, "--json")
        self.assertEqual(code, 0, err)
        self.assertIn("probed-model", json.dumps(json.loads(out)))
        self.assertEqual(self.tokometer("probe", self.write("p.yaml", run_text(sim.url)))[0], 0)

    def test_ports(self):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms")
        port = sim.url.rsplit(":", 1)[1]
        run = self.run_ok(run_text("http://127.0.0.1", target=f"ports: {{http: {port}}}"))
        self.assertEqual(run.manifest["target"]["url"], sim.url)
        text = run_text("grpc://127.0.0.1", processor="{use: triton, options: {api: grpc}}", target=f"ports: {{grpc: {port}, metrics: {port}}}",
                        more="model: {name: sim-model}\n")
        self.assertEqual(self.run_ok(text).summary["totals"]["ok"], 10)
        code, out, err = self.tokometer("probe", self.write("probe.yaml", text), "--json")
        self.assertEqual(code, 0, err)
        self.assertEqual([page["url"] for page in json.loads(out)["metrics_pages"]], [sim.url + "/metrics"])

    def test_adapters(self):
        sim = self.sim("--adapters", "ada,bob", "--ttft", "1ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, processor="vllm", phase="requests: 400", load="{use: concurrency, options: {users: 8}}",
                                   more="model: {name: sim-model, adapters: [{name: ada, weight: 3}, {name: bob}]}\n"))
        count = {name: sum(r.get("adapter") == name for r in run.requests) for name in ("ada", "bob")}
        self.assertEqual(sum(count.values()), 400)
        self.assertTrue(260 <= count["ada"] <= 340, count)
        truth = sim.requests()
        for record in run.requests:
            self.assertEqual(truth[record["id"]]["model"], record["adapter"])


class Ways(Case):
    """Several ways to start the same run."""

    def setUp(self):
        super().setUp()
        self.server = self.sim("--ttft", "2ms", "--itl", "1ms")
        self.text = run_text(self.server.url, name="ways")

    def good(self, *arguments, stdin=None, **options):
        parent = self.tmp / f"out{next(self.counter)}"
        code, out, err = self.tokometer("run", *arguments, "--set", f"output.dir={parent}", stdin=stdin, **options)
        run = Run(code, out, err, parent)
        self.assertIsNotNone(run.dir, run.show())
        self.assertIn(code, (0, 5) if run.summary["verdict"] == "INVALID" else (0,), run.show())
        self.assert_law(run)
        return run

    def test_stdin(self):
        self.assertEqual(self.good("-", stdin=self.text).summary["name"], "ways")

    def test_preset_with_url(self):
        run = self.good("chat", "--url", self.server.url, "--set", "phases=[{name: main, requests: 5, warmup: none, cooldown: none}]",
                        "--set", "load={use: concurrency, options: {users: 2}}", "--set", "slo.gates=[]")
        self.assertEqual(run.summary["totals"]["planned"], 5)
        self.assertEqual(run.manifest["target"]["url"], self.server.url)

    def test_set(self):
        file = self.write("a.yaml", self.text)
        run = self.good(file, "--set", "phases.main.requests=7", "--set-string", "name=007", "--set", "tags.gpus=2")
        self.assertEqual((run.summary["totals"]["planned"], run.summary["name"]), (7, "007"))
        self.assertEqual(run.summary["tags"], {"gpus": "2"})

    def test_files_merge(self):
        first = self.write("a.yaml", self.text)
        second = self.write("b.yaml", "dataset: {options: {output_tokens: 2}}\n")
        run = self.good(first, second)
        self.assertEqual({r["output_tokens"] for r in run.requests}, {2})

    def test_render_runs_again(self):
        rendered = self.tokometer("render", self.write("a.yaml", self.text))[1]
        first, again = self.good(self.tmp / "a.yaml"), self.good("-", stdin=rendered)
        self.assertEqual(first.summary["plan_hash"], again.summary["plan_hash"])
        code, of_run, err = self.tokometer("render", first.dir)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.good("-", stdin=of_run).summary["plan_hash"], first.summary["plan_hash"])

    def test_plan_and_run_agree(self):
        code, out, err = self.tokometer("plan", self.write("a.yaml", self.text))
        self.assertEqual(code, 0, err)
        self.assertIn(self.good(self.tmp / "a.yaml").summary["plan_hash"][:12], out)

    def test_styles(self):
        file = self.write("a.yaml", self.text)
        block = self.good(file, "--style", "vllm-bench").out
        self.assertRegex(block, r"={10,} Serving Benchmark Result ={10,}")
        self.assertRegex(block, r"Successful requests: +10\n")
        self.assertEqual(json.loads(self.good(file, "--style", "json").out)["totals"]["ok"], 10)
        self.assertNotIn("Latency", self.good(file, "--style", "quiet").out)

    def test_never_overwrites(self):
        parent = self.tmp / "same"
        file = self.write("a.yaml", self.text)
        for _ in range(3):
            self.tokometer("run", file, "--set", f"output.dir={parent}")
        self.assertEqual(len(list(parent.iterdir())), 3)

    def test_no_terminal(self):
        run = self.good(self.write("a.yaml", self.text), env=environment(TERM="xterm-256color"))
        self.assertNotRegex(run.out, CONTROL)
        self.assertNotRegex(run.err, CONTROL)

    def test_terminal(self):
        """On a terminal there is a panel; with TERM=dumb or NO_COLOR no control code."""
        text = run_text(self.server.url, phase="duration: 1s", load="{use: constant, options: {rate: 20}}")
        for env, plain in ((environment(TERM="xterm-256color"), False), (environment(TERM="dumb"), True)):
            ours, theirs = pty.openpty()
            child = self.start(text, env=env, stderr=theirs)
            os.close(theirs)
            said = b""
            try:
                while piece := os.read(ours, 65536):
                    said += piece
            except OSError:
                pass     # the other end is closed
            os.close(ours)
            self.end(child)
            self.assertEqual(b"\x1b" not in said, plain, said)

    def test_german_locale(self):
        """LC_ALL=de_DE.UTF-8: every number in the files and on stdout keeps its point."""
        place = self.tmp / "locale"
        place.mkdir()
        if shutil.which("localedef") is None or subprocess.run(
                ["localedef", "-i", "de_DE", "-f", "UTF-8", place / "de_DE.UTF-8"], capture_output=True).returncode > 1 \
                or not (place / "de_DE.UTF-8").exists():
            self.skipTest("no German locale can be made: the package locales is missing")
        german = environment(LC_ALL="de_DE.UTF-8", LOCPATH=str(place), TZ="Europe/Berlin")
        run = self.good(self.write("a.yaml", self.text), "--set", "load={use: poisson, options: {rate: 12.5}}",
                        "--set", "target.timeouts.idle=1.5s", env=german)
        plain = self.tmp / "plain"
        plain.mkdir()
        for file in ("manifest.json", "records.jsonl"):
            shutil.copy(run.dir / file, plain)
        self.assertEqual(self.tokometer("report", plain)[0], run.code)
        for file in ("summary.json", "histograms.json"):
            self.assertEqual((plain / file).read_bytes(), (run.dir / file).read_bytes())
        self.assertIn("12.5", (run.dir / "manifest.json").read_text())
        self.assertNotRegex(run.out, r"\d,\d")


if __name__ == "__main__":
    main()
