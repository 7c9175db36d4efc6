"""A request of OTLP as events, by the session that they are of.

Everything that is read stands in `names`; of what is read, ids, names and figures become parts
of events, in the shape that such have, and nothing else does. So whatever anybody puts into an
attribute, no text gets into a journal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from msgspec.structs import replace

from m31a_metrics.events import (
    Compaction,
    Event,
    LLMInteraction,
    Mode,
    PermissionWait,
    SessionStart,
    Subagent,
    ToolCall,
    UserTurn,
)
from m31a_metrics.figures import TOKENS_MAX, call_key, stated_cost
from m31a_metrics.live.otlp.decoding import (
    LOGS,
    METRICS,
    Batch,
    Reader,
    Scalar,
    Undecodable,
    decode,
    number,
)
from m31a_metrics.live.otlp.names import (
    CONVENTIONS,
    EMITTERS,
    OTHERS,
    OWN_SCOPE,
    SUCCESSES,
    Emitter,
    Names,
    Rule,
    Tells,
    emitter,
)
from m31a_metrics.model import UNKNOWN_USAGE, Usage
from m31a_metrics.units import LARGEST, YEAR_10000_US
from m31a_metrics.witnesses import OWN_ID

__all__ = ["Key", "Told", "Undecodable", "told"]


class Key(NamedTuple):
    """Which session: the agent, and that agent's own id of it."""

    agent: str
    native_id: str


class Told(NamedTuple):
    """What a request told: events by session, each led by its start, in the order of sending.

    `rejected` records that somebody would read had no time or no session, for the `reason`.
    """

    sessions: dict[Key, list[Event]]
    rejected: int = 0
    reason: str = ""


def told(signal: str, body: bytes, content_type: str) -> Told:
    """Read a request of a signal: `logs`, `traces` or `metrics`, protobuf or JSON.

    Raises Undecodable for what is no such request, ExtraNotInstalled for protobuf without the
    extra `otel`. Metrics are decoded and no more: what they say, logs and spans say better.
    """
    reader, batches = decode(signal, body, content_type)
    telling = _Telling(reader)
    for batch in batches:
        if signal != METRICS and batch.scope != OWN_SCOPE:
            telling.take(batch, is_logs=signal == LOGS)
    telling.place_subagents()
    return Told(telling.sessions, telling.rejected, telling.reason)


Got = dict[str, Scalar]


class _At(NamedTuple):
    """Whose record, when (Unix microseconds) and for how long, and what tells it from others."""

    who: Emitter
    t_us: int
    duration_ms: float | None
    has_failed: bool
    seed: tuple[object, ...]

    @property
    def own_id(self) -> str:
        """An id for what has none: the same whenever the same record is sent."""
        return OWN_ID + _hashed(repr(self.seed))


