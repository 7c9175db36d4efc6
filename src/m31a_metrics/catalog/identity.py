"""The name of a session directory for a transcript: where it is imported to, and found by."""

from __future__ import annotations

from m31a_metrics import store
from m31a_metrics.errors import InvalidSessionId


def session_name(agent: str, native_id: str, path: str) -> str:
    """The session directory of a transcript: its own id, or one that is made of it.

    The path tells transcripts apart that have no id.
    """
    try:
        return store.check_session_id(native_id)
    except InvalidSessionId:
        return derived_name(agent, native_id or path)


def derived_name(agent: str, identity: str) -> str:
    """Make a name of what tells a transcript from the agent's others."""
    from hashlib import sha256

    digest = sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{agent}-{digest[:16]}"
