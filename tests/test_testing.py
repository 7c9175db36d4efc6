"""The conformance kit: every built-in source passes, and every broken promise is named."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from m31a_metrics.errors import NotThisFormat, StorageError
from m31a_metrics.events import Event, LLMInteraction, ToolCall
from m31a_metrics.foreign_files import Folders, read_whole
from m31a_metrics.model import Usage
from m31a_metrics.sources import source
from m31a_metrics.testing import check_source
from m31a_metrics.transcript import Call, Facts, Transcript
from tests.repositories import repository
from tests.sources.golden import GOLDEN, shapes

FOLDERS: dict[str, dict[str, str]] = {
    "claude-code": {"CLAUDE_CONFIG_DIR": "."},
    "codex": {"CODEX_HOME": "."},
    "gemini-cli": {},
    "copilot-cli": {"COPILOT_HOME": "."},
    "pi": {"PI_CODING_AGENT_DIR": "."},
    "qwen": {"QWEN_HOME": "."},
    "aider": {"AIDER_ANALYTICS_LOG": "analytics.jsonl"},
}
"""Agents whose golden shapes are folders as they keep them, and what names the folder."""


@pytest.mark.parametrize(
    ("agent", "shape"), [(agent, shape) for agent in FOLDERS for shape in shapes(agent)]
)
def test_built_in_sources_keep_the_promises(agent: str, shape: str) -> None:
    """What is asked of the sources of other packages is true of ours."""
    folder = GOLDEN / agent / shape
    check_source(source(agent), folder, folders=FOLDERS[agent], mutations=40)


@pytest.mark.parametrize("shape", ["files-0.3", "files-1.0"])
def test_sessions_of_many_files_keep_the_promises(shape: str) -> None:
    """OpenCode's folders of small files do, too."""
    folder = GOLDEN / "opencode" / shape
    check_source(source("opencode"), folder, folders={"XDG_DATA_HOME": "."}, mutations=40)


@pytest.mark.parametrize("shape", ["database-1.14", "database-2.0"])
def test_sessions_in_a_database_keep_the_promises(shape: str, tmp_path: Path) -> None:
    """OpenCode's databases do: they are only read, also where they are damaged."""
    (tmp_path / "opencode").mkdir()
    with closing(sqlite3.connect(tmp_path / "opencode" / "opencode.db")) as connection:
        connection.executescript((GOLDEN / "opencode" / shape / "opencode.sql").read_text())
    check_source(source("opencode"), tmp_path, folders={"XDG_DATA_HOME": "."}, mutations=40)


def test_sessions_in_a_repository_keep_the_promises(tmp_path: Path) -> None:
    """Entire's checkpoints do, which are copied out of a repository."""
    repository(tmp_path / "shop", "refs-2026")
    check_source(source("entire"), tmp_path, folders={"PWD": "shop"}, mutations=3)


LINES = [
    {"session": "s1"},
    {"id": "r1", "in": 10, "out": 2},
    {"id": "r2", "in": 20, "out": 3},
]
_WRONG = (ValueError, KeyError, TypeError, RecursionError, OverflowError)


class Kept:
    """A small source that keeps its promises, for others to break one of."""

    NAME = "kept"

    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
        assert folders is None
        path = f"{environ['HOME']}/log.jsonl"
        if os.path.exists(path):
            yield path

    def content(self, path: str) -> bytes:
        try:
            return read_whole(path, 1 << 20)
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error

    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        first, *lines = self.content(path).split(b"\n")
        try:
            read = Transcript(Facts("kept", str(json.loads(first)["session"])[:64]))
        except _WRONG as error:
            raise NotThisFormat(f"{path} is no log") from error
        for number, line in enumerate(lines):
            try:
                record = json.loads(line)
                used = Usage(min(max(int(record["in"]), 0), 99), min(max(int(record["out"]), 0), 9))
                key = record["id"].encode("utf-8").decode()
            except (*_WRONG, AttributeError):
                if line:
                    read.damage.add(f"{path}, line {number + 2}", "no record")
                continue
            if key not in skip:
                read.events.append(LLMInteraction(id=key, t_us=1, phase="", usage=used))
        # The last one of an id counts.
        own: dict[str | None, Event] = {event.id: event for event in read.events}
        read.events = list(own.values())
        return self.finished(read)

    def finished(self, read: Transcript) -> Transcript:
        return read


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A home with one session of that agent."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    return home


def test_a_small_source_passes(sample: Path) -> None:
    """A source of thirty lines passes, and its sample is left as it is."""
    before = (sample / "log.jsonl").read_bytes(), (sample / "log.jsonl").stat().st_mtime_ns
    check_source(Kept(), sample)
    assert before == (
        (sample / "log.jsonl").read_bytes(),
        (sample / "log.jsonl").stat().st_mtime_ns,
    )
    assert os.listdir(sample) == ["log.jsonl"]


