"""What is read of what is sent: one declared table, and nothing that is not in it.

An agent says the same tokens three to five times: in a log, in metrics, in a span of the request
and in those around it. Of each agent one witness of a kind of event is in the table, and all else
that it sends is dropped before anything is built of it. What no agent here sends is read by the
conventions for generative AI, old names and new, from spans of requests to a model alone: a span
of an agent, a workflow or a chain repeats what is in it. docs/otlp-in.md shows the table.

Attributes that hold people's text stand nowhere in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct


class Tells(StrEnum):
    """What a record tells of: one kind of event each."""

    MODEL_CALL = "model call"
    TOOL_CALL = "tool call"
    DENIAL = "denied call"
    USER_TURN = "user turn"
    COMPACTION = "compaction"
    SUBAGENT = "subagent"
    MODE = "mode"
    PERMISSION_WAIT = "permission wait"


Names = tuple[str, ...]
"""Attributes that say one thing: the first that is there counts."""


class Rule(Struct, frozen=True, kw_only=True, gc=False):
    """One kind of record, and what is read of it.

    `fields` are the attributes by the word for what they say; `where` the attributes that must
    be there, with one of the values (none: with any), and `unless` those that must not. Counts
    mean what they mean in a Usage, but where the prompt leaves out what a cache took part in
    (`leaves_cache_out`), or the completion leaves out reasoning (`leaves_reasoning_out`).
    `no_wait_where`: then the duration of a call holds no person's wait, though it may elsewhere;
    `only_elapsed`: the call may go on when it is said to have ended.
    """

    tells: Tells
    fields: Mapping[str, Names]
    where: Mapping[str, Names] = {}
    unless: Mapping[str, Names] = {}
    leaves_cache_out: bool = False
    leaves_reasoning_out: bool = False
    no_wait_where: Mapping[str, Names] = {}
    only_elapsed: bool = False

    @property
    def wanted(self) -> frozenset[str]:
        """All attributes that are read for it."""
        return frozenset(name for names in self.fields.values() for name in names).union(
            self.where, self.unless, self.no_wait_where
        )


class Emitter(Struct, frozen=True, kw_only=True, gc=False):
    """An agent, by what it calls its service and its scopes, and what is read of it.

    `session` are the attributes that hold the session's id, on the record or its resource.
    Rules stand by the name of the log or the span; with `conventions`, spans are read by those
    where no name fits. A model call with one of the values of `turn_where` answers a person;
    one with those of `unwritten_where` stands in no transcript, and counts beside it.
    `provider_and_model` say a model as the transcript does, which puts the provider first.
    `parent`: a subagent has a session of its own, and this attribute of its model calls names
    the session that it counts in; what a request tells of a session without such is nobody's.
    `has_own_ids`: the ids of model calls stand in no transcript of the agent, so they only tell
    a record that was sent twice. `holds_waits`: how long a call took is measured from before a
    person is asked.
    """

    agent: str
    services: Names = ()
    scopes: Names = ()
    session: Names = ("session.id",)
    version: Names = ("service.version",)
    logs: Mapping[str, tuple[Rule, ...]] = {}
    spans: Mapping[str, tuple[Rule, ...]] = {}
    conventions: bool = False
    turn_where: Mapping[str, Names] = {}
    unwritten_where: Mapping[str, Names] = {}
    provider_and_model: Names = ()
    parent: str = ""
    has_own_ids: bool = True
    holds_waits: bool = True


SUCCESSES = ("true", "completed", "GOAL")
"""What agents say of a subagent that did what it was to do."""

DENIALS = ("reject", "rejected", "deny", "denied", "abort", "timed_out", "cancel", "cancelled")
"""What agents say of a call that was not allowed."""

_CLAUDE_CALL: dict[str, Names] = {
    "id": ("tool_use_id",),
    "tool": ("tool_name",),
    "success": ("success",),
    "duration_ms": ("duration_ms",),
    "subagent": ("agent_id",),
}

CLAUDE_CODE = Emitter(
    agent="claude-code",
    services=("claude-code",),
    scopes=("com.anthropic.claude_code",),
    has_own_ids=False,
    holds_waits=False,
    logs={
        "api_request": (
            Rule(
                tells=Tells.MODEL_CALL,
                fields={
                    "id": ("request_id",),
                    "model": ("model",),
                    "prompt": ("input_tokens",),
                    "completion": ("output_tokens",),
                    "cache_read": ("cache_read_tokens",),
                    "cache_write": ("cache_creation_tokens",),
                    "cache_write_1h": ("cache_creation_1h_tokens",),
                    "cost_usd": ("cost_usd",),
                    "duration_ms": ("duration_ms",),
                    "tier": ("speed",),
                    "subagent": ("agent_id",),
                },
                leaves_cache_out=True,
            ),
        ),
        "tool_result": (
            Rule(
                tells=Tells.DENIAL,
                fields={"id": ("tool_use_id",), "tool": ("tool_name",), "subagent": ("agent_id",)},
                where={"decision_type": ("reject",)},
            ),
            Rule(
                tells=Tells.TOOL_CALL,
                fields=_CLAUDE_CALL,
                where={"tool_name": ("Agent", "Task")},
                only_elapsed=True,  # of a subagent in the background this is its launch
            ),
            Rule(tells=Tells.TOOL_CALL, fields=_CLAUDE_CALL),
        ),
        "tool_decision": (
            Rule(
                tells=Tells.DENIAL,
                fields={"id": ("tool_use_id",), "tool": ("tool_name",), "subagent": ("agent_id",)},
                where={"decision": ("reject",)},
            ),
        ),
        "user_prompt": (
            Rule(
                tells=Tells.USER_TURN,
                fields={"number": ("event.sequence",)},
                unless={"command_source": ("builtin",)},
            ),
        ),
        "compaction": (
            Rule(
                tells=Tells.COMPACTION,
                fields={
                    "trigger": ("trigger",),
                    "pre_tokens": ("pre_tokens",),
                    "post_tokens": ("post_tokens",),
                    "duration_ms": ("duration_ms",),
                },
                unless={"success": ("false",)},
            ),
        ),
        "subagent_completed": (
            Rule(
                tells=Tells.SUBAGENT,
                fields={"subagent": ("agent_type",), "duration_ms": ("duration_ms",)},
            ),
        ),
        "permission_mode_changed": (Rule(tells=Tells.MODE, fields={"mode": ("to_mode",)}),),
    },
    spans={
        "claude_code.tool.blocked_on_user": (
            Rule(
                tells=Tells.PERMISSION_WAIT,
                fields={"decision": ("decision",)},
                where={
                    "source": ("user_permanent", "user_temporary", "user_reject", "user_abort"),
                },
            ),
        ),
    },
)

CODEX = Emitter(
    agent="codex",
    services=("codex",),
    scopes=("codex_otel",),
    session=("conversation.id",),
    version=("app.version", "service.version"),
    logs={
        "codex.sse_event": (
            Rule(
                tells=Tells.MODEL_CALL,
                fields={
                    "model": ("model",),
                    "prompt": ("input_token_count",),
                    "completion": ("output_token_count",),
                    "cache_read": ("cached_token_count",),
                    "cache_write": ("cache_write_token_count",),
                    "reasoning": ("reasoning_token_count",),
                },
                where={"event.kind": ("response.completed",), "input_token_count": ()},
            ),
        ),
        "codex.tool_result": (
            Rule(
                tells=Tells.TOOL_CALL,
                fields={
                    "id": ("call_id",),
                    "tool": ("tool_name",),
                    "success": ("success",),
                    "duration_ms": ("duration_ms",),
                    "report": ("output",),
                },
            ),
        ),
        "codex.tool_decision": (
            Rule(
                tells=Tells.DENIAL,
                fields={"id": ("call_id",), "tool": ("tool_name",)},
                where={"decision": DENIALS},
            ),
        ),
        "codex.user_prompt": (Rule(tells=Tells.USER_TURN, fields={}),),
    },
)


def _gemini(prefix: str, *, leaves_reasoning_out: bool) -> dict[str, tuple[Rule, ...]]:
    """The logs that Gemini CLI has, and what was made of it."""
    return {
        f"{prefix}.api_response": (
            Rule(
                tells=Tells.MODEL_CALL,
                fields={
                    "id": ("response_id",),
                    "model": ("model",),
                    "prompt": ("input_token_count",),
                    "completion": ("output_token_count",),
                    "cache_read": ("cached_content_token_count",),
                    "reasoning": ("thoughts_token_count",),
                    "tool_prompt": ("tool_token_count",),
                    "duration_ms": ("duration_ms",),
                    "subagent": ("subagent_name",),
                },
                leaves_reasoning_out=leaves_reasoning_out,
            ),
        ),
        f"{prefix}.tool_call": (
            Rule(
                tells=Tells.DENIAL,
                fields={"id": ("call_id",), "tool": ("function_name",)},
                where={"decision": DENIALS},
            ),
            Rule(
                tells=Tells.DENIAL,
                fields={"id": ("call_id",), "tool": ("function_name",)},
                where={"error_type": ("policy_violation", "execution_denied")},
            ),
            Rule(
                tells=Tells.TOOL_CALL,
                fields={
                    "id": ("call_id",),
                    "tool": ("function_name",),
                    "success": ("success",),
                    "duration_ms": ("duration_ms",),
                },
                no_wait_where={"decision": ("auto_accept",)},
            ),
        ),
        f"{prefix}.user_prompt": (Rule(tells=Tells.USER_TURN, fields={"number": ("prompt_id",)}),),
        f"{prefix}.chat_compression": (
            Rule(
                tells=Tells.COMPACTION,
                fields={"pre_tokens": ("tokens_before",), "post_tokens": ("tokens_after",)},
            ),
        ),
    }


_GEMINI_UTILITIES = (
    *("utility_autocomplete", "utility_compressor", "utility_edit_corrector"),
    *("utility_fast_ack_helper", "utility_loop_detector", "utility_next_speaker"),
    *("utility_router", "utility_state_snapshot_processor", "utility_summarizer", "utility_tool"),
)
"""What it asks beside the conversation; the first of a session is which model is to answer."""

GEMINI_CLI = Emitter(
    agent="gemini-cli",
    services=("gemini-cli",),
    version=(),  # its service.version is that of Node
    logs={
        **_gemini("gemini_cli", leaves_reasoning_out=True),
        "gemini_cli.agent.finish": (
            Rule(
                tells=Tells.SUBAGENT,
                fields={
                    "subagent": ("agent_name",),
                    "success": ("terminate_reason",),
                    "duration_ms": ("duration_ms",),
                },
            ),
        ),
        "gemini_cli.plan.approval_mode_switch": (
            Rule(tells=Tells.MODE, fields={"mode": ("to_mode",)}),
        ),
    },
    unwritten_where={"role": _GEMINI_UTILITIES},
)

QWEN = Emitter(
    agent="qwen",
    services=("qwen-code",),
    logs={
        **_gemini("qwen-code", leaves_reasoning_out=False),
        "qwen-code.subagent_execution": (
            Rule(
                tells=Tells.SUBAGENT,
                fields={"subagent": ("subagent_name",), "success": ("status",)},
                where={"status": ("completed", "failed", "cancelled")},
            ),
        ),
    },
)

_INFERENCE = ("chat", "text_completion", "generate_content", "embeddings")
_TOKENS: dict[str, Names] = {
    "id": ("gen_ai.response.id", "ai.response.id"),
    "model": (
        "gen_ai.response.model",
        "gen_ai.request.model",
        "llm.response.model_name",
        "llm.model_name",
        "llm.request.model_name",
        "embedding.model_name",
        "ai.response.model",
        "ai.model.id",
    ),
    "prompt": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "completion": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "cache_write_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.reasoningTokens",
    ),
    "cost_usd": ("gen_ai.usage.cost.amount", "operation.cost", "llm.cost.total"),
    "currency": ("gen_ai.usage.cost.currency",),
    "error": ("error.type",),
}
_TOOL: dict[str, Names] = {
    "id": (
        "gen_ai.tool.call.id",
        "gen_ai.tool.call_id",
        "tool_call.id",
        "tool.id",
        "ai.toolCall.id",
    ),
    "tool": (
        "gen_ai.tool.name",
        "tool.name",
        "ai.toolCall.name",
        "traceloop.entity.name",
    ),
    "error": ("error.type",),
    "exit_code": ("process.exit.code",),
}

CONVENTIONS: dict[str, tuple[Rule, ...]] = {
    "OpenTelemetry's conventions for generative AI": (
        Rule(
            tells=Tells.MODEL_CALL,
            fields=_TOKENS,
            where={"gen_ai.operation.name": _INFERENCE},
        ),
        Rule(
            tells=Tells.TOOL_CALL,
            fields=_TOOL,
            where={"gen_ai.operation.name": ("execute_tool",)},
        ),
    ),
    "OpenInference": (
        Rule(
            tells=Tells.MODEL_CALL,
            fields=_TOKENS,
            where={"openinference.span.kind": ("LLM", "EMBEDDING")},
        ),
        Rule(
            tells=Tells.TOOL_CALL,
            fields=_TOOL,
            where={"openinference.span.kind": ("TOOL",)},
        ),
    ),
    "OpenLLMetry": (
        Rule(
            tells=Tells.MODEL_CALL,
            fields=_TOKENS,
            where={"llm.request.type": ("chat", "completion", "embedding")},
        ),
        Rule(
            tells=Tells.TOOL_CALL,
            fields=_TOOL,
            where={"traceloop.span.kind": ("tool",)},
        ),
    ),
    "Vercel's AI SDK": (
        Rule(
            tells=Tells.MODEL_CALL,
            fields=_TOKENS,
            where={
                "ai.operationId": (
                    "ai.streamText.doStream",
                    "ai.generateText.doGenerate",
                    "ai.streamObject.doStream",
                    "ai.generateObject.doGenerate",
                    "ai.embed.doEmbed",
                    "ai.embedMany.doEmbed",
                ),
            },
        ),
        Rule(
            tells=Tells.TOOL_CALL,
            fields=_TOOL,
            where={"ai.operationId": ("ai.toolCall",)},
        ),
    ),
}
"""Of spans whose agent is not in the table. The first rule that fits counts."""

_CONVERSATION = (
    "gen_ai.conversation.id",
    "session.id",
    "ai.telemetry.metadata.sessionId",
    "traceloop.association.properties.session_id",
)

COPILOT_CLI = Emitter(
    agent="copilot-cli",
    services=("github-copilot",),
    scopes=("github.copilot",),
    session=("gen_ai.conversation.id",),
    conventions=True,
    turn_where={"github.copilot.initiator": ("user",)},
)

OPENCODE = Emitter(
    agent="opencode",
    services=("opencode",),
    session=("session.id", "ai.telemetry.metadata.sessionId"),
    conventions=True,
    # What goes into its database it tries again itself, the rest (titles) it leaves to the SDK.
    unwritten_where={"ai.settings.maxRetries": ("2",)},
    provider_and_model=("ai.model.provider", "ai.model.id"),
    parent="ai.request.headers.x-parent-session-id",
)

OTHERS = Emitter(
    agent="", session=_CONVERSATION, conventions=True, has_own_ids=False, holds_waits=False
)
"""Who is not an agent of the table: it is called as its service is."""

EMITTERS = (CLAUDE_CODE, CODEX, GEMINI_CLI, QWEN, COPILOT_CLI, OPENCODE)

OWN_SCOPE = "m31a_metrics"
"""What `m31 export` sends is not to come back as sessions."""


@lru_cache(256)
def emitter(service: str, scope: str) -> Emitter:
    """Find who sends: by the scope, which nobody renames, else by the name of the service."""
    for one in EMITTERS:
        if one.scopes and scope.startswith(one.scopes):
            return one
    for one in EMITTERS:
        if service in one.services or service.startswith(tuple(f"{s}_" for s in one.services)):
            return one
    return OTHERS
