"""The guard around one file: whatever happens in reading it is that file's own trouble.

Sources read what other programs write, in every version of those and however damaged. So
each reading of a file goes through here, in worker processes too, and an exception that
nobody thought of costs one session and not the answer.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from traceback import extract_tb

from msgspec import Struct

from m31a_metrics.errors import MetricsError, ReadingBug, SourceUnusable, StorageError
from m31a_metrics.foreign_files import NotAFile, TooLong

_PACKAGE = os.path.dirname(os.path.dirname(__file__))


class Trouble(Struct, frozen=True):
    """A place that could not be looked at or read this time, in a sentence that names it.

    `kind` is who reads what is there. An empty path stands for all that they read.
    """

    kind: str
    path: str
    sentence: str


class Failure(Struct, tag=True):
    """A file that could not be read, and why.

    `is_passing`: it may be readable the next time, though it looks the same (a permission
    that is given does not show, nor a package that is mended); else it is as it is until it
    changes.
    """

    path: str
    reason: str
    is_passing: bool = False


@contextmanager
def guarded(path: str) -> Iterator[None]:
    """Read a file within: every exception comes out as a MetricsError that names it."""
    try:
        yield
    except MetricsError:
        raise
    except MemoryError as error:
        raise StorageError(f"{path} takes more memory to read than there is") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:
        raise ReadingBug(bug(f"reading {path}", error)) from error


def failure(path: str, error: MetricsError) -> Failure:
    """Say of a file why it could not be read."""
    cause = error.__cause__
    is_passing = isinstance(error, SourceUnusable) or (
        isinstance(cause, OSError | MemoryError) and not isinstance(cause, NotAFile | TooLong)
    )
    sentence = str(error)
    named = sentence if path in sentence else f"{path}: {sentence}"
    return Failure(path, named, is_passing)


def bug(what: str, error: Exception) -> str:
    """Say that something went wrong that should not have."""
    return f"this is a bug in {what} ({_where(error)})"


def _where(error: Exception) -> str:
    """Name the kind of an error and the line, but not its words: they may quote a transcript."""
    name = type(error).__name__
    ours = [one for one in extract_tb(error.__traceback__) if one.filename.startswith(_PACKAGE)]
    if not ours:
        return name
    return f"{name} at {os.path.relpath(ours[-1].filename, _PACKAGE)}:{ours[-1].lineno}"
