"""Colours: a dark and a light theme for `m31 watch`.

A host's program keeps its own theme: widgets name theme variables only.
"""

from __future__ import annotations

from rich.style import Style
from textual.app import App
from textual.theme import Theme

from m31a_metrics.views.numbers import Tone

DARK = Theme(
    name="m31-dark",
    primary="#6cb6ff",
    secondary="#8b98a9",
    accent="#c4a7f5",
    success="#5cc98a",
    warning="#e0b35a",
    error="#f2777a",
    foreground="#cdd6e0",
    background="#0f1419",
    surface="#151b22",
    panel="#202933",
    dark=True,
    variables={"footer-key-foreground": "#6cb6ff", "block-cursor-text-style": "none"},
)
LIGHT = Theme(
    name="m31-light",
    primary="#0a5fb4",
    secondary="#5a6675",
    accent="#7440c2",
    success="#1a7f3c",
    warning="#8f5f00",
    error="#c4232e",
    foreground="#1f2630",
    background="#ffffff",
    surface="#f4f6f9",
    panel="#e4e9ef",
    dark=False,
    variables={"footer-key-foreground": "#0a5fb4", "block-cursor-text-style": "none"},
)

_TONES = {
    Tone.PLAIN: "foreground",
    Tone.UNKNOWN: "secondary",
    Tone.GOOD: "success",
    Tone.BAD: "error",
    Tone.PICTURE: "primary",
}


def tone_styles(app: App[object]) -> dict[Tone, Style]:
    """Give the style of each tone in the app's theme of this moment."""
    variables = app.theme_variables
    return {tone: Style(color=variables[name]) for tone, name in _TONES.items()}
