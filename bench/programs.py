"""The programs that a bench starts: the simulator, tokometer, the raw reader, the hiccup meter, anybody else's client.

Each is pinned to one core: clients to CLIENT_CORE, the simulator to SERVER_CORE. Children write to files, never to
pipes that could fill; they are ended by their process id, and none outlives this process. Programs come from
$TOKOMETER_BIN_DIR, else from build/bin.

    with start_sim({"ttft": "50ms", "itl": "10ms"}, truth=folder / "truth") as sim:
        run = run_ours(run_file(sim.url, ...), folder / "ours")
        run.summary["totals"], run.records, run.cpu_s, run.peak_rss_bytes
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import resource
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("TOKOMETER_BIN_DIR", ROOT / "build" / "bin")).resolve()
CORES = sorted(os.sched_getaffinity(0))
CLIENT_CORE = CORES[0]
SERVER_CORE = CORES[1] if len(CORES) > 1 else CORES[0]
PATIENCE_S = 300       # no child of a bench may live longer, unless its caller says so
SAMPLE_S = 0.05        # how often a running child is looked at
PR_SET_PDEATHSIG = 1
_hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))      # thousands of streams need as many descriptors
_libc = ctypes.CDLL(None, use_errno=True)


class ProgramFailed(Exception):
    """A program did not start, did not end in time, or ended as it must not. The text says which and why."""


def program(name):
    path = BIN / name
    if not path.exists():
        raise ProgramFailed(f"{path}: not built; run ./dev bench, or set TOKOMETER_BIN_DIR")
    return str(path)


def environment(**changes):
    """A plain environment, so that a developer's locale or colours change nothing. None removes a variable."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    kept.update({"LC_ALL": "C.UTF-8", "TERM": "dumb"})
    kept.update(changes)
    return {k: v for k, v in kept.items() if v is not None}


def in_child(core):
    """What a child does before exec: its core, and death with its parent."""
    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if core is not None:
            os.sched_setaffinity(0, {core})
    return prepare


@dataclasses.dataclass
class Done:
    """A program that has ended, and what it used from start to end."""
    argv: list
    code: int
    out: str
    err: str
    wall_s: float
    user_s: float
    system_s: float
    peak_rss_bytes: int            # VmHWM, last looked at less than 50 ms before its end
    timed_out: bool = False

    @property
    def cpu_s(self):
        return self.user_s + self.system_s

    def require(self, *codes):
        if self.timed_out or self.code not in (codes or (0,)):
            how = f"did not end in {self.wall_s:.0f} s" if self.timed_out else f"exit code {self.code}"
            raise ProgramFailed(f"{' '.join(map(str, self.argv))}: {how}\n{self.out[-2000:]}\n{self.err[-2000:]}")
        return self


def run_program(argv, folder, *, core=CLIENT_CORE, timeout_s=PATIENCE_S, env=None, cwd=None, watch=None):
    """Runs a program to its end. Its output lies in folder/stdout and folder/stderr. `watch(pid)` is called every
    50 ms while it runs. Ctrl-C, an exception and the timeout end the child first."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
        child = subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                                 env=env or environment(), preexec_fn=in_child(core))
    timed_out, peak = False, 0
    try:
        while True:
            # Not ru_maxrss: exec keeps the largest memory of the process that forked, which is this one.
            peak = max(peak, process_memory(child.pid).get("VmHWM", 0))
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - begin > timeout_s:
                timed_out = True
                child.kill()
                _, status, usage = os.wait4(child.pid, 0)
                break
            if watch:
                watch(child.pid)
            time.sleep(SAMPLE_S)
    except BaseException:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child.pid, signal.SIGKILL)      # not yet waited for, so the id is still its own
            os.wait4(child.pid, 0)
        child.returncode = -signal.SIGKILL
        raise
    child.returncode = os.waitstatus_to_exitcode(status)
    return Done(list(argv), child.returncode, (folder / "stdout").read_text(errors="replace"),
                (folder / "stderr").read_text(errors="replace"), time.monotonic() - begin, usage.ru_utime,
                usage.ru_stime, peak, timed_out)


def process_memory(pid):
    """Bytes of VmRSS, VmHWM and RssAnon of a running process; {} when it has ended."""
    found = {}
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM", "RssAnon"):
                found[name] = int(value.split()[0]) * 1024
    return found


class Sim:
    """A tokometer-sim started apart. Use it with `with`, or call stop()."""

    def __init__(self, options, *, truth=None, core=SERVER_CORE, port=0, host=None, wrapper=()):
        argv = [*wrapper, program("tokometer-sim"), "--exit-with-stdin", "--port", str(port)]
        if host:
            argv += ["--host", host]
        argv += flags_of(options)
        self.truth = pathlib.Path(truth) if truth is not None else None
        if self.truth:
            argv += ["--truth", str(self.truth)]
        self.argv, self.said, self.cpu_s = argv, "", 0.0
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment(), preexec_fn=in_child(core))
        line = self.process.stdout.readline()
        if not line.startswith("READY "):
            self.stop()
            raise ProgramFailed(f"{' '.join(argv)}: did not start: {self.said}")
        self.url = line.split()[1]                        # http://127.0.0.1:PORT
        self.port = int(self.url.rsplit(":", 1)[1])
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the simulator; afterwards `said` holds its stderr and the truth log is complete."""
        if self.process.returncode is not None:
            return
        self._note_cpu()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            _, self.said = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, self.said = self.process.communicate()

    def _note_cpu(self):
        with contextlib.suppress(OSError, IndexError):
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            self.cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def lateness_ms(self):
        """{"p50", "p99", "max"} in ms, what the simulator says of itself at its end; {} when it said nothing."""
        words = self.said.replace(",", "").replace(";", "").split()
        try:
            at = words.index("lateness")
            return {words[i]: float(words[i + 1]) for i in range(at + 1, at + 10, 3)}
        except (ValueError, IndexError):
            return {}


