"""What the head of an image tells of it: the provider repeats it with its vector (wire-cohere §6)."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import NamedTuple

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TRUE_COLOUR = 24
_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
"""JPEG markers among those of frames that begin none."""


class Image(NamedTuple):
    """An image by its head; what cannot be read is 0."""

    width: int
    height: int
    format: str
    bit_depth: int


def image_of(url: str) -> Image:
    """The image in a data URL."""
    head, _, encoded = url.partition(",")
    kind = head.removeprefix("data:image/").partition(";")[0] if head.startswith("data:image/") else ""
    try:
        data = base64.b64decode(encoded)
        width, height, depth = _size(data)
    except (binascii.Error, ValueError, struct.error, LookupError):
        width = height = depth = 0
    return Image(width, height, kind, depth)


def _size(data: bytes) -> tuple[int, int, int]:
    """Width, height and bits a pixel. Raises ValueError, struct.error or LookupError on what is no image."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
        return width, height, depth * _PNG_CHANNELS[colour]
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        width, height, flags = struct.unpack_from("<HHB", data, 6)
        return width, height, (flags & 7) + 1
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return (*_webp(data), _TRUE_COLOUR)
    raise ValueError("of no known format")


def _jpeg(data: bytes) -> tuple[int, int, int]:
    """ITU-T T.81, B.2.2: the frame header is the first segment whose marker is one of 0xC0 to 0xCF."""
    at = 2
    while True:
        start, marker, length = struct.unpack_from(">BBH", data, at)
        if start != 0xFF or length < 2:
            raise ValueError("no segment")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            precision, height, width, components = struct.unpack_from(">BHHB", data, at + 4)
            return width, height, precision * components
        at += 2 + length


def _webp(data: bytes) -> tuple[int, int]:
    """RFC 9649: a canvas, a lossless or a lossy image."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
        return (low_width | high_width << 16) + 1, (low_height | high_height << 16) + 1
    if chunk == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF
