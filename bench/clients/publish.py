"""The tables of `./dev bench peers`, as Markdown, and their place in docs/comparison.md between two marks."""

import pathlib

import machine

from . import judge
from .workloads import BY_NAME, EXACT

BEGIN = "<!-- written by ./dev bench peers: begin -->"
END = "<!-- written by ./dev bench peers: end -->"
NONE = "-"


def number(value):
    """Three digits or so: 0.04, 1.2, 38, 1,594."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}"
    if abs(value) < 10:
        return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
    return f"{value:,.0f}"


def both(pair):
    return f"{number(pair[0])} / {number(pair[1])}" if pair else NONE


def row(label, cells):
    return f"| {label} | " + " | ".join(cells) + " |"


def table(head, rows):
    return "\n".join([row("", head), "|---" * (len(head) + 1) + "|", *rows])


class Results:
    """Results by client and workload; what was not run or gave nothing is None."""

    def __init__(self, results):
        self.found = {(r["client"], r["workload"]): r for r in results}

    def get(self, client, workload):
        result = self.found.get((client, workload))
        return result if result and "code" in result else None

    def error(self, client, workload, metric):
        result = self.get(client, workload)
        return result and judge.error(result["reading"][metric], result["truth"][metric])

    def cpu_per_million(self, client, workload):
        load, start = self.get(client, workload), self.get(client, "start")
        if not (load and start):
            return None
        return judge.cpu_per_million(load["cpu_s"], load["truth"]["tokens"], start["cpu_s"], start["truth"]["tokens"])

    def cpu_per_request_us(self, client):
        """In W5; of a client without a start run, all of its CPU time."""
        load, start = self.get(client, "W5"), self.get(client, "start")
        if not load or not load["truth"]["complete"]:
            return None
        spent = load["cpu_s"] - (start["cpu_s"] if start else 0)
        return spent / load["truth"]["complete"] * 1e6 if spent > 0 else None

    def of(self, client, workload, *keys, scale=1):
        found = self.get(client, workload)
        for key in keys:
            found = found and found.get(key)
        return None if found is None else found * scale if scale != 1 else found

    def most_memory_mb(self, client):
        found = [self.of(client, w, "peak_bytes", scale=1e-6) for w in (*EXACT, "W5")]
        return max((f for f in found if f), default=None)


def accuracy(results, names):
    rows = []
    for workload in EXACT:
        for metric in ("ttft", "itl", "e2e"):
            rows.append(row(f"{workload} {metric.upper()}", [both(results.error(n, workload, metric)) for n in names]))
    rows.append(row("W3 requests at a time, of 1,000",
                    [number(results.of(n, "W3", "truth", "most_at_once")) for n in names]))
    rows.append(row("W3 start of 1,000 users, ms", [number(results.of(n, "W3", "truth", "start_ms")) for n in names]))
    rows.append(row("W4 requests/s, of 100", [number(results.of(n, "W4", "truth", "rate")) for n in names]))
    return table(names, rows)


def cost(results, names):
    rows = [row(f"{w} CPU s per million tokens", [number(results.cpu_per_million(n, w)) for n in names])
            for w in EXACT]
    rows.append(row("W5 requests/s", [number(results.of(n, "W5", "truth", "rate")) for n in names]))
    rows.append(row("W5 CPU us per request", [number(results.cpu_per_request_us(n)) for n in names]))
    rows.append(row("peak memory, MB", [number(results.most_memory_mb(n)) for n in names]))
    rows.append(row("processes", [number(results.of(n, "W1", "processes")) for n in names]))
    rows.append(row("seconds to the first request of the load",
                    [number(results.of(n, "start", "first_request_s")) for n in names]))
    rows.append(row("CPU s of 64 requests", [number(results.of(n, "start", "cpu_s")) for n in names]))
    return table(names, rows)


def remark(result):
    """What a client says against its own numbers; "" if nothing."""
    reading = result["reading"]
    return reading["marked"] or (reading["logged"] and "beside the numbers: " + reading["logged"])


def says(results, name, workload):
    """What the client said under a workload that makes its numbers doubtful; and in W4, where nothing is wrong."""
    bad, calm = results.get(name, workload), results.get(name, "W4")
    if not bad:
        return NONE
    said, usual = remark(bad), calm and remark(calm)
    if not said:
        return f"exit code {bad['code']}" if bad["code"] else "nothing"
    if not usual:
        return escaped(said)
    return escaped(said) + (" (the same in W4)" if said == usual else f" (in W4: {escaped(usual)})")


def escaped(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def shown_and_true(results, name, workload, truth):
    result = results.get(name, workload)
    if not result or not result["reading"]["ttft"] or not result["truth"][truth]:
        return NONE
    return f"{number(result['reading']['ttft'][1])} / {number(result['truth'][truth][1])}"


def broken_streams(results, name):
    result = results.get(name, "broken")
    if not result or result["reading"]["ok"] is None:
        return NONE
    wrong = max(0, result["reading"]["ok"] - result["truth"]["complete"])
    return f"{wrong} of {result['truth']['broken']}"


def all_fail(results, name):
    result = results.get(name, "failing")
    return NONE if not result else str(result["code"])


def honesty(results, names):
    head = ["freeze: TTFT p99 shown / from schedule", "it says", "throttle: TTFT p99 shown / server's", "it says",
            "broken streams called a success", "all requests fail: exit code"]
    return table(head, [
        row(n, [shown_and_true(results, n, "freeze", "from_schedule"), says(results, n, "freeze"),
                shown_and_true(results, n, "throttle", "ttft"), says(results, n, "throttle"),
                broken_streams(results, n), all_fail(results, n)]) for n in names])


def clients_table(clients, left_out):
    lines = ["| client | version | settings for high load | documented in |", "|---|---|---|---|"]
    for client in clients:
        if client.name not in left_out:
            lines.append(f"| {client.name} | {client.version} | {client.settings} | {client.documented} |")
    return "\n".join(lines)


def not_run(report):
    """A line for each client that is missing, and for each reason why one lacks a load. A server that only fails leaves
    no result to read: that is no fault."""
    lines = [f"- {name}: {reason}" for name, reason in report["left_out"].items()]
    reasons = {}
    for result in report["results"]:
        if result["reason"] and result["workload"] != "failing":
            reasons.setdefault((result["client"], result["reason"]), []).append(result["workload"])
    return lines + [f"- {client} under {', '.join(loads)}: {reason}" for (client, reason), loads in reasons.items()]


def lateness(report):
    """What the simulator said of itself: no difference finer than this means anything."""
    found = {}
    for result in report["results"]:
        if result.get("sim_lateness_ms"):
            found.setdefault(result["workload"], []).append(result["sim_lateness_ms"]["p99"])
    return ", ".join(f"{w} {number(max(found[w]))}" for w in EXACT if w in found)


def tables(report, clients):
    results = Results(report["results"])
    names = [c.name for c in clients if c.name not in report["left_out"]]
    streaming = [n for n in names if n != "wrk"]
    key = "\n".join(f"- **{w.name}**: {w.what}" for w in BY_NAME.values())
    parts = [
        f"Made by `./dev bench peers` from {report['begun']} to {report['ended']} ({report['minutes']} minutes"
        + (", resumed" if report["resumed"] else "") + ").\n" + machine.headline(report["machine"]).replace("\n", ".\n")
        + ".",
        clients_table(clients, report["left_out"]), "Loads:", key,
        "### How far from the truth\n\n|reported - true|, ms, of p50 / p99.", accuracy(results, streaming),
        f"The simulator's own lateness, p99 of its worst run, ms: {lateness(report) or NONE}.",
        "### What it costs", cost(results, names),
        "### What it says when things go wrong\n\nTimes in ms.", honesty(results, streaming),
    ]
    left = not_run(report)
    if left:
        parts += ["### Not run", "\n".join(left)]
    return "\n\n".join(parts) + "\n"


def write(path, text):
    """Replaces what stands between the marks; the text around them is written by hand."""
    page = pathlib.Path(path).read_text()
    before, rest = page.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    pathlib.Path(path).write_text(f"{before}{BEGIN}\n{text}{END}{after}")
