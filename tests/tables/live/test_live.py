"""The tables of a live screen: cards, phases over time, tools, cost, events, sessions."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from m31a_metrics import SessionMetrics, events
from m31a_metrics.answers import TotalsRow
from m31a_metrics.model import PhaseTime, SessionDetail, Usage
from m31a_metrics.table import Table
from m31a_metrics.tables import live
from m31a_metrics.tally import moment
from m31a_metrics.tally.live import LiveTally
from tests.tables.builders import NOW, column, llm, records, session

_START_US = int(NOW.timestamp()) * 1_000_000
_S = 1_000_000


def told(*recorded: events.Event) -> tuple[SessionMetrics, SessionDetail]:
    tally = LiveTally(lambda _: None)
    for event in recorded:
        tally.add(event)
    return tally.metrics("abc"), tally.detail()


def at(seconds: float) -> int:
    return _START_US + int(seconds * _S)


def clock(seconds: float) -> str:
    return f"{moment(at(seconds)).astimezone():%H:%M:%S}"


def work() -> tuple[SessionMetrics, SessionDetail]:
    """Plan for 60 s, then execute for 120 s so far, with a failure and a heal."""
    return told(
        events.PhaseTransition(at(0), "plan"),
        events.LLMInteraction(at(30), "plan", Usage(900, 100), 0.5, "large"),
        events.PhaseDuration(at(60), "plan", 60_000, True),
        events.PhaseTransition(at(60), "execute"),
        events.ToolCall(at(90), "Bash", False, 2_000, error="exit code <n>"),
        events.HealTrigger(at(91), "execute"),
        events.LLMInteraction(at(95), "execute", Usage(400, 100), 0.25, "small"),
        events.ToolCall(at(100), "Bash", True, 1_000),
        events.HealOutcome(at(101), "execute", True, 10_000),
        events.ToolCall(at(180), "Read", True, 5),
    )


def test_cards_tell_the_session_in_one_row() -> None:
    """The six figures, and the word about each."""
    metrics, detail = work()
    (row,) = records(live.cards(metrics, detail, metrics.updated_at))
    assert row == {
        "active_ms": 180_000,
        "duration_ms": 180_000,
        "cost_usd": 0.75,
        "cost_per_hour_usd": 15.0,
        "total_tokens": 1_500,
        "interaction_count": 2,
        "call_count": 3,
        "calls_per_minute": 1.0,
        "fail_count": 1,
        "fail_rate": pytest.approx(1 / 3),
        "heal_trigger_count": 1,
        "heal_success_count": 1,
    }


def test_cards_of_nothing_are_not_known() -> None:
    """An empty session has no duration and no cost, which is not zero."""
    (row,) = records(live.cards(SessionMetrics("abc"), SessionDetail(), NOW))
    unknown = ("active_ms", "duration_ms", "cost_usd", "cost_per_hour_usd", "total_tokens")
    assert all(row[name] is None for name in (*unknown, "calls_per_minute", "fail_rate"))
    assert (row["call_count"], row["heal_success_count"]) == (0, 0)


def test_cards_say_how_much_is_unpriced() -> None:
    """A cost that leaves tokens out says so, in the place of the rate."""
    metrics = session(llms=[llm("plan", 0.5, 100, unpriced=40)])
    (row,) = records(live.cards(metrics, SessionDetail(), NOW))
    assert row["unpriced_tokens"] == 40
    assert "cost_per_hour_usd" not in row


def test_a_screen_stays_when_the_clock_was_set_back() -> None:
    """A last event in the future is no negative time."""
    assert live.screenful(session(), None, NOW - timedelta(hours=1)).idle_ms == 0


def test_rates_are_per_active_hour() -> None:
    """An idle night between two turns makes nothing cheaper."""
    night_s = 8 * 3_600
    metrics, detail = told(
        *(events.ToolCall(at(since + 60), "Bash", True, 60_000) for since in (0, night_s)),
        events.LLMInteraction(at(night_s + 61), "", Usage(900, 100), 0.5, duration_ms=0),
    )
    (row,) = records(live.cards(metrics, detail, moment(at(night_s + 61))))
    assert (row["active_ms"], row["duration_ms"]) == (120_000, night_s * 1000 + 1_000)
    assert (row["cost_per_hour_usd"], row["calls_per_minute"]) == (15.0, 1.0)


def test_timeline_is_of_the_active_time() -> None:
    """Each stretch is a part of all the time in which something ran; the last is current."""
    metrics, detail = work()
    rows = records(live.timeline(metrics, detail, metrics.updated_at))
    assert [(row["phase"], row["is_current"]) for row in rows] == [
        ("plan", False),
        ("execute", True),
    ]
    assert [row["began_share"] for row in rows] == pytest.approx([0, 1 / 3])
    assert [row["width_share"] for row in rows] == pytest.approx([1 / 3, 2 / 3])
    assert [row["duration_ms"] for row in rows] == [60_000, 120_000]


def test_what_goes_on_counts_up_to_now() -> None:
    """In bar, table and cards alike; but not a session that ended long ago."""
    metrics, detail = work()
    now = moment(at(240))
    *_, last = records(live.timeline(metrics, detail, now))
    assert (last["duration_ms"], last["width_share"]) == (180_000, 0.75)
    plan, execute = records(live.by_phase(metrics, detail, now))
    assert (plan["duration_ms"], execute["duration_ms"]) == (60_000, 180_000)
    (row,) = records(live.cards(metrics, detail, now))
    assert row["active_ms"] == 240_000
    plan, execute = records(live.by_phase(metrics, detail, moment(at(9_000))))
    assert execute["duration_ms"] == 120_000


def test_gaps_are_left_out_unless_they_are_asked_for() -> None:
    """A pause between two stays takes no room in the bar; with gaps, nothing is drawn there."""
    metrics, detail = told(
        events.PhaseTransition(at(0), "plan"),
        events.PhaseDuration(at(25), "plan", 25_000, True),
        events.PhaseTransition(at(75), "ship"),
        events.PhaseDuration(at(100), "ship", 25_000, True),
    )
    for gaps, shares in ((False, [(0, 0.5), (0.5, 0.5)]), (True, [(0, 0.25), (0.75, 0.25)])):
        rows = records(live.timeline(metrics, detail, NOW, gaps=gaps))
        assert [(row["began_share"], row["width_share"]) for row in rows] == shares


def test_what_is_known_by_phase_alone_stands_first() -> None:
    """A session with more stretches than are kept: the bar has the time of the others, too."""
    metrics, detail = told(
        events.PhaseTransition(at(0), "plan"),
        events.PhaseDuration(at(25), "plan", 25_000, True),
    )
    detail.times = [PhaseTime("plan", 50 * _S), PhaseTime("ship", 25 * _S)]
    rows = records(live.timeline(metrics, detail, NOW))
    assert [(row["phase"], row["duration_ms"]) for row in rows] == [
        ("plan", 25_000),
        ("ship", 25_000),
        ("plan", 25_000),
    ]
    assert [row["width_share"] for row in rows] == pytest.approx([1 / 3] * 3)


def test_timeline_without_events_is_by_duration() -> None:
    """METRICS.json alone: the phases in their order, each as long as it took."""
    metrics, _ = told(
        events.PhaseDuration(at(0), "plan", 1_000, True),
        events.PhaseDuration(at(9), "execute", 3_000, False),
        events.PhaseTransition(at(9), "ship"),
    )
    rows = records(live.timeline(metrics, SessionDetail(), NOW))
    assert [(row["phase"], row["began_share"], row["width_share"]) for row in rows] == [
        ("plan", 0, 0.25),
        ("execute", 0.25, 0.75),
    ]


def test_phases_show_the_current_one() -> None:
    """The phase that goes on has `now` for its outcome, and the time it took so far."""
    plan, execute = records(live.by_phase(*work(), moment(at(180))))
    assert (plan["success"], plan["duration_ms"], plan["cost_usd"]) == (True, 60_000, 0.5)
    assert (execute["success"], execute["duration_ms"]) == ("now", 120_000)
    assert execute["duration_share"] == pytest.approx(2 / 3)
    assert (execute["heal_trigger_count"], execute["heal_success_count"]) == (1, 1)


def test_a_phase_that_was_entered_again_adds_up() -> None:
    """While it goes on, its time is that of all its stays; the last one ended does not hide it."""
    table = live.by_phase(
        *told(
            events.PhaseTransition(at(0), "verify"),
            events.PhaseDuration(at(60), "verify", 60_000, False),
            events.PhaseTransition(at(60), "execute"),
            events.PhaseDuration(at(90), "execute", 30_000, True),
            events.PhaseTransition(at(90), "verify"),
            events.UserTurn(at(100)),
        ),
        moment(at(100)),
    )
    assert column(table, "success") == ["now", True]
    assert column(table, "duration_ms") == [70_000, 30_000]


def test_tools_show_their_latest_calls() -> None:
    """The most time first; the sparkline is a cell; without a journal there are dashes."""
    metrics, detail = work()
    bash, read = records(live.tools(metrics, detail))
    assert (bash["tool"], bash["call_count"], bash["fail_rate"]) == ("Bash", 2, 0.5)
    assert bash["recent_ms"] == [2_000, 1_000]
    assert bash["p95_ms"] == 2_000
    assert read["duration_share"] == pytest.approx(5 / 3_005)
    bare = records(live.tools(metrics, SessionDetail()))[0]
    assert (bare["p50_ms"], bare["recent_ms"], bare["call_count"]) == (None, None, 2)


def test_cost_is_by_phase_and_by_model() -> None:
    """The most expensive first, with its share of the whole."""
    metrics, detail = work()
    assert column(live.cost_by_phase(metrics), "phase") == ["plan", "execute"]
    models = live.cost_by_model(detail)
    assert column(models, "model") == ["large", "small"]
    assert column(models, "cost_share") == pytest.approx([2 / 3, 1 / 3])
    noted = live.cost_by_phase(session(llms=[llm("plan", 0.0, 100, unpriced=100)]))
    assert column(noted, "cost_usd") == [None]
    assert noted.notes == ["100 tokens are unpriced, so cost leaves them out."]


def test_spend_adds_up_over_time() -> None:
    """Each row holds what was spent so far."""
    rows = records(live.spend(work()[1]))
    assert [(row["total_tokens"], row["cost_usd"]) for row in rows] == [(1_000, 0.5), (1_500, 0.75)]


def test_latest_events_come_first() -> None:
    """The newest is at the top, with its failure line; times are local."""
    rows = records(live.latest(work()[1].latest))
    assert [row["event"] for row in rows[:3]] == ["tool", "heal ended", "tool"]
    assert rows[0]["clock"] == clock(180)
    assert rows[5] == {
        "clock": clock(90),
        "event": "tool",
        "name": "Bash",
        "success": False,
        "duration_ms": 2_000,
        "total_tokens": "",
        "cost_usd": "",
        "error": "exit code <n>",
    }


def test_one_tool_and_one_phase() -> None:
    """What is known of one alone, and its own events; a name that is not there says so."""
    metrics, detail = work()
    facts, calls = live.of_tool("Bash", metrics, detail)
    assert column(facts, "tool") == ["Bash"]
    assert column(calls, "duration_ms") == [1_000, 2_000]
    phase, spent, happened = live.of_phase("execute", metrics, detail, NOW)
    assert column(phase, "success") == ["now"]
    assert column(spent, "cost_usd") == [0.25]
    assert "heal" in column(happened, "event")
    assert [one.empty for one in live.of_tool("gone", metrics, detail)] == [
        "Nothing is known of gone yet.",
        "No call of gone is among the latest events.",
    ]


def test_screenful_without_detail_says_so() -> None:
    """Only the sums are known: the tables that need events say why they are empty."""
    metrics, detail = work()
    whole = live.screenful(metrics, detail, NOW)
    assert len(whole.events.rows) == 10
    bare = live.screenful(metrics, None, NOW)
    assert len(bare.tools.rows) == 2
    for table in (bare.events, bare.spend, bare.cost_by_model):
        assert (table.rows, table.empty) == ([], "Not known: METRICS.json alone holds sums.")


def test_a_year_that_is_no_date_is_shown() -> None:
    """Times at the ends of the calendar break no table."""
    metrics = SessionMetrics("abc", datetime.min.replace(tzinfo=NOW.tzinfo), moment(2**62))
    live.screenful(metrics, SessionDetail(), NOW)  # raises for a time that it cannot show
    one = live.Running("abc", "m31a", "", metrics, SessionDetail())
    nothing = live.Period(TotalsRow(), [], [], Table("Limits", []))
    assert column(live.sessions(nothing, [one], NOW), "session_id") == ["abc"]
