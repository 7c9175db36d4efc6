"""Tool calls and their results, paired by id; the result says whether it went well."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Raw, Struct
from msgspec.json import Decoder

from m31a_metrics.events import ToolCall
from m31a_metrics.figures import PRINTED_HEAD, PRINTED_TAIL, call_key, error_text, text
from m31a_metrics.jsonlines import UNREADABLE
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.sources.claude_code.durations import may_ask, may_queue, said_ms, spent
from m31a_metrics.sources.claude_code.records import Block, Input, Result, ToolUseResult
from m31a_metrics.timestamps import millis, span_ms
from m31a_metrics.transcript import PROMPT_CHARS, Call

AGENTS = frozenset(("Agent", "Task"))
"""Tools that start a subagent, new name and old."""

_SHELLS = frozenset(("Bash", "PowerShell"))
_FAILED = frozenset(("canceled", "cancelled", "error", "failed", "killed"))
# How a result begins that says the tool never ran. What follows was said by a person, or is
# about what they asked for, so none of it goes into the failure line.
_DENIALS = {
    "The user doesn't want to proceed with this tool use": "Permission denied by the user",
    "The user doesn't want to take this action right now": "Permission denied by the user",
    "Permission for this tool use was denied": "Permission denied by the user",
    "User rejected tool use": "Permission denied by the user",
    "Permission for this action was denied": "Permission denied by auto mode",
    "Permission to use ": "Permission denied by a rule",
    "Claude requested permissions to ": "Permission not granted",
    "PreToolUse:": "Permission denied by a hook",
    "Hook PreToolUse:": "Permission denied by a hook",
}
_NOBODYS = frozenset(f"Permission denied by {whom}" for whom in ("auto mode", "a rule", "a hook"))
"""Denials that no person waited over."""
# The same where the whole line is a tool's own: hooks, rules of the sandbox and of settings,
# and auto mode without its model.
_REFUSED = re.compile(
    r"(?:<tool_use_error>)?(?:Error: )?"
    r"(?:\S{1,200} operation blocked by hook|Execution stopped by PreToolUse hook"
    r"|This command requires approval|This Bash command contains multiple operations\. "
    r"The following parts? requires? approval|Command contains multiple operations that require"
    r"|File is in a directory that is denied by|Permission to [^\n]{1,4096}? has been denied"
    r"|Auto mode could not evaluate this action"
    r"|[^\n]{0,4096} was blocked\. For security, Claude Code may only "
    r"|[^\n]{0,200}\bauto mode cannot determine the safety of )"
)


_TOGETHER_MAX = 32
"""So many calls of one response are looked at for one that held the next one up."""


class _Said(Struct):
    text: str = ""


# The same mistakes come again and again, and to normalise one takes up to a millisecond.
_known_line = lru_cache(maxsize=128)(kept_line)
_KNOWN_LENGTH_MAX = 16_384

_content_decoder = Decoder(str | list[_Said] | None)
_text_decoder = Decoder(str)
_QUOTE = b'"'
_ESCAPE_LENGTH = 6
"""Of the longest escape of JSON: backslash, u, four digits."""


class Calls:
    """The tool calls of one session by id, and what is known of those that still run."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        self._latest: dict[str, Call] = {}
        self._first_done: dict[str, Call] = {}
        self._later_done: dict[str, list[Call]] = {}
        self._began_us: dict[str, int] = {}
        self._ran_ms: dict[str, float] = {}

    def use(self, block: Block, t_us: int, response: str, subagent: str, mode: str) -> None:
        """Take a call; one that is copied from elsewhere in the session is passed over."""
        given_id = block.id or ""
        call_id = call_key(given_id, t_us)
        known = self._latest.get(given_id)
        if known is not None and known.id == call_id:
            return
        tool, given = block.name or "unknown", block.input
        command, paths = _purpose(given) if type(given) is Input else ("", ())
        call = Call(
            call_id, t_us, tool, command, paths, response=response, subagent=subagent, mode=mode
        )
        if type(given) is Input:
            if tool in _SHELLS:
                call.description = text(given.description)
            elif tool in AGENTS:
                call.description = text(given.prompt)[:PROMPT_CHARS]
            elif polled := given.bash_id or given.task_id or given.shell_id:
                call.polls = text(polled)
        self.all.append(call)
        if given_id:
            self._latest[given_id] = call

    def running(self, call_id: str, t_us: int, elapsed_s: object) -> None:
        """Take a shell's word that it has been running for so many seconds."""
        if call_id in self._began_us:
            return  # the first word is the best one: later ones lag
        elapsed_ms = millis(elapsed_s, 1_000)
        if elapsed_ms is not None:
            self._began_us[call_id] = t_us - round(elapsed_ms * 1_000)

    def ran(self, call_id: str, elapsed_ms: object) -> None:
        """Take a server's word that a call has run for so many milliseconds."""
        ran_ms = millis(elapsed_ms)
        if ran_ms is not None:
            self._ran_ms[call_id] = ran_ms

    def result(
        self, block: Block, t_us: int, said: ToolUseResult, denial: object = None
    ) -> tuple[Call, ToolCall] | None:
        """Take a result; return the call and its event, None if there is no such call.

        `denial` is what kind of denial the transcript calls it, None for none.
        """
        given_id = block.tool_use_id or ""
        call = self._latest.get(given_id)
        if call is None or call.success is not None:
            return None
        tool = call.tool
        call.end_us = t_us
        # Older transcripts do not name the kind.
        denied, by_person = denial is not None, denial is None or denial == "user-rejected"
        call.success = success = not denied and _succeeded(tool, block, said)
        if tool in _SHELLS:
            call.printed = _printed(block.content)
        error = None
        if not success:
            why = _why(block, said)
            error = _denial(why)
            refused = _REFUSED.match(why) is not None
            call.denied = denied = denied or refused or bool(error)
            by_person = by_person and not refused and error not in _NOBODYS
            error = error or _line(why) or None
            call.error = error_text(why)
        took_ms, ran_ms = span_ms(call.t_us, t_us), self._run_ms(call, given_id, said)
        duration_ms, wait_ms, elapsed_only = spent(
            tool, call.mode, took_ms, ran_ms, denied=denied, queued=self._was_queued(call)
        )
        if denied and not by_person:
            wait_ms = None
        return call, ToolCall(
            t_us,
            tool,
            success,
            duration_ms,
            wait_ms,
            error,
            elapsed_only,
            call.subagent or None,
            denied,
            id=call.id,
        )

    def asking(self) -> dict[str, bool]:
        """Return for each subagent with calls whether a person may have been asked about one."""
        asking: dict[str, bool] = {}
        for call in self.all:
            if call.subagent:
                asked = asking.get(call.subagent, False)
                asking[call.subagent] = asked or may_ask(call.tool, call.mode)
        return asking

    def _was_queued(self, call: Call) -> bool:
        first = self._first_done.setdefault(call.response, call)
        if first is call:
            return False
        done = self._later_done.setdefault(call.response, [first])
        queued = any(
            before.t_us <= call.t_us < before.end_us and may_queue(call.tool, before.tool)
            for before in done[-_TOGETHER_MAX:]
        )
        done.append(call)
        return queued

    def _run_ms(self, call: Call, given_id: str, said: ToolUseResult) -> float | None:
        ran_ms = self._ran_ms.pop(given_id, None) if self._ran_ms else None
        if ran_ms is None and self._began_us:
            began_us = self._began_us.pop(given_id, None)
            if began_us is not None:
                ran_ms = span_ms(max(began_us, call.t_us), call.end_us)
        if ran_ms is None and type(said) is Result:
            ran_ms = said_ms(call.tool, said)
        return ran_ms


