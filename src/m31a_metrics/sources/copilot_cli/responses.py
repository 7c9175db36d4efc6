"""How many tokens each response took, from up to three witnesses.

The session store has a row for each request: where it has, it alone is believed. A message
tells its output only, and in some versions no model; what was read, by model, is in the sums
that a session writes when it shuts down. In some versions these go on over resumes, in others
they begin anew. What they add since the last ones is shared out evenly over the messages in
between, which are the same requests, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.figures import TOKENS_MAX
from m31a_metrics.model import Usage
from m31a_metrics.sources.copilot_cli.records import ModelMetrics, UsageCounts
from m31a_metrics.transcript import Effects

_REQUESTS_MAX = 1_000


class Message(Struct, gc=False):
    """A message of the model: its output, and its share of what was read."""

    id: str
    t_us: int
    model: str | None
    output: int
    subagent: str
    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Row(Struct, gc=False):
    """A request, as the session store has it."""

    id: str
    t_us: int
    model: str | None
    counts: UsageCounts
    duration_ms: float | None = None
    agent: str = ""


class Sums(Struct, gc=False):
    """What a session says when it shuts down: what it used of each model, and since when."""

    models: dict[str, ModelMetrics] = {}
    since_us: int = 0
    api_ms: float = 0.0

    def requests(self) -> int:
        """How often models were asked."""
        return sum(map(_asked, self.models.values()))

    def output(self) -> int:
        """What all models answered, in tokens."""
        usages = [metric.usage for metric in self.models.values() if metric.usage]
        return sum(usage.outputTokens or 0 for usage in usages)


_ANY = "auto"
"""What a message may call its model where Copilot CLI chose one."""


class Responses:
    """The responses of one session."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.effects = Effects()
        self.messages: dict[str, Message] = {}
        self._skip = skip
        self._leg: list[Message] = []
        self._before = Sums()
        self._before_us = 0

    def add(self, message: Message) -> None:
        """Take a message, or a further part of one."""
        self.effects.lines += 1
        seen = self.messages.get(message.id)
        if seen is not None:
            self.effects.repeated_lines += 1
            self.effects.repeated_tokens += min(seen.output, message.output)
            seen.output = max(seen.output, message.output)
            return
        self.messages[message.id] = message
        self._leg.append(message)

    def shut_down(self, sums: Sums, t_us: int, place: str) -> None:
        """Take the sums of a session: share out what they grew by."""
        if not sums.models:
            return  # the next ones hold these messages too
        before = {} if self._began_anew(sums) else self._before.models
        self._before, self._before_us = sums, t_us
        grown = {
            model: _grown(metric.usage, before[model].usage if model in before else None)
            for model, metric in sums.models.items()
            if metric.usage is not None
        }
        self._name_models(grown)
        for model, counts in grown.items():
            if not any(_figures(counts)):
                continue
            asked = [message for message in self._leg if message.model == model]
            if not asked:
                # No message tells of these: a subagent's, or a title's.
                asked = [
                    Message(f"{place}:{model}:{number}", t_us, model, 0, "")
                    for number in range(_asked(sums.models[model]))
                ]
                self.messages |= {message.id: message for message in asked}
            _share(counts, asked)
        self._leg = []

    def _began_anew(self, sums: Sums) -> bool:
        """Tell whether sums hold nothing of those before them.

        Sums that go on never lose a token. Else the one of two readings is taken that is
        nearer to the output that the messages since then told of, or by which models were
        asked as often as there are messages.
        """
        before = Sums(
            {name: one for name, one in self._before.models.items() if name in sums.models}
        )
        if any(
            _shrank(sums.models[model].usage, metric.usage)
            for model, metric in before.models.items()
        ):
            return True
        if sums.api_ms < self._before.api_ms or sums.since_us > self._before_us > 0:
            return True
        told, whole = sum(message.output for message in self._leg), sums.output()
        grown = whole - before.output()
        if not told:
            told, whole = len(self._leg), sums.requests()
            grown = whole - before.requests()
        return bool(told) and abs(whole - told) < abs(grown - told)

    def _name_models(self, grown: dict[str, UsageCounts]) -> None:
        """Tell of messages without a model, or with a name of none, whose sums hold them."""
        left = {model: counts.outputTokens or 0 for model, counts in grown.items()}
        nameless: list[Message] = []
        for message in self._leg:
            if message.model in left:
                left[message.model] -= message.output
            else:
                nameless.append(message)
        total = sum(message.output for message in nameless)
        exact = [model for model, output in left.items() if output == total]
        for message in nameless:
            model = exact[0] if exact else max(left, key=left.__getitem__, default=None)
            if message.model and message.model != _ANY and not exact:
                continue  # it says another model, and nothing says that it means this one
            if model is None or left[model] < message.output:
                continue  # sums that hold less than a message are not its
            left[model] -= message.output
            message.model = model

    def events(self, session_id: str, rows: Sequence[Row]) -> list[Event]:
        """Put together the events; the store's rows replace the messages of their time."""
        from_us = min((row.t_us - _us(row.duration_ms) for row in rows), default=None)
        events: list[Event] = []
        for message in self.messages.values():
            if from_us is None or message.t_us < from_us:
                events += self._event(
                    f"{session_id}:{message.id}",
                    message.t_us,
                    message.model,
                    _usage(message),
                    subagent=message.subagent,
                )
        for row in rows:
            usage = _row_usage(row.counts)
            key = f"{session_id}:{row.id}"
            events += self._event(
                key, row.t_us, row.model, usage, subagent=row.agent, duration_ms=row.duration_ms
            )
        return events

    def _event(
        self,
        key: str,
        t_us: int,
        model: str | None,
        usage: Usage,
        *,
        subagent: str,
        duration_ms: float | None = None,
    ) -> list[Event]:
        if not usage.total:
            return []
        if key in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total
            return []
        self.effects.responses += 1
        return [
            LLMInteraction(
                t_us=t_us,
                phase="",
                usage=usage,
                model=model,
                duration_ms=duration_ms,
                subagent=subagent or None,
                id=key,
            )
        ]


