#!/usr/bin/env python3
"""run.py [SERVER...]: tokometer against real servers on this machine's CPU, one after the other; all if none is named.
run.py quick: those that are installed in less than two minutes; one that cannot be, in that time, is skipped.

Called by `./dev test real`. A folder is a server:
    setup.sh DIR                      installs the server and makes its model in DIR, once
    serve.sh DIR PORT METRICS_PORT [GRPC_PORT]    runs it in the foreground (METRICS_PORT, GRPC_PORT: for those with ports of
                                      their own for /metrics and gRPC)
    real.yaml                         the run file
    check.py                          what this server is (KIND), and what is asked of it (check)
DIR is ~/.cache/tokometer/SERVER, or $TOKOMETER_REAL_DIR/SERVER. A server that was named must be installable; of all servers
those that are not are skipped. What a run must show stands in server.py.
"""
import importlib.util
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from server import HERE, Failure, Server

SETUP_PATIENCE_S = 1800     # the largest is a download of 3 GB
QUICK_PATIENCE_S = 120


class NotInstalled(Exception):
    pass


def names():
    return sorted(path.parent.name for path in HERE.glob("*/check.py"))


def load_check(name):
    spec = importlib.util.spec_from_file_location(f"check_{name.replace('-', '_')}", HERE / name / "check.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folder_of(name):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "tokometer"
    return pathlib.Path(os.environ.get("TOKOMETER_REAL_DIR") or cache) / name


def run_setup(name, folder, patience_s):
    """Its exit code and what it said. Out of time, it ends with all that it has started."""
    setup = subprocess.Popen(["nice", "-n", "15", HERE / name / "setup.sh", folder], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, _ = setup.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired as error:
        os.killpg(setup.pid, signal.SIGKILL)
        setup.communicate()
        raise NotInstalled(f"not installed after {patience_s} s") from error
    return setup.returncode, said


def install(name, kind, patience_s):
    """setup.sh, which does nothing where it is done. Whatever stops it, its last line says why."""
    folder = folder_of(name)
    is_new = not folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    free_gb = shutil.disk_usage(folder).free / 1e9
    if is_new and free_gb < kind.disk_gb:
        raise NotInstalled(f"needs {kind.disk_gb} GB of disk, {free_gb:.1f} GB are free")
    code, said = run_setup(name, folder, patience_s)
    lines = said.strip().splitlines() or ["setup.sh said nothing"]
    if code != 0:
        print("\n".join(lines[-10:]))
        raise NotInstalled(f"not installable here: {lines[-1].strip()}")
    print(lines[-1])
    return folder


def try_server(name, patience_s):
    check = load_check(name)
    start = time.monotonic()
    folder = install(name, check.KIND, patience_s)
    print(f"installed after {time.monotonic() - start:.0f} s", flush=True)
    with Server(name, check.KIND, folder) as server:
        check.check(server)


def main():
    asked = sys.argv[1:]
    is_quick = asked == ["quick"]
    if is_quick:
        asked = []
    chosen = asked or [name for name in names() if load_check(name).KIND.is_quick or not is_quick]
    unknown = [name for name in asked if name not in names()]
    if unknown:
        print(f'run.py: no real server "{unknown[0]}" here; there are: {" ".join(names())}', file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that a running server is stopped, too
    outcomes = {}
    for name in chosen:
        print(f"== {name}", flush=True)
        start = time.monotonic()
        try:
            try_server(name, QUICK_PATIENCE_S if is_quick else SETUP_PATIENCE_S)
            outcomes[name] = f"passed, {time.monotonic() - start:.0f} s"
        except NotInstalled as error:
            outcomes[name] = f"{'FAILED' if asked else 'skipped'}: {error}"
        except Failure as failure:
            outcomes[name] = f"FAILED: {failure}"
        print(f"{name}: {outcomes[name]}", flush=True)
    print("\n== real servers")
    for name, outcome in outcomes.items():
        print(f"  {name:<12}{outcome.splitlines()[0]}")
    sys.exit(1 if any(outcome.startswith("FAILED") for outcome in outcomes.values()) else 0)


main()
