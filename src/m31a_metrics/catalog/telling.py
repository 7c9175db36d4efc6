"""One session of the index, read from its own file: its events in order, and its sums."""

from __future__ import annotations

import os
from operator import attrgetter

from msgspec import Struct

from m31a_metrics import sources, store
from m31a_metrics.answers import SessionRow
from m31a_metrics.config import Config
from m31a_metrics.errors import MetricsError, NotThisFormat
from m31a_metrics.events import Event
from m31a_metrics.model import SessionMetrics
from m31a_metrics.rates import pricer
from m31a_metrics.session import Session
from m31a_metrics.tally import Price, Tally

_time = attrgetter("t_us")


class Told(Struct):
    """What a session's file tells. `price` is for LLM use that came without a cost."""

    events: list[Event]
    metrics: SessionMetrics
    price: Price


def tell(row: SessionRow, config: Config) -> Told | None:
    """Read the session of a row, from the path that the index has of it.

    None where the file is gone, or is no longer what it was: the index alone knows it.
    """
    price = pricer(config)
    try:
        if _is_recorded(row.path):
            return _recorded(row.path, price)
        return _transcript(row, price)
    except (MetricsError, FileNotFoundError):
        return None


def _is_recorded(path: str) -> bool:
    return os.path.isdir(path) and any(
        os.path.exists(os.path.join(path, name)) for name in (store.METRICS, store.EVENTS)
    )


def _recorded(path: str, price: Price) -> Told | None:
    parent, name = os.path.split(path)
    session = Session(parent, name, price)
    metrics = session.load()
    if metrics is None:
        return None
    events: list[Event] = []
    if session.has_journals():
        _, journals = session.fold()
        events = sorted((event for one in journals for event in one.events), key=_time)
    metrics.session_id = name
    return Told(events, metrics, price)


def _transcript(row: SessionRow, price: Price) -> Told | None:
    if row.agent not in sources.SOURCES:
        return None
    transcript = sources.source(row.agent).read(row.path)
    if not transcript.events:
        raise NotThisFormat(f"{row.path} holds no events")
    events = sorted(transcript.events, key=_time)
    tally = Tally(price)
    for place, event in enumerate(events):
        tally.add(event, place)
    return Told(events, tally.metrics(row.session_id), price)
