"""Signals, a lost stdout, a full disk, a client that was stopped: the run ends as documented and the files are there."""

import os
import re
import select
import subprocess
import time

from harness import CONT, HUP, INT, STOP, TERM, TOKOMETER, Case, Run, environment, main, run_text, send_signal

OPEN = "{use: constant, options: {rate: 100}}"
ALL_FILES = {"manifest.json", "records.jsonl", "summary.json", "histograms.json", "console.txt"}


class Stopped(Case):
    def under_load(self, *flags, tokens=10, **more):
        self.server = self.sim("--ttft", "5ms", *(flags or ("--itl", "20ms")))
        child = self.start(run_text(self.server.url, load=OPEN, phase="duration: 60s", tokens=tokens, **more))
        self.wait_for_records(child, 5)
        return child

    def under_frozen_server(self):
        """Streams have begun, and none will end."""
        child = self.under_load("--itl", "5ms", "--stall", '{"at": "1500ms", "for": "10m"}')
        time.sleep(1.6)
        return child

    def assert_complete(self, run, code, reason):
        self.assertEqual(run.code, code, run.show())
        self.assertEqual({f.name for f in run.dir.iterdir()} & ALL_FILES, ALL_FILES)
        self.assertEqual(run.summary["end"], reason)
        self.assertEqual([line["reason"] for line in run.lines if line["t"] == "end"], [reason])
        self.assert_law(run)
        self.assertEqual(self.tokometer("report", run.dir)[0], code, "report ends as the run did")

    def test_int_drains(self):
        child = self.under_load()
        send_signal(child, INT)
        run = self.end(child)
        self.assert_complete(run, 130, "signal.INT")
        self.assertEqual(run.summary["totals"]["cancelled"], 0, "a drain cancels nothing")
        self.assertIn("in flight", run.err)
        self.assert_true_text(run, self.server)

    def test_int_twice_is_fast(self):
        child = self.under_frozen_server()
        began = time.monotonic()
        send_signal(child, INT)
        time.sleep(0.5)
        self.assertIsNone(child.poll(), "streams of a frozen server cannot have drained")
        send_signal(child, INT)
        run = self.end(child)
        print(f"\nended {time.monotonic() - began:.2f} s after the first signal")
        self.assert_complete(run, 130, "signal.INT")
        self.assertGreater(run.summary["totals"]["cancelled"], 0)

    def test_int_thrice_leaves(self):
        child = self.under_frozen_server()
        directory = next(child.parent.iterdir())
        for _ in range(3):
            send_signal(child, INT)
            time.sleep(0.3)
        self.assertEqual(child.wait(30), 130)
        code, out, err = self.tokometer("report", directory)
        self.assertIn(code, (5, 130), out + err)
        self.assertTrue((directory / "summary.json").exists())

    def test_term_and_hup(self):
        for number, code, name in ((TERM, 143, "TERM"), (HUP, 129, "HUP")):
            with self.subTest(name):
                child = self.under_load()
                send_signal(child, number)
                self.assert_complete(self.end(child), code, f"signal.{name}")

    def test_int_before_the_load(self):
        """In preflight there is nothing to drain: it leaves at once, with no run directory."""
        sim = self.sim("--startup", "60s")
        child = self.start(run_text(sim.url, processor="vllm", target="wait_ready: 60s"))
        time.sleep(0.7)
        send_signal(child, INT)
        run = self.end(child)
        self.assertEqual(run.code, 130, run.show())
        self.assertIsNone(run.dir)

    def test_quit_shows_the_state(self):
        child = self.under_frozen_server()
        send_signal(child, 3)
        time.sleep(0.5)
        self.assertIsNone(child.poll(), "QUIT does not end the run")
        send_signal(child, INT)
        time.sleep(0.2)
        send_signal(child, INT)
        run = self.end(child)
        self.assertEqual(run.code, 130)
        lines = [line.removeprefix("tokometer: ") for line in run.err.splitlines()]
        self.assertRegex(run.err, r"[0-9]+ on the wire")
        self.assertRegex(run.err, r"lag +scheduled to sent p99 [0-9.]+ ms, kernel to user p99 [0-9.]+ ms")
        self.assertRegex(run.err, r"queues +0 requests held by max_in_flight, [0-9]+ samples read ahead, [0-9]+ records")
        slowest = [re.fullmatch(r"slowest  (\S+) of main: streaming with ([0-9]+) token events, (\S+) since its scheduled time", line)
                   for line in lines if line.startswith("slowest")]
        self.assertEqual(len(slowest), 5, run.err)
        in_flight = {line["id"] for line in run.requests if line["status"] == "cancelled"}
        self.assertLessEqual({found[1] for found in slowest}, in_flight)
        log = (run.dir / "tokometer.log").read_text()
        for words in ("begins", "in flight", "no new requests", "the load has ended: signal.INT"):
            self.assertIn(words, log)
        self.assertRegex(log.splitlines()[0], r"^[0-9]{4}-[0-9-]+T[0-9:]+Z info ")

    def test_sim_child_ends_with_the_run(self):
        """`target: sim` starts a child; it is gone after the run, also after kill -9."""
        for number, options in ((INT, ""), (9, ""), (9, ", stall: {at: 300ms, for: 10m}")):
            with self.subTest(number, options=options):
                text = run_text("-", load=OPEN, phase="duration: 60s")
                text = text.replace('target: {url: "-"}', f"target: {{sim: {{ttft: 5ms, itl: 5ms{options}}}}}")
                child = self.start(text)
                self.wait_for_records(child, 5)
                sims = children_of(child.pid)
                self.assertEqual(len(sims), 1)
                time.sleep(0.5)
                send_signal(child, number)
                child.communicate(timeout=60)
                self.wait_for(lambda: not is_running(sims[0]), "the end of the simulator")


