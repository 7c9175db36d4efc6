"""The configuration: every setting, its default, and the words for each mistake."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from msgspec.structs import replace

from m31a_metrics import config
from m31a_metrics.config import Config
from m31a_metrics.errors import ConfigError, ForeignFile, StorageError

TYPES = {
    "sessions_dir": ("a string", ["1", "true", "[]"]),
    "journal": ('true, false or "write"', ["1", '"yes"', '"Write"']),
    "retention_days": ("a whole number of days", ["1.5", '"30"', "true"]),
    "index": ("a string", ["false"]),
    "failure_lines": ("true or false", ["0", '"no"']),
    "conversations": ("true or false", ["0", '"no"']),
    "prices": ("a table", ["1", "[]"]),
    "budget": ("a table", ['"10 USD"']),
    "phases": ("a table", ['"verify"']),
    "statusline": ("a table", ['"session"', "[]"]),
    "fleet": ("a table", ['"clickhouse://ch.example/team"']),
}


@pytest.fixture
def file(clean_home: Path) -> Path:
    """Where the configuration lies; not there yet."""
    (clean_home / ".m31a").mkdir()
    return clean_home / ".m31a" / "config.toml"


def test_nothing_need_be_set(clean_home: Path) -> None:
    """Without a file and without environment every setting has its default."""
    expected = Config(
        sessions_dir=f"{clean_home}/.m31a/sessions",
        index=f"{clean_home}/.m31a/metrics.db",
        metrics_enabled=True,
        journal=True,
        retention_days=None,
        prices={},
        budget={},
    )
    assert config.read({}) == config.read() == config.defaults() == expected


def test_everything_can_be_set(file: Path, clean_home: Path) -> None:
    """Each key of the file arrives, paths absolute and `~` resolved."""
    file.write_text("""
[features]
metrics_enabled = false
[metrics]
sessions_dir = "~/elsewhere"
journal = false
retention_days = 30
index = "/srv/index.db"
failure_lines = false
conversations = false
[metrics.prices."my-model"]
input = 1.5
output = 6
[metrics.budget]
day_usd = 10
[metrics.phases]
"just preview" = "verify"
[metrics.statusline]
segments = ["left", "phase"]
colors = { left = "cyan", alert = "bold" }
[metrics.fleet]
to = "clickhouse://ch.example/team"
zone = "Europe/Berlin"
projects = ["github.com/acme/*"]
key_file = "~/team.key"
failures = false
""")
    assert config.read({}) == Config(
        sessions_dir=f"{clean_home}/elsewhere",
        index="/srv/index.db",
        metrics_enabled=False,
        journal=False,
        retention_days=30,
        prices={"my-model": {"input": 1.5, "output": 6}},
        budget={"day_usd": 10},
        failure_lines=False,
        conversations=False,
        phases={"just preview": "verify"},
        statusline={"segments": ["left", "phase"], "colors": {"left": "cyan", "alert": "bold"}},
        fleet={
            "to": "clickhouse://ch.example/team",
            "zone": "Europe/Berlin",
            "projects": ["github.com/acme/*"],
            "key_file": f"{clean_home}/team.key",
            "failures": False,
        },
        path=str(file),
    )


def test_a_relative_path_becomes_absolute(file: Path) -> None:
    """A change of directory after reading moves nothing."""
    file.write_text('[metrics]\nsessions_dir = "sessions"')
    assert config.read({}).sessions_dir == f"{os.getcwd()}/sessions"


def test_tables_of_m31a_are_left_alone(file: Path) -> None:
    """What stands outside [metrics] is M31A's own, whatever it is."""
    file.write_text("""
sessions_dir = 5
[features]
metrics_enabled = true
telepathy = "on"
[model]
journal = "none"
""")
    assert config.read({}) == replace(config.defaults(), path=str(file))


