"""What a packet capture saw (capture.cpp), joined with the records and with the truth log. Times: ns of CLOCK_MONOTONIC.

Join key: the simulator's stream and event number, which stand in the event itself. The truth log knows which request
that stream was.
"""

import array
import dataclasses

import truth

STAMP_DIGITS = 32
# name: what is subtracted from what
DIFFERENCES = {
    "reported_vs_captured": "our arrival - capture",
    "last_vs_captured": "  of each stream's last event",
    "others_vs_captured": "  of the others",
    "captured_vs_sent": "capture - simulator's stamp",
    "reported_vs_left": "our arrival - left the server",
    "left_vs_sent": "left the server - simulator's stamp",
}


@dataclasses.dataclass
class Captured:
    """The segments with events of one capture. `at`: {(stream, seq): (ns, sent_ns of the event itself)}."""
    at: dict
    segments: int = 0           # with payload, both directions
    event_segments: int = 0
    doubled: int = 0            # events seen twice: none may be

    @staticmethod
    def read(path, direction):
        """`direction`: "in" for segments that arrive at the captured host, "out" for those that leave it."""
        found = Captured({})
        with open(path) as file:
            for line in file:
                found.add(line.split(), direction)
        return found

    def add(self, words, direction):
        self.segments += 1
        if words[1] != direction or len(words) == 4:
            return
        self.event_segments += 1
        for stamp in words[4:]:
            sent, stream, seq = parse_stamp(stamp)
            self.doubled += (stream, seq) in self.at
            self.at.setdefault((stream, seq), (int(words[0]), sent))


def parse_stamp(stamp):
    """(sent_ns, stream, seq) of 16 + 8 + 8 hex digits."""
    if len(stamp) != STAMP_DIGITS:
        raise ValueError(f"a stamp of {len(stamp)} digits: {stamp!r}")
    return int(stamp[:16], 16), int(stamp[16:24], 16), int(stamp[24:], 16)


class Comparison:
    def __init__(self):
        self.counts = {"events": 0, "matched": 0, "not_captured": 0, "not_reported": 0, "doubled": 0, "other_stamp": 0,
                       "requests_left_out": 0}
        self.differences = {name: array.array("q") for name in DIFFERENCES}

    @property
    def is_whole(self):
        counts = self.counts
        return counts["matched"] == counts["events"] > 0 and not any(
            counts[name] for name in ("not_captured", "not_reported", "doubled", "other_stamp"))

    def add(self, record, stream, sent, begin_ns, arrived, left):
        """One ok request: its record, its stream, the send times of its events in the truth log."""
        reported = truth.arrivals_ns(record)
        self.counts["events"] += len(reported)
        for seq, at in enumerate(reported):
            seen = arrived.get((stream, seq))
            if seen is None:
                self.counts["not_captured"] += 1
                continue
            self.counts["matched"] += 1
            self.counts["other_stamp"] += seq >= len(sent) or seen[1] != sent[seq]
            self._difference("reported_vs_captured", begin_ns + at - seen[0])
            # The end of the stream follows the last event at once, and is often in the same read.
            part = "last_vs_captured" if seq + 1 == len(reported) else "others_vs_captured"
            self._difference(part, begin_ns + at - seen[0])
            self._difference("captured_vs_sent", seen[0] - seen[1])
            if (stream, seq) in left:
                self._difference("reported_vs_left", begin_ns + at - left[stream, seq][0])
                self._difference("left_vs_sent", left[stream, seq][0] - seen[1])

    def _difference(self, name, value):
        self.differences[name].append(value)

    def result(self):
        """Counts, and for each difference its distribution in ns; `min` shows what came out negative."""
        shown = {name: {**truth.distribution(values), "min": min(values)}
                 for name, values in self.differences.items() if values}
        return {"counts": self.counts, "differences_ns": shown}


def compare(records, log, arrived, left=None):
    """truth.Records, truth.Truth, the capture where the client reads, and where there is one, that where the server sends."""
    result = Comparison()
    reported = set()
    for record in records.requests:
        line = log.requests.get(record["id"])
        if record["status"] != "ok" or line is None or "first_token_ns" not in record:
            result.counts["requests_left_out"] += 1
            continue
        stream = line["stream"]
        reported.update((stream, seq) for seq in range(len(truth.arrivals_ns(record))))
        result.add(record, stream, log.rows.get(stream, ()), records.begin_ns, arrived.at, left.at if left else {})
    streams = {stream for stream, _ in reported}
    result.counts["not_reported"] = sum(key[0] in streams and key not in reported for key in arrived.at)
    result.counts["doubled"] = arrived.doubled
    return result
