"""The list of sessions: what is not known, columns for people and programs, sums by part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.answers import SessionRow
from m31a_metrics.record import PhaseDay
from m31a_metrics.tables import columns
from m31a_metrics.tables.sessions import (
    FOR_PEOPLE,
    FOR_PROGRAMS,
    OF_AGENTS,
    known_time,
    lasted_ms,
    sessions,
    sessions_by,
    sorted_by,
)
from tests.tables.builders import ALL, NOW, calls, column, day, indexed, record, records, scope, use


def test_a_row_holds_the_figures_of_its_session() -> None:
    """Every column of the row is that session's own sum."""
    one = record(
        "abc123",
        calls("Bash", 1.0, 2.0, failed=1),
        calls("Edit", 3.0),
        use("big", 0.25, 100),
        use("big", 0.5, 200, phase="execute"),
        PhaseDay(day(), "plan", heal_trigger_count=2, heal_success_count=1),
        agent="codex",
        project="/src/app",
    )
    answers = indexed([one])
    table = sessions(answers.sessions(ALL), scope(answers), whole=True)
    assert table.columns == FOR_PROGRAMS
    row = records(table)[0]
    expected = {
        "session_id": "abc123",
        "updated_at": NOW,
        "started_at": NOW - timedelta(seconds=90),
        "duration_ms": 90_000,
        "call_count": 3,
        "fail_count": 1,
        "total_tokens": 300,
        "cost_usd": 0.75,
        "heal_trigger_count": 2,
        "heal_success_count": 1,
        "interaction_count": 2,
        "agent": "codex",
        "project": "/src/app",
        "models": "big",
        "branch": None,
        "is_gone": False,
    }
    assert {name: row[name] for name in expected} == expected


def test_what_nobody_recorded_is_not_zero() -> None:
    """Without LLM use neither tokens nor cost are known; without a time no duration is."""
    one = record("a", calls("Bash", 1.0))
    one.started_us = one.updated_us = 0
    answers = indexed([one])
    row = records(sessions(answers.sessions(ALL), scope(answers)))[0]
    assert row["total_tokens"] is row["cost_usd"] is row["updated_at"] is row["duration_ms"] is None


def test_a_part_of_the_list_says_so() -> None:
    """Fewer rows than sessions name the way to the rest, and what is unpriced among them."""
    many = [record(f"s{n}", use("x", 0.0, 70, unpriced=70), days_ago=n) for n in range(5)]
    answers = indexed(many)
    table = sessions(answers.sessions(ALL, limit=2), scope(answers))
    assert column(table, "session_id") == ["s0", "s1"]
    assert table.notes[0] == "2 of 5 sessions; see the rest: --all."
    assert table.notes[1].startswith("140 tokens are unpriced")


def test_the_most_expensive_of_a_part_is_told_as_that() -> None:
    """One that is not listed may have cost more, so nothing is said of all."""
    answers = indexed([record(f"s{n}", use("x", 1.0 + n, 70), days_ago=n) for n in range(3)])
    few = sessions(answers.sessions(ALL, limit=2), scope(answers))
    assert few.answer.startswith("$6.00 in 3 sessions; of these 2 the most in s1, $2.00")
    every = sessions(answers.sessions(ALL), scope(answers))
    assert every.answer.startswith("$6.00 in 3 sessions; the most in s2, $3.00")


def test_sessions_whose_source_is_gone_are_told() -> None:
    """They count, and the reader knows why no file is to be found."""
    answers = indexed([record("a"), record("b")])
    rows = answers.sessions(ALL)
    rows[0].is_gone = True
    table = sessions(rows, scope(answers))
    assert table.notes == [
        "The source of 1 of them is no longer there; the index keeps its figures."
    ]


def test_people_see_agents_where_there_are_some() -> None:
    """Among other agents' sessions ids are short and projects names; else there is no room used."""
    own, other = record("own"), record("0b7e2f14-1111", agent="codex", project="/src/some/lib")
    alone, both = indexed([own]), indexed([own, other])
    for_people = [column for column in FOR_PEOPLE if column not in columns.RARE]
    assert sessions(alone.sessions(ALL), scope(alone)).columns == for_people
    table = sessions(both.sessions(ALL), scope(both))
    assert table.columns == [column for column in OF_AGENTS if column not in columns.RARE]
    whose = [table.columns.index(one) for one in (columns.SESSION, columns.AGENT, columns.PROJECT)]
    assert [tuple(row[at] for at in whose) for row in table.rows] == [
        ("0b7e2f14", "codex", "lib"),
        ("own", "m31a", None),
    ]


def test_denied_calls_are_shown_where_there_are_some() -> None:
    """To people only then, and after what failed; programs always get the column."""
    answers = indexed([record("a", calls("Bash", 1.0, denied=2)), record("b", calls("Bash", 1.0))])
    table = sessions(answers.sessions(ALL), scope(answers))
    assert sorted(map(str, column(table, "denied_count"))) == ["0", "2"]
    assert column(
        sessions_by(answers.totals(ALL, "agent"), scope(answers), "agent"), "denied_count"
    ) == [2]
    assert column(table, "call_count") == [1, 1]
    none = indexed([record("c", calls("Bash", 1.0))])
    assert columns.DENIED not in sessions(none.sessions(ALL), scope(none)).columns
    assert column(sessions(none.sessions(ALL), scope(none), whole=True), "denied_count") == [0]


def test_nothing_recorded_says_what_to_try() -> None:
    """An empty machine is met with a command."""
    answers = indexed([])
    assert "`m31 demo`" in sessions([], scope(answers)).empty
    assert "`m31 demo`" in sessions_by([], scope(answers), "week").empty


def test_sessions_add_up_by_part() -> None:
    """Weeks come in order, each with what happened in it; agents by cost."""
    many = [
        record("a", use("m", 1.0), calls("Bash", 1.0, failed=1), agent="codex"),
        record("b", use("m", 3.0, days_ago=7), agent="pi", days_ago=7),
    ]
    answers = indexed(many)
    weeks = sessions_by(answers.totals(ALL, "week"), scope(answers), "week")
    assert column(weeks, "week") == ["2026-W24", "2026-W25"]
    assert column(weeks, "cost_usd") == [3.0, 1.0]
    assert column(weeks, "cost_share") == [0.75, 0.25]
    assert column(weeks, "fail_rate") == [None, 1.0]
    agents = sessions_by(answers.totals(ALL, "agent"), scope(answers), "agent")
    assert column(agents, "agent") == ["pi", "codex"]


def test_columns_name_what_the_index_sorts_by() -> None:
    """Figures descend, text ascends, a minus turns it around; some columns are no field."""
    assert sorted_by("cost") == ("cost_nano", True)
    assert sorted_by("-cost_usd") == ("cost_nano", False)
    assert sorted_by("last event") == ("updated_us", True)
    assert sorted_by("agent") == ("agent", False)
    assert sorted_by("lasted") == (None, True)
    assert sorted_by("nonsense") == (None, True)
    fields = set(SessionRow.__struct_fields__)
    for one in FOR_PROGRAMS:
        field, _ = sorted_by(one.name)
        assert field is None or field in fields


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_number_is_a_time_or_none(at_us: int) -> None:
    """Times beyond all calendars are not known; the others are exact."""
    at = known_time(at_us)
    if at is not None:
        assert (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == at_us
    backwards = SessionRow("a", "b", started_us=abs(at_us) + 1, updated_us=abs(at_us))
    assert lasted_ms(backwards) is None
