"""Tool calls as OpenCode keeps them: call, result and times in one part.

The time is that of the run. Where the user's configuration makes OpenCode ask before a
tool runs (it does not by default), a person's answer is in it, and nothing tells; a
refusal is told, and then the tool never ran.
"""

from __future__ import annotations

from msgspec import UNSET, Struct

from m31a_metrics.events import ToolCall
from m31a_metrics.figures import call_key, error_text, printed_ends, text
from m31a_metrics.jsonlines import UNREADABLE
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.sources.opencode.records import (
    Input,
    Metadata,
    Part,
    Problem,
    State,
    Time,
    said_decoder,
)
from m31a_metrics.timestamps import span_ms, unix_us
from m31a_metrics.transcript import Call

_SUCCEEDED = frozenset(("completed", "success"))

# These do nothing but wait for a person's answer.
_WAIT = frozenset(("plan_enter", "plan_exit", "question"))
_REFUSALS = ("The user rejected permission", "The user dismissed this question")
_SHELL = "bash"
_KILLED = -1  # OpenCode writes null
_ABORTED = "Tool execution aborted"


class Where(Struct, frozen=True, gc=False):
    """The message that a call stands in."""

    t_us: int
    response: str
    subagent: str
    mode: str


class Outcome(Struct, gc=False):
    """A call, its event if its result was seen, and whether a person refused it."""

    call: Call
    event: ToolCall | None = None
    refused: bool = False


def known_as(part: Part, where: Where) -> str:
    """Return the id of a tool part's call, which its copies in forks share."""
    time = part.state.time if part.state else None
    began_us = unix_us(time.start) if time else None
    return call_key(text(part.call_id) or text(part.id), began_us or where.t_us)


def outcome(part: Part, call_id: str, where: Where) -> Outcome:
    """Read a tool part."""
    state = part.state or State()
    time = state.time or Time()
    start_us, end_us = unix_us(time.start), unix_us(time.end)
    command, paths = _purpose(state.input) if isinstance(state.input, Input) else ("", ())
    call = Call(
        call_id,
        start_us or where.t_us,
        text(part.tool) or "unknown",
        command,
        paths,
        response=where.response,
        subagent=where.subagent,
        mode=where.mode,
    )
    if state.status not in _SUCCEEDED and state.status != "error":
        return Outcome(call)
    call.end_us = end_us or call.t_us
    if call.tool == _SHELL:
        call.printed = printed_ends(_said(state))
    call.success = state.status in _SUCCEEDED and _exit(state) in (None, 0)
    if not call.success:
        call.error = error_text(_error(state))
    return _event(call, known=bool(start_us and end_us))


def _event(call: Call, *, known: bool) -> Outcome:
    refused = call.error.startswith(_REFUSALS)
    waited = refused or call.tool in _WAIT
    elapsed_ms = span_ms(call.t_us, call.end_us)
    # What was aborted was given one time, when OpenCode cleaned up, for start and end.
    unknown = not known or (not elapsed_ms and call.error.startswith(_ABORTED))
    event = ToolCall(
        id=call.id,
        t_us=call.end_us,
        name=call.tool,
        success=bool(call.success),
        duration_ms=0 if waited else elapsed_ms,
        wait_ms=elapsed_ms if waited else None,
        error=kept_line(call.error) or None,
        elapsed_only=unknown and not waited,
        subagent=call.subagent or None,
    )
    return Outcome(call, event, refused)


def _exit(state: State) -> object:
    """Return a shell command's exit code: None if it has none."""
    said = state.metadata
    if not isinstance(said, Metadata) or said.exit is UNSET:
        return None
    return _KILLED if said.exit is None else said.exit


def _error(state: State) -> str:
    if isinstance(state.error, Problem):
        return text(state.error.message) or text(state.error.type)
    code = _exit(state)
    return (
        text(state.error) or _said(state) or ("killed" if code == _KILLED else f"exit code {code}")
    )


def _said(state: State) -> str:
    raw = state.output or state.content
    try:
        said = said_decoder().decode(raw) if raw else ""
    except UNREADABLE:
        return ""
    return said if isinstance(said, str) else "\n".join(text(piece.text) for piece in said)


def _purpose(given: Input) -> tuple[str, tuple[str, ...]]:
    """Return what tells best what a call is for, and the files and folders it names."""
    paths = tuple([path for path in (text(given.file_path), text(given.path)) if path])
    if text(given.command):
        return given.command, paths
    agent, description = text(given.subagent_type) or text(given.agent), text(given.description)
    if agent or description:
        return f"{agent}: {description}", paths
    return text(given.pattern) or text(given.query) or text(given.url) or text(given.name), paths
