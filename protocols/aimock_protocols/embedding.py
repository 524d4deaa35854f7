"""Vectors that follow from their text (core-fixtures §5.5), and the forms in which providers send vectors."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from collections.abc import Iterable
from functools import lru_cache

from aimock_protocols.canonical import Vectors
from aimock_protocols.semantic import semantic_vector_of
from aimock_protocols.usage import estimate, utf16_length

_DIGEST = 32
_VALUES = tuple(byte / 127.5 - 1 for byte in range(256))


@lru_cache(maxsize=64)
def vector_of(text: str, dimensions: int) -> tuple[float, ...]:
    """The vector of a text: SHA-256 of its UTF-8 bytes, and of each digest in turn, a value from -1 to 1 for each byte.

    It is not normalised. Bit for bit what the reference computes.
    """
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    stream = digest
    for _ in range((dimensions - 1) // _DIGEST):
        digest = hashlib.sha256(digest).digest()
        stream += digest
    return tuple([_VALUES[byte] for byte in stream[:dimensions]])


_FOLLOWING = {"hash": vector_of, "semantic": semantic_vector_of}


def following(reply: Vectors, text: str, dimensions: int) -> tuple[float, ...]:
    """The vector that follows from a text, in the manner of the reply."""
    return _FOLLOWING[reply.manner](text, dimensions)


def vectors_for(reply: Vectors, texts: Iterable[str], dimensions: int) -> list[tuple[float, ...]]:
    """A vector for each text: the reply's own, or that which follows from the text."""
    return [
        following(reply, text, dimensions) if values is None else values
        for values, text in zip(reply.values, texts, strict=True)
    ]


def normalised(vector: tuple[float, ...]) -> tuple[float, ...]:
    """The vector at length 1; one of length 0 as it is."""
    length = math.sqrt(sum(value * value for value in vector))
    return tuple([value / length for value in vector]) if length else vector


def float32_base64(vector: Iterable[float]) -> str:
    """Little-endian single floats in base64, as OpenAI's SDKs ask for them. What is too large for one is infinite."""
    values = tuple(vector)
    try:
        packed = struct.pack(f"<{len(values)}f", *values)
    except OverflowError:
        packed = b"".join(map(_float32, values))
    return base64.b64encode(packed).decode("ascii")


def _float32(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def from_float32_base64(text: str) -> tuple[float, ...]:
    """The inverse. Raises ValueError on what is not base64, or is no whole number of floats."""
    packed = base64.b64decode(text, validate=True)
    if len(packed) % 4:
        raise ValueError(f"{len(packed)} bytes are no whole number of single floats")
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def input_tokens(texts: Iterable[str]) -> int:
    """An estimate of the tokens in all texts."""
    return sum(estimate(utf16_length(text)) for text in texts)
