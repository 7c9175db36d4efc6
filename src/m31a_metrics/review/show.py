"""What happened in one session."""

from __future__ import annotations

from typing import Protocol

from m31a_metrics.model import SessionDetail, SessionMetrics
from m31a_metrics.review import columns
from m31a_metrics.review.cost import cost
from m31a_metrics.review.phases import phases
from m31a_metrics.review.sessions import session_table
from m31a_metrics.review.sums import ratio
from m31a_metrics.review.tools import tools
from m31a_metrics.table import Cell, Column, Table, Unit
from m31a_metrics.transcript import Facts

TRANSCRIPT = [
    columns.AGENT,
    Column("version", "Version"),
    Column("native_id", "Session id"),
    columns.PROJECT,
    Column("branch", "Branch"),
    Column("models", "Models"),
    Column("parent_id", "Forked from"),
    Column("user_turn_count", "User turns", Unit.COUNT),
    Column("compaction_count", "Compactions", Unit.COUNT),
    Column("subagent_tokens", "Subagents' tokens", Unit.TOKENS),
    Column("unpaired_count", "Calls without result", Unit.COUNT),
]
LINES = [Column("fact", "Fact"), Column("value", "Value")]
"""The same for people: a path is longer than a column may be."""

STRATEGIES = [
    Column("strategy", "Strategy"),
    Column("count", "Edits", Unit.COUNT),
    Column("edit_share", "Share of edits", Unit.BAR),
]


class Told(Protocol):
    """What the transcript of another agent tells of a session."""

    @property
    def facts(self) -> Facts:
        """Who, which version, where."""
        ...

    @property
    def user_turns(self) -> int:
        """How often a person said something."""
        ...

    @property
    def compactions(self) -> int:
        """How often the context was compacted."""
        ...

    @property
    def subagent_tokens(self) -> int:
        """Tokens of subagents, which are among the session's."""
        ...

    @property
    def unpaired_count(self) -> int:
        """Tool calls whose result was never seen."""
        ...


def show(
    metrics: SessionMetrics,
    detail: SessionDetail,
    told: Told | None = None,
    *,
    whole: bool = False,
) -> list[Table]:
    """Show one session: its head, transcript, phases, heals, tools, cost, edit strategies.

    `detail` is what its journals know, empty where it has none; `told` what its transcript
    tells, if it is another agent's. `whole` adds the columns that a terminal has no room
    for. The titles are the same for every session, because they are the keys of the JSON.
    """
    one = [metrics]
    facts = {} if told is None else {metrics.session_id: told.facts}
    head = session_table("Session", one, None, facts, whole=whole)
    in_phases, healing = phases(one)
    of_tools = tools(one, detail.durations, transcripts=told is not None)
    of_tools.title, in_phases.notes = "Tools", []  # whose they are, the head says
    by_phase, by_model, _ = cost(one, detail.models)
    tables = [in_phases, healing, of_tools, by_phase, by_model, _strategies(metrics)]
    return [head, _transcript(metrics, told, whole), *tables]


def _transcript(metrics: SessionMetrics, told: Told | None, whole: bool) -> Table:
    """Show who ran where: a row for programs, for people a line per thing that is known."""
    table = Table("Transcript", TRANSCRIPT if whole else LINES)
    if told is None:
        return table
    facts = told.facts
    row: tuple[Cell, ...] = (
        facts.agent,
        facts.version or None,
        metrics.session_id,
        facts.project or None,
        facts.branch or None,
        ", ".join(facts.models) or None,
        facts.parent_id or None,
        told.user_turns,
        told.compactions,
        told.subagent_tokens,
        told.unpaired_count,
    )
    if whole:
        table.rows = [row]
        return table
    for column, cell in zip(TRANSCRIPT, row, strict=True):
        if cell:
            table.rows.append((column.title, f"{cell:,}" if isinstance(cell, int) else cell))
    return table


def _strategies(metrics: SessionMetrics) -> Table:
    whole = sum(row.count for row in metrics.edit_strategies)
    return Table(
        "Edit strategies",
        STRATEGIES,
        [(row.strategy, row.count, ratio(row.count, whole)) for row in metrics.edit_strategies],
    )
