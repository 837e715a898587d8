"""What a user gives: wrong words, wrong servers, several ways to say the same; and what the run file's keys do."""

import gzip
import json
import os
import pty
import re
import shutil
import socket
import subprocess

from harness import BIN, ROOT, SIM, TOKOMETER, Case, Run, environment, main, run_text

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


def by_status(run, status):
    return [r for r in run.requests if r["status"] == status]


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


class Phases(Case):
    """Warm-up, window, cool-down, drain, one phase after another."""

    def fast(self, *flags):
        return self.sim("--ttft", "2ms", "--itl", "1ms", *flags)

    def test_two_phases(self):
        sim = self.fast()
        for drain in ("wait", "none", "cancel"):
            with self.subTest(drain):    # the second phase begins with or after the first one's end
                text = run_text(sim.url, load="{use: constant, options: {rate: 50}}", phase="requests: 30",
                                ).replace("phases: [", f"phases: [{{name: first, duration: 500ms, warmup: none, cooldown: none, drain: {drain}}}, ")
                run = self.run_ok(text)
                self.assertEqual([p["phase"] for p in run.summary["phases"]], ["first", "main"])
                count = {p: sum(r["phase"] == p for r in run.requests) for p in ("first", "main")}
                self.assertEqual(count["main"], 30)
                self.assertTrue(20 <= count["first"] <= 30, count)
                events = [(line["phase"], line["event"]) for line in run.lines if line["t"] == "phase"]
                for phase in ("first", "main"):
                    self.assertEqual([e for p, e in events if p == phase], ["begin", "load_end", "end"])
                self.assertLess(events.index(("first", "load_end")), events.index(("main", "begin")))
                if drain != "none":
                    self.assertLess(events.index(("first", "end")), events.index(("main", "begin")))

    def measured(self, warmup, cooldown="none", phase="requests: 50"):
        sim = self.fast()
        text = run_text(sim.url, load="{use: constant, options: {rate: 50}}", phase=phase)
        run = self.run_ok(text.replace("warmup: none", f"warmup: {warmup}").replace("cooldown: none", f"cooldown: {cooldown}"))
        return run, run.summary["phases"][0]["metrics"]["ttft_sent"]["count"]

    def test_warmup(self):
        self.assertEqual(self.measured("none")[1], 50)
        self.assertEqual(self.measured("10")[1], 40)
        run, count = self.measured("500ms")
        self.assertTrue(20 <= count <= 30, count)
        run, count = self.measured("auto", phase="duration: 1s")
        self.assertTrue(1 <= count <= 50, count)

    def test_cooldown(self):
        run, count = self.measured("none", "none", "duration: 1s")
        self.assertEqual(len(run.requests), count)
        # the load goes on until the window's requests have ended, at most so long
        sim = self.fast("--ttft", "400ms")
        text = run_text(sim.url, load="{use: constant, options: {rate: 100}}", phase="duration: 500ms")
        for cooldown, least, most in (("none", 49, 51), ("100ms", 59, 61), ("5s", 85, 250), ("auto", 85, 250), ("7", 56, 57)):
            with self.subTest(cooldown):
                run = self.run_ok(text.replace("cooldown: none", f"cooldown: {cooldown}"))
                self.assertTrue(least <= len(run.requests) <= most, len(run.requests))
                self.assertTrue(49 <= run.summary["phases"][0]["metrics"]["ttft_sent"]["count"] <= 50)


