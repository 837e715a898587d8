"""The records: `report` makes the same bytes from them alone, also after kill -9; damage is found, a lost line is INVALID."""

import json
import random
import shutil
import time

from harness import KILL, Case, crc32c, main, read_records, run_text, send_signal

LOST_NS = 200_000_000 + 300_000_000    # what may be lost: 200 ms, and the writer's turn on a busy machine


def load_of(seconds, rate=100):
    return {"load": f"{{use: constant, options: {{rate: {rate}}}}}", "phase": f"duration: {seconds}s"}


class Rebuild(Case):
    def rebuilt(self, run, name="copy"):
        """`report` in a folder that holds only manifest and records."""
        copy = self.tmp / name
        copy.mkdir()
        for file in ("manifest.json", "records.jsonl"):
            shutil.copy(run.dir / file, copy)
        code, out, err = self.tokometer("report", copy)
        return copy, code, out, err

    def assert_same(self, run):
        copy, code, out, err = self.rebuilt(run)
        self.assertEqual(code, run.code, err)
        for file in ("summary.json", "histograms.json"):
            self.assertEqual((copy / file).read_bytes(), (run.dir / file).read_bytes(), file)
        self.assertEqual(out.replace(str(copy), str(run.dir)).split("Wrote")[0], run.out.split("Wrote")[0])

    def test_open_loop(self):
        sim = self.sim("--ttft", "5ms", "--itl", "2ms")
        self.assert_same(self.run_ok(run_text(sim.url, **load_of(3), tokens=8)))

    def test_with_failures_and_phases(self):
        sim = self.sim("--ttft", "5ms", "--itl", "2ms", "--failure-rate", "0.2", "--failure", "rst; after=2", "--seed", "3")
        text = run_text(sim.url, **load_of(1)).replace("phases: [", "phases: [{name: first, duration: 1s}, ")
        text += "limits: {error_budget: 90%}\nslo: {per_request: {ttft: 6ms}, gates: [\"ttft.p50 < 500ms\"]}\n"
        run = self.run_ok(text)
        self.assertGreater(run.summary["totals"]["failed"], 5)
        self.assert_same(run)

    def test_nothing_ok(self):
        sim = self.sim("--ttft", "500ms")
        run = self.run_file(run_text(sim.url, target="timeouts: {first_token: 50ms}"))
        self.assertEqual(run.code, 5)
        self.assert_same(run)

    def test_without_gaps(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        self.assert_same(self.run_ok(run_text(sim.url, more="output: {records: {events: none}}\n")))

    def test_in_place(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        run = self.run_ok(run_text(sim.url))
        before = (run.dir / "summary.json").read_bytes()
        self.assertEqual(self.tokometer("report", run.dir)[0], run.code)
        self.assertEqual((run.dir / "summary.json").read_bytes(), before)


class Damage(Case):
    def setUp(self):
        super().setUp()
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        self.run_of_40 = self.run_ok(run_text(sim.url, phase="requests: 40"))
        self.records = self.run_of_40.dir / "records.jsonl"
        self.lines = self.records.read_bytes().splitlines(keepends=True)

    def judge(self, *words, verify=5):
        code, out, err = self.tokometer("verify", self.run_of_40.dir)
        self.assertNotEqual(code, 0, out + err)
        for word in words:
            self.assertIn(word, out + err)
        return self.tokometer("report", self.run_of_40.dir)

    def test_sound(self):
        code, out, err = self.tokometer("verify", self.run_of_40.dir)
        self.assertEqual(code, 0, out + err)

    def test_line_removed(self):
        at = next(i for i, line in enumerate(self.lines) if line.startswith(b'{"t":"request"'))
        self.records.write_bytes(b"".join(self.lines[:at] + self.lines[at + 1:]))
        code, out, err = self.judge("missing")
        summary = json.loads((self.run_of_40.dir / "summary.json").read_text())
        self.assertEqual(next(c for c in summary["checks"] if c["id"] == "V2")["grade"], "INVALID")
        self.assertEqual(summary["verdict"], "INVALID")
        self.assertIn("INVALID", out)
        self.assertIn(code, (5, 6), err)

    def test_line_removed_and_renumbered(self):
        """A record lost with no trace in the numbering: the program's own counters still tell."""
        at = next(i for i, line in enumerate(self.lines) if line.startswith(b'{"t":"request"'))
        kept, out_lines = self.lines[:at] + self.lines[at + 1:], []
        for number, line in enumerate(kept, 1):
            body = line[:line.rindex(b',"n":')] + b',"n":%d' % number
            out_lines.append(body + b',"crc":"%08x"}\n' % crc32c(body))
        self.records.write_bytes(b"".join(out_lines))
        code, out, err = self.judge()
        summary = json.loads((self.run_of_40.dir / "summary.json").read_text())
        self.assertEqual(summary["records"]["missing"] + summary["records"]["damaged"], 0)
        self.assertEqual(next(c for c in summary["checks"] if c["id"] == "V2")["grade"], "INVALID")
        self.assertEqual(code, 5, out + err)

    def test_byte_flipped(self):
        data = bytearray(self.records.read_bytes())
        data[len(data) // 2] ^= 1
        self.records.write_bytes(data)
        self.judge("damaged")

    def test_torn_tail(self):
        self.records.write_bytes(self.records.read_bytes()[:-20])
        code, out, err = self.judge()
        self.assertEqual(code, 5, out + err)
        self.assertIn("crash", out)

    def test_cut_anywhere(self):
        data = self.records.read_bytes()
        chance = random.Random(7)
        for _ in range(12):
            self.records.write_bytes(data[:chance.randrange(len(data))])
            code, out, err = self.tokometer("report", self.run_of_40.dir)
            self.assertIn(code, (5, 6), out + err)
            self.assertIn(self.tokometer("verify", self.run_of_40.dir)[0], (1, 5, 6))


class Kill(Case):
    def kill_at(self, after_s):
        sim = self.sim("--ttft", "5ms", "--itl", "3ms")
        child = self.start(run_text(sim.url, **load_of(60, rate=200), tokens=8))
        self.wait_for_records(child, 1)
        time.sleep(after_s)
        send_signal(child, KILL)
        killed_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        child.communicate()
        sim.stop()
        directory = next(child.parent.iterdir())
        code, out, err = self.tokometer("report", directory)
        self.assertEqual(code, 5, out + err)
        self.assertIn("crash", out)
        summary = json.loads((directory / "summary.json").read_text())
        self.assertEqual(summary["verdict"], "INVALID")
        self.assertEqual(next(c for c in summary["checks"] if c["id"] == "V1")["grade"], "INVALID")
        kept = {r["id"]: r for r in read_records(directory) if r["t"] == "request"}
        truth = sim.requests()
        lost = [i for i, line in truth.items() if line["outcome"] == "complete" and i not in kept
                and line["end_ns"] < killed_ns - LOST_NS]
        self.assertFalse(lost, f"{len(lost)} of {len(truth)} finished requests are lost")
        for identity, record in kept.items():
            if record["status"] == "ok":
                self.assertEqual(int(record["text_crc"], 16), truth[identity]["text_crc"])
        ages = [killed_ns - line["end_ns"] for i, line in truth.items() if line["outcome"] == "complete" and i not in kept]
        print(f"killed after {after_s:.2f} s: {len(kept)} kept, {len(ages)} lost, the oldest {max(ages, default=0) / 1e6:.0f} ms old")

    def kill_often(self, count):
        chance = random.Random(count)
        for _ in range(count):
            after = chance.uniform(0, 1.5)
            with self.subTest(after_s=after):
                self.kill_at(after)

    def test_6_kills(self):
        self.kill_often(6)


class SlowKill(Kill):
    test_6_kills = None

    def test_20_kills(self):
        self.kill_often(20)


if __name__ == "__main__":
    main()
