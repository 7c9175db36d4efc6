"""What coding agents run at a hook: keep one line of the event, and say what a budget says.

A copy of this file lies in `~/.m31a/live` and is run by bare Python (`-I -S`), which has no
package and starts in 9 ms: so it imports only what is built in, and `_json`'s scanner (`json`
itself would double the time; a search in the bytes finds what people put into a tool's input).

It never fails an agent. Whatever is missing or wrong, it ends with 0 and says nothing, but for
a line in `~/.m31a/live/trouble`, which `m31 doctor` shows. What it keeps are ids, names of
tools, outcomes, times: nobody's text.
"""

import posix
import time
from _json import encode_basestring_ascii as quoted
from _json import make_scanner
from posix import _exit as leave

INPUT_BYTES_MAX = 1 << 26
FILE_BYTES_MAX = 1 << 20
TROUBLE_BYTES_MAX = 1 << 16
LARGEST = 1 << 53  # no duration of an event is larger
NAME_CHARACTERS_MAX = 256
PATH_CHARACTERS_MAX = 4096
ID_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
ID_CHARACTERS_MAX = 128

STOPPED = (
    "A limit on spending that a person has set for this work is reached. Only a person can "
    "decide how it goes on: stop here, and do not try again."
)
"""What the model reads. How more is allowed is not for it to know."""


Object = dict[str, object]


class Event:
    """What one hook was told, by whom, and what this machine's settings are."""

    def __init__(self, live: str, agent: str, settings: Object, said: Object) -> None:
        self.live = live
        self.agent = agent
        self.settings = settings
        self.said = said
        self.t_us = time.time_ns() // 1000
        self.kind = said.get("hook_event_name")
        name = said.get("session_id")
        if not is_name(name):
            raise Trouble("was given a session id that cannot name a directory")
        self.session = str(name)


class Trouble(Exception):
    """What `m31 doctor` is to show: a few words, in which nothing of a payload stands."""


class _Strict:
    """What the scanner asks for; whatever a later Python asks beside is None."""

    strict = False
    parse_float = float
    parse_int = int
    parse_constant = float

    def __getattr__(self, name: str) -> None:
        return None


_scan = make_scanner(_Strict())  # type: ignore[arg-type]  # it asks for no more


def parse(data: bytes) -> Object:
    """Read a JSON object. Raises Trouble for anything else."""
    text = data.decode("utf-8", "replace").strip(" \t\r\n\ufeff")
    try:
        value, end = _scan(text, 0)
    except (ValueError, StopIteration, RecursionError) as error:
        raise Trouble("was given no JSON") from error
    if type(value) is not dict or end != len(text):
        raise Trouble("was given no JSON object")
    return value


def read_input() -> bytes:
    """Read what the agent writes, to its end: it may wait for us to take it all."""
    chunks = []
    length = 0
    while chunk := posix.read(0, 1 << 16):
        length += len(chunk)
        if length <= INPUT_BYTES_MAX:
            chunks.append(chunk)
    if length > INPUT_BYTES_MAX:
        raise Trouble("was given more than 64 MiB")
    return b"".join(chunks)


def load(path: str) -> Object | None:
    """Read a small JSON file of ours; None if it is not there or not what it should be."""
    try:
        descriptor = posix.open(
            path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
        )
        try:
            data = posix.read(descriptor, FILE_BYTES_MAX)
        finally:
            posix.close(descriptor)
        value = parse(data)
    except (OSError, Trouble):
        return None
    return value if value.get("format") == 1 else None


def text_of(value: object, longest: int = NAME_CHARACTERS_MAX) -> str | None:
    """Return a string that a line can hold, or None for anything else and for an empty one."""
    if type(value) is not str or not value:
        return None
    return value[:longest].encode("utf-8", "replace").decode()


def is_name(value: object) -> bool:
    """Tell whether an agent's id of a session can name a directory."""
    return (
        type(value) is str
        and 0 < len(value) <= ID_CHARACTERS_MAX
        and ID_CHARACTERS.issuperset(value)
        and value[0] not in "._-"
    )


# ---- what is kept


def line(kind: str, t_us: int, **fields: object) -> str:
    """Make one line of a journal; fields that are None are not known and left out."""
    members = [f'"event":"{kind}","t_us":{t_us}']
    for name, value in fields.items():
        if value is None:
            continue
        if value is True or value is False:
            value = "true" if value else "false"
        elif type(value) is str:
            value = quoted(value)
        members.append(f'"{name}":{value}')
    return "{" + ",".join(members) + "}"


