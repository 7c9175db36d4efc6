"""Durations in log-spaced buckets: quantiles within 2 %, sums that merge exactly.

A bucket number is the same on every machine and in every file, so that buckets can be
added up anywhere (in memory, in SQL) and finished here. Bucket 0 holds zero. The others
are 18 to a doubling: 17 would put the middle of a bucket 2.04 % from its ends, 18 puts
it 1.93 %. 1 ns is the first of them, 1e12 ms (31 years) the last; what lies outside is
counted at the nearer end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import ceil, floor, isnan, log2

from msgspec import Struct

MIN_MS = 1e-6
MAX_MS = 1e12
BUCKETS_PER_DOUBLING = 18

_FIRST = 1 - floor(log2(MIN_MS) * BUCKETS_PER_DOUBLING)
LAST_BUCKET = floor(log2(MAX_MS) * BUCKETS_PER_DOUBLING) + _FIRST

_STEP = 2.0 ** (1 / BUCKETS_PER_DOUBLING)
_MIDDLE = 2 * _STEP / (1 + _STEP)  # equally far, relatively, from both ends of a bucket

_STRIDE = LAST_BUCKET + 1
_SMALL_BITS = 5  # counts below 32 end below the surrogates, which are no characters
_FIRST_LARGE = 0x10000
_LARGE_BITS = 63


def bucket_of(value_ms: float) -> int:
    """Give the bucket of a duration in ms: 0 for zero and below, else 1..LAST_BUCKET.

    Raises ValueError for NaN.
    """
    if value_ms >= MAX_MS:
        return LAST_BUCKET
    if value_ms >= MIN_MS:
        return floor(log2(value_ms) * BUCKETS_PER_DOUBLING) + _FIRST
    if value_ms > 0:
        return 1
    if isnan(value_ms):
        raise ValueError("value_ms is not a number")
    return 0


def value_of(bucket: int) -> float:
    """Give the duration in ms that stands for a bucket; within 2 % of all it holds."""
    if bucket <= 0:
        return 0.0
    return float(2.0 ** ((bucket - _FIRST) / BUCKETS_PER_DOUBLING) * _MIDDLE)


class _Meaning(dict[str, tuple[int, int]]):
    """Which bucket a character of a packed histogram is, and how often it counts."""

    def __missing__(self, character: str) -> tuple[int, int]:
        code = ord(character)
        if code >= _FIRST_LARGE:
            bit, bucket = divmod(code - _FIRST_LARGE, _STRIDE)
            count, is_known = 1 << bit, bit < _LARGE_BITS
        else:
            count, bucket = divmod(code - 1 + _STRIDE, _STRIDE)
            is_known = 0 < count < 1 << _SMALL_BITS
        if not is_known:
            raise ValueError("the histogram is damaged")
        self[character] = bucket, count
        return bucket, count


_meaning = _Meaning()
_FEW = 200


class Histogram(Struct, array_like=True):
    """How many durations fell into which bucket; empty buckets take no room.

    `max_ms` is exact (0 while empty). Two histograms are equal when they hold the same.
    """

    buckets: dict[int, int] = {}
    max_ms: float = 0.0

    @property
    def count(self) -> int:
        """How many durations were added."""
        return sum(self.buckets.values())

    def add(self, value_ms: float, count: int = 1) -> None:
        """Count a duration in ms `count` times.

        Raises ValueError for NaN and for a count below one, and then changes nothing.
        """
        if count < 1:
            raise ValueError("count must be at least 1")
        if MIN_MS <= value_ms < MAX_MS:  # bucket_of, written out: its call costs a third
            bucket = floor(log2(value_ms) * BUCKETS_PER_DOUBLING) + _FIRST
        else:
            bucket = bucket_of(value_ms)
        buckets = self.buckets
        buckets[bucket] = buckets.get(bucket, 0) + count
        if value_ms > self.max_ms:
            self.max_ms = float(min(value_ms, MAX_MS))

    def add_all(self, values_ms: Sequence[float]) -> None:
        """Count each of these durations (ms) once. Raises ValueError for NaN."""
        buckets = self.buckets
        get = buckets.get
        for value_ms in values_ms:
            if MIN_MS <= value_ms < MAX_MS:
                bucket = floor(log2(value_ms) * BUCKETS_PER_DOUBLING) + _FIRST
            else:
                bucket = bucket_of(value_ms)
            buckets[bucket] = get(bucket, 0) + 1
        if values_ms and (longest_ms := max(values_ms)) > self.max_ms:
            self.max_ms = min(longest_ms, MAX_MS)

    def merge(self, other: Histogram) -> None:
        """Add all that another histogram holds; it stays as it is."""
        buckets = self.buckets
        for bucket, count in other.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
        self.max_ms = max(self.max_ms, other.max_ms)

    def merge_packed(self, packed: str, max_ms: float) -> None:
        """Add all that histograms hold whose texts by `pack` were put one behind another.

        `max_ms` is the largest of theirs. Raises ValueError for what no histogram packs.
        """
        buckets = self.buckets
        get = buckets.get
        if len(packed) > _FEW:
            for character, times in Counter(packed).items():  # counted in C, however many
                bucket, count = _meaning[character]
                buckets[bucket] = get(bucket, 0) + count * times
        else:
            for character in packed:
                bucket, count = _meaning[character]
                buckets[bucket] = get(bucket, 0) + count
        self.max_ms = max(self.max_ms, max_ms)

    def quantile(self, q: float) -> float | None:
        """Give the nearest-rank quantile in ms, within 2 %; None while empty.

        Raises ValueError for a q outside 0..1.
        """
        if not 0 <= q <= 1:
            raise ValueError("q must be between 0 and 1")
        if not self.buckets:
            return None
        count = self.count
        # Rounded first: 0.07 * 100 is 7.000000000000001, and its ceiling a rank too high.
        rank = max(1, ceil(round(q * count, 6)))
        if rank >= count:
            return self.max_ms
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                break
        return min(value_of(bucket), self.max_ms)

    def pack(self) -> str:
        """Write the buckets as a text, the same for equal ones; `max_ms` is kept beside it.

        A character is a bucket and how often it counts (a power of two, where that is 32 or
        more): texts that are put one behind another hold the sum, and a database can do that.
        """
        packed = []
        for bucket in sorted(self.buckets):
            count = self.buckets[bucket]
            small = count & ((1 << _SMALL_BITS) - 1)
            if small:
                packed.append(chr(1 + bucket + _STRIDE * (small - 1)))
            if small != count:
                packed += [
                    chr(_FIRST_LARGE + bucket + _STRIDE * bit)
                    for bit in range(_SMALL_BITS, count.bit_length())
                    if count >> bit & 1
                ]
        return "".join(packed)


def summed(histograms: Iterable[Histogram]) -> Histogram:
    """All that histograms hold, added up; they stay as they are."""
    longest_ms = 0.0
    buckets: dict[int, int] = {}
    for one in histograms:
        if one.max_ms > longest_ms:
            longest_ms = one.max_ms
        if not buckets:
            buckets.update(one.buckets)
            continue
        for bucket, count in one.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
    return Histogram(buckets, longest_ms)


def unpack(packed: str, max_ms: float) -> Histogram:
    """Read what `Histogram.pack` wrote. Raises ValueError for what it never writes."""
    histogram = Histogram()
    histogram.merge_packed(packed, max_ms)
    return histogram


def packed_percentiles(packed: str, max_ms: float, percents: Sequence[int]) -> list[float | None]:
    """Give percentiles of one text by `pack`, in ms: what `quantile` says of a hundredth of each.

    Read straight out of the text, whose buckets ascend: for rows by the million.
    """
    if not packed:
        return [None] * len(percents)
    ranks = list(accumulate(map(_count_of.__getitem__, packed)))
    total = ranks[-1]
    quantiles: list[float | None] = []
    for percent in percents:
        rank = -(-total * percent // 100) or 1
        if rank >= total:
            quantiles.append(max_ms)
        else:
            value_ms = _value_of[packed[bisect_left(ranks, rank)]]
            quantiles.append(min(max_ms, value_ms))
    return quantiles


class _CountOf(dict[str, int]):
    """How often a character of a packed histogram counts."""

    def __missing__(self, character: str) -> int:
        count = self[character] = _meaning[character][1]
        return count


class _ValueOf(dict[str, float]):
    """The duration that stands for the bucket of a character."""

    def __missing__(self, character: str) -> float:
        value = self[character] = value_of(_meaning[character][0])
        return value


_count_of = _CountOf()
_value_of = _ValueOf()
