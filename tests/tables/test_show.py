"""One session on one screen: always the same tables under the same titles."""

from __future__ import annotations

from m31a_metrics import EditStrategyMetric
from m31a_metrics.model import ModelMetric, SessionDetail, ToolDurations
from m31a_metrics.record import SessionRecord
from m31a_metrics.tables.show import TRANSCRIPT, show
from m31a_metrics.timestamps import moment
from m31a_metrics.transcript import RateLimit
from tests.tables.builders import column, llm, session, tool

TITLES = [
    "Session",
    "Transcript",
    "Phases",
    "Self-heals and bisects",
    "Tools",
    "Cost by phase",
    "Cost by model",
    "Edit strategies",
    "Rate limits",
]


def test_the_tables_are_the_same_for_every_session() -> None:
    """Titles are the keys of the JSON, so they name neither the session nor what it lacks."""
    full = session(tools=[tool("A", 1)], llms=[llm("plan", 1.0)])
    for one in (session(), full):
        assert [table.title for table in show(one, SessionDetail())] == TITLES


def test_detail_reaches_its_tables() -> None:
    """Percentiles and models, which only journals know, are shown where they belong."""
    one = session(tools=[tool("A", 1)], llms=[llm("plan", 1.0)])
    detail = SessionDetail(
        [ToolDurations("A", 1, 5.0, 6.0, 7.0, 8.0, 0.0, 5)],
        [ModelMetric("big", interaction_count=1, cost=1.0)],
    )
    tables = dict(zip(TITLES, show(one, detail), strict=True))
    assert column(tables["Tools"], "p95_ms") == [6.0]
    assert column(tables["Cost by model"], "model")[0] == "big"


def test_edit_strategies_have_their_share() -> None:
    """M31A's edit strategies are shown with how often each was used."""
    one = session()
    one.edit_strategies = [EditStrategyMetric("exact_match", 3), EditStrategyMetric("fuzzy", 1)]
    assert show(one, SessionDetail())[-2].rows == [("exact_match", 3, 0.75), ("fuzzy", 1, 0.25)]


RESETS_US, SEEN_US = 1_780_000_060_000_000, 1_780_000_005_000_000


def test_rate_limits_are_those_that_the_provider_told_last() -> None:
    """How much of a window was used, how long it is, when it begins anew; unknown is a dash."""
    told = SessionRecord("codex", "a", "a", "x")
    told.rate_limits = [RateLimit("primary", 12.5, 300, RESETS_US, SEEN_US), RateLimit("b", 1.0)]
    assert show(session(), SessionDetail(), told)[-1].rows == [
        ("primary", 0.125, 18_000_000, moment(RESETS_US), moment(SEEN_US)),
        ("b", 0.01, None, None, None),
    ]


def test_what_a_session_lacks_takes_no_room() -> None:
    """Of an empty session the optional tables have no words either: text leaves them out."""
    tables = dict(zip(TITLES, show(session(), SessionDetail()), strict=True))
    silent = [title for title, table in tables.items() if not table.rows and not table.empty]
    assert silent == [
        "Transcript",
        "Self-heals and bisects",
        "Cost by model",
        "Edit strategies",
        "Rate limits",
    ]


def test_what_a_transcript_tells_is_a_row_for_programs_and_lines_for_people() -> None:
    """People get a line for each thing that is known, programs always the same columns."""
    told = SessionRecord("codex", "abc123", "abc123", "x", "0.9", "/src/app", models=["a", "b"])
    told.user_turn_count = 1_200
    table = show(session(), SessionDetail(), told)[1]
    assert table.rows == [
        ("Agent", "codex"),
        ("Version", "0.9"),
        ("Session id", "abc123"),
        ("Project", "/src/app"),
        ("Models", "a, b"),
        ("User turns", "1,200"),
    ]
    whole = show(session(), SessionDetail(), told, whole=True)[1]
    assert whole.columns == TRANSCRIPT
    assert column(whole, "branch") == [None]
    assert column(whole, "user_turn_count") == [1_200]
