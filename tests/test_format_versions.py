"""One version up and one down: what each file does in the hands of another version.

docs/formats.md has the table that these tests are the proof of.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import Collector, config, deliveries, errors, load, save
from m31a_metrics.comparison.baseline import VERSION as BASELINE_VERSION
from m31a_metrics.history.schema import VERSION as INDEX_VERSION
from m31a_metrics.session.covered import VERSION as NOTE_VERSION
from m31a_metrics.session.covered import covered_note, read_note
from tests.commands import m31


def record(session_id: str) -> Path:
    """Record one call and stop; the session's directory, in the configured place."""
    with Collector(session_id) as collector:
        collector.record_tool_call("Bash", True, 5)
    return Path.home() / ".m31a" / "sessions" / session_id


def journal_of(session: Path) -> Path:
    """The session's one journal."""
    (journal,) = (session / "events").glob("*.jsonl")
    return journal


def index() -> Path:
    """Where the index is."""
    return Path.home() / ".m31a" / "metrics.db"


def set_version(version: int) -> None:
    """Let the index say that this version of the program made it."""
    connection = sqlite3.connect(index())
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()


def session_ids() -> set[str]:
    """The sessions that `m31 sessions` lists."""
    done = m31("sessions", "--json")
    assert done.returncode == 0, done.stderr
    return {row["session_id"] for row in json.loads(done.stdout)}


def test_metrics_of_a_newer_version_keep_what_is_not_known(tmp_path: Path) -> None:
    """New keys, at the top and in a row, are there after a load and a save."""
    record("one")
    metrics = load("one")
    assert metrics is not None
    save(tmp_path, "two", metrics)
    path = tmp_path / "two" / "METRICS.json"
    newer = json.loads(path.read_bytes())
    newer["tools"][0]["energy_joules"] = 12
    newer["weather"] = {"wind": "north"}
    path.write_text(json.dumps(newer))

    read = load(tmp_path, "two")
    assert read is not None
    assert read.tools[0].call_count == 1
    save(tmp_path, "two", read)
    assert json.loads(path.read_bytes()) == newer


def test_metrics_of_an_older_version_are_read(tmp_path: Path) -> None:
    """What the first METRICS.json files did not have is zero or empty."""
    record("one")
    path = tmp_path / "two" / "METRICS.json"
    path.parent.mkdir()
    path.write_text(
        '{"session_id": "two", "tools": [{"name": "Bash", "call_count": 3}],'
        ' "phases": [{"phase": "plan"}]}'
    )
    metrics = load(tmp_path, "two")
    assert metrics is not None
    assert (metrics.tools[0].call_count, metrics.tools[0].fail_count) == (3, 0)
    assert metrics.phases[0].heal_success_count == 0
    assert not metrics.llms
    assert not metrics.edit_strategies


def test_a_newer_journal_is_read_as_far_as_it_is_known() -> None:
    """A new field is passed over; an event of a new kind is skipped, told, and left there."""
    session = record("one")
    journal = journal_of(session)
    written = journal.read_bytes()
    call = written.splitlines()[-1]
    newer = written + call.replace(b"{", b'{"energy_joules":12,', 1) + b"\n"
    unknown = b'{"event":"weather","t_us":1795356036978807,"wind":"north"}\n'
    journal.write_bytes(newer + unknown + call + b"\n")

    metrics = load("one")
    assert metrics is not None
    assert metrics.tools[0].call_count == 3
    done = m31("show", "one")
    assert done.returncode == 0
    assert journal.name in done.stderr
    assert "line 4" in done.stderr
    assert "`$[0].event`" in done.stderr  # its name may be anybody's words
    done = m31("doctor", "--fix")
    assert "newer version" in done.stdout
    assert unknown in journal.read_bytes()


