"""Ways to a server: TLS and its failures, several servers in turn, a Unix socket.

Certificates are made by tests/tls/certificates.sh for each class; texts and counts are compared with the simulator's own.
"""

import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading

from harness import ROOT, copy_bytes, main, run_text
from truth import TruthCase

NOT_VERIFIED = "certificate was NOT verified"


class TlsCase(TruthCase):
    @classmethod
    def setUpClass(cls):
        cls.certificates = pathlib.Path(tempfile.mkdtemp(prefix="tokometer-tls-"))
        cls.addClassCleanup(shutil.rmtree, cls.certificates, ignore_errors=True)
        subprocess.run(["sh", str(ROOT / "tests" / "tls" / "certificates.sh"), str(cls.certificates)], check=True)

    def pem(self, name):
        return self.certificates / f"{name}.pem"

    def key(self, name):
        return self.certificates / f"{name}.key"

    def tls_sim(self, *flags, certificate="good", **options):
        return self.sim("--tls-cert", self.pem(certificate), "--tls-key", self.key(certificate), *flags, **options)

    def tls(self, **more):
        words = {"ca_file": self.pem("ca"), **more}
        return "tls: {" + ", ".join(f"{k}: {v}" for k, v in words.items()) + "}"


class Tls(TlsCase):
    def shape(self, *flags, tokens=12, users=8, requests=40, **words):
        sim = self.tls_sim("--ttft", "3ms", "--itl", "1ms", *flags)
        run = self.run_ok(run_text(sim.url, tokens=tokens, load=f"{{use: concurrency, options: {{users: {users}}}}}",
                                   phase=f"requests: {requests}", target=self.tls(), **words))
        self.compare(run, sim, events="request" not in words)
        self.assertTrue(run.manifest["target"]["tls_verify"])
        self.assertNotIn(NOT_VERIFIED, run.out)
        for record in run.requests:
            self.assertEqual(record["stamp"], "kernel", record)
        return run

    def test_chat(self):
        self.shape()

    def test_whole(self):
        self.shape(request="{stream: false}")

    def test_cut_in_bytes(self):
        """Each byte, and each odd piece, is a TLS record of its own."""
        for cut in ("byte", "seeded"):
            with self.subTest(cut):
                self.shape("--split", cut, tokens=5)

    def test_many_tokens_an_event(self):
        self.shape("--tokens-per-event", "5", processor="vllm")

    def test_in_step(self):
        self.shape("--phases", "step", users=64, requests=128)

    def test_the_handshake_is_in_the_record(self):
        sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, target=self.tls() + ", connections: {policy: fresh}"))
        for record in run.requests:
            self.assertLessEqual(record["connect_ns"], record["tcp_ready_ns"])
            self.assertLess(record["tcp_ready_ns"], record["tls_ready_ns"])
            self.assertLessEqual(record["tls_ready_ns"], record["sent_ns"])

    def test_a_long_prompt(self):
        sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms")
        self.compare(self.run_ok(run_text(sim.url, prompt=20000, phase="requests: 5", target=self.tls())), sim)