class Datasets(Case):
    """From a file to requests: what the records say was asked."""

    def asked(self, dataset, requests, **sections):
        sim = self.sim("--ttft", "1ms", "--itl", "100us")
        run = self.run_ok(run_text(sim.url, dataset=dataset, phase=f"requests: {requests}", **sections))
        records = sorted((r for r in run.requests), key=lambda r: r["seq"])
        self.assertEqual(len(sim.requests()), requests, run.show())
        return run, [r.get("asked_output_tokens") for r in records]

    def test_answers_give_lengths_and_filters_count(self):
        turns = "{{\"conversations\":[{{\"from\":\"human\",\"value\":\"{}\"}},{{\"from\":\"gpt\",\"value\":\"{}\"}}]}}"
        rows = [turns.format("q" * 40, "a" * n) for n in (8, 40, 80, 9000)]
        path = self.tmp / "s.json.gz"
        path.write_bytes(gzip.compress(("[" + ",\n".join(rows) + "]").encode()))
        run, asked = self.asked(f"{{use: sharegpt, options: {{file: {path}}}, rows: {{filter: vllm}}}}", 4)
        self.assertEqual(asked, [10, 20, 10, 20])
        self.assertIn("filter vllm left out 2 of 4 rows (min_output 1, max_total 1)", run.out)
        _, asked = self.asked(f"{{use: sharegpt, options: {{file: {path}}}}}", 4, request="{output_tokens: 3}")
        self.assertEqual(asked, [3, 3, 3, 3])

    def test_trace_lengths(self):
        path = self.write("t.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,374,4\n"
                                   "2023-11-16 18:17:04.0319600,96,9\n")
        run, asked = self.asked(f"{{use: azure, options: {{file: {path}}}}}", 2)
        self.assertEqual(asked, [4, 9])
        counted = [r["prompt_tokens"] for r in sorted(run.requests, key=lambda r: r["seq"])]
        self.assertEqual(counted, [374, 96])     # the simulator's template and nonce are counted off

    def test_damaged_archive(self):
        path = self.tmp / "p.txt.gz"
        path.write_bytes(gzip.compress(os.urandom(99).hex().encode())[:60])
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", dataset=f"{{use: text, options: {{file: {path}}}}}"))
        code, _, err = self.tokometer("run", file)
        self.assertEqual(code, 2, err)
        self.assertIn("p.txt.gz: ends inside its gzip data (byte 60 of the file)", err)


