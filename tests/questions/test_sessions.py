from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from m31a_metrics.answers import LLMRow, PhaseRow, SessionRow, Slice, ToolRow, TotalsRow
from m31a_metrics.errors import SessionNotFound
from m31a_metrics.history import MEMORY, History
from m31a_metrics.questions.ask import Ask, why_none
from m31a_metrics.questions.sessions import (
    SUGGESTED_MAX,
    counts_by_agent,
    find,
    listed,
    metrics_of,
    rows_listed,
    session,
    sessions,
    state_of,
    suggested,
)
from m31a_metrics.record import LLMDay, SessionRecord, ToolDay
from m31a_metrics.tables.sessions import SORTABLE, head
from tests.questions.invented import Invented
from tests.tables.builders import column, records

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


@pytest.fixture
def history() -> Iterator[History]:
    """An index with three sessions, each more expensive and older than the one before."""
    with History(MEMORY) as index:
        for number in range(3):
            at_us = round((NOW - timedelta(minutes=4 * number)).timestamp() * 1e6)
            name = f"session-{number}"
            record = SessionRecord("codex", name, name, f"/home/ada/{name}")
            record.started_us, record.updated_us = at_us - 90_000_000, at_us
            day = NOW.date().isoformat()
            record.tools = [ToolDay(day, "Bash", call_count=1, denied_count=number)]
            record.llms = [
                LLMDay(
                    day,
                    "gpt",
                    "plan",
                    interaction_count=1,
                    prompt_tokens=8,
                    completion_tokens=2,
                    total_tokens=10,
                    cost_nano=(1 + number) * 10**9,
                )
            ]
            index.put(record)
        yield index


@pytest.mark.parametrize("sort", sorted(SORTABLE))
def test_the_list_is_in_any_order(history: History, sort: str) -> None:
    """Every column that says so sorts, and a minus turns the order around."""
    ask = Ask(history, Slice(), NOW)
    there = listed(rows_listed(ask, sort=sort, limit=9, offset=0)).table
    back = listed(rows_listed(ask, sort=f"-{sort}", limit=9, offset=0)).table
    cells = column(there, sort)
    assert sorted(map(str, column(back, sort))) == sorted(map(str, cells))
    assert len(cells) == 3


def test_a_part_of_the_list(history: History) -> None:
    """The most expensive first, from the second on."""
    ask = Ask(history, Slice(), NOW)
    table = listed(rows_listed(ask, sort="cost_usd", limit=1, offset=1)).table
    assert column(table, "cost_usd") == [2.0]
    with pytest.raises(KeyError):
        rows_listed(ask, sort="duration_ms", limit=1, offset=0)


def test_names_are_suggested_of_the_latest_sessions() -> None:
    """Each name once, the latest first, and no more than one looks through."""
    rows = [
        SessionRow("codex", "a", project="/home/ada/shop", branch="main", models=["gpt", "mini"]),
        SessionRow("codex", "b", project="/home/ada/shop", labels={"team": "x"}),
        *(SessionRow("codex", str(at), project=f"/home/ada/{at}") for at in range(99)),
    ]
    found = suggested(Invented(sessions=rows))
    assert found["project"][:2] == ["/home/ada/shop", "/home/ada/0"]
    assert len(found["project"]) == SUGGESTED_MAX
    assert (found["model"], found["branch"], found["label"]) == (
        ["gpt", "mini"],
        ["main"],
        ["team=x"],
    )


def test_the_head_of_a_session() -> None:
    """Its sums in one row; what nobody recorded is not known, and not nothing."""
    row = SessionRow("m31a", "one", started_us=1_000_000, updated_us=3_500_000, call_count=7)
    (cells,) = records(head(row).table)
    assert (cells["duration_ms"], cells["call_count"]) == (2_500, 7)
    assert (cells["cost_usd"], cells["total_tokens"]) == (None, None)


def test_a_list_that_the_index_can_sort_is_cut_there() -> None:
    """By a column that the index has, it is asked for so many; by another one, for all."""
    answers = Invented(sessions=[SessionRow("codex", "a"), SessionRow("codex", "b")])
    sessions(Ask(answers, Slice(), NOW), sort="cost_usd", limit=1)
    assert answers.options["sessions"] == {"sort": "cost_nano", "descending": True, "limit": 1}
    panels = sessions(Ask(answers, Slice(), NOW), sort="models", limit=1)
    assert answers.options["sessions"] == {}
    assert len(panels[0].table.rows) == 2


def test_sessions_by_part_are_sums() -> None:
    """With `by` there is a row for each part instead of each session."""
    answers = Invented(totals=[TotalsRow("2026-06-19", 2), TotalsRow("2026-06-20", 1)])
    (panel,) = sessions(Ask(answers, Slice(), NOW), by="day")
    assert column(panel.table, "session_count") == [2, 1]
    assert ("totals", Slice()) in answers.asked


