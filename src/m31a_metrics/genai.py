"""The names under which sessions go out to OpenTelemetry: attributes, span names, metrics.

`gen_ai.*` are those of OpenTelemetry's conventions for generative AI
(https://github.com/open-telemetry/semantic-conventions-genai), which moved out of the package
`opentelemetry-semantic-conventions`, so they stand here; `m31a.*` say what these have no word
for. docs/otlp.md explains each to people, and a test holds the page to this file. What a session or
a heal adds up to has names of its own: who sums an attribute up over all spans counts nothing
twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache

from msgspec import Struct

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
AGENT = "gen_ai.agent.name"
AGENT_VERSION = "gen_ai.agent.version"
CONVERSATION = "gen_ai.conversation.id"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
TOOL = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TYPE_OF_TOKENS = "gen_ai.token.type"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
ERROR_TYPE = "error.type"
SESSION = "session.id"
SPAN_KIND = "openinference.span.kind"

CHAT, EXECUTE_TOOL, INVOKE_AGENT = "chat", "execute_tool", "invoke_agent"
OTHER_ERROR = "_OTHER"
"""What the conventions have for an error of no class that everybody knows."""
CHAIN = "CHAIN"
"""OpenInference's kind of a span that is neither an agent nor a tool nor a model."""

PHASE = "m31a.phase"
SUBAGENT = "m31a.subagent"
COST = "m31a.cost_usd"
USAGE_COST = "gen_ai.usage.cost"
"""No convention has it; Langfuse and others read it."""
CACHE_WRITE_1H_TOKENS = "m31a.cache_write_1h_tokens"
TOTAL_TOKENS = "m31a.total_tokens"
UNPRICED_TOKENS = "m31a.unpriced_tokens"
TIER = "m31a.tier"
WEB_SEARCHES = "m31a.web_search_count"
WAIT = "m31a.wait_ms"
DENIED = "m31a.denied"
ELAPSED_ONLY = "m31a.elapsed_only"
PROJECT = "m31a.session.project"
BRANCH = "m31a.session.branch"
WORKTREE = "m31a.session.worktree"
LABEL = "m31a.label."
"""Before the name of a session's label."""
ACTIVE = "m31a.session.active_ms"
TURNS = "m31a.session.user_turn_count"
CALLS = "m31a.session.call_count"
FAILS = "m31a.session.fail_count"
DENIALS = "m31a.session.denied_count"
INTERACTIONS = "m31a.session.interaction_count"
SESSION_COST = "m31a.session.cost_usd"
SESSION_TOKENS = "m31a.session.total_tokens"
SESSION_UNPRICED_TOKENS = "m31a.session.unpriced_tokens"
HEALS = "m31a.session.heal_count"
SUPERSEDED = "m31a.superseded"
CHECK = "m31a.heal.check"
HEAL_OUTCOME = "m31a.heal.outcome"
HEAL_LOOP = "m31a.heal.loop"
HEAL_CHAIN = "m31a.heal.chain"
LINE = "m31a.heal.failure_line"
HEAL_COST = "m31a.heal.cost_usd"
HEAL_TOKENS = "m31a.heal.total_tokens"
CLASS_OF_TOKENS = "m31a.token.class"

