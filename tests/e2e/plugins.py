"""`plugin check` and `plugin doctor` as a user meets them: exit codes, what they print, and that it can be repeated."""

import json
import shlex
import shutil

from harness import BIN, Case, environment, main

BUNDLED = BIN.parent / "lib" / "tokometer" / "plugins-1"


class Check(Case):
    def test_json_has_a_stable_shape(self):
        code, out, err = self.tokometer("plugin", "check", BUNDLED / "vllm.so", "--json", "--only", "^(module|processor)")
        self.assertEqual(code, 0, err)
        report = json.loads(out)
        self.assertEqual(list(report), ["check", "module", "version", "path", "passed", "counts", "tests"])
        self.assertEqual((report["check"], report["module"], report["passed"]), (1, "vllm", True))
        self.assertEqual(list(report["counts"]), ["pass", "fail", "crashed", "warn", "skip"])
        self.assertEqual(sum(report["counts"].values()), len(report["tests"]))
        self.assertGreaterEqual(len(report["tests"]), 35)
        for test in report["tests"]:
            self.assertEqual(list(test), ["id", "sentence", "outcome", "detail", "repeat"])
        self.assertEqual(len({test["id"] for test in report["tests"]}), len(report["tests"]))

    def test_a_failure_and_its_repetition(self):
        fixtures = self.tmp / "my fixtures"
        fixtures.mkdir()
        (fixtures / "a.body").write_bytes(b"data: [DONE]\n\n")
        (fixtures / "a.events.json").write_text('{"response": {"stream": true, "content_type": "text/event-stream"}, "events": [["began"]]}')
        code, out, err = self.tokometer("plugin", "check", BUNDLED / "vllm.so", "--fixtures", fixtures, "--only", "expected")
        self.assertEqual(code, 4, out + err)
        self.assertIn("fail     responses.expected@vllm: ", out)
        self.assertIn('a: event 1 is "', out)
        repeat = next(line.split("repeat: ")[1] for line in out.splitlines() if "repeat: " in line)
        again, out, err = self.tokometer(*shlex.split(repeat)[1:])
        self.assertEqual(again, 4, out + err)
        self.assertIn('a: event 1 is "', out)

    def test_a_file_that_is_no_plugin(self):
        (self.tmp / "text.so").write_text("hello")
        for name, sentence in (("text.so", "not a shared object for this machine"), ("none.so", "no such file")):
            code, out, err = self.tokometer("plugin", "check", self.tmp / name, "--trust-plugin-dir")
            self.assertEqual((code, out), (2, ""))
            self.assertIn(sentence, err)


class Doctor(Case):
    def test_folders_files_and_hints(self):
        first = self.tmp / "first"
        first.mkdir()
        shutil.copy(BUNDLED / "vllm.so", first)
        (first / "torn.so").write_bytes((BUNDLED / "vllm.so").read_bytes()[:5000])
        env = environment(TOKOMETER_PLUGIN_PATH=f"relative:{self.tmp}/none", HOME=str(self.tmp))
        code, out, err = self.tokometer("plugin", "doctor", "--plugin-dir", first, "--trust-plugin-dir", env=env)
        self.assertEqual(code, 2, out + err)
        self.assertIn(f"1. {first}  (--plugin-dir)  2 files", out)
        self.assertIn(f"2. {self.tmp}/none  (TOKOMETER_PLUGIN_PATH)  does not exist", out)
        self.assertIn("\"relative\" is left out", out)
        self.assertIn(f"shadowed: is not used: {first}/vllm.so comes first", out)
        self.assertIn("refused: not a shared object for this machine\n    hint: it is cut or damaged", out)

    def test_one_name(self):
        code, out, err = self.tokometer("plugin", "doctor", "vllm", "--json")
        self.assertEqual(code, 0, out + err)
        report = json.loads(out)
        self.assertEqual([file["state"] for file in report["files"]], ["loads"])
        self.assertTrue(report["well"])
        code, out, _ = self.tokometer("plugin", "doctor", "vlm")
        self.assertIn("did you mean \"vllm\"?", out)


if __name__ == "__main__":
    main()
