"""Sessions as the index keeps them: out of transcripts, journals and METRICS.json alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from m31a_metrics import Collector, SessionMetrics, Usage, config, events, save, sources
from m31a_metrics.active_time import Stretch
from m31a_metrics.catalog.agents import places
from m31a_metrics.catalog.import_sessions import import_transcripts
from m31a_metrics.catalog.records import Days, read_recording, record_of
from m31a_metrics.catalog.refresh import quiet
from m31a_metrics.config import Config
from m31a_metrics.model import LLMMetric, ToolMetric
from m31a_metrics.phases import CallPhase, Episode, Inference, infer
from m31a_metrics.record import SessionRecord
from m31a_metrics.session import Session
from m31a_metrics.tables.from_metrics import times_of
from m31a_metrics.timestamps import local_day
from m31a_metrics.units import NANO_PER_USD
from tests import transcripts
from tests.transcripts import MODEL, NOW, ONE, TOTAL, answer, call, prompt


@pytest.fixture
def settings() -> Config:
    """The configuration of an empty home."""
    return config.defaults()


def price(event: events.LLMInteraction) -> float | None:
    """A cent for every interaction."""
    return 0.01 if event.model else None


def read(path: Path) -> SessionRecord:
    """The record of a transcript of Claude Code, without inference."""
    transcript = sources.source("claude-code").read(str(path))
    return record_of(str(path), transcript, None, price)


def session_at(settings: Config, session_id: str) -> SessionRecord:
    """The record of a session that was recorded here."""
    recording = read_recording(Session(settings.sessions_dir, session_id))
    assert recording is not None
    return recording.summed(price)


def test_a_transcript_becomes_a_record(clean_home: Path) -> None:
    """Who, where, when, and sums by day; calls without a result are counted apart."""
    unpaired = answer("c", NOW, content=[{"type": "tool_use", "id": "toolu_1", "name": "Edit"}])
    path = transcripts.write(
        clean_home, ONE, prompt(), answer("a"), *call("b", NOW + timedelta(days=2)), unpaired
    )
    record = read(path)
    assert (record.agent, record.native_id, record.session_id) == ("claude-code", ONE, ONE)
    assert (record.path, record.project, record.branch) == (str(path), "/src/app", "main")
    assert (record.version, record.models) == ("2.1.0", [MODEL])
    assert record.updated_us - record.started_us == 2 * 86_400_000_000 + 1_000_000
    assert (record.user_turn_count, record.unpaired_count) == (1, 1)
    assert sum(row.total_tokens for row in record.llms) == 3 * TOTAL
    assert sum(row.cost_nano for row in record.llms) == 3 * NANO_PER_USD // 100
    assert len({row.day for row in record.llms}) == 2
    assert [(row.tool, row.call_count, row.ran.count) for row in record.tools] == [("Edit", 1, 0)]
    assert record.effects.responses == 3
    assert "msg_a:req_a" in record.ids


def test_inference_gives_phases_and_heals(clean_home: Path) -> None:
    """Calls get the phase of their id, events are the inferred ones, heals what they used."""
    path = transcripts.write(clean_home, ONE, *call("b", NOW), *call("d", NOW))
    transcript = sources.source("claude-code").read(str(path))
    heal = Episode("toolu_b", [], chain=1, check="pytest", line="1 failed", ended_us=2**51)
    inferred = Inference(
        [CallPhase(transcript.calls[0].id, "Edit", "verify", "tool")],
        [heal],
        [],
        [*transcript.events, events.PhaseTransition(transcript.events[-1].t_us, "verify")],
        [Stretch(1_000, 3_000, "verify")],
    )
    record = record_of(str(path), transcript, inferred, price)
    assert {(row.tool, row.phase) for row in record.tools} == {("Edit", "verify"), ("Edit", "")}
    assert [(one.transition_count, one.active_us) for one in record.phases] == [(1, 0), (0, 2_000)]
    (row,) = record.heals
    assert (row.check, row.line, row.failed_id) == ("pytest", "1 failed", "toolu_b")
    assert (row.total_tokens, row.cost_nano) == (2 * TOTAL, 2 * NANO_PER_USD // 100)


def test_a_transcript_without_an_id_is_known_by_its_path() -> None:
    """As its import is: two of them are never taken for one."""
    from m31a_metrics.transcript import Facts, Transcript

    one = record_of("/a", Transcript(Facts("aider")), None, price)
    two = record_of("/b", Transcript(Facts("aider")), None, price)
    assert one.native_id == one.session_id
    assert one.native_id != two.native_id
    assert (one.started_us, one.updated_us) == (0, 0)


def test_an_imported_copy_is_known_as_what_it_copies(clean_home: Path, settings: Config) -> None:
    """Agent, native id, sums and phases of the copy are the transcript's."""
    path = transcripts.write(clean_home, ONE, prompt(), *call("b", NOW))
    found = places(["claude-code"], {"HOME": str(clean_home)})
    import_transcripts(settings, found, quiet)
    transcript = sources.source("claude-code").read(str(path))
    original = record_of(str(path), transcript, infer(transcript), price)
    copy = session_at(settings, ONE)
    assert (copy.agent, copy.native_id, copy.project) == ("claude-code", ONE, "/src/app")
    assert copy.llms == original.llms
    assert copy.tools == original.tools
    assert copy.models == original.models
    assert sum(row.active_us for row in original.phases) > 0
    assert times_of(copy) == times_of(original)
    following = Session(settings.sessions_dir, ONE).follow()
    following.look()
    assert sorted(map(repr, following.detail().times)) == sorted(map(repr, times_of(original)))
    assert sorted(copy.ids) == sorted(original.ids)
    assert (copy.started_us, copy.updated_us) == (original.started_us, original.updated_us)


