"""Reads what callgrind writes: one file per thread (--separate-threads=yes), as little of the format as `budget` needs.

    thread = thread_with(folder.glob("callgrind.out-*"), "tokometer::Worker::Loop::turn(")
    thread.total, thread.inclusive("tokometer::Connection::take_bytes("), thread.calls(...)

Functions are named by how their name begins. An inclusive cost is the sum over the calls *into* those functions from
all others, so a name that stands for several functions, or for one that calls itself, is not counted twice.
"""

import dataclasses
import pathlib


@dataclasses.dataclass(frozen=True)
class Call:
    caller: str
    callee: str
    count: int
    cost: int          # inclusive


class Profile:
    """One thread: the instructions it executed, and the calls between its functions."""

    def __init__(self, lines):
        self.total, self.edges, self.functions = 0, [], set()
        self._names = {}
        self._read(iter(lines))

    def _read(self, lines):
        caller = callee = ""
        for line in lines:
            key, is_setting, value = line.rstrip("\n").partition("=")
            if line[:1].isdigit() or line[:1] in "+-*":
                self.total += int(line.split()[-1])
            elif not is_setting:
                continue                                         # a header, which has a colon, or an empty line
            elif key == "fn":
                caller = self._name(value)
                self.functions.add(caller)
            elif key == "cfn":
                callee = self._name(value)
            elif key == "calls":
                cost = next(lines).split()                       # the line after it: where, and what the calls cost
                self.edges.append(Call(caller, callee, int(value.split()[0]), int(cost[-1])))

    def _name(self, value):
        """(12) a name: gives a number to it; (12): the name that has the number."""
        number, _, name = value.partition(" ")
        return self._names.setdefault(number, name) if number.startswith("(") else value

    def has(self, begin):
        return any(name.startswith(begin) for name in self.functions)

    def _into(self, begin):
        return [c for c in self.edges if c.callee.startswith(begin) and not c.caller.startswith(begin)]

    def inclusive(self, begin):
        return sum(call.cost for call in self._into(begin))

    def calls(self, begin):
        return sum(call.count for call in self._into(begin))


def read(path):
    with open(path, errors="replace") as lines:
        return Profile(lines)


def thread_with(paths, begin):
    """The profile of the one thread that executed such a function."""
    found = [p for p in (read(path) for path in sorted(map(pathlib.Path, paths))) if p.has(begin)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} of the profiled threads executed {begin}...), which must be one")
    return found[0]
