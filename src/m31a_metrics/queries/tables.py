"""The tables of an index: what each row is, and which of its columns are added up.

Rows of a session are its sums by day; the columns are named as in `answers`, so that a
row of a table is a part of a row of an answer. Rollups hold the sums of many sessions: by
`grain` ("day" or "month"), `span` (2026-11-05 or 2026-11), agent, and project (EVERY: all
projects together).
"""

from __future__ import annotations

from msgspec import Struct

from m31a_metrics.answers import SessionRow
from m31a_metrics.measures import (
    LLMSums,
    PhaseSums,
    PhaseTotals,
    SessionSums,
    ToolSums,
    shared,
)
from m31a_metrics.transcript import Effects

DAY, MONTH = "day", "month"
EVERY = "*"
"""The project of a rollup's row that adds up all projects; no path is this."""


class Summed(Struct, frozen=True):
    """A table of a session's days: what else its rows are told apart by, and its sums.

    `firsts` are figures of the rollup: of how many sessions' rows no earlier one had these
    values of these columns. Added up they count each session once. (`row_count` counts all
    rows: none is like another in all columns.)
    """

    name: str
    dimensions: tuple[str, ...]
    sums: tuple[str, ...]
    firsts: dict[str, tuple[str, ...]] = {}


TOOLS = Summed(
    "tool_days",
    ("tool", "phase"),
    ToolSums.__struct_fields__,
    {
        "row_count": ("day", "tool", "phase"),
        "tool_session_count": ("tool",),
        "phase_session_count": ("phase",),
    },
)
"""Calls by tool and phase; of sessions, also their histogram."""

RAN, LONGEST = "run_times", "longest_ms"
"""Columns of a session's TOOLS: the packed buckets of a histogram, and its maximum."""

ROLLUPS = "rollups"
"""Sums of many sessions: a row to each project, span and agent, its columns packed.

A column of the name of a table holds that table's cells, by dimensions: the firsts and
the sums; `whole_` and the name the sum of all of them.
"""

RAN_PARTS = {"tool_ran": "tool", "phase_ran": "phase"}
"""Columns of the rollups that hold histograms, and what their cells are told apart by.

Apart from the sums, because adding up histograms is what takes time: there are fewer of
them when each is of a tool, or of a phase, and not of both.
"""

LLMS = Summed(
    "llm_days",
    ("model", "phase"),
    LLMSums.__struct_fields__,
    {
        "row_count": ("day", "model", "phase"),
        "model_session_count": ("model",),
        "phase_session_count": ("phase",),
        "pair_session_count": ("model", "phase"),
        "day_session_count": ("day", "model"),
        "week_session_count": ("week", "model"),
        "month_session_count": ("month", "model"),
    },
)
"""LLM use by model and phase."""

PHASES = Summed(
    "phase_days",
    ("phase",),
    PhaseTotals.__struct_fields__,
    {"row_count": ("day", "phase"), "phase_session_count": ("phase",)},
)
"""Phases, with what tools and models did in them."""

SUMMED = (TOOLS, LLMS, PHASES)

WHOLES = {table.name: f"whole_{table.name}" for table in SUMMED}
"""Columns of the rollups that hold the sum of all cells, by the name of the table."""

ROLLED_UP = (*WHOLES.values(), *WHOLES, *RAN_PARTS)
"""All columns of the rollups but for the keys; the shortest first, as they are read."""

PHASES_OF = {
    TOOLS.name: tuple(
        name for name in shared(PhaseTotals, ToolSums) if name not in PhaseSums.__struct_fields__
    ),
    LLMS.name: shared(PhaseTotals, LLMSums),
}
"""Sums of PHASES that are those of another table's rows of the phase, by its name."""

SESSION_SUMS = SessionSums.__struct_fields__
"""What is summed up of each session, and of each of its days."""

SESSIONS_OF = {
    TOOLS.name: shared(SessionSums, ToolSums),
    LLMS.name: shared(SessionSums, LLMSums),
    PHASES.name: tuple(name for name in shared(SessionSums, PhaseSums) if name not in TOOLS.sums),
}
"""Which of SESSION_SUMS are those of a table, by its name; `duration_us` is that of calls."""

EFFECTS = Effects.__struct_fields__
"""What the rules of counting did to each session, as columns of `sessions`."""

SESSION_USES = ("tool_count", "llm_count", "phase_count")
"""How many rows a session's day has in each of SUMMED."""

OWNERS = ("machine", "user")
"""Whose a session is, in a fleet's database: an index is of one machine and one person."""

SESSION_FACTS = tuple(
    name for name in SessionRow.__struct_fields__ if name not in (*SESSION_SUMS, *OWNERS)
)
"""What is known of each session as a whole."""
