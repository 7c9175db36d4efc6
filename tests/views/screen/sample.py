"""A session in the middle of its work, the same at every run: what the screen's tests show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from random import Random

from m31a_metrics import SessionDetail, SessionMetrics, events
from m31a_metrics.answers import PhaseRow, RateLimitRow, SessionRow, TotalsRow
from m31a_metrics.budgets import DAY, USD, Limit, Limits, Use, judge
from m31a_metrics.conversation import Title
from m31a_metrics.model import Usage
from m31a_metrics.tables import live
from m31a_metrics.tables.budget import Budgeted
from m31a_metrics.tally import moment
from m31a_metrics.tally.live import LiveTally
from m31a_metrics.timestamps import micros
from m31a_metrics.transcript import RateLimit

START_US = 1_781_942_400_000_000  # 2026-06-20 08:00 UTC

_TOOLS = (
    # name, milliseconds, failures in a hundred
    ("Read", 40, 1),
    ("Grep", 90, 2),
    ("Edit", 60, 6),
    ("Bash", 2_600, 12),
    ("mcp__github__create_pull_request", 900, 3),
    ("WebFetch", 1_900, 8),
    ("Task", 41_000, 0),
    ("Write", 35, 0),
)
_PHASES = (
    # name, minutes, the model, calls a minute
    ("explore", 4, "claude-sonnet-4-5", 9),
    ("plan", 2, "claude-opus-4-1", 2),
    ("execute", 9, "claude-sonnet-4-5", 8),
    ("verify", 3, "claude-sonnet-4-5", 5),
    ("execute", 6, "claude-sonnet-4-5", 8),
    ("verify", 2, "claude-haiku-4-5", 5),
)
_PRICES = {"claude-opus-4-1": 30e-6, "claude-sonnet-4-5": 6e-6, "claude-haiku-4-5": 2e-6}
_LINES = (
    "AssertionError: <n> != <n>",
    "exit code <n>",
    "FileNotFoundError: <path>",
    "old string not found",
)


def price(event: events.LLMInteraction) -> float | None:
    """Price a model that is known here; None for another."""
    rate = _PRICES.get(event.model or "")
    return None if rate is None else rate * event.usage.total


def session_events(seed: int = 31) -> Iterator[events.Event]:
    """Make half an hour of work, still going on."""
    chance = Random(seed)
    at_us = START_US
    yield events.SessionStart(at_us, "example")
    spent_ms: dict[str, float] = {}
    for number, (phase, minutes, model, calls) in enumerate(_PHASES):
        yield events.PhaseTransition(at_us, phase)
        end_us = at_us + minutes * 60_000_000
        while at_us < end_us:
            yield _answer(chance, at_us, phase, model)
            for _ in range(chance.randint(1, 3)):
                at_us += int(chance.expovariate(calls / 60_000_000))
                call = _call(chance, at_us)
                yield call
                if not call.success and phase in ("execute", "verify") and call.name == "Bash":
                    yield from _heal(chance, at_us, phase)
        at_us = max(at_us, end_us)
        spent_ms[phase] = spent_ms.get(phase, 0.0) + minutes * 60_000
        if number < len(_PHASES) - 1:
            yield events.PhaseDuration(at_us, phase, spent_ms[phase], success=True)


def _answer(chance: Random, at_us: int, phase: str, model: str) -> events.LLMInteraction:
    prompt = chance.randint(9_000, 60_000)
    usage = Usage(prompt, chance.randint(200, 2_400), cache_read_tokens=prompt * 3 // 4)
    return events.LLMInteraction(
        at_us, phase, usage, model=model, duration_ms=chance.randint(1_500, 14_000)
    )


def _call(chance: Random, at_us: int) -> events.ToolCall:
    weights = (9, 6, 6, 7, 1, 1, 0.6, 2)
    name, usual_ms, failures = chance.choices(_TOOLS, weights)[0]
    success = chance.random() * 100 >= failures
    duration_ms = round(usual_ms * chance.lognormvariate(0, 0.6), 3)
    error = None if success else chance.choice(_LINES)
    return events.ToolCall(at_us, name, success, duration_ms, error=error)


def _heal(chance: Random, at_us: int, phase: str) -> Iterator[events.Event]:
    yield events.HealTrigger(at_us + 1, phase)
    yield events.HealOutcome(
        at_us + 2, phase, chance.random() < 0.8, float(chance.randint(9_000, 90_000))
    )


class Session:
    """A session whose events are all told, with a clock that stands still behind them."""

    def __init__(self, recorded: list[events.Event], session_id: str = "3f2a91c0") -> None:
        self._id = session_id
        self.tally = LiveTally(price)
        for event in recorded:
            self.tally.add(event)

    def snapshot(self) -> SessionMetrics:
        """As a Collector's."""
        return self.tally.metrics(self._id)

    def detail(self) -> SessionDetail:
        """As a Collector's."""
        return self.tally.detail()

    @property
    def clock(self) -> Callable[[], datetime]:
        """Twelve seconds after the last event."""
        at = moment(int(self.snapshot().updated_at.timestamp() * 1e6) + 12_000_000)
        return lambda: at


def session() -> Session:
    """The sample."""
    return Session(list(session_events()))


def glance() -> live.Glance:
    """A period: the sample and a short session run, two are over, a budget is nearly spent."""
    whole, short = session(), Session(list(session_events(7))[:40], "0b7e2f14")
    now = whole.clock()
    over = SessionRow(
        "gemini-cli",
        "5f7959bb-0000",
        "5f7959bb-0000",
        project="/srv/tide-atlas",
        started_us=START_US - 7_200_000_000,
        updated_us=START_US - 3_600_000_000,
        call_count=31,
        fail_count=2,
        interaction_count=40,
        total_tokens=2_400_000,
        cost_nano=690_000_000,
        active_us=380_000_000,
    )
    known = SessionRow("claude-code", "3f2a91c0", "3f2a91c0", project="/srv/shop")
    totals = TotalsRow(
        session_count=3,
        call_count=231,
        fail_count=11,
        interaction_count=140,
        total_tokens=6_100_000,
        cost_nano=22_990_000_000,
        active_us=2_400_000_000,
        heal_trigger_count=4,
        heal_success_count=2,
        heal_fail_count=2,
    )
    phases = [
        PhaseRow("explore", active_us=900_000_000),
        PhaseRow("execute", active_us=1_100_000_000),
        PhaseRow("verify", active_us=400_000_000),
    ]
    limits = Limits((Limit(DAY, USD, 25_000_000_000),))
    use = Use(totals.cost_nano, active_us=totals.active_us)
    verdict = judge(limits, {DAY: use}, ())
    ends_us = START_US + 16 * 3_600_000_000
    budgeted = Budgeted(DAY, "2026-06-20", use, verdict, 2, ends_us)
    told = RateLimitRow("codex", RateLimit("primary", 13.2, 300, START_US + 7_200_000_000))
    period = live.Period(
        totals,
        phases,
        [known, over],
        live.limits([budgeted], {}, [told], micros(now)),
        {known.ref: Title("Round coupons to the cent"), over.ref: Title("", "A year takes 40 s")},
    )
    running = [
        live.Running("0b7e2f14", "codex", "/srv/greenhouse", short.snapshot(), short.detail()),
        live.Running("3f2a91c0", "claude-code", "/srv/shop", whole.snapshot(), whole.detail()),
    ]
    return live.glance(period, running, now)
