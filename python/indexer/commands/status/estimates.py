"""Rates, and when a stream is empty or Redis is full, from what was counted at some moments. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from statistics import fmean, stdev

NOISE = 64 * 1024
"""Bytes that Redis uses more or less from one moment to the next, whatever is in it."""


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted at a moment."""

    at_s: float
    """Monotonic."""
    added: int | None
    """Entries that were ever added to the stream; None where Redis does not say."""
    left: int
    """Entries that the group has not settled."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Entries a second; None where they are not known."""

    into: float | None
    out: float | None


@dataclass(frozen=True, slots=True)
class Empty:
    """Seconds until nothing is left, as things go now; None: never, or nobody knows."""

    seconds: float | None
    least: float | None = None
    most: float | None = None
    """With a `least` and without this: perhaps never."""


def rates(counts: Sequence[Count]) -> Rates:
    """Over the whole time of which it is known what was added."""
    counts = list(dropwhile(lambda count: count.added is None, counts))
    if len(counts) < 2 or counts[-1].at_s <= counts[0].at_s:
        return Rates(None, None)
    first, last = counts[0], counts[-1]
    if first.added is None or last.added is None or last.added < first.added:  # the stream was made anew
        return Rates(None, None)
    elapsed_s = last.at_s - first.at_s
    added = last.added - first.added
    return Rates(added / elapsed_s, max(0.0, (added - (last.left - first.left)) / elapsed_s))


def empty(counts: Sequence[Count]) -> Empty:
    """When the last of them has come to nothing.

    The range is what the speeds between the moments leave open: two standard errors of their mean on either side.
    """
    if counts and not counts[-1].left:
        return Empty(0.0, 0.0, 0.0)
    if len(counts) < 2:
        return Empty(None)
    left = counts[-1].left
    speeds = [(a.left - b.left) / (b.at_s - a.at_s) for a, b in pairwise(counts) if b.at_s > a.at_s]
    if not speeds:
        return Empty(None)
    mean = (counts[0].left - left) / (counts[-1].at_s - counts[0].at_s)
    error = 2 * stdev(speeds, fmean(speeds)) / math.sqrt(len(speeds)) if len(speeds) > 1 else 0.0
    fastest, slowest = mean + error, mean - error
    return Empty(
        left / mean if mean > 0 else None,
        left / fastest if fastest > 0 else None,
        left / slowest if slowest > 0 else None,
    )


def full(at_s: Sequence[float], used: Sequence[int], most: int) -> float | None:
    """Seconds until `used` bytes have become `most`, as things go now; None: never, or nobody knows."""
    if len(used) < 2 or not most or at_s[-1] <= at_s[0]:
        return None
    left, growth = max(0, most - used[-1]), used[-1] - used[0]
    if not left:
        return 0.0
    return left * (at_s[-1] - at_s[0]) / growth if growth > NOISE else None
