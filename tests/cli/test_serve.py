from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from urllib.error import HTTPError

import pytest
from msgspec import Struct, json

from tests import children
from tests.cli import machine

M31 = (sys.executable, "-c", "import sys; from m31a_metrics.cli import main; sys.exit(main())")


class Server(Struct):
    """A server that runs: the first line that it printed, its process, and what lets in."""

    printed: str
    process: subprocess.Popen[str]
    prefix: str
    token: str

    @property
    def port(self) -> str:
        return self.printed.split("/")[2].rpartition(":")[2]

    @property
    def base(self) -> str:
        """What all its addresses begin with."""
        return f"http://127.0.0.1:{self.port}/{self.prefix}"


@contextmanager
def serving(home: Path, *arguments: str, port: str = "0", **environ: str) -> Iterator[Server]:
    """Run `m31 serve` on a free port, its output in a pipe."""
    process = subprocess.Popen(
        [*M31, "serve", "--port", port, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
    )
    try:
        assert process.stdout is not None
        printed = process.stdout.readline().strip()
        yield Server(printed, process, **kept(home))
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        assert "Traceback" not in said
        assert kept(home)["token"] not in said


def kept(home: Path) -> dict[str, str]:
    """What is kept of how to get in."""
    found: dict[str, str] = json.decode((home / ".m31a" / "dashboard.json").read_bytes())
    return found


def get(address: str, token: str = "") -> tuple[int, bytes]:
    """Ask for an address, with a token or without."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def failed(*arguments: str, code: int) -> str:
    """Run `m31 serve`, which ends with this code at once; what it said."""
    done = subprocess.run(
        [*M31, "serve", *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_prints_where_it_is_and_serves_what_was_recorded(clean_home: Path) -> None:
    """The port that it prints answers with this machine's sessions until Ctrl-C."""
    machine.record(clean_home / ".m31a" / "sessions")
    with serving(clean_home) as server:
        assert server.printed == f"http://127.0.0.1:{server.port}/"
        status, body = get(f"{server.base}/sessions?since=all", server.token)
        assert status == 200
        assert b"3f2a91c0" in body
        status, body = get(f"{server.base}/sessions/3f2a91c0/METRICS.json", server.token)
        assert body == (clean_home / ".m31a/sessions/3f2a91c0/METRICS.json").read_bytes()
        assert "--port 0" in failed("--port", server.port, code=4)
    assert server.process.returncode in (0, 130)


ADDRESSES = ("/", "/sessions?since=all", "/api/sessions?since=all", "/live", "/api/openapi.json")


@pytest.mark.parametrize("arguments", [(), ("--host", "0.0.0.0")])  # noqa: S104 - what is tested
def test_without_the_token_nobody_reads_anything(
    clean_home: Path, arguments: tuple[str, ...]
) -> None:
    """Below the prefix 401, elsewhere 404, on loopback as for the network; no page has it."""
    machine.record(clean_home / ".m31a" / "sessions")
    with serving(clean_home, *arguments) as server:
        origin = f"http://127.0.0.1:{server.port}"
        for address in ADDRESSES:
            assert get(f"{server.base}{address}")[0] == 401
            assert get(f"{server.base}{address}", "wrong")[0] == 401
            assert get(f"{origin}{address}", server.token) == (404, b"Not Found")
        for address in ("/", "/sessions", "/tools", "/compare", "/api/openapi.json", "/nothing"):
            body = get(f"{server.base}{address}", server.token)[1]
            assert server.token.encode() not in body


class StandIn(Struct):
    """What is started as the browser: a script that keeps what it was told and shown."""

    script: Path
    told: Path
    shown: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"BROWSER": f"{self.script} %s"}

    def wait(self) -> str:
        """Wait until it was started, and give what stood on its command line."""
        for _ in range(1500):
            if self.told.exists():
                told = self.told.read_text().strip()
                self.told.unlink()
                return told
            sleep(0.02)
        raise AssertionError("no browser was started")


@pytest.fixture
def stand_in(tmp_path: Path) -> StandIn:
    """A browser that opens nothing."""
    made = StandIn(tmp_path / "browser", tmp_path / "told", tmp_path / "shown")
    made.script.write_text(
        f'#!/bin/sh\ncat "${{1#file://}}" > {made.shown}\n'
        f'echo "$@" > {made.told}.new\nmv {made.told}.new {made.told}\n'
    )
    made.script.chmod(0o700)
    return made


