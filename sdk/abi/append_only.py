#!/usr/bin/env python3
"""append_only.py NEW [RELEASED...]: is the header NEW what plugins built with a RELEASED one expect?

Exit status 1, and one line for each broken promise. Compared are the preprocessed declarations: [frozen] structs equal,
[sized] ones (they begin with struct_size) extended at their end only, constants and functions kept. It also refuses what
no version may hold: types whose size or calling convention varies, and [sized] structs inside others."""
import os
import re
import subprocess
import sys

NEVER = re.compile(r"\b(bool|_Bool|long|union|FILE|time_t|va_list)\b|\.\.\.|\w\s*:\s*\d|enum\s+\w")


def preprocess(header):
    text = re.sub(r"^\s*#\s*include.*$", "", header, flags=re.M)
    command = [os.environ.get("CC", "cc"), "-E", "-P", "-x", "c", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def squeeze(text):
    return re.sub(r"\s*([(){}\[\];,*=])\s*", r"\1", " ".join(text.split()))


def parse(header):
    """(structs: name -> list of members, constants: name -> value, set of all other declarations)"""
    structs, constants, others = {}, {}, set()
    text = preprocess(header)
    # a struct or enum with its body, or anything else up to a semicolon
    for body in re.findall(r"(?:typedef\s+struct\s+\w+|enum)\s*\{[^}]*\}[^;]*;|[^;{}]+;", text):
        struct = re.match(r"typedef\s+struct\s+(\w+)\s*\{(.*)\}", body, re.S)
        enum = re.match(r"enum\s*\{(.*)\}", body, re.S)
        if struct:
            structs[struct[1]] = [squeeze(member) for member in struct[2].split(";") if member.strip()]
        elif enum:
            constants.update(re.findall(r"(\w+)\s*=\s*(-?\w+)", enum[1]))
        elif not body.lstrip().startswith("_Static_assert"):
            others.add(squeeze(body))
    return structs, constants, others


def is_sized(members):
    return members[0] == "uint32_t struct_size"


def rule_faults(structs, others):
    sized = [name for name, members in structs.items() if is_sized(members)]
    for name, members in structs.items():
        for member in members:
            if NEVER.search(member):
                yield f"{name}: \"{member}\" uses a type that the ABI never uses"
            if any(re.match(rf"(const )?(struct )?{other}\b(?!\*)", member) for other in sized):
                yield f"{name}: \"{member}\" puts a [sized] struct inside another"
    for other in others:
        if NEVER.search(other):
            yield f"\"{other}\" uses a type that the ABI never uses"


def version_faults(new, old):
    for name, members in old[0].items():
        now = new[0].get(name)
        if now is None:
            yield f"struct {name} is gone"
        elif is_sized(members) and now[:len(members)] != members:
            yield f"[sized] {name}: its released members have changed; new ones go to the end"
        elif not is_sized(members) and now != members:
            yield f"[frozen] {name} has changed"
    for name, value in old[1].items():
        if new[1].get(name) != value:
            yield f"constant {name} was {value} and is {new[1].get(name, 'gone')}"
    for other in old[2] - new[2]:
        yield f"\"{other}\" is gone or has changed"


def faults(new_header, old_headers):
    new = parse(new_header)
    found = list(rule_faults(new[0], new[2]))
    for header in old_headers:
        found += version_faults(new, parse(header))
    return found


def main(new_path, *old_paths):
    read = lambda path: open(path, encoding="utf-8").read()
    found = faults(read(new_path), [read(path) for path in old_paths])
    for fault in found:
        print(f"{new_path}: {fault}", file=sys.stderr)
    print(f"{new_path}: {len(found)} faults against {len(old_paths)} released headers")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
