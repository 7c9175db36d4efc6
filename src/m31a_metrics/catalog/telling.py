"""One session of the index, read from its own file: its events in order, and its sums."""

from __future__ import annotations

import os

from msgspec import Struct

from m31a_metrics import sources, store
from m31a_metrics.answers import SessionRow
from m31a_metrics.catalog.explaining import events_of
from m31a_metrics.catalog.guard import guarded
from m31a_metrics.catalog.inferring import inferred
from m31a_metrics.catalog.unread import Unread
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError
from m31a_metrics.events import Event
from m31a_metrics.kept_lines import with_lines
from m31a_metrics.model import SessionMetrics
from m31a_metrics.rates import pricer
from m31a_metrics.session import Session
from m31a_metrics.tally import Price, Tally


class Told(Struct):
    """What a session's file tells. `price` is for LLM use that came without a cost.

    `events` are in the order of time, with those that inference adds to a transcript;
    `phases` are those of calls, by id, where they were inferred.
    """

    events: list[Event]
    metrics: SessionMetrics
    price: Price
    phases: dict[str, str] = {}


def tell(row: SessionRow, config: Config) -> Told | None:
    """Read the session of a row, from the path that the index has of it.

    None where the file is gone, or is no longer what it was: the index alone knows it.
    """
    price = pricer(config)
    try:
        with guarded(row.path):
            if _is_recorded(row.path):
                return _recorded(row.path, price, config)
            return _transcript(row, price, config, Unread(config.forgotten))
    except MetricsError:
        return None


def _is_recorded(path: str) -> bool:
    return os.path.isdir(path) and any(
        os.path.exists(os.path.join(path, name)) for name in (store.METRICS, store.EVENTS)
    )


def _recorded(path: str, price: Price, config: Config) -> Told | None:
    parent, name = os.path.split(path)
    session = Session(parent, name, price)
    metrics = session.load()
    if metrics is None:
        return None
    metrics.session_id = name
    events = with_lines(events_of(session), keep=config.failure_lines)
    return Told(events, metrics, price)


def _transcript(row: SessionRow, price: Price, config: Config, unread: Unread) -> Told | None:
    if not sources.is_known(row.agent):
        return None
    inference = inferred(unread.read(row.agent, row.path), config)
    tally = Tally(price)
    for place, event in enumerate(inference.events):
        tally.add(event, place)
    phases = {call.id: call.phase for call in inference.calls}
    return Told(inference.events, tally.metrics(row.session_id), price, phases)
