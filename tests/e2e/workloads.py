"""Workloads side by side on one clock: what each sends, what its figures are, what a phase changes or holds back."""

import collections
import json
import re
import time
import urllib.request

from harness import INT, ROOT, Case, Run, main, run_text, send_signal

CHAT = "{name: chat, load: {use: concurrency, options: {users: 2}}}"
BATCH = "{name: batch, dataset: {options: {input_tokens: 40, output_tokens: 9}}, load: {use: constant, options: {rate: 50}}}"


def workloads_text(url, *workloads, phases="[{name: main, requests: 20, warmup: none}]", more=""):
    return (f"version: 1\nname: side\ntarget: {{url: \"{url}\"}}\nprocessor: openai\n"
            f"dataset: {{use: synthetic, options: {{input_tokens: 8, output_tokens: 4}}}}\n"
            f"workloads:\n" + "".join(f"  - {workload}\n" for workload in workloads) + f"phases: {phases}\n{more}")


class Workloads(Case):
    def url(self, *flags):
        return self.sim("--ttft", "2ms", "--itl", "1ms", *flags, truth=False).url

    def by_part(self, run):
        """{(workload, phase): its request lines}; the law holds for each, by lines, counters and summary."""
        parts = collections.defaultdict(list)
        for request in run.requests:
            parts[request["workload"], request["phase"]].append(request)
        end = next(line for line in run.lines if line["t"] == "end")
        counters = {(t["workload"], t["phase"]): t for t in end["totals"]}
        self.assertEqual(set(counters), set(parts))
        for part, lines in parts.items():
            status = collections.Counter(line["status"] for line in lines)
            total = counters[part]
            self.assertEqual(total["planned"], len(lines), part)
            self.assertEqual(total["planned"], total["issued"] + total["not_issued"])
            self.assertEqual(total["issued"], total["ok"] + total["failed"] + total["cancelled"])
            for name in ("ok", "failed", "cancelled", "not_issued"):
                self.assertEqual(total[name], status[name], (part, name))
        self.assertEqual(run.summary["totals"]["planned"], sum(map(len, parts.values())))
        return dict(parts)

    def phases(self, run):
        return {(p["workload"], p["phase"]): p for p in run.summary["phases"]}

    def test_two(self):
        run = self.run_ok(workloads_text(self.url(), CHAT, BATCH))
        parts = self.by_part(run)
        self.assertEqual({part: len(lines) for part, lines in parts.items()}, {("chat", "main"): 20, ("batch", "main"): 20})
        self.assertEqual({r["asked_output_tokens"] for r in parts["chat", "main"]}, {4})
        self.assertEqual({r["asked_output_tokens"] for r in parts["batch", "main"]}, {9})
        begins = [line for line in run.lines if line["t"] == "phase" and line["event"] == "begin"]
        self.assertEqual(len({line["at_ns"] for line in begins}), 1, "one clock")
        for workload in ("chat", "batch"):
            events = [line["event"] for line in run.lines if line["t"] == "phase" and line["workload"] == workload]
            self.assertEqual(events, ["begin", "load_end", "end"])
            self.assertRegex(run.out, rf"(?m)^VERDICT .*workload {workload} · phase main")
        phases = self.phases(run)
        self.assertEqual(phases["chat", "main"]["load"], "concurrency")
        self.assertEqual(phases["batch", "main"]["load"], "constant")
        self.assertEqual([w["name"] for w in run.manifest["workloads"]], ["chat", "batch"])
        self.assertEqual([w["load"] for w in run.manifest["workloads"]], ["concurrency", "constant"])
        histograms = json.loads((run.dir / "histograms.json").read_text())
        self.assertIn("batch", json.dumps(histograms))
        self.assert_rebuilt(run)

    def test_arrivals_are_those_of_a_run_alone(self):
        """A workload has random numbers of its own: what stands beside it changes neither its times nor its prompts."""
        poisson = "{{name: {0}, load: {{use: poisson, options: {{rate: 200}}}}}}"
        url = self.url()

        def begins(run, name):
            lines = sorted((r for r in run.requests if r["workload"] == name), key=lambda r: r["scheduled_ns"])
            return [(line["scheduled_ns"] - lines[0]["scheduled_ns"], line["sample"]) for line in lines]

        both = self.run_ok(workloads_text(url, poisson.format("a"), poisson.format("b")))
        alone = self.run_ok(workloads_text(url, poisson.format("a")))
        self.assertEqual(begins(both, "a"), begins(alone, "a"))
        self.assertNotEqual(begins(both, "a"), begins(both, "b"))

    def test_a_phase_changes_and_holds_back(self):
        phases = ("[{name: one, requests: 5, warmup: none, workloads: {batch: off}}, {requests: 6, warmup: none},"
                  " {name: more, requests: 6, warmup: none, workloads: {batch: {requests: 12, load: {options: {rate: 100}}}}},"
                  " {name: other, requests: 4, warmup: none, workloads: {chat: false, batch: {measure: false}}}]")
        run = self.run_ok(workloads_text(self.url(), CHAT, BATCH, phases=phases))
        counts = {part: len(lines) for part, lines in self.by_part(run).items()}
        self.assertEqual(counts, {("chat", "one"): 5, ("chat", "phase2"): 6, ("batch", "phase2"): 6, ("chat", "more"): 6,
                                  ("batch", "more"): 12, ("batch", "other"): 4})
        begins = {(line["workload"], line["phase"]): line for line in run.lines
                  if line["t"] == "phase" and line["event"] == "begin"}
        self.assertEqual(begins["batch", "phase2"]["options"], {"rate": 50})
        self.assertEqual(begins["batch", "more"]["options"]["rate"], 100)
        self.assertEqual(set(self.phases(run)), set(counts) - {("batch", "other")})
        samples = [r["sample"] for r in run.requests if r["workload"] == "batch"]
        self.assertEqual(sorted(samples), list(range(22)), "its data go on where they were")

    def test_durations(self):
        """All go on until the last measured request of each has ended; none is sent after."""
        slow = "{name: slow, dataset: {options: {output_tokens: 300}}, load: {use: concurrency, options: {users: 1}}}"
        run = self.run_ok(workloads_text(self.url(), BATCH, slow, phases="[{name: main, duration: 500ms, warmup: none}]"))
        parts = self.by_part(run)
        begin = min(r["scheduled_ns"] for r in parts["slow", "main"])
        measured_end = max(r["end_ns"] for r in parts["slow", "main"] if r["scheduled_ns"] < begin + 500_000_000)
        last = max(r["scheduled_ns"] for r in parts["batch", "main"])
        self.assertGreaterEqual(last + 50_000_000, measured_end, "the other load stood until then")
        self.assertEqual({r["status"] for r in run.requests}, {"ok"})

    def test_models_and_adapters(self):
        url = self.url("--adapters", "ada,bob")
        run = self.run_ok(workloads_text(url, "{name: plain, load: {use: concurrency, options: {users: 1}}}",
                                         "{name: tuned, processor: vllm, model: {adapters: [{name: ada}, {name: bob}]},"
                                         " load: {use: concurrency, options: {users: 1}}}", more="model: {name: sim-model}\n"))
        parts = self.by_part(run)
        self.assertEqual({r.get("adapter") for r in parts["plain", "main"]}, {None})
        self.assertEqual({r["adapter"] for r in parts["tuned", "main"]}, {"ada", "bob"})
        self.assertEqual([w["processor"] for w in run.manifest["workloads"]], ["openai", "vllm"])
        self.assertIn("openai, vllm at ", run.out)

    def test_mix_of_models(self):
        """model.mix: by weight and seed, each request to one model; the report has a row for each."""
        url = self.url("--adapters", "large")
        text = run_text(url, phase="requests: 200", load="{use: concurrency, options: {users: 4}}",
                        more="model: {mix: [{name: sim-model, weight: 3}, {name: large}]}\n")
        run = self.run_ok(text)
        models = [r["model"] for r in sorted(run.requests, key=lambda r: r["seq"])]
        self.assertTrue(25 <= models.count("large") <= 75, models.count("large"))     # 50 of 200
        self.assertEqual(models.count("large") + models.count("sim-model"), 200)
        rows = {route["model"]: route["issued"] for route in run.summary["phases"][0]["routes"]}
        self.assertEqual(rows, collections.Counter(models))
        self.assertRegex(run.out, r"(?m)^By model, ms .*\n  large +[0-9]+ .*\n  sim-model +[0-9]+ ")
        self.assertEqual(run.manifest["workloads"][0]["model"], "sim-model + large")
        self.assertEqual(run.manifest["preflight"]["requests"], 2)     # one to each model
        again = self.run_ok(text)
        self.assertEqual([r["model"] for r in sorted(again.requests, key=lambda r: r["seq"])], models)
        other = self.run_ok(text, "--set", "seed=7")
        self.assertNotEqual([r["model"] for r in sorted(other.requests, key=lambda r: r["seq"])], models)

    def test_mix_of_models_refused(self):
        url = self.url("--dialect", "tgi")
        run = self.run_file(run_text(url, processor="{use: tgi, options: {api: generate}}", more="model: {mix: [{name: a}, {name: b}]}\n"))
        self.assertEqual(run.code, 2, run.show())
        self.assertIn("model.mix: the processor \"tgi\" cannot name a model in a request with these options: its server has one", run.err)
        run = self.run_file(run_text(self.url(), more="model: {mix: [{name: sim-model}, {name: larg}]}\n"))
        self.assertEqual(run.code, 3, run.show())
        self.assertIn("the server has no model \"larg\"", run.err)

    def test_slo_and_gates(self):
        good = CHAT[:-1] + ", slo: {per_request: {e2e: 30s}, gates: [\"goodput_ratio >= 1%\"]}}"
        bad = BATCH[:-1] + ", slo: {per_request: {e2e: 1ms}, gates: [\"goodput_ratio >= 50%\", \"ok >= 1\"]}}"
        run = self.run_file(workloads_text(self.url(), good, bad, more="slo: {per_request: {ttft: 1us}, gates: [\"ok >= 1000\"]}\n"))
        phases = self.phases(run)
        if run.summary["verdict"] != "INVALID":
            self.assertEqual(run.code, 4, run.show())
        gates = {part: [(g["gate"], g["holds"]) for g in p["gates"]] for part, p in phases.items()}
        self.assertEqual(gates["chat", "main"], [("goodput_ratio >= 1%", False)], "the run's 1 us for ttft holds as well")
        self.assertEqual(gates["batch", "main"], [("goodput_ratio >= 50%", False), ("ok >= 1", True)])
        self.assertEqual(run.manifest["workloads"][1]["slo"], {"ttft_ns": 1000, "e2e_ns": 1_000_000})
        self.assertIn("meet ttft 0.00 ms, e2e 1 ms", run.out)
        self.assert_rebuilt(run)

    def test_goals_of_one(self):
        good = CHAT[:-1] + ", slo: {per_request: {ttft: 30s}, gates: [\"goodput_ratio >= 99%\"]}}"
        run = self.run_ok(workloads_text(self.url(), good, BATCH))
        phases = self.phases(run)
        self.assertEqual([g["holds"] for g in phases["chat", "main"]["gates"]], [True])
        self.assertEqual(phases["batch", "main"]["gates"], [])
        self.assertNotIn("goodput_ratio", json.dumps(phases["batch", "main"]))

    def test_one_cap(self):
        users = "{{name: {0}, load: {{use: throughput, options: {{users: 8}}}}}}"
        run = self.run_ok(workloads_text(self.url(), users.format("a"), users.format("b"), more="limits: {max_in_flight: 4}\n"))
        self.by_part(run)
        edges = sorted([(r["sent_ns"], 1) for r in run.requests] + [(r["end_ns"], -1) for r in run.requests])
        now = peak = 0
        for _, change in edges:
            now += change
            peak = max(peak, now)
        self.assertLessEqual(peak, 4)
        first = sorted(run.requests, key=lambda r: r["sent_ns"])[:20]
        self.assertEqual({r["workload"] for r in first}, {"a", "b"}, "neither waits for the other's end")

    def test_data_that_end(self):
        data = self.write("p.jsonl", "".join(json.dumps({"prompt": f"p {i}"}) + "\n" for i in range(7)))
        few = f"{{name: few, dataset: {{use: jsonl, options: {{file: {data}}}, rows: {{on_end: stop}}}}, load: {{use: concurrency, options: {{users: 2}}}}}}"
        run = self.run_ok(workloads_text(self.url(), few, CHAT, phases="[{name: main, requests: 20, warmup: none}]"))
        counts = {part[0]: sum(r["status"] == "ok" for r in lines) for part, lines in self.by_part(run).items()}
        self.assertEqual(counts, {"few": 7, "chat": 20})

    def test_state_of_each(self):
        """QUIT, like the panel, has a line for each workload."""
        text = workloads_text(self.url(), CHAT, BATCH, phases="[{name: main, duration: 60s, warmup: none}]")
        child = self.start(text)
        self.wait_for_records(child, 30)
        send_signal(child, 3)
        time.sleep(0.5)
        for _ in range(2):
            send_signal(child, INT)
            time.sleep(0.1)
        run = self.end(child)
        for name in ("chat ", "batch"):
            self.assertRegex(run.err, rf"(?m)^(tokometer: )?  {name}  sent [0-9.]+/s  on the wire [0-9]+  ok [0-9]+  failed 0  TTFT p50 [0-9.]+ ms$")

    def test_stop(self):
        child = self.start(workloads_text(self.url(), CHAT, BATCH, phases="[{name: main, duration: 600s}]"))
        self.wait_for_records(child, 30)
        send_signal(child, INT)
        run = self.end(child)
        self.assertEqual(run.code, 130, run.show())
        self.assertEqual(set(self.by_part(run)), {("chat", "main"), ("batch", "main")})
        self.assert_law(run)

    def test_drain_none(self):
        """The next phase begins over what runs, with the workloads that play in it."""
        phases = ("[{name: one, requests: 6, warmup: none, drain: none}, {name: two, requests: 6, warmup: none,"
                  " workloads: {chat: off}}]")
        run = self.run_ok(workloads_text(self.url(), CHAT, BATCH, phases=phases))
        counts = {part: len(lines) for part, lines in self.by_part(run).items()}
        self.assertEqual(counts, {("chat", "one"): 6, ("batch", "one"): 6, ("batch", "two"): 6})
        self.assertEqual({r["status"] for r in run.requests}, {"ok"})

    def test_drain_cancel(self):
        """One that is done is cut at once; the other goes on."""
        slow = "{name: slow, dataset: {options: {output_tokens: 400}}, load: {use: concurrency, options: {users: 4}}}"
        run = self.run_ok(workloads_text(self.url(), slow, BATCH,
                                         phases="[{name: main, requests: 25, warmup: none, drain: cancel, workloads: {slow: {requests: 4}}}]"))
        parts = self.by_part(run)
        self.assertEqual({r["status"] for r in parts["slow", "main"]}, {"cancelled"})
        self.assertEqual(len(parts["batch", "main"]), 25)
        self.assertGreaterEqual(sum(r["status"] == "ok" for r in parts["batch", "main"]), 20)

    def test_who_leaves_does_not_hang_on_the_others(self):
        batch = BATCH.replace("{name: batch,", "{name: batch, request: {cancel: {share: 30%, after: 5ms}},")
        left = []
        for users in (1, 5):
            run = self.run_ok(workloads_text(self.url("--itl", "20ms"), CHAT.replace("users: 2", f"users: {users}"), batch,
                                             more="seed: 7"))
            lines = sorted(self.by_part(run)["batch", "main"], key=lambda r: r["scheduled_ns"])
            left.append([r["status"] == "cancelled" for r in lines])
        self.assertEqual(left[0], left[1])
        self.assertIn(True, left[0])
        self.assertIn(False, left[0])

    def test_the_servers_are_prepared_once(self):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--prefix-cache", truth=False)
        tuned = "{{name: {0}, model: {{adapters: [{{name: sql, path: /lora/sql}}]}}, load: {{use: concurrency, options: {{users: 1}}}}}}"
        text = workloads_text(sim.url, tuned.format("a"), tuned.format("b"), more="model: {name: sim-model}\n")
        text = text.replace("processor: openai", "processor: vllm")
        run = self.run_ok(text.replace("target: {", "target: {prepare: {load_adapters: true, reset_cache: true, profile: true}, "))
        self.assertEqual({r["adapter"] for r in run.requests}, {"sql"})
        with urllib.request.urlopen(sim.url + "/metrics", timeout=60) as answer:
            page = answer.read().decode().splitlines()
        for path in ("/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/reset_prefix_cache", "/start_profile", "/stop_profile"):
            counts = [float(line.split()[-1]) for line in page if f'handler="{path}"' in line and "http_requests" in line]
            self.assertEqual(counts, [1.0], path)

    def test_several_io_threads(self):
        run = self.run_ok(workloads_text(self.url(), CHAT, BATCH, more="limits: {io_threads: 3}\n"))
        self.assertEqual({part: len(lines) for part, lines in self.by_part(run).items()}, {("chat", "main"): 20, ("batch", "main"): 20})

    def test_render_and_plan(self):
        phases = ("[{name: one, duration: 2s, workloads: {batch: off}}, {name: two, duration: 2s,"
                  " workloads: {batch: {load: {options: {rate: 5}}}}}]")
        file = self.write("side.yaml", workloads_text("http://127.0.0.1:1", CHAT, BATCH, phases=phases))
        code, text, err = self.tokometer("render", file)
        self.assertEqual(code, 0, err)
        again = self.write("again.yaml", text)
        code, second, err = self.tokometer("render", again)
        self.assertEqual((code, second), (0, text), err)
        run = self.run_ok(workloads_text(self.url(), CHAT, BATCH))
        code, of_run, err = self.tokometer("render", run.dir)
        self.assertEqual(code, 0, err)
        self.assertIn("  - name: batch\n", of_run)
        plans = []
        for name in (file, again):
            code, out, err = self.tokometer("plan", name)
            self.assertEqual(code, 0, err)
            plans.append(out)
        self.assertEqual(*plans)
        self.assertRegex(plans[0], r"(?s)workload   chat\n.*phase      one: .*workload   batch\n.*phase      two: constant .*5")
        self.assertEqual(plans[0].count("phase      one"), 1)
        hashes = {re.search(r"plan hash +(\w+)", plan)[1] for plan in plans}
        for change in ("phases.two.workloads.batch.load.options.rate=6", "workloads.chat.name=talk", "phases.one.workloads.batch=false"):
            code, out, err = self.tokometer("plan", file, "--set", change)
            self.assertEqual(code, 0, err)
            hashes.add(re.search(r"plan hash +(\w+)", out)[1])
        self.assertEqual(len(hashes), 3, "held back is held back, by off or by false; the others are other plans")

    def test_matrix(self):
        text = workloads_text(self.url(), CHAT, BATCH, phases="[{name: main, requests: 5, warmup: none}]",
                              more="matrix: [{workloads.chat.load.options.users: [1, 3]}]\n")
        run = self.run_file(text)
        self.assertIn(run.code, (0, 5), run.show())
        for users in (1, 3):
            summary = json.loads((run.dir / f"users-{users}" / "summary.json").read_text())
            self.assertEqual([p.get("users") for p in summary["phases"]], [users, None])
            self.assertRegex(run.out, rf"(?m)^users-{users} chat/main ")
            self.assertRegex(run.out, rf"(?m)^users-{users} batch/main ")

    def test_example(self):
        file = ROOT / "examples" / "workloads.yaml"
        code, _, err = self.tokometer("validate", file)
        self.assertEqual(code, 0, err)
        parent = self.tmp / "example"
        code, out, err = self.tokometer("run", file, "--set", f"output.dir={parent}", "--set", "phases.chat-alone.duration=1s",
                                        "--set", "phases.both.duration=1s", "--set", "phases.chat-alone.warmup=none",
                                        "--set", "phases.both.warmup=none")
        run = Run(code, out, err, parent)
        self.assertIn(code, (0, 5), run.show())
        self.assertEqual(run.summary["totals"]["failed"], 0)
        self.assertEqual(set(self.by_part(run)), {("chat", "chat-alone"), ("chat", "both"), ("summary", "both")})


