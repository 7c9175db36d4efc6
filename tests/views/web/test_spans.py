from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.table import Cell, Plot, Table
from m31a_metrics.tables.timeline import HEALS_LANE, PHASES_LANE, SPANS, timeline
from m31a_metrics.timestamps import micros
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.web.charts import chart
from m31a_metrics.views.web.links import Links
from m31a_metrics.views.web.marks import Chart, Row
from m31a_metrics.views.web.spans import TimeScale
from m31a_metrics.views.web.state import State

AT = datetime(2026, 6, 20, 12, tzinfo=UTC)
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
(PLOT,) = timeline([], lambda _: None, ())[0].plots


def span(minute: float, minutes: float, lane: str, kind: str) -> tuple[Cell, ...]:
    """Make the row of one span."""
    began = AT + timedelta(minutes=minute)
    return (began, minutes * 60_000, lane, kind, kind.removeprefix("phase "), None, None)


def drawn(rows: list[tuple[Cell, ...]], state: State | None = None, plot: Plot = PLOT) -> Chart:
    """Lay a session's spans out on its page."""
    links = Links(state, "/sessions/one") if state is not None else Links()
    return chart(Table("Timeline", SPANS, rows), plot, links)


def lane(made: Chart, name: str) -> Row:
    """The row of a lane."""
    return next(row for row in made.rows if row.whole == name)


def test_phases_and_heals_stand_above_the_tools() -> None:
    """Lanes come in that order, and each span has the colour of its kind."""
    rows = [
        span(0, 10, PHASES_LANE, "phase verify"),
        span(1, 2, "mcp__tracker__search", "failed"),
        span(3, 2, HEALS_LANE, "heal, passed"),
    ]
    made = drawn(rows)
    assert [row.name for row in made.rows] == ["phases", "heals", "search (tracker)"]
    fills = [row.groups[0].marks[0] for row in made.rows]
    assert fills[0].fill == phase_color("verify")
    assert [mark.tone for mark in fills[1:]] == ["good", "bad"]
    assert [one.name for one in made.legend] == ["verify", "failed", "heal, passed"]


def test_a_night_takes_no_room() -> None:
    """What ran fills the line but for a sliver, whichever of both is the longer."""
    rows = [span(0, 30, PHASES_LANE, "phase plan"), span(600, 30, PHASES_LANE, "phase plan")]
    made = drawn(rows, State())
    first, second = (group.marks[0] for group in lane(made, PHASES_LANE).groups)
    assert first.width == pytest.approx(second.width)
    assert first.width + second.width > 98
    assert [mark.title for mark in made.gaps] == ["nothing ran for 9 h 30 min"]
    assert made.under.startswith("One stretch in which nothing ran")
    assert made.link == ("Show the time between", "/sessions/one?gaps=1")


def test_a_switch_shows_the_night() -> None:
    """With gaps, places are proportional to time, and the link leads back."""
    rows = [span(0, 30, PHASES_LANE, "phase plan"), span(90, 30, PHASES_LANE, "phase plan")]
    made = drawn(rows, State(gaps="1"))
    assert [group.marks[0].x for group in lane(made, PHASES_LANE).groups] == [0, 75]
    assert not made.gaps
    assert made.link[1] == "/sessions/one"


def test_a_phase_leads_to_its_time_and_a_tool_to_its_calls() -> None:
    """Both narrow the session's own page; in a file nothing leads anywhere."""
    rows = [span(0, 10, PHASES_LANE, "phase plan"), span(1, 2, "Bash", "ok")]
    made = drawn(rows, State(gaps="1"))
    began_us = micros(AT)
    assert lane(made, PHASES_LANE).groups[0].href == (
        f"/sessions/one?span={began_us}-{began_us + 10 * MINUTE_US}&gaps=1"
    )
    assert lane(made, "Bash").groups[0].href == "/sessions/one?tool=Bash&gaps=1"
    inert = drawn(rows)
    assert not any(group.href for row in inert.rows for group in row.groups)


def test_calls_that_cannot_be_told_apart_are_one_mark() -> None:
    """A thousand quick calls are as many marks as can be seen, and say how many they are."""
    rows = [span(0, 600, PHASES_LANE, "phase plan")]
    rows += [span(minute * 0.01, 0.0001, "Read", "ok") for minute in range(1_000)]
    rows += [span(5, 0.0001, "Read", "failed")]
    (group,) = lane(drawn(rows), "Read").groups
    assert len(group.marks) < 30
    assert "more" in group.marks[0].title
    assert [mark.tone for mark in group.marks].count("bad") == 1
    assert group.marks[-1].tone == "bad"


stretches = st.lists(
    st.tuples(st.integers(0, 30 * 24 * HOUR_US), st.integers(0, 3 * HOUR_US)), min_size=1
).map(lambda pairs: [(begin, begin + long) for begin, long in pairs])


@given(stretches, st.booleans(), st.data())
def test_later_is_never_to_the_left(
    ran: list[tuple[int, int]], shows_gaps: bool, data: st.DataObject
) -> None:
    """Places go up with time, stay in the drawing, and lead back to the time."""
    scale = TimeScale(ran, shows_gaps=shows_gaps)
    begin, end = min(one[0] for one in ran), max(one[1] for one in ran)
    times = sorted(data.draw(st.lists(st.integers(begin, end), min_size=2, max_size=6)))
    places = [scale.at(t_us) for t_us in times]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)
    assert scale.at(begin) == 0
    back = scale.time_at(places[0])
    assert scale.at(back) == pytest.approx(places[0], abs=0.01)


def test_ticks_name_the_day_where_there_are_several() -> None:
    """Within a day the clock is enough."""
    within = TimeScale([(micros(AT), micros(AT) + 2 * HOUR_US)], shows_gaps=False)
    assert all(" " not in tick.text for tick in within.ticks)
    days = TimeScale([(micros(AT), micros(AT) + 50 * HOUR_US)], shows_gaps=False)
    assert days.ticks[0].text.startswith("Jun 20 ")
    assert [tick.anchor for tick in days.ticks] == ["start", "middle", "middle", "middle", "end"]