class _Telling:
    def __init__(self, reader: Reader) -> None:
        self.sessions: dict[Key, list[Event]] = {}
        self.rejected = 0
        self.reason = ""
        self._reader = reader
        self._keys: dict[tuple[str, object, str], Key] = {}
        self._parents: dict[Key, Key] = {}

    def take(self, batch: Batch, *, is_logs: bool) -> None:
        service = batch.resource.get("service.name")
        who = emitter(service if type(service) is str else "", batch.scope)
        take = self._log if is_logs else self._span
        for record in batch.records:
            take(who, batch, record)

    def _log(self, who: Emitter, batch: Batch, record: Any) -> None:
        if not who.logs:
            return
        got = self._reader.attributes(record, _WANTED[who.agent])
        name = got.get("event.name") or record.event_name
        rules = who.logs.get(name) if type(name) is str else None
        rule = _fitting(rules, got) if rules else None
        if rule is None:
            return
        nano = number(record.time_unix_nano) or number(record.observed_time_unix_nano) or 0
        key = self._key(who, batch, got, record)
        t_us = int(nano) // 1000
        if key is not None and self._has_time(t_us):
            at = _At(who, t_us, None, has_failed=False, seed=(name, nano, sorted(got.items())))
            self._add(who, batch, key, got, _event(rule, got, at))

    def _span(self, who: Emitter, batch: Batch, record: Any) -> None:
        rules = who.spans.get(record.name) if who.spans else None
        if rules is not None:
            got = self._reader.attributes(record, _WANTED[who.agent])
        elif who.conventions:
            got = self._reader.attributes(record, _CONVENTION_NAMES)
            for name in _MARKS:
                if name in got:
                    rules = _OF_CONVENTIONS
                    break
        rule = _fitting(rules, got) if rules else None
        if rule is None:
            return
        began = number(record.start_time_unix_nano) or 0
        ended = number(record.end_time_unix_nano) or 0
        key = self._key(who, batch, got, record)
        t_us = int(ended) // 1000
        if key is not None and self._has_time(t_us):
            status = record.status
            at = _At(
                who,
                t_us,
                max(ended - began, 0) / _NS_PER_MS if began > 0 else None,
                has_failed=bool(status) and status.code in _FAILED,
                seed=(self._reader.hexed(record.trace_id), self._reader.hexed(record.span_id)),
            )
            self._add(who, batch, key, got, _event(rule, got, at))
            if who.turn_where and rule.tells is Tells.MODEL_CALL and _is_told(who.turn_where, got):
                asked_us = t_us - round((at.duration_ms or 0) * 1000)
                turn = UserTurn(t_us=max(asked_us, 0), id=f"{at.own_id}:turn")
                self._add(who, batch, key, got, turn)

            if who.parent and rule.tells is Tells.MODEL_CALL:
                parent = got.get(who.parent)
                is_one = type(parent) is str and bool(parent)
                self._parents[key] = Key(key.agent, _id(str(parent))) if is_one else key

    def place_subagents(self) -> None:
        """Move what is of subagents with sessions of their own to the sessions they count in.

        Only model calls say whose a session is, and end when the calls of tools that they asked
        for have ended: both are sent together, or the agent's own files have the call.
        """
        of_own = {who.agent for who in EMITTERS if who.parent}
        for key in [one for one in self.sessions if one.agent in of_own]:
            parent = self._parents.get(key)
            if parent == key:
                continue
            start, *rest = self.sessions.pop(key)
            if parent is not None:
                for _ in range(_DEPTH_MAX):
                    parent = self._parents.get(parent, parent)
                start = replace(start, native_id=parent.native_id)
                self.sessions.setdefault(parent, [start]).extend(map(_of_subagent, rest))

    def _has_time(self, t_us: int) -> bool:
        if 0 < t_us < YEAR_10000_US:
            return True
        self._reject("a record without a time that can be")
        return False

    def _reject(self, reason: str) -> None:
        self.rejected += 1
        self.reason = self.reason or reason

    def _key(self, who: Emitter, batch: Batch, got: Got, record: Any) -> Key | None:
        """Name the session of a record: by its own word, its resource's, else by its trace."""
        for name in who.session:
            given = got.get(name) or batch.resource.get(name)
            if type(given) is str and given:
                break
        else:
            given = "" if who.agent else self._reader.hexed(record.trace_id)
        if not given:
            self._reject("a record of no session and no trace")
            return None
        service = batch.resource.get("service.name", "")
        key = self._keys.get((who.agent, service, given))
        if key is None:
            key = Key(who.agent or _agent(str(service)), _id(given))
            self._keys[who.agent, service, given] = key
        return key

    def _add(self, who: Emitter, batch: Batch, key: Key, got: Got, event: Event | None) -> None:
        if event is None:
            return
        events = self.sessions.get(key)
        if events is None:
            version = next(
                (
                    found
                    for name in who.version
                    if (found := _name(got.get(name) or batch.resource.get(name)))
                ),
                None,
            )
            start = SessionStart(
                t_us=event.t_us, agent=key.agent, version=version, native_id=key.native_id
            )
            events = self.sessions[key] = [start]
        events.append(event)


_NS_PER_MS = 1_000_000


def _of_subagent(event: Event) -> Event:
    if isinstance(event, LLMInteraction | ToolCall) and not event.subagent:
        return replace(event, subagent="subagent")
    return event


_DEPTH_MAX = 8
"""So deep subagents ask for subagents; a sender may also name sessions in a circle."""

_FAILED = (2, "STATUS_CODE_ERROR")


def _names_of(who: Emitter) -> frozenset[str]:
    rules = [rule for rules in (*who.logs.values(), *who.spans.values()) for rule in rules]
    return frozenset(("event.name", *who.session, *who.version, *who.unwritten_where)).union(
        *(rule.wanted for rule in rules)
    )


_WANTED = {who.agent: _names_of(who) for who in (*EMITTERS, OTHERS)}

_OF_CONVENTIONS = tuple(rule for rules in CONVENTIONS.values() for rule in rules)
_MARKS = tuple(dict.fromkeys(name for rule in _OF_CONVENTIONS for name in rule.where))
_CONVENTION_NAMES = frozenset(OTHERS.session).union(
    *(rule.wanted for rule in _OF_CONVENTIONS),
    *((*who.turn_where, *who.unwritten_where, *who.provider_and_model) for who in EMITTERS),
    (who.parent for who in EMITTERS if who.parent),
)


def _fitting(rules: tuple[Rule, ...], got: Got) -> Rule | None:
    """Find the first rule that a record fits."""
    for rule in rules:
        for name, values in rule.where.items():
            given = got.get(name)
            if given is None or (values and _word(given) not in values):
                break
        else:
            if not rule.unless or not _is_told(rule.unless, got):
                return rule
    return None


