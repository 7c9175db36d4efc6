"""What a coding agent shows below its prompt: cost, budget, context, phase; in one line.

Started about every second by `python -I -S` on a copy in `~/.m31a/live`, so it needs nothing
but Python's own modules, and of those the ones that are quick to import. It reads what the
agent gives its status line on standard input, the verdicts and figures that a settling left,
and `live.json`. Of what it was given it keeps figures, ids and times as a witness, in the
session's shared journal, when one of them changed; never a name or a text.

Whatever is missing or broken, it prints what it can and ends with 0.
"""

from __future__ import annotations

import posix
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SEGMENTS = ("session", "today", "left", "rate", "context", "window", "phase", "heals")
COLORS = {
    "session": "36",
    "left": "32",
    "context": "34",
    "window": "34",
    "phase": "35",
    "warning": "33",
    "alert": "31",
}
"""The colour (SGR) of a segment, of what is nearly full, and of what is full."""

_AGENT = "claude-code"
_INPUT_BYTES_MAX = 1 << 20
_FILE_BYTES_MAX = 1 << 16
_LARGEST = 2**53
_YEAR_10000_US = 253_402_300_800_000_000
_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_SGR = frozenset("0123456789;")
_SEPARATOR = " | "
_NEARLY_FULL, _FULL = 80, 95
_OFF = (b"0", b"false", b"no", b"off")

# Member of the agent's JSON, the field of an event `agent_totals`, how many of its units one
# of the agent's is. The first one changes at each call, and alone it is no news.
_FIELDS = (
    (("cost", "total_duration_ms"), "duration_ms", 0),
    (("cost", "total_cost_usd"), "cost_usd", 0),
    (("cost", "total_api_duration_ms"), "api_duration_ms", 0),
    (("context_window", "used_percentage"), "context_used_percent", 0),
    (("context_window", "total_input_tokens"), "context_tokens", 0),
    (("rate_limits", "five_hour", "used_percentage"), "five_hour_used_percent", 0),
    (("rate_limits", "five_hour", "resets_at"), "five_hour_resets_us", 1_000_000),
    (("rate_limits", "seven_day", "used_percentage"), "seven_day_used_percent", 0),
    (("rate_limits", "seven_day", "resets_at"), "seven_day_resets_us", 1_000_000),
)


class _Options:
    """How the C scanner of JSON is to read; `import json` would double the time of a start."""

    strict = False
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner's own

    @staticmethod
    def parse_constant(_: str) -> None:
        """Take no NaN and no infinity for a figure."""


def decoded(data: bytes) -> dict[str, Any]:
    """The JSON object that bytes are; an empty one where they are none."""
    try:
        from _json import make_scanner

        text = data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        found = make_scanner(_Options)(text, 0)[0]  # type: ignore[arg-type] # it reads attributes
    except Exception:  # noqa: BLE001 - whatever is wrong with it, there are no figures in it
        return {}
    return found if type(found) is dict else {}


def read(path: str, at_most: int = _FILE_BYTES_MAX) -> bytes:
    """The bytes of a regular file of ours; none where there is no such file."""
    try:
        number = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK)
    except (OSError, ValueError):
        return b""
    try:
        if posix.fstat(number).st_mode & 0o170000 != 0o100000:
            return b""
        return posix.read(number, at_most)
    except OSError:
        return b""
    finally:
        posix.close(number)


def figure(value: object, largest: float = _LARGEST) -> int | float | None:
    """A number that can be a figure; None for anything else, infinities included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= largest else None


def part(value: object, *names: str) -> Any:
    """What stands below some names in nested objects; None where nothing does."""
    for name in names:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def totals(given: Mapping[str, Any]) -> dict[str, int | float]:
    """The figures and times of the agent's own that are kept, as `agent_totals` names them."""
    found = {}
    for names, field, factor in _FIELDS:
        number = figure(part(given, *names))
        if number is not None and factor:
            number = int(number * factor)
            number = number if number < _YEAR_10000_US else None
        elif number is not None and field == "context_tokens":
            number = int(number)
        if number is not None:
            found[field] = number
    return found