def _figures(counts: UsageCounts) -> tuple[int, int, int, int, int]:
    return (
        counts.inputTokens or 0,
        counts.outputTokens or 0,
        counts.cacheReadTokens or 0,
        counts.cacheWriteTokens or 0,
        counts.reasoningTokens or 0,
    )


def _asked(metric: ModelMetrics) -> int:
    """Return how often a model was asked, at least once."""
    requests = metric.requests
    count = requests if isinstance(requests, int) else (requests and requests.count)
    return max(1, min(count or 1, _REQUESTS_MAX))


def _shrank(now: UsageCounts | None, before: UsageCounts | None) -> bool:
    if now is None or before is None:
        return False
    return any(
        later < earlier for later, earlier in zip(_figures(now), _figures(before), strict=True)
    )


def _grown(now: UsageCounts, before: UsageCounts | None) -> UsageCounts:
    """Return what sums grew by."""
    if before is None:
        return now
    pairs = zip(_figures(now), _figures(before), strict=True)
    return UsageCounts(*(later - earlier for later, earlier in pairs))


def _share(counts: UsageCounts, messages: list[Message]) -> None:
    read, output, cache_read, cache_write, reasoning = _figures(counts)
    size = len(messages)
    told = sum(message.output for message in messages)
    for number, message in enumerate(messages):
        more = max(0, output - told)
        message.input = _sum(message.input, _part(read, number, size))
        message.cache_read = _sum(message.cache_read, _part(cache_read, number, size))
        message.cache_write = _sum(message.cache_write, _part(cache_write, number, size))
        message.output = _sum(message.output, _part(more, number, size))
        message.reasoning = _sum(message.reasoning, _part(reasoning, number, size))


def _sum(one: int, other: int) -> int:
    """Add up; more than any machine ever used is damage."""
    return min(one + other, TOKENS_MAX)


def _part(total: int, number: int, size: int) -> int:
    """Return an even part of a whole; the parts add up to it."""
    return total * (number + 1) // size - total * number // size


def _usage(message: Message) -> Usage:
    read = min(message.cache_read, message.input)
    return Usage(
        message.input,
        message.output,
        cache_read_tokens=read,
        cache_write_5m_tokens=min(message.cache_write, message.input - read),
        reasoning_tokens=min(message.reasoning, message.output),
    )


def _row_usage(counts: UsageCounts) -> Usage:
    prompt, output, cache_read, cache_write, reasoning = _figures(counts)
    read = min(cache_read, prompt)
    return Usage(
        prompt,
        output,
        cache_read_tokens=read,
        cache_write_5m_tokens=min(cache_write, prompt - read),
        reasoning_tokens=min(reasoning, output),
    )


def _us(duration_ms: float | None) -> int:
    return round((duration_ms or 0) * 1_000) + 1_000_000