def _is_told(values: Mapping[str, Names], got: Got) -> bool:
    """Tell whether one of some attributes has one of its values."""
    return any(_word(got.get(name)) in some for name, some in values.items())


def _word(value: Scalar | None) -> str:
    """A value as a word of the table: agents write true as a string, too."""
    if type(value) is str:
        return value
    return "" if value is None else str(value).lower()


# ---- events


def _event(rule: Rule, got: Got, at: _At) -> Event | None:
    build = _BUILT[rule.tells]
    return build(rule, got, at)


def _first(got: Got, names: Names) -> Scalar | None:
    for name in names:
        value = got.get(name)
        if value is not None:
            return value
    return None


def _count(got: Got, fields: Mapping[str, Names], what: str) -> int | None:
    for name in fields.get(what, ()):
        value: Scalar | None = got.get(name)
        if value is not None:
            if type(value) is not int:
                value = number(value)
            return int(value) if value is not None and 0 <= value <= TOKENS_MAX else None
    return None


def _duration(rule: Rule, got: Got, at: _At) -> float | None:
    names = rule.fields.get("duration_ms")
    if names is None:
        return at.duration_ms
    value = number(_first(got, names))
    return value if value is not None and 0 <= value <= LARGEST else at.duration_ms


def _model_call(rule: Rule, got: Got, at: _At) -> LLMInteraction | None:
    """Build what a model answered; None for a request that failed, and so was not answered."""
    fields = rule.fields
    usage = _usage(rule, got)
    if usage is UNKNOWN_USAGE and (at.has_failed or _first(got, fields.get("error", ()))):
        return None
    model = _model(rule, got, at.who)
    given = _first(got, fields.get("id", ()))
    call_id = _id(given) if type(given) is str and given else ""
    cost = None
    if "cost_usd" in fields and _first(got, fields.get("currency", ())) in (None, "USD"):
        cost = stated_cost(number(_first(got, fields["cost_usd"])), model or "")
    if at.who.unwritten_where and _is_told(at.who.unwritten_where, got):
        call_id = f"request:{call_id or at.own_id}"
    elif not call_id:
        call_id = at.own_id
    elif at.who.has_own_ids:
        call_id = OWN_ID + call_id
    tier = _first(got, fields.get("tier", ()))
    return LLMInteraction(
        t_us=at.t_us,
        phase="",
        usage=usage,
        cost=cost,
        model=model,
        duration_ms=_duration(rule, got, at),
        tier="fast" if tier == "fast" else None,
        subagent=_name(_first(got, fields.get("subagent", ()))),
        id=call_id,
    )


def _model(rule: Rule, got: Got, who: Emitter) -> str | None:
    """The model, as the agent's transcript calls it."""
    if who.provider_and_model:
        provider, model = (_name(got.get(name)) for name in who.provider_and_model)
        if provider and model:  # of `openai.responses` the first is the provider
            return _name(f"{provider.partition('.')[0]}/{model}")
    return _name(_first(got, rule.fields["model"]))


def _usage(rule: Rule, got: Got) -> Usage:
    fields = rule.fields
    prompt, completion = _count(got, fields, "prompt"), _count(got, fields, "completion")
    if prompt is None and completion is None:
        return UNKNOWN_USAGE
    read = _count(got, fields, "cache_read") or 0
    written = _count(got, fields, "cache_write") or 0
    written_1h = _count(got, fields, "cache_write_1h") or 0
    written = max(written, written_1h)
    reasoning = _count(got, fields, "reasoning") or 0
    prompt = (prompt or 0) + (_count(got, fields, "tool_prompt") or 0)
    prompt = prompt + read + written if rule.leaves_cache_out else max(prompt, read + written)
    completion = completion or 0
    completion = completion + reasoning if rule.leaves_reasoning_out else max(completion, reasoning)
    return Usage(
        prompt,
        completion,
        cache_read_tokens=read,
        cache_write_5m_tokens=written - written_1h,
        cache_write_1h_tokens=written_1h,
        reasoning_tokens=reasoning,
    )


def _call_id(rule: Rule, got: Got, at: _At) -> str:
    given = _first(got, rule.fields.get("id", ()))
    return call_key(_id(given), at.t_us) if type(given) is str and given else at.own_id


def _tool(rule: Rule, got: Got) -> str:
    return _name(_first(got, rule.fields["tool"])) or "unknown"


