"""Slices in a word: periods, names, what both narrow, the period before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from m31a_metrics import slices
from m31a_metrics.answers import Slice
from m31a_metrics.slices import before, both, narrow, slice_of
from m31a_metrics.timestamps import micros

NOW = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", Slice()),
        ("7d", Slice(first_day="2026-06-14", last_day="2026-06-20")),
        ("1d", Slice(first_day="2026-06-20", last_day="2026-06-20")),
        ("2026-06", Slice(first_day="2026-06-01", last_day="2026-06-30")),
        ("2026-06-19", Slice(first_day="2026-06-19", last_day="2026-06-19")),
        ("2026-06-01..2026-06-07", Slice(first_day="2026-06-01", last_day="2026-06-07")),
        ("2026-W23..", Slice(first_day="2026-06-01")),
        ("..2026-W23", Slice(last_day="2026-06-07")),
        (
            "since=2026-06-01, until=2026-06-30",
            Slice(first_day="2026-06-01", last_day="2026-06-30"),
        ),
        ("branch=main", Slice(branch="main")),
        ("branch=a..b", Slice(branch="a..b")),
        ("model=claude-opus-4*", Slice(model="claude-opus-4*")),
        ("label:prompt=b", Slice(labels=(("prompt", "b"),))),
        (
            "7d, label:prompt=b, label:team=x=y",
            Slice(
                first_day="2026-06-14",
                last_day="2026-06-20",
                labels=(("prompt", "b"), ("team", "x=y")),
            ),
        ),
        ("agent=codex,agent=pi", Slice(agents=("codex", "pi"))),
        (
            "7d,project=shop,agent=codex",
            Slice(("codex",), "shop", first_day="2026-06-14", last_day="2026-06-20"),
        ),
        ("12h", Slice(first_day="2026-06-20", since_us=1_781_926_200_000_000)),
    ],
)
def test_how_a_slice_is_written(text: str, expected: Slice) -> None:
    """Periods, spans and names, with commas between."""
    assert slice_of(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["last", "3f2a91c0", "./a=b.jsonl", "../c,d", "~/x", "a/b..c", "session.jsonl"]
)
def test_what_may_be_a_session(text: str) -> None:
    """A word that is not formed like a slice is none."""
    assert slice_of(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("brnch=main", "A slice has no 'brnch'. Did you mean branch?"),
        ("zzz=1", "There are agent, project"),
        ("branch=", "branch= names nothing"),
        ("7d,main", "'main' is no part of a slice"),
        ("7d,", "'' is no part of a slice"),
        ("7d,2026-06", "narrowed twice by since"),
        ("branch=a,branch=b", "narrowed twice by branch"),
        ("label:prompt=a,label:prompt=b", "narrowed twice by label:prompt"),
        ("label:prompt=", "label prompt must not be empty: write label:NAME=VALUE"),
        ("label:a b=c", "a label's name must be at most 40 letters"),
        ("label:prompt", "'label:prompt' is no part of a slice"),
        ("label=prompt", "A slice has no 'label'. Write label:NAME=VALUE."),
        ("since=soon", "'soon' is no time"),
        ("2026-06-07..2026-06-01", "ends before it begins"),
    ],
)
def test_what_makes_no_sense_says_so(text: str, said: str) -> None:
    """The sentence names the part that is wrong."""
    with pytest.raises(ValueError, match=said):
        slice_of(text, NOW)


def test_options_narrow() -> None:
    """One label or several, each NAME=VALUE; what no session can have is refused."""
    both_labels = (("prompt", "b"), ("team", "x"))
    assert narrow(NOW, label="prompt=b") == Slice(labels=both_labels[:1])
    assert narrow(NOW, label=["prompt=b", "team=x", "prompt=b"]) == Slice(labels=both_labels)
    with pytest.raises(ValueError, match="no session has two values of the label prompt"):
        narrow(NOW, label=["prompt=a", "prompt=b"])
    with pytest.raises(ValueError, match="'prompt' is no label: write NAME=VALUE"):
        narrow(NOW, label="prompt")


def test_both_narrow() -> None:
    """What only one of two says is kept of each; what both say is refused."""
    assert both(Slice(branch="main"), Slice(agents=("pi",)), "x") == Slice(("pi",), branch="main")
    a, b = Slice(labels=(("prompt", "a"),)), Slice(labels=(("prompt", "b"),))
    team = Slice(labels=(("prompt", "a"), ("team", "x")))
    assert both(a, team, "x") == both(team, a, "x") == team
    with pytest.raises(ValueError, match="'x' is narrowed twice by label:prompt"):
        both(b, team, "x")
    with pytest.raises(ValueError, match="'x' is narrowed twice by agent"):
        both(Slice(agents=("pi",)), Slice(agents=("codex",)), "x")


def test_the_period_before() -> None:
    """Of seven days the seven before; of what has no days, and of hours, none."""
    week = slice_of("7d,agent=pi", NOW)
    assert week is not None
    assert before(week, NOW) == (
        Slice(("pi",), first_day="2026-06-07", last_day="2026-06-13"),
        "the 7 days before",
    )
    day = slice_of("1d", NOW)
    assert day is not None
    assert before(day, NOW) == (
        Slice(first_day="2026-06-19", last_day="2026-06-19"),
        "the day before",
    )
    assert before(Slice(branch="main"), NOW) is None
    hours = slice_of("12h", NOW)
    assert hours is not None
    assert before(hours, NOW) is None


def test_words_for_days() -> None:
    """People write today, yesterday and weekdays; the latest of these, today included."""
    saturday = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
    days = {
        "today": "2026-06-20",
        "Yesterday": "2026-06-19",
        "saturday": "2026-06-20",
        "friday": "2026-06-19",
        "sunday": "2026-06-14",
    }
    for word, day in days.items():
        assert slices.since(word, saturday).day == slices.until(word, saturday).day == day
        which = slices.slice_of(word, saturday)
        assert which is not None
        assert (which.first_day, which.last_day) == (day, day)
    hours = slices.since("2h", saturday)
    assert hours.at_us == micros(saturday) - 2 * 3_600_000_000
    assert slices.narrow(saturday, since="all") == Slice()


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    """Days and moments; one day is a period, and so is a moment on the day of a bound."""
    now = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
    for first, last in (("today", "yesterday"), ("7d", "14d"), ("1h", "2h")):
        with pytest.raises(ValueError, match="ends before it begins: turn the two around"):
            slices.narrow(now, since=first, until=last)
    assert slices.narrow(now, since="today", until="today").first_day == "2026-06-20"
    assert slices.narrow(now, since="2h", until="today").last_day == "2026-06-20"


def test_agents_as_people_call_them() -> None:
    """A name, what else it is called, a beginning that one has; several are named."""
    known = ["m31a", "claude-code", "codex", "copilot-cli", "gemini-cli", "qwen", "entire"]
    meant = {
        "claude": "claude-code",
        "Claude Code": "claude-code",
        "gemini": "gemini-cli",
        "copilot": "copilot-cli",
        "github_copilot": "copilot-cli",
        "qwen-code": "qwen",
        "cod": "codex",
        "entire": "entire",
    }
    for text, name in meant.items():
        assert slices.agent_meant(text, known, known[:-1]) == name
    assert slices.agent_meant("claude", [*known, "claude"], known) == "claude"
    with pytest.raises(ValueError, match="'c' may be claude-code, codex, copilot-cli: write more"):
        slices.agent_meant("c", known, known[:-1])
    for text in ("", "ent", "cursor"):
        with pytest.raises(ValueError, match="is not one of 'm31a', 'claude-code'"):
            slices.agent_meant(text, known, known[:-1])


def test_what_people_call_a_period() -> None:
    """Today, yesterday, a day, a month, the last days, or both bounds."""
    now = datetime(2026, 6, 20, 15, 30, tzinfo=UTC)
    names = {
        "today": ("today", "today"),
        "yesterday": ("yesterday", "yesterday"),
        "2026-06-01": ("2026-06-01", "on 2026-06-01"),
        "7d": ("last 7 days", "in the last 7 days"),
        "2026-05": ("2026-05", "in 2026-05"),
        "2026-05-02..2026-05-09": ("2026-05-02 to 2026-05-09", "from 2026-05-02 to 2026-05-09"),
        "until=2026-05-09": ("until 2026-05-09", "until 2026-05-09"),
    }
    for text, said in names.items():
        which = slices.slice_of(text, now)
        assert which is not None
        assert slices.is_period(which)
        assert slices.called(which, now) == said
    assert not slices.is_period(Slice(model="m"))
