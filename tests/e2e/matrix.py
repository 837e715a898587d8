"""Many runs from one file: a matrix, repeats, and what --resume repeats (nothing)."""

import csv
import json
import pathlib

from harness import INT, KILL, Case, main, read_records, send_signal


def matrix_text(url, extra, *, phase="requests: 5", load="{use: concurrency, options: {users: 1}}"):
    return (f"version: 1\nname: grid\ntarget: {{url: \"{url}\"}}\nprocessor: openai\n"
            f"dataset: {{use: synthetic, options: {{input_tokens: 8, output_tokens: 4}}}}\nload: {load}\n"
            f"phases: [{{name: main, warmup: none, cooldown: none, {phase}}}]\n{extra}")


GRID = """matrix:
  - {tags.shape: [short, long], dataset.options.input_tokens: [8, 40]}
  - {load.options.users: [1, 2, 3]}
"""
NAMES = [f"shape-{shape}.input_tokens-{tokens}.users-{users}" for shape, tokens in (("short", 8), ("long", 40)) for users in (1, 2, 3)]


class Matrix(Case):
    def sim_url(self):
        return self.sim("--ttft", "2ms", "--itl", "1ms", truth=False).url

    def state(self, run):
        return json.loads((run.dir / "matrix.json").read_text())

    def folders(self, run):
        return sorted(d.name for d in run.dir.iterdir() if d.is_dir())

    def test_grid(self):
        run = self.run_file(matrix_text(self.sim_url(), GRID))
        self.assertIn(run.code, (0, 5), run.show())
        self.assertEqual(self.folders(run), sorted(NAMES))
        state = self.state(run)
        self.assertEqual([r["cell"] for r in state["runs"]], NAMES)
        self.assertTrue(all(r["done"] for r in state["runs"]))
        for name in NAMES:
            self.assertRegex(run.out, rf"(?m)^{name} ")
            summary = json.loads((run.dir / name / "summary.json").read_text())
            self.assertEqual(summary["tags"]["shape"], name.split(".")[0].split("-")[1])
            self.assertEqual(summary["phases"][0]["users"], int(name[-1]))
            asked = {r["prompt_tokens"] for r in read_records(run.dir / name) if r["t"] == "request"}
            self.assertEqual(min(asked) > 30, "long" in name, asked)
        rows = list(csv.DictReader((run.dir / "matrix.csv").read_text().splitlines()))
        self.assertEqual([r["load.options.users"] for r in rows], ["1", "2", "3"] * 2)
        self.assertEqual([r["requests_comp"] for r in rows], ["5"] * 6)

    def test_render_and_plan(self):
        """`render` keeps the matrix: what it prints makes the same runs."""
        file = self.write("grid.yaml", matrix_text("http://127.0.0.1:1", "repeat: 2\n" + GRID))
        code, text, err = self.tokometer("render", file)
        self.assertEqual(code, 0, err)
        again = self.write("again.yaml", text)
        for name in (file, again):
            code, out, err = self.tokometer("plan", name)
            self.assertEqual(code, 0, err)
            self.assertIn("12 runs", out)
        self.assertEqual(self.tokometer("render", again)[1], text)

    def test_repeat(self):
        """Round by round, and the spread over the rounds."""
        run = self.run_file(matrix_text(self.sim_url(), "repeat: 3\nmatrix: [{load.options.users: [1, 2]}]\n"))
        order = [r["folder"] for r in self.state(run)["runs"]]
        self.assertEqual(order, [f"users-{u}.round-{r}" for r in (1, 2, 3) for u in (1, 2)])
        for user in (1, 2):
            for word in ("mean", "min", "max", "sd"):
                self.assertRegex(run.out, rf"(?m)^users-{user} {word} ")
        starts = [json.loads((run.dir / folder / "manifest.json").read_text())["start_monotonic_ns"] for folder in order]
        self.assertEqual(starts, sorted(starts))
        run = self.run_file(matrix_text(self.sim_url(), "repeat: 2\n"))
        self.assertEqual(self.folders(run), ["round-1", "round-2"])
        self.assertNotIn(" sd ", run.out)

    def test_a_failed_run_stops_nobody(self):
        text = matrix_text(self.sim_url(), "matrix: [{target.url: [\"http://127.0.0.1:9\", \"" + self.sim_url() + "\"]}]\n")
        run = self.run_file(text)
        self.assertEqual(run.code, 3, run.show())
        first, second = self.state(run)["runs"]
        self.assertFalse(first["done"])
        self.assertTrue(second["done"])
        self.assertIn("not run", run.out)

    def resume(self, child, text):
        """Ends what a killed program left, with the same file; gives the new Run."""
        directory, = child.parent.iterdir()
        finished = {r["folder"]: (directory / r["folder"] / "records.jsonl").read_bytes()
                    for r in json.loads((directory / "matrix.json").read_text())["runs"] if r["done"]}
        self.assertTrue(finished, "the test stopped it too early")
        again = self.start(text, "--resume", str(directory), parent=child.parent)
        run = self.end(again)
        self.assertIn(run.code, (0, 5), run.show())
        self.assertEqual(run.dir, directory)
        state = self.state(run)
        self.assertTrue(all(r["done"] for r in state["runs"]))
        for folder, records in finished.items():
            self.assertEqual((directory / folder / "records.jsonl").read_bytes(), records, "repeated")
        self.assertEqual(len({r["folder"] for r in state["runs"]}), len(state["runs"]))
        return run, len(finished)

    def interrupt(self, number, code):
        text = matrix_text(self.sim_url(), "matrix: [{load.options.users: [1, 2, 3, 4]}]\n", phase="duration: 500ms")
        child = self.start(text)
        def second_runs():
            return any((d / "users-2" / "records.jsonl").exists() for d in (child.parent.iterdir() if child.parent.is_dir() else []))
        self.wait_for(second_runs, "the second run", child)
        send_signal(child, number)
        child.communicate(timeout=60)
        self.assertEqual(child.returncode, code)
        directory, = child.parent.iterdir()
        self.assertFalse((directory / "users-4").exists())
        run, finished = self.resume(child, text)
        made = [d for d in self.folders(run) if d.startswith("users-")]
        self.assertLessEqual(len(made), 5, "four runs, and at most the one that was cut")
        # once more: nothing is left to do
        before = {p: p.stat().st_mtime_ns for p in pathlib.Path(directory).glob("*/records.jsonl")}
        self.end(self.start(text, "--resume", str(directory), parent=child.parent))
        self.assertEqual({p: p.stat().st_mtime_ns for p in pathlib.Path(directory).glob("*/records.jsonl")}, before)

    def test_ctrl_c(self):
        self.interrupt(INT, 130)

    def test_kill(self):
        self.interrupt(KILL, -9)

    def test_resume_of_another_file(self):
        url = self.sim_url()
        run = self.run_file(matrix_text(url, "repeat: 2\n"))
        file = self.write("other.yaml", matrix_text(url, "repeat: 2\n", phase="requests: 6"))
        code, _, err = self.tokometer("run", file, "--set", f"output.dir={run.dir.parent}", "--resume", run.dir)
        self.assertEqual(code, 2, err)
        self.assertIn("another run file", err)

    def test_refused(self):
        for extra, words in (("matrix: {load.options.users: [1]}\n", "must be a list of maps"),
                             ("matrix: [{load.options.users: 1}]\n", "must be a list of values"),
                             ("matrix: [{load.options.users: [1, 2], tags.a: [x]}]\n", "has 1 values, \"load.options.users\" has 2"),
                             ("matrix: [{load.options.users: [1]}, {load.options.users: [2]}]\n", "twice"),
                             ("matrix: [{load.options.users: [1, 0]}]\n", "load.options.users: must be"),
                             ("matrix: [{output.dir: [a, b]}]\n", "the same for all runs"),
                             ("repeat: 0\n", "must be a whole number from 1 to 1000")):
            with self.subTest(extra):
                file = self.write("bad.yaml", matrix_text("http://127.0.0.1:1", extra))
                code, _, err = self.tokometer("validate", file)
                self.assertEqual(code, 2, err)
                self.assertIn(words, err)
                self.assertIn("bad.yaml:8:", err)


if __name__ == "__main__":
    main()
