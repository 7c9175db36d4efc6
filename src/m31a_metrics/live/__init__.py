"""Live in coding agents: what they run at a hook and for their status line, and its files."""

from m31a_metrics.live.files import install_files

__all__ = ["install_files"]
