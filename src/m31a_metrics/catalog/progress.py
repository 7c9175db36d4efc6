"""How those who wait are told how far reading has come."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Told how many sessions are read, and of how many."""


def quiet(_done: int, _total: int) -> None:
    """Nobody watches."""
