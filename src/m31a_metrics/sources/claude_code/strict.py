"""What a stricter reader takes of a response, so that the audit can tell why it shows less.

Strict means as ccusage 20 reads, tried line by line: it looks for the bytes `"usage":{`,
wants a version of three numbers and counts of input and output, and passes over a line
with null or an empty text in any of the names that it reads, or null behind such a name
anywhere else. docs/counting.md has the table.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from m31a_metrics.sources.claude_code.records import (
    Block,
    Data,
    Envelope,
    Input,
    Line,
    Message,
    Name,
    TokenCounts,
)
from m31a_metrics.transcript import Effects

SPACED, NULL, VERSIONLESS = "spaced", "null", "versionless"
"""Why a line is passed over: how Effects calls it."""

_USAGE = b'"usage":{'
_BEGINS_SPACED = re.compile(rb'\s*\{"[^"]*": ')
_SMALL_BYTES = 2**15
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def mark_spaced(data: memoryview, lines: list[Line]) -> None:
    """Mark usage with a blank behind its name in a chunk, and the lines that were made of it.

    To look for it in every line would take a tenth of the time of reading them. But whoever
    writes blanks writes them everywhere, so a chunk's first line tells; small ones are
    looked through.
    """
    if _BEGINS_SPACED.match(data) is None and len(data) > _SMALL_BYTES:
        return
    written = [line for line in bytes(data).split(b"\n") if line.strip(b"\0 \t\r")]
    if len(written) == len(lines):
        for text, line in zip(written, lines, strict=True):
            mark_line(text, line)


def mark_line(text: bytes, line: Line) -> None:
    """Mark the usage of one line if it has a blank behind its name."""
    message = line.message
    if type(line.data) is Data and type(line.data.message) is Envelope:
        message = line.data.message.message
    if type(message) is Message and message.usage is not None and _USAGE not in text:
        message.usage.is_spaced = True


def passed_over(line: Line | Envelope, message: Message, counts: TokenCounts) -> str:
    """Tell why a stricter reader does not take a line; "" if it does."""
    if counts.is_spaced:
        return SPACED
    # Most lines have every name; only of others it matters which one, and in what way.
    if not (message.id and message.model and line.request_id) and _lacks(
        message.id, message.model, line.request_id
    ):
        return NULL
    content = message.content
    if _is_uncounted(counts) or (type(content) is list and _has_null(content)):
        return NULL
    if type(line) is not Line:
        return ""
    version = line.version
    if (
        line.cwd is None
        or line.cost_usd is None
        or line.is_api_error_message is None
        or (not (version and line.session_id) and _lacks(version, line.session_id))
    ):
        return NULL
    return VERSIONLESS if version and not _is_version(version) else ""


def _lacks(*names: Name) -> bool:
    """Tell whether one of these is null or empty; one that the file has not is neither."""
    return None in names or "" in names


def _is_uncounted(counts: TokenCounts) -> bool:
    split = counts.cache_creation
    return (
        counts.input_tokens is None
        or counts.output_tokens is None
        or counts.cache_read_input_tokens is None
        or counts.cache_creation_input_tokens is None
        or counts.speed is None
        or (
            split is not None
            and (split.ephemeral_5m_input_tokens is None or split.ephemeral_1h_input_tokens is None)
        )
    )


def _has_null(content: list[Block]) -> bool:
    """Tell whether a tool was given null by a name that is looked for in the whole line."""
    for block in content:
        given = block.input
        if type(given) is Input and (
            given.id is None
            or given.model is None
            or given.cwd is None
            or given.version is None
            or given.speed is None
            or given.request_id is None
            or given.session_id is None
        ):
            return True
    return False


@lru_cache(maxsize=256)
def _is_version(version: str) -> bool:
    return _VERSION.match(version) is not None


class Strict(Struct, gc=False):
    """The greatest totals that are taken for a response, from lines and from progress records.

    `times` is for responses without a request, which count again at each time.
    """

    reason: str = ""
    own: int | None = None
    progress: int | None = None
    times: dict[int, int] | None = None

    def take(self, reason: str, total: int, *, is_progress: bool) -> None:
        """Take a line, or the reason for which it is passed over."""
        if reason:
            self.reason = reason
        elif is_progress:
            self.progress = max(self.progress or 0, total)
        else:
            self.own = max(self.own or 0, total)

    def take_at(self, t_us: int, total: int) -> None:
        """Take a line of a response without a request."""
        if self.times is None:
            self.times = {}
        self.times[t_us] = max(self.times.get(t_us, 0), total)

    def tell(self, effects: Effects, total: int, unsplit: int, uncounted: int) -> None:
        """Add to the effects how far the strict total is from the response's own.

        `unsplit` of its tokens are cache writes that a split leaves out, `uncounted` those
        of samplings that are left out.
        """
        strict = self.own if self.progress is None else self.progress
        if strict is None:
            if self.reason == SPACED:
                effects.spaced_responses += 1
                effects.spaced_tokens += total
            elif self.reason == NULL:
                effects.null_responses += 1
                effects.null_tokens += total
            else:
                effects.versionless_responses += 1
                effects.versionless_tokens += total
            return
        if self.progress is not None and self.own is not None:
            effects.progress_other_tokens += strict - total
        else:
            effects.uncounted_tokens += uncounted
            if unsplit:
                effects.unsplit_tokens += total - uncounted - strict
            else:
                effects.greater_tokens += strict + uncounted - total
        if self.times:
            effects.unnamed_tokens += sum(self.times.values()) - strict


def unsplit_tokens(counts: TokenCounts) -> int:
    """Return how many tokens written to the cache the split of a usage leaves out."""
    split = counts.cache_creation
    if split is None:
        return 0
    told = (split.ephemeral_5m_input_tokens or 0) + (split.ephemeral_1h_input_tokens or 0)
    return max(0, (counts.cache_creation_input_tokens or 0) - told)
