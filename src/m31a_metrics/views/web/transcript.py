"""The Transcript of a session: its conversation by windows, its images, and its marks.

Texts are read from the agent's own file when somebody looks, and kept nowhere. The marks
(what turns cost, which calls failed or healed, in which phase) need all of a session, so they
come in an answer of their own, which holds figures, ids and phases, and no text.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Protocol

from msgspec import Struct, field
from msgspec import json as encoding
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.responses import Response

from m31a_metrics.answers import SessionRow
from m31a_metrics.conversation import WINDOW_PARTS, Title, Window
from m31a_metrics.credentials import is_loopback
from m31a_metrics.errors import ConversationAbsent
from m31a_metrics.table import Unit
from m31a_metrics.tables.arithmetic import known_usd
from m31a_metrics.tables.names import RECORDED
from m31a_metrics.transcript import SessionRef
from m31a_metrics.turns import CallMark, HealMark, Marks, Turn, marks
from m31a_metrics.units import ms
from m31a_metrics.views.names import clean
from m31a_metrics.views.numbers import text_of
from m31a_metrics.views.palette import phase_color
from m31a_metrics.views.web.index_thread import Loaded
from m31a_metrics.views.web.parts import Addresses, DrawnPart, draw_parts
from m31a_metrics.views.web.safety import SEALED, Doors
from m31a_metrics.views.web.state import session_path

NAME = "transcript"
MARKS = "marks"
END = "end"

KEPT_MAX, KEPT_BYTES_MAX = 8, 16_000_000
"""The marks of so many sessions are kept, of so many bytes in all."""
IMAGE_BYTES_MAX = 30_000_000

OF_FLEET = (
    "A fleet has figures alone: what was said in a session is shown on the machine where it lies."
)
SWITCHED_OFF = (
    "Conversations are switched off: `conversations = false` in [metrics] of the configuration."
)
TOKENLESS = (
    "Conversations are not shown without a token, for any account of this machine could read "
    "them: start `m31 serve` without --no-token."
)
NETWORK = (
    "Conversations are shown on this machine alone, and this server listens on the network: "
    "start `m31 serve` without --host."
)
OF_RECORDED = "No text is kept of a session that was recorded here: only figures are."

_OFFSET = re.compile(r"\d{1,18}(?:\.\d{1,9})?")
_TYPES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
)
"""What an `<img>` shows without running anything: told by the first bytes, not by a name."""


class Conversing(Protocol):
    """Who reads conversations from agents' files; all but `title` raise ConversationAbsent."""

    @property
    def is_on(self) -> bool:
        """Whether conversations are shown on this machine at all."""
        ...

    def title(self, row: SessionRow) -> Title:
        """What a person recognises the session by."""
        ...

    def window(self, row: SessionRow, at: str = "", limit: int = WINDOW_PARTS) -> Window:
        """So many parts of the conversation from a place on."""
        ...

    def place_of(self, row: SessionRow, id: str) -> str:  # noqa: A002 - as events name it
        """The place of a call, an answer or a turn; "" where it has none."""
        ...

    def image(self, row: SessionRow, place: str) -> tuple[str, bytes]:
        """A stored image: its media type and its bytes."""
        ...


def why_off(doors: Doors, conversations: Conversing | None) -> str:
    """Say why no conversation is shown through these doors; "" where they are."""
    if conversations is None or not conversations.is_on:
        return SWITCHED_OFF
    if not is_loopback(doors.host):
        return NETWORK
    return "" if doors.asks_token else TOKENLESS


class Reading(Struct, frozen=True):
    """A session whose conversation is asked for, by which address, below which root."""

    row: SessionRow
    query: QueryParams
    root: str

    @property
    def addresses(self) -> Addresses:
        """Where its pages are; who names the agent goes on to do so."""
        path = f"{self.root}{session_path(self.row.session_id)}/{NAME}"
        kept = [("agent", agent) for agent in self.query.getlist("agent")]
        return Addresses(path, tuple(kept), self.query.get("from", ""))


class Shown(Struct):
    """What the page is made of. `sentence` says why no conversation is there.

    `earlier` and `later` are the addresses to go on at, `first` and `last` those of both
    ends. `origin` leads back to where a subagent's conversation was opened from.
    """

    title: str = ""
    sentence: str = ""
    notice: str = ""
    parts: list[DrawnPart] = field(default_factory=list)
    earlier: str = ""
    later: str = ""
    first: str = ""
    last: str = ""
    author: str = ""
    origin: str = ""
    search: str = ""
    is_alone: bool = False


