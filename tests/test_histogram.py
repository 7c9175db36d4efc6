"""Histogram: within 2 % of the exact quantile, adds up in any order, survives its text."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.histogram import (
    LAST_BUCKET,
    MAX_MS,
    MIN_MS,
    Histogram,
    bucket_of,
    packed_percentiles,
    summed,
    unpack,
    value_of,
)

durations = st.one_of(
    st.just(0.0),
    st.floats(MIN_MS, MAX_MS),
    st.integers(0, 10**12).map(float),
    st.floats(0.1, 100_000),
)
samples = st.lists(durations, max_size=60)


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def nearest_rank(values: list[float], q: float) -> float:
    rank = max(1, math.ceil(round(q * len(values), 6)))
    return sorted(values)[rank - 1]


@given(samples)
def test_percentiles_of_a_packed_text(values: list[float]) -> None:
    """Read out of the text, they are what the histogram says."""
    histogram = of(values)
    percents = [0, 1, 50, 95, 99, 100]
    assert packed_percentiles(histogram.pack(), histogram.max_ms, percents) == [
        histogram.quantile(percent / 100) for percent in percents
    ]


@given(
    samples.filter(bool), st.one_of(st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]), st.floats(0, 1))
)
def test_quantile_is_within_two_percent(values: list[float], q: float) -> None:
    """Any quantile of any durations differs from the exact nearest rank by 2 % at most."""
    exact = nearest_rank(values, q)
    found = of(values).quantile(q)
    assert found is not None
    assert abs(found - exact) <= 0.02 * exact


@given(st.floats(MIN_MS, MAX_MS))
def test_bucket_stands_for_its_values(value: float) -> None:
    """The value of a bucket is within 2 % of each value that falls into it."""
    bucket = bucket_of(value)
    assert 1 <= bucket <= LAST_BUCKET
    assert abs(value_of(bucket) - value) <= 0.02 * value


@pytest.mark.parametrize("bucket", range(1, LAST_BUCKET + 1, 7))
def test_bucket_of_its_own_value(bucket: int) -> None:
    """A bucket's value falls back into that bucket."""
    assert bucket_of(value_of(bucket)) == bucket


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        (0, 0),
        (-5, 0),
        (-math.inf, 0),
        (5e-324, 1),
        (1e-6, 1),
        (1, 360),
        (2, 378),
        (1e12, LAST_BUCKET),
        (1e300, LAST_BUCKET),
        (math.inf, LAST_BUCKET),
    ],
)
def test_bucket_numbers_stay(value: float, bucket: int) -> None:
    """Bucket numbers are stored, so these may never change; out of range is clamped."""
    assert bucket_of(value) == bucket
    histogram = Histogram()
    histogram.add(value)
    assert histogram.buckets == {bucket: 1}


def test_maximum_is_exact_and_clamped() -> None:
    """The largest duration is kept as it came, and no quantile goes beyond it."""
    histogram = of([1.0, 1.0, 1234.567])
    assert histogram.max_ms == 1234.567
    assert histogram.quantile(1) == 1234.567
    assert of([7.0]).quantile(0.5) == 7.0
    assert of([math.inf]).max_ms == MAX_MS


def test_empty_knows_no_quantile() -> None:
    """An empty histogram has no quantile, no count and no maximum."""
    assert Histogram().quantile(0.5) is None
    assert Histogram().count == 0
    assert Histogram().max_ms == 0


def test_zeros_are_zero() -> None:
    """Zero has its own bucket and comes back as zero."""
    assert of([0.0, 0.0, 5.0]).quantile(0.5) == 0


