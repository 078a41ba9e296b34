"""Histograms of a load for other programs: percentile text (.hgrm) and the interval log, V2.

Both are formats of HdrHistogram: the text is what its plotters read, the log is what its readers
and mergers do. Our counters have its layout of three significant digits, unit one microsecond, so
nothing is lost on the way.
"""

import base64
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from asyncfind.load.histogram import Histogram
from asyncfind.load.result import LoadResult

__all__ = ["hgrm_report", "hgrm_text", "histogram_log", "v2_encoded"]

_V2: Final = 0x1C849303 | 0x10
_V2_COMPRESSED: Final = 0x1C849304 | 0x10
_HEAD: Final = struct.Struct(">IIIIQQd")
_DIGITS: Final = 3
_HIGHEST: Final = 3_600_000_000
"""Largest value that readers are to have room for: an hour, or more where there was more."""
_SUB_BUCKETS: Final = 2048
_TICKS: Final = 5
"""Lines of percentile text for each halving of what is left above."""
_MILLI: Final = 1000.0


def hgrm_report(result: LoadResult) -> str:
    """The percentile distribution of the response times of the whole load."""
    return hgrm_text(result.total.latencies["response"])


def hgrm_text(histogram: Histogram) -> str:
    """The percentile distribution in milliseconds: value, percentile, count, 1/(1-percentile)."""
    lines = ["       Value     Percentile TotalCount 1/(1-Percentile)", ""]
    for percentile, value, seen in _distribution(histogram):
        line = f"{value / _MILLI:12.3f} {percentile / 100:2.12f} {seen:10d}"
        if percentile < 100:
            line += f" {1 / (1 - percentile / 100):14.2f}"
        lines.append(line)
    mean = (histogram.mean or 0.0) * _MILLI
    largest = max(0, histogram.largest)
    buckets = max(1, largest.bit_length() - 10)
    lines += [
        f"#[Mean    = {mean:12.3f}, StdDeviation   = {_deviation(histogram):12.3f}]",
        f"#[Max     = {largest / _MILLI:12.3f}, Total count    = {histogram.count:12d}]",
        f"#[Buckets = {buckets:12d}, SubBuckets     = {_SUB_BUCKETS:12d}]",
    ]
    return "\n".join(lines) + "\n"


def histogram_log(result: LoadResult) -> str:
    """All histograms of the load second by second, as an interval log (format 1.3).

    The tag of a line is the latency's name. Lines of the same tag add up to the whole.
    """
    began = result.started.timestamp()
    lines = [
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {began:.3f} (seconds since epoch), {result.started.isoformat()}]",
        f"#[BaseTime: {began:.3f} (seconds since epoch)]",
        "#[Values are microseconds; Interval_Max is in milliseconds]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for interval in result.intervals:
        for name, histogram in interval.tally.latencies.items():
            if histogram:
                lines.append(
                    f"Tag={name},{interval.at:.3f},{interval.seconds:.3f},"
                    f"{histogram.largest / _MILLI:.3f},{v2_encoded(histogram)}"
                )
    return "\n".join(lines) + "\n"


def v2_encoded(histogram: Histogram) -> str:
    """The histogram in the compressed V2 encoding, in base64."""
    payload = b"".join(map(_zigzag, _runs(histogram)))
    highest = max(_HIGHEST, histogram.largest)
    head = _HEAD.pack(_V2, len(payload), 0, _DIGITS, 1, highest, 1.0)
    packed = zlib.compress(head + payload)
    return base64.b64encode(struct.pack(">II", _V2_COMPRESSED, len(packed)) + packed).decode()


def _runs(histogram: Histogram) -> Iterator[int]:
    """Counts in the order of their counters; so many empty ones on end are one negative number."""
    expected = 0
    for index, count in sorted(histogram.counts.items()):
        if index > expected:
            yield expected - index
        yield count
        expected = index + 1


def _zigzag(number: int) -> bytes:
    """LEB128 of the ZigZag form; the ninth byte, if there is one, has eight bits."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F and len(out) < 8:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _distribution(histogram: Histogram) -> Iterator[tuple[float, int, int]]:
    """Percentile, value in microseconds, values up to it: ever closer to 100, which is the last."""
    level, seen = 0.0, 0
    for highest, count in histogram.buckets():
        seen += count
        value = min(highest, histogram.largest)
        reached = 100.0 * seen / histogram.count
        while level <= reached and seen < histogram.count:
            yield level, value, seen
            halvings = int(math.log2(100 / (100 - level))) + 1
            level += 100 / (_TICKS * 2**halvings)
    if histogram.count:
        yield 100.0, histogram.largest, histogram.count


def _deviation(histogram: Histogram) -> float:
    """The standard deviation in milliseconds, of the counters' values."""
    if not histogram.count:
        return 0.0
    mean = histogram.total / histogram.count
    squares = sum((value - mean) ** 2 * count for value, count in histogram.buckets())
    return math.sqrt(squares / histogram.count) / _MILLI
