"""Figures and names out of values that may be anything: what cannot be one counts as absent."""

from __future__ import annotations

from m31a_metrics.validation import LARGEST_COST_USD

TOKENS_MAX = 2**50
"""More is damage. Four of these make one Usage, which holds 2**53."""

ERROR_LENGTH_MAX = 16_000
"""Characters of an error text that are kept in memory, half from each end."""

PRINTED_HEAD, PRINTED_TAIL = 500, 2_000
"""Characters from the two ends of what a command printed that are kept in memory."""

# These sell their own models only, so that the name alone says which one it is.
_MAKERS = frozenset(
    ("", "anthropic", "gemini", "google", "google-gemini-cli", "openai", "openai-codex")
)

_OWN_ID_LENGTH = 20
_FREE = (":free", "-free")


def tokens(value: object) -> int:
    """Return a token count; 0 for anything that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= TOKENS_MAX else 0


def usd(value: object) -> float | None:
    """Return a cost; None for anything that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LARGEST_COST_USD else None


def text(value: object) -> str:
    """Return a string; "" for anything that is none."""
    return value if isinstance(value, str) else ""


def error_text(value: str) -> str:
    """Return an error text of any length as one that may be kept in memory."""
    if len(value) <= ERROR_LENGTH_MAX:
        return value
    half = ERROR_LENGTH_MAX // 2
    return f"{value[:half]}\n{value[-half:]}"


def printed_ends(value: str) -> str:
    """Return both ends of what a command printed, where a check says how it went."""
    if len(value) <= PRINTED_HEAD + PRINTED_TAIL:
        return value
    return f"{value[:PRINTED_HEAD]}\n{value[-PRINTED_TAIL:]}"


def model_name(provider: object, model: object) -> str:
    """Return `model`, or `provider/model` where a reseller may ask another price; "" if unknown."""
    name, seller = text(model), text(provider)
    return f"{seller}/{name}" if name and seller not in _MAKERS else name


def call_key(call_id: str, t_us: int) -> str:
    """Return an id by which one call is known among all sessions of an agent.

    Some providers number their calls ("functions.read:0"), anew in each session or answer:
    then the time tells them apart, which a copy of the call keeps.
    """
    return call_id if len(call_id) >= _OWN_ID_LENGTH and ":" not in call_id else f"{call_id}@{t_us}"


def stated_cost(value: object, model: str) -> float | None:
    """Return what an agent says that a response cost; None where it says nothing.

    Agents that price by a list of their own write 0 for whatever is not on it, and for
    subscriptions. That is no statement, unless the model's name says that it is free.
    """
    return usd(value) or (0.0 if model.endswith(_FREE) else None)
