"""What reading another agent's transcript gives: facts, events, and calls for inference.

`events` are what is counted and kept. `calls` hold what phases and failures are inferred
from (commands, paths, error texts): they live in memory only and are never written.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct, field

from m31a_metrics.events import Event, LLMInteraction, SessionStart, ToolCall
from m31a_metrics.model import Usage


class RateLimit(Struct):
    """How much of what a provider allows within a rolling window was used.

    `name` is the provider's (`primary`, `secondary`), `used_percent` is of 0 to 100,
    `resets_us` is when the window begins anew and `seen_us` when all this was so, in Unix
    microseconds; 0 where it was not said.
    """

    name: str
    used_percent: float
    window_minutes: int = 0
    resets_us: int = 0
    seen_us: int = 0


class SessionRef(NamedTuple):
    """What a session is known by, whichever files tell of it."""

    agent: str
    native_id: str


class Facts(Struct):
    """Who ran, where, when.

    Times are Unix microseconds; 0 where the transcript has none. `parent_id` names the
    session that this one was forked from, if it was.
    """

    agent: str
    native_id: str = ""
    version: str = ""
    project: str = ""
    branch: str = ""
    models: list[str] = []
    started_us: int = 0
    ended_us: int = 0
    parent_id: str = ""

    def start(self) -> SessionStart:
        """Return the event that a transcript begins with, which says all this."""
        return SessionStart(
            t_us=self.started_us,
            agent=self.agent,
            version=self.version or None,
            native_id=self.native_id or None,
            project=self.project or None,
            branch=self.branch or None,
        )


PROMPT_CHARS = 600
"""So much of a prompt that was handed to another agent says what it is for."""


class Call(Struct, gc=False):
    """One tool call as inference sees it. `success` None: the result was never seen.

    `response` is the id of the LLM response that made the call, `subagent` the agent
    that did if it was not the session's own, `mode` the permission mode at the time.
    `description` is what the agent said that a command is for, or how the work begins that
    it handed to another, `polls` the id of the background command that a call asks about,
    and `printed` how what a command printed begins and ends. `denied`: a hook, a rule or a
    person refused it, so it never ran, and its `success` is False.
    """

    id: str
    t_us: int
    tool: str
    command: str = ""
    paths: tuple[str, ...] = ()
    error: str = ""
    success: bool | None = None
    end_us: int = 0
    response: str = ""
    subagent: str = ""
    mode: str = ""
    description: str = ""
    polls: str = ""
    printed: str = ""
    denied: bool = False


_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\\\]|$)")


def plain_folder(path: str) -> str:
    r"""Return a folder's path as it is written here: no separator at its end.

    On Windows a drive's letter has no case, and both slashes separate: `c:/src/` is `C:\src`.
    """
    if _DRIVE.match(path):
        path = path[0].upper() + path[1:].replace("/", "\\")
        return path.rstrip("\\") if len(path.rstrip("\\")) > len("C:") else path[:2] + "\\"
    return path.rstrip("/") or path[:1]


def without_values(reason: object) -> str:
    """Return why a record cannot be read, without what stands in it: decoders quote that."""
    return re.sub(r"(?<!\w)'.*'(?!\w)", "<text>", str(reason), flags=re.DOTALL)


class Damage(Struct):
    """Records of a file that could not be read: how many, and the first few by place."""

    count: int = 0
    reasons: list[str] = []

    def add(self, place: str, reason: object) -> None:
        """Count one, and name it while few are named."""
        self.count += 1
        if len(self.reasons) < 5:
            self.reasons.append(f"{place}: {without_values(reason)}")

    def merge(self, other: Damage) -> None:
        """Count what is damaged in another part of the same session."""
        self.count += other.count
        self.reasons += other.reasons

    @property
    def not_counted(self) -> str:
        """How many records are missing in the counts, for a sentence that says which."""
        noun = "record is" if self.count == 1 else "records are"
        return f"{self.count:,} damaged {noun} not counted"


class Effects(Struct, omit_defaults=True):
    """What each counting rule did to a session's tokens, for `m31 audit`.

    Tokens are totals of all classes. Every field says what was not counted, or counted
    differently, than the file's lines added up would have it; the second half, than a
    stricter reader has it: what of its total to add to ours or take from it. `unlisted` are
    the responses of Codex that no `token_count` calls its latest.
    """

    lines: int = 0
    responses: int = 0
    repeated_lines: int = 0
    repeated_tokens: int = 0
    first_snapshot_tokens: int = 0
    progress_responses: int = 0
    progress_tokens: int = 0
    replayed_responses: int = 0
    replayed_tokens: int = 0
    synthetic_lines: int = 0
    spaced_responses: int = 0
    spaced_tokens: int = 0
    null_responses: int = 0
    null_tokens: int = 0
    versionless_responses: int = 0
    versionless_tokens: int = 0
    unsplit_tokens: int = 0
    uncounted_tokens: int = 0
    unnamed_tokens: int = 0
    greater_tokens: int = 0
    progress_other_tokens: int = 0
    unlisted_responses: int = 0
    unlisted_tokens: int = 0


def impossible(event: Event) -> str:
    """Say what of an event cannot be: a figure below zero, a part above its whole; else ""."""
    if type(event) is LLMInteraction:
        return _impossible_usage(event.usage) or _below(event.cost, "cost")
    if type(event) is ToolCall:
        return _below(event.duration_ms, "duration_ms") or _below(event.wait_ms, "wait_ms")
    return _below(getattr(event, "duration_ms", None), "duration_ms")


def _below(figure: float | None, name: str) -> str:
    # Asked so that what is no number at all is found, too.
    return "" if figure is None or figure >= 0 else f"its {name} is no figure from 0 on"


def _impossible_usage(usage: Usage) -> str:
    read, prompt, completion = usage.cache_read_tokens, usage.prompt_tokens, usage.completion_tokens
    written_5m, written_1h = usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    if min(read, written_5m, written_1h, usage.reasoning_tokens, usage.total, completion) < 0:
        return "it has less than no tokens"
    if read + written_5m + written_1h > prompt:
        return "its cached tokens are more than its prompt_tokens"
    if usage.reasoning_tokens > completion:
        return "its reasoning_tokens are more than its completion_tokens"
    return ""


def subagent_id(native_id: str) -> str:
    """The id of the event that a subagent ended whose own transcript was read with a session.

    `native_id` is what its agent calls that transcript. What is recorded under it tells of the
    same, so that this id also says which session such a recording counts in.
    """
    return f"{_SUBAGENT}{native_id}"


def subagent_of_id(event_id: str | None) -> str:
    """What an agent calls a subagent's transcript, by `subagent_id`; "" for any other id."""
    if event_id is None or not event_id.startswith(_SUBAGENT):
        return ""
    return event_id.removeprefix(_SUBAGENT)


_SUBAGENT = "agent:"


class Transcript(Struct):
    """One session of another agent.

    LLM events have the response's key as `id`, so that a response replayed in another
    file of the same agent counts once. `subagent_of` is the session whose subagent wrote
    it; a subagent's file is read by itself only where that session's own is gone. `rate_limits`
    are the last that its provider told.
    """

    facts: Facts
    events: list[Event] = []
    calls: list[Call] = []
    damage: Damage = field(default_factory=Damage)
    effects: Effects = field(default_factory=Effects)
    subagent_of: str = ""
    rate_limits: list[RateLimit] = []

    def take_out_impossible(self, path: str) -> None:
        """Take out the events with figures that cannot be, each named as damage.

        Every source's events pass here before they are summed: whatever a source makes of a
        record, no sum is ever below zero.
        """
        reasons = [reason for reason in map(impossible, self.events) if reason]
        if reasons:
            self.events = [event for event in self.events if not impossible(event)]
        for reason in reasons:
            self.damage.add(path, f"an event cannot be: {reason}")
