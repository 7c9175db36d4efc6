"""Tool calls of a Codex thread: each call, what came of it, and when.

A call's result may come in several records: an end event with the exact figures, the
text for the model, and, for a command that went on in the background, the poll that saw
it end. docs/counting-codex.md tells the rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from m31a_metrics.events import Event
from m31a_metrics.figures import error_text, printed_ends
from m31a_metrics.jsonlines import UNREADABLE, decode_json
from m31a_metrics.sources.codex.records import (
    Arguments,
    Duration,
    Item,
    Payload,
    Result,
    arguments_decoder,
    commands_decoder,
    report_decoder,
)
from m31a_metrics.sources.shared import CallIds, tool_call
from m31a_metrics.timestamps import millis, span_ms
from m31a_metrics.transcript import PROMPT_CHARS, Call

# What a tool gave back to the model -> how the call went.
#
# Codex writes results as text for the model. A header tells the exit code and the run time;
# older versions wrote JSON with the same; refusals and errors are one plain sentence. Only
# the header is looked at, for a command may print anything.

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


# Why a call was not let run: by a person, a rule, a hook, or a model that judges risks.
_REASONS = (
    r"(?:rejected by (?:user|configuration)\b|rejected: (?:blocked by policy|policy forbids|rm -f)"
    r"|approval required by policy, but |approval policy is [^\n]{0,80}; reject command"
    r"|This action was rejected due to unacceptable risk"
    r"|user (?:rejected|denied|cancelled|canceled) MCP tool call)"
)
_DENIED = re.compile(
    r"(?:err(?:or)?: )?\"?(?:"
    r"(?:Command|Tool call) blocked by \w{1,40} hook\b"
    rf"|(?:[\w./-]+ ){{0,3}}{_REASONS}|patch rejected: .{{0,200}}\brejected by user\b"
    rf"|`(?s:.){{1,8192}}` {_REASONS}"
    # What was to be started is told first, and may hold any text.
    rf"|(?s:.){{1,8192}}\bRejected\(\\*\"(?:`(?s:.){{1,8192}}` )?{_REASONS})"
)
# One of these is in whatever `_DENIED` finds, and in hardly anything else.
_DENIED_HINTS = ("ejected", "blocked by", "approval", "MCP tool call")
_DENIED_CHARS = 20_000
_BY_PERSON = re.compile(r"\b(?:rejected by user|user (?:rejected|denied|cancelled|canceled))\b")
DECLINED = "declined"


class Outcome(Struct, gc=False):
    """How a call went, as far as its result tells.

    `success` None: the result does not say, for the command still runs in the background
    as `session`. `run_ms` is how long it ran, without any wait before it. `exited`: the
    result tells the end of a process or a script, which `success` is of. `inside`: what failed
    is a command that a script ran, and not the script. `printed` is how what a command printed
    begins and ends. `denied`: it was not let run.
    """

    success: bool | None = True
    error: str = ""
    run_ms: float | None = None
    session: str = ""
    exited: bool = False
    inside: bool = False
    printed: str = ""
    denied: bool = False


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
            read.denied = read.denied and not output.success
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
        error = _failed_inside(text[body:]) if "script" in said else ""
        is_end = exited or "script" in said
        return Outcome(not error, error, ran_ms, exited=is_end, inside=bool(error))
    error = error_text(text[body:].strip())
    if not error:
        error = f"exit code {said['exit']}" if exited else f"script {said['script']}"
    return Outcome(False, error, ran_ms, exited=True)


def _failed_inside(body: str) -> str:
    """Return what a command printed that failed in a script which went on; "" if none did.

    A script may show the results of its commands as it got them, each or all together.
    """
    for shown in (body, *body.split("\n")):
        if '"exit_code"' not in shown:
            continue
        try:
            read = decode_json(commands_decoder(), shown)
        except UNREADABLE:
            continue
        for report in read if isinstance(read, list) else [read]:
            if report.wall_time_seconds is not None and report.exit_code:
                return error_text(report.output or "") or f"exit code {report.exit_code}"
    return ""


def is_denial(text: str) -> bool:
    """Tell whether a result says that its call was not let run."""
    begins = text[:_DENIED_CHARS]
    return any(hint in begins for hint in _DENIED_HINTS) and _DENIED.match(begins) is not None


def _of_sentence(text: str) -> Outcome:
    if is_denial(text):
        return Outcome(False, error_text(text), denied=True)
    if _REFUSED.match(text):
        return Outcome(False, error_text(text))
    return Outcome()


def _of_json(text: str) -> Outcome | None:
    try:
        read = decode_json(report_decoder(), text)
    except UNREADABLE:
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


_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.{1,4096})$", re.MULTILINE)
_ESCALATED = "require_escalated"
USER_SHELL = "user_shell"
SHELLS = ("-c", "-lc", "/c", "-Command")
# These never need permission, so what passes while they run is run time.
_FREE = frozenset(
    (
        "close_agent",
        "list_agents",
        "read_file",
        "resume_agent",
        "send_input",
        "spawn_agent",
        "tool_search",
        "update_plan",
        "view_image",
        "wait",
        "wait_agent",
        "write_stdin",
    )
)

# This does nothing but wait for a person's answer.
_ASKS = "request_user_input"

_RUNS_SCRIPT = "exec"
RUNS_COMMAND = "exec_command"
PATCHES = "apply_patch"
POLLS = "write_stdin"
_MCP_END = "mcp_tool_call_end"
_HANDED_OVER_CHARS = 300
_RANDOM_CHARS = 20
DONE = ("completed", "success")
GOING_ON = ("in_progress", "searching", "generating")


class _Open(Struct, gc=False):
    """A call that is not over. `asked_permission`: a person had to permit it.

    `has_calls`: it is a script, and the calls it made are counted themselves.
    """

    call: Call
    key: str
    asked_permission: bool = False
    no_approvals: bool = False
    target: str = ""
    seen_us: int = 0
    success: bool | None = None
    error: str = ""
    run_ms: float | None = None
    in_background: bool = False
    has_calls: bool = False
    denied: bool = False


def call_id_of(given: str, thread_id: str) -> str:
    """Return an id that no other call has, but for its copies in other threads.

    OpenAI's ids are random. Other providers may number theirs from 0 in each response.
    """
    return given if len(given) >= _RANDOM_CHARS else f"{thread_id}:{given}"


class Calls:
    """The calls of one thread, in the order of the file."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.thread_id = ""
        self.subagent = ""
        self.mode = ""
        self.approval_policy = ""
        self._skip = skip
        self._ids = CallIds()
        self._open: dict[str, _Open] = {}
        self._background: dict[str, str] = {}
        self._web_searches: list[str] = []
        self._unanswered: list[Call] = []

    def answered(self, response: str) -> None:
        """Note which LLM response made the calls since the last one."""
        for call in self._unanswered:
            call.response = response
        self._unanswered.clear()

    def begin(self, payload: Payload, t_us: int) -> None:
        """Take a call; its result comes later."""
        self._begin(payload, t_us)

    def _begin(self, payload: Payload, t_us: int) -> _Open:
        call_id = payload.call_id or payload.id or f"call-{len(self.calls)}"
        arguments = _arguments(payload)
        target = str(arguments.session_id or arguments.cell_id or "")
        call = Call(
            self._unique(call_id),
            t_us,
            tool_name(payload),
            command=_command(arguments) or _handed_over(arguments) or _script(payload),
            subagent=self.subagent,
            mode=self.mode,
        )
        call.paths = _paths(arguments, call.command or _text(payload))
        if arguments.message:
            call.description = arguments.message[:PROMPT_CHARS]
        polled = self._open.get(self._background.get(target, ""))
        if polled is not None and not call.command:
            call.command = polled.call.command
            call.polls = polled.call.id
        self.calls.append(call)
        self._unanswered.append(call)
        opened = self._open[call_id] = _Open(
            call,
            call_id,
            asked_permission=arguments.sandbox_permissions == _ESCALATED
            or bool(arguments.with_escalated_permissions),
            no_approvals=self.approval_policy == "never" or call.tool in _FREE,
            target=target,
        )
        return opened

    def end(self, payload: Payload, t_us: int) -> None:
        """Take a result as the model got it. That of an unknown call is passed over."""
        call_id = payload.call_id or ""
        opened = self._open.get(call_id)
        if opened is None or opened.in_background:
            return
        read = outcome(payload.output)
        polled = self._background.get(opened.target) if opened.target else None
        script = self._open.get(polled or call_id, opened)
        if read.inside and script.has_calls:
            read.success, read.error = True, ""
        opened.seen_us = t_us
        opened.denied = opened.denied or read.denied
        if opened.call.command:
            opened.call.printed = read.printed
        if opened.run_ms is None:
            opened.run_ms = read.run_ms
        if polled is not None and (read.exited or read.session):
            if read.exited:
                if polled in self._open:
                    self._open[polled].call.printed = read.printed
                self._exit(polled, t_us, bool(read.success), read.error)
            self._finish(call_id, True, "")
        elif read.success is None and opened.success is None:
            self._background[read.session] = call_id
            opened.in_background = True
        elif opened.success is None:
            self._finish(call_id, bool(read.success), read.error)
        else:
            self._finish(call_id, opened.success, opened.error or read.error)

    def executed(self, payload: Payload, t_us: int) -> None:
        """Take the end event of a command, which may have gone on in the background."""
        opened = self._open.get(payload.call_id or "")
        if payload.exit_code is None or payload.source == USER_SHELL:
            return
        ran_ms = run_ms(payload.duration)
        if opened is None:
            printed = payload.aggregated_output or ""
            made = Payload(name=RUNS_COMMAND, arguments=Arguments(cmd=payload.command))
            error = "" if payload.exit_code == 0 else printed or f"exit code {payload.exit_code}"
            call = self._of_script(payload, made, t_us, payload.exit_code == 0, error_text(error))
            if call is not None:
                call.printed = printed_ends(printed)
        elif opened.in_background:
            self._exit(opened.key, t_us, payload.exit_code == 0, "", ran_ms)
        else:
            opened.success, opened.seen_us, opened.run_ms = payload.exit_code == 0, t_us, ran_ms
            opened.denied = opened.denied or payload.status == DECLINED

    def reported(self, payload: Payload, t_us: int) -> None:
        """Take the end event of a patch, of an MCP call, or of a client's own tool."""
        success, error = payload.success, ""
        if isinstance(payload.result, Result):
            success, error = mcp_outcome(payload.result)
        if success is None:
            return
        call_id = payload.call_id or f"call-{len(self.calls)}"
        ran_ms = run_ms(payload.duration)
        opened = self._open.get(call_id)
        if opened is None:
            tool = payload.invocation
            name = f"mcp__{tool.server}__{tool.tool}" if tool is not None else PATCHES
            call = self._of_script(payload, Payload(name=name), t_us, success, error)
            if call is not None and payload.changes:
                call.paths = tuple(payload.changes)
            return
        if payload.changes:
            opened.call.paths = tuple(payload.changes)
        opened.success, opened.error, opened.seen_us = success, error, t_us
        opened.denied = payload.status == DECLINED or is_denial(error)
        opened.run_ms = ran_ms if ran_ms is not None else opened.run_ms

    def _of_script(
        self, ended: Payload, made: Payload, t_us: int, success: bool, error: str
    ) -> Call | None:
        """Count a call that a script of the model made: no other record than its end tells of it.

        It was made by the response that made the script. None where no script runs, or the call
        is known.
        """
        call_id = ended.call_id or ""
        script = next((one for one in self._open.values() if one.call.tool == _RUNS_SCRIPT), None)
        is_mcp = ended.type == _MCP_END  # which names the call; an item may have its own name
        if self._is_known(call_id) or not (script or is_mcp) or not (call_id or is_mcp):
            return None
        if script is not None:
            script.has_calls = True
        made.call_id = call_id = call_id or f"call-{len(self.calls)}"
        ran_ms = run_ms(ended.duration)
        opened = self._begin(made, t_us - round((ran_ms or 0) * 1_000))
        call = opened.call
        if script is not None and script.call not in self._unanswered:
            call.response = script.call.response
            self._unanswered.remove(call)
        opened.seen_us, opened.run_ms = t_us, ran_ms
        opened.denied = ended.status == DECLINED or is_denial(error)
        self._finish(call_id, success, error)
        return call

    def searched(self, payload: Payload) -> None:
        """Take a web search's id; the record of the call, which lacks it, comes next."""
        if payload.call_id:
            self._web_searches.append(payload.call_id)

    def at_once(self, payload: Payload, t_us: int) -> None:
        """Take a call that the provider ran itself: its one record is its result too."""
        if payload.type == "web_search_call" and self._web_searches:
            payload.call_id = self._web_searches.pop(0)
        status = payload.status if isinstance(payload.status, str) else ""
        opened = self._begin(payload, t_us)
        if status in GOING_ON:
            return
        # Nobody wrote when it began, so its duration is none at all.
        opened.seen_us, opened.no_approvals = t_us, False
        self._finish(opened.key, status in DONE or not status, "")

    def close(self) -> list[Event]:
        """Settle what is still open at the end, and return the events."""
        for call_id, opened in list(self._open.items()):
            if opened.success is not None:
                self._finish(call_id, opened.success, opened.error)
            elif opened.in_background:
                # How the command went was never seen. The call did what it was for: it
                # started the command and gave its id.
                self._finish(call_id, True, "")
        return self.events

    def _exit(
        self, call_id: str, t_us: int, success: bool, error: str, ran_ms: float | None = None
    ) -> None:
        """Finish a command that went on in the background; `ran_ms` where that is known.

        Otherwise it ran at most from its start until it was seen to have ended.
        """
        opened = self._open.get(call_id)
        if opened is None:
            return
        started_us = opened.seen_us - round((opened.run_ms or 0) * 1_000)
        opened.seen_us = t_us
        opened.run_ms = ran_ms
        self._finish(call_id, success, error, started_us=started_us)

    def _finish(self, call_id: str, success: bool, error: str, started_us: int = 0) -> None:
        """Count a call. `started_us`: when it began to run, if not when it was made."""
        opened = self._open.pop(call_id)
        call = opened.call
        call.success, call.end_us = success, opened.seen_us
        call.error = "" if success else error
        call.denied = denied = opened.denied and not success
        span = span_ms(started_us or call.t_us, opened.seen_us)
        ran_ms = opened.run_ms
        wait_ms = None
        if denied:
            # It never ran: what passed is the time that a person took, if one was asked.
            wait_ms, span, ran_ms = (span if _BY_PERSON.search(error) else None), 0.0, None
        elif call.tool == _ASKS:
            wait_ms, span = span, 0.0
        elif opened.asked_permission and not opened.no_approvals and ran_ms is not None:
            wait_ms = round(max(0.0, span - ran_ms), 3)
        if call.id in self._skip:
            return
        self.events.append(
            tool_call(
                call,
                round(span if ran_ms is None else ran_ms, 3),
                wait_ms=wait_ms,
                elapsed_only=(
                    ran_ms is None and not denied and bool(started_us or not opened.no_approvals)
                ),
            )
        )

    def _is_known(self, call_id: str) -> bool:
        return call_id in self._ids or f"{self.thread_id}:{call_id}" in self._ids

    def _unique(self, call_id: str) -> str:
        """Return an id that no other call has, in this thread or any other but its copies."""
        return self._ids.unique(call_id_of(call_id, self.thread_id))


