"""Who a fleet is told of: names given on purpose, hashes otherwise, and no folder of a person."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from msgspec import json

from m31a_metrics.errors import ConfigError
from m31a_metrics.fleet import identity
from m31a_metrics.fleet.identity import Who, who, without_homes

HASH = re.compile("[0-9a-f]{12}")


@pytest.fixture
def team_key(clean_home: Path) -> Path:
    """A key that the machines of a team share."""
    path = clean_home / "team.key"
    path.write_text("c2VjcmV0IG9mIG91ciB0ZWFt\n")
    path.chmod(0o600)
    return path


def test_who_is_named_on_purpose_is_named(clean_home: Path) -> None:
    """What the configuration says goes as it is, and then no key is needed."""
    assert who({"machine": "build-7", "user": "Ann"}) == Who("build-7", "Ann")
    assert not (clean_home / ".m31a").exists()
    found = who({"machine": "build-7"})
    assert found.machine == "build-7"
    assert HASH.fullmatch(found.user)


def test_others_are_hashes_of_this_machines_key(clean_home: Path) -> None:
    """They stay the same, and are others with another key, which is for its owner alone."""
    found = who({})
    key = clean_home / ".m31a" / "fleet.key"
    assert HASH.fullmatch(found.machine)
    assert HASH.fullmatch(found.user)
    assert found.machine != found.user
    assert who({}) == found
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.unlink()
    assert who({}).user != found.user


def test_a_teams_key_joins_the_machines_of_a_person(
    team_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same person on two machines is one user and two machines; another person is another."""
    settings = {"key_file": str(team_key)}
    monkeypatch.setattr(identity, "_machine", lambda: "one")
    one = who(settings)
    monkeypatch.setattr(identity, "_machine", lambda: "two")
    two = who(settings)
    assert one.user == two.user
    assert one.machine != two.machine
    monkeypatch.setattr(identity, "_login", lambda: "bob")
    assert who(settings).user != one.user
    team_key.write_text("another secret of ours, as long as one")
    assert who(settings).machine != two.machine


def test_a_key_that_is_none_is_refused(team_key: Path) -> None:
    """Others must not be able to read it, it must be there, and hard to guess."""
    settings = {"key_file": str(team_key)}
    team_key.chmod(0o644)
    with pytest.raises(ConfigError, match=f"chmod 600 {team_key}"):
        who(settings)
    team_key.chmod(0o600)
    team_key.write_text("short\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n")
    with pytest.raises(ConfigError, match="has no key of at least 16 bytes; make one"):
        who(settings)
    team_key.unlink()
    with pytest.raises(ConfigError, match="has no key of at least 16 bytes; make one"):
        who(settings)


@pytest.mark.parametrize("name", ["a\nb", "x" * 101, "\x1b[31m"])
def test_a_name_can_be_printed(clean_home: Path, name: str) -> None:
    """What would disturb a terminal or a table is refused, and not repeated."""
    with pytest.raises(ConfigError) as error:
        who({"machine": name})
    assert name not in str(error.value)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/ada/shop/a.py", "~/shop/a.py"),
        ("at /Users/ada.b/x and /home/bob", "at ~/x and ~"),
        ("C:\\Users\\Ada\\x", "~\\x"),
        ("c:/users/ada/x", "~/x"),
        ("/srv/people/ada/x", "~/x"),
        ("/var/lib/home", "/var/lib/home"),
        ('{"a":"/home/ada"}', '{"a":"~"}'),
        ("/homes/ann", "/homes/ann"),
        ("/usr/home/ada/x", "~/x"),
        ("gitlab.example/users/ada", "gitlab.example/users/ada"),
        ("/srv/people/adam and /srv/people/ada", "/srv/people/adam and ~"),
        ("x/srv/people/ada", "x/srv/people/ada"),
    ],
)
def test_no_folder_of_a_person_goes(text: str, left: str) -> None:
    """Homes as Linux, macOS and Windows have them, and one's own wherever it is."""
    line = json.encode({"labels": text, "other": "x"})
    assert json.decode(without_homes(line, "/srv/people/ada")) == {"labels": left, "other": "x"}
