"""What tool calls were for: phases, self-heals and bisects, inferred from a transcript."""

from m31a_metrics.phases.commands import Purposes
from m31a_metrics.phases.heals import Bisect, Episode
from m31a_metrics.phases.inference import CallPhase, Inference, infer
from m31a_metrics.phases.uses import PHASES

__all__ = ["PHASES", "Bisect", "CallPhase", "Episode", "Inference", "Purposes", "infer"]
