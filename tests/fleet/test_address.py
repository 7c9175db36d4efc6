"""Addresses of a fleet: what they mean, which are refused, and where credentials come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from m31a_metrics.errors import ConfigError, ForeignFile
from m31a_metrics.fleet.address import address_of, destination_of
from m31a_metrics.fleet.client import Address

SECRET = "hunter2"  # noqa: S105 - the password that must never be repeated


@pytest.fixture
def credentials(clean_home: Path) -> Path:
    """Write the file that is read where nobody names another, for its owner alone."""
    path = clean_home / ".m31a" / "clickhouse.toml"
    path.parent.mkdir()
    path.write_text(f'user = "ann"\npassword = "{SECRET}"\n')
    path.chmod(0o600)
    return path


def refusal(text: str, settings: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    """Give the sentence that refuses an address; none of them repeats a password."""
    with pytest.raises(ConfigError) as error:
        address_of(text, settings, environ or {})
    assert SECRET not in str(error.value)
    assert error.value.__cause__ is None or SECRET not in str(error.value.__cause__)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("clickhouse://ch.example/team", Address("ch.example", 8443, "team", is_secure=True)),
        ("clickhouse://ch.example:443/team/", Address("ch.example", 443, "team", is_secure=True)),
        ("clickhouse://ch.example/team?secure=0", Address("ch.example", 8123, "team")),
        ("clickhouse://localhost/team", Address("localhost", 8123, "team")),
        ("clickhouse://127.0.0.1:9/t_1", Address("127.0.0.1", 9, "t_1")),
        ("clickhouse://[::1]/team?secure=1", Address("::1", 8443, "team", is_secure=True)),
    ],
)
def test_an_address_says_host_port_database(clean_home: Path, text: str, address: Address) -> None:
    """TLS is spoken everywhere but on loopback, each with its port, unless the address says so."""
    assert address_of(text, {}, {}) == address
    assert destination_of(text) == str(address)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no address of a fleet; it is clickhouse://HOST"),
        ("https://ch.example/team", "is no address of a fleet"),
        ("clickhouse:///team", "is no address of a fleet"),
        ("clickhouse://ch.example:port/team", "this is no address of a fleet"),
        ("clickhouse://ch.example:99999/team", "this is no address of a fleet"),
        ("clickhouse://[::1/team", "this is no address of a fleet"),
        ("clickhouse://ch example/team", "is no address of a fleet"),
        ("clickhouse://ch.example", "names no database"),
        ("clickhouse://ch.example/", "names no database"),
        ("clickhouse://ch.example/a/b", "names no database"),
        ("clickhouse://ch.example/a`; DROP TABLE b", "names no database"),
        ("clickhouse://ch.example/team#x", "is no address of a fleet"),
        ("clickhouse://ch.example/team?secure=yes", "secure=0 or secure=1, and nothing else"),
        (
            f"clickhouse://ch.example/team?password={SECRET}",
            "secure=0 or secure=1, and nothing else",
        ),
        (f"https://ch.example/team?password={SECRET}", "is no address of a fleet"),
        (f"clickhouse://ann:{SECRET}@ch.example/team", "do not belong into a fleet's address"),
        (f"clickhouse://ann:{SECRET}@ch.example:x/team", "this is no address of a fleet"),
        (f"https://:{SECRET}@ch.example/team", "set M31A_CLICKHOUSE_USER"),
    ],
)
def test_what_is_no_address_is_refused(clean_home: Path, text: str, words: str) -> None:
    """Each mistake gets one sentence that shows how an address is written."""
    assert words in refusal(text, {})


def test_credentials_come_from_the_environment_or_a_file(credentials: Path) -> None:
    """The environment goes before the file, and a file that is named before the usual one."""
    text = "clickhouse://localhost/team"
    assert (found := address_of(text, {}, {})).user == "ann"
    assert found.password == SECRET
    assert SECRET not in str(found)
    environ = {"M31A_CLICKHOUSE_USER": "bob", "M31A_CLICKHOUSE_PASSWORD": "b"}
    assert address_of(text, {}, environ).user == "bob"
    other = credentials.with_name("other.toml")
    other.write_text('password = "c"')
    other.chmod(0o600)
    found = address_of(text, {"credentials": str(other)}, {})
    assert (found.user, found.password) == ("default", "c")


def test_a_file_of_credentials_is_for_its_owner_alone(credentials: Path) -> None:
    """One that others may read is refused, with what to do; so is one that is damaged or away."""
    credentials.chmod(0o640)
    text = "clickhouse://localhost/team"
    assert refusal(text, {}).endswith(f"can be read by others: chmod 600 {credentials}")
    credentials.chmod(0o600)
    for written, words in [
        (f'user = "ann"\npassword = {SECRET}', "is not valid TOML"),
        (f'pasword = "{SECRET}"', "unknown key 'pasword'"),
        ("password = 5", "password must be a string"),
        ('user = "a:b"', "a user with a colon"),
    ]:
        credentials.write_text(written)
        assert words in refusal(text, {})
    credentials.unlink()
    assert address_of(text, {}, {}).user == "default"
    assert "which is not there" in refusal(text, {"credentials": str(credentials)})
    credentials.mkdir(0o700)
    with pytest.raises(ForeignFile):
        address_of(text, {}, {})


def test_credentials_never_go_over_plain_http(credentials: Path) -> None:
    """Off this machine they need TLS; whoever has none may speak plain HTTP."""
    text = "clickhouse://ch.example/team?secure=0"
    assert "use TLS" in refusal(text, {})
    assert address_of("clickhouse://ch.example/team", {}, {}).is_secure
    credentials.unlink()
    assert not address_of(text, {}, {}).is_secure
    assert "use TLS" in refusal(text, {}, {"M31A_CLICKHOUSE_PASSWORD": "p"})


def test_an_authority_of_ones_own_must_be_there(clean_home: Path) -> None:
    """`ca_file` arrives in the address, and one that is not there is told before anything."""
    path = clean_home / "ca.pem"
    text = "clickhouse://ch.example/team"
    assert f"names {path}, which is not there" in refusal(text, {"ca_file": str(path)})
    path.write_text("")
    assert address_of(text, {"ca_file": str(path)}, {}).ca_file == str(path)