def session_of(given: Mapping[str, Any]) -> str:
    """The agent's id of the session, if it can name a directory; "" else."""
    name = given.get("session_id")
    if type(name) is not str or not 0 < len(name) <= 128 or name[0] in "._-":
        return ""
    return name if _ID.issuperset(name) else ""


# Keeping what was given.


def keep(here: str, sessions_dir: str, name: str, found: dict[str, int | float], t_us: int) -> None:
    """Append the totals to the session's journal, if they are not those of the last time.

    Raises OSError.
    """
    news = ",".join(
        f'"{field}":{number!r}' for field, number in found.items() if field != "duration_ms"
    )
    if not any(number for field, number in found.items() if field != "duration_ms"):
        return  # nothing was used yet
    told = f"{here}/totals/{name}"
    if read(told) == news.encode():
        return
    duration = f'"duration_ms":{found["duration_ms"]!r},' if "duration_ms" in found else ""
    line = f'{{"event":"agent_totals","t_us":{t_us},{duration}{news}}}'
    _append(sessions_dir, name, line, t_us)
    _directory(f"{here}/totals")
    # Not by a rename: one that is cut short costs a line that says the same again.
    _write(told, posix.O_CREAT | posix.O_TRUNC, news.encode())


def _append(sessions_dir: str, name: str, line: str, t_us: int) -> None:
    session = f"{sessions_dir}/{name}"
    events = f"{session}/events"
    for directory in (sessions_dir, session, events):
        _directory(directory)
    path = f"{events}/hooks.jsonl"
    try:
        posix.lstat(path)
    except OSError:
        _keep_base(session, events)
        start = '{"event":"session_start","t_us":%d,"agent":"%s","native_id":"%s"}'
        line = start % (t_us, _AGENT, name) + "\n" + line
    _write(path, posix.O_CREAT | posix.O_APPEND, f"\n{line}\n".encode())


def _keep_base(session: str, events: str) -> None:
    """Keep what a session counts already, which its first journal would else take the place of."""
    if any(name.endswith(".jsonl") for name in posix.listdir(events)):
        return
    try:
        # METRICS.json is replaced and never written into: another name for it is a copy.
        posix.link(f"{session}/METRICS.json", f"{events}/base.json", follow_symlinks=False)
    except (FileNotFoundError, FileExistsError):
        pass  # it counts nothing, or that is kept already


def _directory(path: str) -> None:
    try:
        mode = posix.lstat(path).st_mode
    except OSError:
        posix.mkdir(path, 0o700)
        posix.chmod(path, 0o700)  # whatever the umask
        return
    if mode & 0o170000 != 0o040000:
        raise OSError(path)


def _write(path: str, flags: int, data: bytes) -> None:
    flags |= posix.O_WRONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK
    number = posix.open(path, flags, 0o600)
    try:
        mode = posix.fstat(number).st_mode
        if mode & 0o170000 != 0o100000:
            raise OSError(path)
        if mode & 0o777 != 0o600:
            posix.fchmod(number, 0o600)
        posix.write(number, data)
    finally:
        posix.close(number)


# What is shown.


class Verdict:
    """What a settling left of a session and of the machine's day and month.

    Of a verdict whose time has passed nothing is in force, and a day's figures are none of today.
    """

    def __init__(self, here: str, name: str, now_us: int) -> None:
        own = _valid(f"{here}/verdicts/{name}.json") if name else {}
        machine = _valid(f"{here}/verdicts/machine.json")
        self.figures: dict[str, Any] = {}
        self.stops: list[dict[str, Any]] = []
        self.warns: list[dict[str, Any]] = []
        self.left: list[tuple[float, str]] = []
        for told, scopes in ((machine, ("day", "month")), (own, ("session",))):
            figures = _object(told.get("figures"))
            left = figure(figures.get("left_usd"))
            if left is not None:
                self.left.append((left, _text(figures, "left_scope")))
            self.figures |= {name: one for name, one in figures.items() if one is not None}
            self.stops += _in_force(told.get("stops"), scopes, now_us)
            self.warns += _in_force(told.get("warns"), scopes, now_us)
        until_us = figure(self.figures.get("today_until_us"), _YEAR_10000_US)
        if until_us is not None and until_us <= now_us:
            self.figures.pop("today_usd", None)
            self.left = [one for one in self.left if one[1] == "session"]


