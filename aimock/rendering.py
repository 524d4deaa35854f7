"""Replies rendered once, and stamped for each request.

What a protocol makes of a reply follows from the reply, the shape of the request, and the stamp, whose ids and time
are all that changes from one request to the next. So a rendering is kept with marks where these stand. Each is proved
when it is made: filled in with the stamp at hand, it must be what the protocol gives directly, or else that reply is
rendered anew every time.
"""

from __future__ import annotations

import itertools
import re
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple, cast

from aimock_protocols.canonical import (
    ENTROPY_BYTES,
    ChatProtocol,
    Frame,
    FrameKind,
    Headers,
    Opened,
    Reply,
    Results,
    Sealing,
    Stamp,
    TellingInHeaders,
    Vectors,
    WireProtocol,
)
from aimock_protocols.members import member

_KEPT_BYTES = 16 * 1024 * 1024
"""Of all renderings of one protocol; beyond it, all are forgotten."""
_LARGEST_KEPT = 256 * 1024
_SHAPE_BYTES = 1024
"""What a shape costs besides the text in it."""

_MARKED_TIME = 7_919_283_746
_MARKED_ENTROPY = bytes((37 * place + 11) % 251 for place in range(ENTROPY_BYTES))

_Render = Callable[[Stamp], Iterable[Frame]]
_Open = Callable[[bytes], Opened]


class _Slot(NamedTuple):
    """A mark, and what a stamp puts in its place."""

    mark: bytes
    value: Callable[[Stamp], bytes]


class _MarkingStamp(Stamp):
    """A stamp that notes what is asked of it."""

    def __init__(self) -> None:
        super().__init__(_MARKED_TIME, _MARKED_ENTROPY)
        self.slots: dict[bytes, _Slot] = {}
        self._note(str(_MARKED_TIME), lambda stamp: b"%d" % stamp.created)

    def _note(self, mark: str, value: Callable[[Stamp], bytes]) -> None:
        self.slots[mark.encode()] = _Slot(mark.encode(), value)

    def alphanumeric(self, length: int, label: str = "") -> str:
        mark = super().alphanumeric(length, label)
        self._note(mark, lambda stamp: stamp.alphanumeric_bytes(length, label))
        return mark

    def hexadecimal(self, length: int, label: str = "") -> str:
        mark = super().hexadecimal(length, label)
        self._note(mark, lambda stamp: stamp.hexadecimal(length, label).encode())
        return mark

    def written(self, write: Callable[[float], str]) -> str:
        mark = super().written(write)
        self._note(mark, lambda stamp: stamp.written(write).encode())
        return mark

    def digits(self, length: int, label: str = "") -> str:
        mark = super().digits(length, label)
        self._note(mark, lambda stamp: stamp.digits(length, label).encode())
        return mark

    def uuid(self, label: str = "") -> str:
        mark = super().uuid(label)
        self._note(mark, lambda stamp: stamp.uuid(label).encode())
        return mark


class _Direct:
    """A reply that is rendered anew for each request."""

    def __init__(self, render: _Render) -> None:
        self._render = render

    def frames(self, stamp: Stamp) -> Iterable[Frame]:
        return self._render(stamp)

    def joined(self, stamp: Stamp) -> bytes:
        return b"".join([frame.data for frame in self._render(stamp)])


class _Part(NamedTuple):
    """A frame in pieces, some of which are for a stamp to fill in."""

    pieces: tuple[bytes, ...]
    holes: tuple[tuple[int, int], ...]
    """Which piece is filled in from which slot."""
    kind: FrameKind
    seal: Callable[[bytes], bytes] | None = None
    """Makes a frame of the pieces, if they are only what stands in it."""

    def filled(self, fillings: list[bytes]) -> bytes:
        if not self.holes:
            return self.pieces[0]
        pieces = list(self.pieces)
        for place, slot in self.holes:
            pieces[place] = fillings[slot]
        filled = b"".join(pieces)
        return filled if self.seal is None else self.seal(filled)


class _Template:
    """Rendered frames with holes in them, where there were marks."""

    __slots__ = ("_joined", "_marks", "_open", "_parts", "_values", "size")

    def __init__(self, render: _Render, opened: _Open | None) -> None:
        stamp = _MarkingStamp()
        marked = list(render(stamp))
        self._open = opened
        self.size = sum(len(frame.data) for frame in marked)
        everything = b"".join(self._contents(marked))
        slots = [slot for mark, slot in stamp.slots.items() if mark in everything]
        self._marks = [slot.mark for slot in slots]
        self._values = [slot.value for slot in slots]
        self._parts = [self._part(frame) for frame in marked]
        self._joined: list[_Part] | None = None

    def _part(self, frame: Frame) -> _Part:
        if not self._marks:
            return _Part((frame.data,), (), frame.kind)
        content, seal = (frame.data, None) if self._open is None else self._open(frame.data)
        # Splitting by a group keeps what it matched: a mark, which is then a hole.
        pieces = re.split(b"(" + b"|".join(map(re.escape, self._marks)) + b")", content)
        holes = [(place, self._marks.index(pieces[place])) for place in range(1, len(pieces), 2)]
        return _Part(tuple(pieces), tuple(holes), frame.kind, seal) if holes else _Part((frame.data,), (), frame.kind)

    def _contents(self, frames: list[Frame]) -> list[bytes]:
        if self._open is None:
            return [frame.data for frame in frames]
        return [self._open(frame.data).content for frame in frames]

    def is_proved_by(self, stamp: Stamp, rendered: list[Frame]) -> bool:
        """Whether, filled in, it is what was rendered directly, and no mark stands in that by chance."""
        if any(mark in content for mark in self._marks for content in self._contents(rendered)):
            return False
        return list(self.frames(stamp)) == rendered

    def frames(self, stamp: Stamp) -> Iterator[Frame]:
        fillings = [value(stamp) for value in self._values]
        for part in self._parts:
            yield Frame(part.filled(fillings), part.kind)

    def joined(self, stamp: Stamp) -> bytes:
        """The bytes of all frames."""
        parts = self._joined
        if parts is None:
            parts = self._joined = _merged(self._parts)
        fillings = [value(stamp) for value in self._values]
        if len(parts) == 1:
            return parts[0].filled(fillings)
        return b"".join([part.filled(fillings) for part in parts])


