"""The forms in which a vector can be asked for, each with its inverse (wire-cohere §6).

Integers are the values times 127; bits are the signs, eight to a byte, the first value in the highest bit. Signed forms
are the unsigned ones less 128. A value beyond -1 or 1 counts as that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aimock_protocols.embedding import float32_base64, from_float32_base64

_SCALE = 127
_OFFSET = 128


class Form(NamedTuple):
    """How vectors are written, and read back as well as that goes. Reading raises ValueError."""

    write: Callable[[Sequence[float]], Any]
    read: Callable[[Any], tuple[float, ...]]


def _scaled(vector: Sequence[float]) -> list[int]:
    return [round(_SCALE * max(-1.0, min(1.0, value))) for value in vector]


def _packed(vector: Sequence[float]) -> list[int]:
    bits = "".join(["1" if value > 0 else "0" for value in vector])
    return [int(bits[start : start + 8].ljust(8, "0"), 2) for start in range(0, len(bits), 8)]


def _numbers(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(isinstance(each, int | float) for each in value):
        raise ValueError("a vector that is no list of numbers")
    return tuple(value)


def _from_base64(value: Any) -> tuple[float, ...]:
    if not isinstance(value, str):
        raise ValueError("a vector that is no base64")
    return from_float32_base64(value)


def _unscaled(value: Any, offset: int) -> tuple[float, ...]:
    return tuple((number - offset) / _SCALE for number in _numbers(value))


def _unpacked(value: Any, offset: int) -> tuple[float, ...]:
    """A 1 for each bit that is set, -1 for each that is not."""
    bits = "".join(f"{int(number + offset) % 256:08b}" for number in _numbers(value))
    return tuple(1.0 if bit == "1" else -1.0 for bit in bits)


FORMS: dict[str, Form] = {
    "float": Form(list, _numbers),
    "base64": Form(float32_base64, _from_base64),
    "int8": Form(_scaled, lambda value: _unscaled(value, 0)),
    "uint8": Form(
        lambda vector: [value + _OFFSET for value in _scaled(vector)], lambda value: _unscaled(value, _OFFSET)
    ),
    "binary": Form(
        lambda vector: [value - _OFFSET for value in _packed(vector)], lambda value: _unpacked(value, _OFFSET)
    ),
    "ubinary": Form(_packed, lambda value: _unpacked(value, 0)),
}
"""By the names of `embedding_types`; those that say most of a vector come first."""