def call_id(said: Object) -> str | None:
    """The id under which the transcript has the call: Qwen Code has one of its own for hooks."""
    return text_of(said.get("tool_call_id")) or text_of(said.get("tool_use_id"))


def call_ended(said: Object, t_us: int, success: bool) -> list[str]:
    """A tool ran. Where nobody says how long (Codex), nobody says how it went either."""
    name = text_of(said.get("tool_name"))
    number = call_id(said)
    if name is None or number is None:
        return []
    duration_ms = said.get("duration_ms")
    if type(duration_ms) is bool:
        duration_ms = None
    response = said.get("tool_response")
    elapsed_only = None
    if type(response) is dict and response.get("isAsync") is True:
        # It was launched and goes on: what was measured is the launch.
        duration_ms, elapsed_only = 0, True
    elif not isinstance(duration_ms, int | float) or not 0 <= duration_ms <= LARGEST:
        return [line("tool_end", t_us, id=number, name=name)]
    return [
        line(
            "tool_call",
            t_us,
            id=number,
            name=name,
            success=success,
            duration_ms=duration_ms,
            elapsed_only=elapsed_only,
            subagent=text_of(said.get("agent_id")),
        )
    ]


def call_begins(said: Object, t_us: int, denied: bool) -> list[str]:
    """A tool is to run, or was just denied."""
    name, number = text_of(said.get("tool_name")), call_id(said)
    if name is None or number is None:
        return []
    if not denied:
        return [line("tool_start", t_us, id=number, name=name)]
    outcome: Object = {"success": False, "duration_ms": 0, "denied": True}
    subagent = text_of(said.get("agent_id"))
    return [line("tool_call", t_us, id=number, name=name, **outcome, subagent=subagent)]


def is_persons(said: Object) -> bool:
    """Tell whether a person wrote a prompt, and not a subagent that ended, or a tool (Qwen)."""
    prompt = said.get("prompt")
    return (
        type(prompt) is str
        and bool(prompt.strip())
        and not prompt.lstrip().startswith("<task-notification>")
    )


def lines_of(event: Event, denied: bool) -> list[str]:
    """Return what is kept of an event; `denied` is what was just stopped."""
    kind, said, t_us = event.kind, event.said, event.t_us
    if kind in ("PostToolUse", "PostToolUseFailure"):
        return call_ended(said, t_us, kind == "PostToolUse")
    if kind == "PreToolUse":
        return call_begins(said, t_us, denied)
    if kind == "UserPromptSubmit" and is_persons(said) and not denied:
        return [line("user_turn", t_us)]
    if kind == "PostCompact":
        return [line("compaction", t_us, trigger=text_of(said.get("trigger")))]
    agent_type = said.get("agent_type")
    if kind == "SubagentStop" and type(agent_type) is str:
        # One without a kind is a request of the agent's own, as /compact makes.
        return [line("subagent", t_us, name=text_of(agent_type) or "")]
    return []


def keep(sessions_dir: str, event: Event, lines: list[str]) -> None:
    """Append lines to the journal of a session, in one write. Raises OSError, Trouble."""
    directory = f"{sessions_dir}/{event.session}"
    events = f"{directory}/events"
    path = f"{events}/hooks.jsonl"
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
    try:
        descriptor = posix.open(path, flags)
    except FileNotFoundError:
        prepare(sessions_dir, directory, events)
        descriptor = posix.open(path, flags | posix.O_CREAT, 0o600)
    try:
        for place in (directory, events):
            if posix.lstat(place).st_mode & 0o170000 != 0o040000:
                raise Trouble("found a link in the place of a session's directory")
        status = posix.fstat(descriptor)
        if status.st_mode & 0o170000 != 0o100000:
            raise Trouble("found no regular file in the place of a journal")
        if not status.st_size:
            lines = [begin(event), *lines]
        if lines:
            data = ("\n" + "\n".join(lines) + "\n").encode()
            if posix.write(descriptor, data) != len(data):
                raise Trouble("cannot write the whole line")
    finally:
        posix.close(descriptor)


def begin(event: Event) -> str:
    """The line with which the journal of a session begins."""
    about: Object = {"agent": event.agent, "native_id": event.session}
    about["project"] = text_of(event.said.get("cwd"), PATH_CHARACTERS_MAX)
    return line("session_start", event.t_us, **about)