def _merged(parts: list[_Part]) -> list[_Part]:
    """The same bytes in as few parts as may be: what is sealed stays by itself."""
    merged: list[_Part] = []
    for sealed, run in itertools.groupby(parts, key=lambda part: part.seal is not None):
        if sealed:
            merged += run
            continue
        pieces: list[bytes] = [b""]
        holes: list[tuple[int, int]] = []
        for part in run:  # begins and ends with a piece that is no hole
            holes += [(place + len(pieces) - 1, slot) for place, slot in part.holes]
            pieces[-1] += part.pieces[0]
            pieces += part.pieces[1:]
        merged.append(_Part(tuple(pieces), tuple(holes), FrameKind.CLOSE))
    return merged


def text_length(value: object) -> int:
    """The length of all text in a value of nested tuples, as shapes are."""
    length = 0
    for each in value if isinstance(value, (tuple, frozenset)) else (value,):
        kind = type(each)
        if kind is str or kind is bytes:
            length += len(each)
        elif each and isinstance(each, (tuple, frozenset)):
            length += text_length(each)
    return length


class Renderer:
    """Renders replies by one protocol."""

    def __init__(self, protocol: WireProtocol) -> None:
        self.protocol = protocol
        self._shapes: dict[Hashable, Renderings] = {}
        self._in_use: weakref.WeakSet[Renderings] = weakref.WeakSet()  # those of forgotten shapes too, while in use
        self._size = 0

    def of(self, shape: Hashable) -> Renderings:
        """The renderings for requests of one shape."""
        renderings = self._shapes.get(shape)
        if renderings is None:
            self._shapes[shape] = renderings = Renderings(self, shape)
            self._in_use.add(renderings)
            self.grow(_SHAPE_BYTES + text_length(shape))
        return renderings

    def grow(self, size: int) -> None:
        """Takes note of what is about to be kept; when it would be too much, all is forgotten."""
        self._size += size
        if self._size > _KEPT_BYTES:
            for renderings in self._in_use:
                renderings.forget()
            self._shapes.clear()
            self._size = size


class Renderings:
    """Replies to requests of one shape. `source` is what a reply always comes from unchanged, and is kept by; None for
    a reply that is made for this request alone."""

    def __init__(self, renderer: Renderer, shape: Hashable) -> None:
        self._renderer = renderer
        self._protocol = cast(ChatProtocol, renderer.protocol)
        self._open: _Open | None = None
        if member(renderer.protocol, "opened") is not None:
            self._open = cast(Sealing, renderer.protocol).opened
        self._telling: TellingInHeaders | None = None
        if member(renderer.protocol, "reply_headers") is not None:
            self._telling = cast(TellingInHeaders, renderer.protocol)
        self.shape = shape
        self.kept: dict[Hashable, _Template | _Direct] = {}
        self._told: dict[Hashable, Headers] = {}

    def forget(self) -> None:
        self.kept.clear()
        self._told.clear()

    def headers(self, source: Hashable, reply: Reply | Vectors | Results) -> Headers:
        """Those of a whole response that tell of the reply: none, for most protocols."""
        if self._telling is None:
            return ()
        told = self._told.get(source)
        if told is None:
            told = self._telling.reply_headers(reply, self.shape)
            if source is not None:
                self._renderer.grow(sum(len(name) + len(value) for name, value in told))
                self._told[source] = told
        return told

    def whole(self, source: Hashable, reply: Reply | Vectors | Results, stamp: Stamp) -> bytes:
        """The body of a whole response."""
        kept = self.kept.get(source) or self._keep(
            source,
            source,
            stamp,
            lambda stamp: (Frame(self._protocol.encode(reply, self.shape, stamp), FrameKind.CLOSE),),
        )
        return kept.joined(stamp)

    def stream(self, source: Hashable, reply: Reply | Results, stamp: Stamp, chunk_size: int) -> bytes:
        """All frames of a stream, joined."""
        return self._streamed(source, reply, stamp, chunk_size).joined(stamp)

    def frames(self, source: Hashable, reply: Reply | Results, stamp: Stamp, chunk_size: int) -> Iterable[Frame]:
        """The frames of a stream, each made when it is asked for."""
        return self._streamed(source, reply, stamp, chunk_size).frames(stamp)

    def _streamed(self, source: Hashable, reply: Reply | Results, stamp: Stamp, chunk_size: int) -> _Template | _Direct:
        key = (source, chunk_size)
        return self.kept.get(key) or self._keep(
            source, key, stamp, lambda stamp: self._protocol.frames(reply, self.shape, stamp, chunk_size), self._open
        )

    def _keep(
        self, source: Hashable, key: Hashable, stamp: Stamp, render: _Render, opened: _Open | None = None
    ) -> _Template | _Direct:
        if source is None:
            return _Direct(render)
        template = _Template(render, opened)
        kept: _Template | _Direct = template
        if template.size > _LARGEST_KEPT or not template.is_proved_by(stamp, list(render(stamp))):
            kept = _Direct(render)
        self._renderer.grow(template.size)
        self.kept[key] = kept
        return kept
