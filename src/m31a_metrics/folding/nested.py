"""A session as one row with nested arrays: how a fleet's database keeps it.

One row, because then replacing a session is whole by itself: what an engine replaces by a
key, it never removes, so rows of their own would stay behind (docs/fleet.md). The arrays are
the tables of `queries.tables`, whose texts are asked of views that unfold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from m31a_metrics.histogram import unpack
from m31a_metrics.queries.tables import (
    EFFECTS,
    LLMS,
    LONGEST,
    PHASES,
    RAN,
    SESSION_SUMS,
    SESSION_USES,
    TOOLS,
)
from m31a_metrics.queries.texts import HEAL

TEXT, WHOLE, MAYBE, REAL, BUCKETS = "text", "whole", "maybe", "real", "buckets"
"""Kinds of columns: a text, a whole number, one or none, a float, numbers of a histogram."""

FACTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("agent", "native_id", "session_id", "path", "version", "project", "branch"),
            *("worktree", "parent_id", "labels", "rate_limits", "models", "first_day"),
            *("last_day", "zone"),
        ),
        TEXT,
    ),
    **dict.fromkeys(
        (
            *("started_us", "updated_us", "user_turn_count", "compaction_count"),
            *("unpaired_count", "is_recorded", "is_gone", "lot", "damage_count", *EFFECTS),
        ),
        WHOLE,
    ),
}
"""What is known of a session as a whole, by column, with its kind."""


class Nest(Struct, frozen=True):
    """A table of the index as arrays of a session's row; `prefix` leads their names."""

    prefix: str
    table: str
    columns: Mapping[str, str]


def _columns(texts: Iterable[str], wholes: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(texts, TEXT) | dict.fromkeys(wholes, WHOLE)


_HEAL_TEXTS = ("day", "phase", "tool", "check_name", "line")
_HEALS = {name: TEXT if name in _HEAL_TEXTS else WHOLE for name in HEAL}
_HEALS |= {"passed": MAYBE, "cost_nano": MAYBE, "known_nano": WHOLE}

RAN_BUCKET, RAN_COUNT = "ran_bucket", "ran_count"
"""Of a row of tools: the buckets of its histogram, and how many calls each holds."""

NESTS = (
    Nest("d", "session_days", _columns(("day",), (*SESSION_SUMS, *SESSION_USES))),
    Nest(
        "t",
        TOOLS.name,
        _columns(("day", *TOOLS.dimensions), TOOLS.sums)
        | {LONGEST: REAL, RAN_BUCKET: BUCKETS, RAN_COUNT: BUCKETS},
    ),
    Nest("l", LLMS.name, _columns(("day", *LLMS.dimensions), LLMS.sums)),
    Nest("p", PHASES.name, _columns(("day", *PHASES.dimensions), PHASES.sums)),
    Nest("h", "heals", _HEALS),
    Nest("f", "failures", _columns(("day", "tool", "line"), ("count",))),
    Nest("n", "session_labels", _columns(("name", "value"), ())),
)


def columns_of(nest: Nest) -> tuple[str, ...]:
    """The columns of the index's table that a nest is made of."""
    return _COLUMNS[nest.table]


def _own_columns(nest: Nest) -> tuple[str, ...]:
    own = [name for name in nest.columns if name not in (RAN_BUCKET, RAN_COUNT)]
    return (*own, RAN) if nest.table == TOOLS.name else tuple(own)


# Made once: a push asks for them with each session.
_COLUMNS = {nest.table: _own_columns(nest) for nest in NESTS}
_ARRAYS = {
    nest.table: tuple(f"{nest.prefix}.{name}" for name in _own_columns(nest)) for nest in NESTS
}
_TOOLS = next(nest for nest in NESTS if nest.table == TOOLS.name).prefix


def session_key(agent: str, native_id: str, started_us: int = 0) -> int:
    """The number of a session in a fleet: the same whichever machine tells of it.

    `started_us` (Unix microseconds) tells sessions apart whose ids are too short to differ
    among all machines: those of Collectors have 8 hex characters, or what their host says.
    """
    known = f"{agent}\0{native_id}".encode("utf-8", "surrogatepass")
    if started_us:
        known += f"\0{started_us}".encode()
    return int.from_bytes(blake2b(known, digest_size=8).digest(), "little") >> 1


class Kept(Struct):
    """A session as the index keeps it: FACTS and sums of its row, and its rows by table."""

    facts: dict[str, Any]
    sums: Sequence[int]
    search: str
    rows: dict[str, list[tuple[Any, ...]]]


def nested(kept: Kept, revision: int, who: Mapping[str, str]) -> dict[str, Any]:
    """Make the row of a session; `who` are the machine and the user that tell of it."""
    facts = kept.facts
    row: dict[str, Any] = {
        "session": session_key(facts["agent"], facts["native_id"]),
        "revision": revision,
        "deleted": 0,
        **who,
        **{name: facts[name] for name in FACTS},
        **dict(zip(SESSION_SUMS, kept.sums, strict=True)),
        "search": kept.search,
    }
    for table, names in _ARRAYS.items():
        rows = kept.rows.get(table, [])
        row.update(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))
    unfolded = [unpack(packed, 0.0).buckets for packed in row.pop(f"{_TOOLS}.{RAN}")]
    ordered = [sorted(one) for one in unfolded]
    row[f"{_TOOLS}.{RAN_BUCKET}"] = ordered
    row[f"{_TOOLS}.{RAN_COUNT}"] = [
        [one[bucket] for bucket in buckets] for one, buckets in zip(unfolded, ordered, strict=True)
    ]
    return row


TOMBSTONE = (1 << 63) - 1
"""The revision of a session that was forgotten: no other one is greater."""


def tombstone(session: int, first_day: str, revision: int = TOMBSTONE) -> dict[str, Any]:
    """Make the row that takes a session (`session_key`) out; it lies in its own partition."""
    return {
        "session": session,
        "revision": revision,
        "deleted": 1,
        "first_day": first_day,
    }
