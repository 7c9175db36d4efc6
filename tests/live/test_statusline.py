from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import config
from m31a_metrics.live import statusline

NOW_US = 1_795_977_200_000_000
SESSION = "0b9cf6d2-8d54-4c3e-9b0e-5d0a7ff01234"
GIVEN: dict[str, Any] = {
    "session_id": SESSION,
    "session_name": "a secret name",
    "cwd": "/home/jo/secret",
    "model": {"id": "claude-secret-1", "display_name": "Secret"},
    "cost": {"total_cost_usd": 1.25, "total_duration_ms": 90_000, "total_api_duration_ms": 4_000},
    "context_window": {"total_input_tokens": 84_000, "used_percentage": 42},
    "rate_limits": {
        "five_hour": {"used_percentage": 81.5, "resets_at": NOW_US // 1_000_000 + 4_830},
        "seven_day": {"used_percentage": 12, "resets_at": NOW_US // 1_000_000 + 500_000},
    },
}
PLAIN: dict[str, Any] = {"statusline": {"colors": {}}}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A `~/.m31a/live` with nothing in it."""
    (tmp_path / "live" / "verdicts").mkdir(parents=True)
    return tmp_path / "live"


def verdict(here: Path, name: str, **told: Any) -> None:
    """Leave a verdict as a settling does."""
    said = {"format": 1, "writer": __file__, "at_us": NOW_US, "name": name} | told
    (here / "verdicts" / f"{name}.json").write_text(json.dumps(said))


def line(here: Path, given: object = GIVEN, settings: object = None, **environ: str) -> str:
    """The line for what an agent gave."""
    data = given if isinstance(given, bytes) else json.dumps(given).encode()
    named = {name.encode(): value.encode() for name, value in environ.items()}
    told = settings if isinstance(settings, dict) else PLAIN
    return statusline.answer(data, str(here), told, named, NOW_US)


def test_it_shows_what_the_agent_and_a_settling_told(here: Path) -> None:
    """Every segment, in order; what the agent used since the settling is in the other sums."""
    figures = {"session_usd": 1.0, "usd_per_active_hour": 3.5, "phase": "execute", "heal_count": 2}
    verdict(here, SESSION, figures=figures)
    verdict(here, "machine", figures={"today_usd": 9.0, "left_usd": 1.5, "left_scope": "day"})
    assert line(here) == (
        "session $1.25 | today $9.25 | left $1.25 of the day | $3.50/h | context 42% | "
        "5h 82%, 1:20 left | execute | 2 heals"
    )


def test_without_anything_settled_it_shows_what_the_agent_gave(here: Path) -> None:
    """No verdict, no live.json, fields that are null before the first answer."""
    assert line(here) == "session $1.25 | context 42% | 5h 82%, 1:20 left"
    empty = {"cost": None, "context_window": {"used_percentage": None}, "rate_limits": {}}
    assert line(here, GIVEN | empty) == ""


def test_tokens_without_a_price_are_named(here: Path) -> None:
    """Where the agent tells no cost, what nobody could price stands beside what is known."""
    verdict(here, SESSION, figures={"session_usd": 0.5, "unpriced_tokens": 12_345})
    shown = line(here, {"session_id": SESSION})
    assert shown == "session $0.5000 + 12.3k tokens unpriced"


@pytest.mark.parametrize(
    ("until_us", "shown"), [(None, True), (NOW_US + 1, True), (NOW_US, False), ("soon", False)]
)
def test_a_stop_tells_how_a_person_allows_more(here: Path, until_us: object, shown: bool) -> None:
    """It stands in the place of what is left, until its time has passed."""
    stop = {"scope": "session", "until_us": until_us, "limit": "USD 1.00", "used": "USD 1.02"}
    verdict(here, SESSION, stops=[stop])
    said = f"session budget spent (USD 1.02 of USD 1.00): m31 budget allow --session {SESSION} +5"
    assert (said in line(here)) is shown


def test_a_stop_of_another_scope_is_not_taken_from_a_sessions_verdict(here: Path) -> None:
    """Day and month are the machine's: an old session's word on them is no longer true."""
    stop = {"scope": "day", "until_us": NOW_US + 1, "limit": "USD 1.00", "used": "USD 1.02"}
    verdict(here, SESSION, stops=[stop])
    assert "spent" not in line(here)
    verdict(here, "machine", stops=[stop])
    assert "day budget spent" in line(here)


def test_the_day_of_a_verdict_ends(here: Path) -> None:
    """After midnight nothing of yesterday's sum is shown as today's."""
    verdict(here, "machine", figures={"today_usd": 9.0, "today_until_us": NOW_US})
    assert "today" not in line(here)


def test_a_verdict_of_a_writer_that_is_gone_is_void(here: Path, tmp_path: Path) -> None:
    """Nobody would ever renew it."""
    verdict(here, "machine", figures={"today_usd": 9.0}, writer=str(tmp_path / "gone.py"))
    assert "today" not in line(here)


def test_segments_and_colours_are_as_configured(here: Path) -> None:
    """Only what is wanted, in that order; nearly full is a colour of its own; NO_COLOR wins."""
    wanted = {"segments": ["window", "nonsense", "session"], "colors": {"warning": "33"}}
    settings = {"statusline": wanted}
    assert line(here, settings=settings) == "\x1b[33m5h 82%, 1:20 left\x1b[0m | session $1.25"
    assert "\x1b" not in line(here, settings=settings, NO_COLOR="1")
    assert "\x1b[36msession" in line(here, settings={})


def test_the_configuration_knows_the_same_segments() -> None:
    """What may be configured is what the program can draw, colours included."""
    assert statusline.SEGMENTS == config.SEGMENTS
    assert set(statusline.COLORS) <= set(config.COLORED)
    assert set(statusline.COLORS.values()) <= set(config.COLORS.values())


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"session_id": 5, "cost": [], "context_window": {"used_percentage": "42"}}',
        b'{"cost": {"total_cost_usd": NaN}, "rate_limits": {"five_hour": 7}}',
        b'{"cost": {"total_cost_usd": 1e999}, "context_window": {"used_percentage": -1}}',
        b'{"session_id": "../../etc", "cost": {"total_cost_usd": true}}',
        b'{"session_id": "' + b"a" * 129 + b'"}',
    ],
)
def test_whatever_it_is_given_it_prints_a_line(here: Path, tmp_path: Path, given: bytes) -> None:
    """What is no JSON, or no figure, is left out, and nothing is written for it."""
    verdict(here, "machine", figures={"today_usd": "nine", "left_usd": None}, stops=[7, {}])
    settings = PLAIN | {"sessions_dir": str(tmp_path / "sessions")}
    assert line(here, given, settings) == ""
    assert not (tmp_path / "sessions").exists()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["session", "day", "writer", __file__]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["session_id", "cost", "total_cost_usd", "context_window", "used_percentage",
             "rate_limits", "five_hour", "resets_at", "figures", "stops", "warns", "scope",
             "until_us", "limit", "used", "writer", "left_usd", "left_scope", "phase",
             "heal_count", "today_usd", "statusline", "segments", "colors", "alert"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=20,
)  # fmt: skip
"""Values of any kind under the names that are read."""


@given(said=JSON, own=JSON, machine=JSON, wanted=JSON)
def test_no_value_of_any_kind_ends_it(
    tmp_path_factory: pytest.TempPathFactory,
    said: object,
    own: object,
    machine: object,
    wanted: object,
) -> None:
    """Whatever an agent gives, a verdict or the settings hold, a line comes out."""
    here = tmp_path_factory.getbasetemp() / "any"
    (here / "verdicts").mkdir(parents=True, exist_ok=True)
    for name, told in (("s", own), ("machine", machine)):
        full = told | {"writer": __file__} if isinstance(told, dict) else told
        (here / "verdicts" / f"{name}.json").write_text(json.dumps(full))
    with_id = said | {"session_id": "s"} if isinstance(said, dict) else said
    data = json.dumps(with_id).encode()
    settings = {"statusline": wanted, "sessions_dir": str(here / "sessions")}
    text = statusline.answer(data, str(here), settings, {}, NOW_US)
    assert "\n" not in text
    assert text.replace("\x1b[", "").isprintable()


def journal(tmp_path: Path) -> list[dict[str, Any]]:
    """What is kept of the session."""
    text = (tmp_path / "sessions" / SESSION / "events" / "hooks.jsonl").read_text()
    return [json.loads(one) for one in text.splitlines() if one]


def test_figures_are_kept_once_and_never_names(here: Path, tmp_path: Path) -> None:
    """A figure that changed makes a line; the time that a session lasted alone makes none."""
    settings = PLAIN | {"sessions_dir": str(tmp_path / "sessions")}
    for _ in range(2):
        line(here, GIVEN, settings)
    longer = GIVEN["cost"] | {"total_duration_ms": 95_000}
    line(here, GIVEN | {"cost": longer}, settings)
    line(here, GIVEN | {"cost": longer | {"total_cost_usd": 1.5}}, settings)
    start, first, second = journal(tmp_path)
    assert start == {
        "event": "session_start",
        "t_us": NOW_US,
        "agent": "claude-code",
        "native_id": SESSION,
    }
    assert first == {
        "event": "agent_totals",
        "t_us": NOW_US,
        "cost_usd": 1.25,
        "duration_ms": 90_000,
        "api_duration_ms": 4_000,
        "context_used_percent": 42,
        "context_tokens": 84_000,
        "five_hour_used_percent": 81.5,
        "five_hour_resets_us": NOW_US + 4_830_000_000,
        "seven_day_used_percent": 12,
        "seven_day_resets_us": NOW_US + 500_000_000_000,
    }
    assert (second["cost_usd"], second["duration_ms"]) == (1.5, 95_000)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any("ecret" in path.read_text() for path in kept)
    modes = {path.stat().st_mode & 0o777 for path in kept if path.name != "machine.json"}
    assert modes == {0o600}


def test_before_anything_is_used_nothing_is_kept(here: Path, tmp_path: Path) -> None:
    """Opening an agent makes no session."""
    cost = {"total_cost_usd": 0, "total_duration_ms": 863, "total_api_duration_ms": 0}
    given = {"session_id": SESSION, "cost": cost, "context_window": {"total_input_tokens": 0}}
    line(here, given, PLAIN | {"sessions_dir": str(tmp_path / "sessions")})
    assert not (tmp_path / "sessions").exists()


def test_what_a_session_counts_already_is_kept(here: Path, tmp_path: Path) -> None:
    """A METRICS.json that stood alone becomes the base of the journals that begin with a line."""
    session = tmp_path / "sessions" / SESSION
    session.mkdir(parents=True)
    (session / "METRICS.json").write_text("{}")
    settings = PLAIN | {"sessions_dir": str(tmp_path / "sessions")}
    line(here, GIVEN, settings)
    assert (session / "events" / "base.json").read_text() == "{}"


def _unwritable(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("a file where a folder belongs")


def _a_link(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "elsewhere" / "events").mkdir(parents=True)
    (tmp_path / "sessions" / SESSION).symlink_to(tmp_path / "elsewhere")


def _a_directory(tmp_path: Path) -> None:
    (tmp_path / "sessions" / SESSION / "events" / "hooks.jsonl").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [_unwritable, _a_link, _a_directory])
def test_a_place_that_refuses_costs_no_line(
    here: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    """What stands where a session belongs is not followed and not written into."""
    spoil(tmp_path)
    settings = PLAIN | {"sessions_dir": str(tmp_path / "sessions")}
    assert "session $1.25" in line(here, GIVEN, settings)
    assert not list(tmp_path.rglob("elsewhere/**/*.jsonl"))


def test_nothing_is_kept_where_recording_is_off(here: Path, tmp_path: Path) -> None:
    """By the environment, and by a live.json that names no place."""
    settings = PLAIN | {"sessions_dir": str(tmp_path / "sessions")}
    assert line(here, GIVEN, settings, M31A_METRICS_ENABLED="0")
    assert line(here, GIVEN, PLAIN | {"sessions_dir": ""})
    assert not (tmp_path / "sessions").exists()


def test_it_needs_nothing_but_python(here: Path, tmp_path: Path) -> None:
    """The file alone, by an interpreter without packages, in a folder with traps; it ends with 0.

    Without its settings too, and where its input is closed.
    """
    program = here / "statusline.py"
    program.write_bytes(Path(statusline.__file__).read_bytes())
    (tmp_path / "time.py").write_text("raise SystemExit(9)")
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    settings = {"sessions_dir": str(tmp_path / "sessions"), "statusline": {"segments": ["session"]}}
    for told in (json.dumps(settings), "{"):
        (here / "live.json").write_text(told)
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(program)],
            input=json.dumps(GIVEN).encode(),
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"session $1.25" in done.stdout
    assert len(journal(tmp_path)) == 2


def test_it_imports_what_starts_quickly(here: Path) -> None:
    """Started as it is installed, as a module of that folder: no json, no os, no re."""
    (here / "statusline.py").write_bytes(Path(statusline.__file__).read_bytes())
    start = "import sys; sys.path[:0] = sys.argv[1:]; import statusline as s; s.main(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{start}; print(*sys.modules)", str(here)],
        input=json.dumps(GIVEN).encode(),
        capture_output=True,
        check=True,
    )
    shown, _, modules = done.stdout.decode().partition("\n")
    assert "session $1.25" in shown
    assert not {"json", "os", "re", "collections", "typing"} & set(modules.split())


def test_a_real_agents_lines_are_kept_when_they_change(
    here: Path, tmp_path: Path, shared: Path
) -> None:
    """Of what a real session gave 17 times, each change of cost stands in the journal once."""
    settings = PLAIN | {"sessions_dir": str(tmp_path / "sessions")}
    given = (shared / "captures/claude-code/ccint2/statusline.tsv").read_text().splitlines()
    costs = []
    for one in given:
        data = one.partition("\t")[2]
        line(here, data.encode(), settings)
        costs.append(json.loads(data)["cost"]["total_cost_usd"])
    (path,) = (tmp_path / "sessions").glob("*/events/hooks.jsonl")
    told = [json.loads(one) for one in path.read_text().splitlines() if one]
    kept = [one["cost_usd"] for one in told if one["event"] == "agent_totals"]
    assert sorted(set(kept)) == sorted({cost for cost in costs if cost})
    assert len(kept) < len(given)
