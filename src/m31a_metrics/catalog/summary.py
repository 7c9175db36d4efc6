"""One transcript, summed: what the questions need of it, small enough to pass between processes."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics.catalog.days import Days
from m31a_metrics.events import LLMInteraction
from m31a_metrics.model import ModelMetric, SessionMetrics, Usage
from m31a_metrics.tally import Tally, add_model
from m31a_metrics.tally.detail import DetailTally
from m31a_metrics.transcript import Damage, Effects, Facts, Transcript

Price = Callable[[LLMInteraction], float | None]


class DayUse(Struct):
    """LLM use of one model on one day (of the person's own time zone).

    `given_tokens` are those whose cost the agent itself said. `cost_1h` is what cache
    writes for an hour cost above those for five minutes, in USD.
    """

    day: str
    use: ModelMetric
    given_tokens: int = 0
    cost_1h: float = 0.0


class Summary(Struct, tag=True):
    """One session of another agent. `ids` are those of its events, for finding replays.

    `histograms` are packed, by tool; `unpaired_count` counts calls without a result.
    """

    path: str
    facts: Facts
    metrics: SessionMetrics
    models: list[ModelMetric]
    days: list[DayUse]
    histograms: dict[str, bytes]
    waits_ms: dict[str, float]
    ids: list[str]
    unpaired_count: int
    user_turns: int
    compactions: int
    subagent_tokens: int
    damage: Damage
    effects: Effects


def summarise(path: str, transcript: Transcript, price: Price) -> Summary:
    """Sum a transcript; `price` is asked for what the agent gave no cost of."""
    price = Once(price)
    tally, detail, days = Tally(price), DetailTally(), Uses(price)
    turns = compactions = subagent_tokens = 0
    for place, event in enumerate(transcript.events):
        if not tally.add(event, place):
            continue
        kind = type(event).__struct_config__.tag
        if kind == "tool_call":
            detail.add(event)
        elif isinstance(event, LLMInteraction):
            days.add(event, tally.cost(event))
            if event.subagent:
                subagent_tokens += event.usage.total
        elif kind == "user_turn":
            turns += 1
        elif kind == "compaction":
            compactions += 1
    facts = transcript.facts
    return Summary(
        path,
        facts,
        tally.metrics(facts.native_id),
        list(tally.models.values()),
        days.uses(),
        {name: histogram.pack() for name, histogram in detail.histograms.items()},
        detail.waits_ms,
        list(tally.ids),
        sum(call.success is None for call in transcript.calls),
        turns,
        compactions,
        subagent_tokens,
        transcript.damage,
        transcript.effects,
    )


class Once:
    """A price that is asked for once, though several sums need it."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._event: LLMInteraction | None = None
        self._cost: float | None = None

    def __call__(self, event: LLMInteraction) -> float | None:
        """Return what the event cost, in USD; None: nobody knows."""
        if event is not self._event:
            self._event, self._cost = event, self._price(event)
        return self._cost


class Uses:
    """LLM use by local day and model."""

    def __init__(self, price: Price) -> None:
        self._price = price
        self._models: dict[str, dict[str, ModelMetric]] = {}
        self._uses: dict[tuple[str, str], DayUse] = {}
        self._days = Days()
        self._rates_1h: dict[tuple[str, str | None], float] = {}

    def add(self, event: LLMInteraction, cost: float | None) -> None:
        """Count an interaction on its day."""
        day = self._days.of(event.t_us)
        models = self._models.get(day)
        if models is None:
            models = self._models[day] = {}
        add_model(models, event, cost)
        if event.cost is not None:
            self._use(day, event).given_tokens += event.usage.total
        elif cost is not None and (written := event.usage.cache_write_1h_tokens):
            self._use(day, event).cost_1h += written * self._rate_1h(event)

    def _rate_1h(self, event: LLMInteraction) -> float:
        """What a token costs more, in USD, for being written for an hour and not 5 minutes.

        At the rates of short prompts, which is near enough for an explanation.
        """
        key = (event.model or "", event.tier)
        rate = self._rates_1h.get(key)
        if rate is None:
            hour, minutes = (
                self._price(replace(event, usage=usage)) or 0.0
                for usage in (
                    Usage(1000, 0, cache_write_1h_tokens=1000),
                    Usage(1000, 0, cache_write_5m_tokens=1000),
                )
            )
            rate = self._rates_1h[key] = (hour - minutes) / 1000
        return rate

    def _use(self, day: str, event: LLMInteraction) -> DayUse:
        name = event.model or ""
        use = self._uses.get((day, name))
        if use is None:
            use = self._uses[day, name] = DayUse(day, self._models[day][name])
        return use

    def uses(self) -> list[DayUse]:
        """The days in order, their models as they appeared."""
        return [
            self._uses.get((day, name)) or DayUse(day, use)
            for day, models in sorted(self._models.items())
            for name, use in models.items()
        ]