def prepare(sessions_dir: str, directory: str, events: str) -> None:
    """Make the directories of a session; what it counts already becomes its journals' base."""
    for place in (sessions_dir, directory, events):
        try:
            posix.mkdir(place, 0o700)
        except FileExistsError:
            continue
    if any(name.endswith(".jsonl") for name in posix.listdir(events)):
        return
    try:
        # METRICS.json is replaced and never written into: another name for it is a copy.
        posix.link(f"{directory}/METRICS.json", f"{events}/base.json", follow_symlinks=False)
    except (FileNotFoundError, FileExistsError):
        return


# ---- what a budget says


def verdicts_of(event: Event) -> list[Object]:
    """Return the verdicts that are about this session and whose writer is still there."""
    found: list[Object] = []
    if event.settings.get("budget") is not True:
        return found
    for file in (event.session, "machine"):
        verdict = load(f"{event.live}/verdicts/{file}.json")
        if verdict is None or (file == event.session and verdict.get("name") != file):
            continue
        writer = verdict.get("writer")
        if type(writer) is str and posix.access(writer, posix.F_OK):
            found.append(verdict)
    return found


def held(verdicts: list[Object], kind: str, now_us: int) -> list[Object]:
    """Return the limits of a kind (`stops`, `warns`) that hold now, those of a past day not."""
    found = []
    for verdict in verdicts:
        listed = verdict.get(kind)
        for one in listed if type(listed) is list else ():
            if type(one) is not dict:
                continue
            until_us = one.get("until_us")
            is_over = until_us <= now_us if type(until_us) is int else one.get("scope") != "session"
            if not is_over:
                found.append(one)
    return found


def told(one: Object, what: str, name: str) -> str:
    """Say to the person which limit it is."""
    scope = text_of(one.get("scope")) or ""
    sentence = f"m31a-metrics: the {scope} budget of {text_of(one.get('limit')) or '?'} {what}"
    if used := text_of(one.get("used")):
        sentence += f" ({used} used)"
    which = f"--session {name}" if scope == "session" else f"--{scope}"
    if (text_of(one.get("limit")) or "").endswith("tokens"):
        which += " --tokens"
    return f"{sentence}. See it: m31 budget. Allow more: m31 budget allow {which} +AMOUNT"


def stopping(event: Event, stop: Object) -> str | None:
    """Return the answer that stops an agent, None where this event stops nothing."""
    reason = quoted(told(stop, "is spent", event.session))
    if event.kind == "PreToolUse":
        answer = (
            '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny",'
            f'"permissionDecisionReason":{quoted(STOPPED)}}}'
        )
        # Codex passes over `continue`; to the others a deny alone is a reason to go on trying.
        if event.agent == "codex":
            return answer + "}"
        return f'{answer},"continue":false,"stopReason":{reason}}}'
    if event.agent != "codex" and is_persons(event.said):
        return f'{{"decision":"block","reason":{reason}}}'
    return None


def warning(event: Event, one: Object) -> str | None:
    """Return the answer that tells a person of a limit that is near; None if it was told."""
    scope = one.get("scope")
    if scope not in ("session", "day", "month"):
        return None
    mark = event.session if scope == "session" else f"{scope}-{one.get('until_us')}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        make(f"{event.live}/warned")
        posix.close(posix.open(f"{event.live}/warned/{mark}", flags, 0o600))
    except OSError:
        return None
    return f'{{"systemMessage":{quoted(told(one, "is nearly spent", event.session))}}}'


def make(directory: str) -> None:
    """Make a directory that may be there."""
    try:
        posix.mkdir(directory, 0o700)
    except FileExistsError:
        return


def answer_of(event: Event, verdicts: list[Object]) -> tuple[str | None, bool]:
    """Return what to answer, and whether that stops what the event is about."""
    if event.kind not in ("PreToolUse", "UserPromptSubmit"):
        return None, False
    for stop in held(verdicts, "stops", event.t_us):
        answer = stopping(event, stop)
        return answer, answer is not None
    if event.agent != "codex":
        for one in held(verdicts, "warns", event.t_us):
            if answer := warning(event, one):
                return answer, False
    return None, False


# ---- settling


