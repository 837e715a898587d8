"""The join of records and truth log, on small files made here; CPU between ticks; histograms."""

import json
import pathlib
import shutil
import tempfile
import unittest

import bench_path  # noqa: F401
import truth

BEGIN = 1_000_000_000      # the run's start on the monotonic clock


def record(number, arrivals_us, *, tokens=None, crc=0xAB, coalesced=(), status="ok"):
    """A request that was sent at 0 and saw its events at these times."""
    gaps = [b - a for a, b in zip(arrivals_us, arrivals_us[1:])]
    return {"t": "request", "id": f"r-{number}", "status": status, "sent_ns": 0, "first_token_ns": arrivals_us[0] * 1000,
            "end_ns": arrivals_us[-1] * 1000, "gaps_us": gaps, "coalesced": list(coalesced), "text_crc": f"{crc:08x}",
            "output_tokens": tokens or len(arrivals_us)}


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, streams, *, zeros=0, lines=None):
        """`streams`: {stream: [sent_us]}."""
        rows = sorted((sent, stream, seq) for stream, times in streams.items() for seq, sent in enumerate(times))
        data = b"".join(truth.TRUTH_ROW.pack(1, BEGIN + sent * 1000, stream, seq, 260, 1) for sent, stream, seq in rows)
        (self.folder / "truth.bin").write_bytes(data + bytes(32 * zeros))
        lines = lines or [{"stream": s, "x_request_id": f"r-{s}", "text_crc": 0xAB, "tokens": len(t),
                           "end_ns": BEGIN + t[-1] * 1000} for s, t in streams.items()]
        (self.folder / "truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return truth.Truth.read(self.folder)

    def join(self, records, log):
        return truth.join(truth.Records(records, [], [], BEGIN), log)

    def test_errors(self):
        log = self.write({0: [100, 200, 300], 1: [150, 250]}, zeros=5)
        joined = self.join([record(0, [104, 203, 305]), record(1, [155, 255])], log)
        self.assertTrue(joined.is_whole)
        self.assertEqual(sorted(joined.error), [3000, 4000, 5000, 5000, 5000])
        self.assertEqual(list(joined.ttft), [104_000, 155_000])
        self.assertEqual(list(joined.true_ttft), [100_000, 150_000])
        self.assertEqual(sorted(joined.itl), [99_000, 100_000, 102_000])
        self.assertEqual(sorted(joined.true_itl), [100_000] * 3)
        self.assertEqual((joined.requests, joined.events, joined.tokens), (2, 5, 5))

    def test_coalesced_events_make_one_gap(self):
        log = self.write({0: [100, 110, 200]})
        joined = self.join([record(0, [115, 115, 204], coalesced=[1])], log)
        self.assertEqual(list(joined.error), [15_000, 5_000, 4_000])
        self.assertEqual(list(joined.itl), [89_000])

    def test_what_is_wrong_is_counted(self):
        for name, records in (("events", [record(0, [100])]), ("text", [record(0, [100, 200], crc=1)]),
                              ("tokens", [record(0, [100, 200], tokens=3)]), ("unreported", []),
                              ("unknown_request", [record(0, [100, 200]), record(7, [100, 200])])):
            with self.subTest(name):
                joined = self.join(records, self.write({0: [100, 200]}))
                self.assertEqual(joined.wrong[name], 1)
                self.assertFalse(joined.is_whole)

    def test_failures_are_reported_but_not_joined(self):
        joined = self.join([record(0, [100], status="failed")], self.write({0: [100, 200]}))
        self.assertTrue(joined.is_whole)
        self.assertEqual(joined.requests, 0)

    def test_preflight_is_left_out(self):
        lines = [{"stream": 0, "x_request_id": "preflight-x-0", "text_crc": 0, "tokens": 1, "end_ns": 0}]
        self.assertEqual(self.write({0: [100]}, lines=lines).requests, {})

    def test_a_hole_in_the_log_itself(self):
        (self.folder / "truth.jsonl").write_text("")
        (self.folder / "truth.bin").write_bytes(truth.TRUTH_ROW.pack(1, 2, 0, 1, 260, 1))
        with self.assertRaises(ValueError):
            truth.Truth.read(self.folder)


def tick(at_s, events, io_ns, writer_ns, *, ok=0):
    return {"at_ns": int(at_s * 1e9), "token_events": events, "reads": events // 2, "totals": [{"ok": ok}],
            "threads": [{"name": "io-0", "io": True, "cpu_ns": io_ns}, {"name": "writer", "io": False, "cpu_ns": writer_ns}]}


class LoadUse(unittest.TestCase):
    def use(self, ticks, samples=(), window=(0, 10)):
        phases = [{"event": "begin", "at_ns": int(0.5e9)}]
        return truth.load_use(truth.Records([], ticks, phases, BEGIN), samples, window)

    def test_between_first_and_last_tick(self):
        use = self.use([tick(1, 100, 1_000_000, 0, ok=1), tick(2, 150, 2, 2), tick(3, 1100, 5_000_000, 500_000, ok=4)])
        self.assertEqual((use.seconds, use.events, use.requests, use.reads), (2, 1000, 3, 500))
        self.assertAlmostEqual(use.io_cpu_s, 0.004)
        self.assertAlmostEqual(use.all_cpu_s, 0.0045)

    def test_ticks_outside_the_window_do_not_count(self):
        ticks = [tick(0.6, 0, 0, 0), tick(1.6, 10, 0, 0), tick(2.6, 30, 0, 0), tick(9, 999, 0, 0)]
        self.assertEqual(self.use(ticks, window=(1, 2.1)).events, 20)

    def test_one_tick_is_not_enough(self):
        self.assertIsNone(self.use([tick(1, 100, 0, 0)]))

    def test_threads_that_only_proc_shows(self):
        samples = [(BEGIN + int(1e9), {"tokometer/7": 1_000_000, "io-0/8": 9}),
                   (BEGIN + int(3e9), {"tokometer/7": 4_000_000, "io-0/8": 99})]
        use = self.use([tick(1, 0, 0, 0), tick(3, 10, 1_000_000, 0)], samples)
        self.assertAlmostEqual(use.io_cpu_s, 0.001)
        self.assertAlmostEqual(use.all_cpu_s, 0.004)


class Statistics(unittest.TestCase):
    def test_nearest_rank(self):
        values = list(range(1, 101))
        self.assertEqual([truth.quantile(values, q) for q in (0.5, 0.99, 0.999, 0)], [50, 99, 100, 1])
        self.assertIsNone(truth.quantile([], 0.5))
        self.assertEqual(truth.distribution([]), {"n": 0})

    def test_buckets(self):
        for value in (0, 1, 2047, 4095, 4096, 5000, 123_456, 9_876_543, 10**11):
            shift = max(0, value.bit_length() - 1 - 11)
            index = (shift << 11) + (value >> shift)
            self.assertLessEqual(abs(truth.bucket_value(index) - value), max(1, value) * 0.00026, value)

    def test_histogram_quantile(self):
        self.assertEqual(truth.histogram_quantile({100: 50, 200: 49, 300: 1}, 0.5), 100)
        self.assertEqual(truth.histogram_quantile({100: 50, 200: 49, 300: 1}, 0.99), 200)
        self.assertIsNone(truth.histogram_quantile({}, 0.5))


if __name__ == "__main__":
    unittest.main()
