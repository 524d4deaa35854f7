"""All families, and how the one of a body is found: by the id of its model, or else by what it looks like (wire §5)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType
from typing import Any, cast

from aimock_protocols.bedrock_invoke import (
    claude,
    command_r,
    mistral_chat,
    nova,
    openai_style,
    reranking,
    vectors_cohere,
    vectors_nova,
    vectors_titan,
)
from aimock_protocols.bedrock_invoke.completion import Completion
from aimock_protocols.bedrock_invoke.completions import (
    CLAUDE_TEXT,
    COHERE_TEXT,
    DEEPSEEK_TEXT,
    LLAMA,
    MISTRAL_TEXT,
    TITAN_TEXT,
)
from aimock_protocols.bedrock_invoke.family import Family
from aimock_protocols.bedrock_platform import refusal

_TABLE: tuple[ModuleType | Completion, ...] = (
    vectors_titan,
    vectors_nova,
    vectors_cohere,
    reranking,
    CLAUDE_TEXT,
    claude,
    TITAN_TEXT,
    nova,
    LLAMA,
    command_r,
    COHERE_TEXT,
    MISTRAL_TEXT,
    DEEPSEEK_TEXT,
    openai_style,
    mistral_chat,
)
"""Of several families that a body looks like, the first is meant."""

FAMILIES: dict[str, Family] = {family.name: cast(Family, family) for family in _TABLE}


def of_request(model: str, sent: dict[str, Any]) -> Family:
    """The family of a request. Of several that the model's provider has, the one that the body looks like, or the last;
    where the id tells no provider (application profiles, imported models), of all. Raises WireError."""
    known = _of_model(model)
    family = next((family for family in known or FAMILIES.values() if family.asks(sent)), None)
    if family is None and not known:
        raise refusal("The provided request body matches no model that is served here.")
    return family or known[-1]


@lru_cache(maxsize=256)
def _of_model(model: str) -> tuple[Family, ...]:
    return tuple(family for family in FAMILIES.values() if family.models.search(model))


def of_answer(documents: Iterable[dict[str, Any]]) -> Family | None:
    """The family of a whole body, or of a stream's documents: of the first that looks like any."""
    return next((family for each in documents for family in FAMILIES.values() if family.answers(each)), None)
