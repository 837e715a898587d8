"""The figures of a run: one flat {key: number} for the raw reader and for ours, with the same keys where both have
them. A figure that a run cannot tell is left out.
"""

import dataclasses

import truth as truth_log


@dataclasses.dataclass(frozen=True)
class Figure:
    label: str
    digits: int = 1


FIGURES = {
    "event_error_p50_us": Figure("event error p50, us"),
    "event_error_p99_us": Figure("event error p99, us"),
    "event_error_p999_us": Figure("event error p99.9, us"),
    "event_error_max_us": Figure("event error max, us"),
    "event_error_bias_us": Figure("event error mean, us"),
    "lag_p50_us": Figure("user - kernel stamp p50, us"),
    "ttft_p99_error_pct": Figure("TTFT p99 off, %", 3),
    "itl_p99_error_pct": Figure("ITL p99 off, %", 3),
    "e2e_p99_error_pct": Figure("E2E p99 off, %", 3),
    "cpu_all_per_mtok_s": Figure("CPU s/Mtok, all threads, in the load", 2),
    "cpu_io_per_mtok_s": Figure("CPU s/Mtok, I/O thread, in the load", 2),
    "cpu_total_s": Figure("CPU s of the whole process", 2),
    "events_per_read": Figure("events a read", 2),
    "tokens_per_s": Figure("tokens/s", 0),
    "requests_per_s": Figure("requests/s", 0),
    "cpu_all_per_request_us": Figure("CPU us/request, all threads"),
    "cpu_io_per_request_us": Figure("CPU us/request, I/O thread"),
    "e2e_p50_us": Figure("E2E p50, us", 0),
    "lateness_p50_us": Figure("send lateness p50, us"),
    "lateness_p99_us": Figure("send lateness p99, us"),
    "lateness_max_us": Figure("send lateness max, us"),
    "ttft_added_p99_ms": Figure("TTFT p99 from send - server's own, ms", 3),
    "ttft_added_sched_p99_ms": Figure("TTFT p99 from schedule - server's own, ms", 3),
    "rate_error_pct": Figure("rate error, %", 4),
    "bytes_per_stream": Figure("user RSS, B/stream", 0),
    "load_rss_mb": Figure("peak RSS in the load, MB"),
    "peak_rss_mb": Figure("peak RSS, start and report too, MB"),
    "bytes_per_request": Figure("RSS slope, B/request"),
    "projected_rss_mb": Figure("extrapolated to 1M requests, MB"),
}


def _us(figures, prefix, distribution, names):
    for name in names:
        if distribution and distribution.get(name) is not None:
            figures[f"{prefix}_{'bias' if name == 'mean' else name}_us"] = distribution[name] / 1e3


def _off(figures, key, reported, true):
    """|reported - true| / true of the p99, in percent."""
    if reported and true:
        figures[key] = abs(reported - true) / true * 100


def _added(figures, key, p99, server_ttft):
    if p99 and server_ttft:
        figures[key] = (p99 - truth_log.distribution(server_ttft)["p99"]) / 1e6


def _rates(figures, case, *, seconds, events, requests, reads, all_cpu_s, io_cpu_s):
    tokens = events * case.tokens_per_event
    if events:
        figures["tokens_per_s"] = tokens / seconds
        figures["cpu_all_per_mtok_s"], figures["cpu_io_per_mtok_s"] = all_cpu_s / tokens * 1e6, io_cpu_s / tokens * 1e6
        figures["events_per_read"] = events / reads
    if requests:
        figures["requests_per_s"] = requests / seconds
        figures["cpu_all_per_request_us"] = all_cpu_s / requests * 1e6
        figures["cpu_io_per_request_us"] = io_cpu_s / requests * 1e6


