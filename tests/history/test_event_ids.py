"""Files that hold an event are found by a part of its id, and told apart by all of it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m31a_metrics.errors import IndexUnusable
from m31a_metrics.history import MEMORY, History
from m31a_metrics.history.ownership import (
    NUMBER_BITS,
    claim,
    held,
    listed,
    may_be_known,
    may_hold,
    unclaim,
)
from tests.history import test_source_files
from tests.history.test_source_files import File, files, index_of, rows, settle, take

numbers = st.integers(0, 2**NUMBER_BITS - 1)
some_ids = st.lists(
    st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), -1, 0, 1, 2**63 - 1]),
    unique_by=lambda one: one >> NUMBER_BITS,
).map(lambda ids: array("q", ids))


@given(some_ids, numbers)
def test_a_number_is_an_id_and_a_file(ids: array[int], number: int) -> None:
    """Nothing but the lowest bits of each id gives way to the number of the file."""
    packed = held(ids, number)
    assert [one >> NUMBER_BITS for one in packed] == [one >> NUMBER_BITS for one in ids]
    assert {one & 2**NUMBER_BITS - 1 for one in packed} <= {number}


@given(some_ids, some_ids, numbers)
def test_what_was_claimed_is_found(ids: array[int], others: array[int], number: int) -> None:
    """Each event of a file is found with its number until it is no longer claimed."""
    with History(MEMORY) as history:
        claim(history.connection, listed(sorted(held(ids, number))))
        assert sorted(may_hold(history.connection, ids)) == sorted((one, number) for one in ids)
        shares = {one >> NUMBER_BITS for one in ids} & {one >> NUMBER_BITS for one in others}
        known = may_be_known(history.connection, listed(sorted(held(others, 7))))
        assert known == ({7} if shares else set())
        unclaim(history.connection, listed(sorted(held(ids, number))))
        assert may_hold(history.connection, ids) == []


def _meeting(ids: Iterable[str]) -> list[int]:
    return [ord(one) for one in ids]


@given(
    st.lists(files, min_size=1, max_size=6, unique_by=lambda file: file.path),
    st.integers(1, 3),
    st.sampled_from(["/1", "/2", "none"]),
)
def test_ids_that_meet_are_told_apart(states: list[File], batch: int, gone: str) -> None:
    """Ids that differ only where the number of the file goes are different events all the same."""
    now = {file.path: file for file in states}
    with History(MEMORY) as apart:
        take(apart, now.values())
        settle(apart, now)
        apart.take_gone([gone])
        settle(apart, now)
        expected = rows(apart)
    with pytest.MonkeyPatch.context() as patch, History(MEMORY) as history:
        patch.setattr(test_source_files, "hashed", _meeting)
        for start in range(0, len(states), batch):
            take(history, states[start : start + batch])
            settle(history, now)
        assert rows(history) == index_of(states)
        history.take_gone([gone])
        settle(history, now)
        assert rows(history) == expected


def test_more_files_than_there_are_numbers_are_refused() -> None:
    """The first file beyond the last number is an error in words of ours, not a wrong sum."""
    history = History(MEMORY)
    history.connection.execute(
        "INSERT INTO sources VALUES (?, '/0', 'pi', 'pi', 'n0', 0, 0, x'', x'', '', 0, '')",
        (2**NUMBER_BITS - 1,),
    )
    with pytest.raises(IndexUnusable, match="cannot use the index"):
        take(history, [File("/1", "n1", 1, ("a",))])
    history.close()