def test_a_phase_must_be_one(file: Path) -> None:
    """What a program is said to be for is checked at the door, and the nearest phase named."""
    file.write_text('[metrics.phases]\nmytool = "verfy"')
    with pytest.raises(
        ConfigError, match=r"metrics\.phases\.mytool must be one of explore, plan"
    ) as e:
        config.read({})
    assert str(e.value).endswith("not 'verfy'; did you mean 'verify'?")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("segment = []", "unknown key 'segment' in [metrics.statusline]; did you mean 'segments'?"),
        ('segments = "left"', "segments must be a list, not 'left'"),
        ('segments = ["lefd"]', "heals, not 'lefd'; did you mean 'left'?"),
        ("segments = [1]", "heals, not 1"),
        ('colors = "red"', "colors must be true, false or a table, not 'red'"),
        ('colors = { warnings = "red" }', "alert, not 'warnings'; did you mean 'warning'?"),
        ('colors = { left = "rad" }', "colors.left must be one of none, bold, dim, red"),
    ],
)
def test_a_status_line_shows_what_there_is(file: Path, line: str, words: str) -> None:
    """A segment, a colour, or a key that is not known is refused, and the nearest one named."""
    file.write_text(f"[metrics.statusline]\n{line}")
    with pytest.raises(ConfigError) as error:
        config.read({})
    assert str(file) in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('project = ["a"]', "unknown key 'project' in [metrics.fleet]; did you mean 'projects'?"),
        ('projects = "a"', "metrics.fleet.projects must be a list of strings, not 'a'"),
        ("projects = [1]", "metrics.fleet.projects must be a list of strings, not [1]"),
        ('failures = "no"', "metrics.fleet.failures must be true or false, not 'no'"),
        ("to = 5", "metrics.fleet.to must be a string, not 5"),
    ],
)
def test_a_fleet_is_told_of_as_it_is_known(file: Path, line: str, words: str) -> None:
    """A key of [metrics.fleet] that is none, or of another type, is refused with the key it is."""
    file.write_text(f"[metrics.fleet]\n{line}")
    with pytest.raises(ConfigError) as error:
        config.read({})
    assert str(file) in str(error.value)
    assert words in str(error.value)


def test_environment_names_another_file(tmp_path: Path, file: Path) -> None:
    """M31A_CONFIG is read instead of the usual file."""
    file.write_text("[metrics]\nretention_days = 1")
    other = tmp_path / "other.toml"
    other.write_text("[metrics]\nretention_days = 2")
    assert config.read({"M31A_CONFIG": str(other)}).retention_days == 2
    assert config.read({"M31A_CONFIG": ""}).retention_days == 1


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    """A misspelt M31A_CONFIG is told, not passed over."""
    path = f"{tmp_path}/gone.toml"
    with pytest.raises(ConfigError, match=f"M31A_CONFIG names {path}, which is not there"):
        config.read({"M31A_CONFIG": path})


@pytest.mark.parametrize(
    ("words", "enabled"),
    [("0", False), ("1", True), ("false", False), ("TRUE", True), (" off ", False), ("yes", True)],
)
def test_environment_switches(file: Path, words: str, *, enabled: bool) -> None:
    """M31A_METRICS_ENABLED wins over the file."""
    file.write_text(f"[features]\nmetrics_enabled = {str(not enabled).lower()}")
    assert config.read({"M31A_METRICS_ENABLED": words}).metrics_enabled is enabled
    assert config.read({"M31A_METRICS_ENABLED": ""}).metrics_enabled is not enabled


