"""Point ids: unsigned integers of 64 bits, or UUIDs. Sorted, the integers come first.

A UUID may be written in four ways (with hyphens, without, in braces, as a URN); points have it with hyphens.
"""

from __future__ import annotations

import re
from typing import Any

from aimock_protocols.qdrant.errors import malformed, shown

PointId = int | str

_HEX = "[0-9a-fA-F]"
_HYPHENATED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_UUID = re.compile(rf"{_HEX}{{32}}|{_HYPHENATED}|\{{{_HYPHENATED}\}}|urn:uuid:{_HYPHENATED}")
_MOST = (1 << 64) - 1


def canonical(value: Any) -> PointId | None:
    """The id that is meant, or None if it can be none."""
    if type(value) is int:
        return value if 0 <= value <= _MOST else None
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        return None
    digits = value.removeprefix("urn:uuid:").strip("{}").replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def point_id(value: Any, place: str) -> PointId:
    """Reads one. Raises WireError."""
    found = canonical(value)
    if found is None:
        raise malformed(
            f"{place}: value {shown(value)} is not a valid point ID, "
            "valid values are either an unsigned integer or a UUID"
        )
    return found


def in_path(text: str) -> PointId | None:
    """The id that a segment of a path names."""
    return canonical(int(text)) if text.isascii() and text.isdigit() else canonical(text)


def order(point_id: PointId) -> tuple[bool, PointId]:
    """A key to sort ids by."""
    return isinstance(point_id, str), point_id


# -- slices: every id belongs to one of so many, by its hash -----------------------------------------------------------

_WORD = (1 << 64) - 1
_KEYED = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
"""SipHash's state under a key of zeros (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012)."""


def slice_of(point_id: PointId, total: int) -> int:
    """Which of `total` slices an id is in: SipHash-2-4 of its bytes, modulo."""
    return _siphash(_octets(point_id)) % total


def _octets(point_id: PointId) -> bytes:
    if isinstance(point_id, int):
        return point_id.to_bytes(8, "little")
    # Ids that are no UUIDs can only come from elsewhere, as from a config file.
    return bytes.fromhex(point_id.replace("-", "")) if _UUID.fullmatch(point_id) else point_id.encode()


def _siphash(octets: bytes) -> int:
    state = list(_KEYED)
    whole = len(octets) // 8 * 8
    last = octets[whole:].ljust(7, b"\0") + bytes([len(octets) & 255])
    for block in (*(octets[at : at + 8] for at in range(0, whole, 8)), last):
        word = int.from_bytes(block, "little")
        state[3] ^= word
        _mix(state, 2)
        state[0] ^= word
    state[2] ^= 255
    _mix(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _mix(state: list[int], rounds: int) -> None:
    a, b, c, d = state
    for _ in range(rounds):
        a, c = (a + b) & _WORD, (c + d) & _WORD
        b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
        a = _rotated(a, 32)
        a, c = (a + d) & _WORD, (c + b) & _WORD
        d, b = _rotated(d, 21) ^ a, _rotated(b, 17) ^ c
        c = _rotated(c, 32)
    state[:] = a, b, c, d


def _rotated(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _WORD


def ids(value: Any, place: str) -> list[PointId]:
    """Reads a list of them. Raises WireError."""
    if not isinstance(value, list):
        raise malformed(f"{place}: expected a sequence of point ids")
    return [point_id(item, f"{place}[{index}]") for index, item in enumerate(value)]
