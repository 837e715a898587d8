"""Results as text. Pure: a result in, lines out."""

import figures

HEAD = f"  {'':38} {'ours':>12} {'raw':>12} {'ours/raw':>9} {'min-max':>14}  target"


def number(value, digits):
    if value is None:
        return "-"
    return f"{value:,.{digits}f}"


def target_words(target, summary):
    """"row 1: must <= 50 met, moonshot <= 15 not met", for the value that the target is about."""
    value = summary.get(target["of"])
    if value is None:
        return f"row {target['row']}: must {_limit(target, 'must')} not measured"
    words = []
    for name in ("must", "moonshot"):
        met = value >= target[name] if target["at_least"] else value <= target[name]
        words.append(f"{name} {_limit(target, name)} {'met' if met else 'not met'}")
    return f"row {target['row']}: " + ", ".join(words)


def _limit(target, name):
    sign = ">=" if target["at_least"] else "<="
    value = target[name]
    return f"{sign} {value:,.0f}" if value >= 1000 else f"{sign} {value:g}{' x' if target['of'] == 'ratio' else ''}"


def figure_line(key, summary, target):
    figure = figures.FIGURES[key]
    low, high = summary.get("low"), summary.get("high")
    spread = f"{low:.2f}-{high:.2f}" if low is not None else "-"
    line = (f"  {figure.label:38} {number(summary.get('ours'), figure.digits):>12} "
            f"{number(summary.get('raw'), figure.digits):>12} {number(summary.get('ratio'), 2):>9} {spread:>14}")
    return f"{line}  {target_words(target, summary)}" if target else line


def case_lines(case):
    """`case`: one entry of "cases" of the result."""
    used, rejected = case["blocks_used"], case["blocks_rejected"]
    state = f"{used} blocks, {rejected} rejected as noisy"
    if used == 0 and rejected:
        state = f"all {rejected} blocks were noisy: figures of these, believe none"
    lines = [f"{case['name']}  {case['title']}   [{state}]", HEAD]
    lines += [figure_line(key, summary, case["targets"].get(key)) for key, summary in case["figures"].items()]
    return lines + [f"  ! {fault}" for fault in case["faults"]]
