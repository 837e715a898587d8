"""`tokometer selftest`: it runs, its figures fit together, and it leaves nothing behind. No figure is judged."""

import json
import os
import pathlib
import subprocess
import time

from harness import INT, TOKOMETER, Case, environment, main, send_signal
from signals import children_of, is_running

TRIALS = ("top_requests", "top_events", "open_loop", "streams")


class SelfTest(Case):
    def begin(self, *flags):
        self.scratch = self.tmp / "scratch"
        self.scratch.mkdir()
        child = subprocess.Popen([TOKOMETER, "selftest", *flags], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, cwd=self.tmp,
                                 env=environment(TMPDIR=str(self.scratch)))
        self.addCleanup(lambda: child.poll() is None and child.kill())
        return child

    def assert_nothing_left(self, simulators=()):
        self.assertEqual(list(self.scratch.iterdir()), [])
        self.assertEqual([p.name for p in self.tmp.iterdir()], ["scratch"])
        self.wait_for(lambda: not any(map(is_running, simulators)), "the end of the simulator")

    def test_figures(self):
        child = self.begin("--json")
        out, err = child.communicate(timeout=200)
        self.assertEqual(child.returncode, 0, out + err)
        self.assertEqual([line.split(":")[1].split(" selftest ")[1] for line in err.splitlines()],
                         [f"{step} of 5" for step in range(1, 6)], err)
        found = json.loads(out)
        print("\n" + found["trust"]["sentence"])
        self.assertEqual(found["host"]["cores"], os.cpu_count())
        self.assertGreaterEqual(found["idle"]["seconds"], 2)
        for name in TRIALS:
            with self.subTest(name):
                trial = found[name]
                for key in ("requests_per_s", "events_per_s", "streams", "busiest_thread", "rss_peak_bytes"):
                    self.assertGreater(trial[key], 0, key)
                for key in ("coalesced_share", "kernel_stamp_share"):
                    self.assertTrue(0 <= trial[key] <= 1, key)
                self.assertTrue({d["id"] for d in trial["doubts"]} <= {f"V{n}" for n in range(4, 10)})
        self.assertGreater(found["top_requests"]["requests_per_s"], found["open_loop"]["requests_per_s"] / 2)
        self.assertGreater(found["streams"]["streams"], 10)
        self.assertGreaterEqual(found["streams"]["events_per_s"], found["streams"]["requests_per_s"])
        trust = found["trust"]
        self.assertLessEqual(trust["requests_per_s"], found["open_loop"]["requests_per_s"])
        self.assertLessEqual(trust["streams"], found["streams"]["streams"])
        self.assertLessEqual(trust["events_per_s"], found["streams"]["events_per_s"])
        self.assertEqual(trust["requests_per_s"] > 0, not found["open_loop"]["doubts"])
        self.assertGreater(trust["gap_ns"], 0)
        self.assert_nothing_left()

    def test_int_leaves_nothing(self):
        child = self.begin()
        self.wait_for(lambda: children_of(child.pid), "the simulator", child)
        simulators = children_of(child.pid)
        time.sleep(0.5)
        send_signal(child, INT)
        out, err = child.communicate(timeout=60)
        self.assertEqual((child.returncode, out), (130, ""), err)
        self.assertIn("stopped before the end", err)
        self.assert_nothing_left(simulators)

    def test_no_place_for_files(self):
        code, out, err = self.tokometer("selftest", env=environment(TMPDIR=str(pathlib.Path("/no/such/folder"))))
        self.assertEqual((code, out), (2, ""), err)
        self.assertIn("TMPDIR", err)


if __name__ == "__main__":
    main()