def test_a_recorded_session_knows_the_phase_of_its_calls(settings: Config) -> None:
    """The phase in force, whichever of its writers said so; its heals are there too."""
    with Collector("own", settings.sessions_dir) as collector:
        collector.record_tool_call("Read", True, 2)
        collector.record_phase_transition("verify")
        collector.record_tool_call("Bash", False, 3, error="exit code 1")
        collector.record_heal_trigger("verify")
        collector.record_llm_interaction("verify", Usage(10, 5), 0.5, model="m")
        collector.record_heal_outcome("verify", True, 7)
    record = session_at(settings, "own")
    assert (record.agent, record.native_id, record.session_id) == ("m31a", "own", "own")
    assert [(row.tool, row.phase) for row in record.tools] == [("Read", ""), ("Bash", "verify")]
    assert record.models == ["m"]
    (heal,) = record.heals
    assert (heal.passed, heal.duration_us, heal.total_tokens) == (True, 7_000, 15)
    assert heal.cost_nano == NANO_PER_USD // 2


def test_metrics_json_alone_stands_on_its_last_day(settings: Config) -> None:
    """Its tools have no durations of single calls, its use no model."""
    at = datetime(2026, 6, 20, 12, tzinfo=UTC)
    metrics = SessionMetrics("inside", at - timedelta(days=9), at)
    metrics.tools = [ToolMetric("Bash", 3, 2, 1, 90, 30.0)]
    metrics.llms = [LLMMetric("plan", 10, 5, 15, 0.25, 1)]
    save(settings.sessions_dir, "own", metrics)
    record = session_at(settings, "own")
    assert (record.session_id, record.agent) == ("own", "m31a")
    (tool,), (use,) = record.tools, record.llms
    assert tool.day == use.day == local_day(record.updated_us)
    assert (tool.call_count, tool.duration_us, tool.ran.count) == (3, 90_000, 0)
    assert (use.model, use.phase, use.cost_nano) == ("", "plan", NANO_PER_USD // 4)


def test_a_base_counts_beside_the_journals(settings: Config) -> None:
    """What METRICS.json held before there were journals is not lost."""
    metrics = SessionMetrics("own", NOW, NOW, [ToolMetric("Bash", 3, 3, 0, 90, 30.0)])
    save(settings.sessions_dir, "own", metrics)
    with Collector("own", settings.sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 10)
    record = session_at(settings, "own")
    assert sum(row.call_count for row in record.tools) == 4
    assert sum(row.duration_us for row in record.tools) == 100_000
    assert sum(row.ran.count for row in record.tools) == 1


def test_damage_of_journals_is_named(settings: Config) -> None:
    """The rest of the journal counts."""
    with Collector("own", settings.sessions_dir) as collector:
        collector.record_tool_call("Bash", True, 10)
    journal = Path(settings.sessions_dir, "own", "events", "hooks.jsonl")
    journal.write_bytes(b'{"event":"no such"}\n{"event":"user_turn","t_us":1}\n')
    record = session_at(settings, "own")
    assert record.damage.count == 1
    assert f"{journal}, line 1" in record.damage.reasons[0]
    assert record.user_turn_count == 1


def test_what_is_not_there_has_no_record(settings: Config) -> None:
    """No directory, no session."""
    assert read_recording(Session(settings.sessions_dir, "nobody")) is None


def test_days_are_the_persons_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of an hour before and after midnight are two days; so is the end of time one."""
    import time

    monkeypatch.setenv("TZ", "Asia/Kathmandu")  # 5:45 ahead
    time.tzset()
    try:
        midnight_us = int(datetime(2026, 6, 20, 18, 15, tzinfo=UTC).timestamp()) * 1_000_000
        days = Days()
        assert days.of(midnight_us - 1) == "2026-06-20"
        assert days.of(midnight_us) == "2026-06-21"
        assert local_day(253_402_300_799_999_999).startswith("9999-12-3")
    finally:
        monkeypatch.undo()
        time.tzset()
