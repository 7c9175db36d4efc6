"""Invented conversations, in memory: the same interface as the reader of agents' files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from starlette.types import ASGIApp

from m31a_metrics.answers import SessionRow
from m31a_metrics.conversation import WINDOW_PARTS, Part, Title, Window
from m31a_metrics.errors import ConversationAbsent
from m31a_metrics.events import Event, LLMInteraction, ToolCall, UserTurn
from m31a_metrics.model import Usage
from m31a_metrics.phases import infer
from m31a_metrics.transcript import Call, Facts, Transcript
from m31a_metrics.views.web.app import dashboard
from m31a_metrics.views.web.index_thread import Machine
from m31a_metrics.views.web.safety import Doors
from tests.views.web.served import AGENTS, Course, Invented, credentials

SECOND_US = 1_000_000
PASS = {"authorization": f"Bearer {credentials().token}"}
"""The header that lets a request in."""
OWN_DOORS = Doors(credentials)
"""Doors that ask for the token of this person."""

SESSION = "7f3c1a52-cart-total"


class Said:
    """Conversations by session id; a place is a number, of a subagent `agent-NAME:NUMBER`."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        subagents: Mapping[str, Sequence[Part]] = {},
        images: Mapping[str, tuple[str, bytes]] = {},
        title: Title = Title(),  # noqa: B008 - it is frozen
        is_on: bool = True,
        damage: int = 0,
    ) -> None:
        self.is_on = is_on
        self.window_count = 0
        self.trouble = ""
        self._threads = {"": list(parts)} | {
            f"agent-{name}:": list(said) for name, said in subagents.items()
        }
        for prefix, said in self._threads.items():
            for number, part in enumerate(said):
                part.place = f"{prefix}{number}"
        self._images = images
        self._title = title
        self._damage = damage

    def title(self, _row: SessionRow) -> Title:
        return self._title

    def window(self, row: SessionRow, at: str = "", limit: int = WINDOW_PARTS) -> Window:
        self.window_count += 1
        if self.trouble:
            raise ConversationAbsent(f"{row.path}: {self.trouble}")
        prefix, colon, number = at.rpartition(":")
        thread = self._threads.get(prefix + colon, [])
        first = max(len(thread) - limit, 0) if number == "end" else int(number or 0)
        last = first + limit
        return Window(
            thread[first:last],
            f"{prefix}{colon}{max(first - limit, 0)}" if first else "",
            f"{prefix}{colon}{last}" if last < len(thread) else "",
            self._damage,
        )

    def place_of(self, _row: SessionRow, id: str) -> str:  # noqa: A002 - as events name it
        return next(
            (part.place for said in self._threads.values() for part in said if part.id == id), ""
        )

    def image(self, _row: SessionRow, place: str) -> tuple[str, bytes]:
        if place not in self._images:
            raise ConversationAbsent(f"there is no image at {place!r}")
        return self._images[place]


def told(parts: Sequence[Part], failing: Mapping[str, str] = {}) -> Transcript:
    """What the agent's file would tell of a conversation: turns, calls, and what they cost.

    `failing` are what checks printed that failed, by their calls.
    """
    events: list[Event] = []
    calls: list[Call] = []
    for part in parts:
        if part.kind == "prompt" and not part.author:
            events.append(UserTurn(t_us=part.t_us))
        elif part.kind == "answer" and part.id:
            usage = Usage(9_000, 300, cache_read_tokens=8_000)
            cost = 2.0 if "costly" in part.id else 0.01
            events.append(
                LLMInteraction(
                    id=part.id, t_us=part.t_us, phase="", usage=usage, cost=cost, model=part.model
                )
            )
        elif part.kind == "call":
            calls.append(_call(part, failing.get(part.id, "")))
            if part.success is not None:
                events.append(
                    ToolCall(
                        id=part.id,
                        t_us=part.t_us + 2 * SECOND_US,
                        name=part.tool,
                        success=part.success,
                        duration_ms=0 if part.denied else 2_000,
                        denied=part.denied,
                    )
                )
    began_us, ended_us = parts[0].t_us, parts[-1].t_us
    facts = Facts(
        "claude-code", SESSION, "2.1", "/home/ada/shop", "main", ["claude-sonnet-4-5"],
        began_us, ended_us,
    )  # fmt: skip
    return Transcript(facts, sorted(events, key=lambda event: event.t_us), calls)


def _call(part: Part, printed: str) -> Call:
    command = part.input if part.tool == "Bash" else ""
    return Call(
        part.id,
        part.t_us,
        part.tool,
        command,
        ("src/cart.py",) if part.tool == "Edit" else (),
        printed,
        part.success,
        part.t_us + 2 * SECOND_US,
        denied=part.denied,
    )


class Talking(Invented):
    """A machine with one session that was told of as above."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__([], [transcript])
        self._transcript = transcript
        self.load_count = 0

    def read(self, row: SessionRow, /) -> Course | None:
        self.load_count += 1
        course = super().read(row)
        if course is not None:
            course.inference = infer(self._transcript)
        return course


def application(machine: Machine, said: Said | None, doors: Doors = OWN_DOORS) -> ASGIApp:
    """The dashboard over an invented machine and what was said on it."""
    clock = partial(datetime.now, datetime.now().astimezone().tzinfo)

    def bug(error: Exception) -> None:
        raise error

    return dashboard(machine, clock, AGENTS, doors, bug, conversations=said)
