"""The guard around each file: whatever a source raises costs one session, and is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics import sources
from tests.hostile.agents import SAMPLES
from tests.hostile.machine import OWN, look, record


@pytest.fixture
def home(clean_home: Path) -> Path:
    """A home with a recorded session."""
    record()
    return clean_home


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    "error",
    [
        RecursionError("deep"),
        MemoryError(),
        ValueError("secret words"),
        OverflowError("int too large"),
        UnicodeDecodeError("utf-8", b"secret", 0, 1, "bad"),
        OSError(5, "Input/output error"),
        KeyError("secret"),
        AssertionError("secret"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_source_raises(
    error: Exception, processes: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that file's own trouble, in worker processes too; a defect of ours is said as such."""
    from m31a_metrics.catalog import refresh, workers
    from m31a_metrics.sources import codex

    bad, good = SAMPLES[1].write(home), SAMPLES[0].write(home)

    def read(path: str, skip: frozenset[str] = frozenset()) -> None:
        raise error

    monkeypatch.setattr(codex, "read", read)
    monkeypatch.setattr(refresh, "process_count", lambda _: processes)
    monkeypatch.setattr(workers, "_is_alone", lambda: True)  # a test runner has threads
    rows, (trouble,) = look(home)
    assert {OWN, SAMPLES[0].session_id} == set(rows)
    assert good.exists()
    assert trouble.path == str(bad)
    is_ours = not isinstance(error, OSError | MemoryError)
    assert ("this is a bug in reading" in trouble.sentence) == is_ours
    assert "secret" not in trouble.sentence
    monkeypatch.undo()
    if not is_ours:  # what may be other the next time is tried again
        monkeypatch.setenv("HOME", str(home))
        rows, troubles = look(home)
        assert SAMPLES[1].session_id in rows
        assert troubles == []


def test_whatever_finding_raises(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in finding one agent's sessions hides no other agent's, and nothing is gone."""
    for sample in SAMPLES[:2]:
        sample.write(home)
    look(home)

    def find(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(sources.source("codex"), "find", find)
    rows, (trouble,) = look(home)
    assert not any(row.is_gone for row in rows.values())
    assert len(rows) == 3
    assert "this is a bug in finding the sessions of codex (RuntimeError" in trouble.sentence


def test_a_record_that_cannot_be_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a whole batch only that one is left out, whose figures no index can hold."""
    from m31a_metrics.catalog import records

    bad, _ = SAMPLES[1].write(home), SAMPLES[0].write(home)
    real = records.record_of

    def record_of(path: str, *given: object) -> object:
        record = real(path, *given)  # type: ignore[arg-type] # as they came
        if path == str(bad):
            record.project = "\ud800"
        return record

    monkeypatch.setattr(records, "record_of", record_of)
    rows, (trouble,) = look(home)
    assert {OWN, SAMPLES[0].session_id} == set(rows)
    assert trouble.path == str(bad)
    assert "UnicodeEncodeError" in trouble.sentence
