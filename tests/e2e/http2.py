"""HTTP/2 to the simulator, whose server side is its own: truth, many streams a connection, faults, the wrong version.

Texts and counts are compared with what the simulator really sent, as over HTTP/1.1.
"""

import contextlib
import socket
import ssl
import threading

from harness import main, run_text
from transports import TlsCase

HTTP2 = 'connections: {http: "2"}'


def streams(count, more=""):
    return f'connections: {{http: "2", streams_per_connection: {count}{more}}}'


class Http2Case(TlsCase):
    def run_h2(self, sim, *, tokens=12, users=8, requests=40, target=HTTP2, **words):
        return self.run_ok(run_text(sim.url, tokens=tokens, load=f"{{use: concurrency, options: {{users: {users}}}}}",
                                    phase=f"requests: {requests}", target=target, **words))

    def connections(self, run):
        return {r["conn"] for r in run.requests}


class Http2(Http2Case):
    def shape(self, *flags, target=HTTP2, **words):
        sim = self.sim("--ttft", "3ms", "--itl", "1ms", *flags)
        run = self.run_h2(sim, target=target, **words)
        self.compare(run, sim, events="request" not in words)
        for record in run.requests:
            self.assertEqual(record["stamp"], "kernel", record)
        return run

    def test_one_stream_a_connection(self):
        run = self.shape()
        self.assertLessEqual(len(self.connections(run)), 8)
        self.assertGreater(sum(r["reused"] for r in run.requests), 0)

    def test_many_streams_a_connection(self):
        run = self.shape(target=streams(64), users=64, requests=256)
        self.assertLessEqual(len(self.connections(run)), 2)

    def test_whole(self):
        self.shape(request="{stream: false}", target=streams(8))

    def test_cut_in_bytes(self):
        """Frames cut at every byte, and oddly."""
        for cut in ("byte", "seeded"):
            with self.subTest(cut):
                self.shape("--split", cut, tokens=5, target=streams(4))

    def test_many_tokens_an_event(self):
        self.shape("--tokens-per-event", "5", processor="vllm", target=streams(4))

    def test_in_step(self):
        """All streams send at once: their frames share reads, and no event is lost or swapped."""
        run = self.shape("--phases", "step", users=64, requests=128, target=streams(64))
        self.assertGreater(run.summary["totals"]["ok"], 0)

    def test_a_long_prompt(self):
        self.shape(prompt=20000, requests=5, users=1)

    def test_fresh_connections(self):
        run = self.shape(target='connections: {http: "2", policy: fresh}', requests=10)
        self.assertEqual(len(self.connections(run)), 10)
        for record in run.requests:
            self.assertLessEqual(record["connect_ns"], record["tcp_ready_ns"])

    def test_the_servers_limit(self):
        """It allows three streams: further connections are opened, and nothing is refused."""
        run = self.shape("--max-streams", "3", target=streams(16), users=12, requests=48)
        self.assertGreaterEqual(len(self.connections(run)), 4)


class Http2Tls(Http2Case):
    def test_shapes(self):
        for target, words in ((HTTP2, {}), (streams(16), {"users": 16, "requests": 64}),
                              (streams(4), {"request": "{stream: false}"})):
            with self.subTest(target, **words):
                sim = self.tls_sim("--ttft", "3ms", "--itl", "1ms")
                run = self.run_h2(sim, target=f"{self.tls()}, {target}", **words)
                self.compare(run, sim, events="request" not in words)
                opened = [r for r in run.requests if not r["reused"]]
                for record in opened:
                    self.assertLessEqual(record["tcp_ready_ns"], record["tls_ready_ns"])


class Http2Faults(Http2Case):
    def faulty(self, fault, target=HTTP2, requests=40, users=4):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms", "--failure-rate", "0.3", "--failure", fault)
        run = self.run_file(run_text(sim.url, tokens=8, target=target, phase=f"requests: {requests}",
                                     load=f"{{use: concurrency, options: {{users: {users}}}}}",
                                     more="limits: {error_budget: 100%}\n"))
        if run.dir is None:      # the very first request drew the failure
            self.assertEqual(run.code, 3, run.show())
            return run, None
        self.assert_law(run)
        self.assert_true_text(run, sim)
        return run, {r.get("class", "ok").removesuffix(".reused") for r in run.requests}

    def test_faults(self):
        """One stream a connection: as over HTTP/1.1, but that a reset is one of the stream."""
        for fault, status in (("fault=rst; at=token; after=3", "h2.internal_error"), ("fault=rst; at=head", "h2.internal_error"),
                              ("fault=fin; at=token; after=3", "truncated"), ("fault=fin; at=head", "closed"),
                              ("fault=error; after=3", "in_band"), ("fault=status; code=503", "status.503"),
                              ("fault=gzip", "encoding"), ("fault=close", "ok")):
            with self.subTest(fault):
                run, classes = self.faulty(fault)
                if classes is not None:
                    self.assertLessEqual(classes, {"ok", status}, run.show())
                    self.assertIn(status, classes, run.show())

    def test_a_reset_spares_the_other_streams(self):
        run, classes = self.faulty("fault=rst; at=token; after=3", target=streams(16), users=16)
        self.assertEqual(classes, {"ok", "h2.internal_error"}, run.show())
        self.assertEqual(len(self.connections(run)), 1, run.show())

    def test_goaway(self):
        """Streams up to the last that it names end well; later ones are refused, and not sent again."""
        run, classes = self.faulty("fault=goaway; at=token; after=3", target=streams(16), users=16, requests=80)
        self.assertLessEqual(classes, {"ok", "h2.refused"}, run.show())
        self.assertIn("h2.refused", classes, run.show())
        self.assertGreater(len(self.connections(run)), 1, run.show())


class Http2Refused(Http2Case):
    """The other version: exit 3, one sentence, no run directory."""

    def refused(self, url, sentence, target):
        run = self.run_file(run_text(url, target=target))
        self.assertEqual(run.code, 3, run.show())
        self.assertIsNone(run.dir)
        self.assertIn(sentence, run.err)
        self.assertEqual(run.err.strip().count("\n"), 0, run.err)

    def answering(self, answer, tls=None):
        """A server that answers every connection's first bytes so; gives its URL."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(20)
                    with (tls.wrap_socket(peer, server_side=True) if tls else contextlib.nullcontext(peer)) as end:
                        end.recv(4096)
                        end.sendall(answer)
                        while end.recv(4096):
                            pass

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def test_http1_where_http2_is_asked(self):
        url = self.answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        self.refused(url, 'speaks HTTP/1.1 on this port, not HTTP/2: set target.connections.http to "1.1"', HTTP2)

    def test_http2_where_http1_is_asked(self):
        settings = b"\0\0\0\4\0\0\0\0\0"
        self.refused(self.answering(settings), 'speaks HTTP/2 on this port, not HTTP/1.1: set target.connections.http to "2"',
                     'connections: {http: "1.1"}')

    def test_tls_without_http2(self):
        """The server takes the handshake and chooses no protocol of ours."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.pem("good"), self.key("good"))
        url = self.answering(b"", context).replace("http:", "https:")
        self.refused(url, 'does not speak HTTP/2 over TLS (ALPN): set target.connections.http to "1.1"',
                     f"{self.tls()}, {HTTP2}")

    def test_streams_need_http2(self):
        run = self.run_file(run_text("http://127.0.0.1:1", target="connections: {streams_per_connection: 4}"))
        self.assertEqual(run.code, 2, run.show())
        self.assertIn('needs target.connections.http: "2"', run.err)


if __name__ == "__main__":
    main()
