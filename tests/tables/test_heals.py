"""Heals: what failed, what it took, how often it works, and where."""

from __future__ import annotations

from m31a_metrics.answers import HealRow, PhaseRow, TotalsRow
from m31a_metrics.record import HealEpisode, PhaseDay, SessionRecord
from m31a_metrics.table import Table
from m31a_metrics.tables.columns import FLEET
from m31a_metrics.tables.heals import LIST, PARTS, heals, heals_by
from m31a_metrics.tables.phrases import Scope
from m31a_metrics.units import NANO_PER_USD
from tests.tables.builders import ALL, NOW, column, day, indexed, record, records, scope


def attempt(
    chain: int,
    passed: bool | None,
    cost_usd: float | None = None,
    *,
    days_ago: int = 0,
    **more: object,
) -> HealEpisode:
    """One attempt to make pytest pass, of a second."""
    began_us = int(NOW.timestamp()) * 1_000_000 + chain
    cost_nano = None if cost_usd is None else round(cost_usd * NANO_PER_USD)
    return HealEpisode(
        day(days_ago),
        chain,
        "verify",
        "Bash",
        "pytest",
        "AssertionError: assert <n> == <n>",
        passed=passed,
        began_us=began_us,
        duration_us=1_000_000,
        total_tokens=10,
        cost_nano=cost_nano,
        **more,  # type: ignore[arg-type] # as given
    )


def session(name: str, *attempts: HealEpisode, **more: str) -> SessionRecord:
    """A session of these attempts, counted in its phase as the ledger does."""
    sums = PhaseDay(
        attempts[0].day,
        "verify",
        heal_trigger_count=len(attempts),
        heal_success_count=sum(one.passed is True for one in attempts),
        heal_fail_count=sum(one.passed is False for one in attempts),
        heal_duration_us=sum(one.duration_us for one in attempts),
    )
    return record(name, sums, *attempts, **more)  # type: ignore[arg-type] # agent and project


def asked(*sessions: SessionRecord, whole: bool = False) -> list[Table]:
    """The tables of these sessions."""
    answers = indexed(sessions)
    return heals(answers.heals(ALL), answers.phases(ALL), scope(answers), whole=whole)


def by(part: str, *sessions: SessionRecord) -> Table:
    """The heals of these sessions by one part."""
    answers = indexed(sessions)
    return heals_by(answers.phases(ALL, part), answers.heals(ALL), scope(answers), part)


def test_attempts_at_one_failure_are_one_row() -> None:
    """A row has the tries, the last outcome, and the time and money of all of them."""
    table = asked(
        session("0b7e2f14-1111", attempt(1, False, 0.25), attempt(1, True, 0.5), agent="codex"),
        session("b", attempt(1, None)),
    )[0]
    assert table.columns == LIST
    first, second = records(table)
    assert first["check"] == "pytest"
    assert first["line"] == "AssertionError: assert <n> == <n>"
    assert (first["attempt_count"], first["passed"]) == (2, True)
    assert (first["duration_ms"], first["cost_usd"], first["total_tokens"]) == (2_000, 0.75, 20)
    assert (first["session_id"], first["agent"]) == ("0b7e2f14", "codex")
    assert (second["passed"], second["cost_usd"]) == (None, None)


def test_programs_get_whole_ids_and_paths() -> None:
    """People see the last part of a project, programs its path."""
    one = session("0b7e2f14-1111", attempt(1, True), agent="codex", project="/src/lib")
    assert column(asked(one)[0], "project") == ["lib"]
    assert column(asked(one, whole=True)[0], "project") == ["/src/lib"]
    assert column(asked(one, whole=True)[0], "session_id") == ["0b7e2f14-1111"]


def test_the_rate_is_of_heals_whose_end_is_known() -> None:
    """Two of three passed; the one that was never rerun is told beside them."""
    one = session("a", attempt(1, False), attempt(1, True), attempt(2, True), attempt(3, None))
    by_phase = asked(one)[1]
    assert column(by_phase, "heal_rate") == [2 / 3]
    assert column(by_phase, "heal_trigger_count") == [4]
    assert by_phase.notes == [
        "2 of 3 heals passed (66.7%), of 1 session.",
        "How 1 of the heals ended is not known.",
    ]


def test_heals_by_part() -> None:
    """Weeks are in order; cost is that of the failures that began in each."""
    sessions = (
        session("a", attempt(1, True, 0.5), agent="codex", project="/x"),
        session("b", attempt(1, False, 0.25, days_ago=7), project="/y"),
    )
    weeks = by("week", *sessions)
    assert column(weeks, "week") == ["2026-W24", "2026-W25"]
    assert column(weeks, "heal_rate") == [0.0, 1.0]
    assert column(weeks, "cost_usd") == [0.25, 0.5]
    keys = {"agent": {"codex", "m31a"}, "project": {"x", "y"}, "session": {"a", "b"}}
    for part in set(PARTS) - {"hour", *FLEET}:  # which the index does not know
        table = by(part, *sessions)
        costs = [float(cell) for cell in column(table, "cost_usd") if isinstance(cell, float)]
        assert sum(costs) == 0.75
        if part in keys:
            assert {row[0] for row in table.rows} == keys[part]


def test_heals_that_were_only_counted_are_told() -> None:
    """M31A counts heals and does not say what failed: the list says how many it lacks."""
    counted = record("m", PhaseDay(day(), "execute", heal_trigger_count=2))
    listed, by_phase = asked(counted, session("a", attempt(1, True)))
    assert len(listed.rows) == 1
    assert "What 2 of them were about was not recorded, so they are not listed." in by_phase.notes
    rows = {row["phase"]: row for row in records(by_phase)}
    assert rows["execute"]["heal_success_count"] is None
    assert rows["execute"]["cost_usd"] is None


def test_no_heals_say_what_one_is() -> None:
    """Whoever finds none learns what would have been one."""
    listed, by_phase = asked(record("a"))
    assert "A failed check, a change and the check again make one" in listed.empty
    assert (by_phase.rows, by_phase.empty) == ([], "")


def test_what_a_heal_cost_is_in_some_hour() -> None:
    """Where a failure began in an hour in which no heal was triggered, it has a row of its own."""
    episode = HealRow("codex", "a", began_us=3_600_000_000, total_tokens=7, cost_nano=10**9)
    counted = PhaseRow("1970-01-01T02:00+00:00", 1, heal_trigger_count=1)
    table = heals_by([counted], [episode], Scope(TotalsRow("", 1)), "hour")
    assert 1.0 in column(table, "cost_usd")
    assert column(table, "heal_trigger_count") == [0, 1]
