#!/usr/bin/env python3
"""./dev bench [CASE...]: how exact and how costly is tokometer, beside the simplest reader there can be?

    ./dev bench                    all cases, 5 blocks each
    ./dev bench P1 T1 --blocks 9   some cases
    ./dev bench smoke              every case in a tiny size: counts only, never a time
    ./dev bench verdict|peers|budget|referee [ARGS]   the other benches; each has its own --help
"""

import importlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

MODULES = {
    "verdict": "is the verdict honest?",
    "peers": "the same loads through other people's clients",
    "budget": "instructions of user space per token and per request",
    "referee": "our stamps against a packet capture",
    "smoke": "every case in a tiny size: counts only",
}


def dispatch(name, argv):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        print(f"bench: \"{name}\" ({MODULES[name]}) is not in this tree: bench/{name}.py is missing", file=sys.stderr)
        return 2
    return module.main(argv)


def main(argv):
    if argv and argv[0] in MODULES:
        return dispatch(argv[0], argv[1:])
    return importlib.import_module("run_cases").main(argv)



if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
