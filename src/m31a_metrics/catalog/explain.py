"""One session call by call, whoever recorded it."""

from __future__ import annotations

from collections.abc import Sequence

from m31a_metrics.catalog.load import LoadedSession
from m31a_metrics.config import Config
from m31a_metrics.events import (
    BisectOutcome,
    BisectTrigger,
    Event,
    LLMInteraction,
    PhaseTransition,
    ToolCall,
)
from m31a_metrics.phases import Episode, Inference
from m31a_metrics.rates import remember
from m31a_metrics.record import HealEpisode
from m31a_metrics.tables.arithmetic import known_usd
from m31a_metrics.tables.explain import BisectRow, CallRow, Explained, HealRow
from m31a_metrics.tally import Price
from m31a_metrics.tally.heals import recorded_heals, use_between

_RECORDED = "recorded"
"""The rule of a phase that a recorder said itself."""


def explain(config: Config, session: LoadedSession) -> Explained:
    """List the calls of a session in their order, each with its phase, and its heals."""
    if session.inference is not None:
        explained = _inferred(session, session.inference)
    else:
        explained = _recorded(session)
    remember(config, session.price)
    return explained


def _inferred(session: LoadedSession, inference: Inference) -> Explained:
    ran = {event.id: event for event in session.events if isinstance(event, ToolCall)}
    explained = Explained(session.facts.native_id)
    for call, found in zip(session.calls, inference.calls, strict=True):
        event = ran.get(call.id)
        explained.calls.append(
            CallRow(
                call.tool,
                found.phase,
                found.rule,
                call.id,
                call.success,
                found.failed,
                None if event is None else event.duration_ms,
                None if event is None else event.wait_ms,
                call.subagent,
                found.sure,
                call.denied,
            )
        )
    explained.heals = [_heal(one, session.events, session.price) for one in inference.heals]
    explained.bisects = [
        BisectRow(one.calls, one.found, one.phase, (one.ended_us - one.began_us) / 1_000)
        for one in inference.bisects
    ]
    return explained


def _heal(episode: Episode, events: Sequence[Event], price: Price) -> HealRow:
    def cost(event: LLMInteraction) -> float | None:
        return price(event) if event.cost is None else event.cost

    tokens, nano = use_between(events, episode.began_us, episode.ended_us, cost)
    return HealRow(
        episode.failed,
        episode.edits,
        episode.rerun,
        episode.passed,
        episode.check,
        episode.phase,
        episode.chain,
        episode.loop,
        (episode.ended_us - episode.began_us) / 1_000,
        tokens,
        known_usd(nano),
    )


def _recorded(session: LoadedSession) -> Explained:
    explained = Explained(session.record.session_id)
    events, price = session.events, session.price
    phase = ""
    for event in events:
        if isinstance(event, PhaseTransition):
            phase = event.phase
        elif isinstance(event, ToolCall):
            explained.calls.append(
                CallRow(
                    event.name,
                    phase,
                    _RECORDED,
                    event.id or "",
                    event.success,
                    duration_ms=event.duration_ms,
                    wait_ms=event.wait_ms,
                    subagent=event.subagent or "",
                    denied=event.denied,
                )
            )

    def cost(event: LLMInteraction) -> float | None:
        return price(event) if event.cost is None else event.cost

    explained.heals = [_told(heal) for heal in recorded_heals(events, lambda _: "", cost)]
    explained.bisects = _bisects(events)
    return explained


def _told(heal: HealEpisode) -> HealRow:
    return HealRow(
        heal.failed_id,
        [],
        heal.rerun_id,
        heal.passed,
        heal.check,
        heal.phase,
        heal.chain,
        heal.loop,
        heal.duration_us / 1_000,
        heal.total_tokens,
        known_usd(heal.cost_nano),
    )


def _bisects(events: Sequence[Event]) -> list[BisectRow]:
    """Pair the bisects that a recorder told of with their outcomes."""
    rows: list[BisectRow] = []
    began_us = 0
    for event in events:
        if isinstance(event, BisectTrigger):
            rows.append(BisectRow([], None, event.phase, None))
            began_us = event.t_us
        elif isinstance(event, BisectOutcome) and rows and rows[-1].found is None:
            rows[-1].found = event.success
            rows[-1].duration_ms = (event.t_us - began_us) / 1_000
    return rows
