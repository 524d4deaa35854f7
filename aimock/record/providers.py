"""The providers that can be recorded: their names in options and files, and which protocol is whose."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple

from aimock.net.exchange import Head
from aimock.providers import compatible, owner_of
from aimock_protocols.openai_compatible import PROVIDERS


class Scheme(NamedTuple):
    """How a provider's clients present a key."""

    header: str
    prefix: str = ""
    also: tuple[str, ...] = ()
    """Other headers in which they may present one, or a token."""
    in_query: bool = False
    """Whether `?key=` is one too."""


_BEARER = Scheme("authorization", "Bearer ")
_GOOGLE = Scheme("x-goog-api-key", also=("authorization",), in_query=True)

SCHEMES: Mapping[str, Scheme | None] = {
    "openai": _BEARER,
    "anthropic": Scheme("x-api-key", also=("authorization",)),
    "gemini": _GOOGLE,
    "gemini-interactions": _GOOGLE,
    "vertexai": None,
    "bedrock": None,
    "azure": Scheme("api-key", also=("authorization",)),
    "ollama": _BEARER,
    "cohere": _BEARER,
    "elevenlabs": Scheme("xi-api-key"),
    "fal": Scheme("authorization", "Key "),
    "openrouter": _BEARER,
    "veo": _GOOGLE,
    "grok": _BEARER,
    "byteplus": _BEARER,
    "tavily": _BEARER,
    "jina": _BEARER,
    "voyage": _BEARER,
} | {compatible(each.name): _BEARER for each in PROVIDERS if each.name not in ("gemini", "ollama")}
"""By provider; None: it takes no key that could be configured (Vertex AI has tokens, Bedrock signatures)."""

_SHARES = {"gemini-interactions": "gemini"}
"""Providers whose recordings have a name of their own, but whose URL and key are another's."""


def provider_of(protocol_name: str, head: Head, providers: Container[str]) -> str | None:
    """Who of `providers` (those that have a URL) answers in earnest what this protocol answers here; None: nobody.

    A provider that speaks OpenAI's chat and has no URL is looked for at OpenAI's, which is where its clients were sent
    before it had a name here.
    """
    owner = owner_of(protocol_name, head)
    owners = (owner, "openai") if protocol_name.startswith("openai_compatible:") else (owner,)
    return next((each for each in owners if url_key(each, providers) is not None), None)


def url_key(provider: str, providers: Container[str]) -> str | None:
    """Under which name of `providers` the URL (or the key) of this one stands, if it does."""
    return next((each for each in (provider, _SHARES.get(provider)) if each is not None and each in providers), None)
