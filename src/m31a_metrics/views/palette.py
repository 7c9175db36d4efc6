"""One colour for each phase: the same on screens, on pages and in reports, and none of them red.

Red is what failed. The colours are of a middle lightness, so that they can be told on dark and
on light alike.
"""

from __future__ import annotations

from zlib import crc32

_PHASES = {
    "idle": "#7b8794",
    "initialize": "#8f8a6a",
    "discuss": "#7f8fd0",
    "explore": "#4a9bd4",
    "plan": "#9d7ad2",
    "execute": "#35a58c",
    "verify": "#cc9433",
    "runtime": "#6ca644",
    "ship": "#d0649b",
}
_OTHERS = ("#5fa8a8", "#b5775b", "#8a9a4a", "#a86fa0", "#5f86b3", "#b08d57")


def phase_color(phase: str) -> str:
    """Give the colour of a phase, as #rrggbb."""
    known = _PHASES.get(phase)
    # Not hash(): it differs from process to process.
    return known or _OTHERS[crc32(phase.encode("utf-8", "replace")) % len(_OTHERS)]
