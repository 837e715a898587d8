"""Blocks: {hiccup, raw, ours, raw} in shuffled order, which of them are too noisy, and the figures over them. Pure
logic: what a block holds is measured elsewhere.
"""

import dataclasses
import random
import statistics

MAX_LOSS = 0.08             # share of a core that others took
MAX_LONG_GAPS_PER_S = 5.0   # gaps over 1 ms; 20 in 4 s


@dataclasses.dataclass
class Block:
    hiccup: dict                                  # as the program prints it
    raw: list = dataclasses.field(default_factory=list)     # of {figure: value}
    ours: list = dataclasses.field(default_factory=list)
    sim_late_ms: list = dataclasses.field(default_factory=list)    # p99 of each run
    order: list = dataclasses.field(default_factory=list)


def shuffled_order(seed, number, words=("raw", "ours", "raw")):
    order = list(words)
    random.Random(f"{seed}/{number}").shuffle(order)
    return order


def noise(block, late_ms=0.0):
    """Why a block is rejected; [] where it is good. late_ms: the simulator's lateness (p99) that is too much; 0: any will do."""
    why = []
    for core in block.hiccup.get("cores", ()):
        if core["loss"] > MAX_LOSS:
            why.append(f"core {core['core']} lost {core['loss']:.0%}")
        rate = core["gaps_over_1ms"] / core["seconds"] if core["seconds"] else 0
        if rate > MAX_LONG_GAPS_PER_S:
            why.append(f"core {core['core']}: {rate:.0f} gaps over 1 ms a second")
    late = max(block.sim_late_ms, default=0)
    if late_ms and late > late_ms:
        why.append(f"simulator late, p99 {late:.1f} ms")
    return why


@dataclasses.dataclass
class Summary:
    """One figure over the blocks. `ratio`, `low`, `high` are None where the raw reader has no such figure."""
    ours: float = None
    raw: float = None
    ratio: float = None
    low: float = None
    high: float = None
    ours_low: float = None
    ours_high: float = None


def _values(runs, figure):
    return [run[figure] for run in runs if run.get(figure) is not None]


def summarise(blocks, figure):
    """Median over blocks of ours / raw of the same block, with min and max; medians of the absolutes beside."""
    ours, raw, ratios = [], [], []
    for block in blocks:
        mine, theirs = _values(block.ours, figure), _values(block.raw, figure)
        ours += mine
        raw += theirs
        if mine and theirs and statistics.fmean(theirs) != 0:
            ratios.append(statistics.fmean(mine) / statistics.fmean(theirs))
    result = Summary()
    if ours:
        result.ours, result.ours_low, result.ours_high = statistics.median(ours), min(ours), max(ours)
    if raw:
        result.raw = statistics.median(raw)
    if ratios:
        result.ratio, result.low, result.high = statistics.median(ratios), min(ratios), max(ratios)
    return result
