"""The rules of the disk: ids, modes, links, and files that are replaced whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics import ForeignFile, InvalidSessionId, MetricsError, StorageError, store
from tests import children


def mode(path: Path | str) -> int:
    """The permissions of a file or directory."""
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("session_id", ["a", "3f2a9c01", "A.b-c_d", "9", "a" * 128, "a..b", "CON"])
def test_ids_that_name_a_directory(session_id: str) -> None:
    """Letters, digits, dots, underscores and hyphens, up to 128, the first a letter or digit."""
    assert store.check_session_id(session_id) == session_id


BAD_IDS = [
    "", ".", "..", "../x", "a/b", "/etc", "a\\b", "a b", "a\n", "\n", "a\0b", "-a", "_a", ".a",
    "a" * 129, "ä", "a:b", "~", "*", "\ud800", "٣",
]  # fmt: skip


@pytest.mark.parametrize("session_id", BAD_IDS)
def test_ids_that_do_not(session_id: str) -> None:
    """Everything else is refused by one sentence that says what an id looks like."""
    with pytest.raises(InvalidSessionId, match="cannot name a directory: use 1 to 128"):
        store.check_session_id(session_id)


@pytest.mark.parametrize("session_id", [None, 7, b"abc", ["abc"]])
def test_ids_that_are_no_strings(session_id: object) -> None:
    """Something that is no string is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="session_id must be a str, not"):
        store.check_session_id(session_id)  # type: ignore[arg-type]


@given(st.text())
def test_an_id_never_leaves_the_directory(session_id: str) -> None:
    """Whatever is taken as an id names a direct child."""
    try:
        store.check_session_id(session_id)
    except InvalidSessionId:
        return
    assert os.path.normpath(f"/sessions/{session_id}") == f"/sessions/{session_id}"
    assert os.path.dirname(f"/sessions/{session_id}") == "/sessions"


def test_directories_are_private(tmp_path: Path) -> None:
    """A directory is made with its parents, 0700 each; those that were there stay as they are."""
    tmp_path.chmod(0o755)
    store.make_directory(f"{tmp_path}/a/b/c")
    assert [mode(tmp_path / made) for made in ("a", "a/b", "a/b/c")] == [0o700] * 3
    assert mode(tmp_path) == 0o755
    store.make_directory(f"{tmp_path}/a/b/c")


def test_a_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without a parent is below the current directory."""
    monkeypatch.chdir(tmp_path)
    store.make_directory("a")
    store.make_directory("b/c")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_things_in_place_of_a_directory(tmp_path: Path) -> None:
    """A link, even to a directory, and a file are refused and named."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").write_text("")
    for refuse in (store.make_directory, store.check_directory):
        with pytest.raises(ForeignFile, match=f"{tmp_path}/link is a symbolic link"):
            refuse(f"{tmp_path}/link")
        with pytest.raises(ForeignFile, match=f"{tmp_path}/file is a file where a directory"):
            refuse(f"{tmp_path}/file")
    with pytest.raises(MetricsError, match=f"{tmp_path}/file"):
        store.make_directory(f"{tmp_path}/file/below")
    assert not store.check_directory(f"{tmp_path}/none")


def test_a_link_above_is_followed(tmp_path: Path) -> None:
    """People keep their homes on other disks: only the last part must not be a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    store.make_directory(f"{tmp_path}/link/session")
    assert (tmp_path / "real" / "session").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_another_users_directory(tmp_path: Path) -> None:
    """It is refused for writing; whether it can be read is for the system to say."""
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", children.NOBODY, -1)
    with pytest.raises(ForeignFile, match="theirs belongs to user 65534, not to you"):
        store.make_directory(f"{tmp_path}/theirs")
    assert store.check_directory(f"{tmp_path}/theirs", ours=False)


def test_another_process_is_quicker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that appears between looking and making is as good as our own."""
    make = os.mkdir

    def lose(path: str, mode: int) -> None:
        make(path, mode)
        raise FileExistsError

    monkeypatch.setattr(os, "mkdir", lose)
    store.make_directory(f"{tmp_path}/a/b")
    assert (tmp_path / "a" / "b").is_dir()


@given(st.binary(max_size=300))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """A file is written and read whole, with mode 0600, and nothing else stays behind."""
    directory = tmp_path_factory.mktemp("d")
    path = f"{directory}/f"
    store.replace(path, b"old" * 100, sync=False)
    store.replace(path, data, sync=False)
    assert store.read(path) == data
    assert mode(path) == 0o600
    assert os.listdir(directory) == ["f"]


def test_a_large_file(tmp_path: Path) -> None:
    """More than one call's worth is written and read."""
    data = os.urandom(1 << 20)
    store.replace(f"{tmp_path}/f", data)
    assert store.read(f"{tmp_path}/f") == data


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    """A missing file is None, also below something that is no directory."""
    (tmp_path / "file").write_text("")
    assert store.read(f"{tmp_path}/none") is None
    assert store.read(f"{tmp_path}/none/f") is None
    assert store.read(f"{tmp_path}/file/f") is None


def fifo(path: Path) -> None:
    """Make a pipe, which would keep a reader waiting."""
    os.mkfifo(path)


def link(path: Path) -> None:
    """Make a link to a file that could be read."""
    (path.parent / "target").write_text("theirs")
    path.symlink_to("target")


