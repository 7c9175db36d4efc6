"""One session as the spans of a trace: the session, its phases, calls, answers and heals.

Pure: the same session gives the same spans, under the same ids, whoever makes them and when,
so that what is sent twice is known to be the same. Spans hold names, ids, figures and failure
lines, and nobody's text.

Calls and answers can be sent as they happen. The session, its phases and heals are told when it
has ended, for each of them may still change: most receivers keep what they were told first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2s
from typing import NamedTuple

from msgspec import Struct

from m31a_metrics import genai
from m31a_metrics.active_time import MODEL_WAIT_US, Stretch, ran, stretch_at
from m31a_metrics.agent_totals import cost_of
from m31a_metrics.answers import SessionRow
from m31a_metrics.events import UNATTRIBUTED, Event, LLMInteraction, ToolCall
from m31a_metrics.genai import Measured
from m31a_metrics.measures import within_prompt
from m31a_metrics.model import Usage
from m31a_metrics.record import HealEpisode
from m31a_metrics.tally import Price
from m31a_metrics.transcript import SessionRef
from m31a_metrics.units import HOUR_US, nano_usd, usd

ENDED_AFTER_US = HOUR_US
"""A session in which nothing happened for so long has ended; who goes on with it later ends it
once more."""

LATEST_NS = 2**63 - 1
"""The last time (Unix nanoseconds) that every receiver holds; it is in the year 2262."""

_INT64_MAX = 2**63 - 1

Value = str | int | float | bool
Named = tuple[int, str]
"""What a phase is known by: when it began (Unix microseconds), and its name."""


class Span(Struct, gc=False):
    """One span. Times are Unix nanoseconds; `parent` is the id of its parent, 0 for none.

    Text is as UTF-8 can write it, and whole numbers have 64 bits, so that any receiver holds it.

    `error` is a failure line, "" where nobody knows it; None: it did not fail. `is_client` marks
    what another service answered. `of_phase` is the phase that is its parent.
    """

    id: int
    parent: int
    name: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, Value]
    error: str | None = None
    is_client: bool = False
    of_phase: Named | None = None


class Traced(Struct):
    """One session as it is traced: who ran it where, what happened, when it was active.

    `row` has the sums of all its days. `phases` are the phases that calls served, by id;
    `price` is asked for the cost of what came without one (USD, or None).
    """

    row: SessionRow
    events: Sequence[Event]
    active: Sequence[Stretch]
    heals: Sequence[HealEpisode]
    price: Price
    phases: Mapping[str, str] = {}


class Prefix(NamedTuple):
    """Stands for the first so many calls and answers of a session: the sum of their ids."""

    number: int = 0
    digest: int = 0


def trace_id(ref: SessionRef) -> int:
    """The id of a session's trace: 16 bytes, which are never all zero."""
    return _derived(16, ref.agent, ref.native_id)


def has_ended(updated_us: int, now_us: int) -> bool:
    """Tell whether a session has ended, by the time of its last event.

    One that is dated far ahead of the clock goes on no more than one of long ago.
    """
    return abs(now_us - updated_us) >= ENDED_AFTER_US


def prefix(ids: Iterable[int]) -> Prefix:
    """Sum up ids; the same for the same ones in whatever order."""
    number = digest = 0
    for one in ids:
        number += 1
        digest += one
    return Prefix(number, digest % 2**64)


