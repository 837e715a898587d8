"""The simulator's failures, by rate and by header: each request ends in its class, the others are unhurt, the law holds."""

import os
import socket

from harness import Case, main, run_text

SEED = 3        # spares the requests of preflight at RATE
RATE = 0.3
REQUESTS = 40
TIMERS = "timeouts: {headers: 500ms, first_token: 600ms, idle: 500ms, connect: 2s}"

# what the simulator is told, class, flags
BY_RATE = (
    ("status", "status.500", ()), ("status; code=400", "status.400", ()), ("status; code=429; retry_after=1", "status.429", ()),
    ("status; code=503; body=html", "status.503", ()), ("status; code=404; body=flat", "status.404", ()),
    ("status; code=422; body=fastapi_list", "status.422", ()), ("status; code=500; body=tgi", "status.500", ()),
    ("status; code=500; body=empty", "status.500", ()), ("status; code=502; body=text", "status.502", ()),
    ("html", "content_type", ()), ("gzip", "encoding", ()), ("not_streamed", "ok", ("not_streamed",)),
    ("error", "in_band", ()), ("error; after=2", "in_band", ()), ("error; after=2; done=0", "in_band", ()),
    ("error; form=sglang", "in_band", ()), ("error; form=tgi", "in_band", ()), ("error; form=tgi_chat", "in_band", ()),
    ("error; form=llama_cpp", "in_band", ()), ("error; form=triton", "in_band", ()), ("error; form=event", "in_band", ()),
    ("abort", "in_band", ()), ("abort; after=2", "in_band", ()),
    ("stall; at=head", "timeout.headers", ()), ("stall; at=first", "timeout.first_token", ()),
    ("stall; after=2", "timeout.idle", ()),
    ("rst; at=head", "closed", ()), ("rst; after=2", "truncated", ()),
    ("fin; at=head", "closed", ()), ("fin; after=2", "truncated", ()), ("fin; after=99", "truncated", ()),
    ("cut_json; after=2", "format", ()),
    ("empty", "empty", ()), ("done_only", "empty", ()), ("role_only", "empty", ()),
    ("comments_only", "timeout.first_token", ()),
    ("no_done", "ok", ("no_done",)), ("double_done", "ok", ("dup_done",)), ("no_last_chunk", "ok", ("no_last_chunk",)),
    ("no_finish", "ok", ("no_finish",)), ("wrong_model", "ok", ("wrong_model",)),
    ("usage_off; by=3", "ok", ("long_output",)), ("usage_missing", "ok", ()), ("short_output; by=2", "ok", ("short_output",), "vllm"),
    ("close", "ok", ()),
)


class ByRate(Case):
    def play(self, words, cls, flags, processor="openai"):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--seed", SEED, "--failure-rate", RATE, "--failure", words)
        run = self.run_file(run_text(sim.url, load="{use: concurrency, options: {users: 4}}", processor=processor,
                                     phase=f"requests: {REQUESTS}", target=TIMERS,
                                     more="limits: {error_budget: 100%}\n"))
        sim.stop()
        self.assertIn(run.code, (0, 5), run.show())
        self.assert_law(run)
        truth, hit = sim.requests(), 0
        for record in run.requests:
            got = record.get("class", "ok").replace("closed.reused" if record.get("reused") else "-", "closed")
            seen = tuple(sorted(set(record.get("flags", [])) - {"coalesced"}))
            if (got, seen) == ("ok", ()):
                self.assertEqual(int(record["text_crc"], 16), truth[record["id"]]["text_crc"], "a bystander was hurt")
                continue
            hit += 1
            self.assertEqual(got, cls, record)
            if cls == "ok":
                self.assertEqual(seen, flags, record)
            else:
                self.assertTrue(record["error"], record)
        self.assertTrue((cls, flags) == ("ok", ()) and hit == 0 or 2 < hit < REQUESTS - 10, f"{hit} requests met {words}")
        table = {e["class"]: e["count"] for e in run.summary["phases"][0]["errors"]}
        self.assertEqual(sum(table.values()), run.summary["totals"]["failed"])

    def play_all(self, cases):
        for case in cases:
            with self.subTest(case[0]):
                self.play(*case)

    def test_replies(self):
        self.play_all(c for c in BY_RATE if c[1].startswith("status") or c[1] in ("content_type", "encoding"))

    def test_in_band(self):
        self.play_all(c for c in BY_RATE if c[1].startswith("in_band"))

    def test_ends(self):
        self.play_all(c for c in BY_RATE
                      if c[1] in ("closed", "truncated", "empty", "format") or c[1].startswith("timeout"))

    def test_oddities(self):
        self.play_all(c for c in BY_RATE if c[1] == "ok")