def _purpose(given: Input) -> tuple[str, tuple[str, ...]]:
    """Return what tells best what a call is for, and the file or folder it names."""
    path = given.file_path or given.path or given.notebook_path
    paths = (path,) if isinstance(path, str) else ()
    if isinstance(given.command, str):
        return given.command, paths
    if given.subagent_type or given.description:
        return f"{text(given.subagent_type)}: {text(given.description)}", paths
    return text(given.skill or given.pattern or given.query or given.url), paths


def _succeeded(tool: str, block: Block, said: ToolUseResult) -> bool:
    if block.is_error:
        return False
    if type(said) is Result:
        return not (
            said.interrupted is True
            or said.is_error is True
            or said.success is False
            or (said.error and isinstance(said.error, str))
            or (tool in AGENTS and text(said.status) in _FAILED)
        )
    if block.is_error is None:
        if isinstance(said, str) and said.startswith("Error: "):
            return False
        if tool in _SHELLS:
            begins = memoryview(block.content)[:12].tobytes()
            return not begins.startswith(b'"Exit code ') or begins == b'"Exit code 0'
    return True


def outcome(tool: str, block: Block, said: ToolUseResult, denial: object) -> tuple[bool, bool]:
    """Tell by its result whether a call succeeded, and whether it was denied, as events do."""
    if denial is not None:
        return False, True
    if _succeeded(tool, block, said):
        return True, False
    why = _why(block, said)
    return False, bool(_denial(why)) or _REFUSED.match(why) is not None


def _why(block: Block, said: ToolUseResult) -> str:
    try:
        content = _content_decoder.decode(block.content) if block.content else None
    except UNREADABLE:
        content = None
    if isinstance(content, list):
        content = "\n".join(part.text for part in content)
    if not content and isinstance(said, Result):
        content = text(said.error)
    if not content and isinstance(said, str):
        content = said
    return content or ""


def _printed(content: Raw) -> str:
    """Return both ends of what a command printed, without reading what is between them."""
    written = memoryview(content)
    if len(written) <= PRINTED_HEAD + PRINTED_TAIL:
        return _unescaped(written.tobytes())
    # Neither end may be cut within an escape.
    head, tail = written[:PRINTED_HEAD].tobytes(), written[-PRINTED_TAIL:].tobytes()
    cut = head.rfind(b"\\", PRINTED_HEAD - _ESCAPE_LENGTH)
    head = (head[:cut] if cut > 0 else head) + _QUOTE
    tail = _QUOTE + tail[tail.find(rb"\n") + 1 :].removeprefix(b"n")
    return f"{_unescaped(head)}\n{_unescaped(tail)}"


def _unescaped(text: bytes) -> str:
    """Return the text of a JSON string, or of what is none, as far as it can be told."""
    try:
        return _text_decoder.decode(text)
    except UNREADABLE:
        bare = text.strip(_QUOTE).decode("utf-8", "replace")
        return bare.replace(r"\n", "\n").replace(r"\"", '"')


def _denial(why: str) -> str:
    return next((line for start, line in _DENIALS.items() if why.startswith(start)), "")


def _line(why: str) -> str:
    return _known_line(why) if len(why) <= _KNOWN_LENGTH_MAX else kept_line(why)
