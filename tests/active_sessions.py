"""Sessions with phases, gaps, subagents side by side, waits, stays and refused calls."""

from __future__ import annotations

from hypothesis import strategies as st

from m31a_metrics import events
from m31a_metrics.model import Usage
from m31a_metrics.transcript import Call, Facts, Transcript

_S = 1_000_000
_BEGAN_US = 1_781_942_400 * _S  # 2026-06-20 08:00 UTC
_USE = Usage(900, 100)

_threads = st.sampled_from([None, None, "a", "b", "c"])
_phases = st.sampled_from(["plan", "execute", "verify", "ship"])
_took_s = st.floats(0, 2_000)
_later_s = st.sampled_from([0.0, 0.001, 1.0, 60.0, 5_000.0, 70_000.0])


@st.composite
def invented(draw: st.DrawFn) -> list[events.Event]:
    """Events in the order of time, as a recorder tells them."""
    made: list[events.Event] = []
    now_s = 0.0
    for _ in range(draw(st.integers(0, 12))):
        now_s += draw(_later_s) + draw(st.floats(0, 10))
        took_ms = draw(_took_s) * 1000
        phase, thread = draw(_phases), draw(_threads)
        t_us = _BEGAN_US + round(now_s * _S)
        one: list[events.Event] = [
            events.ToolCall(t_us, "Bash", True, took_ms, subagent=thread),
            events.ToolCall(t_us, "Task", True, took_ms),
            events.ToolCall(t_us, "Edit", False, 0, took_ms, elapsed_only=bool(thread)),
            events.LLMInteraction(t_us, phase, _USE, 0.25, subagent=thread),
            events.LLMInteraction(
                t_us, phase, _USE, 0.5, "large", duration_ms=took_ms, subagent=thread
            ),
            events.PhaseTransition(t_us, phase),
            events.PhaseDuration(t_us, phase, took_ms, True),
            events.PermissionWait(t_us, took_ms),
            events.UserTurn(t_us),
        ]
        made.append(one[draw(st.integers(0, len(one) - 1))])
    return made


_COMMANDS = {"Bash": "pytest", "Task": "explore: look around"}


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Another agent's session: responses, the calls that they made, prompts after any time."""
    transcript = Transcript(Facts("codex", "one"))
    now_us = _BEGAN_US
    for number in range(draw(st.integers(0, 8))):
        now_us += round(draw(_later_s) * _S)
        thread = draw(_threads)
        if not thread and draw(st.booleans()):
            transcript.events.append(events.UserTurn(now_us))
        now_us += round(draw(st.floats(0, 30)) * _S)
        response = f"r{number}"
        transcript.events.append(
            events.LLMInteraction(now_us, "", _USE, 0.25, "large", subagent=thread, id=response)
        )
        for place in range(draw(st.integers(0, 2))):
            tool = draw(st.sampled_from(["Read", "Edit", "Bash", "Task"]))
            waited_us, ran_us = (round(draw(_took_s) * _S) for _ in range(2))
            end_us = now_us + waited_us + ran_us
            name, success = f"{response}:{place}", draw(st.booleans())
            call = Call(name, now_us, tool, success=success, end_us=end_us, response=response)
            call.subagent, call.command = thread or "", _COMMANDS.get(tool, "")
            call.paths = () if call.command else ("src/app.py",)
            transcript.calls.append(call)
            transcript.events.append(
                events.ToolCall(
                    end_us,
                    tool,
                    success,
                    ran_us / 1000,
                    waited_us / 1000,
                    elapsed_only=draw(st.booleans()),
                    subagent=thread,
                    id=name,
                )
            )
        if transcript.calls and not thread:
            now_us = max(now_us, transcript.calls[-1].end_us)
    return transcript
