"""What is read from clients' own results: small ones, recorded under the load "broken" (91 of 200 streams die)."""

import json
import pathlib
import types
import unittest

import bench_path  # noqa: F401
from clients import aiperf_run, everyone, guidellm_run, inference_perf_run, tokometer_run, vllm_bench, wrk
from clients.client import Reading, Unavailable, requests_of
from clients.workloads import BY_NAME, WORKLOADS

RECORDED = pathlib.Path(__file__).resolve().parent / "peers"


def recorded(name):
    return json.loads((RECORDED / name).read_text())


class Readers(unittest.TestCase):
    def near(self, reading, ttft, itl, e2e):
        for said, wanted in ((reading.ttft, ttft), (reading.itl, itl), (reading.e2e, e2e)):
            for a, b in zip(said, wanted, strict=True):
                self.assertAlmostEqual(a, b, places=1)

    def test_aiperf_gaps_are_its_inter_chunk_latency(self):
        reading = aiperf_run.read_export(recorded("aiperf.json"))
        self.near(reading, (145.3, 514.0), (0.0, 115.1), (302.3, 715.4))
        self.assertEqual((reading.ok, reading.failed), (200, 0))

    def test_aiperf_without_chunks(self):
        export = recorded("aiperf.json")
        del export["inter_chunk_latency"]
        self.near(aiperf_run.read_export(export), (145.3, 514.0), (10.7, 16.0), (302.3, 715.4))

    def test_guidellm_counts_broken_streams_as_errors_and_warns(self):
        reading = guidellm_run.read_report(recorded("guidellm.json"))
        self.near(reading, (172.7, 281.4), (9.4, 12.4), (422.2, 534.0))
        self.assertEqual((reading.ok, reading.failed), (109, 91))
        self.assertEqual(reading.logged, "warnings generation_delay_ttft, root_late")

    def test_inference_perf_tells_its_own_delay(self):
        reading = inference_perf_run.read_summary(recorded("inference-perf.json"))
        self.near(reading, (50.9, 57.4), (10.0, 14.4), (241.0, 248.6))
        self.assertEqual((reading.ok, reading.failed), (200, 0))
        self.assertEqual(reading.logged, "schedule_delay p99 690 ms")

    def test_inference_perf_without_a_success(self):
        summary = recorded("inference-perf.json")
        summary["successes"] = {"count": 0, "latency": {"time_to_first_token": None}}
        summary["load_summary"] = {}
        self.assertEqual(inference_perf_run.read_summary(summary), Reading(ok=0, failed=0))

    def test_vllm_queue_time_means_something_only_with_a_rate(self):
        result = recorded("vllm-bench.json")
        reading = vllm_bench.read_result(result)
        self.near(reading, (54.0, 136.6), (10.0, 13.8), (241.8, 324.1))
        self.assertEqual((reading.ok, reading.failed, reading.logged), (200, 0, ""))
        self.assertIn("1663 ms", vllm_bench.read_result(result | {"request_rate": 200}).logged)

    def test_tokometer_marks_its_run(self):
        summary = recorded("tokometer.json")
        reading = tokometer_run.read_summary(summary)
        self.assertEqual((reading.ok, reading.failed), (109, 91))
        self.assertEqual(reading.marked, "INVALID (V12 errors)")
        sent = summary["phases"][0]["metrics"]["ttft_sent"]
        self.assertEqual(reading.ttft, (sent["p50"] / 1e6, sent["p99"] / 1e6))

    def test_tokometer_open_loops_count_from_schedule(self):
        summary = recorded("tokometer.json")
        summary["phases"][0]["headline"] = "from schedule"
        scheduled = summary["phases"][0]["metrics"]["ttft_sched"]
        self.assertEqual(tokometer_run.read_summary(summary).ttft[1], scheduled["p99"] / 1e6)
        self.assertEqual(tokometer_run.read_summary(summary | {"verdict": "VALID"}).marked, "")

    def test_wrk(self):
        self.assertEqual(wrk.read_output((RECORDED / "wrk.txt").read_text()),
                         Reading(e2e=(3.6, 23.54), ok=69514, failed=0))
        self.assertEqual(wrk.read_output("3 requests in 1s\n  Non-2xx or 3xx responses: 2\n"), Reading(ok=1, failed=2))
        with self.assertRaises(Unavailable):
            wrk.read_output("unable to connect")


class Remarks(unittest.TestCase):
    def test_only_lines_about_the_client_itself(self):
        client = aiperf_run.Aiperf()
        for line, found in (("WARNING CPU usage for worker_1 is 98%. AIPerf results may be inaccurate.", True),
                            ("WARNING no prompt-cache read tokens were seen", False)):
            with self.subTest(line):
                done = types.SimpleNamespace(out="", err="first\n" + line)
                self.assertEqual(client.log_remark(done), line if found else "")


class Loads(unittest.TestCase):
    def test_everyone_has_a_number_of_requests_for_each(self):
        for client in everyone():
            for workload in WORKLOADS:
                self.assertGreaterEqual(requests_of(client, workload), 0)
        self.assertEqual(requests_of(tokometer_run.Tokometer(), BY_NAME["W1"]), 704)

    def test_each_is_a_closed_or_an_open_loop(self):
        for workload in WORKLOADS:
            with self.subTest(workload.name):
                self.assertTrue(bool(workload.users) != bool(workload.rate))

    def test_run_files(self):
        text = tokometer_run.run_file("http://127.0.0.1:1", BY_NAME["freeze"], 1200)
        for part in ("{use: constant, options: {rate: 200}}", "output_tokens: 3", "max_in_flight: 8",
                     "requests: 1200"):
            self.assertIn(part, text)
        self.assertIn("{use: concurrency, options: {users: 64}}", tokometer_run.run_file("u", BY_NAME["W1"], 1))


if __name__ == "__main__":
    unittest.main()
