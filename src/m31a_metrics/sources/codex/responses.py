"""Which responses of a model a thread's records tell of, and how many tokens each took.

Two kinds of records tell, each with the thread's sums so far. A `token_count` follows a
response; one whose sums did not grow repeats an old one (a new rate limit was worth a
record). Since 0.152 a `token_usage_record` stands before it, which names the response, and
is the only one of a request for compaction. What one of them told, the other's sums hold
too, and it counts once. What sums grew by beyond that was used as well: by a turn that was
aborted, or in a record that is lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from m31a_metrics.events import Event, LLMInteraction
from m31a_metrics.model import Usage
from m31a_metrics.sources.codex.records import Payload, Settings, TokenUsage
from m31a_metrics.transcript import Effects

_FAST = ("fast", "priority")
_SLOW = ("flex", "batch")
_REMEMBERED = 32
_REQUESTS_MAX = 1_000

Counts = tuple[int, int, int, int, int, int]
"""Tokens: input, cached of it, written to a cache of it, output, reasoning of it, in all."""

_NONE: Counts = (0, 0, 0, 0, 0, 0)


class _Told(Struct, gc=False):
    """Tokens that one kind of record told, and that are to be met in the other's sums.

    `is_apart`: those sums grew without them before, or will never hold them, so that only the
    same figures again are taken for them. `is_counted`: not a copy.
    """

    counts: Counts
    response_id: str
    is_counted: bool
    is_apart: bool = False


class _Witness(Struct):
    """One kind of record: its latest sums, and what only the other kind told so far.

    `is_copy`: the latest was a copy, and more may have been used before the fork than was
    copied.
    """

    sums: Counts | None = None
    is_copy: bool = False
    elsewhere: list[_Told] = field(default_factory=list)


class _News(Struct, gc=False):
    """What a record tells beyond what the other kind told: a response, and what else was used.

    `listed` is what the other kind told of the response itself.
    """

    response: Counts = _NONE
    rest: Counts = _NONE
    listed: list[_Told] = field(default_factory=list)


class Responses:
    """The responses of one thread."""

    def __init__(self, skip: frozenset[str]) -> None:
        self.events: list[Event] = []
        self.effects = Effects()
        self.models: list[str] = []
        self.model: str | None = None
        self.tier: str | None = None
        self.turn_id = ""
        self.subagent = ""
        self.context_tokens = 0
        self._skip = skip
        self._counts = _Witness()
        self._records = _Witness()
        self._window = 0
        self._in_turn: dict[str, int] = {}
        self._keys: set[str] = set()

    def turn(self, turn_id: str | None) -> None:
        """Note that a turn began, or goes on."""
        self.turn_id = turn_id or self.turn_id

    def settle(self, settings: Settings) -> None:
        """Note how responses are served from here on: by a tier, or as any other.

        Settings with a model are all there are; Codex leaves the tier out where none is asked.
        """
        tier = settings.service_tier
        if tier in _FAST:
            self.tier = "fast"
        elif tier or settings.model:
            self.tier = tier if tier in _SLOW else None

    def compacted(self, response_id: str | None) -> None:
        """Note which response was a compaction: the sums of a `token_count` leave it out."""
        for told in self._counts.elsewhere:
            if response_id and told.response_id == response_id:
                told.is_apart = True

    def count(self, payload: Payload, t_us: int, *, is_copy: bool) -> str:
        """Take a `token_count`; return the id of the response, "" if none is to be counted."""
        info = payload.info
        if info is None:
            return ""
        self.effects.lines += 1
        last, sums = _counts(info.last_token_usage), _counts(info.total_token_usage)
        if last is not None and last[-1]:
            self.context_tokens = last[-1]
        if self._is_repeat(self._counts, sums, last, is_copy=is_copy):
            return ""
        if sums is None and not _has_classes(last):
            return ""  # how full the context is by an estimate, not what a response took
        self._window = info.model_context_window or self._window
        news = _news(self._counts, sums, last, info.model_context_window)
        if _total(news.response) or _total(news.rest):
            self.model = payload.model or info.model or self.model
        key = self._key(sums, last, t_us)
        counted = self._add(news, key, t_us, self._records, is_copy=is_copy)
        # ccusage takes the latest response of each, or what sums without one grew by.
        if last is None or _has_classes(last):
            listed = [told.counts for told in news.listed if told.is_counted]
            if counted and _has_classes(news.response):
                listed.append(news.response)
            self.effects.unlisted_responses -= len(listed)
            self.effects.unlisted_tokens -= sum(map(_total, listed))
        return counted

    def record(self, payload: Payload, t_us: int, *, is_copy: bool) -> str:
        """Take a `token_usage_record`; return the id of the response, as `count` does."""
        last, sums = _counts(payload.usage), _counts(payload.thread_token_usage)
        if last is None:
            return ""
        self.effects.lines += 1
        if self._is_repeat(self._records, sums, last, is_copy=is_copy):
            return ""
        news = _news(self._records, sums, last, None)
        # An id may be of this turn only: not every provider's are random. The sums tell
        # responses apart that were given one id.
        name = payload.response_id or ""
        place = _place(sums) if sums is not None else ("" if name else str(t_us))
        key = ":".join(filter(None, (payload.turn_id or self.turn_id, name, place)))
        return self._add(news, key, t_us, self._counts, name, is_copy=is_copy)

    def _key(self, sums: Counts | None, last: Counts | None, t_us: int) -> str:
        """Name a response that has no id, the same in every copy."""
        turn = self.turn_id
        if sums is not None or not turn:
            # Without a turn to name it by, the moment and the sums are as good as unique.
            return f"{turn or t_us}:{_place(sums or last or _NONE)}"
        number = self._in_turn[turn] = self._in_turn.get(turn, 0) + 1
        return f"{turn}:#{number}"

    def _is_repeat(
        self, witness: _Witness, sums: Counts | None, last: Counts | None, *, is_copy: bool
    ) -> bool:
        was_copy, witness.is_copy = witness.is_copy, is_copy
        if sums is None or sums != witness.sums:
            if was_copy and not is_copy and _has_classes(last):
                witness.sums = None
            return False
        self.effects.repeated_lines += 1
        self.effects.repeated_tokens += _total(last or _NONE)
        return True

    def _add(
        self,
        news: _News,
        key: str,
        t_us: int,
        other: _Witness,
        name: str = "",
        *,
        is_copy: bool,
    ) -> str:
        """Count what is new; return the id of the response, "" if that is not."""
        rest = list(_requests(news.rest, self._window))
        keys = [f"{key}+{number or ''}" for number in range(len(rest))]
        taken = [self._take(*one, t_us, is_copy=is_copy) for one in zip(keys, rest, strict=True)]
        if True in taken or False in taken:
            other.elsewhere.append(_Told(news.rest, "", True in taken))
        counted = self._take(key, news.response, t_us, is_copy=is_copy)
        if counted is not None:
            other.elsewhere.append(_Told(news.response, name, counted))
        del other.elsewhere[:-_REMEMBERED]
        return key if counted else ""

    def _take(self, key: str, counts: Counts, t_us: int, *, is_copy: bool) -> bool | None:
        """Count one response, unless it is a copy (False); None if there is none, or again."""
        usage = _usage(counts)
        if not usage.total:
            return None
        if key in self._keys:
            self.effects.repeated_lines += 1
            self.effects.repeated_tokens += usage.total
            return None
        self._keys.add(key)
        if is_copy or key in self._skip:
            self.effects.replayed_responses += 1
            self.effects.replayed_tokens += usage.total
            return False
        self.effects.responses += 1
        self.effects.unlisted_responses += 1
        self.effects.unlisted_tokens += usage.total
        if self.model and self.model not in self.models:
            self.models.append(self.model)
        self.events.append(
            LLMInteraction(
                t_us=t_us,
                phase="",
                usage=usage,
                model=self.model,
                tier=self.tier,
                subagent=self.subagent or None,
                id=key,
            )
        )
        return True


def _news(witness: _Witness, sums: Counts | None, last: Counts | None, window: int | None) -> _News:
    """Tell what a record adds to what is known; its sums are not the witness's latest."""
    left = _growth(witness.sums, sums, last, window)
    witness.sums = sums or witness.sums
    news = _News()
    latest = last if _has_classes(last) else None
    if latest is not None:
        same = _same(witness.elsewhere, latest)
        if same is None:
            news.response = latest
        else:
            witness.elsewhere.remove(same)
            news.listed.append(same)
        left = _less(left, latest)
    for told in list(witness.elsewhere):
        if told.counts[:-1] == left[:-1] or (not told.is_apart and _fits(told.counts, left)):
            witness.elsewhere.remove(told)
            left = _less(left, told.counts)
            if latest is None:
                news.listed.append(told)
        told.is_apart = True
    if latest is None:
        news.response = left
    elif min(left[:-1]) >= 0 and (left[0] or left[3]):
        news.rest = left
    return news