class Transcripts:
    """Makes pages of conversations and gives their images; `off` says why it does neither."""

    def __init__(self, conversations: Conversing | None, off: str) -> None:
        self._conversations = conversations
        self.off = off

    def titles(self, rows: Iterable[SessionRow]) -> dict[SessionRef, Title]:
        """Read what sessions are known by; nothing where conversations are off."""
        conversations = self._conversations
        if self.off or conversations is None:
            return {}
        return {row.ref: conversations.title(row) for row in rows if row.agent != RECORDED}

    def shown(self, reading: Reading) -> Shown:
        """Read what a page shows: a window from the place or the id on that is asked for."""
        conversations = self._conversations
        row, query = reading.row, reading.query
        if row.machine:
            lies = (
                f"This session lies on machine {clean(row.machine)}: what was said is shown there."
            )
            return Shown(sentence=lies)
        if self.off or conversations is None:
            return Shown(sentence=self.off)
        if row.agent == RECORDED:
            return Shown(sentence=OF_RECORDED)
        try:
            shown = self._window(conversations, reading)
            shown.title = clean(conversations.title(row).line)
        except ConversationAbsent as error:
            return Shown(sentence=_sentence(str(error)))
        shown.search = clean(query.get("q", ""))
        return shown

    def _window(self, conversations: Conversing, reading: Reading) -> Shown:
        row, at = reading.row, reading.query.get("at", "")
        addresses, notice = reading.addresses, ""
        is_alone = bool(reading.query.get("only"))
        place = at
        if at and at != END and not _OFFSET.fullmatch(at):
            place = conversations.place_of(row, at)
            if not place and ":" in at:
                place = at  # of a subagent's file
            elif not place:
                notice = f"Nothing in this conversation has the id {clean(at)}: this is its start."
        window = conversations.window(row, place, 1 if is_alone else WINDOW_PARTS)
        is_sought = place and place != END and not reading.query.get("walk")
        here = window.parts[0].place if is_sought and window.parts else ""
        parts = draw_parts(window.parts, addresses, here=here, project=row.project, whole=is_alone)
        if window.damage:
            noun = "record" if window.damage == 1 else "records"
            notice = notice or f"{window.damage:,} {noun} here cannot be read."
        author = parts[0].author if parts and all(part.author for part in parts) else ""
        main = Addresses(addresses.path, addresses.query)
        return Shown(
            notice=notice,
            parts=parts,
            earlier=window.before and addresses.at(window.before, walk="1"),
            later=window.after and addresses.at(window.after, walk="1"),
            first=main.at(""),
            last=main.at(END, anchor="later"),
            author=author,
            origin=main.at(addresses.origin) if author else "",
            is_alone=is_alone,
        )

    def image(self, reading: Reading) -> Response:
        """Give a stored image, if it is of a kind that runs nothing. Raises HTTPException."""
        if self.off or self._conversations is None:
            raise HTTPException(404, self.off)
        try:
            _, data = self._conversations.image(reading.row, reading.query.get("place", ""))
        except ConversationAbsent as error:
            raise HTTPException(404, str(error)) from None
        media_type = media_type_of(data)
        if not media_type or len(data) > IMAGE_BYTES_MAX:
            raise HTTPException(404, "That is no image that can be shown.")
        sealed = {"content-security-policy": SEALED, "content-disposition": "inline"}
        return Response(data, media_type=media_type, headers=sealed)


def _sentence(reason: str) -> str:
    """Write a reason as a sentence of its own."""
    reason = clean(reason)
    return f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith('.') else '.'}"


def media_type_of(data: bytes) -> str:
    """Tell the type of an image that is safe to show; "" for anything else, SVG too."""
    return next((name for begins, name in _TYPES if begins.match(data)), "")


class DrawnTurn(Struct):
    """A turn's figures as the page shows them.

    `at` is its time, `id` leads to it, `first_call` is the place of its first call among all.
    """

    at: int
    id: str
    cost: str
    active: str
    calls: int
    failed: int
    expensive: bool
    first_call: int


class DrawnCall(Struct, array_like=True):
    """A call's marks: id, phase, how long it took, how it ended, whether a check failed."""

    id: str
    phase: str
    took: str
    outcome: str
    failed_check: bool


class DrawnMarks(Struct):
    """What a page marks beside a conversation; `colors` are those of its phases."""

    turns: list[DrawnTurn] = []
    calls: list[DrawnCall] = []
    heals: list[HealMark] = []
    colors: dict[str, str] = {}


def draw_marks(found: Marks) -> DrawnMarks:
    """Write the figures as they are written everywhere."""
    calls = sorted(found.calls, key=_BEGAN)
    return DrawnMarks(
        [_turn(one, bisect_left(calls, one.t_us, key=_BEGAN)) for one in found.turns],
        [_call(one) for one in calls],
        found.heals,
        {call.phase: phase_color(call.phase) for call in calls},
    )


_BEGAN = attrgetter("began_us")


def _turn(turn: Turn, first_call: int) -> DrawnTurn:
    cost = known_usd(turn.cost_nano)
    return DrawnTurn(
        turn.t_us,
        turn.id,
        "unpriced" if cost is None else text_of(cost, Unit.USD),
        text_of(ms(turn.active_us), Unit.MS),
        turn.call_count,
        turn.fail_count,
        turn.is_expensive,
        first_call,
    )


def _call(call: CallMark) -> DrawnCall:
    outcome = "denied" if call.denied else {True: "ok", False: "failed", None: ""}[call.success]
    took = "" if call.duration_ms is None else text_of(call.duration_ms, Unit.MS)
    return DrawnCall(call.id, call.phase, took, outcome, call.failed_check)


class Kept(Struct):
    """The marks of a session as the index had it then."""

    row: SessionRow
    data: bytes


class MarksOfSessions:
    """Loads sessions for their marks, and keeps those of the last few.

    For use in one thread. They are made again when the index has the session otherwise.
    """

    def __init__(self, load: Callable[[SessionRow], Loaded | None]) -> None:
        self._load = load
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def marks(self, row: SessionRow) -> bytes:
        """Give the marks of a session as JSON; none where its file is gone."""
        kept = self._kept.pop(row.path, None)
        if kept is None or kept.row != row:
            kept = Kept(row, self._made(row))
        self._kept[row.path] = kept
        while len(self._kept) > 1 and (
            len(self._kept) > KEPT_MAX or _size(self._kept.values()) > KEPT_BYTES_MAX
        ):
            self._kept.popitem(last=False)
        return kept.data

    def _made(self, row: SessionRow) -> bytes:
        loaded = self._load(row)
        inference = None if loaded is None else loaded.inference
        if loaded is None or inference is None:
            return encoding.encode(DrawnMarks())
        return encoding.encode(draw_marks(marks(inference, loaded.price)))


def _size(kept: Iterable[Kept]) -> int:
    return sum(len(one.data) for one in kept)
