"""The entries of a session form a tree: going back and asking anew makes a branch.

All branches ran and cost. The conversation is the branch that ends in the last entry.
"""

from __future__ import annotations

from msgspec import Struct


class _Node(Struct, gc=False):
    parent: str | None
    before: str


class Tree:
    """Who follows whom. Versions before 2 have no ids: there all is one branch."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._last = ""

    def add(self, entry_id: str, parent_id: str | None) -> None:
        """Take the next entry of the file."""
        if entry_id and entry_id not in self._nodes:
            self._nodes[entry_id] = _Node(parent_id, self._last)
            self._last = entry_id

    def conversation(self) -> frozenset[str]:
        """Return the ids of the entries from the first to the last one of the file.

        Where an entry's parent was lost, the entry before it in the file takes its place.
        """
        found: set[str] = set()
        at: str | None = self._last
        while at and at not in found:
            found.add(at)
            node = self._nodes[at]
            at = node.before if node.parent and node.parent not in self._nodes else node.parent
        return frozenset(found)
