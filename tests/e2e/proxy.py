"""A proxy on the way, only where the run file says so: truth over each transport, what the proxy was asked, credentials that
stay secret, and its failures by their sentences. The proxy is this file's own, on the loopback."""

import contextlib
import socket
import threading

from harness import copy_bytes, environment, main, run_text
from grpc import GrpcCase, grpc
from transports import TlsCase


class Proxy:
    """An HTTP/1.1 proxy: CONNECT and absolute-form requests. `asked` has the head of each, as lines."""

    def __init__(self, case, credentials=None, answer=None):
        self.asked, self.servers, self.credentials, self.answer = [], [], credentials, answer
        case.addCleanup(lambda: [server.close() for server in self.servers])
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        case.addCleanup(self.listener.close)
        self.where = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.url = "http://" + self.where
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.client, args=(client,), daemon=True).start()

    def client(self, client):
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(OSError))
            stack.enter_context(client)
            self.requests(client)

    @staticmethod
    def read_until(sock, end, held=b""):
        while end not in held:
            data = sock.recv(65536)
            if not data:
                return None, held
            held += data
        head, _, rest = held.partition(end)
        return head, rest

    def requests(self, client):
        held, server = b"", None
        while True:
            head, held = self.read_until(client, b"\r\n\r\n", held)
            if head is None:
                return
            lines = head.decode().split("\r\n")
            fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
            self.asked.append((lines[0], fields))
            if self.answer is not None:
                return client.sendall(self.answer)
            if self.credentials and fields.get("proxy-authorization") != self.credentials:
                return client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n"
                                      b"Proxy-Authenticate: Basic realm=\"x\"\r\nConnection: close\r\n\r\n")
            method, target, _ = lines[0].split()
            if method == "CONNECT":
                return self.tunnel(client, target)
            if server is None:
                server = self.connect(target.removeprefix("http://").partition("/")[0])
                self.servers.append(server)
            body = int(fields.get("content-length", 0))
            while len(held) < body:
                held += client.recv(65536)
            path = "/" + target.removeprefix("http://").partition("/")[2]
            kept = [line for line in lines[1:] if not line.lower().startswith("proxy-")]
            server.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "", ""]).encode() + held[:body])
            held = held[body:]
            self.pass_response(server, client)

    @staticmethod
    def connect(where):
        host, _, port = where.rpartition(":")
        server = socket.create_connection((host.strip("[]"), int(port)))
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return server

    def pass_response(self, server, client):
        head, rest = self.read_until(server, b"\r\n\r\n")
        client.sendall(head + b"\r\n\r\n" + rest)
        if b"transfer-encoding: chunked" in head.lower():
            while not rest.endswith(b"\r\n0\r\n\r\n") and rest != b"0\r\n\r\n":
                data = server.recv(65536)
                client.sendall(data)
                rest = (rest + data)[-16:]
            return
        left = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        left -= len(rest)
        while left > 0:
            data = server.recv(65536)
            client.sendall(data)
            left -= len(data)

    def tunnel(self, client, target):
        try:
            server = self.connect(target)
        except OSError:
            return client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n")
        back = threading.Thread(target=copy_bytes, args=(server, client), daemon=True)
        back.start()
        copy_bytes(client, server)
        back.join()
        server.close()

    def methods(self):
        return {line.split()[0] for line, _ in self.asked}


class ProxyCase(TlsCase):
    def target(self, proxy, more=""):
        return f"proxy: \"{proxy}\"" + (more and ", " + more)

    def through(self, run, sim, server):
        """Truth as without a proxy, kernel stamps kept, and the records name both."""
        self.compare(run, sim)
        for record in run.requests:
            self.assertEqual(record["stamp"], "kernel", record)
            self.assertEqual(record["endpoint"], server)


