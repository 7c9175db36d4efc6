"""Real file systems on loop devices, filled to the last byte under a recording host.

Each host runs in a child, which must come to its own end: what kills it is a SIGBUS. They
need root, loop devices and the tools of each file system.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from m31a_metrics import Collector, load
from m31a_metrics.journal import Appender
from tests import children

pytestmark = pytest.mark.soak

ID = "loop"
CALLS = 20_000

MAKERS = {
    "btrfs": (["mkfs.btrfs", "-q", "-f"], "btrfs-progs", 128),
    "xfs": (["mkfs.xfs", "-q", "-f"], "xfsprogs", 320),
    "ext4": (["mkfs.ext4", "-q", "-F"], "e2fsprogs", 64),
    "ext2": (["mkfs.ext2", "-q", "-F"], "e2fsprogs", 64),
}
"""Of each kind what makes it, the package that has that, and the MiB it needs at least."""

MAPPED = {"ext4", "ext2", "tmpfs"}

Disk = tuple[str, Path]


@pytest.fixture(params=[*MAKERS, "tmpfs", "overlay on ext4", "overlay on btrfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A small file system of each kind and where it is, or a skip that says what is missing."""
    kind: str = request.param
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs Linux and root to mount file systems")
    mounted: list[Path] = []
    try:
        yield kind, mount(kind, tmp_path, mounted)
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", "-l", str(place)], check=True)


def mount(kind: str, directory: Path, mounted: list[Path]) -> Path:
    """Make and mount one; what is mounted is noted for the end."""
    if kind.startswith("overlay on "):
        below = mount(kind.removeprefix("overlay on "), directory, mounted)
        for name in ("upper", "spare", "lower"):
            (below / name).mkdir()
        options = f"lowerdir={below}/lower,upperdir={below}/upper,workdir={below}/spare"
        return attach(["-t", "overlay", "-o", options, "overlay"], directory / "overlay", mounted)
    if kind == "tmpfs":
        return attach(["-t", "tmpfs", "-o", "size=32m", "tmpfs"], directory / kind, mounted)
    command, package, size_mib = MAKERS[kind]
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]}: apt-get install {package}")
    image = directory / f"{kind}.img"
    with image.open("wb") as file:
        file.truncate(size_mib << 20)
    subprocess.run([*command, str(image)], check=True, capture_output=True)
    return attach(["-o", "loop", str(image)], directory / kind, mounted)


def attach(what: list[str], place: Path, mounted: list[Path]) -> Path:
    """Mount something, or skip where the kernel cannot."""
    place.mkdir()
    done = subprocess.run(["mount", *what, str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a kernel that can mount this here: {done.stderr.strip()}")
    mounted.append(place)
    return place


def fill(place: Path) -> None:
    """Take every byte that there is, and every small file that still fits."""
    os.sync()
    for size in (1 << 20, 4096, 512):
        try:
            with (place / f"filler-{size}").open("wb", buffering=0) as file:
                while True:
                    file.write(os.urandom(size))
        except OSError:
            os.sync()
    for number in range(3000):
        try:
            (place / f"small-{number}").write_bytes(os.urandom(3000))
        except OSError:
            break
    os.sync()


def free(place: Path) -> None:
    """Give it all back."""
    for path in [*place.glob("filler-*"), *place.glob("small-*")]:
        path.unlink()
    os.sync()


def record(collector: Collector, number: int) -> None:
    """Plain calls, many windows of them."""
    for duration_ms in range(number):
        collector.record_tool_call("Bash", True, duration_ms)


def clone(place: Path, journal: Path) -> None:
    """A plain copy, which shares blocks where the file system can."""
    subprocess.run(["cp", str(journal), str(place / "copy")], check=True)


def snapshot(place: Path, _: Path) -> None:
    """A snapshot of all there is, where the file system can; then nothing is its own any more."""
    command = ["btrfs", "subvolume", "snapshot", str(place), str(place / "snapshot")]
    subprocess.run(command, check=False, capture_output=True)


def nothing(*_: object) -> None:
    """As it is."""


@pytest.mark.parametrize("before", [nothing, clone, snapshot])
def test_a_full_disk(disk: Disk, before: Callable[[Path, Path], object]) -> None:
    """The host goes on, on every file system; with room again a flush writes it all."""
    kind, place = disk

    def task() -> None:
        collector = Collector(ID, place)
        record(collector, 10)
        maps = not isinstance(collector._writer.journal, Appender)
        assert maps == (kind.rpartition(" ")[2] in MAPPED)
        os.sync()
        (journal,) = (place / ID / "events").glob("*.jsonl")
        before(place, journal)
        fill(place)
        record(collector, CALLS)
        collector.flush()
        collector.record_tool_call("Bash", False, 1, error="no such file")
        assert collector.snapshot().tools[0].call_count == CALLS + 11
        free(place)
        assert collector.flush()
        record(collector, CALLS)
        collector.stop()

    assert children.run(task) == 0
    metrics = load(place, ID)
    assert metrics is not None
    assert metrics.tools[0].call_count == 2 * CALLS + 11
    (place / ID / "METRICS.json").unlink()
    folded = load(place, ID)
    assert folded is not None
    assert folded.tools == metrics.tools


def test_killed_on_a_full_disk(disk: Disk) -> None:
    """What was acknowledged before the disk was full is there after a kill."""
    _, place = disk

    def task() -> None:
        collector = Collector(ID, place)
        record(collector, 5000)
        fill(place)
        record(collector, 10)
        os.kill(os.getpid(), 9)

    assert children.run(task) == -9
    metrics = load(place, ID)
    assert metrics is not None
    assert metrics.tools[0].call_count >= 5000


def test_killed_with_room(disk: Disk) -> None:
    """With room on the disk a kill loses nothing on any of them."""
    _, place = disk

    def task() -> None:
        collector = Collector(ID, place)
        record(collector, CALLS)
        os.kill(os.getpid(), 9)

    assert children.run(task) == -9
    metrics = load(place, ID)
    assert metrics is not None
    assert metrics.tools[0].call_count == CALLS
