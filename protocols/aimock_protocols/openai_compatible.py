"""Providers that speak OpenAI's chat API: one row each, of where they are, how their clients are known, and what they
say otherwise than OpenAI. Every row is a protocol: `openai_compatible:groq` is the one of Groq.

Source: wire-openai-chat §15, recorded traffic of these providers, and what their SDKs send and accept. What a row does
not know of its provider is as OpenAI has it.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from aimock_protocols.openai_dialects.dialect import Dialect


class Provider(NamedTuple):
    """Where a provider is and what it says."""

    name: str
    """Also the first segment of a path by which any client may choose it: `/groq/openai/v1`."""
    bases: tuple[str, ...]
    """Paths of its base URLs."""
    kind: str
    """The module of `openai_dialects` that has its dialect, under its name in capitals."""
    known_by: tuple[tuple[str, str], ...] = ()
    """Headers that its own SDKs send, and how the value of each begins."""
    is_alone: bool = False
    """Whether nobody else is at its base paths, so that they tell it from others."""

    @property
    def dialect(self) -> Dialect:
        module = importlib.import_module(f"aimock_protocols.openai_dialects.{self.kind}")
        return cast("Dialect", getattr(module, self.name.upper()))


PROVIDERS: tuple[Provider, ...] = (
    Provider("mistral", ("/v1",), "makers", (("user-agent", "mistral-client-"),)),
    Provider("groq", ("/openai/v1",), "hosts", (("user-agent", "Groq/"),)),
    Provider("together", ("/v1",), "hosts", (("user-agent", "Together/"),)),
    Provider("cerebras", ("/v1",), "hosts", (("user-agent", "Cerebras/"),)),
    Provider("huggingface", ("/v1",), "hosts", (("user-agent", "unknown/None; hf_hub/"),)),
    Provider("fireworks", ("/inference/v1",), "hosts", is_alone=True),
    Provider("zai", ("/api/paas/v4", "/api/coding/paas/v4"), "makers", is_alone=True),
    Provider("gemini", ("/v1beta/openai",), "makers", is_alone=True),
    Provider("deepseek", ("/v1", ""), "makers"),
    Provider("xai", ("/v1",), "makers"),
    Provider("vllm", ("/v1",), "servers"),
    Provider("litellm", ("/v1", ""), "servers"),
    Provider("ollama", ("/v1",), "servers"),
)


@functools.cache
def __getattr__(name: str) -> Any:
    """The protocol of a provider, made when it is first asked: the table alone costs a start next to nothing."""
    provider = next((each for each in PROVIDERS if each.name == name), None)
    if provider is None:
        raise AttributeError(name)
    from aimock_protocols.openai_chat.speaker import Speaker

    return Speaker(f"openai_compatible:{name}", provider.dialect)