def test_an_older_journal_is_read() -> None:
    """Lines with the required fields alone count; what they do not say is not known."""
    session = record("one")
    journal_of(session).write_bytes(
        b'{"event":"session_start","t_us":1795356036978807}\n'
        b'{"event":"tool_call","t_us":1795356036978808,"name":"Bash","success":true,'
        b'"duration_ms":5}\n'
    )
    (session / "events" / ".covered").unlink()
    (session / "METRICS.json").unlink()
    metrics = load("one")
    assert metrics is not None
    assert metrics.tools[0].call_count == 1
    (row,) = json.loads(m31("sessions", "--json").stdout)
    assert (row["agent"], row["project"], row["call_count"]) == ("m31a", None, 1)
    assert "labels" not in row
    assert json.loads(m31("tools", "--by", "label:prompt", "--json").stdout)[0]["label"] is None


class OlderStart(Struct, tag_field="event", tag="session_start", forbid_unknown_fields=False):
    """A start as a version reads it that knows no labels."""

    t_us: int
    branch: str | None = None


def test_an_older_program_reads_a_session_with_labels() -> None:
    """It passes over the field, and counts the same."""
    with Collector("one", branch="main", labels={"prompt": "b"}) as collector:
        collector.record_tool_call("Bash", True, 5)
    journal = journal_of(Path.home() / ".m31a" / "sessions" / "one")
    first = journal.read_bytes().splitlines()[0]
    assert b'"labels":{"prompt":"b"}' in first
    assert msgspec.json.decode(first, type=OlderStart).branch == "main"


@pytest.mark.parametrize("version", [NOTE_VERSION + 1, NOTE_VERSION - 1])
def test_sums_of_another_version_are_not_gone_on_from(version: int) -> None:
    """A whole note of the version before or after: the journals are folded, and nothing twice."""
    session = record("one")
    path = session / "events" / ".covered"
    note = read_note(path.read_bytes())
    assert note is not None
    assert note.about is not None
    sums = note.sums()
    assert sums is not None
    metrics = (session / "METRICS.json").read_bytes()
    other = replace(note.about, version=version)
    path.write_bytes(covered_note(metrics, note.journals, other, sums.orders))
    for count in (2, 3):
        with Collector("one") as collector:
            collector.record_tool_call("Bash", True, 5)
        read = load("one")
        assert read is not None
        assert read.tools[0].call_count == count
    rewritten = read_note(path.read_bytes())
    assert rewritten is not None
    assert rewritten.about is not None
    assert rewritten.about.version == NOTE_VERSION


@pytest.mark.parametrize(
    "note",
    [
        b'{"version":99,"covers":["all"]}',
        b'{"size":1,"crc32":1,"journals":{},"version":99}',
        b"\x00\x01 another form altogether",
    ],
    ids=["newer", "other", "binary"],
)
def test_a_note_of_another_version_is_not_trusted(note: bytes) -> None:
    """A covered note that is not understood hides nothing: the journals are folded."""
    session = record("one")
    journal = journal_of(session)
    journal.write_bytes(journal.read_bytes() + journal.read_bytes().splitlines()[-1] + b"\n")
    (session / "events" / ".covered").write_bytes(note)
    metrics = load("one")
    assert metrics is not None
    assert metrics.tools[0].call_count == 2
    with Collector("one") as collector:
        collector.record_tool_call("Bash", True, 5)
    metrics = load("one")
    assert metrics is not None
    assert metrics.tools[0].call_count == 3
    assert (session / "events" / ".covered").read_bytes() != note


def test_a_newer_index_is_refused_and_left_as_it_is() -> None:
    """One sentence that names the file and the remedy, and not a byte of it changes."""
    record("one")
    assert session_ids() == {"one"}
    set_version(INDEX_VERSION + 1)
    before = index().read_bytes()
    done = m31("sessions")
    assert done.returncode == 4
    assert done.stdout == ""
    assert "later version of m31a-metrics" in done.stderr
    assert str(index()) in done.stderr
    assert index().read_bytes() == before
    # Recording, and what reads one session, need no index.
    record("two")
    assert load("two") is not None


