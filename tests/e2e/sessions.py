"""Sessions: turns in their order and at their times, what goes in front of each, what a failure or a stop leaves."""

import collections
import contextlib
import http.server
import json
import threading

from harness import INT, Case, main, send_signal

TALKS = [["one", "two", "three"], ["uno", "dos"], ["ein", "zwei", "drei"]]


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers each chat with a text of its own, which no other request gets, and keeps both."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, kind, body):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200, "application/json", json.dumps({"data": [{"id": "m"}]}).encode())

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = self.headers["x-request-id"]
        answer = f"said to {name}"
        self.server.seen[name] = (body, answer)
        self.server.ports[name] = self.client_address[1]
        if body["messages"][-1]["content"] == "boom":
            return self.reply(500, "application/json", b"{}")
        chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in (answer[:5], answer[5:])]
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
        self.reply(200, "text/event-stream", text.encode())


class EchoCase(Case):
    def echo(self, handler=Echo):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.seen, server.ports = {}, {}      # by request id
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        return server


class Sessions(EchoCase):
    def talks(self, talks=TALKS):
        rows = [{"messages": [message for i, question in enumerate(talk)
                              for message in ({"role": "user", "content": question},
                                              {"role": "assistant", "content": f"script {question}"})]} for talk in talks]
        return self.write("talks.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    def text(self, url, data, *, phase="sessions: 3", load="{use: concurrency, options: {users: 2}}", options="", more=""):
        return (f"version: 1\nname: sessions\ntarget: {{url: \"{url}\"}}\nprocessor: openai\n"
                f"dataset: {{use: jsonl, options: {{file: {data}, sessions: true{options}}}}}\n"
                f"load: {load}\nphases: [{{{phase}, warmup: none}}]\nrequest: {{cache_salt: none}}\n{more}")

    def by_session(self, run):
        sessions = collections.defaultdict(list)
        for request in sorted(run.requests, key=lambda line: line["seq"]):
            sessions[request["session"]].append(request)
        for turns in sessions.values():
            self.assertEqual([turn["turn"] for turn in turns], list(range(turns[0]["turns"])))
        return dict(sessions)

    def contents(self, server, request):
        return [(m["role"], m["content"]) for m in server.seen[request["id"]][0]["messages"]]

    def test_history_of_the_server(self):
        server = self.echo()
        run = self.run_ok(self.text(server.url, self.talks(), options=", think_time: 30ms"))
        sessions = self.by_session(run)
        self.assertEqual(len(sessions), 3)
        for turns in sessions.values():
            talk = TALKS[turns[0]["sample"]]
            self.assertEqual(len(turns), len(talk))
            expected = []
            for turn, question in zip(turns, talk):
                self.assertEqual(turn["status"], "ok")
                expected.append(("user", question))
                self.assertEqual(self.contents(server, turn), expected)
                expected.append(("assistant", server.seen[turn["id"]][1]))
            for before, turn in zip(turns, turns[1:]):
                self.assertEqual(turn["scheduled_ns"], before["end_ns"] + 30_000_000)
                self.assertGreaterEqual(turn["sent_ns"], turn["scheduled_ns"])
        phase = run.summary["phases"][0]
        self.assertEqual((phase["sessions"]["planned"], phase["sessions"]["completed"]), (3, 3))
        self.assertEqual([(t["turn"], t["planned"], t["ok"]) for t in phase["sessions"]["turns"]],
                         [(0, 3, 3), (1, 3, 3), (2, 2, 2)])
        self.assertEqual(phase["sessions"]["turns"][1]["metrics"]["ttft_sched"]["count"], 3)
        self.assertRegex(run.out, r"(?m)^Sessions  planned 3 +up to their last turn ok 3 ")
        self.assertRegex(run.out, r"(?m)^ +turn 3 .* 2 of 2 ok$")
        self.assert_rebuilt(run)

    def connections(self, policy):
        """By session, the connections that its turns came on, as the server saw them."""
        server = self.echo()
        data = self.talks([[f"{talk} {turn}" for turn in range(5)] for talk in range(12)])
        text = self.text(server.url, data, phase="sessions: 12", load="{use: concurrency, options: {users: 4}}", options=", think_time: 10ms")
        run = self.run_ok(text, "--set", f"target.connections.sessions={policy}")
        sessions = self.by_session(run)
        self.assertEqual({len(turns) for turns in sessions.values()}, {5})
        return sessions, [[server.ports[turn["id"]] for turn in turns] for turns in sessions.values()]

    def test_sticky_connections(self):
        sessions, ports = self.connections("sticky")
        for each in ports:
            self.assertEqual(len(set(each)), 1, ports)
        self.assertTrue(all(turn["reused"] for turns in sessions.values() for turn in turns[1:]))
        self.assertLess(len({each[0] for each in ports}), 12, "a session that is over leaves its connection to the next")
        _, ports = self.connections("any")
        self.assertTrue(any(len(set(each)) > 1 for each in ports), ports)     # whichever was used last

    def test_other_histories(self):
        for history in ("scripted", "none"):
            with self.subTest(history):
                server = self.echo()
                run = self.run_ok(self.text(server.url, self.talks(), options=f", history: {history}"))
                for turns in self.by_session(run).values():
                    talk = TALKS[turns[0]["sample"]]
                    for turn, question in zip(turns, talk):
                        before = [] if history == "none" else [
                            pair for said in talk[:turn["turn"]]
                            for pair in (("user", said), ("assistant", f"script {said}"))]
                        self.assertEqual(self.contents(server, turn), before + [("user", question)])

    def test_a_failed_turn_ends_its_session(self):
        server = self.echo()
        data = self.talks([["one", "boom", "three", "four"], ["uno", "dos"]])
        run = self.run_ok(self.text(server.url, data, phase="sessions: 2"))
        found = {turns[0]["sample"]: [(t["status"], t.get("class", "")) for t in turns]
                 for turns in self.by_session(run).values()}
        self.assertEqual(found, {0: [("ok", ""), ("failed", "status.500")] + [("not_issued", "session")] * 2,
                                 1: [("ok", "")] * 2})
        self.assertEqual(run.summary["totals"], {"planned": 6, "issued": 4, "not_issued": 2, "ok": 3, "failed": 1,
                                                 "cancelled": 0, **self.other_totals(run)})
        self.assertEqual(run.summary["phases"][0]["sessions"]["completed"], 1)

    def test_the_end_of_the_data_cuts_no_session(self):
        server = self.echo()
        data = self.talks()
        text = self.text(server.url, data, phase="duration: 30s", options=", think_time: 20ms").replace(
            f"file: {data}, sessions: true, think_time: 20ms}}", f"file: {data}, sessions: true, think_time: 20ms}}, rows: {{on_end: stop}}")
        run = self.run_ok(text)
        self.assertEqual(len(self.by_session(run)), 3)
        self.assertEqual((run.summary["totals"]["planned"], run.summary["totals"]["ok"]), (8, 8), run.show())

    def other_totals(self, run):
        known = {"planned", "issued", "not_issued", "ok", "failed", "cancelled"}
        return {key: value for key, value in run.summary["totals"].items() if key not in known}

    def test_a_count_never_cuts(self):
        server = self.echo()
        data = self.talks([["one", "two", "three"]])
        for load in ("{use: concurrency, options: {users: 4}}", "{use: constant, options: {rate: 500}}"):
            run = self.run_ok(self.text(server.url, data, phase="requests: 4", load=load))
            self.assertEqual([len(turns) for turns in self.by_session(run).values()], [3, 3], load)
            self.assertTrue(all(request["status"] == "ok" for request in run.requests))

    def test_time_does_cut(self):
        server = self.echo()
        run = self.run_ok(self.text(server.url, self.talks(), options=", think_time: 60s",
                                    phase="duration: 1s, cooldown: none"))
        sessions = self.by_session(run)
        self.assertEqual(len(sessions), 2)
        for turns in sessions.values():
            self.assertEqual([(t["status"], t.get("class", "")) for t in turns],
                             [("ok", "")] + [("not_issued", "stopped")] * (len(turns) - 1))

    def test_stopped_while_thinking(self):
        server = self.echo()
        child = self.start(self.text(server.url, self.talks(), options=", think_time: 60s", phase="sessions: 2"))
        self.wait_for_records(child, 2)
        send_signal(child, INT)
        run = self.end(child)
        self.assert_law(run)
        for turns in self.by_session(run).values():
            self.assertEqual([(t["status"], t.get("class", "")) for t in turns],
                             [("ok", "")] + [("not_issued", "signal")] * (len(turns) - 1))

    def test_sharegpt(self):
        server = self.echo()
        rows = [{"conversations": [{"from": "system", "value": "be brief"}, {"from": "human", "value": "hello"},
                                   {"from": "gpt", "value": "hi"}, {"from": "human", "value": "bye"}]}]
        data = self.write("talk.json", json.dumps(rows))
        text = self.text(server.url, data, phase="sessions: 1").replace("jsonl", "sharegpt", 1)
        run = self.run_ok(text)
        turns = next(iter(self.by_session(run).values()))
        self.assertEqual(self.contents(server, turns[1]),
                         [("system", "be brief"), ("user", "hello"), ("assistant", server.seen[turns[0]["id"]][1]),
                          ("user", "bye")])

    def test_made_ones_stay_on_one_server(self):
        with contextlib.ExitStack() as stack:
            urls = [stack.enter_context(self.sim("--ttft", "2ms", "--itl", "1ms", truth=False)).url for _ in range(2)]
            run = self.run_ok(
                f"version: 1\nname: made\ntarget: {{url: [\"{urls[0]}\", \"{urls[1]}\"]}}\nprocessor: openai\n"
                "dataset: {use: multi_turn, options: {turns: 3, input_tokens: 16, output_tokens: 4}}\n"
                "load: {use: constant, options: {rate: 50}}\nphases: [{sessions: 6, warmup: none}]\n")
        sessions = self.by_session(run)
        self.assertEqual([len(turns) for turns in sessions.values()], [3] * 6)
        self.assertEqual({len({turn["endpoint"] for turn in turns}) for turns in sessions.values()}, {1})
        self.assertEqual(len({request["endpoint"] for request in run.requests}), 2)
        for turns in sessions.values():    # the prompt grows by what was said and asked
            tokens = [turn["prompt_tokens"] for turn in turns]
            self.assertEqual(tokens, sorted(set(tokens)))
            self.assertGreater(tokens[2] - tokens[1], 16)

    def test_refused(self):
        path = self.write("case.yaml", self.text("http://127.0.0.1:9", self.talks()).replace("sessions: true", "sessions: false"))
        code, _, err = self.tokometer("plan", path)
        self.assertEqual(code, 2, err)
        self.assertIn('phases[].sessions: dataset "jsonl" gives no sessions', err)


if __name__ == "__main__":
    main()
