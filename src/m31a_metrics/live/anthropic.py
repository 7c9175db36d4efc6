"""Record what is asked of models by Anthropic's SDK, over whichever cloud.

    from m31a_metrics.live import anthropic
    detach = anthropic.attach(collector)

Messages count, each with its retries as one answer, streamed or not; batches and the counting of
tokens do not. A stream that is not read to its end is an answer of unknown usage: it has said
what it read by then, and a 1 in the place of what it wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from m31a_metrics.figures import text
from m31a_metrics.live.attachments import Answer, Detach, is_count
from m31a_metrics.live.stainless import Dialect, count, reader
from m31a_metrics.live.stainless import attach as attach_client
from m31a_metrics.model import Usage

if TYPE_CHECKING:
    from m31a_metrics import Collector

_INFERENCE = ("/messages", "/complete")
_US_ONLY = "us"


def attach(collector: Collector | None, target: object | None = None) -> Detach:
    """Record each answer in the session of the Collector in force, else of `collector`.

    `target` is one client, which is recorded with its copies (`with_options`); None: all clients
    of this process, those for Bedrock and Vertex and those yet to be made too. Returns what ends
    it, in whatever order; a stream that began before still counts.

    Raises ImportError without the package anthropic, TypeError for what is no client or Collector.
    """
    import anthropic

    return attach_client(collector, target, dialect(anthropic, ("Anthropic", "AsyncAnthropic")))


def dialect(module: Any, clients: tuple[str, str]) -> Dialect:
    """How this SDK speaks: a module with its streams, and clients of these names."""
    return Dialect(module, clients, _is_inference, _Reading)


def _is_inference(path: str) -> bool:
    return path.endswith(_INFERENCE)


class _Reading:
    """A message: whole, or from its first event to the last that counts its tokens."""

    __slots__ = ("_answer", "_is_final", "_used")

    def __init__(self) -> None:
        self._answer = Answer()
        self._used: dict[str, Any] = {}
        self._is_final = False

    def see(self, part: Any) -> None:
        """Read a message, or an event of its stream."""
        read = reader(part)
        kind = read(part, "type", None)
        if kind == "message":
            self._begin(part)
            self._is_final = True
        elif kind == "message_start":
            self._begin(read(part, "message", None))
        elif kind == "message_delta":
            self._use(read(part, "usage", None))
            self._is_final = is_count(self._used.get("output_tokens"))

    def _begin(self, message: Any) -> None:
        read = reader(message)
        self._answer.response_id = text(read(message, "id", None))
        self._answer.model = text(read(message, "model", None))
        self._use(read(message, "usage", None))

    def _use(self, used: Any) -> None:
        """Take what is said: counts are those until now, and what is not said again stays."""
        read, mine = reader(used), self._used
        for name in _USED:
            value = read(used, name, None)
            if value is not None:
                mine[name] = value

    def answer(self) -> Answer:
        """What is known by now."""
        answer, used = self._answer, self._used
        if not self._is_final or not is_count(used.get("input_tokens")):
            return answer
        cached = count(used.get("cache_read_input_tokens"))
        written_5m = count(used.get("cache_creation_input_tokens"))
        written_1h = _of(used, "cache_creation", "ephemeral_1h_input_tokens")
        if written_1h:
            written_5m = max(
                written_5m - written_1h, _of(used, "cache_creation", "ephemeral_5m_input_tokens")
            )
        answer.usage = Usage(
            count(used["input_tokens"]) + cached + written_5m + written_1h,
            count(used.get("output_tokens")),
            cache_read_tokens=cached,
            cache_write_5m_tokens=written_5m,
            cache_write_1h_tokens=written_1h,
            reasoning_tokens=_of(used, "output_tokens_details", "thinking_tokens"),
        )
        answer.tier = _tier(used)
        answer.web_search_count = _of(used, "server_tool_use", "web_search_requests")
        return answer


def _of(used: dict[str, Any], name: str, part: str) -> int:
    """A count in a part of the usage, which need not be there."""
    found = used.get(name)
    return 0 if found is None else count(reader(found)(found, part, None))


_USED = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "speed",
    "inference_geo",
)


def _tier(used: dict[str, Any]) -> str | None:
    """Return what the price depends on: how it was served, and whether in the US only."""
    served = "batch" if used.get("service_tier") == "batch" else ""
    if used.get("speed") == "fast":
        served = "fast"
    if used.get("inference_geo") == _US_ONLY:
        return f"{served}-{_US_ONLY}" if served else _US_ONLY
    return served or None