class TlsFaults(TlsCase):
    def test_faults(self):
        """The same class as without TLS; an end without close_notify is no better than one with it."""
        for fault, status in (("fault=rst; at=token; after=3", "truncated"), ("fault=rst; at=head", "closed"),
                              ("fault=fin; at=token; after=3", "truncated"), ("fault=fin; at=head", "closed"),
                              ("fault=error; after=3", "in_band"), ("fault=status; code=503", "status.503"),
                              ("fault=no_last_chunk", "ok"), ("fault=close", "ok")):
            with self.subTest(fault):
                sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms", "--failure-rate", "0.5", "--failure", fault)
                run = self.run_file(run_text(sim.url, tokens=8, target=self.tls(), phase="requests: 40"))
                if run.dir is None:      # the very first request drew the failure
                    self.assertEqual(run.code, 3, run.show())
                    continue
                self.assert_law(run)
                classes = {r.get("class", "ok").removesuffix(".reused") for r in run.requests}
                self.assertLessEqual(classes, {"ok", status, "budget"}, run.show())
                self.assertIn(status, classes, run.show())

    def test_read_to_close(self):
        """A reply whose only end is the connection's: a FIN alone does not say that it is whole."""
        event = 'data: {\\"choices\\":[{\\"index\\":0,\\"delta\\":{\\"content\\":\\" a\\"},\\"finish_reason\\":\\"length\\"}]}\\n\\n'
        for end, cls in (("fin", "truncated"), ("", "ok")):
            with self.subTest(end):
                case = self.write("close.case", 'send "HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\n'
                                  f'connection: close\\r\\n\\r\\n{event}"\n{end}\n')
                sim = self.tls_sim("--ttft", "1ms", "--mode", "script", "--script", case, "--script-every", "8",
                                   "--close-after", "1")
                run = self.run_file(run_text(sim.url, target=self.tls(), phase="requests: 40"))
                played = [r for r in run.requests if r.get("events") == 1]
                self.assertTrue(played, run.show())
                self.assertEqual({r.get("class", "ok") for r in played}, {cls}, run.show())

    def test_handshake_stalls(self):
        """The server accepts and is silent: class timeout.tls, within the connect timer."""
        # counted from the preflight's request: late enough for its answer, and early enough for the load
        sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms", "--stall", '{"at":"700ms","for":"1500ms"}')
        run = self.run_file(run_text(sim.url, phase="requests: 40",
                                     target=self.tls() + ", connections: {policy: fresh}, timeouts: {connect: 100ms}",
                                     load="{use: constant, options: {rate: 20}}"))
        self.assertIsNotNone(run.dir, run.show())
        self.assert_law(run)
        self.assertIn("timeout.tls", {r.get("class") for r in run.requests}, run.show())


class TlsRefused(TlsCase):
    """Exit 3, one sentence, no run directory."""

    def refused(self, url, sentence, target, code=3):
        run = self.run_file(run_text(url, target=target))
        self.assertEqual(run.code, code, run.show())
        self.assertIsNone(run.dir)
        self.assertIn(sentence, run.err)
        self.assertEqual(run.err.strip().count("\n"), 0, run.err)
        self.assertNotIn("PRIVATE KEY", run.err)

    def test_certificates(self):
        for certificate, sentence in (
                ("self", "the server's certificate is self-signed; set target.tls.ca_file"),
                ("expired", "the server's certificate has expired on 2020-02-01 00:00 UTC"),
                ("future", "the server's certificate is not valid before 2090-01-01 00:00 UTC"),
                ("other", "the server's certificate is not for \"127.0.0.1\": it names other.example"),
                ("chain", "the server leaves out an intermediate certificate"),
                ("weak", "has a key or a signature that is too weak")):
            with self.subTest(certificate):
                sim = self.tls_sim(certificate=certificate)
                self.refused(sim.url, f"tls: GET {sim.url}", self.tls())
                self.refused(sim.url, sentence, self.tls())

    def test_system_authorities(self):
        self.refused(self.tls_sim().url, "signed by an authority that is not known here", "tls: {}")

    def test_not_verified_is_shouted(self):
        sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms", certificate="expired")
        run = self.run_ok(run_text(sim.url, target="tls: {verify: false}"))
        self.assertIn(NOT_VERIFIED, run.out)
        self.assertIn("NOT verified", run.err)
        self.assertIs(run.manifest["target"]["tls_verify"], False)
        self.assertIs(run.summary["tls_verify"], False)

    def test_plain_and_tls_mixed_up(self):
        sim = self.sim()
        self.refused(sim.url.replace("http:", "https:"), "the server speaks plain text on this port, not TLS", self.tls())
        sim = self.tls_sim()
        self.refused(sim.url.replace("https:", "http:"), "if this port speaks TLS, write https://", self.tls())

    def test_client_certificate(self):
        sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms", "--tls-client-ca", self.pem("ca"))
        self.refused(sim.url, "the server asks for a client certificate; set target.tls.cert_file and key_file", self.tls())
        self.refused(sim.url, "the server does not accept our certificate",
                     self.tls(cert_file=self.pem("self"), key_file=self.key("self")))
        run = self.run_ok(run_text(sim.url, target=self.tls(cert_file=self.pem("client"), key_file=self.key("client"))))
        self.compare(run, sim)
        for file in run.dir.iterdir():
            self.assertNotIn("PRIVATE KEY", file.read_text(), file.name)

    def test_files_that_cannot_be_used(self):
        self.refused("https://127.0.0.1:1", "target.tls.ca_file: /no/ca.pem: No such file", "tls: {ca_file: /no/ca.pem}", 2)
        self.refused("https://127.0.0.1:1", "is not the key of the certificate in cert_file",
                     self.tls(cert_file=self.pem("client"), key_file=self.key("good")), 2)
        self.refused("https://127.0.0.1:1", "without a passphrase",
                     self.tls(cert_file=self.pem("client"), key_file=self.key("locked")), 2)

    def test_probe(self):
        sim = self.tls_sim()
        code, out, err = self.tokometer("probe", sim.url, "--set", f"target.tls.ca_file={self.pem('ca')}")
        self.assertEqual(code, 0, err)
        self.assertIn("processor      vllm", out)
        self.assertIn("quantities known", out)


