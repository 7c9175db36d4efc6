"""What several sources do alike: ids and events of tool calls."""

from __future__ import annotations

from m31a_metrics.sources.shared import CallIds, tool_call
from m31a_metrics.transcript import Call, Facts


def test_ids_that_a_provider_gives_twice_are_told_apart() -> None:
    """The second call of an id is numbered, past a number that another call's own id has."""
    ids = CallIds()
    assert [ids.unique(wanted) for wanted in ("a", "a#2", "a", "b")] == ["a", "a#2", "a#3", "b"]
    assert "a#3" in ids
    assert "c" not in ids


def test_an_event_has_what_its_call_has() -> None:
    """Who, when and how come from the call; an error's text becomes the line that is kept."""
    call = Call("s:1", 10, "", end_us=2_000_010, success=False, subagent="Explore")
    call.error = "Exit code 1\nModuleNotFoundError: No module named 'shop'"
    event = tool_call(call, 1_500.0, wait_ms=500.0, elapsed_only=False)
    assert (event.id, event.t_us, event.name, event.success) == ("s:1", 2_000_010, "unknown", False)
    assert (event.duration_ms, event.wait_ms, event.elapsed_only) == (1_500.0, 500.0, False)
    assert event.subagent == "Explore"
    assert event.error is not None
    assert event.error.startswith("ModuleNotFoundError: No module named")


def test_a_call_that_did_well_keeps_no_error() -> None:
    """Without an error, a wait or a subagent the event has none."""
    call = Call("s:1", 10, "bash", end_us=20, success=True)
    event = tool_call(call, 0.01, elapsed_only=True)
    assert (event.error, event.wait_ms, event.subagent) == (None, None, None)
    assert event.success
    assert event.elapsed_only


def test_a_transcript_begins_with_its_facts() -> None:
    """The first event says who ran where; what is not known is left out."""
    start = Facts("pi", "n", project="shop", started_us=7).start()
    assert (start.t_us, start.agent, start.native_id, start.project) == (7, "pi", "n", "shop")
    assert (start.version, start.branch) == (None, None)
