"""Sources that other packages bring: found by the entry points of what is installed.

`importlib.metadata` would tell the same, and takes 20 ms to import and more to look at every
package: a question that is asked every few seconds cannot wait for that. Here only the names
of folders are listed, and only a file that names the group is read further.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from traceback import extract_tb
from typing import Any

from msgspec import Struct

from m31a_metrics.errors import MetricsError, SourceUnusable
from m31a_metrics.foreign_files import Folders, read_head
from m31a_metrics.kept_lines import with_lines
from m31a_metrics.transcript import Transcript

GROUP = "m31a_metrics.sources"
"""The group of entry points."""

_ENTRY_POINTS_BYTES = 1 << 18
# Compiled when there is a plug-in, which on most machines there is not.
_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_VALUE = r"([\w.]+)\s*(?::\s*([\w.]+))?\s*(?:\[.*\])?"

_STANDARD_LIBRARY = os.path.dirname(os.__file__)


class Offer(Struct, frozen=True):
    """A source that a package offers: `value` is where it is, as the package writes it.

    `package` is the package's name and version.
    """

    name: str
    value: str
    package: str


class Offers(Struct, frozen=True):
    """What is installed: sources by name, and why others are not used, by the name they have."""

    usable: dict[str, PlugIn]
    refused: tuple[tuple[str, str], ...] = ()


def offered(taken: Collection[str]) -> Offers:
    """Look for the sources that are installed; names that are `taken` are refused."""
    return _offered(tuple(sys.path), frozenset(taken))


@lru_cache(maxsize=2)
def _offered(folders: tuple[str, ...], taken: frozenset[str]) -> Offers:
    usable: dict[str, PlugIn] = {}
    refused: list[tuple[str, str]] = []
    for offer in _installed(folders):
        reason = _why_not(offer, taken, usable)
        if reason:
            sentence = f"the source {offer.name!r} of the package {offer.package} is not used: "
            refused.append((offer.name, sentence + reason))
        else:
            usable[offer.name] = PlugIn(offer)
    return Offers(usable, tuple(refused))


def _why_not(offer: Offer, taken: Collection[str], usable: Mapping[str, PlugIn]) -> str:
    if not re.fullmatch(_NAME, offer.name):
        return "a name is up to 64 of a-z, 0-9, '.', '_' and '-'; its author can rename it"
    if offer.name in taken:
        return "a built-in one has that name; its author can rename it"
    if offer.name in usable:
        other = usable[offer.name].offer.package
        return f"{other} offers one of that name, too; uninstall one of them"
    if not re.fullmatch(_VALUE, offer.value):
        return f"{offer.value!r} names no module; its author can write `package.module`"
    return ""


def _installed(folders: Iterable[str]) -> Iterator[Offer]:
    """Yield what each package offers; of one that is installed twice, what is found first."""
    met = set()
    for folder in dict.fromkeys(folders):
        for name in _metadata_folders(folder):
            distribution = name.partition("-")[0].lower().replace(".", "_")
            if distribution in met:
                continue
            met.add(distribution)
            try:
                data = read_head(f"{folder}/{name}/entry_points.txt", _ENTRY_POINTS_BYTES)
            except OSError:
                continue  # most packages have none
            if GROUP.encode() in data:
                package = name.rpartition(".")[0]
                for key, value in _entries(data.decode("utf-8", "replace")):
                    yield Offer(key, value, package.replace("-", " ", 1))


def _metadata_folders(folder: str) -> list[str]:
    """The folders in which installers describe packages, sorted."""
    if not folder or folder == _STANDARD_LIBRARY:
        return []
    names = Folders().listing(folder).folders  # none of an archive, which Python looks into, too
    return [name for name in names if name.endswith((".dist-info", ".egg-info"))]


def _entries(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values that stand below the group's heading."""
    is_ours = False
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            is_ours = line.strip("[] ") == GROUP
        elif is_ours and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


class PlugIn:
    """A source of another package, imported when it is first asked.

    Whatever it does, no more than a MetricsError comes out, which names it.
    """

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self.NAME = offer.name
        self._loaded: Any = None

    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
        """Yield what the source finds. Raises SourceUnusable, and what the source may raise."""
        source = self._load()
        try:
            for path in source.find(dict(environ), folders or Folders()):
                if type(path) is not str:
                    raise self._unusable(f"finds {type(path).__name__} where paths should be")
                yield path
        except MetricsError:
            raise
        except (Exception, SystemExit) as error:
            raise self._failed("finding sessions", error) from error

    def roots(self, environ: Mapping[str, str]) -> Sequence[str] | None:
        """What the source says, if it does. Raises SourceUnusable, as for `find`."""
        look = getattr(self._load(), "roots", None)
        if look is None:
            return None
        try:
            return [str(root) for root in look(dict(environ))]
        except (Exception, SystemExit) as error:
            raise self._failed("naming its folders", error) from error

    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        """Read a session by the source. Raises SourceUnusable, and what the source may raise."""
        source = self._load()
        try:
            read = source.read(path, skip)
        except (MetricsError, OSError, MemoryError):
            raise  # of the file, which whoever reads it names
        except (Exception, SystemExit) as error:
            raise self._failed(f"reading {path}", error) from error
        if type(read) is not Transcript:
            raise self._unusable(f"gives {type(read).__name__} and no Transcript for {path}")
        try:
            read.events = with_lines(read.events)  # nobody's words, whatever the source left in
        except Exception as error:
            raise self._failed(f"reading {path}", error) from error
        return read

    def _load(self) -> Any:
        if self._loaded is None:
            found = re.fullmatch(_VALUE, self.offer.value)
            module, within = found.groups() if found else (self.offer.value, None)
            try:
                loaded: Any = import_module(module)
                for name in within.split(".") if within else ():
                    loaded = getattr(loaded, name)
                own_name = getattr(loaded, "NAME", None)
                missing = [
                    name for name in ("find", "read") if not callable(getattr(loaded, name, None))
                ]
            except (Exception, SystemExit) as error:
                raise self._failed("being imported", error) from error
            if missing:
                raise self._unusable(f"has no {' and no '.join(missing)}")
            if own_name != self.NAME:
                raise self._unusable(f"has another NAME ({str(own_name)[:64]!r})")
            self._loaded = loaded
        return self._loaded

    def _failed(self, doing: str, error: BaseException) -> SourceUnusable:
        """Name the error and its place; not its words, for they may quote a transcript."""
        frames = extract_tb(error.__traceback__)
        own = [one for one in frames if not one.filename.startswith((_PACKAGE, "<frozen"))]
        place = f" at {os.path.basename(own[-1].filename)}:{own[-1].lineno}" if own else ""
        return self._unusable(f"fails in {doing} ({type(error).__name__}{place})")

    def _unusable(self, what: str) -> SourceUnusable:
        offer = self.offer
        return SourceUnusable(
            f"the source {offer.name!r} of the package {offer.package} {what}; "
            "update the package, or uninstall it"
        )


_PACKAGE = os.path.dirname(os.path.dirname(__file__))
