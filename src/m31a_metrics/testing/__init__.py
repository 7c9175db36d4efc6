"""The conformance kit for sources: `check_source` tells whether one keeps its promises.

*Provisional until the next release*, as the protocol is. It needs no test framework: what is
wrong is an AssertionError, in a sentence. docs/how-to/source-plugin.md shows it in use.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, NoReturn

import msgspec

from m31a_metrics import events
from m31a_metrics.errors import NotThisFormat, SessionNotFound, StorageError
from m31a_metrics.events import Event, LLMInteraction, SessionStart, Subagent, ToolCall
from m31a_metrics.sources import Source
from m31a_metrics.transcript import Transcript
from m31a_metrics.units import WITHIN, file_of

# Damage to a record, or to a file that is one, invented from a seed.

_VALUES: tuple[Any, ...] = (
    None, True, [], {}, [[]], [1, "a", {}], {"": {}}, -1, 0, 1.5, 2**53, 2**64 + 1, 10**30, 1e308,
    "", "\x00", "-5", "1e999", "x" * 5_000, "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z",
)  # fmt: skip
_LITERALS = (b"NaN", b"1e999", b"9" * 400, b'"\\ud800"', b'"\xff\xfe"', b"[" * 2_000, b"{]")


def mutated(whole: bytes, random: Random) -> tuple[str, bytes]:
    """Damage a line, or the whole where lines are no records; say how."""
    lines = whole.split(b"\n")
    at = random.choice([number for number, line in enumerate(lines) if line] or [0])
    is_lines = _parsed(lines[at]) is not None
    record = lines[at] if is_lines else whole
    what = random.choice(("cut", "flip", "insert", "retype", "retype", "literal", "drop"))
    damaged = _damage(what, record, random)
    if not is_lines:
        return what, damaged
    lines[at] = damaged
    return f"{what}, line {at + 1}", b"\n".join(lines)


def _damage(what: str, record: bytes, random: Random) -> bytes:
    place = random.randrange(len(record) + 1)
    if what == "cut":
        return record[:place]
    if what == "flip":
        damaged = bytearray(record)
        damaged[place % len(damaged)] ^= 1 << random.randrange(8)
        return bytes(damaged)
    parsed = _parsed(record)
    spots = list(_spots(parsed))
    if what == "insert" or not spots:
        junk = random.choice((b"\xff", b"\x00" * 512, b"{", b"}", b'"', b"\\", b"\r"))
        return record[:place] + junk + record[place:]
    holder, key = random.choice(spots)
    if what == "drop":
        del holder[key]
    else:
        holder[key] = random.choice(_VALUES) if what == "retype" else "\x1amark"
    literal = random.choice(_LITERALS)
    return json.dumps(parsed).encode().replace(b'"\\u001amark"', literal)


def _parsed(record: bytes) -> Any:
    """The object or array that a record is; None for anything else."""
    try:
        value = json.loads(record)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value that holds another one."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict | list) and holder:
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            for key in keys:
                yield holder, key
                waiting.append(holder[key])


# What a source does to the disk: told by Python's own audit events, and by comparing.

_MUTATED_BYTES_MAX = 1 << 20
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = frozenset(
    ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.link", "os.symlink")
)
_watcher: Callable[[str, tuple[Any, ...]], None] | None = None
_is_hooked = False


@contextmanager
def watched(home: str) -> Iterator[list[str]]:
    """Note what is opened below a folder that is no regular file, or is opened for writing."""
    global _watcher, _is_hooked
    found: list[str] = []
    thread = threading.get_ident()

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() != thread:
            return
        if event == "open":
            _watch_open(arguments, home, found)
        elif event in _CHANGING and str(arguments[0]).startswith(home):
            found.append(f"{event} of {arguments[0]!r} changes what its agent keeps")

    if not _is_hooked:
        sys.addaudithook(_hook)  # there is no way to take it back; it does nothing while unused
        _is_hooked = True
    _watcher = watch
    try:
        yield found
    finally:
        _watcher = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watcher is not None:
        _watcher(event, arguments)


def _watch_open(arguments: tuple[Any, ...], home: str, found: list[str]) -> None:
    path, _, flags = arguments
    if isinstance(path, str | bytes) and flags & _WRITING:  # else it is a descriptor
        name = os.path.abspath(os.fsdecode(path))
        if name.startswith(home):
            found.append(f"it opens {name!r} for writing")


@contextmanager
def pipe(path: str) -> Iterator[list[str]]:
    """Put a pipe at a path; tell whether anybody opened it, who does not have to wait then."""
    os.mkfifo(path)
    opened: list[str] = []
    is_over = threading.Event()

    def answer() -> None:
        descriptor = os.open(path, os.O_WRONLY)  # waits for who reads, who finds the end
        if not is_over.is_set():
            opened.append(path)
        os.close(descriptor)

    writer = threading.Thread(target=answer, daemon=True)
    writer.start()
    try:
        yield opened
    finally:
        is_over.set()
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(descriptor)
        os.unlink(path)


def snapshot(home: str) -> dict[str, tuple[int, str]]:
    """Every file below a folder: when it changed, and what stands for its contents."""
    found = {}
    for folder, _, names in os.walk(home):
        for name in names:
            path = f"{folder}/{name}"
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    digest = hashlib.blake2b(file.read()).hexdigest()
                found[path] = (os.stat(path).st_mtime_ns, digest)
    return found


def is_small(path: str) -> bool:
    """Tell whether a file is worth damaging: not empty, and quickly read many times."""
    return 0 < os.path.getsize(path) <= _MUTATED_BYTES_MAX


def rewrite(path: str, content: bytes) -> None:
    """Give a file of the copy other contents, in place."""
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(content)


__all__ = ["check_source"]

_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
_ALLOWED = (NotThisFormat, StorageError, SessionNotFound)
_REASONS_MAX = 5
_OTHERS = (b"", b"hello\n", b"{}\n", b'{"a":1}\n[]\n', b"\x89PNG\0")
"""Files of no agent."""


def check_source(
    source: Source,
    sample: str | os.PathLike[str],
    *,
    folders: Mapping[str, str] | None = None,
    mutations: int = 200,
    seed: int = 0,
) -> None:
    """Check a source against a sample: a folder that stands for the home of somebody.

    `folders` are variables of the environment for `find`, with folders in the sample as values
    ("." is the sample itself); HOME and PWD are the sample where they do not say otherwise.
    Every session that `find` yields is read, again, without some of its responses, and, in a
    copy, with so many records damaged at random, the same way for the same `seed`.

    Raises AssertionError that says what is wrong, ValueError for a sample that is no folder.
    """
    sample = os.path.abspath(os.fspath(sample))
    if not os.path.isdir(sample):
        raise ValueError(f"the sample {sample} is no folder; copy one session's home into one")
    with tempfile.TemporaryDirectory(prefix="m31a-check-") as scratch:
        home = os.path.realpath(f"{scratch}/sample")
        shutil.copytree(sample, home, symlinks=True)
        variables = {"HOME": ".", "PWD": ".", **(folders or {})}
        environ = {key: os.path.normpath(f"{home}/{below}") for key, below in variables.items()}
        checked = _Checked(source, home, environ)
        checked.names()
        before = snapshot(home)
        paths = checked.found()
        for path in paths:
            checked.session(path)
        checked.refusals(scratch, paths)
        after = snapshot(home)
        changed = [name for name in before | after if before.get(name) != after.get(name)]
        if changed:
            _fail(source, f"writes where its agent keeps its data: {', '.join(sorted(changed))}")
        checked.damaged(paths, mutations, Random(seed))  # noqa: S311 - the same for a seed
        checked.odd_files(paths)


class _Checked:
    """A source, and a copy of its sample that may be damaged."""

    def __init__(self, source: Source, home: str, environ: Mapping[str, str]) -> None:
        self._source = source
        self._home = home
        self._environ = environ

    def _find(self, environ: Mapping[str, str]) -> list[Any]:
        with watched(self._home) as violations:
            found = list(self._source.find(environ))
        if violations:
            _fail(self._source, violations[0])
        return found

    def _read(self, path: str, skip: frozenset[str] = frozenset()) -> Transcript:
        with watched(self._home) as violations:
            try:
                read = self._source.read(path, skip)
            finally:
                if violations:
                    _fail(self._source, violations[0], path)
        return read

    def names(self) -> None:
        source = self._source
        name = getattr(source, "NAME", None)
        if not isinstance(name, str) or not re.fullmatch(_NAME, name):
            _fail(source, f"NAME is {name!r}; it is up to 64 of a-z, 0-9, '.', '_' and '-'")
        for wanted in ("find", "read"):
            if not callable(getattr(source, wanted, None)):
                _fail(source, f"it has no {wanted}")

    def found(self) -> list[str]:
        """The sessions of the sample. There are none in an empty home."""
        nowhere = dict.fromkeys(self._environ, f"{self._home}-that-is-not-there")
        elsewhere = self._find(nowhere)
        if elsewhere:
            _fail(self._source, f"find yields {elsewhere[0]!r} in a home that is not there")
        environ = dict(self._environ)
        paths = self._find(environ)
        if environ != self._environ:
            _fail(self._source, "find changes the environment that it is given")
        if not paths:
            _fail(self._source, "find yields nothing in the sample; does it need `folders`?")
        for path in paths:
            if not isinstance(path, str):
                _fail(self._source, f"find yields {path!r}, which is no str")
            if not os.path.exists(file_of(path)):
                _fail(self._source, f"find yields {path!r}, which is not there")
        if paths != self._find(environ):
            _fail(self._source, "find yields other sessions, or in another order, the second time")
        return paths

    def session(self, path: str) -> None:
        """Check one session that is whole."""
        read = self._read(path)
        if not isinstance(read, Transcript):
            _fail(self._source, f"read gives {type(read).__name__} and no Transcript", path)
        self._check_facts(read, path)
        self._check_events(read, path)
        self._check_ids(read, path)
        self._check_calls(read, path)
        self._check_sums(read, path)
        again = self._read(path)
        if msgspec.json.encode(again) != msgspec.json.encode(read):
            _fail(self._source, "reading a file that did not change gives something else", path)
        ids = [str(event.id) for event in _responses(read)]
        for skip in (ids[:1], ids[1::2], ids, ["an id of no response"]):
            self._check_skip(read, frozenset(skip), path)

    def _check_facts(self, read: Transcript, path: str) -> None:
        facts = read.facts
        if not facts.agent:
            _fail(self._source, "facts.agent is empty; it is NAME", path)
        if not facts.native_id:
            _fail(self._source, "facts.native_id is empty; it tells the session from others", path)
        if facts.started_us > facts.ended_us > 0:
            _fail(self._source, "facts.started_us is after facts.ended_us", path)
        models = {event.model for event in _responses(read) if event.model}
        if missing := models.difference(facts.models):
            _fail(self._source, f"facts.models lacks {sorted(missing)}, which answered", path)

    def _check_events(self, read: Transcript, path: str) -> None:
        decode = events.decoder().decode
        for event in read.events:
            try:
                same = decode(events.encode(event)) == event
            except (msgspec.MsgspecError, ValueError, TypeError) as error:
                _fail(self._source, f"{_shown(event)} cannot be kept: {error}", path)
            if not same:
                _fail(self._source, f"{_shown(event)} is another when it is read again", path)
        for event in _responses(read):
            used = event.usage
            cached = used.cache_read_tokens + used.cache_write_5m_tokens
            if cached + used.cache_write_1h_tokens > used.prompt_tokens:
                _fail(self._source, f"{_shown(event)}: prompt_tokens includes cached ones", path)
            if used.reasoning_tokens > used.completion_tokens:
                _fail(self._source, f"{_shown(event)}: completion_tokens includes reasoning", path)

    def _check_ids(self, read: Transcript, path: str) -> None:
        met: set[str] = set()
        for event in read.events:
            if isinstance(event, LLMInteraction) and not event.id:
                _fail(self._source, f"{_shown(event)} has no id", path)
            if event.id in met:
                _fail(self._source, f"the id {event.id!r} is of two events", path)
            if event.id:
                met.add(event.id)

    def _check_calls(self, read: Transcript, path: str) -> None:
        calls = {call.id: call for call in read.calls}
        if len(calls) != len(read.calls):
            _fail(self._source, "two calls have one id", path)
        ran = {event.id: event for event in read.events if isinstance(event, ToolCall)}
        for key, event in ran.items():
            call = calls.get(key or "")
            if call is None:
                _fail(self._source, f"{_shown(event)} has no Call of its id", path)
            if call.tool != event.name:
                _fail(self._source, f"{_shown(event)}: its Call is of {call.tool!r}", path)
            if call.success is None or call.success != event.success:
                _fail(self._source, f"{_shown(event)}: its Call's success differs", path)
            if call.denied != event.denied or (event.denied and event.success):
                _fail(self._source, f"{_shown(event)}: denied here, and not in its Call", path)
        for call in read.calls:
            if call.success is not None and call.id not in ran:
                _fail(self._source, f"the call {call.id!r} has a result, and no ToolCall", path)

    def _check_sums(self, read: Transcript, path: str) -> None:
        """Effects may be left alone; a source that fills them in fills in what it counted."""
        effects, count = read.effects, len(_responses(read))
        if effects.responses not in (0, count):
            said = f"effects.responses is {effects.responses}"
            _fail(self._source, f"{said}, and {count} responses are among the events", path)

    def _check_skip(self, read: Transcript, skip: frozenset[str], path: str) -> None:
        rest = self._read(path, skip)
        wanted = [event for event in _responses(read) if event.id not in skip]
        if _responses(rest) != wanted:
            _fail(self._source, "read with `skip` leaves out other responses than those", path)
        replayed = sum(event.usage.total for event in _responses(read) if event.id in skip)
        said = rest.effects.replayed_tokens - read.effects.replayed_tokens
        if rest.effects != read.effects and said != replayed:
            said_text = f"effects.replayed_tokens grows by {said:,}"
            _fail(self._source, f"{said_text}; `skip` left out {replayed:,}", path)
        # What led to a response, and what it did, may go with it; then the session starts later,
        # and the sums of its subagents are others.
        kept = [event for event in rest.events if not isinstance(event, SessionStart | Subagent)]
        if any(event not in read.events for event in kept):
            _fail(self._source, "read with `skip` gives events that are not there without", path)
        if len(wanted) == len(_responses(read)) and rest.events != read.events:
            _fail(self._source, "read with `skip` leaves out events though it has none of it", path)

    def refusals(self, scratch: str, paths: Sequence[str]) -> None:
        """What is of another format is refused as such, and so is what is not there."""
        for number, content in enumerate(
            (b"", b"hello\n", b"{}\n", b'{"a":1}\n[]\n', b"\x89PNG\0")
        ):
            suffix = os.path.splitext(file_of(paths[0]))[1]
            other = f"{scratch}/other-{number}{suffix}"
            with open(os.open(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            try:
                self._read(other)
            except NotThisFormat:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                _fail(self._source, f"{content!r} raises {_named(error)}, not NotThisFormat")
            _fail(self._source, f"a file with {content!r} is taken for a session")
        for place in (scratch, f"{scratch}/nothing{suffix}"):
            self._attempt(place, f"reading {place!r}")

    def damaged(self, paths: Sequence[str], mutations: int, random: Random) -> None:
        """Damage one record at a time, and read the sessions of the file it is in."""
        files = [path for path in sorted(snapshot(self._home)) if is_small(path)]
        for number in range(mutations if files else 0):
            file = files[number % len(files)]
            own = [path for path in paths if path.startswith(f"{file}{WITHIN}") or path == file]
            with open(file, "rb") as opened:
                whole = opened.read()
            what, content = mutated(whole, random)
            try:
                rewrite(file, content)
                for path in own or paths[:3]:
                    doing = f"mutation {number} ({what} in {os.path.basename(file)})"
                    read = self._attempt(path, doing)
                    if read is not None:
                        self._check_events(read, path)
                        self._check_damage(read, doing, path)
            finally:
                rewrite(file, whole)

    def _check_damage(self, read: Transcript, doing: str, path: str) -> None:
        told = read.damage
        if len(told.reasons) > _REASONS_MAX or told.count < len(told.reasons):
            _fail(self._source, f"{doing}: damage is counted by Damage.add, not by hand", path)

    def odd_files(self, paths: Sequence[str]) -> None:
        """In the place of a session there may be a pipe: opening it would wait for ever."""
        for path in paths[:3]:
            file = file_of(path)
            if os.path.isfile(file) and hasattr(os, "mkfifo"):
                os.rename(file, f"{file}.aside")
                try:
                    with pipe(file) as opened:
                        self._attempt(path, "a pipe in the place of a session")
                finally:
                    os.rename(f"{file}.aside", file)
                if opened:
                    said = "it opens a pipe, on which others wait for ever; foreign_files has"
                    _fail(self._source, f"{said} open_regular, which opens files alone", path)

    def _attempt(self, path: str, doing: str) -> Transcript | None:
        try:
            return self._read(path)
        except _ALLOWED:
            return None
        except Exception as error:
            said = f"{doing} raises {_named(error)}; only NotThisFormat and StorageError may be"
            raise AssertionError(f"{_name(self._source)}: {said}") from error


def _responses(read: Transcript) -> list[LLMInteraction]:
    return [event for event in read.events if isinstance(event, LLMInteraction)]


def _shown(event: Event) -> str:
    return f"{type(event).__name__} {event.id or 'without id'}"


def _name(source: Source) -> str:
    return str(getattr(source, "NAME", source))


def _named(error: Exception) -> str:
    return f"{type(error).__name__} ({error})"


def _fail(source: Source, what: str, path: str = "") -> NoReturn:
    place = f" ({os.path.basename(path)})" if path else ""
    raise AssertionError(f"{_name(source)}: {what}{place}")
