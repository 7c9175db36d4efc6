"""What a tool gave back to the model -> how the call went.

Codex writes results as text for the model. A header tells the exit code and the run time;
older versions wrote JSON with the same; refusals and errors are one plain sentence. Only
the header is looked at, for a command may print anything.
"""

from __future__ import annotations

import re

from msgspec import MsgspecError, Struct

from m31a_metrics.figures import error_text, printed_ends
from m31a_metrics.sources.codex.records import Duration, Item, report_decoder
from m31a_metrics.timestamps import millis

_HEADER_CHARS = 1_000
_FIRST_WORDS = ("Chunk ID:", "Wall time", "Exit code:", "Process ", "Script ")

# The lines of a header, each with one figure. All that comes behind `Output:` is the tool's.
_HEADER = re.compile(
    r"^(?:Wall time:? (?P<wall>[\d.]{1,20}) seconds?"
    r"|(?:Process exited with code|Exit code:) (?P<exit>-?\d{1,10})"
    r"|(?:Process running with session ID|Script running with cell ID) (?P<session>\S{1,64})"
    r"|Script (?P<script>completed|failed|terminated)"
    r"|(?P<output>Output:)[ \t]*$)",
    re.MULTILINE,
)

# What Codex itself says when a call came to nothing. No tool's own output begins so.
_REFUSED = re.compile(
    r"(?:err(?:or)?|failed|execution error|aborted|unsupported (?:call|custom tool)|tool call error"
    r"|(?:[\w./-]+ ){1,2}(?:failed|rejected)\b|(?:[\w./-]+ ){0,3}rejected by user"
    r"|(?:unknown|invalid|missing|unable to|cannot|could not)\b"
    r"|(?:agent|session) with id \S+ not found"
    r"|no such |command timed out|timed out|timeout\b|user (?:rejected|denied|cancelled|canceled))",
    re.IGNORECASE,
)


class Outcome(Struct, gc=False):
    """How a call went, as far as its result tells.

    `success` None: the result does not say, for the command still runs in the background
    as `session`. `run_ms` is how long it ran, without any wait before it. `exited`: the
    result tells a process's exit code, which `success` is of. `printed` is how what a
    command printed begins and ends.
    """

    success: bool | None = True
    error: str = ""
    run_ms: float | None = None
    session: str = ""
    exited: bool = False
    printed: str = ""


def outcome(output: list[Item] | Item | str | None) -> Outcome:
    """Read a result."""
    if isinstance(output, str):
        return _of_text(output)
    if isinstance(output, Item):
        text = output.content if output.text is None else output.text
        read = _of_text(text or "")
        if output.success is not None:
            read.success = output.success
            read.error = "" if output.success else read.error or text or ""
        return read
    return _of_text("\n".join(item.text for item in output or () if item.text))


def run_ms(duration: Duration | str | None) -> float | None:
    """Return an exact duration in milliseconds."""
    if not isinstance(duration, Duration):
        return None
    seconds, nanos = millis(duration.secs, 1_000), millis(duration.nanos, 1e-6)
    return None if seconds is None or nanos is None else millis(seconds + nanos)


def _of_text(text: str) -> Outcome:
    read = _read_text(text)
    read.printed = printed_ends(text)
    return read


def _read_text(text: str) -> Outcome:
    if text.startswith("{"):
        read = _of_json(text)
        if read is not None:
            return read
    if not text.startswith(_FIRST_WORDS):
        return _of_sentence(text)
    said: dict[str, str] = {}
    body = 0
    for line in _HEADER.finditer(text, 0, _HEADER_CHARS):
        key = line.lastgroup or ""
        body = line.end()
        if key == "output":
            break
        said.setdefault(key, line[key])
    if not said:
        return _of_sentence(text)
    ran_ms = millis(_number(said.get("wall", "")), 1_000)
    if "session" in said:
        return Outcome(None, run_ms=ran_ms, session=said["session"])
    exited = "exit" in said
    success = int(said["exit"]) == 0 if exited else said.get("script", "completed") == "completed"
    if success:
        return Outcome(True, run_ms=ran_ms, exited=exited)
    error = error_text(text[body:].strip())
    if not error:
        error = f"exit code {said['exit']}" if exited else f"script {said['script']}"
    return Outcome(False, error, ran_ms, exited=exited)


def _of_sentence(text: str) -> Outcome:
    if _REFUSED.match(text):
        return Outcome(False, error_text(text))
    return Outcome()


def _of_json(text: str) -> Outcome | None:
    try:
        read = report_decoder().decode(text)
    except (MsgspecError, ValueError, RecursionError):
        return None
    said = read.output or _joined(read.content) or _joined(read.error)
    code = read.metadata.exit_code if read.metadata else None
    success = code == 0 if code is not None else not read.isError and not read.error
    ran_ms = millis(read.metadata.duration_seconds, 1_000) if read.metadata else None
    error = "" if success else error_text(said) or (f"exit code {code}" if code is not None else "")
    return Outcome(success, error, ran_ms)


def _joined(content: list[Item] | Item | str | None) -> str:
    if isinstance(content, Item):
        return content.text or content.content or ""
    if isinstance(content, str):
        return content
    return "\n".join(item.text for item in content or () if item.text)


def _number(digits: str) -> float | None:
    try:
        return float(digits)
    except ValueError:
        return None