def _valid(path: str) -> dict[str, Any]:
    """A verdict; nothing of one whose writer is gone, which nobody would renew."""
    told = decoded(read(path))
    writer = told.get("writer")
    try:
        posix.stat(writer if type(writer) is str else "")
    except (OSError, ValueError):
        return {}
    return told


def _object(value: object) -> dict[str, Any]:
    return value if type(value) is dict else {}


def _in_force(found: object, scopes: tuple[str, ...], now_us: int) -> list[dict[str, Any]]:
    return [
        one
        for one in (found if type(found) is list else ())
        if type(one) is dict
        and one.get("scope") in scopes
        and (one.get("until_us") is None or (figure(one["until_us"], 2**62) or 0) > now_us)
    ]


Segment = tuple[str, str]
"""A text, and the colour's name."""


class Line:
    """Makes the segments of one line; each is (text, colour's name), or None for nothing."""

    def __init__(self, given: Mapping[str, Any], verdict: Verdict, name: str, now_us: int) -> None:
        self._given = given
        self._verdict = verdict
        self._name = name
        self._now_us = now_us
        own = figure(part(given, "cost", "total_cost_usd"))
        settled = self._figure("session_usd")
        self._cost = settled if own is None else own
        self._is_own = own is not None
        # What the agent used since the settling is in none of its sums.
        self._since = max(own - settled, 0) if own is not None and settled is not None else 0

    def _figure(self, name: str) -> int | float | None:
        return figure(self._verdict.figures.get(name))

    def session(self) -> Segment | None:
        """What the session cost; of tokens without a price only how many there are."""
        if self._cost is None:
            return None
        unpriced = 0 if self._is_own else self._figure("unpriced_tokens")
        unknown = f" + {_count(unpriced)} tokens unpriced" if unpriced else ""
        return f"session {_usd(self._cost)}{unknown}", "session"

    def today(self) -> Segment | None:
        """What all sessions of this machine cost since midnight."""
        cost = self._figure("today_usd")
        return None if cost is None else (f"today {_usd(cost + self._since)}", "today")

    def left(self) -> Segment | None:
        """What is left of the budget; where nothing is, how a person allows more."""
        for one in self._verdict.stops:
            scope = f"--session {self._name}" if one["scope"] == "session" else f"--{one['scope']}"
            said = f"{one['scope']} budget spent ({_text(one, 'used')} of {_text(one, 'limit')})"
            return f"{said}: m31 budget allow {scope} +5", "alert"
        tone = "warning" if self._verdict.warns else "left"
        if self._verdict.left:
            left, scope = min(self._verdict.left)
            left = max(left - self._since, 0)
            return f"left {_usd(left)}{f' of the {scope}' if scope else ''}", tone
        for one in self._verdict.warns:
            return f"{one['scope']} {_text(one, 'used')} of {_text(one, 'limit')}", "warning"
        return None

    def rate(self) -> Segment | None:
        """US dollars per hour of active time."""
        rate = self._figure("usd_per_active_hour")
        return None if rate is None else (f"{_usd(rate)}/h", "rate")

    def context(self) -> Segment | None:
        """How full the context is."""
        used = figure(part(self._given, "context_window", "used_percentage"))
        return None if used is None else (f"context {used:.0f}%", _tone(used, "context"))

    def window(self) -> Segment | None:
        """How much of the provider's five hours is used, and how long they go on."""
        limit = part(self._given, "rate_limits", "five_hour")
        used = figure(part(limit, "used_percentage"))
        if used is None:
            return None
        resets_s = figure(part(limit, "resets_at"))
        left_s = 0 if resets_s is None else int(resets_s - self._now_us / 1e6)
        if resets_s is not None and left_s <= 0:
            return None  # they are over
        left = f", {left_s // 3600}:{left_s // 60 % 60:02d} left" if resets_s is not None else ""
        return f"5h {used:.0f}%{left}", _tone(used, "window")

    def phase(self) -> Segment | None:
        """What the agent is doing."""
        phase = _text(self._verdict.figures, "phase")
        return (phase, "phase") if phase else None

    def heals(self) -> Segment | None:
        """How often it had to heal itself, if it had."""
        count = self._figure("heal_count")
        return (f"{count:.0f} heal{'' if count == 1 else 's'}", "heals") if count else None


