"""The join of a packet capture with records and truth log, on small files made here."""

import pathlib
import shutil
import tempfile
import unittest

import bench_path  # noqa: F401
import captured
import referee
import truth

BEGIN = 1_000_000_000      # the run's start on the monotonic clock


def stamp(sent_us, stream, seq):
    return f"{BEGIN + sent_us * 1000:016x}{stream:08x}{seq:08x}"


def segment(at_us, *stamps, direction="in", length=300, port=40000):
    return " ".join([str(BEGIN + at_us * 1000), direction, str(length), str(port), *stamps])


def record(number, arrivals_us, *, status="ok"):
    gaps = [b - a for a, b in zip(arrivals_us, arrivals_us[1:])]
    return {"t": "request", "id": f"r-{number}", "status": status, "first_token_ns": arrivals_us[0] * 1000, "gaps_us": gaps}


def log(streams):
    """`streams`: {stream: [sent_us]}; stream 7 answered request r-7."""
    return truth.Truth({f"r-{s}": {"stream": s} for s in streams},
                       {s: [BEGIN + at * 1000 for at in times] for s, times in streams.items()})


class Join(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def read(self, *segments, direction="in"):
        path = self.folder / "capture"
        path.write_text("".join(line + "\n" for line in segments))
        return captured.Captured.read(path, direction)

    def compare(self, records, streams, arrived, left=None):
        return captured.compare(truth.Records(records, [], [], BEGIN), log(streams), arrived, left)

    def test_a_stamp(self):
        self.assertEqual(captured.parse_stamp("00000000000000ff0000000a0000000b"), (255, 10, 11))
        for bad in ("", "ff", "x" * 32, "0" * 33):
            with self.assertRaises(ValueError):
                captured.parse_stamp(bad)

    def test_segments_without_events_and_of_the_other_direction(self):
        found = self.read(segment(5), segment(6, direction="out"), segment(7, stamp(1, 7, 0), direction="out"),
                          segment(10, stamp(8, 7, 0), stamp(9, 7, 1)))
        self.assertEqual((found.segments, found.event_segments, found.doubled), (4, 1, 0))
        self.assertEqual(found.at, {(7, 0): (BEGIN + 10_000, BEGIN + 8000), (7, 1): (BEGIN + 10_000, BEGIN + 9000)})

    def test_differences(self):
        arrived = self.read(segment(103, stamp(100, 7, 0)), segment(205, stamp(200, 7, 1)), segment(302, stamp(300, 7, 2)))
        left = self.read(segment(101, stamp(100, 7, 0), direction="out"), segment(202, stamp(200, 7, 1), direction="out"),
                         segment(301, stamp(300, 7, 2), direction="out"), direction="out")
        compared = self.compare([record(7, [104, 205, 310])], {7: [100, 200, 300]}, arrived, left)
        self.assertTrue(compared.is_whole)
        self.assertEqual({name: list(values) for name, values in compared.differences.items()}, {
            "reported_vs_captured": [1000, 0, 8000], "last_vs_captured": [8000], "others_vs_captured": [1000, 0],
            "captured_vs_sent": [3000, 5000, 2000], "reported_vs_left": [3000, 3000, 9000], "left_vs_sent": [1000, 2000, 1000]})
        shown = compared.result()["differences_ns"]["reported_vs_captured"]
        self.assertEqual((shown["n"], shown["min"], shown["p50"], shown["max"]), (3, 0, 1000, 8000))

    def test_our_stamp_before_the_capture_is_negative(self):
        compared = self.compare([record(7, [99])], {7: [90]}, self.read(segment(100, stamp(90, 7, 0))))
        self.assertEqual(list(compared.differences["reported_vs_captured"]), [-1000])

    def test_what_does_not_match_is_counted(self):
        one, two = segment(103, stamp(100, 7, 0)), segment(203, stamp(200, 7, 1))
        both = [record(7, [104, 204])]
        for name, records, segments in (
                ("not_captured", both, [one]),
                ("not_reported", [record(7, [104])], [one, two]),
                ("doubled", both, [one, two, two]),
                ("other_stamp", both, [one, segment(203, stamp(201, 7, 1))])):
            with self.subTest(name):
                compared = self.compare(records, {7: [100, 200]}, self.read(*segments))
                self.assertEqual(compared.counts[name], 1)
                self.assertFalse(compared.is_whole)

    def test_preflight_and_failures_are_left_out(self):
        arrived = self.read(segment(103, stamp(100, 7, 0)), segment(5, stamp(4, 0, 0)))
        compared = self.compare([record(7, [104]), record(8, [9], status="failed"), record(9, [9])], {7: [100], 8: [8]}, arrived)
        self.assertTrue(compared.is_whole)
        self.assertEqual((compared.counts["matched"], compared.counts["requests_left_out"]), (1, 2))

    def test_nothing_is_not_whole(self):
        self.assertFalse(self.compare([], {}, self.read()).is_whole)


class Text(unittest.TestCase):
    def test_not_judged_is_no_fault(self):
        result = {"name": "lo", "title": "loopback", "not_judged": "not permitted", "wrong": []}
        self.assertEqual(referee.lines(result), ["lo  loopback: not judged: not permitted"])
        self.assertFalse(referee.is_fault(result))

    def test_a_table(self):
        compared = captured.Comparison()
        compared.add(record(7, [104, 206]), 7, [BEGIN + 100_000, BEGIN + 200_000], BEGIN,
                     {(7, 0): (BEGIN + 103_000, BEGIN + 100_000), (7, 1): (BEGIN + 203_000, BEGIN + 200_000)}, {})
        result = {"name": "lo", "title": "loopback", **compared.result(), "captures": [{"dropped": 0}],
                  "events_a_segment": 1.0, "wrong": ["1 doubled"]}
        text = referee.lines(result)
        self.assertIn("2 of 2 events matched, 0 packets dropped", text[0])
        self.assertEqual(text[2].split()[-6:], ["2", "1.0", "1.0", "3.0", "3.0", "3.0"])
        self.assertEqual(text[-1], "  ! 1 doubled")
        self.assertTrue(referee.is_fault(result))


if __name__ == "__main__":
    unittest.main()