class WorkloadFaults(Case):
    def refused(self, text, *messages):
        file = self.write("run.yaml", text)
        for verb in ("validate", "run"):
            code, _, err = self.tokometer(verb, file)
            self.assertEqual(code, 2, err)
            self.assertEqual([line.split("run.yaml:")[-1] for line in err.splitlines()], list(messages))

    def test_sentences(self):
        url = "http://127.0.0.1:1"
        one = "[{name: main, duration: 1s, workloads: {%s}}]"
        self.refused(workloads_text(url, CHAT, BATCH, phases=one % "bach: off"),
                     '9:49: phases[0].workloads.bach: there is no workload of that name; did you mean "batch"?')
        self.refused(workloads_text(url, CHAT, BATCH, phases=one % "zzz: off"),
                     '9:49: phases[0].workloads.zzz: there is no workload of that name; there are: chat, batch')
        self.refused(workloads_text(url, CHAT, BATCH, phases=one % ""),
                     '9:48: phases[0].workloads: is empty; name a workload: chat, batch')
        self.refused(workloads_text(url, CHAT, CHAT), '8:12: workloads[1].name: two workloads are named "chat"')
        self.refused(workloads_text(url, CHAT, BATCH, phases="[{name: main, duration: 1s, workloads: {chat: off, batch: off}}]"),
                     '7:12: workloads[0].name: is held back in every phase; leave out the workload',
                     '8:12: workloads[1].name: is held back in every phase; leave out the workload',
                     '9:48: phases[0].workloads: holds back all workloads; leave out the phase')
        self.refused(workloads_text(url, CHAT, BATCH, phases=one % "chat: 5"),
                     '9:55: phases[0].workloads.chat: must be off, or what the workload has of its own in this phase, such as load (got 5)')
        self.refused(workloads_text(url, CHAT, BATCH, phases=one % "chat: {drain: none, lod: x}"),
                     '9:56: phases[0].workloads.chat.drain: is the same for all workloads of a phase',
                     '9:69: phases[0].workloads.chat.lod: unknown key; did you mean "load"?')

    def test_the_server_refuses_one(self):
        sim = self.sim("--ttft", "2ms", truth=False)
        run = self.run_file(workloads_text(sim.url, CHAT, BATCH[:-1] + ", model: {name: sim-modle}}"))
        self.assertEqual(run.code, 3, run.show())
        self.assertIn('workload batch: the server has no model "sim-modle"; did you mean "sim-model"?', run.err)
        self.assertIsNone(run.dir)


if __name__ == "__main__":
    main()
