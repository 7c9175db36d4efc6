"""The public names and signatures are the recording API that hosts were promised."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
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
    SessionDetail,
    SessionMetrics,
    ToolMetric,
    Usage,
    WorkflowPhase,
    errors,
)
from m31a_metrics.session import Session
from tests.codec.strategies import sessions

NAMES = {
    "Budget", "Collector", "load", "save", "new_session_id",
    "Usage", "UNKNOWN_USAGE", "WorkflowPhase", "SessionMetrics", "SessionDetail",
    "ToolMetric", "LLMMetric", "PhaseMetric", "EditStrategyMetric",
    "ToolDurations", "ModelMetric", "LatestEvent", "RecentCalls", "PhaseSpan", "PhaseTime", "Spend",
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
    "check_budget": "()",
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
    ToolMetric: "name call_count success_count fail_count total_duration_ms avg_duration_ms "
    "denied_count",
    LLMMetric: "phase prompt_tokens completion_tokens total_tokens cost interaction_count "
    "prompt_hash truncated_input unpriced_tokens unknown_usage_count",
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


def test_everything_in_a_detail_is_public() -> None:
    """Whoever annotates what `detail()` gives finds each type at the front door."""
    named = set()
    for field in msgspec.inspect.type_info(SessionDetail).fields:  # type: ignore[attr-defined]
        named.add(field.type.item_type.cls.__name__)
    assert named == {
        "ToolDurations", "ModelMetric", "LatestEvent", "RecentCalls", "PhaseSpan", "PhaseTime",
        "Spend",
    }  # fmt: skip
    assert named <= NAMES


def test_the_version_is_that_of_the_distribution() -> None:
    """`__version__` is what pip and `m31 --version` say, and no other name appears with it."""
    assert m31a_metrics.__version__ == version("m31a-metrics")
    with pytest.raises(AttributeError, match="has no attribute 'version'"):
        m31a_metrics.version  # type: ignore[attr-defined]  # noqa: B018 - looked up to fail


def test_the_version_is_looked_up_when_it_is_asked_for() -> None:
    """`import m31a_metrics` does not load importlib.metadata, which costs milliseconds."""
    script = (
        "import sys, m31a_metrics; print('importlib.metadata' in sys.modules); "
        "m31a_metrics.__version__; print('importlib.metadata' in sys.modules)"
    )
    # Isolated and without site, whose .pth files of development tools may load it first.
    paths = [str(Path(m31a_metrics.__file__).parents[1]), str(Path(msgspec.__file__).parents[1])]
    script = f"import sys; sys.path += {paths!r}; {script}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_a_collector_is_made_so() -> None:
    """Arguments, their order and defaults."""
    assert signature(Collector) == (
        "(session_id, sessions_dir=None, *, enabled=None, journal=True, on_event=None, "
        "project=None, branch=None, agent=None, labels=None, budget=None)"
    )


@pytest.mark.parametrize("name", SIGNATURES)
def test_methods_take_what_was_promised(name: str) -> None:
    """Names, order, defaults and what is by keyword only."""
    assert signature(getattr(Collector, name)) == SIGNATURES[name]


def test_no_other_method_is_public(tmp_path: Path) -> None:
    """What a host can see of a Collector is the contract, its id, its switch and its phase."""
    with Collector("session", tmp_path) as collector:
        public = {name for name in dir(collector) if not name.startswith("_")}
    assert public == {*SIGNATURES, "enabled", "phase_entered", "session_id"}


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
    assert signature(m31a_metrics.load) == "(sessions_dir=None, session_id=None)"
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


def test_load_with_an_id_alone_looks_where_it_is_configured(
    clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By position and by name; an id is never taken for a directory, nor the other way round."""
    with Collector("one") as collector:
        collector.record_tool_call("Bash", True, 5)
    metrics = collector.snapshot()
    assert m31a_metrics.load("one") == metrics
    assert m31a_metrics.load(session_id="one") == metrics
    assert m31a_metrics.load(clean_home / ".m31a" / "sessions", "one") == metrics
    assert m31a_metrics.load("two") is None
    assert m31a_metrics.load("one", "one") is None
    with pytest.raises(errors.InvalidSessionId):
        m31a_metrics.load("sessions/one")
    with pytest.raises(TypeError, match="needs the id of a session"):
        m31a_metrics.load(clean_home)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="needs the id of a session"):
        m31a_metrics.load()  # type: ignore[call-overload]

    elsewhere = clean_home / "elsewhere"
    m31a_metrics.save(elsewhere, "two", metrics)
    config = clean_home / "config.toml"
    config.write_text(f"[metrics]\nsessions_dir = '{elsewhere}'\n")
    monkeypatch.setenv("M31A_CONFIG", str(config))
    assert m31a_metrics.load("two") == metrics
    config.write_text("[metrics]\nsession_dir = 'x'\n")
    with pytest.raises(errors.ConfigError, match="did you mean 'sessions_dir'"):
        m31a_metrics.load("two")
    assert m31a_metrics.load(elsewhere, "two") == metrics


def test_a_collector_says_what_it_is(tmp_path: Path) -> None:
    """Its repr names session and directory, and tells where the next event goes."""
    collector = Collector("one", tmp_path)
    place = f"<Collector 'one' in {str(tmp_path)!r}"
    (journal,) = (tmp_path / "one" / "events").glob("*.jsonl")
    assert repr(collector) == f"{place}: writing {journal.name}>"
    collector.stop()
    assert repr(collector) == f"{place}: no journal is open>"
    assert repr(Collector("two", tmp_path, enabled=False)) == "<Collector 'two': switched off>"
    without = Collector("three", tmp_path, journal=False)
    assert repr(without) == f"<Collector 'three' in {str(tmp_path)!r}: without a journal>"
    without.stop()


def test_a_collector_without_a_disk_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can be written, the repr tells that the counts are in memory."""
    (tmp_path / "one").write_text("a file where the session's directory should be")
    collector = Collector("one", tmp_path)
    assert repr(collector).endswith(": in memory only>")
    assert "in memory only" in caplog.text
    collector.stop()


def test_sessions_and_details_say_what_they_are(tmp_path: Path) -> None:
    """A Session is its directory; a detail tells how much of each it holds."""
    assert repr(Session(str(tmp_path), "one")) == f"Session({str(tmp_path / 'one')!r})"
    with Collector("one", tmp_path) as collector:
        collector.record_tool_call("Bash", True, 5)
        detail = collector.detail()
    assert repr(detail) == (
        "<SessionDetail: durations=1, models=0, latest=2, recent=1, spans=1, spend=0, times=1>"
    )


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
