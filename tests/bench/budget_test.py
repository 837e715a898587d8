"""What is read from callgrind's files, and what the budget makes of it."""

import collections
import pathlib
import tempfile
import unittest

import bench_path  # noqa: F401
import budget
import callgrind

# main runs 10 + 5 itself and calls a twice (300 + 100) and b (7); a calls itself once (60) and b (20).
# Numbers of lines are absolute, relative or the same; a function has its name only where it comes first.
FIXTURE = """# callgrind format
version: 1
thread: 2
positions: line
events: Ir
summary: 162

ob=(1) /bin/program
fl=(1) main.cpp
fn=(1) main
10 10
+2 5
cfn=(2) net::a(int, net::B<long> const&)
calls=2 30
+1 400
cob=(2) /lib/b.so
cfi=(2) b.cpp
cfn=(3) b(char const*)
calls=1 7
* 7

fn=(2)
30 100
fi=(3) inlined.hpp
-3 20
fe=(1)
cfn=(2)
calls=1 30
* 60
cfn=(3)
calls=4 7
+1 20

ob=(2)
fl=(2)
fn=(3)
7 27

totals: 162
"""


class Reading(unittest.TestCase):
    def setUp(self):
        self.profile = callgrind.Profile(FIXTURE.splitlines(keepends=True))

    def test_own_instructions_are_added_and_those_of_calls_are_not(self):
        self.assertEqual(self.profile.total, 162)

    def test_inclusive_counts_the_calls_from_others(self):
        for begin, cost, calls in (("net::a(", 400, 2), ("b(", 27, 5), ("main", 0, 0), ("net::", 400, 2), ("c(", 0, 0)):
            with self.subTest(begin):
                self.assertEqual((self.profile.inclusive(begin), self.profile.calls(begin)), (cost, calls))

    def test_functions_are_those_that_ran(self):
        self.assertTrue(self.profile.has("net::a("))
        self.assertFalse(self.profile.has("a("))

    def test_the_thread_is_found_by_a_function(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder, f"callgrind.out-0{i}") for i in (1, 2)]
            files[0].write_text(FIXTURE)
            files[1].write_text("fn=(1) other\n1 5\n")
            self.assertEqual(callgrind.thread_with(files, "other").total, 5)
            for none_or_two, paths in (("nobody", files), ("main", [files[0], files[0]])):
                with self.assertRaises(LookupError):
                    callgrind.thread_with(paths, none_or_two)


class Arithmetic(unittest.TestCase):
    def test_slope_has_no_start(self):
        self.assertEqual(budget.per_unit(5_000_000 + 1000 * 70, 5_000_000 + 3000 * 70, (1000, 3000)), 70)

    def test_slope_by_the_calls_of_a_function(self):
        few, many = (callgrind.Profile(f"fn=(1) main\n1 5\ncfn=(2) turn\ncalls={n} 1\n1 {100 + n * 60}\n".splitlines(True))
                     for n in (10, 40))
        figure = budget.Figure("", "turn", per="turn")
        profiles = [{budget.IO_THREAD: few}, {budget.IO_THREAD: many}]
        self.assertEqual(budget.slope(figure, budget.TOKENS, profiles), 60)

    def test_a_figure_takes_away_what_it_calls(self):
        profile = callgrind.Profile(FIXTURE.splitlines(keepends=True))
        self.assertEqual(budget.Figure("", "net::a(", ("b(",)).count(profile), 400 - 27)
        self.assertEqual(budget.Figure("", budget.ALL, ("b(",)).count(profile), 162 - 27)

    def test_a_function_that_is_gone_is_no_zero(self):
        profile = callgrind.Profile(FIXTURE.splitlines(keepends=True))
        with self.assertRaisesRegex(LookupError, r'"parse": nothing that was called begins with renamed\(: .*bench/budget.py'):
            budget.Figure("parse", "renamed(").count(profile)

    def test_parts_make_up_the_figure(self):
        """Each function that a part leaves out is another part, so that the parts add up to the whole."""
        for case, whole in ((budget.TOKENS, budget.Figure("", budget.TURN, (budget.ALARMS,))),
                            (budget.REQUESTS, budget.Figure("", budget.ALL, (budget.EVERY_SECOND,)))):
            with self.subTest(case.name):
                self.assertEqual(weights(case.parts), weights([whole]))


def weights(figures):
    """How often each function's inclusive count is added; those that cancel out are left out."""
    weight = collections.Counter()
    for figure in figures:
        weight[figure.of] += 1
        weight.subtract(figure.but)
    return {name: times for name, times in weight.items() if times}


class Judging(unittest.TestCase):
    HERE = {"compiler": "c++ 12", "build_type": "RelWithDebInfo"}

    def judged(self, measured, made_with=None):
        lines = budget.compare({"a": "figure a", "b": "figure b"}, measured, {"a": 1000, "b": 2000})
        return lines, budget.judge(lines, self.HERE, {"made_with": made_with or self.HERE})

    def test_five_percent_are_allowed(self):
        for a, code, word in ((1000, 0, "within"), (1050, 0, "within"), (1051, 1, "figure a"), (949, 0, "smaller now: figure a")):
            with self.subTest(a):
                _, (sentence, got) = self.judged({"a": a, "b": 2000})
                self.assertEqual(got, code)
                self.assertIn(word, sentence)

    def test_another_compiler_is_said_and_does_not_fail(self):
        _, (sentence, code) = self.judged({"a": 9999, "b": 2000}, {"compiler": "c++ 11", "build_type": "RelWithDebInfo"})
        self.assertEqual(code, 0)
        self.assertIn("compiler c++ 12, the budget's c++ 11", sentence)

    def test_the_table(self):
        lines, _ = self.judged({"a": 1100, "b": 1900})
        first, second = budget.table(lines).splitlines()[1:]
        self.assertEqual(first.split(), ["figure", "a", "1,100", "1,000", "+10.0%", "!"])
        self.assertEqual(second.split(), ["figure", "b", "1,900", "2,000", "-5.0%"])

    def test_a_figure_without_a_budget(self):
        lines = budget.compare({"c": "figure c"}, {"c": 7}, {})
        self.assertEqual(budget.judge(lines, self.HERE, {"made_with": self.HERE})[1], 0)
        self.assertEqual(budget.table(lines).splitlines()[1].split(), ["figure", "c", "7", "none"])


if __name__ == "__main__":
    unittest.main()
