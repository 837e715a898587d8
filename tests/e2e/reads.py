"""Who reads the sockets: epoll with recvmsg, or io_uring. The same texts and counts; and what happens where it is forbidden."""

import errno
import platform
import subprocess
import sys
import unittest

from harness import PATIENCE_S, TOKOMETER, Run, environment, main, run_text
from transports import TlsCase

# Installs a filter that refuses io_uring_setup, as containers do, and becomes the program: number 425 on all machines.
FORBID = f"""
import ctypes, os, struct, sys
LOAD, JUMP_IF_EQUAL, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050000 | {errno.EPERM}
code = b"".join(struct.pack("HBBI", *line) for line in
                ((LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1, 425), (RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)))
lines = ctypes.create_string_buffer(code, len(code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(lines)), 16)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
"""


class Reads(TlsCase):
    def shape(self, io, *flags, tls=False, users=12, **words):
        sim = (self.tls_sim if tls else self.sim)("--ttft", "3ms", "--itl", "1ms", "--split", "seeded", *flags)
        run = self.run_ok(run_text(sim.url, tokens=30, load=f"{{use: concurrency, options: {{users: {users}}}}}",
                                   phase="requests: 60", more=f"limits: {{io: {io}}}\n", **words))
        self.compare(run, sim)
        return run

    def test_each_reads_the_same(self):
        """auto, too: in a plain process it is io_uring from Linux 6.1, else what follows says that it cannot be."""
        works = self.shape("auto").manifest["host"]["io_uring"]
        for io in ("epoll", "io_uring") if works else ("epoll",):
            with self.subTest(io):
                self.assertEqual(self.shape(io).manifest["host"]["io_uring"], io == "io_uring")
                self.shape(io, tls=True, target=self.tls())
                self.shape(io, target='connections: {http: "2"}')
                self.shape(io, "--close-after", "3", target="connections: {policy: fresh}")
                self.shape(io, users=1, prompt=20000)

    @unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "the filter is written for these")
    def test_forbidden(self):
        for io, code in (("auto", 0), ("io_uring", 2)):
            with self.subTest(io):
                sim = self.sim("--ttft", "3ms", "--itl", "1ms")
                path = self.write("case.yaml", run_text(sim.url, more=f"limits: {{io: {io}}}\n"))
                parent = self.tmp / io
                done = subprocess.run([sys.executable, "-c", FORBID, TOKOMETER, "run", path, "--set", f"output.dir={parent}"],
                                      capture_output=True, text=True, env=environment(), timeout=PATIENCE_S, check=False)
                run = Run(done.returncode, done.stdout, done.stderr, parent)
                if code == 0:
                    self.assertIn(run.code, (0, 5), run.show())
                    self.assertFalse(run.manifest["host"]["io_uring"])
                    self.assert_law(run)
                    self.assert_true_text(run, sim)
                else:
                    self.assertEqual(run.code, code, run.show())
                    self.assertIn("limits.io: io_uring does not work here: the kernel refuses it: Operation not permitted "
                                  "(EPERM); use epoll or auto", run.err)
                    self.assertIsNone(run.dir)


if __name__ == "__main__":
    main()
