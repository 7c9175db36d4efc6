"""Questions within a day: exact, by whatever bound, and their parts add up to the whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m31a_metrics import Usage, config, events
from m31a_metrics.answers import Answers, SessionRow, Slice, time_order
from m31a_metrics.catalog import ask, ask_named
from m31a_metrics.catalog.hours import Exact, loading, to_now
from m31a_metrics.catalog.records import Recording
from m31a_metrics.config import Config
from m31a_metrics.events import LLMInteraction, ToolCall
from m31a_metrics.history import MEMORY, History, Part
from m31a_metrics.record import SessionRecord
from m31a_metrics.slices import narrow
from m31a_metrics.timestamps import local_hour, micros
from m31a_metrics.transcript import SessionRef
from tests import transcripts
from tests.transcripts import NOW, ONE, TOTAL, TWO, answer, call, prompt

MINUTE = timedelta(minutes=1)
LATER = NOW + timedelta(days=30)
Zone = Callable[[str], None]


@pytest.fixture
def configured(clean_home: Path, zone: Zone) -> Config:
    """The configuration of an empty home in UTC."""
    zone("UTC")
    return config.defaults()


def environ(home: Path) -> dict[str, str]:
    """The variables of that home alone."""
    return {"HOME": str(home), "TZ": os.environ["TZ"]}


def which(since: str = "", until: str = "", now: datetime = LATER) -> Slice:
    """A slice as people write it."""
    return narrow(now, since=since, until=until)


def tokens(answers: Answers, about: Slice, by: str = "") -> dict[str, int]:
    """Tokens of a slice by part."""
    return {row.key: row.total_tokens for row in answers.totals(about, by)}


def test_a_bound_within_a_day_cuts_sums(configured: Config, clean_home: Path) -> None:
    """Of a session that goes on over the bound only what is behind it counts."""
    path = transcripts.write(
        clean_home,
        ONE,
        prompt(NOW - 90 * MINUTE),
        answer("a", NOW - 60 * MINUTE),
        *call("b", NOW - 10 * MINUTE, tool="Bash"),
    )
    transcripts.write(clean_home, TWO, answer("c", NOW - 300 * MINUTE))
    assert path.exists()
    with ask(configured, environ(clean_home)) as asking:
        answers = asking.answers
        now = NOW + MINUTE
        assert tokens(answers, which("2h", now=now)) == {"": 2 * TOTAL}
        assert tokens(answers, which("30m", now=now)) == {"": TOTAL}
        assert tokens(answers, which("2h", "30m", now=now)) == {"": TOTAL}
        assert tokens(answers, which("12h", now=now), "agent") == {"claude-code": 3 * TOTAL}
        (row,) = answers.sessions(which("30m", now=now))
        assert (row.session_id, row.total_tokens, row.call_count) == (ONE, TOTAL, 1)
        assert [row.key for row in answers.tools(which("30m", now=now))] == ["Bash"]
        assert answers.tools(which("2h", "30m", now=now)) == []
        assert [row.session_id for row in answers.sessions(which("95m", "80m", now=now))] == [ONE]
        # The moment of an event is in one of two stretches that meet in it.
        edge = (NOW - 60 * MINUTE).isoformat()
        assert tokens(answers, which(edge, now=now)) == {"": 2 * TOTAL}
        assert tokens(answers, which("2h", edge, now=now)) == {"": 0}


def test_by_hour(configured: Config, clean_home: Path) -> None:
    """Hours are those of the asker, each with its offset; a command's parts are as exact."""
    transcripts.write(
        clean_home,
        ONE,
        answer("a", NOW),
        answer("b", NOW + 59 * MINUTE),
        answer("c", NOW + 60 * MINUTE),
    )
    with ask(configured, environ(clean_home)) as asking:
        answers = asking.answers
        expected = {"2026-06-20T12:00+00:00": 2 * TOTAL, "2026-06-20T13:00+00:00": TOTAL}
        assert tokens(answers, Slice(), "hour") == expected
        rows = answers.llms(Slice(), ("hour", "model"))
        assert {row.key: row.total_tokens for row in rows} == expected
        about = which("2026-06-20T12:30", "2026-06-20T13:30")
        assert set(tokens(answers, about, "hour").values()) == {TOTAL}