def dangling(path: Path) -> None:
    """Make a link that leads nowhere."""
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [fifo, link, dangling, Path.mkdir])
def test_things_in_place_of_a_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A pipe, a link or a directory is neither read nor written, and is named."""
    path = tmp_path / "f"
    make(path)
    with pytest.raises(ForeignFile, match=f"{path} is .*; move it away"):
        store.read(str(path))
    for flags in (os.O_RDWR | os.O_CREAT, os.O_RDWR | os.O_APPEND, os.O_RDONLY):
        with pytest.raises(ForeignFile, match=f"{path} is .*; move it away"):
            store.open_file(str(path), flags)
    assert not (tmp_path / "nowhere").exists()


def test_opening_makes_a_private_file(tmp_path: Path) -> None:
    """Whatever the umask, a file that is made can be read and written by its owner only."""
    for mask in (0, 0o077, 0o277, 0o777):
        path = f"{tmp_path}/{mask}"
        with children.umask(mask):
            os.close(store.open_file(path, os.O_RDWR | os.O_CREAT))
        assert mode(path) == 0o600


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Refusing a file closes it."""
    (tmp_path / "d").mkdir()
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)
    for _ in range(3):
        with pytest.raises(ForeignFile):
            store.read(f"{tmp_path}/d")
    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert after == before


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "fchmod"])
def test_a_failed_replacement_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Whichever step the disk refuses: the old file stays, no other stays, the reason is told."""
    path = f"{tmp_path}/f"
    store.replace(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match=f"cannot write {path}: No space left on device"):
        store.replace(path, b"new")
    assert os.listdir(tmp_path) == ["f"]
    assert store.read(path) == b"old"


def test_a_short_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may take a part; the rest follows."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))
    store.replace(f"{tmp_path}/f", b"abcdefg")
    assert store.read(f"{tmp_path}/f") == b"abcdefg"


def test_setting_aside_never_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two damaged files in one millisecond (or a clock set back) are both kept."""
    monkeypatch.setattr(store, "time_ns", lambda: 5_000_000)
    for data in ("one", "two", "three"):
        (tmp_path / "f").write_text(data)
        store.set_aside(f"{tmp_path}/f")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "f.bad-5": "one",
        "f.bad-6": "two",
        "f.bad-7": "three",
    }
    with pytest.raises(StorageError, match=f"cannot set aside {tmp_path}/f"):
        store.set_aside(f"{tmp_path}/f")


def test_names_of_sessions(tmp_path: Path) -> None:
    """Directories whose names are ids; links, files and other names are passed over."""
    for name in ("a", "b.1", ".hidden", "-x", "two words"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("a")
    assert sorted(store.session_ids(str(tmp_path))) == ["a", "b.1"]
    assert list(store.session_ids(f"{tmp_path}/none")) == []
    with pytest.raises(StorageError, match=f"cannot list {tmp_path}/file"):
        list(store.session_ids(f"{tmp_path}/file"))


@pytest.mark.parametrize("wanted", [0o600, 0o644])
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_a_file_for_a_person_has_the_mode_that_was_asked_for(
    tmp_path: Path, wanted: int, umask: int
) -> None:
    """Whatever the umask, and whatever stood there before."""
    before = os.umask(umask)
    try:
        for _ in range(2):
            store.hand_over(str(tmp_path / "file"), b"data", wanted)
            assert mode(tmp_path / "file") == wanted
            (tmp_path / "file").chmod(0o666)
    finally:
        os.umask(before)
    assert (tmp_path / "file").read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_for_a_person_goes_where_the_own_link_leads(tmp_path: Path) -> None:
    """A link of one's own is meant; the file behind it is replaced whole, and the link stays."""
    (tmp_path / "site").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "site" / "report.html")
    for data in (b"one", b"two"):
        store.hand_over(str(tmp_path / "link"), data, 0o600)
        assert (tmp_path / "site" / "report.html").read_bytes() == data
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be two users")
def test_nothing_of_another_user_is_written_into(tmp_path: Path) -> None:
    """Neither a link nor a file nor a pipe that somebody else put where a report is to go."""
    (tmp_path / "mine").write_text("mine")
    os.symlink(tmp_path / "mine", tmp_path / "link")
    (tmp_path / "file").write_text("theirs")
    os.mkfifo(tmp_path / "pipe")
    tmp_path.chmod(0o777)

    def task() -> None:
        for name in ("link", "file", "pipe"):
            with pytest.raises(ForeignFile, match="belongs to user"):
                store.hand_over(str(tmp_path / name), b"secret", 0o600)

    for name in ("link", "file", "pipe"):
        os.chown(tmp_path / name, children.NOBODY - 1, -1, follow_symlinks=False)
    for parent in tmp_path.parents:
        mode = stat.S_IMODE(parent.stat().st_mode)
        if mode & 0o011 != 0o011:  # pytest's own, into which nobody else may look
            parent.chmod(mode | 0o011)
    assert children.run(children.as_nobody(task)) == 0
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_pipe_and_a_device_are_written_into(tmp_path: Path) -> None:
    """A report may go through a pipe of one's own, or nowhere; neither is replaced by a file."""
    store.hand_over("/dev/null", b"data", 0o600)
    assert not stat.S_ISREG(os.stat("/dev/null").st_mode)
    reading, writing = os.pipe()
    store.hand_over(f"/dev/fd/{writing}", b"data", 0o600)
    os.close(writing)
    assert os.read(reading, 10) == b"data"
    os.close(reading)


def test_a_relative_path_is_of_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what cannot be written there is one sentence, with no half of a file left."""
    monkeypatch.chdir(tmp_path)
    store.hand_over("report.html", b"data", 0o600)
    assert os.listdir(tmp_path) == ["report.html"]
    with pytest.raises(StorageError, match="nowhere/report.html"):
        store.hand_over("nowhere/report.html", b"data", 0o600)
    with pytest.raises(StorageError, match=str(tmp_path)):
        store.hand_over(".", b"data", 0o600)
    assert os.listdir(tmp_path) == ["report.html"]
