"""Blocks: order, rejection, medians of ratios."""

import unittest

import bench_path  # noqa: F401
import blocks


def hiccup(loss=0.01, long_gaps=0, seconds=3.0, cores=2):
    calm = {"core": 1, "loss": 0.0, "gaps_over_1ms": 0, "seconds": seconds}
    return {"cores": [{**calm, "core": 0, "loss": loss, "gaps_over_1ms": long_gaps}] + [calm] * (cores - 1)}


def block(raw, ours, **more):
    return blocks.Block(hiccup(), raw=[{"x": v} for v in raw], ours=[{"x": v} for v in ours], **more)


class Order(unittest.TestCase):
    def test_same_seed_same_order(self):
        self.assertEqual([blocks.shuffled_order(3, n) for n in range(9)], [blocks.shuffled_order(3, n) for n in range(9)])

    def test_every_place_is_taken(self):
        orders = [blocks.shuffled_order(1, n) for n in range(60)]
        self.assertTrue(all(sorted(o) == ["ours", "raw", "raw"] for o in orders))
        self.assertEqual({o.index("ours") for o in orders}, {0, 1, 2})


class Noise(unittest.TestCase):
    def why(self, late_ms=0.0, late=(), **more):
        return blocks.noise(blocks.Block(hiccup(**more), sim_late_ms=list(late)), late_ms)

    def test_calm(self):
        self.assertEqual(self.why(), [])

    def test_limits(self):
        for more, noisy in (({"loss": 0.08}, False), ({"loss": 0.081}, True), ({"long_gaps": 15}, False),
                            ({"long_gaps": 16}, True), ({"long_gaps": 20, "seconds": 4.0}, False),
                            ({"long_gaps": 21, "seconds": 4.0}, True)):
            with self.subTest(more):
                self.assertEqual(bool(self.why(**more)), noisy)

    def test_any_core_counts(self):
        said = hiccup()
        said["cores"][1] = {**said["cores"][1], "loss": 0.5}
        self.assertEqual(blocks.noise(blocks.Block(said)), ["core 1 lost 50%"])

    def test_simulator_matters_where_tokens_are_spread(self):
        self.assertEqual(self.why(late=[0.2, 1.4, 0.1]), [])
        self.assertEqual(self.why(late=[0.2, 1.4, 0.1], late_ms=1.0), ["simulator late, p99 1.4 ms"])
        self.assertEqual(self.why(late=[0.2, 1.0], late_ms=1.0), [])


class Figures(unittest.TestCase):
    def test_ratio_is_inside_the_block(self):
        # The machine is twice as slow in the second block: the ratio is the same, the absolutes are not.
        summary = blocks.summarise([block([10, 10], [12]), block([20, 20], [24]), block([10, 14], [18])], "x")
        self.assertAlmostEqual(summary.ratio, 1.2)
        self.assertAlmostEqual(summary.low, 1.2)
        self.assertAlmostEqual(summary.high, 1.5)
        self.assertEqual((summary.ours, summary.ours_low, summary.ours_high), (18, 12, 24))
        self.assertEqual(summary.raw, 12)

    def test_only_ours(self):
        summary = blocks.summarise([blocks.Block(hiccup(), ours=[{"x": 3}])], "x")
        self.assertEqual((summary.ours, summary.raw, summary.ratio), (3, None, None))

    def test_nothing(self):
        self.assertEqual(blocks.summarise([block([1], [2])], "another"), blocks.Summary())

    def test_a_raw_zero_gives_no_ratio(self):
        self.assertIsNone(blocks.summarise([block([0, 0], [2])], "x").ratio)

    def test_a_block_that_was_cut_short(self):
        summary = blocks.summarise([block([10], [15]), block([10], [])], "x")
        self.assertEqual((summary.ratio, summary.raw), (1.5, 10))


if __name__ == "__main__":
    unittest.main()
