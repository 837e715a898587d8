"""Python environments of the clients: one a client, below the cache, exactly as its lock file in locks/ says."""

import contextlib
import hashlib
import pathlib
import shutil
import subprocess

from .client import CACHE, HERE, Unavailable

UV = "uv==0.13.9"                  # the installer, in an environment of its own


def runs(python, version):
    """Does this interpreter start, and is it of that version? A shim may be on the path without one behind it."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30)
        return done.returncode == 0 and done.stdout.strip() == version
    return False


def find_python(version):
    """An interpreter of this version, on the path or where pyenv keeps them; Unavailable if there is none."""
    places = [shutil.which(f"python{version}"), f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"]
    places += sorted(pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for python in filter(None, places):
        if runs(str(python), version):
            return str(python)
    raise Unavailable(f"needs Python {version}, which is not on this machine")


def must(argv, what):
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"{what} failed: {lines[-1][:200] if lines else 'no message'}")


def installer():
    folder = CACHE / "uv"
    uv = folder / "bin" / "uv"
    if not uv.exists():
        must(["python3", "-m", "venv", folder], "making an environment")
        must([folder / "bin" / "python", "-m", "pip", "install", "-q", UV], f"installing {UV}")
    return uv


def venv(name, python_version):
    """The folder with the programs of a ready environment. Made when its lock file is new or has changed."""
    lock = HERE / "locks" / f"{name}.lock"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()[:16] + " " + python_version
    folder = CACHE / name / "venv"
    mark = folder / ".ready"
    if not (mark.exists() and mark.read_text() == wanted):
        python = find_python(python_version)
        print(f"installing {name} ({sum(1 for _ in lock.open())} packages)", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        must([installer(), "venv", "-q", "--python", python, folder], "making an environment")
        must([installer(), "pip", "install", "-q", "--no-deps", "--compile-bytecode", "-r", lock,
              "--python", folder / "bin" / "python"], f"installing {name}")
        mark.write_text(wanted)
    return folder / "bin"


def offline():
    """Environment of a client that would otherwise ask a model hub or report its use."""
    on = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK",
          "VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK", "PYTHONNOUSERSITE", "NO_COLOR"]
    return {name: "1" for name in on} | {"HF_HOME": str(CACHE / "hf"), "TOKENIZERS_PARALLELISM": "false",
                                         "COLUMNS": "200"}
