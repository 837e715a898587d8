"""The judge of the peers bench: which requests count, what is true, how far a report is off; and the tables."""

import json
import pathlib
import struct
import tempfile
import unittest

import bench_path  # noqa: F401
from clients import judge, publish
from clients.workloads import BY_NAME

MS = 1_000_000


def line(stream, received_ms, first_ms=50, tokens=3, outcome="complete"):
    first = (received_ms + first_ms) * MS
    return {"stream": stream, "outcome": outcome, "tokens": tokens, "arrived_ns": received_ms * MS, "first_ns": first,
            "end_ns": first + 20 * MS}


def truth_folder(folder, lines, gap_ms=10):
    folder.joinpath("truth.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in lines) + '{"torn')
    rows = b"".join(struct.pack("=QQIIII", 1, entry["first_ns"] + i * gap_ms * MS, entry["stream"], i, 100, 1)
                    for entry in lines for i in range(entry["tokens"]))
    folder.joinpath("truth.bin").write_bytes(rows + bytes(64))
    return folder


class Truth(unittest.TestCase):
    def read(self, lines, load, count):
        with tempfile.TemporaryDirectory() as folder:
            return judge.read_truth(truth_folder(pathlib.Path(folder), lines), BY_NAME[load], count)

    def test_times_are_the_servers(self):
        truth = self.read([line(0, 100, first_ms=40), line(1, 110, first_ms=60)], "W1", 2)
        self.assertEqual((truth.ttft, truth.e2e), ([40, 60], [60, 80]))
        self.assertEqual(truth.gaps, [10, 10, 10, 10])
        self.assertEqual((truth.complete, truth.broken, truth.tokens, truth.most_at_once), (2, 0, 6, 2))

    def test_what_a_client_asks_before_its_load_does_not_count(self):
        truth = self.read([line(0, 1, first_ms=900), line(1, 2000), line(2, 2001)], "W1", 2)
        self.assertEqual(truth.ttft, [50, 50])

    def test_broken_streams_have_no_times(self):
        truth = self.read([line(0, 1), line(1, 2, outcome="error", first_ms=9)], "broken", 2)
        self.assertEqual((truth.ttft, truth.complete, truth.broken, truth.tokens), ([50], 1, 1, 3))

    def test_waiting_counts_from_the_plan(self):
        late = [line(i, 1000 + 5 * i + (300 if i > 1 else 0)) for i in range(4)]     # 200 a second, the third is held
        self.assertEqual(self.read(late, "freeze", 4).from_schedule, [50, 50, 350, 350])
        self.assertEqual(self.read(late, "W4", 4).from_schedule, [])

    def test_start_of_all_users(self):
        self.assertEqual(self.read([line(i, 1000 + i // 8) for i in range(70)], "W1", 70).start_ms, 7)
        self.assertIsNone(self.read([line(0, 1)], "W1", 1).start_ms)

    def test_rate_is_of_the_middle(self):
        slow_ends = [0] + [1000 + 10 * i for i in range(98)] + [9000]
        self.assertAlmostEqual(self.read([line(i, at) for i, at in enumerate(slow_ends)], "W5", 100).rate, 100)
        self.assertIsNone(self.read([line(0, 1)], "W5", 1).rate)


class Arithmetic(unittest.TestCase):
    def test_error(self):
        self.assertEqual(judge.error((50.5, 49.0), (50.0, 52.0)), (0.5, 3.0))
        self.assertIsNone(judge.error(None, (1, 2)))
        self.assertIsNone(judge.error((1, 2), None))

    def test_pair_is_nearest_rank(self):
        self.assertEqual(judge.pair([3, 1, 2]), (2, 3))
        self.assertEqual(judge.pair(range(1, 101)), (50, 99))
        self.assertIsNone(judge.pair([]))

    def test_cpu_is_of_the_load_alone(self):
        self.assertAlmostEqual(judge.cpu_per_million(12.0, 106_400, 2.0, 6_400), 100.0)
        self.assertIsNone(judge.cpu_per_million(1.0, 106_400, 2.0, 6_400))
        self.assertIsNone(judge.cpu_per_million(3.0, 6_400, 2.0, 6_400))


def result(client, workload, **more):
    reading = {"ttft": [50.0, 52.0], "itl": None, "e2e": None, "ok": 200, "failed": 0, "marked": "", "logged": ""}
    truth = {"ttft": [50.0, 51.5], "itl": None, "e2e": None, "complete": 109, "broken": 91, "tokens": 106_400,
             "rate": 99.8, "most_at_once": 1000, "from_schedule": [300.0, 520.0]}
    return {"client": client, "workload": workload, "code": 0, "cpu_s": 12.0, "peak_bytes": 5e6, "processes": 3,
            "first_request_s": 0.5, "reason": "", "reading": reading | more.pop("reading", {}),
            "truth": truth | more.pop("truth", {})} | more


class Tables(unittest.TestCase):
    def test_numbers(self):
        for value, text in ((0.042, "0.04"), (1.24, "1.2"), (37.6, "38"), (1594.2, "1,594"), (3, "3"), (None, "-")):
            self.assertEqual(publish.number(value), text)

    def test_cells(self):
        start = result("a", "start", cpu_s=2.0, truth={"tokens": 6_400})
        results = publish.Results([result("a", "W1"), start, result("a", "broken"), result("a", "freeze")])
        self.assertIn("| W1 TTFT | 0.00 / 0.50 | - |", publish.accuracy(results, ["a", "b"]))
        self.assertIn("| W1 CPU s per million tokens | 100 | - |", publish.cost(results, ["a", "b"]))
        text = publish.honesty(results, ["a", "b"])
        self.assertIn("| a | 52 / 520 | nothing | - | - | 91 of 91 | - |", text)
        self.assertIn("| b | - | - | - | - | - | - |", text)

    def test_what_a_client_says(self):
        loud, usual = {"logged": "late"}, {"marked": "INVALID (V4 lag)"}
        for reading, calm, code, text in (({}, {}, 0, "nothing"), ({}, {}, 1, "exit code 1"), ({}, loud, 0, "nothing"),
                                          (loud, {}, 0, "beside the numbers: late"), (usual, {}, 5, "INVALID (V4 lag)"),
                                          (loud, loud, 0, "beside the numbers: late (the same in W4)"),
                                          (usual, loud, 5, "INVALID (V4 lag) (in W4: beside the numbers: late)")):
            results = publish.Results([result("a", "freeze", reading=reading, code=code),
                                       result("a", "W4", reading=calm)])
            with self.subTest(text):
                self.assertEqual(publish.says(results, "a", "freeze"), text)

    def test_reasons_are_told_once(self):
        missing = [{"client": "wrk", "workload": w, "reason": "knows no tokens"} for w in ("W1", "W2")]
        report = {"left_out": {"x": "needs Python 3.12"}, "results": missing + [result("a", "failing", reason="none")]}
        self.assertEqual(publish.not_run(report), ["- x: needs Python 3.12", "- wrk under W1, W2: knows no tokens"])

    def test_only_what_stands_between_the_marks_is_replaced(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text(f"before\n{publish.BEGIN}\nold\n{publish.END}\nafter\n")
            publish.write(page, "new\n")
            self.assertEqual(page.read_text(), f"before\n{publish.BEGIN}\nnew\n{publish.END}\nafter\n")


if __name__ == "__main__":
    unittest.main()
