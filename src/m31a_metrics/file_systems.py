"""Which file system a file is on, and whether what it was given once stays its own.

Told by what the system says of the mount, once for each file system that is recorded on.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

_IN_PLACE = frozenset({"ext2", "ext3", "ext4", "tmpfs", "ramfs"})
"""They write a block again where it is, and never share one between files.

Not xfs: a plain `cp` of a journal shares its blocks, and the next store needs others.
"""

_MOUNTS = "/proc/self/mountinfo"
_LAYERS = 3
"""So many overlays on top of each other are looked through."""

_known: dict[tuple[int, int], bool] = {}
"""By device and file system id: the number of a device is given anew after an unmount."""


def keeps_blocks(descriptor: int, path: str) -> bool:
    """Tell whether a store into a mapping of this file can do without a new block.

    Only then a full disk cannot kill a process that stores into blocks it was given
    before. `path` is that of the open file. False where nobody knows. Raises OSError.
    """
    if sys.platform != "linux":
        return False  # macOS: APFS copies on write
    device = os.fstat(descriptor).st_dev
    key = (device, os.fstatvfs(descriptor).f_fsid)
    known = _known.get(key)
    if known is None:
        known = _known[key] = _is_in_place(device, os.path.realpath(path), _mounts(), _LAYERS)
    return known


class _Mount(NamedTuple):
    device: str
    root: str
    point: str
    kind: str
    options: str


def _mounts() -> list[_Mount]:
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return []  # a chroot without /proc
    mounts = []
    for line in lines:
        front, _, back = line.partition(" - ")
        fields, more = front.split(" "), back.split(" ")
        if len(fields) >= 5 and len(more) >= 3:
            root, point = _plain(fields[3]), _plain(fields[4])
            mounts.append(_Mount(fields[2], root, point, more[0], _plain(more[2])))
    return mounts


def _plain(field: str) -> str:
    """Undo what the kernel does with blanks, line ends and backslashes."""
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        field = field.replace(f"\\{code}", character)
    return field


def _is_in_place(device: int, path: str, mounts: list[_Mount], layers: int) -> bool:
    number = f"{os.major(device)}:{os.minor(device)}"
    own = [mount for mount in mounts if mount.device == number]
    if any(mount.kind == "overlay" for mount in own):
        return layers > 0 and _is_upper_in_place(path, own, mounts, layers)
    return bool(own) and all(mount.kind in _IN_PLACE for mount in own)


def _is_upper_in_place(path: str, own: list[_Mount], mounts: list[_Mount], layers: int) -> bool:
    """Look where an overlay keeps the file: at its upper directory, if that can be seen here.

    A container sees its overlay's options, but not those directories. The name of a
    journal is random, so a file of that name there is this one.
    """
    for mount in own:
        upper = next(
            (one[9:] for one in mount.options.split(",") if one.startswith("upperdir=")), ""
        )
        point = mount.point.rstrip("/")
        if not upper or not path.startswith(f"{point}/"):
            continue
        kept = f"{upper}{mount.root.rstrip('/')}{path[len(point) :]}"
        try:
            device = os.lstat(kept).st_dev
        except OSError:
            continue
        return _is_in_place(device, kept, mounts, layers - 1)
    return False
