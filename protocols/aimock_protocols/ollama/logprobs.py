"""Log probabilities, for requests that ask for them (wire-ollama §3.1): those of OpenAI's chat, as one list."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson

from aimock_protocols.canonical import Reply
from aimock_protocols.ollama.shape import Shape
from aimock_protocols.openai_chat.logprobs import logprobs_of


def tokens_of(reply: Reply, shape: Shape) -> list[dict[str, Any]]:
    """The tokens of the text: the reply's own, or made up; none if they are not asked for."""
    if shape.top_logprobs is None:
        return []
    told = logprobs_of(reply, shape)
    tokens = told.get("content") if isinstance(told, dict) else None
    return [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []


class Tokens:
    """Gives to each slice of a text the tokens that begin in it."""

    def __init__(self, tokens: Iterable[dict[str, Any]]) -> None:
        self._left = deque(tokens)
        self._reach = self._covered = 0

    def __bool__(self) -> bool:
        return bool(self._left)

    def of(self, piece: str) -> bytes:
        """The member with the tokens of the next slice, if there are any, and the comma before it."""
        self._reach += len(piece)
        here = []
        while self._left and self._covered < self._reach:
            self._covered += len(self._left[0].get("token") or "")
            here.append(self._left.popleft())
        return _member(here)

    def rest(self) -> bytes:
        """The same of what is left over after the last."""
        return _member([*self._left])


def _member(tokens: list[dict[str, Any]]) -> bytes:
    return b',"logprobs":' + orjson.dumps(tokens) if tokens else b""
