"""Lists of names, written as text so that they can be read."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


def phrases(text: str) -> frozenset[str]:
    """Return what stands between the commas of a text: names of several words."""
    return frozenset(" ".join(phrase.split()) for phrase in text.split(","))
