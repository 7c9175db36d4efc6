"""Slices in a word: periods, names, what both narrow, the period before."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from m31a_metrics.answers import Slice
from m31a_metrics.slices import before, both, narrow, slice_of

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
