"""Whether two lots of sessions differ by more than chance: a rank test and an interval.

The rank test (Mann-Whitney U, the Wilcoxon rank-sum test) asks whether sessions of one lot
tend to have larger values. Costs and times are skewed, and it minds neither that nor
outliers. The interval is about the figure that is shown, a ratio of sums.

Chance is a counter-based generator of our own: the same question gets the same answer on
every machine and in every version of Python, and this floor stays free of state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from math import ceil, erfc, floor, sqrt

from msgspec import Struct

EXACT_MAX = 40
"""Up to so many values together p is exact; beyond, the normal approximation is near."""

GROUP_COUNT_MAX = 64
RESAMPLE_COUNT = 999

_SLOT = 64  # bits; C(40, 20) ways to choose fit in 38 of them
_MASK = (1 << 64) - 1

Part = tuple[float, float]
"""What a session adds to a figure: to what is divided, and to what it is divided by."""


class Ranks(Struct, frozen=True):
    """What the rank test found.

    `tendency` is the chance that a value of the first lot is above one of the second, less
    that it is below: 1 where all are above, 0 where neither tends to be.
    """

    p_value: float
    tendency: float


def rank_test(first: Sequence[float], second: Sequence[float]) -> Ranks:
    """Tell how likely two lots that do not differ would look at least as different.

    Two-sided. Exact for up to EXACT_MAX values, ties included: of all ways to deal the ranks
    out, those that are as far from the middle. Beyond, the normal approximation with the
    corrections for ties and for continuity (Hollander and Wolfe, Nonparametric Statistical
    Methods, 4.1). Raises ValueError for an empty lot.
    """
    if not first or not second:
        raise ValueError("a rank test needs values on both sides")
    n, m = len(first), len(second)
    doubled, ties = _doubled_ranks(first, second)
    # Twice the rank sum, less what it is on average: a whole number, whatever the ties.
    away = sum(doubled[:n]) - n * (n + m + 1)
    tendency = away / (n * m)
    if n + m <= EXACT_MAX:
        return Ranks(_exact(doubled, min(n, m), abs(away)), tendency)
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return Ranks(1.0, tendency)
    distance = max(abs(away) / 2 - 0.5, 0.0) / sqrt(variance)
    return Ranks(erfc(distance / sqrt(2)), tendency)


def _doubled_ranks(first: Sequence[float], second: Sequence[float]) -> tuple[list[int], int]:
    """Rank all values, equal ones in the middle of theirs; twice that, so that it is whole.

    Also gives the sum of t³ - t over the sizes t of the lots of equal values.
    """
    values = [*first, *second]
    order = sorted(range(len(values)), key=values.__getitem__)
    doubled = [0] * len(values)
    ties = start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for at in order[start:end]:
            doubled[at] = start + end + 1  # twice the mean of the ranks start+1 .. end
        ties += (end - start) ** 3 - (end - start)
        start = end
    return doubled, ties


def _exact(doubled: Sequence[int], chosen: int, away: int) -> float:
    """Give the part of all ways to choose so many ranks whose sum is that far from the mean.

    `ways[k]` counts the ways to choose k of the ranks seen so far, by their sum: a number
    whose digits, of 64 bits, are the counts. Adding a rank shifts the digits.
    """
    ways = [1] + [0] * chosen
    for rank in doubled:
        for k in range(chosen, 0, -1):
            ways[k] += ways[k - 1] << (_SLOT * rank)
    mean = chosen * (len(doubled) + 1)
    digits = ways[chosen]
    low, total = mean - away, _digit_sum(digits)
    if not away:
        return 1.0
    below = _digit_sum(digits & ((1 << _SLOT * (low + 1)) - 1)) if low >= 0 else 0
    above = _digit_sum(digits >> (_SLOT * (mean + away)))
    return (below + above) / total


def _digit_sum(digits: int) -> int:
    size = _SLOT // 8
    packed = digits.to_bytes(-(-digits.bit_length() // _SLOT) * size, "little")
    return sum(
        int.from_bytes(packed[at : at + size], "little") for at in range(0, len(packed), size)
    )


def interval(
    first: Sequence[Part], second: Sequence[Part], level: float = 0.95
) -> tuple[float, float] | None:
    """Give the bootstrap interval of the first figure less the second.

    A figure is the sum of its sessions' parts divided by the sum of what they are divided
    by, as `sum(costs) / sessions`. Sessions are dealt into at most GROUP_COUNT_MAX groups of
    one size, and groups are drawn anew: as good for sums, and no more work for 100,000
    sessions than for 64. Percentiles of RESAMPLE_COUNT differences (Efron and Tibshirani, An
    Introduction to the Bootstrap, 13). None where fewer than two sessions are on a side, or
    where drawings have nothing to divide by.
    """
    if len(first) < 2 or len(second) < 2:
        return None
    one, other = sorted(first), sorted(second)
    if one > other:
        swapped = interval(other, one, level)
        return None if swapped is None else (-swapped[1], -swapped[0])
    drawn = zip(_figures(one, 1), _figures(other, 2), strict=True)
    differences = sorted(a - b for a, b in drawn if a is not None and b is not None)
    if len(differences) < RESAMPLE_COUNT // 2:
        return None
    tail = (1 - level) / 2 * (len(differences) - 1)
    return differences[floor(tail)], differences[ceil(len(differences) - 1 - tail)]


def _figures(parts: Sequence[Part], seed: int) -> Iterator[float | None]:
    """Draw the sessions anew, again and again; the figure of each drawing."""
    groups = _groups(parts)
    above, below = [group[0] for group in groups], [group[1] for group in groups]
    # Of an amount per session every group has the same to divide by, whichever are drawn.
    is_same = below.count(below[0]) == len(below) and below[0] == int(below[0])
    whole = below[0] * len(below)
    for places in _drawings(len(groups), seed):
        if not is_same:
            whole = sum(map(below.__getitem__, places))
        yield sum(map(above.__getitem__, places)) / whole if whole else None


def _groups(parts: Sequence[Part]) -> list[Part]:
    if len(parts) <= GROUP_COUNT_MAX:
        return list(parts)
    # By chance, or what follows each other (the sessions of one day) would share a group.
    order = sorted(zip(_numbers(0), parts, strict=False))
    dealt = [part for _, part in order]
    return [
        (sum(part[0] for part in group), sum(part[1] for part in group))
        for group in (dealt[at::GROUP_COUNT_MAX] for at in range(GROUP_COUNT_MAX))
    ]


@lru_cache(maxsize=16)
def _drawings(count: int, seed: int) -> list[bytes]:
    """RESAMPLE_COUNT times: `count` places out of `count`, with replacement.

    Kept, because most figures of a comparison are drawn alike. Places are below 64: bytes.
    """
    numbers = _numbers(seed)
    return [
        bytes(number * count >> 64 for number in islice(numbers, count))
        for _ in range(RESAMPLE_COUNT)
    ]


def _numbers(seed: int) -> Iterator[int]:
    """Give numbers of 64 bits without end (SplitMix64: Steele, Lea and Flood, OOPSLA 2014)."""
    state = seed
    while True:
        state = state + 0x9E3779B97F4A7C15 & _MASK
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
        yield mixed ^ mixed >> 31
