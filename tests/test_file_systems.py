"""Telling file systems apart, by what the kernel says of a mount."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from m31a_metrics import file_systems

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none is known to do")

Answer = Callable[[str], bool]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A file, as a journal that was just made."""
    path = tmp_path.resolve() / "events" / "1-aa.jsonl"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.fixture
def told(journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answer:
    """What is made of a file of mounts, in which `HERE` is the device of the journal."""
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(file_systems, "_MOUNTS", str(mounts))

    def told(text: str) -> bool:
        device = journal.stat().st_dev
        here = f"{os.major(device)}:{os.minor(device)}"
        mounts.write_text(text.replace("HERE", here))
        monkeypatch.setattr(file_systems, "_known", {})
        descriptor = os.open(journal, os.O_RDWR)
        try:
            return file_systems.keeps_blocks(descriptor, str(journal))
        finally:
            os.close(descriptor)

    return told


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4", "tmpfs", "ramfs"])
def test_in_place(told: Answer, kind: str) -> None:
    """These write a block again where it is, and share none between files."""
    assert told(f"27 1 HERE / / rw,relatime shared:1 - {kind} /dev/vda rw,discard\n")


OTHERS = """btrfs zfs bcachefs xfs f2fs nilfs2 nfs nfs4 cifs fuse.sshfs fuseblk 9p virtiofs ecryptfs
    overlay aufs hugetlbfs news"""


@pytest.mark.parametrize("kind", OTHERS.split())
def test_elsewhere(told: Answer, kind: str) -> None:
    """Copy on write, network, FUSE, and whatever nobody has heard of: not known to be safe."""
    assert not told(f"27 1 HERE / / rw - {kind} /dev/vda rw\n")


@pytest.mark.parametrize(
    "text",
    ["", "\n", "27 1 HERE\n", "27 1 HERE / / rw - ext4\n", "27 1 9:99 / / rw - ext4 /dev/vda rw\n"],
)
def test_unknown(told: Answer, text: str) -> None:
    """A device that no mount names (btrfs gives each subvolume its own), or no mounts at all."""
    assert not told(text)


def test_all_mounts_of_a_device_must_agree(told: Answer) -> None:
    """A number that two kinds have is told apart by neither."""
    line = "27 1 HERE / / rw - ext4 /dev/vda rw\n"
    assert told(line + line.replace("27 1", "28 1").replace("/ / rw", "/a /b rw"))
    assert not told(line + line.replace("ext4", "btrfs"))


def test_no_mounts_can_be_read(
    told: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chroot without /proc: nobody knows."""
    monkeypatch.setattr(file_systems, "_MOUNTS", str(tmp_path / "none"))
    assert not told("27 1 HERE / / rw - ext4 /dev/vda rw\n")


def overlay(journal: Path, upper: Path, kind: str = "ext4", root: str = "/") -> str:
    """The mounts where an overlay at the journal's folder keeps its files at `upper`."""
    point = str(journal.parent.parent).replace(" ", "\\040")
    kept = str(upper).replace(" ", "\\040")
    return (
        f"30 1 7:70 {root} {point} rw - overlay overlay rw,lowerdir=/l,upperdir={kept},workdir=/w\n"
        f"27 1 HERE / / rw - {kind} /dev/vda rw\n"
    )


@pytest.fixture
def on_overlay(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal's descriptor is on the device of an overlay; its files are where they are."""
    device = journal.stat().st_dev
    original = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        status = list(original(descriptor))
        status[2] = os.makedev(7, 70) if status[2] == device else status[2]
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", fstat)


@pytest.mark.usefixtures("on_overlay")
@pytest.mark.parametrize("name", ["upper", "an upper"])
@pytest.mark.parametrize("root", ["/", "/inner"])
def test_an_overlay(journal: Path, told: Answer, tmp_path: Path, name: str, root: str) -> None:
    """What an overlay keeps on one that is safe is safe, where the file can be seen there."""
    upper = tmp_path / name
    kept = Path(f"{upper}{root}") / "events" / journal.name
    assert not told(overlay(journal, upper, root=root)), "a container cannot see its upper folder"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert told(overlay(journal, upper, root=root))
    assert not told(overlay(journal, upper, "btrfs", root))


def test_asked_once(journal: Path, told: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mounts are read for the first journal of a file system only."""
    assert told("27 1 HERE / / rw - ext4 /dev/vda rw\n")
    monkeypatch.setattr(file_systems, "_MOUNTS", "/nowhere")
    with journal.open("rb") as file:
        assert file_systems.keeps_blocks(file.fileno(), str(journal))


def test_another_system(journal: Path, told: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nowhere but on Linux: macOS has APFS, which copies on write."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not told("27 1 HERE / / rw - ext4 /dev/vda rw\n")
