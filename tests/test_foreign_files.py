"""Opening and listing what others write: whatever stands there, it ends, and is named."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from m31a_metrics import foreign_files
from m31a_metrics.foreign_files import (
    Folders,
    NotAFile,
    TooLong,
    copy,
    in_the_way,
    open_regular,
    pass_hole,
    read_head,
    read_whole,
)
from tests import children
from tests.hostile import odd
from tests.hostile.odd import ODD

GIB = 1 << 30


def names(folders: Folders, root: Path) -> list[str]:
    """The folders of a walk, relative to its root."""
    return [os.path.relpath(directory, root) for directory, _ in folders.walk(str(root))]


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("opening", [open_regular, lambda path: read_whole(path, 9)])
def test_nothing_but_a_file_is_opened(
    tmp_path: Path, kind: str, opening: Callable[[str], object]
) -> None:
    """A pipe, a device, a socket, a folder and links to them are refused at once, by name."""
    path = str(tmp_path / "a")
    ODD[kind](path)
    with pytest.raises(NotAFile, match="and no file") as refused:
        opening(path)
    assert refused.value.filename == path
    assert refused.value.strerror is not None


def test_whoever_waits_at_a_pipe_is_left_alone(tmp_path: Path) -> None:
    """A pipe that is refused is not opened: its writer would go on, and get SIGPIPE."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    written = threading.Event()

    def write() -> None:
        with path.open("w"):
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(NotAFile):
        open_regular(str(path))
    assert not written.wait(0.1)
    with path.open():
        writer.join()


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    """People keep transcripts elsewhere and link to them."""
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").symlink_to("a")
    assert read_head(str(tmp_path / "b"), 3) == b"123"
    assert read_whole(str(tmp_path / "b"), 5) == b"12345"
    with pytest.raises(TooLong, match="longer than"):
        read_whole(str(tmp_path / "b"), 4)


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    """There is no hole to be found in it, and nothing to read."""
    (tmp_path / "a").touch()
    assert read_whole(str(tmp_path / "a"), 9) == b""


def sparse(path: Path, *parts: tuple[int, bytes]) -> str:
    """A file with data at some places, and nothing between them."""
    with path.open("wb") as file:
        for at, data in parts:
            file.seek(at)
            file.write(data)
    return str(path)


def test_a_file_is_read_up_to_its_first_hole(tmp_path: Path) -> None:
    """A hundred gigabytes of nothing behind a byte are a block, and cost nothing."""
    path = sparse(tmp_path / "a", (0, b"{"), (100 * GIB, b"}"))
    if os.stat(path).st_blocks > 1_000:
        pytest.skip("this file system has no holes")
    data = read_whole(path, 1 << 20)
    assert data.rstrip(b"\0") == b"{"
    assert len(data) < 1 << 20


def test_holes_are_passed_and_copied_as_holes(tmp_path: Path) -> None:
    """What stands behind a hole of any size is found at once, and lands where it stood."""
    path = sparse(tmp_path / "a", (0, b"begin"), (50 * GIB, b"end"))
    if os.stat(path).st_blocks > 1_000:
        pytest.skip("this file system has no holes")
    with open_regular(path) as file:
        file.seek(1 << 20)
        assert pass_hole(file) == 50 * GIB - (1 << 20)
        assert file.read() == b"end"
        assert pass_hole(file) == 0
    copy(path, str(tmp_path / "b"))
    copied = tmp_path / "b"
    assert copied.stat().st_size == os.stat(path).st_size
    assert copied.stat().st_blocks < 10_000
    with copied.open("rb") as file:
        assert file.read(5) == b"begin"
        file.seek(50 * GIB)
        assert file.read() == b"end"


