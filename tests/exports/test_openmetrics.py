"""The past as OpenMetrics: what is written, at which times, and that it only ever rises."""

from __future__ import annotations

import re

from m31a_metrics.exports.openmetrics import written
from m31a_metrics.history import MEMORY, History
from m31a_metrics.questions.growth import Names, past
from m31a_metrics.questions.series import day_before
from m31a_metrics.units import DAY_US, SECOND_US
from tests.questions.test_series import session

FIRST, SECOND = "2026-03-01", "2026-03-04"
BEGAN_S = 1_772_323_200
DAY_S = DAY_US / SECOND_US


LINE = re.compile(r"(\w+)\{(.*)\} (\S+) (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(*names: str) -> list[tuple[str, dict[str, str], float, float]]:
    """Two days of an index, as they are written: series, labels, time, value."""
    ends = {
        FIRST: (BEGAN_S * SECOND_US, BEGAN_S * SECOND_US + DAY_US),
        SECOND: (BEGAN_S * SECOND_US + 3 * DAY_US, BEGAN_S * SECOND_US + 4 * DAY_US),
    }
    with History(MEMORY) as history:
        history.put(session("a", 10, day=FIRST))
        history.put(session("b", 6, day=SECOND, tool='a "b"\\'))
        history.put(session("c", 2, day=SECOND))
        text = "".join(written(past(history, ends, Names()), ends))
    assert text.endswith("# EOF\n")
    # prometheus_client takes two points of one histogram for a point whose buckets came twice.
    return [
        (found[1], dict(LABEL.findall(found[2])), float(found[4]) - BEGAN_S, float(found[3]))
        for found in map(LINE.fullmatch, text.splitlines())
        if found is not None and (not names or found[1] in names)
    ]


def test_a_day_is_spread_evenly_from_its_beginning_to_its_end() -> None:
    """From 0 on, in quarters; a day without growth has no sample."""
    calls = [
        (at_s / DAY_S, value)
        for _, labels, at_s, value in samples("m31a_tool_calls_total")
        if labels == {"agent": "codex", "tool": "Bash", "outcome": "ok"}
    ]
    first = [(0, 0), (0.25, 2), (0.5, 5), (0.75, 7), (1, 10)]
    second = [(3, 10), (3.25, 10), (3.5, 11), (3.75, 11), (4, 12)]
    assert calls == first + second


def test_histograms_add_up() -> None:
    """Each bucket holds those below it, the last holds all, and nothing falls."""
    of_bash = [one for one in samples() if one[1].get("tool") == "Bash"]
    ends = {
        (name, labels.get("le", "")): value
        for name, labels, at_s, value in of_bash
        if at_s == 4 * DAY_S
    }
    assert ends["m31a_tool_run_seconds_bucket", "2.56"] == 0
    assert ends["m31a_tool_run_seconds_bucket", "5.12"] == 12
    assert ends["m31a_tool_run_seconds_bucket", "+Inf"] == 12
    assert ends["m31a_tool_run_seconds_count", ""] == 12
    assert 35 < ends["m31a_tool_run_seconds_sum", ""] < 37


def test_no_series_falls_and_names_are_kept() -> None:
    """Times and values rise within each series; quotes and backslashes of names survive."""
    last: dict[tuple[str, str], tuple[float, float]] = {}
    for name, labels, at_s, value in samples():
        key = name, str(labels)
        before_s, before = last.get(key, (-1.0, 0.0))
        assert at_s > before_s
        assert value >= before
        last[key] = at_s, value
    assert {labels.get("tool") for _, labels, _, _ in samples()} == {None, "Bash", r"a \"b\"\\"}


def test_sessions_count_on_the_day_they_began() -> None:
    """One that goes on over midnight is one session."""
    with History(MEMORY) as history:
        record = session("a", 1, day=FIRST)
        record.tools += session("a", 1, day="2026-03-02").tools
        history.put(record)
        found = past(history, [FIRST, "2026-03-02"], Names())
    counts = {
        day: value
        for family, figures in found.items()
        if family.name == "m31a_sessions"
        for day, value in figures["codex",].items()
    }
    assert counts == {FIRST: 1}
    assert day_before("2026-03-01") == "2026-02-28"
