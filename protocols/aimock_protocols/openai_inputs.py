"""The texts that OpenAI's endpoints take in several forms: what is to be completed, what is to be embedded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aimock_protocols.embedding import input_tokens
from aimock_protocols.openai_platform import invalid_type


def texts_of(value: Any, param: str) -> list[str]:
    """The texts in a string, strings, token numbers, or lists of token numbers; tokens read as their numbers, joined
    by a space. Raises WireError."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value:
        if all(isinstance(one, str) for one in value):
            return value
        if _are_tokens(value):
            return [_token_text(value)]
        if all(isinstance(one, list) and _are_tokens(one) for one in value):
            return [_token_text(one) for one in value]
    raise invalid_type(param, "a string, an array of strings, or an array of tokens", value)


def tokens_in(value: Any, texts: Iterable[str]) -> int:
    """The tokens of a value that has these texts: estimated, but where it consists of tokens, which are counted."""
    if isinstance(value, str) or isinstance(value[0], str):
        return input_tokens(texts)
    return len(value) if _are_tokens(value) else sum(map(len, value))


def _are_tokens(values: list[Any]) -> bool:
    return all(type(value) is int for value in values)


def _token_text(tokens: list[int]) -> str:
    return " ".join(map(str, tokens))