class _Fragile(Kept):
    def finished(self, read: Transcript) -> Transcript:
        if read.damage.count:
            raise KeyError("damage")
        return read


def test_the_same_seed_damages_the_same(sample: Path) -> None:
    """What is found once is found again: damage depends on the seed alone."""
    said = []
    for _ in range(2):
        with pytest.raises(AssertionError) as raised:
            check_source(_Fragile(), sample, seed=7)
        said.append(str(raised.value))
    assert said[0] == said[1]
    assert "kept: mutation" in said[0]
    assert "raises KeyError" in said[0]


class _Misnamed(Kept):
    NAME = "Not A Name"


class _FindsNothing(Kept):
    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
        yield from () if folders or environ else ("", "")


class _FindsAnywhere(Kept):
    def find(self, environ: Mapping[str, str], folders: Folders | None = None) -> Iterator[str]:
        assert folders is None
        yield f"{environ['HOME']}/somewhere"


class _Unstable(Kept):
    count = 0

    def finished(self, read: Transcript) -> Transcript:
        self.count += 1
        read.facts.version = str(self.count)
        return read


class _Writing(Kept):
    def content(self, path: str) -> bytes:
        Path(f"{path}.lock").write_text("mine")
        return super().content(path)


class _Touching(Kept):
    def content(self, path: str) -> bytes:
        content = super().content(path)
        os.utime(path, (1, 1))
        return content


class _Waiting(Kept):
    def content(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise StorageError("no") from error


class _Unskipping(Kept):
    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        return super().read(path, skip - skip)


class _Greedy(Kept):
    def read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        try:
            return super().read(path, skip)
        except NotThisFormat:
            return Transcript(Facts("kept", "any"))


class _Changing(Kept):
    def __init__(self, change: Callable[[Transcript], object]) -> None:
        self.change = change

    def finished(self, read: Transcript) -> Transcript:
        self.change(read)
        return read


def _call(success: bool, tool: str = "Bash") -> Kept:
    def add(read: Transcript) -> None:
        read.events.append(ToolCall(id="c1", t_us=1, name="Bash", success=True, duration_ms=1))
        if tool:
            read.calls.append(Call("c1", 1, tool, success=success))

    return _Changing(add)


def _response(key: str | None, used: Usage, t_us: int = 1) -> Kept:
    event = LLMInteraction(id=key, t_us=t_us, phase="", usage=used)
    return _Changing(lambda read: read.events.append(event))


BROKEN: dict[str, tuple[Kept, str]] = {
    "name": (_Misnamed(), "NAME is 'Not A Name'"),
    "finds nothing": (_FindsNothing(), "find yields nothing in the sample"),
    "finds anywhere": (_FindsAnywhere(), "in a home that is not there"),
    "no agent": (_Changing(lambda read: setattr(read.facts, "agent", "")), "facts.agent is empty"),
    "no id": (_Changing(lambda read: setattr(read.facts, "native_id", "")), "native_id is empty"),
    "twice": (_response("r1", Usage(1, 1)), "the id 'r1' is of two events"),
    "without": (_response(None, Usage(1, 1)), "LLMInteraction without id has no id"),
    "early": (_response("r9", Usage(1, 1), -5), "LLMInteraction r9 cannot be kept"),
    "cached": (_response("r9", Usage(1, 1, cache_read_tokens=5)), "includes cached ones"),
    "reasoning": (_response("r9", Usage(1, 1, reasoning_tokens=5)), "includes reasoning"),
    "unpaired": (_call(True, ""), "ToolCall c1 has no Call of its id"),
    "other tool": (_call(True, "Edit"), "its Call is of 'Edit'"),
    "other end": (_call(False), "its Call's success differs"),
    "no event": (
        _Changing(lambda read: read.calls.append(Call("c2", 1, "Bash", success=True))),
        "the call 'c2' has a result, and no ToolCall",
    ),
    "sums": (
        _Changing(lambda read: setattr(read.effects, "responses", 7)),
        "effects.responses is 7, and 2 responses are among the events",
    ),
    "unstable": (_Unstable(), "reading a file that did not change gives something else"),
    "skip": (_Unskipping(), "leaves out other responses than those"),
    "greedy": (_Greedy(), "is taken for a session"),
    "writes": (_Writing(), "for writing"),
    "touches": (_Touching(), "writes where its agent keeps its data"),
    "waits": (_Waiting(), "it opens a pipe"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_promise_is_named(kind: str, sample: Path) -> None:
    """Each promise that a source breaks is an AssertionError that says which."""
    broken, said = BROKEN[kind]
    with pytest.raises(AssertionError) as raised:
        check_source(broken, sample, mutations=0)
    assert said in str(raised.value)


def test_a_sample_that_is_no_folder_is_a_mistake(sample: Path) -> None:
    """A file in the place of a folder is told with what to do."""
    with pytest.raises(ValueError, match="is no folder; copy"):
        check_source(Kept(), sample / "log.jsonl")
