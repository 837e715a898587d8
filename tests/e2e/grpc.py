"""gRPC to the simulator, whose protobuf and HTTP/2 are its own: truth, the same counts as over HTTP, failures by their class,
and each wrong setting with one clear sentence."""

import contextlib
import json
import socket
import threading

from harness import main, run_text
from transports import TlsCase

MODEL = "model: {name: sim-model}\n"


def grpc(options=""):
    return "{use: triton, options: {api: grpc%s}}" % (options and ", " + options)


class GrpcCase(TlsCase):
    def sim(self, *flags, **options):
        sim = super().sim("--ttft", "3ms", "--itl", "1ms", *flags, **options)
        sim.http_url, sim.url = sim.url, sim.url.replace("http", "grpc", 1)
        return sim

    def text(self, sim, *, processor=grpc(), users=8, requests=40, tokens=12, more="", **words):
        return run_text(sim.url, processor=processor, tokens=tokens, load=f"{{use: concurrency, options: {{users: {users}}}}}",
                        phase=f"requests: {requests}", more=MODEL + more, **words)


class Grpc(GrpcCase):
    def shape(self, *flags, events=True, sim=None, **words):
        sim = sim or self.sim(*flags)
        run = self.run_ok(self.text(sim, **words))
        self.compare(run, sim, events=events)
        for record in run.requests:
            self.assertEqual(record["stamp"], "kernel", record)
        return run

    def test_tensors(self):
        for tensors, source, reason in (("trt_llm", "usage", None), ("vllm", "usage", "length"), ("llm_api", "events", "length")):
            with self.subTest(tensors):
                for record in self.shape("--triton-tensors", tensors).requests:
                    self.assertEqual((record["token_source"], record.get("finish_reason"), record["events"]), (source, reason, 12))
                    self.assertNotIn("flags", {k: v for k, v in record.items() if v != ["coalesced"]})

    def test_the_final_flag_apart(self):
        for tensors in ("trt_llm", "vllm"):
            with self.subTest(tensors):
                run = self.shape("--triton-final-apart", "--triton-tensors", tensors)
                self.assertTrue(all(r["output_tokens"] == r["events"] == 12 for r in run.requests))

    def test_whole(self):
        """ModelStreamInfer where the model is decoupled, ModelInfer where it is not."""
        for flags, route in (((), "stream_infer"), (("--triton-one-response",), "infer")):
            with self.subTest(route):
                sim = self.sim(*flags)
                run = self.shape(sim=sim, request="{stream: false}", events=False)
                self.assertTrue(all("first_token_ns" not in r and r["output_tokens"] == 12 for r in run.requests))
                self.assertEqual({line["route"] for line in sim.requests().values()}, {route})

    def test_cuts_and_sizes(self):
        for flags, words in ((("--split", "byte"), {"tokens": 5}), (("--split", "seeded"), {"tokens": 5}),
                             (("--tokens-per-event", "5"), {}), ((), {"prompt": 20000, "requests": 5, "users": 1})):
            with self.subTest(flags, **words):
                self.shape(*flags, **words)

    def test_many_streams_a_connection(self):
        run = self.shape(target="connections: {streams_per_connection: 64}", users=64, requests=128)
        self.assertLessEqual(len({r["conn"] for r in run.requests}), 2)

    def test_exact_length(self):
        """min_tokens, and ignore_eos of the vLLM backend: the model would end after 4 tokens."""
        for tensors in ("trt_llm", "vllm"):
            with self.subTest(tensors):
                run = self.shape("--triton-tensors", tensors, "--eos-after", "4", request="{output: exact}")
                self.assertTrue(all(r["output_tokens"] == 12 for r in run.requests))

    def test_tls(self):
        sim = self.tls_sim("--ttft", "3ms", "--itl", "1ms")
        self.assertTrue(sim.url.startswith("grpcs://"))
        for record in self.shape(sim=sim, target=self.tls()).requests:
            if not record["reused"]:
                self.assertLessEqual(record["tcp_ready_ns"], record["tls_ready_ns"])

    def test_the_simulator_as_target(self):
        text = f"version: 1\ntarget: {{sim: {{ttft: 3ms, itl: 1ms}}}}\nprocessor: {grpc()}\n{MODEL}" \
               "dataset: {use: synthetic, options: {input_tokens: 8, output_tokens: 4}}\n" \
               "load: synchronous\nphases: [{name: main, requests: 5}]\n"
        self.assertEqual(self.run_ok(text).summary["totals"]["ok"], 5)

    def test_the_same_counts_as_over_http(self):
        for tensors in ("trt_llm", "vllm", "llm_api"):
            with self.subTest(tensors):
                found = []
                for processor, scheme in ((grpc(), "grpc"), ("triton", "http")):
                    sim = self.sim("--triton-tensors", tensors)
                    sim.url = sim.http_url.replace("http", scheme, 1)
                    run = self.run_ok(self.text(sim, processor=processor))
                    found.append(sorted((r["sample"], r.get("prompt_tokens"), r["output_tokens"], r["events"]) for r in run.requests))
                self.assertEqual(*found)


