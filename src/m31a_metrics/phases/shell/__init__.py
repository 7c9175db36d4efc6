"""A shell command taken apart: its simple commands, without what only wraps them."""

from m31a_metrics.phases.shell.grammar import Command, parse
from m31a_metrics.phases.shell.wrappers import SHELLS, is_assignment, program, unwrap

__all__ = ["SHELLS", "Command", "is_assignment", "parse", "program", "unwrap"]