def _tool_call(rule: Rule, got: Got, at: _At) -> ToolCall:
    fields = rule.fields
    said = _word(_first(got, fields.get("success", ())))
    exit_code = number(_first(got, fields.get("exit_code", ())))
    failed = at.has_failed or bool(_first(got, fields.get("error", ())))
    duration_ms = _duration(rule, got, at)
    holds_wait = rule.only_elapsed or (at.who.holds_waits and not _is_told(rule.no_wait_where, got))
    report = _first(got, fields.get("report", ()))
    if type(report) is str:
        exit_code, run_ms = _reported(report)
        if run_ms is not None:
            duration_ms, holds_wait = run_ms, False
    return ToolCall(
        t_us=at.t_us,
        name=_tool(rule, got),
        success=(said == "true" if said else not failed) and not exit_code,
        duration_ms=duration_ms or 0,
        elapsed_only=duration_ms is None or holds_wait,
        subagent=_name(_first(got, fields.get("subagent", ()))),
        id=_call_id(rule, got, at),
    )


def _reported(report: str) -> tuple[int | None, float | None]:
    """Read the exit code and the run time (ms) with which Codex begins what a command gave.

    It says `success` of whatever ended, with 1 too. Two figures are all that is kept of it.
    """
    head = report[:_REPORT_LENGTH].partition("Output:\n")[0]
    exited, wall = _EXIT.search(head), _WALL.search(head)
    return int(exited[1]) if exited else None, round(float(wall[1]) * 1000, 6) if wall else None


_REPORT_LENGTH = 300
_EXIT = re.compile(r"^(?:Process exited with code|Exit code:) (-?[0-9]{1,10})", re.MULTILINE)
_WALL = re.compile(r"^Wall time:? ([0-9]{1,9}(?:\.[0-9]{1,9})?) seconds?", re.MULTILINE)


def _denial(rule: Rule, got: Got, at: _At) -> ToolCall:
    return ToolCall(
        t_us=at.t_us,
        name=_tool(rule, got),
        success=False,
        duration_ms=0,
        denied=True,
        subagent=_name(_first(got, rule.fields.get("subagent", ()))),
        id=_call_id(rule, got, at),
    )


def _user_turn(_: Rule, __: Got, at: _At) -> UserTurn:
    return UserTurn(t_us=at.t_us, id=at.own_id)


def _compaction(rule: Rule, got: Got, at: _At) -> Compaction:
    return Compaction(
        t_us=at.t_us,
        trigger=_name(_first(got, rule.fields.get("trigger", ()))),
        pre_tokens=_count(got, rule.fields, "pre_tokens"),
        post_tokens=_count(got, rule.fields, "post_tokens"),
        duration_ms=_duration(rule, got, at),
        id=at.own_id,
    )


def _subagent(rule: Rule, got: Got, at: _At) -> Subagent:
    ended = _first(got, rule.fields.get("success", ()))
    return Subagent(
        t_us=at.t_us,
        success=None if ended is None else _word(ended) in SUCCESSES,
        name=_name(_first(got, rule.fields["subagent"])) or "subagent",
        duration_ms=_duration(rule, got, at),
        id=at.own_id,
    )


def _mode(rule: Rule, got: Got, at: _At) -> Mode:
    return Mode(
        t_us=at.t_us, mode=_name(_first(got, rule.fields["mode"])) or "unknown", id=at.own_id
    )


def _permission_wait(rule: Rule, got: Got, at: _At) -> PermissionWait:
    return PermissionWait(
        t_us=at.t_us,
        duration_ms=_duration(rule, got, at) or 0,
        success=_first(got, rule.fields["decision"]) == "accept",
        id=at.own_id,
    )


_BUILT: dict[Tells, Callable[[Rule, Got, _At], Event | None]] = {
    Tells.MODEL_CALL: _model_call,
    Tells.TOOL_CALL: _tool_call,
    Tells.DENIAL: _denial,
    Tells.USER_TURN: _user_turn,
    Tells.COMPACTION: _compaction,
    Tells.SUBAGENT: _subagent,
    Tells.MODE: _mode,
    Tells.PERMISSION_WAIT: _permission_wait,
}


# ---- names and ids

_NAME = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_.:/@+\-\[\]]{0,127}")
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@/#+=|\-]{0,127}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_OWN_ID_BYTES = 12


def _name(value: Scalar | None) -> str | None:
    """Return a name in the shape that tools, models and agents have; None for all else."""
    return value if type(value) is str and _NAME.fullmatch(value) else None


def _id(value: str) -> str:
    """Return an id in the shape that ids have; of all else a hash, which is as good as an id."""
    return value if _ID.fullmatch(value) else _hashed(value)


@lru_cache(256)
def _agent(service: str) -> str:
    """Call an agent as its service is called, made a name that is safe as one of a folder."""
    return _UNSAFE.sub("-", service).strip("-._")[:64] or "otlp"


def _hashed(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=_OWN_ID_BYTES).hexdigest()
