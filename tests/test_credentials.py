from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec import json

from m31a_metrics.credentials import Credentials, CredentialsFile
from tests import children


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the credentials are to be kept."""
    return tmp_path / "home" / ".m31a" / "dashboard.json"


def kept(file: Path) -> Credentials:
    """What a server that starts now finds or makes."""
    found = CredentialsFile(str(file))
    assert found.is_kept, found.note
    return found.current()


def test_they_are_made_once_and_kept(file: Path) -> None:
    """The next server has the same ones; they are long, random, and differ from each other."""
    first = kept(file)
    assert kept(file) == first
    assert len(first.prefix) >= 16
    assert len(first.token) >= 43
    assert first.token not in first.prefix
    other = kept(file.parent / "other.json")
    assert other.prefix != first.prefix
    assert other.token != first.token


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_only_the_owner_can_read_them(file: Path, umask: int) -> None:
    """File and folder are private, whatever the umask."""
    before = os.umask(umask)
    try:
        kept(file)
    finally:
        os.umask(before)
    for path in (*file.parent.iterdir(), file.parent):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666])
def test_those_that_others_could_read_are_made_anew(file: Path, mode: int) -> None:
    """A file whose mode was loosened is known to others, so it counts no more."""
    first = kept(file)
    file.chmod(mode)
    second = kept(file)
    assert second.token != first.token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


WHOLE = {"prefix": "p" * 16, "token": "t" * 43}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        json.encode(WHOLE | {"token": ""}),
        json.encode(WHOLE | {"token": "short"}),
        json.encode(WHOLE | {"token": "t" * 43 + "\r\nset-cookie: a=b"}),
        json.encode(WHOLE | {"token": 1}),
        json.encode(WHOLE | {"prefix": ""}),
        json.encode(WHOLE | {"prefix": "../" * 8}),
        json.encode(WHOLE | {"prefix": "a/b" * 8}),
        json.encode({"prefix": "p" * 16}),
        json.encode(WHOLE) + b" " * 5000,
    ],
)
def test_damaged_ones_are_made_anew(file: Path, data: bytes) -> None:
    """What a file holds that is no token, or no part of an address, never becomes one."""
    file.parent.mkdir(parents=True, mode=0o700)
    file.touch(0o600)
    file.write_bytes(data)
    found = kept(file)
    assert len(found.token) >= 43
    assert kept(file) == found


def test_a_link_in_their_place_is_not_followed(file: Path, tmp_path: Path) -> None:
    """Neither read nor written through: a file of our own takes its place."""
    target = tmp_path / "theirs"
    target.touch(0o600)
    target.write_bytes(json.encode(WHOLE))
    file.parent.mkdir(parents=True, mode=0o700)
    file.symlink_to(target)
    assert kept(file).token != WHOLE["token"]
    assert json.decode(target.read_bytes()) == WHOLE
    assert not file.is_symlink()


def test_servers_that_start_at_once_agree(file: Path) -> None:
    """However many make them in the same moment, there is one token."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kept(file), range(16)))
    assert len({one.token for one in found}) == 1


def test_a_running_server_follows_a_new_token(file: Path) -> None:
    """What another process makes anew counts in this one from the next look on."""
    running = CredentialsFile(str(file))
    first = running.current()

    def renew() -> None:
        CredentialsFile(str(file)).renew()

    assert children.run(renew) == 0
    second = running.current()
    assert second.token != first.token
    assert second.prefix == first.prefix
    assert kept(file) == second


def test_a_running_server_goes_on_without_the_file(file: Path) -> None:
    """One that is removed or damaged meanwhile changes nothing until there is a whole one."""
    running = CredentialsFile(str(file))
    first = running.current()
    file.unlink()
    assert running.current() == first
    file.touch(0o600)
    file.write_bytes(b"{")
    assert running.current() == first
    second = kept(file)
    assert running.current() == second


def test_where_nothing_can_be_kept_they_last_as_long_as_the_process(tmp_path: Path) -> None:
    """A home that cannot be written to gets a token of its own at each start, and is told why."""
    (tmp_path / "home").write_text("no folder")
    path = str(tmp_path / "home" / "dashboard.json")
    first, second = CredentialsFile(path), CredentialsFile(path)
    assert not first.is_kept
    assert path.rpartition("/")[0] in first.note
    before = first.current()
    assert before.token != second.current().token
    first.renew()
    assert first.current().token != before.token
