"""Log probabilities: the reply's own, or made up where the request asks for them (wire-openai-chat §9)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import orjson

from aimock_protocols.canonical import Reply

CHANNELS = ("content", "refusal")
"""The delta keys whose text has log probabilities, each under the same key."""

_TOKEN = re.compile(r"\s*\S+|\s+")
_LOGPROB = -0.01
_UNLIKELY = -10.0


class Asking(Protocol):
    """The shape of a request that may ask for log probabilities."""

    @property
    def top_logprobs(self) -> int | None:
        """Alternatives a token; None if no log probabilities are wanted."""


def logprobs_of(reply: Reply, shape: Asking) -> Any:
    """The `logprobs` of a choice: `reply.logprobs` verbatim, else made up if the request asks, else None.

    A made-up one takes each word with the space before it for a token, all equally probable.
    """
    if reply.logprobs is not None:
        return reply.logprobs
    top = shape.top_logprobs
    if top is None:
        return None
    texts = {"content": reply.text, "refusal": reply.refusal}
    if all(text is None for text in texts.values()):
        return None
    return {channel: None if text is None else made_up(text, top) for channel, text in texts.items()}


def made_up(text: str, top: int) -> list[dict[str, Any]]:
    """The tokens of a text, each with `top` alternatives."""
    return [_token(token, _LOGPROB) | {"top_logprobs": _alternatives(token, top)} for token in _TOKEN.findall(text)]


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _alternatives(token: str, top: int) -> list[dict[str, Any]]:
    return [_token(token + "'" * rank, _UNLIKELY * rank or _LOGPROB) for rank in range(top)]


def spread(deltas: Sequence[bytes], logprobs: Any) -> list[bytes]:
    """The JSON of the `logprobs` that goes with each delta of a stream, null with most.

    What is not an object of token lists cannot be spread, and is left out.
    """
    spread_over = [b"null"] * len(deltas)
    for channel in CHANNELS:
        told = [orjson.loads(delta).get(channel) for delta in deltas]
        slices = {at: text for at, text in enumerate(told) if isinstance(text, str) and text}
        for at, here in zip(slices, dealt(_token_list(logprobs, channel), list(slices.values())), strict=True):
            if here:
                spread_over[at] = orjson.dumps(dict.fromkeys(CHANNELS) | {channel: here})
    return spread_over


def dealt(tokens: Iterable[dict[str, Any]], slices: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The tokens that go with each slice of a text: a token goes with the slice in which its text begins, and what is
    left over with the last."""
    left = deque(tokens)
    hands: list[list[dict[str, Any]]] = []
    reach = covered = 0
    for text in slices:
        reach += len(text)
        hand = []
        while left and (covered < reach or len(hands) == len(slices) - 1):
            covered += len(left[0].get("token") or "")
            hand.append(left.popleft())
        hands.append(hand)
    return hands


def join(parts: Iterable[Any]) -> dict[str, Any] | None:
    """The inverse of `spread`: the log probabilities of a choice from those of its chunks; None if there are none."""
    joined: dict[str, list[dict[str, Any]]] = {channel: [] for channel in CHANNELS}
    for part in parts:
        for channel in CHANNELS:
            joined[channel] += _token_list(part, channel)
    if not any(joined.values()):
        return None
    return {channel: tokens or None for channel, tokens in joined.items()}


def _token_list(logprobs: Any, channel: str) -> list[dict[str, Any]]:
    tokens = logprobs.get(channel) if isinstance(logprobs, dict) else None
    return [token for token in tokens if isinstance(token, dict)] if isinstance(tokens, list) else []
