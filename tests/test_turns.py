from __future__ import annotations

from msgspec.structs import replace

from m31a_metrics.events import Event, LLMInteraction, ToolCall
from m31a_metrics.model import Usage
from m31a_metrics.phases import Inference, infer
from m31a_metrics.turns import EXPENSIVE_MAX, marks
from m31a_metrics.units import usd
from tests.phases.sessions import bash, denied, edit, session


def costing(inference: Inference, *costs: float | None) -> Inference:
    """The same session, whose responses cost so much one after the other."""
    left = list(costs)
    events: list[Event] = [
        replace(event, cost=left.pop(0), usage=Usage(100, 10))
        if isinstance(event, LLMInteraction)
        else event
        for event in inference.events
    ]
    return replace(inference, events=events)


def healed() -> Inference:
    """Two turns: a test fails, is mended and run again; then somebody refuses a command."""
    return infer(
        session(
            bash("pytest", ok=False, printed="FAILED tests/test_cart.py::test_total"),
            edit("src/cart.py"),
            bash("pytest"),
            "now ship it",
            denied(bash("git push")),
        )
    )


def test_turns_add_up_to_the_session() -> None:
    """Cost, tokens, active time and calls of the turns are those of the session, none twice."""
    inference = costing(healed(), 0.5, 0.25, 0.125, 2.0)
    found = marks(inference, lambda _: None)
    assert [turn.cost_nano for turn in found.turns] == [875_000_000, 2_000_000_000]
    active_us = sum(ended_us - began_us for began_us, ended_us, _ in inference.active)
    assert sum(turn.active_us for turn in found.turns) == active_us
    assert [(turn.call_count, turn.fail_count) for turn in found.turns] == [(3, 1), (0, 0)]
    assert [turn.total_tokens for turn in found.turns] == [330, 110]


def test_a_call_has_its_phase_and_its_outcome() -> None:
    """Each call is marked with the phase it served, how long it took and how it ended."""
    failed, changed, again, refused = marks(healed(), lambda _: None).calls
    assert (failed.phase, failed.has_failed, failed.failed_check) == ("verify", True, True)
    assert (changed.phase, changed.success, changed.has_failed) == ("execute", True, False)
    assert (again.id, again.success, again.duration_ms) == ("c2", True, 2_000)
    assert (refused.denied, refused.success, refused.duration_ms) == (True, None, None)


def test_a_heal_is_told_by_its_calls() -> None:
    """A heal goes from the check that failed over the changes to the check that passed."""
    (heal,) = marks(healed(), lambda _: None).heals
    assert (heal.failed, heal.edits, heal.rerun, heal.passed) == ("c0", ["c1"], "c2", True)


def test_a_cost_that_nobody_knows_is_none() -> None:
    """A turn with a response that has no price has no cost, and others keep theirs."""
    found = marks(costing(healed(), 0.5, None, 0.125, None), lambda _: None)
    assert [turn.cost_nano for turn in found.turns] == [None, None]
    found = marks(costing(healed(), 0.5, None, 0.125, 0.1), lambda _: 0.25)
    assert [usd(turn.cost_nano or 0) for turn in found.turns] == [0.875, 0.1]


def test_what_comes_before_the_first_prompt_is_of_the_first_turn() -> None:
    """A session that begins without a prompt, or never has one, loses nothing of its sums."""
    transcript = session(bash("ls"), "go on", bash("pwd"))
    del transcript.events[0]  # the prompt
    inference = costing(infer(transcript), 1.0, 2.0)
    (turn,) = marks(inference, lambda _: None).turns
    assert (turn.cost_nano, turn.call_count) == (3_000_000_000, 2)
    transcript = session(bash("ls"), bash("pwd"))
    del transcript.events[0]
    inference = costing(infer(transcript), 1.0, 2.0)
    (turn,) = marks(inference, lambda _: None).turns
    assert (turn.cost_nano, turn.call_count) == (3_000_000_000, 2)
    assert turn.id
    assert marks(Inference([], [], [], [], []), lambda _: None).turns == []


def test_few_turns_are_expensive() -> None:
    """Those that cost half of the session are, and none of turns that cost alike or nothing."""
    many = [one for _ in range(40) for one in (bash("ls"), "go on")][:-1]
    inference = infer(session(*many))
    costs = [0.01] * 40
    assert not any(turn.is_expensive for turn in marks(costing(inference, *costs), free).turns)
    costs[7], costs[20] = 1.0, 2.0
    dear = [turn.is_expensive for turn in marks(costing(inference, *costs), free).turns]
    assert [at for at, is_one in enumerate(dear) if is_one] == [20]
    costs = [1.0] * 19 + [0.01] * 21
    dear = [turn.is_expensive for turn in marks(costing(inference, *costs), free).turns]
    assert sum(dear) == EXPENSIVE_MAX
    assert not any(turn.is_expensive for turn in marks(costing(inference, *[0.0] * 40), free).turns)


def free(_: LLMInteraction) -> float:
    return 0.0


def test_a_turn_is_found_by_what_it_began_with() -> None:
    """A turn whose prompt has no id is named by its first call or answer that has one."""
    inference = healed()
    ids = {event.id for event in inference.events if isinstance(event, ToolCall | LLMInteraction)}
    assert all(turn.id in ids for turn in marks(inference, free).turns)