def _requests(counts: Counts, window: int) -> Iterator[Counts]:
    """Share tokens out over as few requests as can have had them.

    A long prompt may cost more, and no request's is longer than the context window.
    """
    if not _total(counts):
        return
    size = min(max(1, -(-counts[0] // window)), _REQUESTS_MAX) if window else 1
    for number in range(size):
        a, b, c, d, e, f = (one * (number + 1) // size - one * number // size for one in counts)
        yield a, b, c, d, e, f


def _growth(
    before: Counts | None, sums: Counts | None, last: Counts | None, window: int | None
) -> Counts:
    """Return what a thread used since its sums were `before`."""
    if sums is None:
        return last or _NONE
    began = before is None
    if before is None:
        # The first sums of a file may hold what its parent used.
        growth = sums if last is None or last == sums else last
    else:
        growth = _less(sums, before)
        began = min(growth[:-1]) < 0
        if began and last is not None:
            growth = last
        elif began and max(growth[:-1]) <= 0:
            growth = sums
    if _has_classes(growth):
        return _capped(growth)
    # Of some providers only totals are known. But Codex also writes a total where it takes the
    # context for full, or estimates how full it is, and then nothing was used.
    is_estimate = sums[-1] == window or (began and growth != sums) or (began and before is not None)
    return _NONE if is_estimate else _capped(growth)


def _counts(usage: TokenUsage | None) -> Counts | None:
    if usage is None:
        return None
    return (
        usage.input_tokens or 0,
        usage.cached_input_tokens or 0,
        usage.cache_write_input_tokens or 0,
        usage.output_tokens or 0,
        usage.reasoning_output_tokens or 0,
        usage.total_tokens or 0,
    )


def _has_classes(counts: Counts | None) -> bool:
    """Tell whether it is known which tokens these are, and not only how many in all."""
    return counts is not None and any(counts[:-1])


def _same(elsewhere: list[_Told], counts: Counts) -> _Told | None:
    return next((told for told in reversed(elsewhere) if told.counts[:-1] == counts[:-1]), None)


def _fits(counts: Counts, left: Counts) -> bool:
    """Tell whether sums that grew by `left` may hold these tokens."""
    return all(part <= whole for part, whole in zip(counts[:-1], left[:-1], strict=True))


def _less(counts: Counts, part: Counts) -> Counts:
    a, b, c, d, e, f = counts
    return a - part[0], b - part[1], c - part[2], d - part[3], e - part[4], f - part[5]


def _capped(counts: Counts) -> Counts:
    """Return counts none of which is negative."""
    a, b, c, d, e, f = counts
    return max(0, a), max(0, b), max(0, c), max(0, d), max(0, e), max(0, f)


def _place(sums: Counts) -> str:
    return f"{sums[0]}+{sums[3]}"


def _total(counts: Counts) -> int:
    return counts[-1] or counts[0] + counts[3]


def _usage(counts: Counts) -> Usage:
    prompt, cached, written, completion, reasoning, total = _capped(counts)
    cached = min(cached, prompt)
    total = total or prompt + completion
    return Usage(
        prompt,
        completion,
        total if total != prompt + completion else None,
        cache_read_tokens=cached,
        cache_write_5m_tokens=min(written, prompt - cached),
        reasoning_tokens=min(reasoning, completion),
    )
