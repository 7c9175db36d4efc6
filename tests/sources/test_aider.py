"""Aider: its analytics log, divided into sessions, and where a user may have put it."""

from __future__ import annotations

from pathlib import Path

import pytest

from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import LLMInteraction
from m31a_metrics.sources import aider
from tests.sources.golden import GOLDEN, check

AGENT = "aider"
LOG = GOLDEN / AGENT / "log-0.86" / "analytics.jsonl"
LAUNCHED = '{"event":"launched","properties":{},"user_id":"u","time":1770000000}\n'
SENT = (
    '{"event":"message_send","properties":{"main_model":"m","prompt_tokens":1,'
    '"completion_tokens":2,"cost":0.5},"user_id":"u","time":1770000001}\n'
)


def test_the_log_gives_the_same_events() -> None:
    """A log with sessions that run side by side reads as it did when somebody last looked."""
    check(aider, AGENT, "log-0.86", {"AIDER_ANALYTICS_LOG": str(LOG)})


def test_a_whole_log_is_the_sum_of_its_sessions() -> None:
    """The path of the log itself gives every response once, under the same ids."""
    whole = [e.id for e in aider.read(str(LOG)).events if isinstance(e, LLMInteraction)]
    apart = [
        event.id
        for path in aider.find({"AIDER_ANALYTICS_LOG": str(LOG)})
        for event in aider.read(path).events
        if isinstance(event, LLMInteraction)
    ]
    assert sorted(whole, key=str) == sorted(apart, key=str)
    assert len(set(whole)) == len(whole) == 5


def test_known_responses_are_left_out() -> None:
    """Responses whose ids are in `skip` give no event, and are counted as seen elsewhere."""
    path = next(iter(aider.find({"AIDER_ANALYTICS_LOG": str(LOG)})))
    ids = frozenset(e.id for e in aider.read(path).events if e.id is not None)
    again = aider.read(path, ids)
    assert not any(isinstance(event, LLMInteraction) for event in again.events)
    assert again.effects.replayed_responses == len(ids) == 4


def test_a_log_that_grows_is_read_again(tmp_path: Path) -> None:
    """What is kept of a log is not kept longer than the log stays as it is."""
    path = tmp_path / "log.jsonl"
    path.write_text(LAUNCHED + SENT)
    assert len(aider.read(str(path)).events) == 2
    path.write_text(LAUNCHED + SENT + SENT)
    assert len(aider.read(str(path)).events) == 3


def test_two_sessions_of_one_second_have_two_names(tmp_path: Path) -> None:
    """Sessions that began in the same second are told apart, also when the log has grown."""
    path = tmp_path / "log.jsonl"
    path.write_text((LAUNCHED + SENT) * 3)
    names = [path.rpartition("::")[2] for path in aider.find({"AIDER_ANALYTICS_LOG": str(path)})]
    assert names == ["1770000000", "1770000000-2", "1770000000-3"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("home/.aider.conf.yml", "analytics-log: {log}"),
        ("repo/.aider.conf.yml", 'dark-mode: true\nanalytics-log: "{log}"  # mine'),
        ("repo/src/.aider.conf.yml", "analytics-log: ../../log.jsonl"),
        ("repo/.env", "AIDER_ANALYTICS_LOG={log}"),
        ("home/.env", "export AIDER_ANALYTICS_LOG='{log}'"),
        ("home/.aider.conf.yml", "analytics-log: ~/../log.jsonl"),
    ],
)
def test_the_log_is_found_where_aider_would_look(name: str, line: str, tmp_path: Path) -> None:
    """The configuration and the environment files that Aider reads name the log."""
    for folder in ("home", "repo/.git", "repo/src"):
        (tmp_path / folder).mkdir(parents=True)
    log = tmp_path / "log.jsonl"
    log.write_text(LAUNCHED + SENT)
    (tmp_path / name).write_text(line.format(log=log) + "\n")
    environ = {"HOME": str(tmp_path / "home"), "PWD": str(tmp_path / "repo" / "src")}
    assert list(aider.find(environ)) == [f"{log}::1770000000"]


def test_a_log_that_is_named_but_absent_yields_nothing(tmp_path: Path) -> None:
    """Settings may name a log that was never written, or something else."""
    (tmp_path / ".env").write_text("AIDER_ANALYTICS_LOG=no.jsonl\n")
    assert not list(aider.find({"HOME": str(tmp_path), "PWD": str(tmp_path)}))
    (tmp_path / "no.jsonl").write_text("# something else\n")
    assert not list(aider.find({"HOME": str(tmp_path), "PWD": str(tmp_path)}))


def test_refusals_say_why(tmp_path: Path) -> None:
    """A chat history, another file, an unknown session and a missing log each have a reason."""
    history = tmp_path / ".aider.chat.history.md"
    history.write_text("\n# aider chat started at 2026-05-04 09:00:00\n\n> Tokens: 12k sent\n")
    with pytest.raises(NotThisFormat, match="rounds tokens .* --analytics-log FILE"):
        aider.read(str(history))
    other = tmp_path / "other.jsonl"
    other.write_text('{"type":"session","id":"x"}\n')
    with pytest.raises(NotThisFormat, match="no analytics log"):
        aider.read(str(other))
    with pytest.raises(SessionNotFound, match="holds no session 5"):
        aider.read(f"{LOG}::5")
    with pytest.raises(StorageError, match="cannot read"):
        aider.read(f"{tmp_path}/gone.jsonl::5")


def test_the_real_sample_reconciles(shared: Path) -> None:
    """Cost and tokens of the real log are the sums of its lines, whole and by session."""
    path = str(shared / "samples" / "aider" / "sample-analytics.jsonl")
    read = aider.read(path)
    sent = [event for event in read.events if isinstance(event, LLMInteraction)]
    assert len(sent) == 107
    assert sum(event.usage.total for event in sent) == 2_530_121
    assert round(sum(event.cost or 0 for event in sent), 6) == 5.305332
    sessions = list(aider.find({"AIDER_ANALYTICS_LOG": path}))
    assert len(sessions) == 37
    counted = sum(aider.read(session).effects.responses for session in sessions)
    assert counted == 107
