"""Two network namespaces with a veth pair between them, for as long as a `with` lasts. Needs root, iproute2; GRO needs ethtool.

    with Pair() as pair:
        pair.offload("client", "gro", True)         # False: not possible here
        run([*pair.inside("client"), program])
"""

import os
import pathlib
import re
import shutil
import subprocess

PREFIX = "tkm-referee"
ADDRESS = {"client": "10.213.7.1", "server": "10.213.7.2"}
PATIENCE_S = 10


class NotAllowed(Exception):
    """This machine lets us make no namespaces; the text says what failed."""


def _call(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAllowed(f"{' '.join(argv)}: {error}") from error
    if done.returncode != 0:
        raise NotAllowed(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip() or f'exit code {done.returncode}'}")
    return done.stdout


class Pair:
    def __init__(self):
        self.names = {side: f"{PREFIX}-{os.getpid()}-{side}" for side in ADDRESS}
        self._made = []

    def __enter__(self):
        _remove_orphans()
        try:
            for side, name in self.names.items():
                _call("ip", "netns", "add", name)
                self._made.append(name)
            _call("ip", "link", "add", "client", "netns", self.names["client"], "type", "veth", "peer", "name", "server",
                  "netns", self.names["server"])
            for side, name in self.names.items():
                _call("ip", "-n", name, "address", "add", f"{ADDRESS[side]}/30", "dev", side)
                _call("ip", "-n", name, "link", "set", "lo", "up")
                _call("ip", "-n", name, "link", "set", side, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        while self._made:
            _remove(self._made.pop())

    def inside(self, side):
        """The words before a command that shall run on this side. `ip` becomes the command: the process id stays."""
        return ["ip", "netns", "exec", self.names[side]]

    def offload(self, side, feature, on):
        """Switches gro, tso, ... of this side's interface. The reason where it could not be done, else None."""
        if not shutil.which("ethtool"):
            return "ethtool is missing"
        try:
            _call(*self.inside(side), "ethtool", "-K", side, feature, "on" if on else "off")
            shown = _call(*self.inside(side), "ethtool", "-k", side)
        except NotAllowed as error:
            return str(error)
        state = re.search(r"^generic-receive-offload: (\w+)", shown, re.MULTILINE) if feature == "gro" else None
        wanted = "on" if on else "off"
        return f"{feature} is {state[1]}, not {wanted}" if state and state[1] != wanted else None


def _remove(name):
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, timeout=PATIENCE_S, stdin=subprocess.DEVNULL)


def _remove_orphans():
    """Those of a bench that was killed: their names hold its process id."""
    for line in _call("ip", "netns", "list").splitlines():
        name = line.split()[0] if line.split() else ""
        found = re.fullmatch(rf"{PREFIX}-(\d+)-(client|server)", name)
        if found and not pathlib.Path(f"/proc/{found[1]}").exists():
            _remove(name)
