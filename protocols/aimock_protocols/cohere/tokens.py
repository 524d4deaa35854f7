"""`POST /v1/tokenize` and `POST /v1/detokenize` (wire-cohere §1), with tokens that hold their own text.

A token is up to four characters, as in all estimates here, and no more than six bytes: its number is those bytes after
a leading 1, which JavaScript too can hold exactly. So every text comes back from its tokens.
"""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import SideRequest, WireResponse
from aimock_protocols.cohere.platform import WHOLE_HEADERS, read_object, read_required, refusal, wrong_type

LONGEST_TEXT = 65536
"""Characters."""

_CHARACTERS = 4
_BYTES = 6
_META = {"api_version": {"version": "1"}}
_UNKNOWN = "\ufffd"


def tokenize(request: SideRequest) -> WireResponse:
    """The tokens of a text, as numbers and as text. Raises WireError, a 400."""
    sent = read_object(request.body)
    text = read_required(sent, "text")
    read_required(sent, "model")
    if len(text) > LONGEST_TEXT:
        raise refusal(f"text must be at most {LONGEST_TEXT} characters long, and has {len(text)}.")
    pieces = pieces_of(text)
    body = {"tokens": [number_of(piece) for piece in pieces], "token_strings": pieces, "meta": _META}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))


def detokenize(request: SideRequest) -> WireResponse:
    """The text of tokens; of those that no text here has, U+FFFD. Raises WireError, a 400."""
    sent = read_object(request.body)
    tokens = sent.get("tokens")
    if tokens is None:
        raise refusal("tokens is required")
    if type(tokens) is not list:
        raise wrong_type("tokens", tokens, list)
    read_required(sent, "model")
    body = {"text": "".join(map(_text_of, tokens)), "meta": _META}
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(body))


def pieces_of(text: str) -> list[str]:
    """The text of each token."""
    pieces = []
    start = 0
    while start < len(text):
        end = start + _CHARACTERS
        while end > start + 1 and len(text[start:end].encode()) > _BYTES:
            end -= 1
        pieces.append(text[start:end])
        start = end
    return pieces


def number_of(piece: str) -> int:
    return int.from_bytes(b"\x01" + piece.encode(), "big")


def _text_of(token: Any) -> str:
    """The text of one token. Raises WireError if it is no number."""
    if type(token) is not int:
        raise wrong_type("tokens", token, int)
    if token < 0 or token.bit_length() > 8 * (_BYTES + 1):
        return _UNKNOWN
    packed = token.to_bytes(_BYTES + 1, "big").lstrip(b"\0")
    return packed[1:].decode("utf-8", "replace") if packed[:1] == b"\x01" else _UNKNOWN
