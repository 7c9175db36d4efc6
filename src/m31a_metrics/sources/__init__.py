"""Other agents' transcripts: one folder per agent, and those that other packages bring.

A source only yields events; prices, phases and tables are made elsewhere, for all
agents alike. Nothing here ever writes where an agent keeps its data.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import Struct

from m31a_metrics.conversation import WINDOW_PARTS, Title, Window
from m31a_metrics.errors import NotThisFormat, SourceUnusable, StorageError
from m31a_metrics.foreign_files import Folders, is_absent
from m31a_metrics.transcript import Transcript

if TYPE_CHECKING:
    from m31a_metrics.sources.installed import Offers


class Source(Protocol):
    """What reads the sessions of one agent: a module, or an object, with these three names.

    *Provisional until the next release*: what is here may change with any version until then.
    Another package offers one by an entry point of the group `m31a_metrics.sources`, whose
    name is NAME; `m31a_metrics.testing.check_source` tells whether it does what is asked here.
    """

    NAME: str
    """The agent's name, as shown and as `--agent` takes it: a-z, 0-9, '.', '_' and '-'."""

    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterable[str]:
        """Yield the paths of all sessions on this machine, where the agent puts them.

        `environ` holds HOME and the agent's own variables. A folder that is absent
        yields nothing; what cannot be looked at is noted in `folders`. A session inside a
        database is `<file>::<session id>`.
        """
        ...

    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        """Read one session, without the LLM responses whose ids are in `skip`.

        An id is the same whenever a file is read, and of no other response of this agent; that
        of a tool call is also the `id` of its Call. Records that are damaged are counted in
        `damage`, and cost no other. Raises NotThisFormat for a file of another format, told
        from its first records, StorageError for one that cannot be read.
        """
        ...


class Rooted(Source, Protocol):
    """What a source offers besides where the environment says in which folders its agent is."""

    def roots(self, environ: Mapping[str, str]) -> Sequence[str] | None:
        """Name the folders (or databases) below which `find` looks; None: wherever it may be.

        A question is about the sessions below these; others that are known are not counted.
        """
        ...


