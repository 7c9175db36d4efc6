"""Model names as agents write them -> how the price library may be asked for them.

    claude-opus-4-5-20251101[1m]                   the agent's own mark of a long context
    openai/gpt-5.2, openrouter/z-ai/glm-4.6        provider/model
    us.anthropic.claude-opus-4-5-20251101-v1:0     Bedrock (the region changes the price)
    claude-opus-4-5@20251101                       Vertex
    claude-opus-4.6-fast, claude-opus-4.5:batch    a tier in the name
    claude-4.5-sonnet, claude-20250929-sonnet-4-5  version or date before the family

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
    "azure-ai": "azure",
    "azure-openai": "azure",
    "bedrock": "aws",
    "deepseek-ai": "deepseek",
    "fireworks-ai": "fireworks",
    "gemini": "google",
    "google-ai-studio": "google",
    "google-genai": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "google-vertex-anthropic": "google",
    "minimaxai": "minimax",
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
    "zai-org": "zai",
}  # fmt: skip

_MARK = re.compile(r"\[[^\]]*\]$")
_BEDROCK = re.compile(r"(?:[a-z-]+\.)?[a-z][a-z0-9]*\.[a-z]")
_BEDROCK_ARN = "arn:aws:bedrock:"
_TIERED = re.compile(r"((?:claude|gpt)-.+)[-:](fast|batch|priority|flex)")
_CLAUDE_DASHED = re.compile(r"(claude-[a-z]+-\d)-(\d)(?!\d)")

# Makers that the library would not find, or of whose two price lists it would take the one
# in CNY.
_MAKERS = {"codex-": "openai", "glm-": "zai"}

# The parts of a Claude model's name, which gateways write in any order.
_CLAUDE_PARTS = re.compile(r"claude[-_](?=.*[a-z])[a-z0-9._@-]+")
_FAMILIES = frozenset(("fable", "haiku", "mythos", "opus", "sonnet"))
_FAMILY_FIRST_SINCE = 4
"""Claude 3.5 was `claude-3-5-sonnet`, Claude 4 is `claude-sonnet-4`."""

_DATE = re.compile(r"(20\d\d)[-.]?(\d\d)[-.]?(\d\d)(?!\d)")
_CLAUDE_DATE = re.compile(r"claude[-_.]?20\d\d")
"""Matching by its beginning, the library would take this for Claude 2."""

# Paths by which the price library knows a provider itself.
_WHOLE = ("@cf/", "accounts/fireworks/")


_US_ONLY = "us"


def without_region(tier: str | None) -> tuple[str | None, bool]:
    """Split a tier (`fast-us`) into how a request was served, and whether in the US only."""
    if tier is None or not tier.endswith(_US_ONLY):
        return tier, False
    served = tier.removesuffix(_US_ONLY)
    return (served.removesuffix("-"), True) if served[-1:] in ("", "-") else (tier, False)


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
    sold = _seller(name)
    if sold is None:
        return None
    provider, name = sold
    if provider == "openrouter":
        name = _CLAUDE_DASHED.sub(r"\1.\2", name)
    tier = STANDARD
    if found := _TIERED.fullmatch(name.removeprefix(_bedrock_prefix(name))):
        # Matching by their beginning would give these the standard price.
        name, tier = name.removesuffix(f"{name[-len(found[2]) - 1]}{found[2]}"), found[2]
    if provider in (None, "anthropic"):
        name, tier = _ordered(name, tier)
        if _CLAUDE_DATE.match(name):
            return None
    return provider, name, tier


def _seller(name: str) -> tuple[str | None, str] | None:
    """Split a name into who sells the model and the rest; None for a seller nobody knows."""
    if name.startswith(_BEDROCK_ARN):
        return "aws", name.rpartition("/")[2]
    if "/" in name and not name.startswith(_WHOLE):
        head, _, rest = name.partition("/")
        provider = _PROVIDERS.get(head.replace("_", "-"))
        return None if provider is None else (provider, rest)
    head, colon, rest = name.partition(":")
    if colon and (provider := _PROVIDERS.get(head.replace("_", "-"))):
        return provider, rest
    if _BEDROCK.match(name):
        return "aws", name
    if name.startswith("claude") and "@" in name:
        return "google", name
    return next((maker for start, maker in _MAKERS.items() if name.startswith(start)), None), name


def _bedrock_prefix(name: str) -> str:
    """Return what Bedrock puts before a model: `us.anthropic.`."""
    head, dot, _ = name.rpartition("anthropic.")
    return f"{head}{dot}"


def _ordered(name: str, tier: str) -> tuple[str, str]:
    """Return a Claude model's name in Anthropic's order, and its tier; others as they are."""
    if not _CLAUDE_PARTS.fullmatch(name):
        return name, tier
    date = _DATE.search(name)
    rest = name[: date.start()] + name[date.end() :] if date else name
    parts = [part for part in re.split(r"[-._@]", rest)[1:] if part]
    families = [part for part in parts if part in _FAMILIES]
    version = [part for part in parts if part.isdigit() and len(part) <= 2]
    tiers = [part for part in parts if part in TIERS]
    if len(families) != 1 or not 1 <= len(version) <= 2 or len(tiers) > 1:
        return name, tier
    if len(parts) > len(families) + len(version) + len(tiers):
        return name, tier  # something else that may change whose price it is
    is_new = int(version[0]) >= _FAMILY_FIRST_SINCE
    ordered = ["claude", *families, *version] if is_new else ["claude", *version, *families]
    ordered += ["".join(date.groups())] if date else []
    return "-".join(ordered), tiers[0] if tiers else tier