@pytest.mark.parametrize("version", [INDEX_VERSION - 1, 1], ids=["the one before", "the first"])
def test_an_older_index_is_rebuilt_with_what_only_it_knows(version: int) -> None:
    """Sessions whose files are gone are still there, and so are all others."""
    gone = record("gone")
    record("here")
    assert session_ids() == {"gone", "here"}
    shutil.rmtree(gone)
    assert session_ids() == {"gone", "here"}
    set_version(version)
    assert session_ids() == {"gone", "here"}
    connection = sqlite3.connect(index())
    (now,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    assert now == INDEX_VERSION


@pytest.mark.parametrize("version", [BASELINE_VERSION + 1, BASELINE_VERSION - 1])
def test_a_baseline_of_another_version_is_refused(tmp_path: Path, version: int) -> None:
    """The sentence names the file, both versions, and how to make a new one."""
    record("one")
    baseline = tmp_path / "baseline.json"
    made = m31("baseline")
    assert made.returncode == 0
    baseline.write_text(
        made.stdout.replace(f'"m31_baseline": {BASELINE_VERSION}', f'"m31_baseline": {version}')
    )
    done = m31("gate", "--baseline", str(baseline), "--max", "calls=+10%")
    assert done.returncode == 4
    assert f"{baseline} is a baseline of version {version}" in done.stderr
    assert "make it anew: m31 baseline > FILE" in done.stderr


def test_rates_of_another_edition_are_found_again(clean_home: Path) -> None:
    """A cache of prices that another version kept changes no cost."""
    cache = clean_home / ".m31a" / "cache" / "rates.json"
    told = ("llm", "plan", "--prompt-tokens", "1000", "--completion-tokens", "10")
    costs = []
    for session_id, kept in (("one", None), ("two", b'{"edition":"99","models":{"x":[]}}')):
        if kept is not None:
            cache.write_bytes(kept)
        done = m31("record", *told, "--model", "claude-sonnet-4-5", "--session", session_id)
        assert done.returncode == 0, done.stderr
        shown = json.loads(m31("cost", session_id, "--by", "model", "--json").stdout)
        costs.append(shown[0]["cost_usd"])
    assert costs[0] is not None
    assert costs[0] > 0
    assert costs == costs[:1] * 2


def test_a_newer_configuration_is_refused_by_name(
    clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is not known is named with the nearest one; tables of others are left alone."""
    path = clean_home / "config.toml"
    monkeypatch.setenv("M31A_CONFIG", str(path))
    path.write_text("[metrics]\nretention_weeks = 3\n")
    with pytest.raises(errors.ConfigError, match="'retention_weeks'.*'retention_days'"):
        config.read()
    done = m31("sessions", M31A_CONFIG=str(path))
    assert done.returncode == 4
    assert "retention_weeks" in done.stderr
    path.write_text("[telescope]\nlens = 3\n[features]\nweather = true\n")
    assert config.read().retention_days is None


def test_an_older_configuration_has_the_defaults_of_what_is_new(
    clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file with M31A's switch alone is a whole configuration."""
    path = clean_home / "config.toml"
    monkeypatch.setenv("M31A_CONFIG", str(path))
    path.write_text("[features]\nmetrics_enabled = false\n")
    read = config.read()
    assert not read.metrics_enabled
    assert read.journal
    assert read.index == str(clean_home / ".m31a" / "metrics.db")


@pytest.mark.parametrize("version", [deliveries.FORMAT - 1, deliveries.FORMAT + 1])
def test_what_was_sent_by_another_version_is_sent_again(tmp_path: Path, version: int) -> None:
    """A file of another format is believed in nothing: twice is better than never."""
    path = str(tmp_path / "exports" / "otlp-1.jsonl")
    sent = deliveries.Deliveries(path, "http://there", 1)
    sent.note(deliveries.Line("1" * 32, ids=deliveries.packed([5])))
    sent.close()
    own, other = f'"format":{deliveries.FORMAT}'.encode(), f'"format":{version}'.encode()
    Path(path).write_bytes(Path(path).read_bytes().replace(own, other))
    again = deliveries.Deliveries(path, "http://there", 1)
    again.close()
    assert again.of("1" * 32) == deliveries.Sent()
