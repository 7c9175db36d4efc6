"""Durations in log-spaced buckets: quantiles within 2 %, sums that merge exactly.

A bucket number is the same on every machine and in every file, so that buckets can be
added up anywhere (in memory, in SQL) and finished here. Bucket 0 holds zero. The others
are 18 to a doubling: 17 would put the middle of a bucket 2.04 % from its ends, 18 puts
it 1.93 %. 1 ns is the first of them, 1e12 ms (31 years) the last; what lies outside is
counted at the nearer end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from math import ceil, floor, isnan, log2
from struct import Struct as Layout
from struct import error as LayoutError  # noqa: N812 - beside Layout

from msgspec import Struct

MIN_MS = 1e-6
MAX_MS = 1e12
BUCKETS_PER_DOUBLING = 18
VERSION = 1

_FIRST = 1 - floor(log2(MIN_MS) * BUCKETS_PER_DOUBLING)
LAST_BUCKET = floor(log2(MAX_MS) * BUCKETS_PER_DOUBLING) + _FIRST

_STEP = 2.0 ** (1 / BUCKETS_PER_DOUBLING)
_MIDDLE = 2 * _STEP / (1 + _STEP)  # equally far, relatively, from both ends of a bucket
_HEAD = Layout("<Bd")


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

    def merge_packed(self, packed: bytes) -> None:
        """Add all that `pack` wrote of another histogram, without making that one.

        For adding up thousands of them. Raises ValueError that says what is damaged.
        """
        buckets = self.buckets
        bucket = 0
        numbers = iter(packed[_HEAD.size :])
        try:
            for byte in numbers:
                bucket += byte if byte < 0x80 else _rest(byte, numbers)
                count = next(numbers)
                if count >= 0x80:
                    count = _rest(count, numbers)
                buckets[bucket] = buckets.get(bucket, 0) + count
            version, max_ms = _HEAD.unpack_from(packed)
        except (StopIteration, LayoutError):
            raise ValueError("the histogram is cut short") from None
        if version != VERSION or bucket > LAST_BUCKET:
            raise ValueError("the histogram is of another version, or damaged")
        if max_ms > self.max_ms:
            self.max_ms = max_ms

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

    def pack(self) -> bytes:
        """Write the histogram as bytes, the same for equal histograms.

        One byte of version, `max_ms` as a little-endian double, then for each bucket,
        lowest first, two varints: its distance from the one before, and its count.
        """
        numbers: list[int] = []
        before = 0
        for bucket in sorted(self.buckets):
            numbers.append(bucket - before)
            numbers.append(self.buckets[bucket])
            before = bucket
        packed = bytearray(_HEAD.pack(VERSION, self.max_ms))
        if numbers:
            _put_varint(packed, numbers.pop(0))
            if max(numbers) < 0x80:  # nearly all: a byte each, and no call for it
                packed += bytes(numbers)
            else:
                for number in numbers:
                    _put_varint(packed, number)
        return bytes(packed)


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


def unpack(packed: bytes) -> Histogram:
    """Read what `Histogram.pack` wrote. Raises ValueError that says what is damaged."""
    if len(packed) < _HEAD.size:
        raise ValueError("the histogram is cut short")
    version, max_ms = _HEAD.unpack_from(packed)
    if version != VERSION:
        raise ValueError(f"the histogram is of version {version}, known is {VERSION}")
    if not 0 <= max_ms <= MAX_MS:
        raise ValueError("the histogram's maximum is out of range")
    if len(packed) == _HEAD.size:
        return Histogram(max_ms=max_ms)
    bucket, at = _take_varint(packed, _HEAD.size)
    rest = packed[at:]
    numbers: Sequence[int] = rest if rest.isascii() else _numbers(packed, at)
    if not len(numbers) % 2:
        raise ValueError("the histogram is cut short")
    order = list(accumulate(numbers[1::2], initial=bucket))
    if 0 in numbers[1::2]:
        raise ValueError("the histogram names a bucket twice")
    if order[-1] > LAST_BUCKET or 0 in numbers[::2]:
        raise ValueError("the histogram holds a bucket or a count that cannot be")
    return Histogram(dict(zip(order, numbers[::2], strict=True)), max_ms)


def _numbers(packed: bytes, at: int) -> list[int]:
    """All varints from a place on."""
    numbers = []
    while at < len(packed):
        number, at = _take_varint(packed, at)
        numbers.append(number)
    return numbers


def _rest(byte: int, numbers: Iterator[int]) -> int:
    """A varint whose first byte is not its last."""
    number = shift = 0
    while byte >= 0x80:
        number |= (byte & 0x7F) << shift
        shift += 7
        byte = next(numbers)
    return number | byte << shift


def _put_varint(packed: bytearray, number: int) -> None:
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)


def _take_varint(packed: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    # 9 bytes hold 63 bits; an endless run of damage must not build an endless number.
    for byte in packed[at : at + 9]:
        number |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return number, at
    raise ValueError("the histogram is cut short")
