"""Which Collector and which phase code belongs to, asked where nobody passes either."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from pathlib import Path

import pytest

from m31a_metrics import Collector
from m31a_metrics.collector.scopes import in_force


def here() -> tuple[str, str | None] | None:
    """The session and the phase in force."""
    found = in_force()
    return None if found is None else (found.collector.session_id, found.phase)


def test_blocks_nest(tmp_path: Path) -> None:
    """The innermost block counts, of whichever Collector, and what was before comes back."""
    with Collector("outer", tmp_path, enabled=True) as outer:
        assert here() == ("outer", None)
        with outer.phase("plan"):
            assert here() == ("outer", "plan")
            with Collector("inner", tmp_path, enabled=True):
                assert here() == ("inner", None)
            assert here() == ("outer", "plan")
        assert here() == ("outer", None)
    assert here() is None


def test_a_collector_that_is_switched_off_is_in_force_too(tmp_path: Path) -> None:
    """What is not to be recorded is recorded by nobody else."""
    with Collector("off", tmp_path, enabled=False) as off, off.phase("plan") as phase:
        assert here() == ("off", "plan")
        assert phase.success
    assert here() is None


def test_a_block_that_raises_is_left(tmp_path: Path) -> None:
    """An exception leaves nothing in force."""
    one = Collector("one", tmp_path, enabled=True)
    with pytest.raises(RuntimeError), one, one.phase("plan"):
        raise RuntimeError
    assert here() is None


def test_tasks_have_their_own(tmp_path: Path) -> None:
    """Sessions that run side by side in one loop keep apart, their tasks and steps with them."""

    async def session(name: str) -> list[tuple[str, str | None] | None]:
        async with Collector(name, tmp_path, enabled=True) as collector:
            await asyncio.sleep(0)
            async with collector.phase("execute"):
                return [*await asyncio.gather(ask(), ask()), here()]

    async def ask() -> tuple[str, str | None] | None:
        await asyncio.sleep(0)
        return here()

    async def both() -> None:
        seen = await asyncio.gather(session("a"), session("b"))
        assert list(seen) == [[(name, "execute")] * 3 for name in ("a", "b")]

    asyncio.run(both())


def test_a_thread_begins_with_nothing(tmp_path: Path) -> None:
    """A thread has what a copy of a context brings there, and nothing else."""
    seen: list[object] = []
    with Collector("one", tmp_path, enabled=True):
        copied = copy_context()
        for run in (here, lambda: copied.run(here)):
            thread = threading.Thread(target=lambda run=run: seen.append(run()))
            thread.start()
            thread.join()
    assert seen == [None, ("one", None)]


def test_a_block_may_end_in_another_context(tmp_path: Path) -> None:
    """A generator that is closed elsewhere raises nothing, and takes nothing away there."""
    collector = Collector("one", tmp_path, enabled=True)
    scope = collector.phase("plan")
    copy_context().run(scope.__enter__)
    with collector.phase("verify"):
        scope.__exit__(None, None, None)
        assert here() == ("one", "verify")
    collector.stop()
    assert [row.phase for row in collector.snapshot().phases] == ["plan", "verify"]


def test_the_phase_that_was_entered_last(tmp_path: Path) -> None:
    """A host that records transitions itself has a phase all the same."""
    with Collector("one", tmp_path, enabled=True) as collector:
        assert collector.phase_entered is None
        collector.record_phase_transition("plan")
        assert collector.phase_entered == "plan"
        with collector.phase("verify"):
            assert collector.phase_entered == "verify"
