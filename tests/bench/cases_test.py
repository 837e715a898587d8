"""The list of cases is sound: each can be named, shown, and made tiny."""

import unittest

import bench_path  # noqa: F401
import cases
import figures


class Cases(unittest.TestCase):
    def test_names(self):
        names = [case.name for case in cases.CASES]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual({n.split(".")[0] for n in names} | set(cases.ELSEWHERE),
                         {"P1", "P2", "P3", "P4", "P5", "P6", "P7", "T1", "T2", "T3", "R1", "R2", "M1", "M2", "A1", "A2",
                          "A3", "U1", "C1", "C2", "S1"})

    def test_figures_are_known_and_targets_are_shown(self):
        for case in cases.CASES:
            with self.subTest(case.name):
                self.assertLessEqual(set(case.figures), set(figures.FIGURES))
                self.assertLessEqual(set(case.targets), set(case.figures))

    def test_every_row_has_a_case(self):
        rows = {target.row for case in cases.CASES for target in case.targets.values()}
        self.assertEqual(rows, set(range(1, 13)) | {16})

    def test_select(self):
        def names(*words):
            chosen, unknown = cases.select(words)
            return [case.name for case in chosen], unknown
        self.assertEqual(names("p1", "R1"), (["P1", "P1.half", "R1.sse64", "R1.sse512", "R1.unary64"], []))
        self.assertEqual(names("R1.sse64", "r1"), (["R1.sse64", "R1.sse512", "R1.unary64"], []))
        self.assertEqual(names("P6", "c1"), (["P6"], []))
        self.assertEqual(names("P", "P1"), (["P1", "P1.half"], ["P"]))
        self.assertEqual(len(names()[0]), len(cases.CASES))

    def test_tiny_counts_are_certain(self):
        for case in map(cases.tiny, cases.CASES):
            with self.subTest(case.name):
                self.assertTrue(case.planned or case.open)
                self.assertFalse(case.cut or case.duration)
                self.assertLessEqual(case.planned, 100)


if __name__ == "__main__":
    unittest.main()