class GrpcProbe(GrpcCase):
    """`probe` and `init` find out by themselves who speaks gRPC, and write it down so that it runs."""

    def test_probe(self):
        sim = self.sim("--model", "llama")
        code, out, err = self.tokometer("probe", sim.url)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"(?m)^model +llama$")
        self.assertIn("processor: {use: triton, options: {api: grpc}}", out)
        self.assertEqual(json.loads(self.tokometer("probe", sim.url, "--json")[1])["processor"], "triton")
        code, _, err = self.tokometer("probe", sim.http_url)
        self.assertEqual(code, 0, err)

    def test_init(self):
        sim = self.sim("--model", "llama")
        code, text, err = self.tokometer("init", "emulated-data", "--url", sim.url)
        self.assertEqual((code, err), (0, ""))
        self.assertIn("model: {name: \"llama\"}\nprocessor: {use: triton, options: {api: grpc}}\n", text)
        self.assertEqual(self.run_ok(text, "--set", "phases=[{name: main, requests: 5, warmup: none}]").summary["totals"]["ok"], 5)

    def test_nobody_there(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            url = f"grpc://127.0.0.1:{probe.getsockname()[1]}"
        code, _, err = self.tokometer("probe", url)
        self.assertEqual(code, 3, err)
        self.assertIn(url, err)
        code, text, err = self.tokometer("init", "chat", "--url", url)
        self.assertEqual(code, 0, err)
        self.assertIn("only the URL is filled in", err)
        self.assertIn(f"url: {url}", text)


class GrpcFaults(GrpcCase):
    def faulty(self, fault, target=""):
        sim = self.sim("--seed", "3", "--failure-rate", "0.3", "--failure", fault)
        run = self.run_file(self.text(sim, requests=30, users=4, target=target, more="limits: {error_budget: 100%}\n"))
        self.assert_law(run)
        self.assert_true_text(run, sim)
        return run, [r for r in run.requests if r["status"] == "failed"]

    def test_classes(self):
        for words, cls in (("grpc_status; code=14; at=head", "grpc.unavailable"), ("grpc_status; code=8; after=3", "grpc.resource_exhausted"),
                           ("grpc_status; code=0; at=head", "empty"), ("grpc_status; code=99; after=3", "grpc.unknown"),
                           ("no_trailers", "grpc.unknown"), ("status; code=503; body=triton", "grpc.unavailable"),
                           ("status; code=502; body=html", "status.502"), ("html", "content_type"), ("empty", "empty"),
                           ("error; after=3", "in_band"), ("error", "in_band"), ("cut_json; after=2", "format"),
                           ("compressed; after=2", "encoding"), ("huge_message; after=2", "limit"),
                           ("cut_message; after=2", "truncated"), ("rst; after=2", "h2.internal_error"), ("fin; after=2", "truncated"), ("gzip", "encoding")):
            with self.subTest(words):
                run, failed = self.faulty(words)
                if words == "no_trailers":  # behind the final flag all is said
                    self.assertEqual(failed, [], run.show())
                    continue
                self.assertEqual({r["class"] for r in failed}, {cls}, run.show())
                self.assertLess(2, len(failed))
                if "after=3" in words:
                    self.assertEqual({r["events"] for r in failed}, {3})

    def test_no_trailers_behind_a_whole_answer(self):
        sim = self.sim("--triton-one-response", "--seed", "3", "--failure-rate", "0.3", "--failure", "no_trailers")
        run = self.run_file(self.text(sim, requests=30, request="{stream: false}", more="limits: {error_budget: 100%}\n"))
        self.assertEqual({r["class"] for r in run.requests if r["status"] == "failed"}, {"grpc.unknown"}, run.show())

    def test_our_deadline(self):
        run, failed = self.faulty("stall; after=2; for=1h", target="timeouts: {total: 400ms}")
        self.assertEqual({r["class"] for r in failed}, {"timeout.total"}, run.show())

    def test_messages_are_shown(self):
        run, failed = self.faulty("grpc_status; code=13; after=3")
        self.assertEqual({r["error"] for r in failed}, {"simulated failure"})


class GrpcRefused(GrpcCase):
    """One sentence, its exit code, and no load."""

    def refused(self, url, sentence, *, processor=grpc(), code=3, model=MODEL, target="", request=""):
        run = self.run_file(run_text(url, processor=processor, more=model, target=target, request=request))
        self.assertEqual(run.code, code, run.show())
        self.assertIsNone(run.dir)
        self.assertIn(sentence, run.err)
        self.assertEqual(run.err.strip().count("\n"), 0, run.err)

    def test_the_wrong_scheme(self):
        self.refused("http://127.0.0.1:1", "speaks gRPC with these options: write grpc:// in place of http://", code=2)
        self.refused("https://127.0.0.1:1", "write grpcs:// in place of https://", code=2)
        for processor in ("triton", "vllm"):
            self.refused("grpc://127.0.0.1:1", "speaks HTTP with these options: write http:// in place of grpc://",
                         processor=processor, code=2)

    def test_an_http1_server(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    with peer:
                        peer.recv(4096)
                        peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        self.refused(f"grpc://127.0.0.1:{listener.getsockname()[1]}",
                     "speaks HTTP/1.1 on this port, not HTTP/2: gRPC needs HTTP/2; is this the server's gRPC port?")

    def test_tls_and_none(self):
        sim = self.sim()
        self.refused(sim.url.replace("grpc", "grpcs", 1), "tls: ")
        secure = self.tls_sim()
        self.refused(secure.url.replace("grpcs", "grpc", 1), "if this port speaks TLS, write grpcs:// in place of grpc://")

    def test_the_model(self):
        sim = self.sim("--model", "llama")
        self.refused(sim.url, 'the server has no model "sim-model". It lists: llama')
        run = self.run_ok(run_text(sim.url, processor=grpc()))     # the only one that is ready
        self.assertEqual({line["model"] for line in sim.requests().values()}, {"llama"})
        self.assertEqual(run.manifest["workloads"][0]["model"], "llama")

    def test_tensors(self):
        sim = self.sim()
        self.refused(sim.url, 'tensors.prompt: the model "sim-model" has no input "PROMPT"; it has: text_input BYTES, max_tokens INT32',
                     processor=grpc("tensors: {prompt: PROMPT}"))
        self.refused(sim.url, 'has the input "temperature" as FP32, which holds no whole number',
                     processor=grpc("tensors: {max_tokens: temperature}"))
        self.refused(sim.url, 'extra sets "min_length"', request="{extra: {min_length: 4}}")

    def test_a_missing_key(self):
        sim = self.sim("--api-key", "k-123456")
        self.refused(sim.url, "check target.api_key")
        run = self.run_ok(self.text(sim, target="api_key: k-123456", requests=5))
        self.assertEqual(run.summary["totals"]["ok"], 5)

    def test_still_loading(self):
        self.refused(self.sim("--startup", "1h").url, "is not ready: gRPC /inference.GRPCInferenceService/ServerReady")


if __name__ == "__main__":
    main()