def test_by_moment(configured: Config, clean_home: Path) -> None:
    """LLM use by moment is each answer at its own time, within the bounds, once."""
    times = [NOW, NOW + MINUTE / 7, NOW + MINUTE, NOW + 40 * MINUTE]
    lines = [answer(f"a{at}", time) for at, time in enumerate(times)]
    transcripts.write(clean_home, ONE, *lines)
    transcripts.write(clean_home, TWO, lines[0])
    with ask(configured, environ(clean_home)) as asking:
        answers = asking.answers
        rows = answers.llms(Slice(), ("moment",))
        assert sorted(int(row.key) for row in rows) == [micros(time) for time in times]
        assert {row.total_tokens for row in rows} == {TOTAL}
        assert sum(row.cost_nano for row in rows) == answers.totals(Slice())[0].cost_nano
        later = answers.llms(which((NOW + MINUTE).isoformat()), ("moment",))
        assert sorted(int(row.key) for row in later) == [micros(time) for time in times[2:]]
        with pytest.raises(ValueError, match="moment"):
            answers.llms(Slice(), ("moment", "model"))


def test_what_is_gone_cannot_be_divided(configured: Config, clean_home: Path) -> None:
    """Of a session whose file was deleted only days are known: it is left out, and said."""
    path = transcripts.write(clean_home, ONE, answer("a", NOW))
    transcripts.write(clean_home, TWO, answer("b", NOW))
    with ask(configured, environ(clean_home)):
        pass
    path.unlink()
    with ask(configured, environ(clean_home)) as asking:
        assert tokens(asking.answers, Slice()) == {"": 2 * TOTAL}
        assert asking.notes == []
        assert sum(tokens(asking.answers, Slice(), "hour").values()) == TOTAL
        assert ["1 session left out" in note for note in asking.notes] == [True]


def test_a_fork_counts_once_within_a_day_too(configured: Config, clean_home: Path) -> None:
    """What a session copied of another is left out, as in every other question."""
    transcripts.write(clean_home, ONE, answer("a", NOW))
    transcripts.write(clean_home, TWO, answer("a", NOW), answer("b", NOW + MINUTE))
    with ask(configured, environ(clean_home)) as asking:
        assert tokens(asking.answers, which("2026-06-20T11:00")) == {"": 2 * TOTAL}


def test_one_session_by_its_path(configured: Config, clean_home: Path) -> None:
    """A file that is named is divided like those of the index."""
    path = transcripts.write(clean_home, ONE, answer("a", NOW), answer("b", NOW + 61 * MINUTE))
    with ask_named(configured, str(path), environ(clean_home)) as one:
        assert len(tokens(one.answers, one.which, "hour")) == 2
        assert tokens(one.answers, which("2026-06-20T13:00")) == {"": TOTAL}


def test_the_future_is_not_today(configured: Config, clean_home: Path) -> None:
    """What is later than the clock is in no question that reaches to now, but in all."""
    now = datetime.now(UTC).replace(microsecond=0)
    transcripts.write(
        clean_home, ONE, answer("a", now - MINUTE), answer("b", now + timedelta(hours=1))
    )
    transcripts.write(clean_home, TWO, answer("c", now + timedelta(days=400)))
    with ask(configured, environ(clean_home)) as asking:
        for since in ("1d", "7d", "2h", f"{now - MINUTE:%Y-%m-%dT%H:%M}"):
            assert sum(tokens(asking.answers, which(since, now=now)).values()) == TOTAL, since
        assert tokens(asking.answers, Slice()) == {"": 3 * TOTAL}
        days = tokens(asking.answers, Slice(), "day")
        assert sorted(days.values()) == [TOTAL] * 3
        assert sum(tokens(asking.answers, Slice(), "hour").values()) == 3 * TOTAL