def test_a_session_is_found_by_its_whole_id() -> None:
    """One that is not there is said to be unknown; an empty id is never asked for."""
    answers = Invented(sessions=[SessionRow("codex", "a")])
    assert find(answers, "a", ("codex",)).session_id == "a"
    assert answers.asked[-1][1] == Slice(session="a", agents=("codex",))
    with pytest.raises(SessionNotFound):
        find(Invented(), "a")
    with pytest.raises(SessionNotFound):
        find(answers, "")


def test_one_session_is_asked_about_alone() -> None:
    """Every panel of its page is of that session, whatever slice the page had."""
    answers = Invented(tools=[ToolRow("Bash", 1, call_count=2)], phases=[PhaseRow("plan", 1)])
    row = SessionRow("codex", "one", call_count=2)
    panels = session(Ask(answers, Slice(project="x"), NOW), row)
    assert [panel.name for panel in panels] == [
        "sums", "phases", "healing", "heals", "tools", "tokens", "tools_by_time", "cost_by_phase"
    ]  # fmt: skip
    assert {which for _, which in answers.asked} == {Slice(session="one", agents=("codex",))}


def test_a_session_whose_file_is_gone_still_has_its_metrics() -> None:
    """METRICS.json is put together from the rows that the index keeps."""
    answers = Invented(
        tools=[ToolRow("Bash", 1, call_count=2, fail_count=1, duration_us=3_000)],
        llms=[LLMRow("plan", total_tokens=10)],
        phases=[PhaseRow("plan", 1, transition_count=1)],
    )
    metrics = metrics_of(Ask(answers, Slice(), NOW), SessionRow("codex", "one"))
    assert [(tool.name, tool.fail_count) for tool in metrics.tools] == [("Bash", 1)]
    assert [llm.total_tokens for llm in metrics.llms] == [10]
    assert [phase.transition_count for phase in metrics.phases] == [1]


@pytest.mark.parametrize(
    ("which", "narrowed", "problems", "said"),
    [
        (
            Slice(tool="Bsh"),
            ["--tool"],
            [],
            "No call of a tool 'Bsh' in 1 session. Did you mean Bash?",
        ),
        (Slice(), [], [], None),
    ],
)
def test_a_slice_with_sessions_lacks_a_tool_at_most(
    which: Slice, narrowed: list[str], problems: list[str], said: str | None
) -> None:
    """Where sessions are there, only a tool that none called is worth a sentence."""
    answers = Invented(totals=[TotalsRow("", 1)], tools=[ToolRow("Bash", 1, call_count=1)])
    assert why_none(Ask(answers, which, NOW), narrowed, problems) == said


@pytest.mark.parametrize(
    ("which", "narrowed", "problems", "said"),
    [
        (Slice(model="gtp"), ["--model"], [], "No session used a model 'gtp'. Did you mean gpt?"),
        (
            Slice(project="shp"),
            ["--project"],
            [],
            "No session ran in a project 'shp'. Did you mean shop?",
        ),
        (Slice(branch="x"), ["--branch"], [], "No session fits --branch. Leave it out for all."),
        (
            Slice(branch="x", model="y"),
            ["--branch", "--model"],
            [],
            "No session fits --branch --model. Leave them out for all.",
        ),
        (Slice(), [], ["one"], "No session here can be read. See why: `m31 doctor`."),
        (Slice(), [], [], None),
    ],
)
def test_an_empty_slice_says_why(
    which: Slice, narrowed: list[str], problems: list[str], said: str | None
) -> None:
    """The name that may be meant is named; where nothing can be read, the command that says why."""
    answers = Invented(llms=[LLMRow("gpt")], totals=[])
    answers.by["totals", "project"] = [TotalsRow("/home/ada/shop", 1)]
    assert why_none(Ask(answers, which, NOW), narrowed, problems) == said


def test_sessions_are_counted_by_agent() -> None:
    """With those whose files are gone."""
    rows = [SessionRow("pi", "a"), SessionRow("codex", "b", is_gone=True), SessionRow("codex", "c")]
    assert counts_by_agent(Invented(sessions=rows)) == [("codex", 2, 1), ("pi", 1, 0)]


def test_what_changes_with_a_session_is_its_state() -> None:
    """A page that follows is told when a sum or the latest session is another one."""
    before = Invented(sessions=[SessionRow("pi", "a", updated_us=1)], totals=[TotalsRow("", 1)])
    after = Invented(sessions=[SessionRow("pi", "a", updated_us=2)], totals=[TotalsRow("", 1)])
    assert state_of(before) == state_of(before)
    assert state_of(before) != state_of(after)
