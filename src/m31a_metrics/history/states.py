"""Answers that take several queries, though others write between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class _Connected(Protocol):
    connection: sqlite3.Connection


_Own = TypeVar("_Own", bound=_Connected)
_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def of_one_state(
    answer: Callable[Concatenate[_Own, _Asked], _Answer],
) -> Callable[Concatenate[_Own, _Asked], _Answer]:
    """Answer out of one state of the index: the one that the first query finds."""

    @wraps(answer)
    def within(own: _Own, /, *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Answer:
        if own.connection.in_transaction:
            return answer(own, *args, **kwargs)
        own.connection.execute("BEGIN")
        try:
            return answer(own, *args, **kwargs)
        finally:
            own.connection.execute("COMMIT")

    return within
