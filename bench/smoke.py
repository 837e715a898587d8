"""./dev bench smoke: every case in a tiny size. Asks whether it runs and whether its counts are right; never for a time."""

import pathlib
import shutil
import tempfile
import time

import cases as all_cases
import measure
import programs


def wanted(case):
    """Requests of the closed part and events of each, where their number is certain."""
    return case.planned, -(-case.tokens // case.tokens_per_event) if case.stream else 0


def raw_faults(case, counts):
    requests, events_each = wanted(case)
    faults = [f"{counts['lost_events']} events lost"] if counts["lost_events"] else []
    if case.open:
        opened = counts["requests"] - requests
        if opened <= 0:
            faults.append("no request of the open part")
        events = requests * events_each + opened * case.open.tokens
    else:
        events = requests * events_each
        if counts["requests"] != requests:
            faults.append(f"{counts['requests']} requests, not {requests}")
    if counts["events"] != events:
        faults.append(f"{counts['events']} events, not {events}")
    return faults


def our_faults(case, counts):
    faults = [f"{counts[name]} {name}" for name in ("failed", "cancelled", "not_issued") if counts[name]]
    if counts["planned"] != counts["issued"] + counts["not_issued"]:
        faults.append("planned is not issued + not issued")
    if counts["issued"] != counts["ok"] + counts["failed"] + counts["cancelled"]:
        faults.append("issued is not ok + failed + cancelled")
    if counts["lines"] != counts["planned"]:
        faults.append(f"{counts['lines']} request lines, {counts['planned']} planned")
    faults += [f"{count} wrong: {name}" for name, count in counts["joined"].wrong.items() if count]
    requests, events_each = wanted(case)
    opened = counts["planned"] - requests
    tokens, events = requests * case.tokens, requests * events_each
    if case.open:
        tokens, events = tokens + opened * case.open.tokens, events + opened * case.open.tokens
    if (opened > 0) != bool(case.open):
        faults.append(f"{counts['planned']} planned, {requests} in the closed part")
    if counts["tokens"] != tokens:
        faults.append(f"{counts['tokens']} tokens, not {tokens}")
    if counts["events"] != events:
        faults.append(f"{counts['events']} events, not {events}")
    return faults


def check_case(case, folder):
    faults = []
    for who in ("raw", "ours"):
        counts = measure.run(who, case, folder / who).counts
        faults += [f"{who}: {fault}" for fault in (raw_faults if who == "raw" else our_faults)(case, counts)]
    return faults


def check_hiccup(folder):
    said = programs.run_hiccup(0.2, folder / "hiccup", cores=(programs.CLIENT_CORE, programs.SERVER_CORE))
    good = all(core["pinned"] and core["seconds"] >= 0.2 and 0 <= core["loss"] <= 1 for core in said["cores"])
    return [] if good else [f"hiccup: {said}"]


def main(argv):
    if argv:
        print("usage: ./dev bench smoke")
        return 2
    begin, failed = time.monotonic(), []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tokometer-smoke-"))
    try:
        checks = [("hiccup", lambda: check_hiccup(folder))]
        checks += [(c.name, lambda c=all_cases.tiny(c): check_case(c, folder / c.name)) for c in all_cases.CASES]
        for name, check in checks:
            try:
                faults = check()
            except (programs.ProgramFailed, ValueError, KeyError) as failure:
                faults = [f"{type(failure).__name__}: {failure}"]
            print(f"{name:11} {'; '.join(faults) or 'counts are right'}", flush=True)
            failed += [name] if faults else []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"bench smoke: {len(checks)} cases, {len(failed)} failed, {time.monotonic() - begin:.0f} s")
    return 1 if failed else 0
