"""Who answers in earnest what a protocol answers here: providers by the names that they have in options and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock.net.exchange import Head
from aimock.reading import many, text, unknown, unlike, wrong
from aimock_protocols.registry import PROTOCOLS

_OWNERS: Mapping[str, str] = {
    "openai_chat": "openai",
    "openai_completions": "openai",
    "openai_responses": "openai",
    "openai_realtime": "openai",
    "openai_embeddings": "openai",
    "anthropic_messages": "anthropic",
    "anthropic_messages.vertex": "vertexai",
    "bedrock_invoke": "bedrock",
    "bedrock_converse": "bedrock",
    "ollama.chat": "ollama",
    "ollama.generate": "ollama",
    "ollama.embed": "ollama",
    "ollama.embeddings": "ollama",
    "cohere": "cohere",
    "cohere.v1": "cohere",
    "cohere.embed": "cohere",
    "cohere.embed.v1": "cohere",
    "gemini": "gemini",
    "gemini.vertex": "vertexai",
    "gemini.embeddings:embed_content": "gemini",
    "gemini.embeddings:batch_embed_contents": "gemini",
    "gemini.embeddings:predict": "vertexai",
    "gemini_interactions": "gemini-interactions",
    "gemini_live": "gemini",
    "azure_openai:chat": "azure",
    "openrouter": "openrouter",
    "openrouter.completions": "openrouter",
    **{f"tavily.{endpoint}:api": "tavily" for endpoint in ("search", "extract", "crawl", "map")},
    "tavily.research": "tavily",
    "rerank.cohere:v1": "cohere",
    "rerank.cohere:v2": "cohere",
    "rerank.details:jina": "jina",
    "rerank.details:voyage": "voyage",
    "rerank.bedrock_agent:api": "bedrock",
    "moderation.openai": "openai",
    "moderation.mistral:texts": "mistral",
    "moderation.mistral:conversations": "mistral",
}
"""By the protocol's name in the registry."""

_AZURE = "/openai/deployments/"
_VERTEX = ("/projects/", "/publishers/", "/ws/google.cloud.aiplatform.")


_COMPATIBLE = {"xai": "grok"}
"""Providers that speak OpenAI's chat and are known here by the reference's names."""


def compatible(name: str) -> str:
    """What a provider of `openai_compatible` is called in options."""
    return _COMPATIBLE.get(name, name)


def owner_of(protocol_name: str, head: Head) -> str:
    """Whose API a request is for. `protocol_name`: that of the registry."""
    owner, path = _at_home(protocol_name), head.path
    if owner == "openai" and path.startswith(_AZURE if "api-key" not in head.headers else "/openai/"):
        return "azure"
    if owner.startswith("gemini") and any(part in path for part in _VERTEX):
        return "vertexai"
    return owner


def _at_home(protocol_name: str) -> str:
    """Whose API it is, but for paths that others have too."""
    module, _, member = protocol_name.partition(":")
    return compatible(member) if module == "openai_compatible" else _OWNERS[protocol_name]


# -- those that a server answers for -----------------------------------------------------------------------------------

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "gemini": ("gemini", "gemini-interactions"),
    "claude": ("anthropic",),
    "google": ("gemini", "gemini-interactions"),
    "vertex": ("vertexai",),
    "xai": ("grok",),
}
NAMES: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in (_at_home(each.name) for each in PROTOCOLS if each.service is None)},
    **_FAMILIES,
}
"""What providers may be called, and whose APIs those are."""


def read_offered(value: Any, place: str) -> frozenset[str]:
    """The providers whose APIs a server answers for: one, or an array of them, by what users call them. Raises
    ValueError that begins with the place."""
    if isinstance(value, str):
        value = [value]
    names = many(text)(value, place)
    if not names:
        raise unlike(place, "one or more names of providers", value)
    for index, name in enumerate(names):
        if name not in NAMES:
            raise wrong(f"{place}[{index}]", str(unknown("", name, NAMES, "provider")))
    return frozenset(provider for name in names for provider in NAMES[name])


def offered_schema() -> dict[str, Any]:
    """The same as a JSON Schema."""
    name = {"enum": sorted(NAMES)}
    return {"anyOf": [name, {"type": "array", "items": name, "minItems": 1}]}
