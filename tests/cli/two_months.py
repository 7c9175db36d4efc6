"""Sessions of two months on disk: in May cheap ones that went well, in June dear ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from m31a_metrics import Usage, events
from m31a_metrics.session import Session

COUNT = 8
"""Sessions of each month, by which a difference can be a finding."""


def record(sessions_dir: Path) -> None:
    """Write `may-0` to `may-7`, and `june-0` to `june-7`."""
    for month, name in ((5, "may"), (6, "june")):
        for number in range(COUNT):
            began = datetime(2026, month, 10 + number, 12, tzinfo=UTC)
            session = Session(str(sessions_dir), f"{name}-{number}")
            session.append(_session(began, is_dear=month == 6, number=number))
            session.flush()


def _session(began: datetime, *, is_dear: bool, number: int) -> list[events.Event]:
    """A phase with ten calls of Bash, of which in June five fail, and an LLM call."""

    def at(seconds: float) -> int:
        return int((began + timedelta(seconds=seconds)).timestamp() * 1e6)

    recorded: list[events.Event] = [events.PhaseTransition(t_us=at(0), phase="verify")]
    recorded += [
        events.ToolCall(
            t_us=at(1 + call),
            name="Bash",
            success=not (is_dear and call % 2),
            duration_ms=100 + number,
        )
        for call in range(10)
    ]
    cost = (2.0 if is_dear else 0.5) + number / 100
    use = Usage(9_000, 1_000)
    recorded.append(events.LLMInteraction(t_us=at(20), phase="verify", usage=use, cost=cost))
    recorded.append(
        events.PhaseDuration(t_us=at(60), phase="verify", duration_ms=60_000 + number, success=True)
    )
    return recorded
