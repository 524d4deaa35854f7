"""Log probabilities: the reply's own, or made up where the request asks for them (wire-cohere §3, §4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from aimock_protocols.canonical import Reply
from aimock_protocols.cohere.contents import Block, Content
from aimock_protocols.cohere.tokens import number_of, pieces_of

_LOGPROB = -0.01


class Item(NamedTuple):
    """A run of text with its tokens."""

    text: str
    token_ids: list[int]
    logprobs: list[float]


def items_of(reply: Reply, contents: Iterable[Block], is_wanted: bool) -> list[Item]:
    """Those of a reply, whose `logprobs` are in OpenAI's words; else, if they are wanted, made-up ones of all its text,
    equally probable. A token of OpenAI's may be several here: the first has all of its probability."""
    if reply.logprobs is not None:
        tokens = reply.logprobs.get("content") if isinstance(reply.logprobs, dict) else None
        return [_item(token) for token in tokens or () if isinstance(token, dict)]
    if not is_wanted:
        return []
    said = "".join(block.text for block in contents if isinstance(block, Content) and block.kind == "text")
    return [Item(piece, [number_of(piece)], [_LOGPROB]) for piece in pieces_of(said)]


def _item(token: dict[str, Any]) -> Item:
    text = token.get("token")
    text = text if isinstance(text, str) else ""
    ids = [number_of(piece) for piece in pieces_of(text)]
    return Item(text, ids, [token.get("logprob") or 0.0, *[0.0] * (len(ids) - 1)])


class Spread:
    """Gives each slice of a reply's text the items that begin in it, and the last one what is left over."""

    def __init__(self, items: Sequence[Item], length: int) -> None:
        self._items = deque(items)
        self._length = length
        self._reach = self._covered = 0

    def take(self, piece: str) -> Item | None:
        """The items of the next slice as one."""
        self._reach += len(piece)
        here: list[Item] = []
        while self._items and (self._covered < self._reach or self._reach >= self._length):
            self._covered += len(self._items[0].text)
            here.append(self._items.popleft())
        if not here:
            return None
        ids = [token for item in here for token in item.token_ids]
        return Item("".join(item.text for item in here), ids, [each for item in here for each in item.logprobs])


def read(items: Iterable[Any]) -> dict[str, Any] | None:
    """The inverse of `items_of`: log probabilities in OpenAI's words; None if there are none."""
    tokens = [
        {"token": item.get("text"), "logprob": float(sum(item["logprobs"])), "bytes": None}
        for item in items
        if isinstance(item, dict) and _is_numbers(item.get("logprobs"))
    ]
    return {"content": tokens, "refusal": None} if tokens else None


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int | float) for each in value)
