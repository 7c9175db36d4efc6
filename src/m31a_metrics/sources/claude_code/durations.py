"""How long a tool ran, and how long it waited for a person, as far as can be told.

The time from a call's line to its result's line includes a person's approval (seen: Edit,
half of them within 0.11 s, the longest 12.7 hours), and that of calls before it: a file was
read for 21.8 hours because a command of the same response waited for permission.
"""

from __future__ import annotations

from m31a_metrics.sources.claude_code.records import Result
from m31a_metrics.timestamps import millis

# A person is asked nothing before these run. A subagent waits when its own tools ask.
_NEVER_ASK = frozenset(
    (
        "Agent", "AgentOutputTool", "BashOutput", "Glob", "Grep", "KillBash", "KillShell", "LS",
        "LSP", "ListMcpResourcesTool", "NotebookRead", "Read", "ReadMcpResourceTool",
        "SendMessage", "StructuredOutput", "Task", "TaskCreate", "TaskGet", "TaskList",
        "TaskOutput", "TaskStop", "TaskUpdate", "TodoRead", "TodoWrite", "ToolSearch",
    )
)  # fmt: skip
_EDITS = frozenset(("Edit", "MultiEdit", "NotebookEdit", "Write"))

# Calls of one response run in order, but for these, which run beside each other.
_SIDE_BY_SIDE = frozenset(
    (
        "Agent", "Glob", "Grep", "LS", "LSP", "ListMcpResourcesTool", "NotebookRead", "Read",
        "ReadMcpResourceTool", "Task", "TaskGet", "TaskList", "ToolSearch", "WebFetch",
        "WebSearch",
    )
)  # fmt: skip

# These do nothing but wait for a person's answer.
_WAIT = frozenset(("AskUserQuestion", "EnterPlanMode", "ExitPlanMode"))

# In `auto` a model decides, in `dontAsk` what is not allowed is refused.
_MODES_WITHOUT_ASKING = frozenset(("auto", "bypassPermissions", "dontAsk"))


def may_ask(tool: str, mode: str) -> bool:
    """Whether a person may have been asked before this tool ran in this permission mode.

    An unknown mode ("") is one that asks.
    """
    if tool in _NEVER_ASK or mode in _MODES_WITHOUT_ASKING:
        return False
    return not (mode == "acceptEdits" and tool in _EDITS)


def may_queue(tool: str, before: str) -> bool:
    """Whether a call had to wait for the end of one that its response made before it."""
    return not (tool in _SIDE_BY_SIDE and before in _SIDE_BY_SIDE)


def spent(
    tool: str, mode: str, span_ms: float, ran_ms: float | None, *, denied: bool, queued: bool
) -> tuple[float, float | None, bool]:
    """Tell running from waiting in the time from a call to its result.

    Return how long it ran, how long it waited for permission, and whether the first may hold
    both. `ran_ms` is what the transcript says of the running, if it does; `denied`: the
    tool never ran; `queued`: it may have waited for another call.
    """
    asks = may_ask(tool, mode)
    if tool in _WAIT:
        return 0, span_ms, False
    if denied:
        return 0, span_ms if asks else None, False
    if ran_ms is None:
        return span_ms, None, asks or queued
    return ran_ms, max(0, span_ms - ran_ms) if asks else None, False


def said_ms(tool: str, result: Result) -> float | None:
    """Return the run time that a tool's own result gives, in ms."""
    if result.duration_seconds is not None:
        ran_ms = millis(result.duration_seconds, 1_000)
    elif result.duration_ms is not None:
        ran_ms = millis(result.duration_ms)
    elif result.total_duration_ms is not None:
        ran_ms = millis(result.total_duration_ms)
    else:
        return None
    # A tool of a server may mean anything by these names, and an agent that goes on in
    # the background has not run yet.
    return None if tool.startswith("mcp__") or result.is_async is True else ran_ms
