"""Live: what coding agents run at a hook and for their status line; and attachments to SDKs."""

from m31a_metrics.live.files import install_files

__all__ = ["install_files"]
