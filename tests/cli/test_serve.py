from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.cli import machine

M31 = (sys.executable, "-c", "import sys; from m31a_metrics.cli import main; sys.exit(main())")


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `m31 serve` on a free port; gives the address that it prints."""
    process = subprocess.Popen(
        [*M31, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert "Traceback" not in said


def get(address: str) -> tuple[int, bytes]:
    """Ask for an address."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def test_it_prints_where_it_is_and_serves_what_was_recorded(clean_home: Path) -> None:
    """The printed address answers with this machine's sessions until Ctrl-C."""
    machine.record(clean_home / ".m31a" / "sessions")
    with serving() as (address, process):
        assert address.startswith("http://127.0.0.1:")
        status, body = get(f"{address}sessions?since=all")
        assert status == 200
        assert b"3f2a91c0" in body
        status, body = get(f"{address}sessions/3f2a91c0/METRICS.json")
        assert body == (clean_home / ".m31a/sessions/3f2a91c0/METRICS.json").read_bytes()
        port = address.rstrip("/").rpartition(":")[2]
        taken = subprocess.run(
            [*M31, "serve", "--port", port], capture_output=True, text=True, check=False
        )
        assert taken.returncode == 4
        assert "--port 0" in taken.stderr
    assert process.returncode in (0, 130)


def test_for_the_network_there_is_a_token(clean_home: Path) -> None:
    """Any other address than loopback needs what stands in the printed one."""
    with serving("--host", "0.0.0.0") as (address, _):  # noqa: S104 - what is tested
        bare, _, token = address.partition("?token=")
        assert len(token) >= 32
        port = bare.rstrip("/").rpartition(":")[2]
        local = f"http://127.0.0.1:{port}/"
        assert get(local)[0] == 401
        assert get(f"{local}?token=wrong")[0] == 401
        request = urllib.request.Request(local, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            assert answer.status == 200


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """--sessions-dir of nothing is told before a port is taken."""
    done = subprocess.run(
        [*M31, "serve", "--sessions-dir", str(tmp_path / "no")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    assert done.returncode == 3
    assert "is not there" in done.stderr


@pytest.mark.parametrize(
    ("asked", "part"),
    [((), "Top tools by time"), (("3f2a91c0",), "3f2a91c0"), (("last",), "Session")],
)
def test_a_report_is_written(
    clean_home: Path, tmp_path: Path, asked: tuple[str, ...], part: str
) -> None:
    """Of a slice or of one session, and nothing else is left beside the file."""
    machine.record(clean_home / ".m31a" / "sessions")
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [*M31, "report", *asked, "-o", str(out / "r.html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert part in (out / "r.html").read_text()
    assert os.listdir(out) == ["r.html"]
    assert stat.S_IMODE((out / "r.html").stat().st_mode) == 0o600