def of_raw(case, raw, server_ttft=()):
    """`raw`: what the raw reader printed. `server_ttft`: truth.server_ttft, where there is a truth log."""
    figures = {"cpu_total_s": raw["load"]["cpu_s"]}
    _us(figures, "event_error", raw["kernel_error_ns"], ("p50", "p99", "p999", "max", "mean"))
    _us(figures, "lag", raw["lag_ns"], ("p50",))
    _us(figures, "lateness", raw["lateness_ns"], ("p50", "p99", "max"))
    _us(figures, "e2e", raw["e2e_ns"], ("p50",))
    for name in ("ttft", "itl"):
        _off(figures, f"{name}_p99_error_pct", raw[f"{name}_ns"].get("p99"), raw[f"true_{name}_ns"].get("p99"))
    _added(figures, "ttft_added_p99_ms", raw["ttft_ns"].get("p99"), server_ttft)
    window = raw["window"]
    _rates(figures, case, seconds=window["seconds"], events=window["events"], requests=window["requests"],
           reads=window["reads"], all_cpu_s=window["cpu_s"], io_cpu_s=window["cpu_s"])
    return figures


def of_ours(case, run, records, joined, watch, server_ttft=()):
    """`joined`: truth.Join, or None where there is no truth log; `watch`: measure.Watch."""
    figures = {"peak_rss_mb": run.peak_rss_bytes / 1e6, "cpu_total_s": run.cpu_s}
    if joined:
        _us(figures, "event_error", truth_log.distribution(joined.error), ("p50", "p99", "p999", "max", "mean"))
        _shapes(figures, case, run.summary, joined)
    lag = truth_log.histogram_quantile(truth_log.lag_buckets(records), 0.5)
    _us(figures, "lag", {"p50": lag}, ("p50",))
    e2e = truth_log.distribution(r["end_ns"] - r["sent_ns"] for r in records.requests if r["status"] == "ok")
    _us(figures, "e2e", e2e, ("p50",))
    end_ns = records.begin_ns + max((p["at_ns"] for p in records.phases), default=0)
    figures["load_rss_mb"] = max((peak for at, peak in watch.peaks if at <= end_ns), default=0) / 1e6
    first = [r for r in records.requests if "first_token_ns" in r]
    for key, since in (("ttft_added_p99_ms", "sent_ns"), ("ttft_added_sched_p99_ms", "scheduled_ns")):
        _added(figures, key, truth_log.distribution(r["first_token_ns"] - r[since] for r in first).get("p99"), server_ttft)
    _lateness(figures, case, records)
    use = truth_log.load_use(records, watch.samples, case.window)
    if use:
        _rates(figures, case, **vars(use))
    return figures


def _shapes(figures, case, summary, joined):
    """What the report says, against the truth about the same requests. Of one phase: a report is about phases."""
    if len(summary["phases"]) != 1:
        return
    metrics = summary["phases"][0]["metrics"]
    for name, key, true in (("ttft", "ttft_sent", joined.true_ttft), ("itl", "itl", joined.true_itl),
                            ("e2e", "e2e_sent", joined.true_e2e)):
        reported = metrics.get(key, {}).get("p99")
        _off(figures, f"{name}_p99_error_pct", reported, truth_log.distribution(true).get("p99"))


def _lateness(figures, case, records):
    """Of requests that were scheduled inside the case's window; where it has an open part, of these."""
    name = "open" if case.open else "closed"
    begin = next(p["at_ns"] for p in records.phases if p["event"] == "begin" and p["phase"] == name)
    low, high = (begin + edge * 1e9 for edge in case.window)
    part = [r for r in records.requests if r["phase"] == name and "sent_ns" in r]
    late = [r["sent_ns"] - r["scheduled_ns"] for r in part if low <= r["scheduled_ns"] <= high]
    _us(figures, "lateness", truth_log.distribution(late), ("p50", "p99", "max"))
    high = min(high, max((r["scheduled_ns"] for r in part), default=low))
    planned = sum(low <= r["scheduled_ns"] < high for r in part)
    if case.open and planned:
        figures["rate_error_pct"] = abs(sum(low <= r["sent_ns"] < high for r in part) - planned) / planned * 100
