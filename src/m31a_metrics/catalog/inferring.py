"""What the calls of a transcript were for, by the rules and this machine's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from m31a_metrics.config import Config
from m31a_metrics.transcript import Transcript

if TYPE_CHECKING:
    from m31a_metrics.phases import Inference


def inferred(transcript: Transcript, config: Config) -> Inference:
    """Infer phases, self-heals and bisects; `config.phases` names programs of this machine."""
    from m31a_metrics.phases import Purposes, infer  # not for questions that read nothing

    return infer(transcript, Purposes(config.phases) if config.phases else None)
