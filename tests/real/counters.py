"""What a real server says about its own work: the samples of its metrics page, and how much they grew."""
import collections
import math
import re
import time
import urllib.request

SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def read(url):
    """{name: sum over its labels}; also {"name le": count} of a histogram's buckets and {"name model": sum}."""
    samples = collections.Counter()
    for line in get(url).splitlines():
        if match := SAMPLE.match(line):
            name, labels, value = match.groups()
            samples[name] += float(value)
            for _, label in re.findall(r'\b(le|model)="([^"]+)"', labels or ""):
                samples[f"{name} {label}"] += float(value)
    return samples


def settled(url, busy, counts):
    """Reads until nothing runs and no count changes: they follow the last token by a step of the engine."""
    last = None
    for _ in range(100):
        samples = read(url)
        now = [samples[name] for name in counts]
        if now == last and not any(samples[name] for name in busy):
            return samples
        last = now
        time.sleep(0.3)
    raise TimeoutError("they do not come to rest")


class Growth:
    def __init__(self, before, after):
        self.by = after
        self.by.subtract(before)

    def count(self, names):
        return round(sum(self.by[name] for name in names))

    def mean_ms(self, histogram):
        count = self.by[f"{histogram}_count"]
        return 1e3 * self.by[f"{histogram}_sum"] / count if count else math.nan

    def at_most_ms(self, histogram, share):
        """The upper end of the bucket that holds this share: a histogram knows no more."""
        prefix = f"{histogram}_bucket "
        buckets = sorted((float(name[len(prefix):]), value) for name, value in self.by.items() if name.startswith(prefix))
        total = buckets[-1][1] if buckets else 0
        return next((1e3 * bound for bound, value in buckets if value >= share * total), math.nan)
