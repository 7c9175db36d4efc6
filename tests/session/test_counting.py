"""What a session holds: going on from METRICS.json gives what reading everything does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from m31a_metrics import Collector, SessionMetrics, Usage, events, save
from m31a_metrics.codec import decode
from m31a_metrics.events import Event, encode
from m31a_metrics.session import Session
from tests import strategies as some
from tests.strategies import assert_same

ID = "session"

WRITERS = ("1-aaaaaaaa.jsonl", "2-bbbbbbbb.jsonl", "hooks.jsonl")

# Few moments and names, so that everything meets: equal times, ids seen by several writers.
moments = st.integers(1_700_000_000_000_000, 1_700_000_000_000_005)


def _named(event: Event, number: int) -> Event:
    """One id is one event; two witnesses may differ in when it was."""
    return replace(event, id=f"id-{number}", t_us=event.t_us + number % 2)


_templates: list[Event] = [
    events.ToolCall(1_700_000_000_000_002, "Bash", True, 10),
    events.ToolCall(1_700_000_000_000_003, "Read", False, 2.5),
    events.LLMInteraction(1_700_000_000_000_001, "plan", Usage(5, 2), 0.25, "m"),
    events.PhaseTransition(1_700_000_000_000_002, "plan"),
    events.PhaseDuration(1_700_000_000_000_004, "plan", 40, True),
    events.EditStrategy(1_700_000_000_000_002, "exact_match"),
]

replays = st.builds(
    lambda number, shift: replace(
        _templates[number % len(_templates)],
        id=f"id-{number}",
        t_us=_templates[number % len(_templates)].t_us + shift,
    ),
    st.integers(0, 11),
    st.sampled_from([0, 0, 1, -1]),
)

plain = st.builds(
    lambda event, t_us: replace(event, id=None, t_us=t_us), some.single_events, moments
)

Step = tuple[str, str, list[Event]]

steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "flush", "look", "record", "fresh"]),
        st.sampled_from(WRITERS),
        st.lists(plain | replays, min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=10,
)


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power failure here: many repetitions need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(os, "fdatasync", lambda _: None, raising=False)


def append(session: Session, name: str, recorded: list[Event]) -> None:
    """What a writer of that name has written since the last time."""
    os.makedirs(session.events, exist_ok=True)
    with open(f"{session.events}/{name}", "ab") as file:
        file.write(b"".join(b"\n" + encode(event) + b"\n" for event in recorded))


def in_file(session: Session) -> SessionMetrics:
    """What METRICS.json says."""
    return decode(Path(session.metrics_path).read_bytes())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.none() | some.counted, steps)
def test_going_on_is_reading_everything(
    tmp_path_factory: pytest.TempPathFactory, base: SessionMetrics | None, done: list[Step]
) -> None:
    """Whoever writes, flushes and looks, in any order: METRICS.json is the fold of all events."""
    directory = str(tmp_path_factory.mktemp("s"))
    session = Session(directory, ID, lambda event: None if event.model == "m" else 0.5)
    if base is not None:
        save(directory, ID, base)
    collector = Collector(ID, directory)
    collector._writer.session.price = session.price
    for what, writer, recorded in done:
        if what == "append":
            append(session, writer, recorded)
        elif what == "record":
            for event in recorded:
                collector.record(event)
        elif what == "look":
            assert_same(session.count().tally.metrics(""), session.fold().metrics(""))
        elif what == "flush":
            assert collector.flush()
            assert_same(collector.snapshot(), replace(in_file(session), session_id=ID))
        else:
            session.flush()
        if what in ("flush", "fresh"):
            assert_same(in_file(session), session.fold().metrics(session.name()))
            assert session.is_current()
    collector.stop()
    whole = session.fold().metrics(session.name())
    assert_same(in_file(session), whole)
    loaded = session.load()
    assert loaded is not None
    assert_same(loaded, whole)
    os.unlink(f"{session.events}/.covered")
    assert_same(session.count().tally.metrics(session.name()), whole)


def test_a_call_that_was_counted_up_to_its_start_takes_its_time(tmp_path: Path) -> None:
    """Hooks tell of a start, METRICS.json is written, hooks tell of the end: nothing is lost."""
    session = Session(str(tmp_path), ID)
    session.append([events.ToolStart(1_000_000, "Bash", "one")])
    session.flush()
    session.append([events.ToolEnd(1_250_000, "Bash", id="one")])
    for _ in range(2):
        metrics = session.load()
        assert metrics is not None
        assert [(tool.call_count, tool.total_duration_ms) for tool in metrics.tools] == [(1, 250)]
        session.flush()
