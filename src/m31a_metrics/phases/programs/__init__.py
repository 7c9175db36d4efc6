"""What programs are for: a table, and what arguments and names say beyond it."""

from m31a_metrics.phases.programs.lookup import Part, part
from m31a_metrics.phases.programs.options import options_of
from m31a_metrics.phases.programs.table import AGENTS, INTERPRETERS, RUNNERS, TERMINALS, WORKERS

__all__ = [
    "AGENTS",
    "INTERPRETERS",
    "RUNNERS",
    "TERMINALS",
    "WORKERS",
    "Part",
    "options_of",
    "part",
]
