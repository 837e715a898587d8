"""What a server that freezes must look like: worked by hand."""

import unittest

import bench_path  # noqa: F401
import freeze

MS = 10**6


def server(tokens=3):
    return freeze.Server(ttft_ns=20 * MS, itl_ns=10 * MS, tokens=tokens, begin_ns=1000 * MS, end_ns=1500 * MS)


class Answer(unittest.TestCase):
    def check(self, arrival_ms, first_ms, last_ms):
        self.assertEqual(server().answer(arrival_ms * MS), (first_ms * MS, last_ms * MS))

    def test_before_and_after(self):
        self.check(900, 920, 940)
        self.check(1500, 1520, 1540)

    def test_arrives_inside(self):
        self.check(1000, 1520, 1540)
        self.check(1499, 1520, 1540)

    def test_tokens_fall_inside(self):
        self.check(985, 1500, 1520)     # the first
        self.check(975, 995, 1510)      # the second
        self.check(965, 985, 1500)      # the third, due at 1005


class Queue(unittest.TestCase):
    def test_without_a_cap_each_waits_for_the_end_only(self):
        times = freeze.expected(server(), [s * MS for s in range(1000, 1500, 5)])
        self.assertEqual([t[0] // MS for t in times], [520 - 5 * n for n in range(100)])

    def test_a_cap_holds_in_order(self):
        """Two at a time, 40 ms each, one scheduled every 10 ms: the wait grows by 10 ms for each."""
        ttft = [t[0] // MS for t in freeze.expected(server(), [s * MS for s in range(0, 60, 10)], cap=2)]
        self.assertEqual(ttft, [20, 20, 40, 40, 60, 60])

    def test_a_cap_that_is_never_reached_changes_nothing(self):
        scheduled = [s * MS for s in range(900, 1600, 7)]
        self.assertEqual(freeze.expected(server(), scheduled, cap=1000), freeze.expected(server(), scheduled))


class Percentile(unittest.TestCase):
    def test_nearest_rank(self):
        self.assertEqual([freeze.percentile(range(1, 101), p) for p in (50, 95, 99, 100)], [50, 95, 99, 100])
        self.assertEqual(freeze.percentile([7], 99), 7)


if __name__ == "__main__":
    unittest.main()
