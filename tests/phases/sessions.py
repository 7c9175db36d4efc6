"""Invented sessions: tool calls in order, for what is inferred from them."""

from __future__ import annotations

from m31a_metrics.events import Event, LLMInteraction, ToolCall, UserTurn
from m31a_metrics.model import Usage
from m31a_metrics.phases import Inference, Purposes, infer
from m31a_metrics.transcript import Call, Facts, Transcript

START_US = 1_780_000_000_000_000
SECOND_US = 1_000_000


def bash(
    command: str, *, ok: bool | None = True, printed: str = "", said: str = "", agent: str = ""
) -> Call:
    """A shell command; `said` is how the agent described it."""
    return Call(
        "",
        0,
        "Bash",
        command,
        success=ok,
        error=printed if ok is False else "",
        printed=printed,
        description=said,
        subagent=agent,
    )


def edit(path: str = "src/app.py", *, ok: bool = True, agent: str = "") -> Call:
    """A change of a file."""
    return Call("", 0, "Edit", paths=(path,), success=ok, subagent=agent)


def tool(name: str, command: str = "", *paths: str, polls: str = "", agent: str = "") -> Call:
    """A call of any tool."""
    return Call("", 0, name, command, paths, success=True, polls=polls, subagent=agent)


def denied(call: Call) -> Call:
    """The same call, which somebody did not let run."""
    call.success, call.denied = False, True
    return call


def session(*calls: Call | str) -> Transcript:
    """Calls `c0`, `c1`, ... of 2 seconds, each made by a response 3 seconds before it.

    A text among them is a person who speaks.
    """
    now_us = START_US
    events: list[Event] = [UserTurn(t_us=now_us)]
    made: list[Call] = []
    for call in calls:
        if isinstance(call, str):
            now_us += 100 * SECOND_US
            events.append(UserTurn(t_us=now_us))
            continue
        now_us += 3 * SECOND_US
        call.id, call.t_us, call.end_us = f"c{len(made)}", now_us, now_us + 2 * SECOND_US
        call.response = f"r{len(made)}"
        events.append(
            LLMInteraction(
                id=call.response,
                t_us=now_us,
                phase="",
                usage=Usage(1_000, 100),
                subagent=call.subagent or None,
            )
        )
        now_us = call.end_us
        if call.success is not None:
            events.append(
                ToolCall(
                    id=call.id,
                    t_us=now_us,
                    name=call.tool,
                    success=call.success,
                    duration_ms=0 if call.denied else 2_000,
                    wait_ms=2_000 if call.denied else None,
                    subagent=call.subagent or None,
                    denied=call.denied,
                )
            )
        made.append(call)
    return Transcript(Facts("test", "session"), events, made)


def inferred(*calls: Call | str, configured: dict[str, str] | None = None) -> Inference:
    """Infer the session that these calls make."""
    return infer(session(*calls), Purposes(configured))


def phases(*calls: Call | str, configured: dict[str, str] | None = None) -> list[str]:
    """The phase of each call."""
    return [call.phase for call in inferred(*calls, configured=configured).calls]