class Keys(Case):
    """What keys of the run file do, as the records show it."""

    def fast(self, *flags):
        return self.sim("--ttft", "2ms", "--itl", "1ms", *flags)

    def test_gates(self):
        sim = self.fast()
        run = self.run_file(run_text(sim.url, more="slo: {gates: [\"ttft.p50 < 1us\", \"error_ratio <= 5%\"]}\n"))
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 4, run.show())
        self.assertEqual([g["holds"] for g in run.summary["phases"][0]["gates"]], [False, True])
        self.assertIn("1 of 2 hold", run.out)

    def test_goodput(self):
        sim = self.fast("--ttft-spread", "40ms")
        run = self.run_ok(run_text(sim.url, phase="requests: 40", more="slo: {per_request: {ttft: 20ms}}\n"))
        good = sum(r["first_token_ns"] - r["scheduled_ns"] <= 20_000_000 for r in run.requests)
        self.assertTrue(0 < good < 40)
        self.assertIn(f"{good} of 40", run.out)

    def test_strict(self):
        sim = self.fast()
        file = run_text(sim.url)      # too short to be VALID
        run = self.run_file(file, "--strict")
        self.assertIn(run.summary["verdict"], ("SUSPECT", "INVALID"))
        self.assertEqual(run.code, 5)

    def test_phase_with_its_own_load(self):
        sim = self.fast()
        text = run_text(sim.url, load="{use: constant, options: {rate: 20}}", phase="duration: 500ms, load: {use: concurrency, options: {users: 3}}")
        run = self.run_ok(text)
        self.assertEqual(run.summary["phases"][0]["load"], "concurrency")

    def test_drain_cancel(self):
        sim = self.fast("--itl", "50ms")
        run = self.run_ok(run_text(sim.url, tokens=40, load="{use: constant, options: {rate: 20}}",
                                   phase="duration: 1s, drain: cancel"))
        gone = by_status(run, "cancelled")
        self.assertGreater(len(gone), 10, run.show())
        self.assertEqual({r["class"] for r in gone}, {"drain"})

    def test_drain_timeout(self):
        case = self.write("hang.case", 'head 200 text/event-stream\nhang\n')
        sim = self.sim("--ttft", "1ms", "--mode", "script", "--script", case, "--script-every", "10")
        run = self.run_ok(run_text(sim.url, target="connections: {policy: fresh}", load="{use: constant, options: {rate: 50}}",
                                   more="limits: {drain_timeout: 300ms}\n"))
        self.assertEqual([r["class"] for r in by_status(run, "cancelled")], ["drain"])

    def overload(self, policy):
        sim = self.fast("--ttft", "100ms")
        run = self.run_ok(run_text(sim.url, load="{use: constant, options: {rate: 100}}", phase="requests: 40",
                                   more=f"limits: {{max_in_flight: 2, overload: {policy}}}\n"))
        spans = [(r["sent_ns"], r["end_ns"]) for r in run.requests if "sent_ns" in r]
        for sent, _ in spans:
            self.assertLessEqual(sum(a <= sent < b for a, b in spans), 2, "max_in_flight is kept")
        self.assertNotEqual(run.summary["verdict"], "VALID")
        return run

    def test_overload_queue(self):
        run = self.overload("queue")
        self.assertEqual(run.summary["totals"]["ok"], 40)
        self.assertGreater(max(r.get("held_by_cap_ns", 0) for r in run.requests), 500_000_000)
        self.assertGreater(run.check("V15")["grade"], "")

    def test_overload_drop(self):
        run = self.overload("drop")
        dropped = by_status(run, "not_issued")
        self.assertGreater(len(dropped), 10)
        self.assertEqual({r["class"] for r in dropped}, {"overload"})

    def test_overload_block(self):
        run = self.overload("block")
        self.assertEqual(run.summary["totals"]["ok"], 40)
        self.assertLess(max(r["sent_ns"] - r["scheduled_ns"] for r in run.requests), 400_000_000, "the schedule is shifted")

    def rows(self, rows, count=6, phase="", load="{use: synchronous}", more=""):
        data = self.write("rows.jsonl", "".join(json.dumps({"prompt": f"row {i}", "output_tokens": 2}) + "\n" for i in range(count)))
        sim = self.fast()
        return self.run_file(run_text(sim.url, dataset=f"{{use: jsonl, options: {{file: {data}}}, rows: {rows}}}", load=load,
                                      phase=phase or "requests: 15", more=more))

    def samples(self, run):
        return [r["sample"] for r in sorted(run.requests, key=lambda r: r["seq"]) if "sample" in r]

    def test_rows(self):
        self.assertEqual(self.samples(self.rows("{on_end: repeat}")), [i % 6 for i in range(15)])
        self.assertEqual(self.samples(self.rows("{limit: 2}")), [i % 2 for i in range(15)])
        run = self.rows("{on_end: stop}")
        self.assertEqual(self.samples(run), list(range(6)))
        self.assert_law(run)
        shuffled = self.samples(self.rows("{order: shuffle, on_end: stop}"))
        self.assertEqual(sorted(shuffled), list(range(6)))
        self.assertNotEqual(shuffled, list(range(6)))
        self.assertEqual(shuffled, self.samples(self.rows("{order: shuffle, on_end: stop}")), "by the seed")

    def test_rows_without_phases(self):
        data = self.write("rows.jsonl", "".join(json.dumps({"prompt": f"row {i}", "output_tokens": 2}) + "\n" for i in range(6)))
        sim = self.fast()
        text = run_text(sim.url, dataset=f"{{use: jsonl, options: {{file: {data}}}, rows: {{on_end: stop}}}}", load="{use: synchronous}")
        text = "\n".join(line for line in text.splitlines() if not line.startswith("phases"))
        self.assertEqual(self.samples(self.run_ok(text)), list(range(6)))

    def test_the_end_of_the_data_is_no_request(self):
        stop = "{on_end: stop}"
        for load, phase in (("{use: concurrency, options: {users: 4}}", "requests: 50"), ("{use: throughput, options: {users: 9}}", "duration: 20s"),
                            ("{use: constant, options: {rate: 200}}", "duration: 20s")):
            with self.subTest(load):
                run = self.rows(stop, load=load, phase=phase)
                self.assert_law(run)
                self.assertEqual((run.summary["totals"]["planned"], run.summary["totals"]["ok"]), (6, 6))
        # What waits for the cap when the data end is sent all the same.
        run = self.rows(stop, load="{use: concurrency, options: {users: 4}}", phase="requests: 50", more="limits: {max_in_flight: 1}\n")
        self.assertEqual(run.summary["totals"]["ok"], 6, run.show())

    def test_rows_too_few(self):
        run = self.rows("{on_end: error}")
        self.assertEqual(run.code, 5, run.show())
        self.assertIn("set dataset.rows.on_end: repeat", run.err)
        self.assertEqual(run.summary["end"], "dataset")

    def test_bad_rows(self):
        data = self.write("bad.jsonl", '{"prompt": "a", "output_tokens": 2}\nnot json\n{"prompt": "b", "output_tokens": 2}\n')
        sim = self.fast()
        for on_bad in ("skip", "error"):
            run = self.run_file(run_text(sim.url, load="{use: synchronous}", phase="requests: 6",
                                         dataset=f"{{use: jsonl, options: {{file: {data}}}, rows: {{on_bad: {on_bad}}}}}"))
            if on_bad == "skip":
                self.assertEqual(run.summary["totals"]["ok"], 6, run.show())
            else:
                self.assertIn(run.code, (2, 5), run.show())
                self.assertIn("bad.jsonl:2", run.err + run.out + (json.dumps(run.requests) if run.dir else ""))

    def test_think_time(self):
        sim = self.fast()
        run = self.run_ok(run_text(sim.url, load="{use: concurrency, options: {users: 1, think_time: 50ms}}"))
        ordered = sorted(run.requests, key=lambda r: r["seq"])
        for before, after in zip(ordered, ordered[1:]):
            self.assertGreaterEqual(after["sent_ns"] - before["end_ns"], 50_000_000)

    def test_same_seed_same_plan(self):
        sim = self.fast()
        text = run_text(sim.url, load="{use: poisson, options: {rate: 60}}", phase="duration: 1s")
        runs = [self.run_ok(text + f"seed: {seed}\n") for seed in (5, 5, 6)]
        begins = [next(line["at_ns"] for line in run.lines if line["t"] == "phase") for run in runs]
        times = [[r["scheduled_ns"] - begin for r in sorted(run.requests, key=lambda r: r["seq"])]
                 for run, begin in zip(runs, begins)]
        self.assertEqual(times[0], times[1])
        self.assertNotEqual(times[0], times[2])
        self.assertEqual(runs[0].summary["plan_hash"], runs[1].summary["plan_hash"])
        self.assertNotEqual(runs[0].summary["plan_hash"], runs[2].summary["plan_hash"])