def tool_name(payload: Payload) -> str:
    """Return a tool's name with its namespace, which versions separate differently."""
    name = payload.name or payload.type.removesuffix("_call")
    space = payload.namespace or ""
    if not space:
        return name
    joint = "" if space.endswith("_") or name.startswith("_") else "__"
    return f"{space}{joint}{name}"


def _text(payload: Payload) -> str:
    """Return what a call was made with, where it is one text (a patch, a script)."""
    given = payload.input if payload.input is not None else payload.arguments
    return given if isinstance(given, str) else ""


def _arguments(payload: Payload) -> Arguments:
    for given in (payload.arguments, payload.input, payload.action):
        if isinstance(given, Arguments):
            return given
        if given and given.startswith("{"):
            try:
                return decode_json(arguments_decoder(), given)
            except UNREADABLE:
                continue
    return Arguments()


def _command(arguments: Arguments) -> str:
    command = arguments.cmd if arguments.cmd is not None else arguments.command
    if isinstance(command, str):
        return command
    words: Sequence[str] = command or ()
    # `bash -lc SCRIPT` is how every command was written once.
    if len(words) == 3 and words[1] in SHELLS:
        return words[2]
    from shlex import join

    return join(words)


def _handed_over(arguments: Arguments) -> str:
    """Return which agent was given which work."""
    if not arguments.message:
        return ""
    return f"{arguments.agent_type or ''}: {arguments.message[:_HANDED_OVER_CHARS]}"


def _script(payload: Payload) -> str:
    """Return the script of a call that makes other calls."""
    return _text(payload) if payload.name == _RUNS_SCRIPT else ""


def _paths(arguments: Arguments, text: str) -> tuple[str, ...]:
    patch = arguments.patch or arguments.input or text
    if "*** Begin Patch" in patch:
        return tuple(dict.fromkeys(path.strip() for path in _PATCHED.findall(patch)))
    return tuple(path for path in (arguments.file_path, arguments.path, arguments.dir_path) if path)


def mcp_outcome(result: Result) -> tuple[bool, str]:
    """Tell whether an MCP server's call succeeded, and its error."""
    if result.Err is not None:
        return False, error_text(result.Err)
    answer = result.Ok
    failed = not isinstance(answer, str | None) and bool(answer.isError or answer.is_error)
    return not failed, ""