class Preflight(Case):
    """What fails at the first request ends the run before the load: exit 3, the server's words, no run directory."""

    def refused(self, text, *words):
        run = self.run_file(text)
        self.assertEqual(run.code, 3, run.show())
        self.assertIsNone(run.dir, "a run that was not ready leaves no run directory")
        self.assertEqual(run.out, "")
        for word in words:
            self.assertIn(word, run.err)

    def test_first_request_fails(self):
        sim = self.sim("--ttft", "1ms")
        for words, said in (("status; code=401", "401"), ("status; code=404", "404"), ("status; code=400; body=flat", "400"),
                            ("error", "simulated failure"), ("abort", "abort"), ("rst; at=head", "closed"),
                            ("gzip", "encoding")):
            with self.subTest(words):
                self.refused(run_text(sim.url, headers=words), said)

    def test_nothing_listens(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.refused(run_text(f"http://127.0.0.1:{port}"), f"127.0.0.1:{port}", "refused")

    def test_no_such_host(self):
        self.refused(run_text("http://no-such-host.invalid:8000"), "no-such-host.invalid")

    def test_never_accepts(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.refused(run_text(f"http://127.0.0.1:{listener.getsockname()[1]}",
                                  target="timeouts: {preflight: 500ms}"), "not ready")

    def test_still_loading(self):
        sim = self.sim("--startup", "1500ms", "--ttft", "1ms")
        self.refused(run_text(sim.url, processor="vllm"), "not ready", "503")
        run = self.run_ok(run_text(sim.url, processor="vllm", target="wait_ready: 30s"))
        self.assertEqual(run.summary["totals"]["ok"], 10)

    def test_wrong_key(self):
        sim = self.sim("--api-key", "right-key", "--ttft", "1ms")
        self.refused(run_text(sim.url, target="api_key: \"${TKM_KEY:-wrong-key-1234}\""), "401")


class Pool(Case):
    """Connections that come and go are no failures."""

    def test_close_after_each_reply(self):
        for flags, words in ((("--close-after", "1"), ""), (("--close-after", "3"), ""), ((), "close"),
                             ((), "close; announced=0")):
            with self.subTest(flags=flags, words=words):
                sim = self.sim("--ttft", "1ms", "--itl", "1ms", *flags)
                run = self.run_ok(run_text(sim.url, headers=words, load="{use: concurrency, options: {users: 4}}",
                                           phase="requests: 40"))
                failed = [r for r in run.requests if r["status"] != "ok"]
                self.assertFalse([r for r in failed if r["class"] != "closed.reused"], failed)
                self.assertLess(len(failed), 16)  # without a look before reuse every second one fails
                self.assert_true_text(run, sim)

    def test_idle_close(self):
        """The server closes idle connections just as slow arrivals come: watched, not resent."""
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--idle-close", "30ms")
        run = self.run_ok(run_text(sim.url, load="{use: constant, options: {rate: 20}}", phase="requests: 20"))
        self.assertGreater(run.summary["totals"]["ok"], 15, run.show())

    def test_late_accept(self):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--accept-delay", "100ms")
        run = self.run_ok(run_text(sim.url, target="connections: {policy: fresh}"))
        self.assertEqual(run.summary["totals"]["ok"], 10)

    def test_server_dies(self):
        """Streams are cut, later requests are refused, and issuing stops on its own."""
        sim = self.sim("--ttft", "5ms", "--itl", "20ms")
        child = self.start(run_text(sim.url, tokens=20, load="{use: constant, options: {rate: 50}}", phase="duration: 60s"))
        self.wait_for_records(child, 10)
        sim.process.kill()
        run = self.end(child)
        self.assertEqual(run.code, 5, run.show())
        self.assert_law(run)
        classes = {r.get("class", "ok").split(".")[0] for r in run.requests}
        self.assertIn("ok", classes)
        self.assertIn("connect", classes)
        self.assertLessEqual(classes, {"ok", "connect", "truncated", "closed", "stopped", "budget"}, classes)


class AllFail(Case):
    def test_nothing_ok(self):
        """The full report is there, exit 5, and no number is made up."""
        sim = self.sim("--ttft", "100ms")
        run = self.run_file(run_text(sim.url, target="timeouts: {first_token: 5ms}"))
        self.assertEqual(run.code, 5, run.show())
        self.assert_law(run)
        self.assertEqual(run.summary["totals"]["failed"], 10)
        self.assertIn("n/a (0 ok)", run.out)
        self.assertIn("timeout.first_token", run.out)
        self.assertNotIn("nan", run.out.lower())
        self.assertNotIn("NaN", (run.dir / "summary.json").read_text())
        self.assertNotIn("ttft_sched", {k for k, v in run.summary["phases"][0]["metrics"].items() if v.get("mean") == 0})


class Secrets(Case):
    KEY = "canary-5f1d9e77aa"

    def test_key_reaches_no_file(self):
        """The server echoes the key in an error: it is masked everywhere."""
        body = '{"error":{"message":"bad key ' + self.KEY + '"}}'
        case = self.write("echo.case", 'send "HTTP/1.1 403 Forbidden\\r\\ncontent-type: application/json\\r\\ncontent-length: '
                          + f'{len(body)}\\r\\nx-key: {self.KEY}\\r\\n\\r\\n' + body.replace('"', '\\"') + '"\n')
        sim = self.sim("--ttft", "1ms", "--mode", "script", "--script", case, "--script-every", "10", "--api-key", self.KEY)
        text = run_text(sim.url, target=f"api_key: \"${{TKM_KEY}}\", connections: {{policy: fresh}}, headers: {{X-Api-Key: \"${{TKM_KEY}}\"}}")
        environment = {**os.environ, "TKM_KEY": self.KEY}
        run = self.run_file(text, env=environment)
        self.assertIn("status.403", {r.get("class") for r in run.requests}, run.show())
        rendered = self.tokometer("render", self.tmp / "case.yaml", env=environment)[1]
        for name, said in [("stdout", run.out), ("stderr", run.err), ("render", rendered)] + [
                (f.name, f.read_text()) for f in run.dir.iterdir()]:
            self.assertNotIn(self.KEY, said, name)


if __name__ == "__main__":
    main()
