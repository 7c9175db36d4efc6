"""A baseline: the metrics of a slice in a file, for gates to hold later sessions against.

JSON, with `m31_baseline` first, which is the version; docs/compare.md describes it. It holds
figures and the names of metrics, and nothing else of any session.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from m31a_metrics.comparison.metrics import named, names_of
from m31a_metrics.comparison.sides import Side
from m31a_metrics.errors import NotThisFormat

VERSION = 1
MARK = b'{"m31_baseline":'
"""So a baseline begins, white space aside."""


class Value(Struct, frozen=True, forbid_unknown_fields=True):
    """What a metric was, in its unit, and of how many sessions; None: not known."""

    value: float | None
    unit: str
    session_count: int


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """The metrics of the sessions that `label` names, at a time (RFC 3339)."""

    m31_baseline: int
    made_at: str
    label: str
    session_count: int
    metrics: dict[str, Value]


class _Version(Struct):
    m31_baseline: int


def baseline(side: Side, made_at: str) -> Baseline:
    """Compute every metric that there is of a side."""
    values = values_of(side, names_of([side]))
    return Baseline(VERSION, made_at, side.label, side.totals.session_count, values)


def values_of(side: Side, names: Iterable[str]) -> dict[str, Value]:
    """Compute the metrics of these names."""
    values = {}
    for name in names:
        metric = named(name)
        if metric is not None:
            figure = metric.of(side)
            values[name] = Value(figure.value, metric.unit.value, figure.session_count)
    return values


def write(one: Baseline) -> bytes:
    """Write a baseline as JSON to be kept and compared by version control."""
    return msgspec.json.format(msgspec.json.encode(one), indent=1) + b"\n"


def is_baseline(content: bytes) -> bool:
    """Tell whether a file's content is a baseline, of whatever version."""
    return content[:200].translate(None, b" \t\r\n").startswith(MARK)


def read(content: bytes, place: str) -> Baseline:
    """Read what `write` wrote. Raises NotThisFormat that names the place."""
    try:
        version = msgspec.json.decode(content, type=_Version).m31_baseline
        if version == VERSION:
            return msgspec.json.decode(content, type=Baseline)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotThisFormat(
            f"{place} is no whole baseline ({error}); make one: m31 baseline > FILE"
        ) from None
    raise NotThisFormat(
        f"{place} is a baseline of version {version}, and this m31 knows {VERSION}; "
        "use the m31 that made it, or make it anew: m31 baseline > FILE"
    )