def _text(told: Mapping[str, Any], name: str) -> str:
    """A text of ours, without what a terminal would take for a command."""
    text = told.get(name)
    return "".join(c for c in text if c.isprintable())[:80] if type(text) is str else ""


def _tone(percent: float, name: str) -> str:
    return "alert" if percent >= _FULL else "warning" if percent >= _NEARLY_FULL else name


def _usd(number: float) -> str:
    if 0 < number < 0.00005:
        return "<$0.0001"
    return f"${number:.4f}" if 0 < number < 0.99995 else f"${number:,.2f}"


def _count(number: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.0f}"


def shown(line: Line, segments: object, colors: Mapping[str, Any]) -> str:
    """Draw the segments that are wanted, in their order; `colors` by name as SGR, or none."""
    wanted = segments if type(segments) in (list, tuple) else SEGMENTS
    parts = []
    for name in wanted:  # type: ignore[attr-defined] # a list or a tuple
        found = getattr(line, name)() if name in SEGMENTS else None
        if found is not None:
            text, tone = found
            color = colors.get(tone)
            is_one = type(color) is str and color != "" and _SGR.issuperset(color)
            parts.append(f"\x1b[{color}m{text}\x1b[0m" if is_one else text)
    return _SEPARATOR.join(parts)


def answer(
    data: bytes, here: str, settings: Mapping[str, Any], environ: Mapping[bytes, bytes], now_us: int
) -> str:
    """The line for what the agent gave, which is kept as a witness; `here` is `~/.m31a/live`.

    `settings` are those of `live.json`. Raises nothing.
    """
    given = decoded(data)
    name = session_of(given)
    sessions_dir = settings.get("sessions_dir")
    if name and type(sessions_dir) is str and sessions_dir.startswith("/"):
        try:
            if environ.get(b"M31A_METRICS_ENABLED", b"").strip().lower() not in _OFF:
                keep(here, sessions_dir, name, totals(given), now_us)
        except (OSError, ValueError):
            pass  # a disk that refuses costs a witness, and not the line
    wanted = _object(settings.get("statusline"))
    colors = COLORS if type(wanted.get("colors")) is not dict else wanted["colors"]
    if environ.get(b"NO_COLOR"):
        colors = {}
    line = Line(given, Verdict(here, name, now_us), name, now_us)
    return shown(line, wanted.get("segments"), colors)


def given_on(number: int) -> bytes:
    """All that stands on a descriptor, up to a bound; what was read when it fails."""
    pieces = []
    size = 0
    try:
        while size < _INPUT_BYTES_MAX and (piece := posix.read(number, 1 << 16)):
            pieces.append(piece)
            size += len(piece)
    except OSError:
        pass
    return b"".join(pieces)


def main(here: str) -> None:
    """Print the line for what stands on standard input."""
    settings = decoded(read(f"{here}/live.json"))
    text = answer(given_on(0), here, settings, posix.environ, time.time_ns() // 1000)
    posix.write(1, f"{text}\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    try:
        main(__file__.rpartition("/")[0])
    except Exception:  # noqa: BLE001, S110 - an agent must not see it fail
        pass
