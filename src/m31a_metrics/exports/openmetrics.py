"""The past as OpenMetrics text with times, for `promtool tsdb create-blocks-from openmetrics`.

An index knows of the past what each day came to, and not when within the day. So each day on
which a counter grew is spread evenly: a sample at its beginning, at its end, and between them,
close enough for `increase(...[1d])` to find two wherever it looks from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from m31a_metrics.questions.growth import Past
from m31a_metrics.questions.series import BOUNDS_S, FAMILIES, Family, Labels, Runs, Value, added
from m31a_metrics.units import SECOND_US

PARTS = 4
"""Into so many parts a day is divided: six hours."""

_BOUNDS = (*map(repr, BOUNDS_S), "+Inf")
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def written(past: Past, ends: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Write what counters grew by on days, a line at a time.

    `ends` has the beginning and the end of each day in Unix microseconds, the days in their
    order.
    """
    for family in FAMILIES:
        if family not in past:
            continue
        yield f"# HELP {family.name} {family.help.translate(_ESCAPED)}\n"
        yield f"# TYPE {family.name} {family.kind}\n"
        if family.unit:
            yield f"# UNIT {family.name} {family.unit}\n"
        for labels, grew in sorted(past[family].items()):
            yield from _series(family, labels, grew, ends)
    yield "# EOF\n"


def _series(
    family: Family,
    labels: Labels,
    grew: Mapping[str, Value],
    ends: Mapping[str, tuple[int, int]],
) -> Iterator[str]:
    named = [
        f'{name}="{value.translate(_ESCAPED)}"'
        for name, value in zip(family.labels, labels, strict=True)
    ]
    for at_us, value in _samples(grew, ends):
        if not isinstance(value, Runs):
            yield _line(f"{family.name}_total", named, _scaled(value, family), at_us)
            continue
        counts = list(accumulate(value.counts))
        for bound, count in zip(_BOUNDS, counts, strict=True):
            yield _line(f"{family.name}_bucket", [*named, f'le="{bound}"'], str(count), at_us)
        yield _line(f"{family.name}_count", named, str(counts[-1]), at_us)
        yield _line(f"{family.name}_sum", named, _scaled(value.ran_us, family), at_us)


def _samples(
    grew: Mapping[str, Value], ends: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[int, Value]]:
    """Give a counter at its times, each once."""
    so_far: Value | None = None
    last_us = -1
    for day, (begin_us, end_us) in ends.items():
        growth = grew.get(day)
        if growth is None:
            continue
        if so_far is None:
            so_far = _part(growth, 0)
        for part in range(PARTS + 1):
            at_us = begin_us + (end_us - begin_us) * part // PARTS
            if at_us > last_us:
                yield at_us, added(so_far, _part(growth, part))
                last_us = at_us
        so_far = added(so_far, growth)


def _part(growth: Value, part: int) -> Value:
    """So many PARTS of a growth, in whole numbers."""
    if not isinstance(growth, Runs):
        return growth * part // PARTS
    counts = tuple(count * part // PARTS for count in growth.counts)
    return Runs(counts, growth.ran_us * part // PARTS)


def _scaled(value: int | float, family: Family) -> str:
    return str(value) if family.scale == 1 else repr(value / family.scale)


def _line(name: str, labels: Sequence[str], value: str, at_us: int) -> str:
    within = f"{{{','.join(labels)}}}" if labels else ""
    return f"{name}{within} {value} {at_us / SECOND_US:.3f}\n"
