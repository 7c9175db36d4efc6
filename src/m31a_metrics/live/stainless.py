"""Clients that Stainless made (OpenAI's, Anthropic's): each request goes through one method.

That method, `request` of the class that all clients have in common, is overridden: whatever a
client is called, however it was copied or configured, and whoever uses it, a request to a model
passes here once, its retries included. Streams are followed by an object in the place of their
iterator: a generator would be closed late, and breaks `aclose`. Tried with the oldest release
that is supported and the newest (`make sdks`), with httpx beneath and with httpx2.
"""

from __future__ import annotations

import weakref
from _thread import allocate_lock
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache, wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import json

from m31a_metrics.errors import BudgetExceeded
from m31a_metrics.figures import TOKENS_MAX, tokens
from m31a_metrics.live.attachments import Answer, Attachment, Call, Detach, harmless, model_exchange

if TYPE_CHECKING:
    from m31a_metrics import Collector

_lock = allocate_lock()


class Reading(Protocol):
    """What an answer says: read whole, or part by part as a stream tells it."""

    def see(self, part: Any) -> None:
        """Read an answer or a part of one: an object of the SDK, or a mapping."""

    def answer(self) -> Answer:
        """What is known by now."""


class _Kind(Enum):
    """What a request gives: an answer, a stream, a response that is not parsed, or the client's."""

    WHOLE, STREAM, RAW, HTTP = range(4)


class Dialect:
    """What an SDK has of its own: its clients, which paths ask a model, how answers read.

    `module` has the client classes of these names, sync and async, and their streams.
    """

    def __init__(
        self,
        module: Any,
        names: tuple[str, str],
        is_inference: Callable[[str], bool],
        reading: Callable[[], Reading],
    ) -> None:
        self.clients = tuple(_with_request(getattr(module, name)) for name in names)
        self.streams = (module.Stream, module.AsyncStream)
        self.reading = reading

        @lru_cache(256)
        def asks_model(method: str, url: str) -> bool:
            return method.lower() == "post" and is_inference(url.partition("?")[0].rstrip("/"))

        @lru_cache(256)
        def kind(of: type) -> _Kind:
            if issubclass(of, self.streams):
                return _Kind.STREAM
            if hasattr(of, "parse") and hasattr(of, "http_request"):
                return _Kind.RAW
            return _Kind.HTTP if hasattr(of, "content") and hasattr(of, "headers") else _Kind.WHOLE

        self.asks_model: Callable[[str, str], bool] = asks_model
        self.kind: Callable[[type], _Kind] = kind


def _with_request(client: type) -> type:
    """The class that `request` is of: that of clients for other clouds, too."""
    return next(one for one in client.__mro__ if "request" in vars(one))


def reader(part: Any) -> Callable[[Any, str, None], Any]:
    """How to read of an object of the SDK, or of a dictionary: None where there is none."""
    return dict.get if type(part) is dict else getattr


def count(value: object) -> int:
    """A count of tokens; 0 for what is none."""
    # Most are plain, and quicker told than asked for.
    return value if type(value) is int and 0 <= value <= TOKENS_MAX else tokens(value)


def attach(collector: Collector | None, target: object | None, dialect: Dialect) -> Detach:
    """Record the requests of one client and its copies, or of all that there are and will be."""
    attachment = Attachment(collector)
    if target is not None and not isinstance(target, dialect.clients):
        raise TypeError(f"target must be a client of this SDK, not {type(target).__name__}")
    owners = dialect.clients if target is None else (target,)
    with _lock:
        overrides = [_override(owner, dialect) for owner in owners]
        for override in overrides:
            override.attachments.append(attachment)

    def detach() -> None:
        with _lock:
            while overrides:
                override = overrides.pop()
                override.attachments.remove(attachment)
                if not override.attachments:
                    override.restore()

    return detach


def _override(owner: Any, dialect: Dialect) -> _Override:
    """Find what is in the place of `request` already, or put it there."""
    found = getattr(vars(owner).get("request"), _MARK, None)
    return found if isinstance(found, _Override) else _Override(owner, dialect)


# ---- in the place of `request`

_MARK = "m31a_metrics_override"


