"""The list of sessions: order and limit, what is not known, columns for people and programs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import PhaseMetric, SessionMetrics
from m31a_metrics.review.sessions import (
    FOR_PEOPLE,
    FOR_PROGRAMS,
    OF_AGENTS,
    sessions,
    short_ids,
)
from m31a_metrics.transcript import Facts
from tests.review.builders import NOW, column, llm, records, session, tool


def test_a_row_holds_the_figures_of_its_session() -> None:
    """Every column of the row is that session's own sum."""
    one = session(
        tools=[tool("Bash", 5, 2), tool("Edit", 3)],
        llms=[llm("plan", 0.25, 100), llm("execute", 0.5, 200)],
        phases=[PhaseMetric("plan", 10, 1, 2, 1), PhaseMetric("execute", 10, 1, 1)],
    )
    assert records(sessions([one], whole=True)) == [
        {
            "session_id": "abc123",
            "updated_at": NOW,
            "duration_ms": 90_000,
            "call_count": 8,
            "fail_count": 2,
            "total_tokens": 300,
            "cost_usd": 0.75,
            "heal_trigger_count": 3,
            "bisect_trigger_count": 1,
            "interaction_count": 2,
            "unpriced_tokens": 0,
            "started_at": NOW - timedelta(seconds=90),
            "agent": "m31a",
            "project": None,
        }
    ]


def test_people_get_the_first_columns_of_programs() -> None:
    """What a terminal shows stands first in the JSON, under the same names."""
    assert FOR_PROGRAMS[: len(FOR_PEOPLE)] == FOR_PEOPLE
    assert sessions([session()]).columns == FOR_PEOPLE
    assert sessions([session()], whole=True).columns == FOR_PROGRAMS


def test_a_limit_is_told() -> None:
    """Fewer rows than sessions are never passed off as all of them."""
    three = [session("a"), session("b"), session("c")]
    table = sessions(three, 2)
    assert column(table, "session_id") == ["a", "b"]
    assert table.notes == ["The latest 2 of 3 sessions; see the rest: --all."]
    assert sessions(three, 3).notes == []


def test_times_that_nobody_knows_are_not_shown() -> None:
    """Neither Go's zero time nor one beyond UTC is a time; without a beginning no duration."""
    row = records(sessions([SessionMetrics("x")], whole=True))[0]
    assert row["updated_at"] is row["started_at"] is row["duration_ms"] is None
    beyond = datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5)))
    assert column(sessions([SessionMetrics("x", NOW, beyond)]), "updated_at") == [None]
    backwards = SessionMetrics("x", NOW, NOW - timedelta(1))
    assert column(sessions([backwards]), "duration_ms") == [None]


def test_unpriced_tokens_are_told() -> None:
    """A list whose costs are not all there says so, and counts the shown rows only."""
    unpriced = session(llms=[llm("plan", 0.0, 1_000, 1_000)])
    table = sessions([session(), unpriced])
    assert column(table, "cost_usd") == [None, None]
    assert "1,000 tokens are unpriced" in table.notes[0]
    assert sessions([session(), unpriced], 1).notes == [
        "The latest 1 of 2 sessions; see the rest: --all."
    ]


def test_an_empty_list_says_what_to_try() -> None:
    """Without a session the table names the commands that make one."""
    table = sessions([])
    assert not table.rows
    assert "`m31 run -- COMMAND`" in table.empty
    assert "`m31 demo`" in table.empty


def test_sessions_of_agents_name_agent_and_project() -> None:
    """People get the last part of a path and a short id; programs get both whole."""
    long = "0b7e2f14-1111-4111-8111-000000000001"
    two = [session(long), session("a-recorded-session")]
    facts = {long: Facts("codex", long, project="/src/some/app")}
    table = sessions(two, facts=facts)
    assert table.columns == OF_AGENTS
    assert [row[:3] for row in table.rows] == [
        ("0b7e2f14", "codex", "app"),
        ("a-recorded-session", "m31a", None),
    ]
    whole = sessions(two, facts=facts, whole=True)
    assert column(whole, "session_id") == [long, "a-recorded-session"]
    assert column(whole, "project") == ["/src/some/app", None]
    assert sessions(two[1:], facts=facts).columns == FOR_PEOPLE


@given(st.sets(st.text("ab", min_size=1, max_size=14)), st.sets(st.text("ab", min_size=1)))
def test_a_short_id_names_one_session(names: set[str], recorded: set[str]) -> None:
    """Whatever ids there are, what is shown of one begins no other, and is its beginning."""
    facts = {name: Facts("codex", name) for name in names}
    shown = short_ids(names | recorded, facts)
    for name in names:
        assert name.startswith(shown[name])
        others = [other for other in names | recorded if other.startswith(shown[name])]
        # An id that begins another one is found because it is there whole.
        assert others == [name] or shown[name] == name
    assert all(shown[name] == name for name in recorded - names)