_MAKERS = (
    ("claude", "anthropic"),
    ("gpt-", "openai"),
    ("chatgpt", "openai"),
    ("codex", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("gemini", "gcp.gemini"),
    ("grok", "x_ai"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral_ai"),
    ("magistral", "mistral_ai"),
    ("codestral", "mistral_ai"),
    ("devstral", "mistral_ai"),
    ("command-", "cohere"),
)
_CLOUDS = (
    ("anthropic.", "aws.bedrock"),
    ("us.anthropic.", "aws.bedrock"),
    ("eu.anthropic.", "aws.bedrock"),
    ("apac.anthropic.", "aws.bedrock"),
    ("global.anthropic.", "aws.bedrock"),
    ("bedrock/", "aws.bedrock"),
    ("azure/", "azure.ai.openai"),
    ("vertex_ai/", "gcp.vertex_ai"),
    ("groq/", "groq"),
)


@lru_cache(256)
def provider(model: str) -> str:
    """Name who serves a model, as the conventions spell it; "" where its name tells nobody."""
    name = model.lower()
    for beginning, who in _CLOUDS:
        if name.startswith(beginning):
            return who
    name = name.rpartition("/")[2]
    return next((who for beginning, who in _MAKERS if name.startswith(beginning)), "")


class Kind(Enum):
    """What a metric is: a sum that only grows, or how values are distributed."""

    SUM = "sum"
    HISTOGRAM = "histogram"


class Metric(Struct, frozen=True):
    """One metric; `bounds` are upper bounds of the buckets of a histogram, each included."""

    name: str
    kind: Kind
    unit: str
    description: str
    bounds: tuple[float, ...] = ()


_SECONDS = tuple(0.01 * 2**power for power in range(14))
_TOKENS = tuple(float(4**power) for power in range(14))
_COUNTS = tuple(float(2**power) for power in range(14))

TOKEN_USAGE = Metric(
    "gen_ai.client.token.usage",
    Kind.HISTOGRAM,
    "{token}",
    "Tokens of an answer: input with what caches read and wrote of it, output with reasoning.",
    _TOKENS,
)
OPERATION_DURATION = Metric(
    "gen_ai.client.operation.duration",
    Kind.HISTOGRAM,
    "s",
    "How long answers took, where somebody timed them; transcripts do not.",
    _SECONDS,
)
TOOL_DURATION = Metric(
    "gen_ai.execute_tool.duration",
    Kind.HISTOGRAM,
    "s",
    "How long tool calls ran; those that were denied never ran.",
    _SECONDS,
)
AGENT_DURATION = Metric(
    "gen_ai.invoke_agent.duration",
    Kind.HISTOGRAM,
    "s",
    "From the first event of a session to its last.",
    tuple(60.0 * 2**power for power in range(12)),
)
AGENT_INFERENCE_CALLS = Metric(
    "gen_ai.invoke_agent.inference_calls",
    Kind.HISTOGRAM,
    "{call}",
    "Answers of models in a session.",
    _COUNTS,
)
AGENT_TOOL_CALLS = Metric(
    "gen_ai.invoke_agent.tool_calls",
    Kind.HISTOGRAM,
    "{call}",
    "Tool calls in a session.",
    _COUNTS,
)
COST_SUM = Metric("m31a.cost", Kind.SUM, "USD", "What LLM use cost, as far as that is known.")
TOKENS_SUM = Metric(
    "m31a.tokens", Kind.SUM, "{token}", "Tokens by five classes that exclude each other."
)
WAIT_SUM = Metric(
    "m31a.tool.wait", Kind.SUM, "s", "How long tool calls waited for a person's permission."
)
DENIED_SUM = Metric(
    "m31a.tool.denied", Kind.SUM, "{call}", "Tool calls that a hook, a rule or a person refused."
)
PHASE_SUM = Metric("m31a.phase.active", Kind.SUM, "s", "Active time of phases.")
HEALS_SUM = Metric("m31a.heals", Kind.SUM, "{heal}", "Attempts to make a failed check pass.")

METRICS = {
    one.name: one
    for one in (
        TOKEN_USAGE,
        OPERATION_DURATION,
        TOOL_DURATION,
        AGENT_DURATION,
        AGENT_INFERENCE_CALLS,
        AGENT_TOOL_CALLS,
        COST_SUM,
        TOKENS_SUM,
        WAIT_SUM,
        DENIED_SUM,
        PHASE_SUM,
        HEALS_SUM,
    )
}
"""All metrics there are, by name."""

Labels = tuple[tuple[str, str], ...]
"""Attributes of a series: names and values, in the order of the names."""

SERIES_MAX = 2_000
"""Series of one metric; what comes beyond them is counted in one more, as OpenTelemetry has it."""
OVERFLOW: Labels = (("otel.metric.overflow", "true"),)


class Point(Struct, array_like=True):
    """What a series holds. `buckets` are those below each bound, and one for what is above all."""

    metric: str
    labels: Labels
    count: int = 0
    sum: float = 0.0
    buckets: list[int] = []


class Measured:
    """Series that only grow, as long as they are kept."""

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._points: dict[tuple[str, Labels], Point] = {}
        self._series: dict[str, int] = {}
        self.merge(points)

    def __bool__(self) -> bool:
        return bool(self._points)

    def points(self) -> list[Point]:
        """What they hold, in the order in which they came about."""
        return list(self._points.values())

    def add(self, metric: Metric, labels: Iterable[tuple[str, str]], value: float) -> None:
        """Count one value of a series."""
        point = self._point(metric, tuple(sorted(labels)))
        point.count += 1
        point.sum += value
        if metric.kind is Kind.HISTOGRAM:
            point.buckets[bisect_left(metric.bounds, value)] += 1

    def merge(self, points: Iterable[Point]) -> None:
        """Count all that other series hold, but those of metrics that are no more."""
        for one in points:
            metric = METRICS.get(one.metric)
            if metric is None or len(one.buckets) != len(_empty(metric)):
                continue
            point = self._point(metric, one.labels)
            point.count += one.count
            point.sum += one.sum
            point.buckets = _added(point.buckets, one.buckets)

    def _point(self, metric: Metric, labels: Labels) -> Point:
        point = self._points.get((metric.name, labels))
        if point is not None:
            return point
        if self._series.get(metric.name, 0) >= SERIES_MAX and labels != OVERFLOW:
            return self._point(metric, OVERFLOW)
        self._series[metric.name] = self._series.get(metric.name, 0) + 1
        point = self._points[metric.name, labels] = Point(
            metric.name, labels, buckets=_empty(metric)
        )
        return point


def _empty(metric: Metric) -> list[int]:
    return [0] * (len(metric.bounds) + 1) if metric.kind is Kind.HISTOGRAM else []


def _added(some: Sequence[int], more: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(some, more, strict=True)]