def test_a_system_without_holes_reads_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows of holes, the size of the file and the bound decide."""
    path = sparse(tmp_path / "a", (0, b"{"), (1 << 20, b"}"))
    monkeypatch.delattr(os, "SEEK_HOLE")
    monkeypatch.delattr(os, "SEEK_DATA")
    assert len(read_whole(path, 1 << 21)) == (1 << 20) + 1
    with pytest.raises(TooLong):
        read_whole(path, 1 << 20)
    with open_regular(path) as file:
        assert pass_hole(file) == 0


def test_links_are_followed_and_each_folder_is_walked_once(tmp_path: Path) -> None:
    """A link counts where what it leads to is not below the root; loops and danglings end."""
    away, root = tmp_path / "away", tmp_path / "root"
    (away / "below").mkdir(parents=True)
    (root / "b" / "c").mkdir(parents=True)
    (root / "a").symlink_to(away)
    (root / "again").symlink_to("b")
    (root / "b" / "up").symlink_to(root)
    (away / "back").symlink_to(root)
    (root / "nowhere").symlink_to("missing")
    folders = Folders()
    assert names(folders, root) == [".", "b", "b/c", "a", "a/below"]
    assert folders.troubles == {}


def test_a_link_in_a_circle_is_named(tmp_path: Path) -> None:
    """A link to itself leads nowhere; the folder beside it is walked."""
    (tmp_path / "root" / "b").mkdir(parents=True)
    circle = tmp_path / "root" / "a"
    circle.symlink_to("a")
    folders = Folders()
    assert names(folders, tmp_path / "root") == [".", "b"]
    assert list(folders.troubles) == [str(circle)]
    below = f"{circle}/deep/er"
    assert in_the_way(below, OSError(errno.ELOOP, "")) == str(circle)


def test_files_come_before_links_to_files(tmp_path: Path) -> None:
    """So that of a file and a link to it the file is met first."""
    for name in ("b", "d"):
        (tmp_path / name).touch()
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "c").symlink_to("missing")
    (tmp_path / "f").mkdir()
    (tmp_path / "e").symlink_to("f")
    found = Folders().listing(str(tmp_path))
    assert (found.files, found.folders) == (["b", "d", "a", "c"], ["f", "e"])
    assert found.linked == {"e"}


@pytest.mark.parametrize("deep", [100, 3_000])
def test_a_folder_without_end_is_left(tmp_path: Path, deep: int) -> None:
    """However deep somebody nested folders: a walk goes so far and says where it stopped."""
    with odd.nested(tmp_path, deep):
        folders = Folders()
        assert len(names(folders, tmp_path)) == foreign_files.DEPTH_MAX + 1
    ((place, reason),) = folders.troubles.items()
    assert (place, reason) == (f"{tmp_path}/d/d", "it nests more than 40 folders deep")


def test_folders_without_number_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk looks through so many folders below one root, and says that there are more."""
    monkeypatch.setattr(foreign_files, "FOLDERS_MAX", 5)
    for number in range(9):
        (tmp_path / str(number)).mkdir()
    folders = Folders()
    assert len(names(folders, tmp_path)) == 5
    assert "more than 5 folders" in folders.troubles[str(tmp_path)]


def test_what_is_absent_is_no_trouble(tmp_path: Path) -> None:
    """No folder, a file in its place, a name that no file can have: nothing, and no word."""
    (tmp_path / "file").touch()
    folders = Folders()
    for name in ("none", "file", "none/below", "x" * 300, "a\0b"):
        assert folders.listing(str(tmp_path / name)).files == []
        assert not folders.holds(str(tmp_path / "none"))
    assert names(folders, tmp_path / "none") == []
    assert folders.troubles == {}


def test_a_closed_folder_is_named(open_home: Path) -> None:
    """Whatever below a folder was asked for, the one that is closed is named, once."""
    outer = open_home / "outer"
    (outer / "inner" / "deep").mkdir(parents=True)
    children.give_to_nobody(open_home)

    def look() -> None:
        outer.chmod(0)
        folders = Folders()
        for name in (outer, outer / "inner", outer / "inner" / "deep"):
            assert folders.listing(str(name)).files == []
            assert list(folders.walk(str(name))) in (
                [],
                [(str(outer), folders.listing(str(outer)))],
            )
        assert not folders.holds(str(outer / "inner" / "x"))
        assert folders.troubles == {str(outer): "Permission denied"}
        outer.chmod(0o700)

    assert children.run(children.as_nobody(look)) == 0


def test_a_folder_that_breaks_off_is_listed_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk fails while a folder is listed, what came is used and the folder named."""
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()

    class Failing:
        def __init__(self, path: str) -> None:
            self._entries = scandir(path)

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            yield next(self._entries)
            raise OSError(errno.EIO, "Input/output error")

        __iter__ = __enter__

        def __exit__(self, *_: object) -> None:
            self._entries.close()

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", Failing)
    folders = Folders()
    assert len(folders.listing(str(tmp_path)).files) == 1
    assert folders.troubles == {str(tmp_path): "Input/output error"}
