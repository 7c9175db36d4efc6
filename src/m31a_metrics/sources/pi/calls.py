"""Tool calls of pi and their results, paired by id.

pi asks nobody before a tool runs. It runs the calls of one answer one after the other, or,
since format 3, at once. So the first call's time is that of its run in any case, and that
of a later one in the old formats, where it begins when the one before it has ended.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.json import Decoder

from m31a_metrics.events import ToolCall
from m31a_metrics.figures import call_key, error_text, printed_ends, text
from m31a_metrics.jsonlines import UNREADABLE
from m31a_metrics.kept_lines import kept_line
from m31a_metrics.sources.pi.records import Arguments, Block, Message
from m31a_metrics.timestamps import span_ms
from m31a_metrics.transcript import Call

# pi runs no call of an answer that did not come to its end.
_CUT_OFF = frozenset(("aborted", "error"))

_SHELL = "bash"

_text_decoder = Decoder(str)


class _Answer(Struct):
    """The calls of one answer: when the latest of them ended, if one did."""

    end_us: int = 0


class _Open(Struct):
    call: Call
    answer: _Answer


class Calls:
    """The calls of one session by id."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self.at_once = False
        self._open: dict[str, _Open] = {}

    def made(self, message: Message, t_us: int, response: str) -> list[Call]:
        """Take the calls of an answer that was complete at `t_us`; return them."""
        if message.stop_reason in _CUT_OFF:
            return []
        answer = _Answer()
        found: list[Call] = []
        for block in message.content if isinstance(message.content, list) else []:
            if block.type != "toolCall":
                continue
            command, paths = _purpose(block)
            call_id = self._unique(call_key(text(block.id), t_us))
            call = Call(call_id, t_us, text(block.name) or "unknown", command, paths)
            call.response = response
            # A provider may number its calls anew: then a result is that of the latest.
            self._open[text(block.id)] = _Open(call, answer)
            found.append(call)
        return found

    def result(self, message: Message, t_us: int) -> ToolCall | None:
        """Take a result; return the call's event, None if there is no such call."""
        found = self._open.pop(text(message.tool_call_id), None)
        if found is None:
            return None
        call, answer = found.call, found.answer
        began_us = max(call.t_us, answer.end_us)
        after_another, answer.end_us = answer.end_us > 0, max(answer.end_us, t_us)
        call.end_us, call.success = t_us, message.is_error is not True
        if call.tool == _SHELL:
            call.printed = printed_ends(_said(message))
        if not call.success:
            call.error = error_text(_said(message))
        return ToolCall(
            id=call.id,
            t_us=t_us,
            name=call.tool,
            success=call.success,
            duration_ms=span_ms(began_us, t_us),
            error=kept_line(call.error) or None,
            elapsed_only=after_another and self.at_once,
        )

    def _unique(self, wanted: str) -> str:
        found, again = wanted, 1
        while found in self._ids:
            again += 1
            found = f"{wanted}#{again}"
        self._ids.add(found)
        return found


def _purpose(block: Block) -> tuple[str, tuple[str, ...]]:
    given = block.arguments
    if not isinstance(given, Arguments):
        return "", ()
    paths = (given.path,) if given.path and isinstance(given.path, str) else ()
    said = (given.command, given.pattern, given.query, given.url)
    return next((one for one in said if text(one)), ""), paths


def _said(message: Message) -> str:
    if not isinstance(message.content, list):
        return message.content or ""
    return "\n".join(_text(block) for block in message.content if block.text)


def _text(block: Block) -> str:
    try:
        return _text_decoder.decode(block.text)
    except UNREADABLE:
        return ""