def test_the_future_comes(
    configured: Config, clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that was ahead of the clock is of its own day once its time has come."""
    transcripts.write(clean_home, ONE, answer("a", NOW), answer("b", NOW + 30 * MINUTE))

    def at(moment: datetime) -> dict[str, int]:
        for module in ("load", "refresh", "open_index"):
            monkeypatch.setattr(
                f"m31a_metrics.catalog.{module}.time_ns", lambda: micros(moment) * 1000
            )
        with ask(configured, environ(clean_home)) as asking:
            return tokens(asking.answers, Slice(), "day")

    ahead = {"2026-06-20": TOTAL, "2026-06-21": TOTAL}
    assert at(NOW + 10 * MINUTE) == ahead
    assert at(NOW + 20 * MINUTE) == ahead
    assert at(NOW + 40 * MINUTE) == {"2026-06-20": 2 * TOTAL}


def test_a_beginning_without_an_end_reaches_to_now() -> None:
    """Days to today, moments to now; an end that is said stays, and all is all."""
    now_us = micros(NOW)
    assert to_now(Slice(first_day="2026-06-01"), now_us).last_day == "2026-06-20"
    assert to_now(Slice(since_us=5), now_us).until_us == now_us + 1
    for about in (Slice(), Slice(first_day="2026-06-01", last_day="2099-01-01"), Slice(until_us=7)):
        assert to_now(about, now_us) == about


ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Santiago",
    "Pacific/Apia",
)
"""With summer time and without, by half an hour, at midnight, at offsets of 45 minutes."""

CHANGES = [
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 9, 6, 4, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
]
"""Clocks change somewhere about these times."""

MOMENTS = st.builds(
    lambda change, minutes, micro: micros(change + timedelta(minutes=minutes)) + micro,
    st.sampled_from(CHANGES),
    st.integers(-40 * 60, 40 * 60),
    st.integers(0, 59_999_999),
)


def recorded(times: list[int]) -> list[events.Event]:
    """A tool call, with and without success, and LLM use at each time."""
    made: list[events.Event] = []
    for at, t_us in enumerate(sorted(times)):
        made.append(ToolCall(t_us, "Bash" if at % 2 else "Read", at % 3 > 0, 1.5 * at))
        usage = Usage(at * 7 + 1, at + 3)
        made.append(LLMInteraction(t_us, "plan", usage, cost=at / 1000, model=f"m{at % 2}"))
    return made


def figures(answers: Answers, about: Slice, by: str = "") -> tuple[int, ...]:
    """The sums of all parts: calls, failures, times, tokens, cost; and the same by other tables."""
    totals = answers.totals(about, by)
    tools = answers.tools(about, by)
    llms = answers.llms(about, (by,))
    return (
        sum(row.call_count for row in totals),
        sum(row.fail_count for row in totals),
        sum(row.duration_us for row in totals),
        sum(row.total_tokens for row in totals),
        sum(row.cost_nano for row in totals),
        sum(row.active_us for row in totals),
        sum(row.active_us for row in answers.phases(about, by)),
        sum(row.call_count for row in tools),
        sum(row.ran.count for row in tools),
        sum(row.total_tokens for row in llms),
        sum(row.cost_nano for row in llms),
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(ZONES),
    sessions=st.lists(st.lists(MOMENTS, min_size=1, max_size=12), min_size=1, max_size=3),
    cuts=st.lists(MOMENTS, min_size=1, max_size=4, unique=True),
)
def test_parts_add_up_to_the_whole(
    zone: Zone, name: str, sessions: list[list[int]], cuts: list[int]
) -> None:
    """By hour, by day, by whatever bounds, in any zone, on days on which clocks change."""
    zone(name)
    made = [
        Recording(SessionRecord("m31a", f"s{at}", f"s{at}", ""), None, recorded(times))
        for at, times in enumerate(sessions)
    ]
    with History(MEMORY) as history:
        for one in made:
            history.put(one.summed(lambda _: None))
        exact = Exact(
            history, lambda _, within: [one.summed(lambda _: None, within) for one in made], 2**52
        )
        whole = figures(exact, Slice())
        assert figures(exact, Slice(), "day") == whole
        assert figures(exact, Slice(), "hour") == whole
        edges = [None, *sorted(cuts), None]
        parts = [
            figures(exact, Slice(since_us=since, until_us=until))
            for since, until in pairwise(edges)
        ]
        assert tuple(map(sum, zip(*parts, strict=True))) == whole
        for row in exact.totals(Slice(), "day"):
            of_day = Slice(first_day=row.key, last_day=row.key)
            assert figures(exact, of_day, "hour") == figures(exact, of_day)
        hours = {local_hour(t_us) for times in sessions for t_us in times}
        rows = {row.key: row for row in exact.totals(Slice(), "hour")}
        assert hours <= rows.keys()
        # What was done at the end of an hour may have begun in the one before.
        assert all(rows[hour].active_us for hour in rows.keys() - hours)
        exact.close()


def test_hours_are_in_the_order_of_time(zone: Zone) -> None:
    """One that comes twice, when clocks go back, comes in the order in which it does."""
    for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"):
        zone(name)
        for change in CHANGES:
            around = [micros(change) + quarter * 900_000_000 for quarter in range(-200, 200)]
            hours = list(dict.fromkeys(map(local_hour, around)))
            assert sorted(hours, key=time_order) == hours


def test_a_file_that_cannot_be_loaded_is_said(clean_home: Path, tmp_path: Path) -> None:
    """An export of events leaves it out, and whoever exports is told which."""
    damaged = tmp_path / "rollout-2026-01-01T00-00-00-one.jsonl"
    damaged.write_text("no transcript\n")
    notes: list[str] = []

    class Planned(History):
        def parts_of(self, ref: SessionRef) -> tuple[Part, ...]:
            return (Part(str(damaged), ref.agent, b"", frozenset()),)

    with Planned(MEMORY) as history:
        load = loading(history, config.defaults(), {"HOME": str(clean_home)}, notes)
        assert load(SessionRow("codex", "one", "one")) == []
    assert len(notes) == 1
    assert damaged.name in notes[0]
    assert notes[0].endswith("left out")