class Several(TruthCase):
    def urls(self, sims):
        return '["' + '", "'.join(sim.url for sim in sims) + '"]'

    def text(self, urls, **words):
        return run_text("X", **words).replace('"X"', urls)

    def test_in_turn(self):
        sims = [self.sim("--ttft", "1ms", "--itl", "1ms") for _ in range(3)]
        run = self.run_ok(self.text(self.urls(sims), phase="requests: 60", load="{use: concurrency, options: {users: 4}}",
                                    more="limits: {io_threads: 2}\n"))
        for sim in sims:
            sim.stop()
        for record in run.requests:
            sim = sims[record["seq"] % 3]
            self.assertEqual("http://" + record["endpoint"], sim.url)
            self.assertEqual(int(record["text_crc"], 16), sim.requests()[record["id"]]["text_crc"])
        self.assertEqual(run.manifest["target"]["url"], ", ".join(sim.url for sim in sims))
        self.assertEqual(["http://" + e for e in run.manifest["target"]["endpoints"]], [sim.url for sim in sims])

    def test_one_is_down(self):
        sims = [self.sim(), self.sim()]
        sims[1].stop()
        run = self.run_file(self.text(self.urls(sims)))
        self.assertEqual(run.code, 3, run.show())
        self.assertIn(f"the target {sims[1].url} is not ready: connect: GET", run.err)

    def test_one_has_another_model(self):
        sims = [self.sim(), self.sim("--model", "other")]
        run = self.run_file(self.text(self.urls(sims)))
        self.assertEqual(run.code, 3, run.show())
        self.assertIn(f'{sims[1].url}: the server has no model "sim-model"', run.err)

    def test_one_dies(self):
        """Row 15: its requests fail, those of the other do not."""
        sims = [self.sim("--ttft", "1ms", "--itl", "1ms") for _ in range(2)]
        child = self.start(self.text(self.urls(sims), load="{use: constant, options: {rate: 50}}", phase="duration: 2s",
                                     more="limits: {error_budget: 100%}\n"))
        self.wait_for_records(child, 10)
        sims[1].process.kill()
        run = self.end(child)
        self.assert_law(run)
        for record in run.requests:
            if record["seq"] % 2 == 0:
                self.assertEqual(record["status"], "ok", record)
        failed = [r for r in run.requests if r["status"] == "failed"]
        self.assertIn("connect", {r["class"] for r in failed})
        self.assertEqual({"http://" + r["endpoint"] for r in failed}, {sims[1].url})


class Unix(TruthCase):
    def listen(self, path, url):
        """A Unix socket before the simulator: bytes go through as they come."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(64)
        host, port = url.removeprefix("http://").split(":")

        def copy(source, sink):
            copy_bytes(source, sink)
            source.close()

        def serve():
            while True:
                try:
                    ours, _ = listener.accept()
                except OSError:
                    return
                theirs = socket.create_connection((host, int(port)))
                theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for pair in ((ours, theirs), (theirs, ours)):
                    threading.Thread(target=copy, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        self.addCleanup(listener.close)

    def test_run(self):
        sim = self.sim("--ttft", "1ms", "--itl", "1ms")
        path = self.tmp / "sim.sock"
        self.listen(path, sim.url)
        run = self.run_ok(run_text(f"unix://{path}"))
        sim.stop()
        self.assertEqual(self.assert_true_text(run, sim), 10)
        for record in run.requests:
            self.assertEqual(record["endpoint"], f"unix://{path}")
            self.assertEqual(record["stamp"], "user")      # the kernel stamps no bytes of Unix sockets
        self.assertEqual(run.manifest["target"]["url"], f"unix://{path}")

    def test_nobody_listens(self):
        run = self.run_file(run_text("unix:///no/such.sock"))
        self.assertEqual(run.code, 3, run.show())
        self.assertIn("connect to unix:///no/such.sock: No such file or directory (ENOENT)", run.err)


if __name__ == "__main__":
    main()