class Traces(Case):
    """Load `trace`: requests start when the records of the dataset say."""

    TIMES = [1000, 1000, 1003.5, 1010, 1010, 1040, 1300]     # ms

    def data(self, times):
        lines = [{"prompt": f"row {i}", "output_tokens": 2, **({} if at is None else {"at": at})} for i, at in enumerate(times)]
        return self.write("trace.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    def text(self, url, times=TIMES, options="timestamp: at, timestamp_unit: ms", rows="{on_end: stop}", load="{use: trace}", phase="duration: 5s"):
        return run_text(url, dataset=f"{{use: jsonl, options: {{file: {self.data(times)}, {options}}}, rows: {rows}}}", load=load, phase=phase)

    def scheduled(self, run):
        begins = {line["phase"]: line["at_ns"] for line in run.lines if line.get("event") == "begin"}
        return [r["scheduled_ns"] - begins[r["phase"]] for r in sorted(run.requests, key=lambda r: r["seq"])]

    def test_times_of_the_file(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        for speed in (1, 4, 0.5):
            run = self.run_ok(self.text(sim.url, load=f"{{use: trace, options: {{speed: {speed}}}}}"))
            expected = [round((at - self.TIMES[0]) * 1e6 / speed) for at in self.TIMES]
            self.assertEqual(self.scheduled(run), expected)
            self.assertEqual([r["sample"] for r in sorted(run.requests, key=lambda r: r["seq"])], list(range(7)))
            self.assertEqual(run.summary["totals"]["ok"], 7)
            self.assertNotIn("V10", [c["id"] for c in run.summary["checks"]])

    def test_window_and_phases(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        run = self.run_ok(self.text(sim.url, options="timestamp: at, timestamp_unit: ms, from: 2ms, to: 300ms"))
        self.assertEqual(self.scheduled(run), [0, 6_500_000, 6_500_000, 36_500_000])
        text = self.text(sim.url).replace("phases: [", "phases: [{name: first, requests: 3, warmup: none}, ")
        run = self.run_ok(text)
        self.assertEqual(self.scheduled(run), [0, 0, 3_500_000, 0, 0, 30_000_000, 290_000_000])

    def test_repeat(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        run = self.run_ok(self.text(sim.url, rows="{on_end: repeat}", phase="requests: 9"))
        self.assertEqual(self.scheduled(run)[6:], [300_000_000, 350_000_000, 350_000_000], "goes on at the mean rate")

    def refused(self, text, *words):
        for verb in ("validate", "plan", "run"):
            code, _, err = self.tokometer(verb, self.write("run.yaml", text))
            self.assertEqual(code, 2, err)
            for word in words:
                self.assertIn(word, err)

    def test_refused(self):
        url = "http://127.0.0.1:1"
        self.refused(self.text(url, rows="{order: shuffle}"), "dataset.rows.order: shuffle cannot go with load \"trace\"")
        self.refused(self.text(url, times=[1, 2, None], options="timestamp: at"), "trace.jsonl:3:", "\"at\" is missing")
        self.refused(self.text(url, options="timestamp_unit: ms"), "trace.jsonl: record 1 has no arrival time")
        self.refused(self.text(url, times=[5, 9, 8]), "trace.jsonl: record 3 arrives 1ms before the record in front of it")
        self.refused(run_text(url, load="{use: trace}"), "dataset.use: \"synthetic\" has no arrival times")
        both = run_text(url, more="matrix: [{load: [{use: synchronous}, {use: trace}]}]\n", load="synchronous")
        code, _, err = self.tokometer("validate", self.write("matrix.yaml", both))
        self.assertEqual((code, "has no arrival times" in err), (2, True), err)

    def test_validate_without_the_data(self):
        file = self.write("run.yaml", run_text("http://127.0.0.1:1", load="{use: trace}", dataset="{use: jsonl, options: {file: no.jsonl, timestamp: at}}"))
        code, out, err = self.tokometer("validate", file)
        self.assertEqual(code, 0, err)


class Plans(Case):
    """The plan hash: equal for equal load, another for any other."""

    def plan(self, text, name="run.yaml"):
        code, out, err = self.tokometer("plan", self.write(name, text))
        self.assertEqual(code, 0, err)
        return re.search(r"plan hash +([0-9a-f]{64})", out)[1], out

    def test_hash(self):
        for place in ("here", "there"):
            (self.tmp / place).mkdir()
            self.write(f"{place}/p.jsonl", '{"prompt": "a"}\n{"prompt": "b"}\n')
        text = run_text("http://127.0.0.1:1", dataset="{use: jsonl, options: {file: p.jsonl}}",
                        load="{use: sine, options: {mean: 20, amplitude: 5, period: 10s, arrivals: poisson}}", phase="duration: 10s")
        first = self.plan(text, "here/run.yaml")[0]
        self.assertEqual(first, self.plan(text, "here/run.yaml")[0])
        self.assertEqual(first, self.plan(text, "there/run.yaml")[0], "contents count, not paths")
        self.assertEqual(first, self.plan(text.replace("127.0.0.1:1", "127.0.0.1:2"), "here/run.yaml")[0])
        others = [text + "seed: 7\n", text.replace("mean: 20", "mean: 21"), text.replace("duration: 10s", "duration: 9s"),
                  text.replace("p.jsonl}", "p.jsonl}, rows: {order: shuffle}"), text + "request: {output_tokens: 9}\n"]
        hashes = [self.plan(other, "here/run.yaml")[0] for other in others]
        self.write("here/p.jsonl", '{"prompt": "b"}\n{"prompt": "a"}\n')
        hashes.append(self.plan(text, "here/run.yaml")[0])
        self.assertEqual(len({first, *hashes}), 1 + len(hashes), "each differs")

    def test_examples(self):
        for name in ("burst", "ramp", "steps", "sine", "trace", "ramp_users"):
            with self.subTest(name):
                file = ROOT / "examples" / f"{name}.yaml"
                code, _, err = self.tokometer("validate", file)
                self.assertEqual(code, 0, err)
                parent = self.tmp / name
                phase = [] if name == "trace" else ["--set", "phases.main.duration=1s"]
                code, out, err = self.tokometer("run", file, "--set", f"output.dir={parent}", *phase)
                self.assertIn(code, (0, 5), out + err)
                self.assertEqual(Run(code, out, err, parent).summary["totals"]["failed"], 0)


if __name__ == "__main__":
    main()
