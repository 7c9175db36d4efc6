"""The public names and signatures are the recording API that hosts were promised."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given

import m31a_metrics
from m31a_metrics import (
    Collector,
    EditStrategyMetric,
    LLMMetric,
    PhaseMetric,
    SessionMetrics,
    ToolMetric,
    Usage,
    WorkflowPhase,
    errors,
)
from tests.codec.strategies import sessions

NAMES = {
    "Collector", "load", "save", "new_session_id",
    "Usage", "WorkflowPhase", "SessionMetrics", "SessionDetail",
    "ToolMetric", "LLMMetric", "PhaseMetric", "EditStrategyMetric",
    "MetricsError", "InvalidSessionId", "DamagedMetrics", "ForeignFile", "SessionHasJournals",
    "StorageError", "ConfigError", "SessionNotFound", "BudgetExceeded",
}  # fmt: skip

SIGNATURES = {
    "record_tool_call": "(name, success, duration_ms, *, wait_ms=None, error=None)",
    "record_llm_interaction": "(phase, usage, cost=None, *, model=None, duration_ms=None)",
    "record_phase_transition": "(phase)",
    "record_phase_duration": "(phase, duration_ms, success)",
    "record_heal_trigger": "(phase)",
    "record_bisect_trigger": "(phase)",
    "record_heal_outcome": "(phase, success, duration_ms=None)",
    "record_heal_loop": "(phase)",
    "record_bisect_outcome": "(phase, success)",
    "record_edit_strategy": "(strategy)",
    "record": "(event)",
    "snapshot": "()",
    "detail": "()",
    "flush": "()",
    "stop": "()",
    "phase": "(phase)",
    "tool_call": "(name)",
    "heal": "(phase)",
    "tool": "(name)",
}

FIELDS = {
    ToolMetric: "name call_count success_count fail_count total_duration_ms avg_duration_ms",
    LLMMetric: "phase prompt_tokens completion_tokens total_tokens cost interaction_count "
    "prompt_hash truncated_input unpriced_tokens",
    PhaseMetric: "phase duration_ms transition_count heal_trigger_count bisect_trigger_count "
    "success heal_success_count heal_fail_count heal_duration_ms heal_loop_count "
    "bisect_success_count bisect_fail_count",
    EditStrategyMetric: "strategy count",
    SessionMetrics: "session_id started_at updated_at tools llms phases edit_strategies "
    "plan_outcomes startup completions cancellations",
}


def signature(function: Callable[..., Any]) -> str:
    """A signature without its types, and without self."""
    of_it = inspect.signature(function)
    parameters = [
        one.replace(annotation=inspect.Parameter.empty)
        for one in of_it.parameters.values()
        if one.name != "self"
    ]
    return str(of_it.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


def test_the_public_names_are_these() -> None:
    """Nothing is missing, and nothing is promised by accident."""
    assert set(m31a_metrics.__all__) == NAMES
    assert len(m31a_metrics.__all__) == len(NAMES)
    for name in NAMES:
        assert hasattr(m31a_metrics, name)


def test_a_collector_is_made_so() -> None:
    """Arguments, their order and defaults."""
    assert signature(Collector) == (
        "(session_id, sessions_dir=None, *, enabled=None, journal=True, on_event=None)"
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_methods_take_what_was_promised(name: str) -> None:
    """Names, order, defaults and what is by keyword only."""
    assert signature(getattr(Collector, name)) == SIGNATURES[name]


def test_no_other_method_is_public(tmp_path: Path) -> None:
    """What a host can see of a Collector is the contract, its id and its switch."""
    with Collector("session", tmp_path) as collector:
        public = {name for name in dir(collector) if not name.startswith("_")}
    assert public == {*SIGNATURES, "enabled", "session_id"}


def test_a_disabled_collector_takes_the_same_calls(tmp_path: Path) -> None:
    """Every call that fits the contract fits a disabled Collector."""
    collector = Collector("session", tmp_path, enabled=False)
    assert isinstance(collector, Collector)
    for name, promised in SIGNATURES.items():
        method = getattr(collector, name)
        required, _, by_keyword = promised.strip("()").partition("*")
        positional = re.findall(r"\w+(?:=None)?", required)
        keywords = {word.removesuffix("=None"): 1 for word in re.findall(r"\w+=None", by_keyword)}
        inspect.signature(method).bind(*positional, **keywords)
        named = {word.removesuffix("=None"): 1 for word in positional}
        inspect.signature(method).bind(**named, **keywords)


def test_functions_take_what_was_promised() -> None:
    """`load`, `save`, `new_session_id`."""
    assert signature(m31a_metrics.load) == "(sessions_dir, session_id)"
    assert signature(m31a_metrics.save) == "(sessions_dir, session_id, metrics)"
    assert signature(m31a_metrics.new_session_id) == "()"


@given(sessions)
def test_load_gives_back_what_was_saved(
    tmp_path_factory: pytest.TempPathFactory, metrics: SessionMetrics
) -> None:
    """load(save(x)) is x, whatever a METRICS.json can hold; saving that again changes no byte."""
    directory = tmp_path_factory.mktemp("saved")
    m31a_metrics.save(directory, "session", metrics)
    written = (directory / "session" / "METRICS.json").read_bytes()
    loaded = m31a_metrics.load(directory, "session")
    assert loaded == metrics
    m31a_metrics.save(str(directory), "session", loaded)
    assert (directory / "session" / "METRICS.json").read_bytes() == written
    assert m31a_metrics.load(directory, "another") is None


def test_new_session_ids_are_as_m31as() -> None:
    """Eight hexadecimal characters, another each time."""
    made = {m31a_metrics.new_session_id() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[0-9a-f]{8}", one) for one in made)


@pytest.mark.parametrize("kind", FIELDS)
def test_rows_have_these_fields_in_this_order(kind: type[msgspec.Struct]) -> None:
    """Attribute names are the JSON names; `unknown` is last and holds what nobody knows."""
    fields = kind.__struct_fields__
    assert " ".join(fields) == f"{FIELDS[kind]} unknown"
    row = kind()
    for field in msgspec.structs.fields(kind):
        assert not getattr(row, field.name) or field.name.endswith("_at")


def test_usage_is_made_so() -> None:
    """Three by position, the rest by keyword; a total that is not given is the sum."""
    assert signature(Usage) == (
        "(prompt_tokens, completion_tokens, total_tokens=None, *, cache_read_tokens=0, "
        "cache_write_5m_tokens=0, cache_write_1h_tokens=0, reasoning_tokens=0)"
    )
    assert Usage(2, 1).total_tokens is None
    assert Usage(2, 1).total == 3
    assert Usage(2, 1, 0).total == 0
    with pytest.raises(AttributeError):
        Usage(2, 1).prompt_tokens = 5  # type: ignore[misc]


def test_phases_are_m31as_and_explore() -> None:
    """The names that everyone shares; each is the string that it names."""
    assert [phase.value for phase in WorkflowPhase] == [
        "idle", "initialize", "discuss", "explore", "plan", "execute", "verify", "runtime", "ship",
    ]  # fmt: skip
    plan: str = WorkflowPhase.PLAN
    assert f"{plan}" == plan == "plan"
    assert {plan: 1}["plan"] == 1


def test_every_error_is_a_metrics_error() -> None:
    """Catching MetricsError catches everything that is raised on purpose."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    assert all(issubclass(kind, errors.MetricsError) for kind in kinds)
    assert issubclass(errors.InvalidSessionId, ValueError)
    assert {kind.__name__ for kind in kinds} >= {name for name in NAMES if "Error" in name}


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../x", "a/b", "a b", "-a", "_a", "ä", "a\n", "a\0", "x" * 129]
)
def test_ids_that_are_no_directory_are_refused(tmp_path: Path, bad: str) -> None:
    """An id can never leave `sessions_dir`, whichever way in it takes."""
    for use in (
        lambda: Collector(bad, tmp_path),
        lambda: m31a_metrics.load(tmp_path, bad),
        lambda: m31a_metrics.save(tmp_path, bad, SessionMetrics()),
    ):
        with pytest.raises(errors.InvalidSessionId, match="cannot name a directory"):
            use()
    assert list(tmp_path.iterdir()) == []