def start_sim(options, **how):
    """A simulator with these options: {"ttft": "50ms", "busy": True} (or "--ttft" words in a list)."""
    return Sim(options, **how)


def flags_of(options):
    if not isinstance(options, dict):
        return list(map(str, options))
    flags = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            flags.append(flag)
        elif value is not False and value is not None:
            flags += [flag, str(value)]
    return flags


@dataclasses.dataclass
class OurRun:
    """A finished `tokometer run`."""
    done: Done
    directory: pathlib.Path        # None if it left none

    @property
    def code(self):
        return self.done.code

    @property
    def records(self):
        return self.directory / "records.jsonl"

    @property
    def summary(self):
        return json.loads((self.directory / "summary.json").read_text())

    @property
    def manifest(self):
        return json.loads((self.directory / "manifest.json").read_text())

    @property
    def cpu_s(self):
        """Of the whole process, start and report included. For the load alone see truth.load_cpu()."""
        return self.done.cpu_s

    @property
    def peak_rss_bytes(self):
        return self.done.peak_rss_bytes


def run_ours(run_file_text, folder, *, core=CLIENT_CORE, arguments=(), timeout_s=PATIENCE_S, watch=None,
             codes=(0, 5), wrapper=()):
    """`tokometer run` on a text. 5 (INVALID) is no failure here: a busy machine earns it. `wrapper`: words that come
    before the program's own, such as valgrind and its flags."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.yaml"
    path.write_text(run_file_text)
    argv = [*wrapper, program("tokometer"), "run", path, "--set", f"output.dir={folder / 'runs'}", *arguments]
    done = run_program(argv, folder, core=core, timeout_s=timeout_s, watch=watch)
    found = sorted((folder / "runs").iterdir()) if (folder / "runs").is_dir() else []
    if codes:
        done.require(*codes)
    return OurRun(done, found[-1] if found else None)


def run_file(url, *, load, phase, tokens, prompt=8, name="bench", processor="openai", target="", request="", more=""):
    """A run file against `url`. Each argument but the numbers is the YAML of its section."""
    return (f"version: 1\nname: {name}\n"
            f"target: {{url: \"{url}\"{', ' + target if target else ''}}}\n"
            f"processor: {processor}\n" + (f"request: {request}\n" if request else "") +
            f"dataset: {{use: synthetic, options: {{input_tokens: {prompt}, output_tokens: {tokens}}}}}\n"
            f"load: {load}\nphases: [{{name: main, {phase}}}]\n{more}")


def run_json_program(name, arguments, folder, *, core=CLIENT_CORE, timeout_s=PATIENCE_S):
    """One of our small programs: its last line of stdout is a JSON object, which is given back."""
    done = run_program([program(name), *arguments], folder, core=core, timeout_s=timeout_s).require(0)
    return json.loads(done.out.strip().splitlines()[-1])


def run_hiccup(seconds, folder, *, cores=(CLIENT_CORE,)):
    return run_json_program("hiccup", [seconds, *sorted(set(cores))], folder, core=None)


def run_raw(options, folder, *, core=CLIENT_CORE, timeout_s=PATIENCE_S):
    """The raw reader; options as for start_sim."""
    return run_json_program("rawreader", flags_of(options), folder, core=core, timeout_s=timeout_s)
