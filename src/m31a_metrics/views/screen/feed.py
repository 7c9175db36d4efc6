"""Asking for figures in a thread, so that a slow disk never stops a key from working."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from textual.message import Message
from textual.widget import Widget

from m31a_metrics.errors import MetricsError

Answered = TypeVar("Answered")

_REST = 19
"""After a question that took a while, rest so many times as long: 5 % of a core at most."""


class Answer(Message, Generic[Answered], bubble=False):
    """What was asked for."""

    def __init__(self, answer: Answered) -> None:
        super().__init__()
        self.answer = answer


class Trouble(Message, bubble=False):
    """Why there is no answer, in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Feed(Generic[Answered]):
    """Asks every `interval_s` seconds, one question at a time; posts the answer to a widget."""

    def __init__(self, widget: Widget, ask: Callable[[], Answered], interval_s: float) -> None:
        self._widget = widget
        self._ask = ask
        self._interval_s = interval_s
        self._is_asking = False
        self._rest_until_s = 0.0
        self.paused = False

    def start(self) -> None:
        """Ask now, and from now on."""
        self.ask()
        self._widget.set_interval(self._interval_s, self.ask)

    def toggle(self) -> None:
        """Pause, or go on and ask at once."""
        self.paused = not self.paused
        self.ask(at_once=True)

    def ask(self, *, at_once: bool = False) -> None:
        """Ask, unless the last question is still open, or was so long that a rest is due.

        `at_once` spares the rest.
        """
        if self.paused or self._is_asking or (monotonic() < self._rest_until_s and not at_once):
            return
        self._is_asking = True
        self._widget.run_worker(self._answer, thread=True, group="m31-feed", exit_on_error=False)

    def _answer(self) -> None:
        began_s = monotonic()
        try:
            message: Message = Answer(self._ask())
        except MetricsError as error:
            message = Trouble(str(error))
        except Exception as error:  # noqa: BLE001 - a host's own function may raise anything
            message = Trouble(f"{type(error).__name__}: {error}")
        self._rest_until_s = monotonic() + _REST * (monotonic() - began_s) - self._interval_s
        self._is_asking = False
        self._widget.post_message(message)