def children_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        found = file.read().split()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            found += file.read().split()
    return sorted(set(map(int, found)))


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Output(Case):
    def test_closed_stdout(self):
        """`tokometer run ... | head -c 1`: the reader is gone, the files are all written."""
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        read_end, write_end = os.pipe()
        os.close(read_end)
        child = self.start(run_text(sim.url), stdout=write_end)
        os.close(write_end)
        child.communicate(timeout=60)
        run = Run(child.returncode, "", "", child.parent)
        self.assertEqual({f.name for f in run.dir.iterdir()} & ALL_FILES, ALL_FILES)
        self.assertEqual(run.code, 5 if run.summary["verdict"] == "INVALID" else 0)
        self.assert_law(run)

    def test_head(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        file = self.write("head.yaml", run_text(sim.url))
        done = subprocess.run(["sh", "-c", f"{TOKOMETER} run {file} --set output.dir={self.tmp}/r | head -c 1"],
                              capture_output=True, env=environment(), timeout=60)
        self.assertEqual(len(done.stdout), 1)
        directory = next((self.tmp / "r").iterdir())
        self.assertEqual({f.name for f in directory.iterdir()} & ALL_FILES, ALL_FILES)

    def test_no_streams_at_all(self):
        sim = self.sim("--ttft", "2ms", "--itl", "1ms")
        file = self.write("none.yaml", run_text(sim.url))
        subprocess.run(["sh", "-c", f"exec {TOKOMETER} run {file} --set output.dir={self.tmp}/r <&- >&- 2>&-"],
                       env=environment(), timeout=60)
        directory = next((self.tmp / "r").iterdir())
        self.assertEqual({f.name for f in directory.iterdir()} & ALL_FILES, ALL_FILES)


class FullDisk(Case):
    def test_full_disk(self):
        """A small tmpfs: the lines written before it was full are intact, and the run ends with 6."""
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small tmpfs")
        disk = self.tmp / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest(f"cannot mount a tmpfs here: {mounted.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=True)
        sim = self.sim("--mode", "instant")
        run = self.run_file(run_text(sim.url, load="{use: concurrency, options: {users: 8}}", phase="duration: 60s",
                                     tokens=200), parent=disk / "runs")
        self.assertEqual(run.code, 6, run.show())
        self.assertRegex(run.err, "(?i)no space left|ENOSPC")
        truth = sim.requests()
        kept = run.requests
        self.assertGreater(len(kept), 100)
        for record in kept:
            if record["status"] == "ok":
                self.assertEqual(int(record["text_crc"], 16), truth[record["id"]]["text_crc"])
        self.assertEqual(self.tokometer("report", run.dir)[0], 6)


class Held(Case):
    def test_client_stopped_100_ms(self):
        """A client that was stopped between two tokens of 200 ms still reports the gap of the kernel's stamps."""
        sim = self.sim("--ttft", "50ms", "--itl", "200ms")
        child = self.start(run_text(sim.url, tokens=11, phase="requests: 1"))
        self.wait_for(lambda: (sim.truth_dir / "truth.bin").exists() and sum(map(len, sim.rows().values())) >= 14,
                      "tokens", child)
        send_signal(child, STOP)
        time.sleep(0.1)
        send_signal(child, CONT)
        run = self.end(child)
        record, = run.requests
        line = sim.requests()[record["id"]]
        sent = [row[1] for row in sim.rows()[line["stream"]]]
        seen, truth = record["gaps_us"], [(b - a) // 1000 for a, b in zip(sent, sent[1:])]
        print("\nreported - true gap, us:", [a - b for a, b in zip(seen, truth)], "stamp", record["stamp"])
        self.assertEqual(len(seen), len(truth))
        self.assertEqual(record["stamp"], "kernel")
        self.assert_true_text(run, sim)
        self.assertFalse(record.get("coalesced"), "200 ms apart, 100 ms stopped: never two in one read")


class HeldSlow(Case):
    def test_a_fifth_of_a_core(self):
        """SIGSTOP for 8 ms of each 10: the run says itself that it cannot be believed."""
        sim = self.sim("--ttft", "20ms", "--itl", "5ms")
        child = self.start(run_text(sim.url, tokens=20, load="{use: constant, options: {rate: 200}}",
                                    phase="duration: 6s"))
        self.wait_for_records(child, 1)
        while child.poll() is None:
            send_signal(child, STOP)
            time.sleep(0.008)
            send_signal(child, CONT)
            select.select([], [], [], 0.002)
        run = self.end(child)
        doubts = [f"{c['id']} {c['measured']}" for c in run.summary["checks"] if c["grade"] == "INVALID"]
        print("\n" + "; ".join(doubts))
        self.assertEqual(run.code, 5, run.show())
        self.assertEqual(run.summary["verdict"], "INVALID")
        self.assert_law(run)
        self.assert_true_text(run, sim)


if __name__ == "__main__":
    main()