class Trace:
    """The spans of one session, made one by one as they are asked for."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        self.id = trace_id(traced.row.ref)
        self._own = f"{traced.row.agent}\0{traced.row.native_id}\0"
        self._root = self._span_id("session")
        self._latest: tuple[int, Named | None] = (0, None)
        self._active = [one._replace(phase=_text(one.phase)) for one in traced.active]
        self._shared: dict[str, Value] = {
            genai.SESSION: traced.row.session_id,
            genai.CONVERSATION: traced.row.session_id,
            genai.AGENT: traced.row.agent,
        }

    def call_ids(self) -> array[int]:
        """The ids of all calls and answers, in the order in which `calls` gives their spans."""
        return array("Q", (span_id for span_id, _ in self._called()))

    def calls(self, now_us: int | None = None) -> Iterator[Span]:
        """Give a span for each tool call and each answer of a model, in the order of time.

        `now_us` tells that the session goes on: left out are the answers that may still grow,
        the latest of each agent, until MODEL_WAIT_US has passed.
        """
        growing = self._growing(now_us)
        for span_id, event in self._called():
            if type(event) is ToolCall:
                yield self._tool(span_id, event)
            elif type(event) is LLMInteraction and span_id not in growing:
                yield self._answer(span_id, event)

    def whole(self, since_us: int = 0, named: Iterable[Named] = ()) -> Iterator[Span]:
        """Give the spans of a session that has ended: phases, heals, itself, the last.

        LLM use that only the agent's own total holds is among them. `since_us` leaves out the
        phases and heals that had ended by then. `named` are phases that calls were sent under
        while it went on: one that turned out to be another is told with no length, so that no
        span lacks its parent and no time counts twice.
        """
        phases = {(one.began_us, one.phase): one for one in self._active if one.phase}
        for phase in phases.values():
            if phase.ended_us > since_us:
                yield self._phase(phase)
        for began_us, name in sorted(set(named) - phases.keys()):
            span = self._phase(Stretch(began_us, began_us, name))
            span.attributes[genai.SUPERSEDED] = True
            yield span
        for event in self.traced.events:
            if type(event) is LLMInteraction and event.phase == UNATTRIBUTED:
                span = self._answer(self._span_id("llm", event.id or event.t_us), event)
                span.parent, span.of_phase = self._root, None
                yield span
        for heal in self.traced.heals:
            if heal.began_us + heal.duration_us > since_us:
                yield self._heal(heal)
        yield self._session()

    def _called(self) -> Iterator[tuple[int, Event]]:
        """Each call and answer once, with the id of its span.

        What has no id of its own is told apart by its time, and by its number of that time.
        """
        met: set[int] = set()
        numbers: dict[tuple[str, str], int] = {}
        at_us = -1
        for event in self.traced.events:
            if type(event) is ToolCall:
                kind, name = "tool", event.name
            elif type(event) is LLMInteraction and event.phase != UNATTRIBUTED:
                kind, name = "llm", event.model or ""
            else:
                continue
            if event.id:
                span_id = self._span_id(kind, event.id)
                if span_id in met:
                    continue
                met.add(span_id)
            else:
                if event.t_us != at_us:
                    numbers.clear()
                    at_us = event.t_us
                number = numbers[kind, name] = numbers.get((kind, name), -1) + 1
                span_id = self._span_id(kind, name, at_us, number)
            yield span_id, event

    def _growing(self, now_us: int | None) -> set[int]:
        if now_us is None:
            return set()
        latest: dict[str, tuple[int, int]] = {}
        for span_id, event in self._called():
            if type(event) is LLMInteraction:
                latest[event.subagent or ""] = (span_id, event.t_us)
        return {span_id for span_id, t_us in latest.values() if abs(now_us - t_us) < MODEL_WAIT_US}

    def _span_id(self, *key: object) -> int:
        return _derived(8, self._own, *key)

    def _under(self, t_us: int) -> tuple[int, Named | None]:
        """The id of the phase in which something ended, else of the session."""
        phase = stretch_at(self._active, t_us)
        if phase is None or not phase.phase or not phase.began_us <= t_us <= phase.ended_us:
            return self._root, None
        named = (phase.began_us, phase.phase)
        if named != self._latest[1]:  # nearly always it is that of the call before
            self._latest = self._span_id("phase", *named), named
        return self._latest

    def _tool(self, span_id: int, call: ToolCall) -> Span:
        parent, phase = self._under(call.t_us)
        served = self.traced.phases.get(call.id or "") or (phase[1] if phase else "")
        attributes = self._shared | {genai.OPERATION: genai.EXECUTE_TOOL, genai.TOOL: call.name}
        if call.id:
            attributes[genai.TOOL_CALL] = call.id
        if served:
            attributes[genai.PHASE] = served
        if call.subagent:
            attributes[genai.SUBAGENT] = call.subagent
        if call.wait_ms is not None:
            attributes[genai.WAIT] = float(call.wait_ms)
        if call.elapsed_only:
            attributes[genai.ELAPSED_ONLY] = True
        error = None
        if call.denied:
            attributes[genai.DENIED] = True
        elif not call.success:
            attributes[genai.ERROR_TYPE] = genai.OTHER_ERROR
            error = call.error or ""
        name = f"{genai.EXECUTE_TOOL} {call.name}"
        return _span((span_id, parent), name, ran(call), attributes, error, of_phase=phase)

    def _answer(self, span_id: int, event: LLMInteraction) -> Span:
        parent, phase = self._under(event.t_us)
        took_us = round((event.duration_ms or 0) * 1000)
        attributes = self._shared | {genai.OPERATION: genai.CHAT}
        if event.phase:
            attributes[genai.PHASE] = event.phase
        if event.model:
            attributes[genai.REQUEST_MODEL] = attributes[genai.RESPONSE_MODEL] = event.model
            if who := genai.provider(event.model):
                attributes[genai.PROVIDER] = who
        if not event.has_unknown_usage:
            _add_usage(attributes, event.usage)
        cost_usd = cost_of(event, self.traced.price)
        if cost_usd is not None:
            attributes[genai.COST] = attributes[genai.USAGE_COST] = usd(nano_usd(cost_usd))
        elif event.usage.total:
            attributes[genai.UNPRICED_TOKENS] = event.usage.total
        for name, value in (
            (genai.SUBAGENT, event.subagent),
            (genai.TIER, event.tier),
            (genai.WEB_SEARCHES, event.web_search_count),
        ):
            if value:
                attributes[name] = value
        return _span(
            (span_id, parent),
            f"{genai.CHAT} {event.model}" if event.model else genai.CHAT,
            (event.t_us - took_us, event.t_us),
            attributes,
            is_client=True,
            of_phase=phase,
        )

    def _phase(self, phase: Stretch) -> Span:
        attributes = self._shared | {genai.SPAN_KIND: genai.CHAIN, genai.PHASE: phase.phase}
        span_id = self._span_id("phase", phase.began_us, phase.phase)
        return _span((span_id, self._root), f"phase {phase.phase}", phase[:2], attributes)

    def _heal(self, heal: HealEpisode) -> Span:
        outcome = {None: "open", True: "passed", False: "failed"}[heal.passed]
        attributes = self._shared | {
            genai.SPAN_KIND: genai.CHAIN,
            genai.PHASE: heal.phase,
            genai.HEAL_OUTCOME: outcome,
            genai.HEAL_LOOP: heal.loop,
            genai.HEAL_CHAIN: heal.chain,
            genai.HEAL_TOKENS: heal.total_tokens,
        }
        for name, text in ((genai.CHECK, heal.check), (genai.LINE, heal.line)):
            if text:
                attributes[name] = text
        if heal.cost_nano is not None:
            attributes[genai.HEAL_COST] = usd(heal.cost_nano)
        span_id = self._span_id("heal", heal.chain, heal.began_us, heal.failed_id)
        lasted = (heal.began_us, heal.began_us + heal.duration_us)
        name = f"heal {heal.check}" if heal.check else "heal"
        error = heal.line if heal.passed is False else None
        return _span((span_id, self._root), name, lasted, attributes, error)

    def _session(self) -> Span:
        row = self.traced.row
        attributes = self._shared | {
            genai.OPERATION: genai.INVOKE_AGENT,
            genai.CALLS: row.call_count,
            genai.FAILS: row.fail_count,
            genai.DENIALS: row.denied_count,
            genai.INTERACTIONS: row.interaction_count,
            genai.TURNS: row.user_turn_count,
            genai.SESSION_TOKENS: row.total_tokens,
            genai.SESSION_UNPRICED_TOKENS: row.unpriced_tokens,
            genai.SESSION_COST: usd(row.cost_nano),
            genai.ACTIVE: row.active_us / 1000,
            genai.HEALS: row.heal_trigger_count,
        }
        for name, value in (
            (genai.AGENT_VERSION, row.version),
            (genai.PROJECT, row.project),
            (genai.BRANCH, row.branch),
            (genai.WORKTREE, row.worktree),
        ):
            if value:
                attributes[name] = value
        for name, value in row.labels.items():
            attributes[genai.LABEL + name] = value
        name = f"{genai.INVOKE_AGENT} {row.agent}"
        return _span((self._root, 0), name, (row.started_us, row.updated_us), attributes)


def measure(spans: Iterable[Span]) -> Measured:
    """What spans add to the metrics."""
    found = Measured()
    for span in spans:
        _MEASURES.get(str(span.attributes.get(genai.OPERATION, "")), _measure_inferred)(found, span)
    return found


def _labels(span: Span, *names: str) -> list[tuple[str, str]]:
    values = span.attributes
    names = (genai.AGENT, genai.OPERATION, *names)
    return [(name, str(values[name])) for name in names if name in values]


def _length_s(span: Span) -> float:
    return (span.ended_ns - span.began_ns) / 1e9


def _measure_tool(found: Measured, span: Span) -> None:
    values, labels = span.attributes, _labels(span, genai.TOOL, genai.ERROR_TYPE)
    if genai.DENIED in values:
        found.add(genai.DENIED_SUM, labels, 1)
    else:
        found.add(genai.TOOL_DURATION, labels, _length_s(span))
    wait_ms = values.get(genai.WAIT)
    if wait_ms:
        found.add(genai.WAIT_SUM, _labels(span, genai.TOOL), float(wait_ms) / 1000)


def _measure_answer(found: Measured, span: Span) -> None:
    values = span.attributes
    labels = _labels(span, genai.PROVIDER, genai.REQUEST_MODEL)
    for kind, name in (("input", genai.INPUT_TOKENS), ("output", genai.OUTPUT_TOKENS)):
        if name in values:
            of_kind = [*labels, (genai.TYPE_OF_TOKENS, kind)]
            found.add(genai.TOKEN_USAGE, of_kind, float(values[name]))
    for kind, tokens in _classes(values):
        found.add(genai.TOKENS_SUM, [*labels, (genai.CLASS_OF_TOKENS, kind)], tokens)
    if genai.COST in values:
        found.add(genai.COST_SUM, labels, float(values[genai.COST]))
    if span.ended_ns > span.began_ns:
        found.add(genai.OPERATION_DURATION, labels, _length_s(span))


def _classes(values: Mapping[str, Value]) -> Iterator[tuple[str, int]]:
    """Tokens by the classes that exclude each other; those of which there are none left out."""
    prompt = int(values.get(genai.INPUT_TOKENS, 0))
    read = int(values.get(genai.CACHE_READ_TOKENS, 0))
    written = int(values.get(genai.CACHE_CREATION_TOKENS, 0))
    write_1h = int(values.get(genai.CACHE_WRITE_1H_TOKENS, 0))
    read, write_5m, write_1h = within_prompt(prompt, read, written - write_1h, write_1h)
    classes = {
        "input": prompt - read - write_5m - write_1h,
        "cache_read": read,
        "cache_write_5m": write_5m,
        "cache_write_1h": write_1h,
        "output": int(values.get(genai.OUTPUT_TOKENS, 0)),
    }
    return ((name, tokens) for name, tokens in classes.items() if tokens)


def _measure_session(found: Measured, span: Span) -> None:
    labels = _labels(span)
    found.add(genai.AGENT_DURATION, labels, _length_s(span))
    answers, calls = span.attributes[genai.INTERACTIONS], span.attributes[genai.CALLS]
    found.add(genai.AGENT_INFERENCE_CALLS, labels, float(answers))
    found.add(genai.AGENT_TOOL_CALLS, labels, float(calls))


def _measure_inferred(found: Measured, span: Span) -> None:
    if genai.HEAL_OUTCOME in span.attributes:
        labels = _labels(span, genai.PHASE, genai.HEAL_OUTCOME)
        found.add(genai.HEALS_SUM, labels, 1)
    elif span.ended_ns > span.began_ns:
        found.add(genai.PHASE_SUM, _labels(span, genai.PHASE), _length_s(span))


_MEASURES = {
    genai.EXECUTE_TOOL: _measure_tool,
    genai.CHAT: _measure_answer,
    genai.INVOKE_AGENT: _measure_session,
}


def _add_usage(attributes: dict[str, Value], usage: Usage) -> None:
    attributes[genai.INPUT_TOKENS] = usage.prompt_tokens
    attributes[genai.OUTPUT_TOKENS] = usage.completion_tokens
    written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens
    if usage.cache_read_tokens:
        attributes[genai.CACHE_READ_TOKENS] = usage.cache_read_tokens
    if written:
        attributes[genai.CACHE_CREATION_TOKENS] = written
    if usage.cache_write_1h_tokens:
        attributes[genai.CACHE_WRITE_1H_TOKENS] = usage.cache_write_1h_tokens
    if usage.reasoning_tokens:
        attributes[genai.REASONING_TOKENS] = usage.reasoning_tokens
    if usage.total != usage.prompt_tokens + usage.completion_tokens:
        attributes[genai.TOTAL_TOKENS] = usage.total


def _span(
    ids: tuple[int, int],
    name: str,
    lasted_us: tuple[int, int],
    attributes: dict[str, Value],
    error: str | None = None,
    *,
    is_client: bool = False,
    of_phase: Named | None = None,
) -> Span:
    began_us, ended_us = lasted_us
    ended_ns = min(max(ended_us, 0) * 1000, LATEST_NS)
    began_ns = min(max(began_us, 0) * 1000, ended_ns)
    for key, value in attributes.items():
        if type(value) is str:
            attributes[key] = _text(value)
        elif type(value) is int and value > _INT64_MAX:
            attributes[key] = _INT64_MAX
    name, error = _text(name), error and _text(error)
    return Span(*ids, name, began_ns, ended_ns, attributes, error, is_client, of_phase)


def _text(text: str) -> str:
    """Text as UTF-8 can write it: of file names that are not, Python has lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _derived(size: int, *key: object) -> int:
    """An id of so many bytes, never zero, which stands for none."""
    text = "\0".join(map(str, key)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2s(text, digest_size=size).digest(), "big") or 1