@pytest.mark.parametrize("words", ["2", "maybe", "-"])
def test_environment_must_say_yes_or_no(words: str) -> None:
    """A switch that says neither is an error that quotes it."""
    with pytest.raises(ConfigError, match=f"M31A_METRICS_ENABLED must be 0 or 1, not '{words}'"):
        config.read({"M31A_METRICS_ENABLED": words})


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("session_dir", "sessions_dir"), ("retention", "retention_days"), ("Journal", "journal")],
)
def test_an_unknown_key_names_the_nearest(file: Path, key: str, nearest: str) -> None:
    """A misspelt key would be a setting that silently does nothing."""
    file.write_text(f"[metrics]\n{key} = 1")
    with pytest.raises(ConfigError) as raised:
        config.read({})
    assert str(raised.value) == (
        f"{file}: unknown key '{key}' in [metrics]; did you mean '{nearest}'?"
    )


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, (_, wrong) in TYPES.items() for value in wrong]
)
def test_a_wrong_type_is_told(file: Path, key: str, value: str) -> None:
    """The message names file, key and what belongs there."""
    file.write_text(f"[metrics]\n{key} = {value}")
    with pytest.raises(ConfigError) as raised:
        config.read({})
    assert str(raised.value).startswith(f"{file}: metrics.{key} must be {TYPES[key][0]}, not ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[metrics]\nretention_days = 0", "metrics.retention_days must be at least 1"),
        ("[metrics]\nretention_days = -1", "metrics.retention_days must be at least 1"),
        ("metrics = 5", "metrics must be a table, as in [metrics]"),
        ("features = []", "features must be a table, as in [features]"),
        ("[features]\nmetrics_enabled = 1", "features.metrics_enabled must be true or false"),
    ],
)
def test_impossible_settings_are_told(file: Path, text: str, words: str) -> None:
    """The message names the file and the setting."""
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        config.read({})
    assert str(raised.value) == f"{file}: {words}"


@pytest.mark.parametrize(
    "data", [b"[metrics", b"a = = 1", b"\xff\xfe", b"a = 1\na = 2", b"a = " + b"[" * 100_000]
)
def test_what_is_no_toml_is_told(file: Path, data: bytes) -> None:
    """A file that cannot be parsed is one sentence, never a traceback of the parser."""
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=f"{file} is not valid TOML: "):
        config.read({})


def test_an_unreadable_file_is_told(file: Path) -> None:
    """A directory in place of the file is named."""
    file.mkdir()
    with pytest.raises((ForeignFile, StorageError), match=str(file)):
        config.read({})


def test_a_link_to_the_file_is_followed(file: Path, tmp_path: Path) -> None:
    """Whoever keeps all settings in one folder, and links to them, is read like anybody."""
    (tmp_path / "kept.toml").write_text("[features]\nmetrics_enabled = false\n")
    file.symlink_to(tmp_path / "kept.toml")
    assert config.read({}).metrics_enabled is False


def test_a_link_to_a_device_is_told(file: Path) -> None:
    """What a link leads to must be a file."""
    file.symlink_to("/dev/zero")
    with pytest.raises(ForeignFile, match="/dev/zero"):
        config.read({})


def test_environment_is_read_at_the_door_only(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment counts when `read` is called, not when the module was imported."""
    monkeypatch.setenv("M31A_METRICS_ENABLED", "0")
    assert config.read().metrics_enabled is False
    monkeypatch.setenv("M31A_METRICS_ENABLED", "1")
    assert config.read().metrics_enabled is True


@pytest.mark.parametrize(
    "text", ["", "# mine", '[metrics]\njournal = "write"\n', "[features]\nmetrics_enabled = true"]
)
def test_a_budget_is_added_behind_what_stands_there(text: str) -> None:
    """Every byte before it stays, and the file says both."""
    added = config.with_budget(text, {"session_usd": 5.0}, "config.toml")
    assert added.startswith(text)
    tables = tomllib.loads(added)
    assert tables["metrics"]["budget"] == {"session_usd": 5.0}
    assert {**tables, "metrics": 0} == {**tomllib.loads(text), "metrics": 0}


@pytest.mark.parametrize(
    "text", ["[metrics.budget]\nday_usd = 1\n", "metrics = {journal = true}\n", "[metrics\n"]
)
def test_a_budget_is_not_added_where_it_cannot_stand(text: str) -> None:
    """One is there already, or the table is closed, or the file is broken."""
    with pytest.raises(ConfigError, match=r"config\.toml"):
        config.with_budget(text, {"session_usd": 5.0}, "config.toml")