class Proxied(ProxyCase):
    def test_plain(self):
        """Handed to the proxy whole: absolute form, the Host header the server's, connections kept."""
        proxy, sim = Proxy(self), self.sim("--ttft", "3ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, target=self.target(proxy.url), load="{use: concurrency, options: {users: 4}}",
                                   phase="requests: 40"))
        where = sim.url.removeprefix("http://")
        self.through(run, sim, f"{where} via {proxy.where}")
        self.assertEqual(proxy.methods(), {"GET", "POST"})
        posts = [(line, fields) for line, fields in proxy.asked if line.startswith("POST")]
        self.assertEqual(len(posts), 40 + run.manifest["preflight"]["requests"])
        for line, fields in proxy.asked:
            self.assertTrue(line.split()[1].startswith(f"{sim.url}/"), line)
            self.assertEqual(fields["host"], where)
            self.assertNotIn("proxy-authorization", fields)
        self.assertIn(True, {record["reused"] for record in run.requests if "reused" in record})

    def test_tls(self):
        proxy, sim = Proxy(self), self.tls_sim("--ttft", "3ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url, target=self.target(proxy.url, self.tls()), phase="requests: 20",
                                   load="{use: concurrency, options: {users: 4}}"))
        where = sim.url.removeprefix("https://")
        self.through(run, sim, f"{where} via {proxy.where}")
        self.assertEqual(proxy.methods(), {"CONNECT"})
        self.assertEqual({line.split()[1] for line, _ in proxy.asked}, {where})
        for record in run.requests:
            if "connect_ns" in record:
                self.assertLessEqual(record["connect_ns"], record["tcp_ready_ns"])
                self.assertLess(record["tcp_ready_ns"], record["tls_ready_ns"])

    def test_http2(self):
        for tls in (False, True):
            with self.subTest(tls=tls):
                proxy = Proxy(self)
                sim = self.tls_sim("--ttft", "3ms", "--itl", "1ms") if tls else self.sim("--ttft", "3ms", "--itl", "1ms")
                more = 'connections: {http: "2", streams_per_connection: 4}' + (", " + self.tls() if tls else "")
                run = self.run_ok(run_text(sim.url, target=self.target(proxy.url, more), phase="requests: 20",
                                           load="{use: concurrency, options: {users: 8}}"))
                self.through(run, sim, f"{sim.url.partition('://')[2]} via {proxy.where}")
                self.assertEqual(proxy.methods(), {"CONNECT"})

    def test_fresh_connections(self):
        proxy, sim = Proxy(self), self.tls_sim("--ttft", "1ms", "--itl", "1ms")
        self.run_ok(run_text(sim.url, target=self.target(proxy.url, self.tls() + ", connections: {policy: fresh}"),
                             phase="requests: 12"))
        self.assertGreaterEqual(len(proxy.asked), 12)

    def test_never_unasked(self):
        proxy, sim = Proxy(self), self.sim("--ttft", "1ms", "--itl", "1ms")
        names = {name: proxy.url for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
        for target in ("", "proxy: none"):
            self.run_ok(run_text(sim.url, target=target), env=environment(**names))
        self.assertEqual(proxy.asked, [])

    def test_environment(self):
        for name, scheme in (("http_proxy", "http"), ("HTTP_PROXY", "http"), ("https_proxy", "https"), ("HTTPS_PROXY", "https")):
            with self.subTest(name):
                proxy = Proxy(self)
                sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms") if scheme == "https" else self.sim("--ttft", "1ms", "--itl", "1ms")
                text = run_text(sim.url, target="proxy: env" + (", " + self.tls() if scheme == "https" else ""))
                straight = {"http_proxy": "", "https_proxy": "", "no_proxy": ""}
                env = {**straight, name: proxy.where}
                if name.isupper():
                    del env[name.lower()]
                self.run_ok(text, env=environment(**env))
                self.assertTrue(proxy.asked)
                before = len(proxy.asked)
                for exempt in ("NO_PROXY", "no_proxy"):
                    self.run_ok(text, env=environment(**{**env, "no_proxy": None, exempt: "example.org, 127.0.0.0/8"}))
                self.assertEqual(len(proxy.asked), before)

    def test_probe(self):
        proxy, sim = Proxy(self), self.sim()
        code, out, err = self.tokometer("probe", sim.url, "--set", f"target.proxy={proxy.url}")
        self.assertEqual(code, 0, err)
        self.assertIn("processor      vllm", out)
        self.assertIn(f"via {proxy.where}", out)
        self.assertIn("/metrics", {line.split()[1].removeprefix(sim.url) for line, _ in proxy.asked})
        self.assertNotIn(f"via {proxy.where}", err)

    def test_credentials(self):
        """From the URL or a variable; on the wire, and in no file and on no screen."""
        basic = "Basic dXNlcjpwYXNzL3dvcmQtMTIz"      # user:pass/word-123
        for secure in (False, True):
            for how in ("file", "env"):
                with self.subTest(secure=secure, how=how):
                    proxy = Proxy(self, credentials=basic)
                    sim = self.tls_sim("--ttft", "1ms", "--itl", "1ms") if secure else self.sim("--ttft", "1ms", "--itl", "1ms")
                    url = f"http://user:pass%2Fword-123@{proxy.where}"
                    text = run_text(sim.url, target=self.target(url if how == "file" else "env", self.tls() if secure else ""))
                    run = self.run_ok(text, env=environment(http_proxy=url, https_proxy=url, no_proxy=""))
                    self.assertEqual({fields["proxy-authorization"] for _, fields in proxy.asked}, {basic})
                    said = run.out + run.err + "".join(file.read_text() for file in run.dir.iterdir())
                    for secret in ("pass/word", "pass%2Fword", basic[6:]):
                        self.assertNotIn(secret, said)


class ProxiedGrpc(GrpcCase, ProxyCase):
    def test_grpc(self):
        proxy, sim = Proxy(self), self.sim()
        run = self.run_ok(self.text(sim, processor=grpc(), target=self.target(proxy.url)))
        self.through(run, sim, f"{sim.url.partition('://')[2]} via {proxy.where}")
        self.assertIn("CONNECT", proxy.methods())


class ProxyFaults(ProxyCase):
    def refused(self, url, sentence, target, code=3, **options):
        run = self.run_file(run_text(url, target=target), **options)
        self.assertEqual(run.code, code, run.show())
        self.assertIsNone(run.dir)
        self.assertIn(sentence, run.err)
        self.assertNotIn("hunter2", run.err)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as held:
            where = "127.0.0.1:%d" % held.getsockname()[1]
        for scheme in ("http", "https"):
            self.refused(f"{scheme}://gpu-1:8000", f"connect to gpu-1:8000 via {where}: Connection refused (ECONNREFUSED)",
                         self.target("http://" + where))

    def test_wants_credentials(self):
        for url, cls in (("http://gpu-1:8000", "proxy.407: GET"), ("https://gpu-1:8000", "proxy.407: GET")):
            proxy = Proxy(self, credentials="Basic x")
            self.refused(url, cls, self.target(proxy.url))
            self.refused(url, "wants a user and a password in target.proxy", self.target(f"http://u:hunter2@{proxy.where}"))

    def test_no_way(self):
        """502 from a proxy that does not reach the server, and answers that are none."""
        for answer, sentence in ((b"HTTP/1.1 502 Bad Gateway\r\n\r\n", 'opened no tunnel: it answered "HTTP/1.1 502 Bad Gateway"'),
                                 (b"HTTP/1.1 403 Forbidden\r\n\r\n", 'opened no tunnel: it answered "HTTP/1.1 403 Forbidden"'),
                                 (b"SSH-2.0-OpenSSH\r\n\r\n", "did not answer CONNECT in HTTP/1.1"),
                                 (b"", "closed the connection in place of an answer to CONNECT"),
                                 (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000, "has more than 16 KiB")):
            with self.subTest(answer[:30]):
                proxy = Proxy(self, answer=answer)
                self.refused("https://gpu-1:8000", sentence, self.target(proxy.url))
        proxy = Proxy(self, answer=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        self.refused("http://gpu-1:8000", "502", self.target(proxy.url))

    def test_in_the_load(self):
        """The proxy stops opening tunnels: each request of its own fails in that class, none is lost."""
        sim, proxy = self.tls_sim("--ttft", "1ms", "--itl", "1ms"), Proxy(self)
        child = self.start(run_text(sim.url, target=self.target(proxy.url, self.tls() + ", connections: {policy: fresh}"),
                                    load="{use: constant, options: {rate: 50}}", phase="duration: 2s",
                                    more="limits: {error_budget: 100%}\n"))
        self.wait_for_records(child, 10)
        proxy.answer = b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
        run = self.end(child)
        self.assert_law(run)
        failed = [r for r in run.requests if r["status"] == "failed"]
        self.assertEqual({r["class"] for r in failed}, {"proxy.502"})

    def test_a_silent_proxy(self):
        sim, proxy = self.tls_sim("--ttft", "1ms", "--itl", "1ms"), Proxy(self)
        child = self.start(run_text(sim.url, load="{use: constant, options: {rate: 20}}", phase="duration: 2s",
                                    target=self.target(proxy.url, self.tls() + ", connections: {policy: fresh}, "
                                                       "timeouts: {connect: 100ms}"),
                                    more="limits: {error_budget: 100%}\n"))
        self.wait_for_records(child, 5)
        proxy.requests = lambda client: client.recv(1 << 20) and client.recv(1)
        run = self.end(child)
        self.assert_law(run)
        self.assertEqual({r["class"] for r in run.requests if r["status"] == "failed"}, {"timeout.connect"})

    def test_run_files(self):
        for proxy, sentence in (("https://p:3128", "target.proxy: must be none, env or http://"),
                                ("socks5://p:1080", "target.proxy: must be none, env or http://"),
                                ("http://u:hunter2/x@p:1", "in a user or password / is %2F"),
                                ("http://p:3128/way", "target.proxy: a proxy has no path"),
                                ("http://p:99999", "target.proxy: port must be 1-65535")):
            with self.subTest(proxy):
                self.refused("http://gpu-1", sentence, self.target(proxy), 2)
        self.refused("http://gpu-1", "target.proxy: environment variable http_proxy: must be http://", "proxy: env", 2,
                     env=environment(http_proxy="socks5://u:hunter2@p:1"))
        code, _, err = self.tokometer("validate", self.write("r.yaml", run_text("X").replace('{url: "X"}', "{sim: {}, proxy: env}")))
        self.assertEqual(code, 2)
        self.assertIn("target.proxy: needs target.url", err)


if __name__ == "__main__":
    main()
