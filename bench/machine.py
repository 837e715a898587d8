"""What a result must say about where it was made: processor, kernel, compiler, commit."""

import datetime
import os
import pathlib
import platform
import subprocess

import programs


def _first_line(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, cwd=programs.ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""


def _cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _memory_mb():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _build_type():
    cache = programs.BIN.parent / "CMakeCache.txt"
    if cache.exists():
        for line in cache.read_text().splitlines():
            if line.startswith("CMAKE_BUILD_TYPE:"):
                return line.split("=", 1)[1]
    return ""


def describe():
    commit = _first_line("git", "rev-parse", "--short=12", "HEAD")
    if commit and _first_line("git", "status", "--porcelain", "--untracked-files=no"):
        commit += " with changes"
    return {
        "when_utc": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu_model(), "cores": os.cpu_count(), "memory_mb": _memory_mb(),
        "hypervisor": "hypervisor" in pathlib.Path("/proc/cpuinfo").read_text(),
        "kernel": platform.release(), "compiler": _first_line("c++", "--version"), "build_type": _build_type(),
        "python": platform.python_version(), "tokometer": _first_line(programs.program("tokometer"), "--version"),
        "commit": commit, "client_core": programs.CLIENT_CORE, "server_core": programs.SERVER_CORE,
    }


def headline(machine):
    virtual = ", virtual machine" if machine["hypervisor"] else ""
    return (f"{machine['cpu']}, {machine['cores']} cores{virtual} · Linux {machine['kernel']} · {machine['compiler']} "
            f"{machine['build_type']} · {machine['tokometer']} · commit {machine['commit'] or 'unknown'}\n"
            f"client on core {machine['client_core']}, server on core {machine['server_core']} · {machine['when_utc']}")
