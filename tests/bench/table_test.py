"""What a target says about a figure, and the lines of a case."""

import unittest

import bench_path  # noqa: F401
import table

AT_MOST = {"row": 1, "must": 50, "moonshot": 15, "of": "ours", "at_least": False}
AT_LEAST = {"row": 5, "must": 100e3, "moonshot": 160e3, "of": "ours", "at_least": True}
RATIO = {"row": 4, "must": 1.3, "moonshot": 0.7, "of": "ratio", "at_least": False}


class Targets(unittest.TestCase):
    def test_words(self):
        for target, value, words in (
                (AT_MOST, 12, "row 1: must <= 50 met, moonshot <= 15 met"),
                (AT_MOST, 50, "row 1: must <= 50 met, moonshot <= 15 not met"),
                (AT_MOST, 51, "row 1: must <= 50 not met, moonshot <= 15 not met"),
                (AT_LEAST, 100e3, "row 5: must >= 100,000 met, moonshot >= 160,000 not met"),
                (AT_LEAST, 99e3, "row 5: must >= 100,000 not met, moonshot >= 160,000 not met")):
            with self.subTest(value):
                self.assertEqual(table.target_words(target, {"ours": value, "ratio": 9}), words)
        self.assertEqual(table.target_words(RATIO, {"ours": 9, "ratio": 1.1}),
                         "row 4: must <= 1.3 x met, moonshot <= 0.7 x not met")

    def test_not_measured(self):
        self.assertEqual(table.target_words(RATIO, {"ours": 9, "ratio": None}), "row 4: must <= 1.3 x not measured")


class Lines(unittest.TestCase):
    def case(self, used, rejected, faults=()):
        return {"name": "P1", "title": "a title", "blocks_used": used, "blocks_rejected": rejected, "faults": list(faults),
                "targets": {}, "figures": {"tokens_per_s": {"ours": 98765.4, "raw": None, "ratio": None, "low": None,
                                                            "high": None}}}

    def test_states(self):
        self.assertIn("[5 blocks, 2 rejected as noisy]", table.case_lines(self.case(5, 2))[0])
        self.assertIn("all 3 blocks were noisy", table.case_lines(self.case(0, 3))[0])

    def test_figures_and_faults(self):
        lines = table.case_lines(self.case(1, 0, ["ours: 3 failed"]))
        self.assertIn("98,765", lines[2])
        self.assertEqual(lines[-1], "  ! ours: 3 failed")


if __name__ == "__main__":
    unittest.main()