class _Override:
    """In the place of `request`, of a class or of a client; of that its copies get one, too.

    Without attachments it passes everything on.
    """

    def __init__(
        self, owner: Any, dialect: Dialect, attachments: list[Attachment] | None = None
    ) -> None:
        self.attachments: list[Attachment] = [] if attachments is None else attachments
        self.dialect = dialect
        self._owner = weakref.ref(owner)
        self._copies: weakref.WeakSet[_Override] = weakref.WeakSet()
        self._before: dict[str, Any] = {}
        self._methods: dict[str, Any] = {}
        is_class = isinstance(owner, type)
        self._options_at = 2 if is_class else 1  # a method of a client is bound already
        is_async = issubclass(owner if is_class else type(owner), dialect.clients[1])
        self._put(owner, "request", (_async_request if is_async else _request)(self, owner.request))
        for name in () if is_class else ("copy", "with_options"):
            if hasattr(owner, name):
                self._put(owner, name, self._copying(getattr(owner, name)))

    def _put(self, owner: Any, name: str, method: Any) -> None:
        self._before[name] = vars(owner).get(name)
        self._methods[name] = method
        setattr(method, _MARK, self)
        setattr(owner, name, method)

    def restore(self) -> None:
        """Put back what was there, but where somebody else came since: there it passes all on."""
        for copy in list(self._copies):
            copy.restore()
        owner = self._owner()
        for name, method in self._methods.items():
            if owner is None or vars(owner).get(name) is not method:
                continue
            if self._before[name] is None:
                delattr(owner, name)
            else:
                setattr(owner, name, self._before[name])

    def _copying(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def copy(*arguments: Any, **named: Any) -> Any:
            client = original(*arguments, **named)
            try:
                self._copies.add(_Override(client, self.dialect, self.attachments))
            except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
                harmless("a copy of a client could not be followed", error)
            return client

        return copy

    def begin(self, arguments: Sequence[Any], named: Mapping[str, Any]) -> list[Call]:
        """Hear that a request begins. Raises BudgetExceeded."""
        calls: list[Call] = []
        try:
            options = named["options"] if "options" in named else arguments[self._options_at]
            if not self.dialect.asks_model(options.method, options.url):
                return calls
            for attachment in self.attachments:
                call = attachment.model_call(claims=True)
                if call is not None:
                    calls.append(call)
        except BudgetExceeded:
            _failed(calls)
            raise
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a request could not be followed", error)
        return calls


def _request(override: _Override, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def request(*arguments: Any, **named: Any) -> Any:
        if not override.attachments:
            return original(*arguments, **named)
        around = model_exchange.get()
        calls: list[Call] = []
        try:
            calls = override.begin(arguments, named)
            response = original(*arguments, **named)
        except BaseException:
            _failed(calls)
            raise
        finally:
            model_exchange.set(around)
        if calls:
            _follow(response, calls, override.dialect, is_stream=named.get("stream") is True)
        return response

    return request


def _async_request(override: _Override, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    async def request(*arguments: Any, **named: Any) -> Any:
        if not override.attachments:
            return await original(*arguments, **named)
        around = model_exchange.get()
        calls: list[Call] = []
        try:
            calls = override.begin(arguments, named)
            response = await original(*arguments, **named)
        except BaseException:
            _failed(calls)
            raise
        finally:
            model_exchange.set(around)
        if calls:
            _follow(response, calls, override.dialect, is_stream=named.get("stream") is True)
        return response

    return request


def _failed(calls: list[Call]) -> None:
    for call in calls:
        call.failed()


# ---- what is answered


class _Followed:
    """An answer that is being read, until it ends: by its end, a failure, `close` or garbage."""

    __slots__ = ("_calls", "_is_over", "_reading", "is_read")

    def __init__(self, calls: list[Call], reading: Reading) -> None:
        self._calls = calls
        self._reading = reading
        self._is_over = False
        self.is_read = False  # now, by whoever iterates: the SDK itself closes then

    def see(self, part: Any) -> None:
        try:
            self._reading.see(part)
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("a part of an answer could not be read", error)

    def see_json(self, body: bytes) -> None:
        try:
            self.see(json.decode(body))
        except Exception as error:  # noqa: BLE001 - what a server sends may be anything
            harmless("an answer could not be read", error)

    def end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        try:
            answer = self._reading.answer()
        except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
            harmless("an answer could not be read", error)
            answer = Answer()
        for call in self._calls:
            call.answered(answer)

    def closed(self) -> None:
        if not self.is_read:
            self.end()


def _follow(response: Any, calls: list[Call], dialect: Dialect, *, is_stream: bool) -> None:
    reading = dialect.reading()
    followed = None
    try:
        kind = dialect.kind(type(response))
        if kind is _Kind.WHOLE:
            reading.see(response)
            answer = reading.answer()
            for call in calls:
                call.answered(answer)
            return
        followed = _Followed(calls, reading)
        if kind is _Kind.STREAM:
            _follow_stream(response, followed)
            return
        if kind is _Kind.HTTP:
            followed.see_json(response.content)
        else:
            if is_stream:
                _follow_raw_stream(response, followed, dialect)
            else:
                _follow_raw(response, followed)
            return
    except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
        harmless("an answer could not be read", error)
    (followed or _Followed(calls, _Unread())).end()


class _Unread:
    """What is known of an answer that could not be read."""

    def see(self, part: Any) -> None:
        pass

    def answer(self) -> Answer:
        return Answer()


class _Parts:
    """In the place of a stream's iterator."""

    def __init__(self, parts: Any, followed: _Followed) -> None:
        self._parts = parts
        self._followed = followed

    def __iter__(self) -> _Parts:
        return self

    def __next__(self) -> Any:
        followed = self._followed
        followed.is_read = True
        try:
            part = self._parts.__next__()
        except BaseException:
            followed.end()
            raise
        finally:
            followed.is_read = False
        followed.see(part)
        return part

    def close(self) -> None:
        self._followed.end()
        self._parts.close()


class _AsyncParts:
    """In the place of an asynchronous stream's iterator."""

    def __init__(self, parts: Any, followed: _Followed) -> None:
        self._parts = parts
        self._followed = followed

    def __aiter__(self) -> _AsyncParts:
        return self

    async def __anext__(self) -> Any:
        followed = self._followed
        followed.is_read = True
        try:
            part = await self._parts.__anext__()
        except BaseException:
            followed.end()
            raise
        finally:
            followed.is_read = False
        followed.see(part)
        return part

    async def aclose(self) -> None:
        self._followed.end()
        await self._parts.aclose()


def _follow_stream(stream: Any, followed: _Followed) -> None:
    parts = stream._iterator  # noqa: SLF001 - its iterator has no other name, in no release
    if isinstance(parts, _Parts | _AsyncParts):
        return  # asked for twice
    kind = _AsyncParts if hasattr(parts, "__anext__") else _Parts
    stream._iterator = kind(parts, followed)  # noqa: SLF001 - as above
    # Helpers close the response, and not the stream.
    _when_closed(stream.response, followed.closed)
    weakref.finalize(stream, followed.end)


def _follow_raw_stream(raw: Any, followed: _Followed, dialect: Dialect) -> None:
    """Follow the stream that a raw response gives when it is asked to parse itself."""
    parsed: list[bool] = []

    def follow(stream: Any) -> None:
        if isinstance(stream, dialect.streams):
            parsed.append(True)
            try:
                _follow_stream(stream, followed)
            except Exception as error:  # noqa: BLE001 - the host goes on whatever is wrong here
                harmless("a stream could not be followed", error)

    def dropped() -> None:
        if not parsed:
            followed.end()

    raw.parse = _told(raw.parse, after=follow)
    _when_closed(raw.http_response, followed.closed)
    weakref.finalize(raw, dropped)


def _follow_raw(raw: Any, followed: _Followed) -> None:
    """Read a raw response: now, or where its body is left to the host, when that closes it."""
    response = raw.http_response

    def read() -> None:
        try:
            body = response.content
        except Exception:  # noqa: BLE001 - nobody has read it: httpx and httpx2 have one error each
            body = b""
        if body:
            followed.see_json(body)
        followed.end()

    if response.is_closed:
        read()
        return
    raw.close = _told(raw.close, before=read)
    weakref.finalize(raw, read)


def _when_closed(holder: Any, tell: Callable[[], None]) -> None:
    """Hear when a response is closed."""
    for name in ("close", "aclose"):
        original = getattr(holder, name, None)
        if original is not None:
            setattr(holder, name, _told(original, before=tell))


def _told(
    original: Callable[..., Any],
    *,
    before: Callable[[], None] | None = None,
    after: Callable[[Any], Any] | None = None,
) -> Callable[..., Any]:
    """A method that tells when it is called, or what it returned.

    It keeps its object, which so goes with the garbage collector: a weak reference would be gone
    where a response is closed as garbage, and in `create(...).parse()`.
    """

    @wraps(original)
    def method(*given: Any, **named: Any) -> Any:
        if before is not None:
            before()
        result = original(*given, **named)
        if after is not None:
            after(result)
        return result

    @wraps(original)
    async def async_method(*given: Any, **named: Any) -> Any:
        if before is not None:
            before()
        result = await original(*given, **named)
        if after is not None:
            after(result)
        return result

    return async_method if iscoroutinefunction(original) else method