def settle(event: Event, is_near: bool) -> None:
    """Start a settling in a process of its own, unless one began within the last seconds.

    An event that comes too early has the next one wait for its time, so that the last event
    of a turn is settled too. A session that begins is settled for what others spent since, and
    a prompt costs nothing yet: neither keeps the first call's settling waiting.
    """
    if event.kind == "UserPromptSubmit" and not is_near:
        return
    python = event.settings.get("python")
    every_s = event.settings.get("settle_every_s")
    transcript = event.said.get("transcript_path")
    if type(python) is not str or (type(every_s) is not int and type(every_s) is not float):
        return
    if not posix.access(python, posix.X_OK):
        raise Trouble("cannot settle: its Python is gone")
    wait_s: float | None = 0.0
    if not is_near and event.kind != "SessionStart":
        wait_s = due_in_s(f"{event.live}/settling", event.session, every_s)
    if wait_s is None or posix.fork():
        return
    try:
        posix.setsid()
        posix.chdir("/")
        detach()
        if wait_s:
            time.sleep(wait_s)
        about = [event.agent, event.session, transcript if type(transcript) is str else ""]
        posix.execv(python, [python, "-P", "-E", "-m", "m31a_metrics.settle", *about])
    finally:
        leave(0)


def due_in_s(settling: str, name: str, every_s: float) -> float | None:
    """Note that a settling begins, and when; None where one is to begin already."""
    make(settling)
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
    path = f"{settling}/{name}"
    now_s = time.time()
    try:
        last_s = posix.stat(path).st_mtime
    except FileNotFoundError:
        posix.close(posix.open(path, flags, 0o600))
        return 0.0
    wait_s = last_s + every_s - now_s
    if wait_s > every_s:
        if wait_s <= 2 * every_s:
            return None  # it waits for its time
        wait_s = 0.0  # a clock that was set back
    wait_s = max(wait_s, 0.0)
    posix.utime(path, (now_s + wait_s, now_s + wait_s))
    return wait_s


def detach() -> None:
    """Let go of everything that the agent opened, and of what it waits to be closed."""
    try:
        numbers = [int(name) for name in posix.listdir("/dev/fd")]
    except OSError:
        numbers = list(range(1024))
    for number in numbers:
        try:
            posix.close(number)
        except OSError:
            continue
    for number in range(3):
        if posix.open("/dev/null", posix.O_RDWR) != number:
            return


# ---- the whole


def attend(live: str, agent: str) -> None:
    """Attend to one event. Raises OSError, Trouble."""
    said = parse(read_input())
    if posix.environ.get(b"M31A_METRICS_ENABLED", b"").lower() in (b"0", b"false", b"no", b"off"):
        return
    settings = load(f"{live}/live.json")
    sessions_dir = None if settings is None else settings.get("sessions_dir")
    if settings is None or type(sessions_dir) is not str:
        raise Trouble("cannot record: live.json is missing or damaged")
    if not sessions_dir.startswith("/"):
        return  # recording is switched off
    event = Event(live, agent, settings, said)
    verdicts = verdicts_of(event)
    answer, is_stopped = answer_of(event, verdicts)
    if answer is not None:
        posix.write(1, answer.encode())
    try:
        keep(sessions_dir, event, lines_of(event, is_stopped))
        fired(live, agent)
    finally:
        settle(event, is_stopped or any(verdict.get("is_near") is True for verdict in verdicts))


def fired(live: str, agent: str) -> None:
    """Leave the time for `m31 hooks status`: it tells whether an agent runs its hooks at all."""
    path = f"{live}/fired/{agent}"
    try:
        posix.utime(path, None, follow_symlinks=False)
    except FileNotFoundError:
        make(f"{live}/fired")
        flags = posix.O_WRONLY | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_CLOEXEC
        posix.close(posix.open(path, flags, 0o600))


def note(live: str, agent: str, words: str) -> None:
    """Leave a line for `m31 doctor`; a disk that takes none is no reason to fail."""
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_NONBLOCK
    try:
        descriptor = posix.open(f"{live}/trouble", flags | posix.O_CLOEXEC, 0o600)
        if posix.fstat(descriptor).st_size < TROUBLE_BYTES_MAX:
            posix.write(descriptor, f"{time.time_ns() // 1000} {agent} {words}\n".encode())
    except OSError:
        return


def main(live: str, agent: str) -> None:
    """Attend to the event on stdin and leave, whatever happens."""
    try:
        posix.umask(0o077)
        attend(live, agent)
    except Trouble as trouble:
        note(live, agent, str(trouble))
    except OSError as error:
        note(live, agent, f"cannot record: {posix.strerror(error.errno or 0)}")
    except BaseException as error:  # noqa: BLE001 - whatever it is, no agent is to fail of it
        note(live, agent, f"has a bug: {type(error).__name__}")
    leave(0)
