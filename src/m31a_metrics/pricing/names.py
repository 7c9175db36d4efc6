"""Model names as agents write them -> how the price library may be asked for them.

    claude-opus-4-5-20251101[1m]                   the agent's own mark of a long context
    openai/gpt-5.2, openrouter/z-ai/glm-4.6        provider/model
    us.anthropic.claude-opus-4-5-20251101-v1:0     Bedrock (the region changes the price)
    claude-opus-4-5@20251101                       Vertex
    claude-opus-4.6-fast, claude-opus-4.5:batch    a tier in the name

A name is only ever rewritten in ways that cannot change whose price it is. What stands
before an unknown slash (a proxy, a local server) may cost anything, so it is not dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from m31a_metrics.pricing.rates import STANDARD

NAME_MAX = 200
"""Longer names are damage. No model has one, and they are not worth remembering."""

TIERS = ("batch", "fast", "flex", "priority")
_NOTHING_SPECIAL = {"", "standard", "default", "auto"}

# provider, as agents and gateways write it -> the price library's id of it
_PROVIDERS = {name: name for name in (
    "anthropic", "aws", "azure", "baseten", "cerebras", "cohere", "cursor", "databricks",
    "deepseek", "fireworks", "github-copilot", "google", "groq", "minimax", "mistral",
    "moonshotai", "novita", "openai", "openrouter", "perplexity", "together", "x-ai", "zai",
    "zhipuai",
)} | {
    "amazon-bedrock": "aws",
    "azure-openai": "azure",
    "bedrock": "aws",
    "fireworks-ai": "fireworks",
    "gemini": "google",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "mistralai": "mistral",
    "models": "google",
    "moonshot": "moonshotai",
    "moonshot-ai": "moonshotai",
    "togetherai": "together",
    "together-ai": "together",
    "vertex": "google",
    "vertex-ai": "google",
    "xai": "x-ai",
    "z-ai": "zai",
}  # fmt: skip

_MARK = re.compile(r"\[[^\]]*\]$")
_BEDROCK = re.compile(r"(?:[a-z-]+\.)?[a-z][a-z0-9]*\.[a-z]")
_BEDROCK_ARN = "arn:aws:bedrock:"
_CLAUDE_TIER = re.compile(r"(claude-.+)[-:](fast|batch)")
_CLAUDE_DASHED = re.compile(r"(claude-[a-z]+-\d)-(\d)(?!\d)")

# Makers that the library would not find, or of whose two price lists it would take the one
# in CNY.
_MAKERS = {"codex-": "openai", "glm-": "zai"}

# Paths by which the price library knows a provider itself.
_WHOLE = ("@cf/", "accounts/fireworks/")


def tier_name(tier: str | None) -> str | None:
    """Return one of TIERS, STANDARD, or None for a tier of which we know nothing."""
    if tier is None or tier in _NOTHING_SPECIAL:
        return STANDARD
    return tier if tier in TIERS else None


def spellings(model: str) -> Iterator[str]:
    """Yield the names by which a user may mean a model, the most exact first, lower case."""
    name = model.strip().lower()
    yield name
    name = _MARK.sub("", name)
    yield name
    while "/" in name:
        name = name.partition("/")[2]
        yield name


def reference(model: str) -> tuple[str | None, str, str] | None:
    """Return (provider or None, the library's name of the model, tier), or None: no model.

    Provider None leaves it to the library, which knows the makers of the common names.
    """
    name = _MARK.sub("", model.strip().lower())
    if not name or name.startswith("<"):
        return None
    provider = None
    if name.startswith(_BEDROCK_ARN):
        provider, name = "aws", name.rpartition("/")[2]
    elif "/" in name and not name.startswith(_WHOLE):
        head, _, name = name.partition("/")
        provider = _PROVIDERS.get(head.replace("_", "-"))
        if provider is None:
            return None
    elif _BEDROCK.match(name):
        provider = "aws"
    elif name.startswith("claude") and "@" in name:
        provider = "google"
    else:
        provider = next((maker for start, maker in _MAKERS.items() if name.startswith(start)), None)
    if provider == "openrouter":
        name = _CLAUDE_DASHED.sub(r"\1.\2", name)
    if provider in (None, "anthropic") and (found := _CLAUDE_TIER.fullmatch(name)):
        # Matching by their beginning would give these the standard price.
        return provider, found[1], found[2]
    return provider, name, STANDARD