@pytest.mark.parametrize("call", [(math.nan,), (1.0, 0), (1.0, -1)])
def test_nonsense_is_refused(call: tuple[float, ...]) -> None:
    """NaN and counts below one raise ValueError and change nothing."""
    histogram = of([1.0])
    with pytest.raises(ValueError, match="value_ms|count"):
        histogram.add(*call)  # type: ignore[arg-type]
    assert histogram == of([1.0])


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_quantile_outside_is_refused(q: float) -> None:
    """A quantile outside 0..1 is an error and not a guess."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        of([1.0]).quantile(q)


@given(durations, st.integers(1, 10**6))
def test_count_is_repetition(value: float, count: int) -> None:
    """Adding with a count equals merging as many single ones."""
    once = Histogram()
    once.add(value, count)
    assert once.count == count
    assert once.buckets == {bucket_of(value): count}


@given(samples, samples, samples)
def test_merge_adds_up(a: list[float], b: list[float], c: list[float]) -> None:
    """Merging is associative and commutative, and equals adding everything to one."""
    left = of(a)
    left.merge(of(b))
    left.merge(of(c))
    inner = of(c)
    inner.merge(of(b))
    right = of(a)
    right.merge(inner)
    assert left == right == of(a + b + c)


@given(st.lists(samples, max_size=4))
def test_sums_hold_all_and_leave_the_parts(parts: list[list[float]]) -> None:
    """Summed up, histograms hold what all of them hold, and stay as they are."""
    histograms = [of(part) for part in parts]
    assert summed(histograms) == of([value for part in parts for value in part])
    assert histograms == [of(part) for part in parts]


@given(samples, samples.map(lambda values: [-1.0, math.inf, *values]))
def test_many_at_once_are_many_one_by_one(first: list[float], more: list[float]) -> None:
    """Durations outside of all buckets too, and on top of what was there."""
    histogram = of(first)
    histogram.add_all(more)
    assert histogram == of(first + more)
    with pytest.raises(ValueError, match="not a number"):
        histogram.add_all([math.nan])


@given(samples)
def test_merge_with_itself_doubles(values: list[float]) -> None:
    """A histogram may be merged with itself."""
    histogram = of(values)
    histogram.merge(histogram)
    assert histogram == of(values + values)


@given(samples, st.integers(1, 2**40))
def test_its_text_brings_it_back(values: list[float], count: int) -> None:
    """unpack(pack(h)) is h, and equal histograms have equal texts."""
    histogram = of(values)
    histogram.add(1.0, count)
    assert unpack(histogram.pack(), histogram.max_ms) == histogram
    other = of(values[::-1])
    other.add(1.0, count)
    assert other.pack() == histogram.pack()


def test_its_text_is_pinned() -> None:
    """The stored form does not change: a character to a bucket, larger counts by powers of two."""
    histogram = Histogram()
    histogram.add(0)
    histogram.add(1.0, 300)
    histogram.add(2.0)
    bucket = bucket_of(1.0)
    stride = LAST_BUCKET + 1
    expected = [1, 1 + bucket + 11 * stride, 0x10000 + bucket + 5 * stride]
    expected += [0x10000 + bucket + 8 * stride, 1 + bucket + 18]
    assert list(map(ord, histogram.pack())) == expected


def test_its_text_is_short() -> None:
    """A thousand calls of a tool between 10 ms and 10 s take under 600 bytes, a billion 60."""
    histogram = of([10 * 1000 ** (i / 1000) for i in range(1000)])
    assert len(histogram.pack().encode()) < 600
    histogram = Histogram()
    histogram.add(1.0, 10**9)
    assert len(histogram.pack().encode()) < 60


@given(st.text(max_size=30))
def test_damage_is_named_or_harmless(packed: str) -> None:
    """Any text is a histogram or a ValueError, and nothing else."""
    try:
        histogram = unpack(packed, 1.0)
    except ValueError as error:
        assert "histogram" in str(error)
    else:
        assert all(0 <= bucket <= LAST_BUCKET for bucket in histogram.buckets)
        assert all(count > 0 for count in histogram.buckets.values())


@given(st.lists(durations, max_size=30), st.lists(durations, max_size=30))
def test_packed_histograms_merge_as_they_are(left: list[float], right: list[float]) -> None:
    """Texts put one behind another hold what merging gives."""
    one, other = Histogram(), Histogram()
    for value_ms in left:
        one.add(value_ms, 1_000)
    for value_ms in right:
        other.add(value_ms)
    merged = Histogram()
    merged.merge_packed(one.pack() + other.pack(), max(one.max_ms, other.max_ms))
    one.merge(other)
    assert merged == one


@pytest.mark.parametrize("packed", ["\0", "\uffff", chr(0x10FFFF)])
def test_merging_damage_is_refused(packed: str) -> None:
    """What is out of range raises ValueError."""
    with pytest.raises(ValueError, match="the histogram is"):
        Histogram().merge_packed(packed, 0)
