"""What the calls of a transcript were for, by this machine's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from m31a_metrics.config import Config
from m31a_metrics.kept_lines import kept_line, with_lines
from m31a_metrics.transcript import Transcript

if TYPE_CHECKING:
    from m31a_metrics.phases import Inference


def inferred(transcript: Transcript, config: Config) -> Inference:
    """Infer phases, self-heals and bisects; `config.phases` names programs of this machine.

    Without failure lines, in events too, where the configuration wants none.
    """
    from m31a_metrics.phases import Purposes, infer  # not for questions that read nothing

    purposes = Purposes(config.phases) if config.phases else None
    if config.failure_lines:
        return infer(transcript, purposes, kept_line)
    inference = infer(transcript, purposes, _no_line)
    inference.events = with_lines(inference.events, keep=False)
    return inference


def _no_line(text: str, *, printed: bool) -> str:  # noqa: ARG001 - it stands in for kept_line
    return ""