class Spawning(Source, Protocol):
    """What a module offers besides where a subagent's transcript has an id of its own.

    Under which its agent may tell hooks, or by OTLP, what it does.
    """

    def subagent_sessions(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """Name the transcripts, by their ids, that are read with another: with its path."""
        ...


class ByName(Source, Protocol):
    """What a module offers besides where nobody can see that its agent is here."""

    def why_none(self, environ: Mapping[str, str]) -> str:
        """Say why `find` yields nothing, and what would help."""
        ...


class Deleting(Source, Protocol):
    """What a module offers besides where its agent deletes old transcripts by itself."""

    def kept_days(self, environ: Mapping[str, str]) -> int | None:
        """So many days the agent keeps a transcript; None: for ever, or nothing is here."""
        ...


class Conversational(Protocol):
    """What shows what was said, where an agent's files hold that.

    Of a built-in source its module `conversation` does, of another package's the source itself.
    Everything is read anew, in windows: no more than a window is in memory at once, whatever
    the size of the file. Each raises NotThisFormat, and StorageError for what cannot be read.
    """

    def title(self, path: str) -> Title:
        """Give the title of a session and its first words, from a bounded part of its file."""
        ...

    def window(self, path: str, *, at: str = "", limit: int = WINDOW_PARTS) -> Window:
        """Give `limit` parts from the place `at` on; "" is the beginning, "end" the last ones.

        A place may be of any byte (or row) of a record, which is then where the window begins.
        `limit` ONE_RECORD gives what that record holds, for those who search. Of a file that
        has no records the first part will do.
        """
        ...

    def place_of(self, path: str, id: str) -> str:  # noqa: A002 - as events name it
        """Find the place of the call, answer or turn with an id; "" where it has none."""
        ...

    def image(self, path: str, place: str) -> tuple[str, bytes]:
        """Give an image's media type and its bytes. Raises KeyError where there is none."""
        ...

    def texts(self, path: str) -> Mapping[str, str]:
        """Name the files of which each byte is a place, as its own and those of its subagents.

        By how a place in it begins: "" of its own file, whose places are bare. None where a
        place is no byte: then what is searched for is sought by windows.
        """
        ...


class Entry(Struct, frozen=True):
    """Where a source's module is, and what shows without importing it that its agent is here.

    One of the folders (below HOME) exists, or one of the environment's variables is set.
    A source with neither is asked only by name. `keeps_text`: a module `conversation` in it
    shows what was said.
    """

    module: str
    folders: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    keeps_text: bool = False


_HERE = "m31a_metrics.sources"

SOURCES: dict[str, Entry] = {
    "claude-code": Entry(
        f"{_HERE}.claude_code",
        (".claude/projects", ".config/claude/projects"),
        ("CLAUDE_CONFIG_DIR",),
        keeps_text=True,
    ),
    "codex": Entry(f"{_HERE}.codex", (".codex",), ("CODEX_HOME",), keeps_text=True),
    "gemini-cli": Entry(
        f"{_HERE}.gemini_cli", (".gemini/tmp",), ("GEMINI_CLI_HOME",), keeps_text=True
    ),
    "opencode": Entry(
        f"{_HERE}.opencode",
        (".local/share/opencode",),
        ("XDG_DATA_HOME", "OPENCODE_DB"),
        keeps_text=True,
    ),
    "copilot-cli": Entry(f"{_HERE}.copilot_cli", (".copilot",), ("COPILOT_HOME",), keeps_text=True),
    "pi": Entry(
        f"{_HERE}.pi",
        (".pi",),
        ("PI_CODING_AGENT_DIR", "PI_CODING_AGENT_SESSION_DIR"),
        keeps_text=True,
    ),
    "qwen": Entry(f"{_HERE}.qwen", (".qwen",), ("QWEN_HOME", "QWEN_RUNTIME_DIR"), keeps_text=True),
    "aider": Entry(f"{_HERE}.aider", (".aider.conf.yml",), ("AIDER_ANALYTICS_LOG",)),
    "entire": Entry(f"{_HERE}.entire"),
}


FOLDER_VARIABLES = tuple(name for entry in SOURCES.values() for name in entry.variables)
"""The variables of the environment by which people say where agents keep their sessions."""


def _offers() -> Offers:
    from m31a_metrics.sources.installed import offered
    from m31a_metrics.tables.names import RECORDED

    return offered((RECORDED, *SOURCES))


def plugins() -> dict[str, str]:
    """Name the sources of other packages, each with the package (name and version) it is of.

    None of them is imported.
    """
    return {name: found.offer.package for name, found in _offers().usable.items()}


def refused() -> tuple[tuple[str, str], ...]:
    """Say which sources of other packages are not used: their names, and a sentence each."""
    return _offers().refused


def is_known(name: str) -> bool:
    """Tell whether there is a source of that name, built in or of another package."""
    return name in SOURCES or name in _offers().usable


def names() -> list[str]:
    """Name all sources, the built-in ones first."""
    return [*SOURCES, *_offers().usable]


def source(name: str) -> Source:
    """Return the source of one agent. Raises SourceUnusable where none has that name."""
    if name in SOURCES:
        return cast("Source", import_module(SOURCES[name].module))
    found = _offers().usable.get(name)
    if found is None:
        raise SourceUnusable(
            f"nothing here reads the sessions of {name!r}; install the package that does, again"
        )
    return found


def conversational(name: str) -> Conversational | None:
    """Return what shows the conversations of an agent; None where nothing does."""
    if name in SOURCES:
        entry = SOURCES[name]
        if not entry.keeps_text:
            return None
        return cast("Conversational", import_module(f"{entry.module}.conversation"))
    if not is_known(name):
        return None
    offered = source(name)
    return cast("Conversational", offered) if hasattr(offered, "window") else None


def present(environ: Mapping[str, str]) -> list[str]:
    """Name the agents that left something on this machine, without importing their sources.

    Whoever installed the source of another package wants it asked.
    """
    home = environ.get("HOME", "")
    built_in = [
        name
        for name, entry in SOURCES.items()
        if any(environ.get(variable) for variable in entry.variables)
        or (home and any(_may_be(f"{home}/{folder}") for folder in entry.folders))
    ]
    return [*built_in, *_offers().usable]


def _may_be(path: str) -> bool:
    """Tell whether something is at a place; where nobody may look, who looks there says so."""
    try:
        os.stat(path)
    except OSError as error:
        return not is_absent(error)
    return True


def is_by_name_only(name: str) -> bool:
    """Tell whether an agent's sessions are looked for only where somebody asks for them."""
    entry = SOURCES.get(name)
    return entry is not None and not entry.folders and not entry.variables


def why_none(name: str, environ: Mapping[str, str]) -> str:
    """Say why there is no session of an agent that is asked by name, and what would help."""
    return cast("ByName", import_module(SOURCES[name].module)).why_none(environ)


def kept_days(environ: Mapping[str, str]) -> dict[str, int]:
    """The agents here that delete old transcripts, and after how many days each does."""
    found = {}
    for name in present(environ):
        look = getattr(source(name), "kept_days", None)
        days = None if look is None else cast("Deleting", source(name)).kept_days(environ)
        if days is not None:
            found[name] = days
    return found


def roots(name: str, environ: Mapping[str, str]) -> Sequence[str] | None:
    """Name the folders of an agent's sessions that `environ` means; None: any."""
    if not is_known(name):
        return None
    look = getattr(source(name), "roots", None)
    return None if look is None else cast("Sequence[str] | None", look(environ))


def subagent_sessions(agents: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Name the subagents' transcripts that are read with another of these agents': its path."""
    found: dict[str, str] = {}
    for name in agents:
        look = getattr(source(name), "subagent_sessions", None)
        found |= {} if look is None else look(environ)
    return found


def detect(path: str) -> tuple[str, Transcript]:
    """Read a bare file by the source whose format it has; return the agent's name too.

    Raises NotThisFormat, naming every agent that was tried, and StorageError.
    """
    unusable: list[SourceUnusable] = []
    for name in names():
        try:
            return name, source(name).read(path)
        except NotThisFormat:
            continue
        except SourceUnusable as error:
            unusable.append(error)
        except StorageError:
            # `<database>::<session>` is a file to no source but its own.
            if os.path.exists(path):
                raise
    if unusable:
        raise unusable[0]
    raise NotThisFormat(f"{path} is no transcript that is known here ({', '.join(names())})")
