"""The reading loop: is it ours, told from the first records; then each record in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from m31a_metrics.errors import StorageError
from m31a_metrics.jsonlines import Decode, batches
from m31a_metrics.transcript import Damage

_FIRST_RECORDS = 5

Record = TypeVar("Record")


@contextmanager
def named(path: str) -> Iterator[None]:
    """Read a file within: an OSError comes out as a StorageError that names it."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def take_records(
    path: str,
    decode: Decode[Record],
    is_ours: Callable[[Record], bool],
    take: Callable[[Record], object],
    damage: Damage,
) -> bool:
    """Take all records of a file; none, and False, if none of the first ones is the agent's.

    Raises OSError.
    """
    told = False
    for batch in batches(path, decode, damage):
        if not told and not any(map(is_ours, batch[:_FIRST_RECORDS])):
            return False
        told = True
        for record in batch:
            take(record)
    return told
