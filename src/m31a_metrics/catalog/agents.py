"""The sessions of other agents on this machine, found; and how much work reading them is.

What cannot be found (a closed folder, a defect of ours) hides nothing else: it is told.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from m31a_metrics import sources
from m31a_metrics.answers import Slice
from m31a_metrics.catalog.guard import Trouble, bug
from m31a_metrics.catalog.records import RECORDED
from m31a_metrics.errors import MetricsError
from m31a_metrics.foreign_files import Folders, in_the_way, is_absent
from m31a_metrics.slices import agent_meant
from m31a_metrics.units import WITHIN

_WORTH_A_PROCESS_BYTES = 32 << 20


class Place(Struct, frozen=True):
    """Where one session of an agent is, and how many bytes it takes to read."""

    agent: str
    path: str
    size: int
    changed_us: int


def paths(agent: str, environ: Mapping[str, str], troubles: list[Trouble]) -> Iterator[str]:
    """Find the sessions of an agent; what cannot be looked at is told in `troubles`."""
    folders = Folders()
    try:
        for path in sources.source(agent).find(environ, folders):
            if path.isascii() or _is_text(path):
                yield path
            else:
                folders.note(path, "its name is no UTF-8; rename it")
    except MetricsError as error:
        troubles.append(Trouble(agent, "", str(error)))
    except Exception as error:  # noqa: BLE001 - a defect in finding one agent's hides no other's
        troubles.append(Trouble(agent, "", bug(f"finding the sessions of {agent}", error)))
    for place, reason in folders.troubles.items():
        troubles.append(Trouble(agent, place, f"cannot read {place}: {reason}"))


def agents_meant(which: Slice, recorded: Callable[[], Iterable[str]]) -> Slice:
    """Put agents' whole names in the place of beginnings of them and of what people call them.

    A Collector may say any name, so that only whoever has the sessions can tell: these are
    `recorded`. Raises ValueError for a name that no agent has, and for one that several have.
    """
    if all(name == RECORDED or sources.is_known(name) for name in which.agents or ()):
        return which
    known = list(dict.fromkeys((RECORDED, *sources.names(), *sorted(recorded()))))
    by_beginning = [name for name in known if not sources.is_by_name_only(name)]
    meant = [agent_meant(name, known, by_beginning) for name in which.agents or ()]
    return replace(which, agents=tuple(dict.fromkeys(meant)))


class Roots:
    """The folders that a question is about: those that the environment names now, by agent."""

    def __init__(self, environ: Mapping[str, str], sessions_dir: str) -> None:
        self._environ = environ
        self._known: dict[str, Sequence[tuple[str, str]] | None] = {
            RECORDED: [(sessions_dir, os.path.realpath(sessions_dir))]
        }

    def containing(self, kind: str, path: str) -> str:
        """The folder, without links, below which a file is looked for; "" if it is in none."""
        for root, real in self._of(kind) or ():
            if _is_below(path, root) or _is_below(path, real):
                return real
        return ""

    def has(self, kind: str, folder: str) -> bool:
        """Tell whether a folder (or one above it) is among those that the question is about."""
        roots = self._of(kind)
        return roots is None or any(_is_below(folder, real) for _, real in roots)

    def _of(self, kind: str) -> Sequence[tuple[str, str]] | None:
        if kind not in self._known:
            try:
                roots = sources.roots(kind, self._environ)
            except MetricsError:
                roots = None  # finding its sessions says what is wrong
            self._known[kind] = (
                None if roots is None else [(root, os.path.realpath(root)) for root in roots]
            )
        return self._known[kind]


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith((f"{root}/", f"{root}{WITHIN}"))


def refused() -> list[Trouble]:
    """Tell which sources of other packages are not used, and why."""
    return [Trouble(name, "", sentence) for name, sentence in sources.refused()]


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def cannot_look(kind: str, path: str, error: OSError) -> Trouble:
    """Say that a file is there and cannot be looked at."""
    place = in_the_way(path, error)
    return Trouble(kind, place, f"cannot read {place}: {error.strerror or error}")


def places(
    agents: Iterable[str], environ: Mapping[str, str], troubles: list[Trouble] | None = None
) -> list[Place]:
    """Find the sessions of these agents, the latest changed first; each file once."""
    troubles = [] if troubles is None else troubles
    found: dict[tuple[str, int, int, str], Place] = {}
    for agent in agents:
        for path in paths(agent, environ, troubles):
            # A session inside a database is as large, and as new, as the database.
            file, _, within = path.partition(WITHIN)
            try:
                status = os.stat(file)
            except OSError as error:
                if not is_absent(error):  # else it went away this moment
                    troubles.append(cannot_look(agent, file, error))
                continue
            place = Place(agent, path, status.st_size, _changed_us(status))
            found.setdefault((agent, status.st_dev, status.st_ino, within), place)
    return sorted(found.values(), key=lambda place: -place.changed_us)


def _changed_us(status: os.stat_result) -> int:
    # A folder (a repository) does not tell when something deep in it changed: at any time.
    return sys.maxsize if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns // 1000


def process_count(sizes: Iterable[int]) -> int:
    """How many processes reading so many bytes is worth on this machine."""
    worth = sum(sizes) // _WORTH_A_PROCESS_BYTES
    return min(_processors(), max(worth, 1))


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