def test_another_account_reads_nothing(open_home: Path, stand_in: StandIn) -> None:
    """Over loopback it is told 404 or 401, and the files that let in are not its to read."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    machine.record(open_home / ".m31a" / "sessions")
    with serving(open_home, "--open", **stand_in.environ) as server:
        stand_in.wait()
        files = list((open_home / ".m31a").glob("dashboard*"))
        assert any(file.suffix == ".html" for file in files)

        assert get(f"{server.base}{ADDRESSES[1]}")[0] == 401  # imports what another cannot

        def read() -> None:
            for address in ADDRESSES:
                for base in (server.base, f"http://127.0.0.1:{server.port}"):
                    status, body = get(f"{base}{address}")
                    assert status in (401, 404)
                    assert b"3f2a91c0" not in body
            for file in files:
                with pytest.raises(PermissionError):
                    file.read_bytes()

        (open_home / ".m31a").chmod(0o711)  # it is the files that must keep it out
        assert children.run(children.as_nobody(read)) == 0


def test_a_browser_is_opened_without_the_token_on_its_command_line(
    clean_home: Path, stand_in: StandIn
) -> None:
    """It is given a file that only its owner can read, which is gone once it was used."""
    with serving(clean_home, "--open", **stand_in.environ) as server:
        url = stand_in.wait()
        file = Path(url.removeprefix("file://"))
        assert server.token not in url
        assert file.stat().st_mode & 0o777 == 0o600
        link = f"{server.base}/?token={server.token}"
        assert f"url={link}" in stand_in.shown.read_text()
        assert get(link)[0] == 401  # it follows, and without the cookie
        assert not file.exists()
        again = subprocess.run(
            [*M31, "serve", "--open", "--port", server.port],
            env=os.environ | stand_in.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        # Whoever asks for it later is shown the one that is running.
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
        assert stand_in.wait() == url
        assert file.exists()
    assert not file.exists()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_file_for_the_browser_goes_with_the_server(
    clean_home: Path, stand_in: StandIn, ending: signal.Signals
) -> None:
    """Though no browser ever used it, nothing stays when the server is ended."""
    with serving(clean_home, "--open", **stand_in.environ) as server:
        stand_in.wait()
        assert list((clean_home / ".m31a").glob("*.html"))
        server.process.send_signal(ending)
        server.process.wait(30)
        assert not list((clean_home / ".m31a").glob("*.html"))


def test_a_browser_that_cannot_be_started_is_told_of(clean_home: Path) -> None:
    """It serves all the same, and says what else opens the page."""
    with serving(clean_home, "--open", BROWSER="false %s", PATH="") as server:
        assert server.process.stderr is not None
        said = [server.process.stderr.readline() for _ in range(3)]
        assert any("prints on a terminal" in line for line in said)
        assert get(f"{server.base}/", server.token)[0] == 200


def first_line_on_a_terminal(*arguments: str, **environ: str) -> str:
    """What `m31 serve` prints first where a person looks on; it is then ended."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*M31, "serve", "--port", "0", *arguments],
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=os.environ | environ,
    )
    os.close(theirs)
    printed = b""
    while not printed.endswith(b"\n"):
        printed += os.read(ours, 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    os.close(ours)
    return printed.decode().strip()


def test_the_link_with_the_token_is_for_a_terminal_alone(
    clean_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person is told it; a pipe, a log, `--quiet` and a service on a terminal are not."""
    line = first_line_on_a_terminal()
    token = kept(clean_home)["token"]
    assert line.endswith(f"/{kept(clean_home)['prefix']}/?token={token}")
    quiet = first_line_on_a_terminal("--quiet")
    assert quiet.removeprefix("http://127.0.0.1:").strip("/").isdigit()
    as_service = (
        "import os, sys; os.environ['SYSTEMD_EXEC_PID'] = str(os.getpid());"
        "from m31a_metrics.cli import main; sys.exit(main())"
    )
    assert token in first_line_on_a_terminal(SYSTEMD_EXEC_PID="1")
    monkeypatch.setattr(sys.modules[__name__], "M31", (sys.executable, "-c", as_service))
    assert token not in first_line_on_a_terminal()


def test_a_service_tells_how_to_get_in(clean_home: Path) -> None:
    """What is written to a log has the command, with the port, and not the token."""
    with serving(clean_home) as server:
        assert server.process.stderr is not None
        said = server.process.stderr.readline()
        assert f"m31 serve --open --port {server.port}" in said


def test_a_new_token_ends_the_old_one_of_a_running_server(clean_home: Path) -> None:
    """`--new-token` changes what counts at once, though the port is taken."""
    with serving(clean_home) as server:
        assert get(f"{server.base}/", server.token)[0] == 200
        assert "new token" in failed("--new-token", "--port", server.port, code=4)
        assert get(f"{server.base}/", server.token)[0] == 401
        token = kept(clean_home)["token"]
        assert token != server.token
        assert get(f"{server.base}/", token)[0] == 200
    with serving(clean_home) as server:
        assert (server.token, server.prefix) == (token, kept(clean_home)["prefix"])


def test_no_token_is_for_loopback_alone(clean_home: Path) -> None:
    """There its link is printed to everybody; for any other address it is refused."""
    with serving(clean_home, "--no-token") as server:
        assert server.printed == f"{server.base}/"
        assert get(server.printed)[0] == 200
        assert get(f"http://127.0.0.1:{server.port}/")[0] == 404
    for host in ("0.0.0.0", "::", "192.168.0.7", "box.lan", ""):  # noqa: S104 - what is tested
        assert "loopback" in failed("--no-token", "--host", host, code=2)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    """--sessions-dir of nothing is told before a port is taken."""
    assert "is not there" in failed("--sessions-dir", str(tmp_path / "no"), code=3)


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
