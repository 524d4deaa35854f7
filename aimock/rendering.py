"""Replies rendered once, and stamped for each request.

What a protocol makes of a reply follows from the reply, the shape of the request, and the stamp, whose ids and time
are all that changes from one request to the next. So a rendering is kept with marks where these stand. Each is proved
when it is made: filled in with the stamp at hand, it must be what the protocol gives directly, or else that reply is
rendered anew every time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple

from aimock_protocols.canonical import ENTROPY_BYTES, ChatProtocol, Frame, FrameKind, Reply, Stamp

_KEPT_BYTES = 16 * 1024 * 1024
"""Of all renderings of one protocol; beyond it, all are forgotten."""
_LARGEST_KEPT = 256 * 1024

_MARKED_TIME = 7_919_283_746
_MARKED_ENTROPY = bytes((37 * place + 11) % 251 for place in range(ENTROPY_BYTES))

_Render = Callable[[Stamp], Iterable[Frame]]


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


class _Direct:
    """A reply that is rendered anew for each request."""

    def __init__(self, render: _Render) -> None:
        self._render = render

    def frames(self, stamp: Stamp) -> Iterable[Frame]:
        return self._render(stamp)

    def single(self, stamp: Stamp) -> bytes:
        return next(iter(self._render(stamp))).data


class _Template:
    """Rendered frames with marks in them."""

    __slots__ = ("_marked", "_slots", "size")

    def __init__(self, render: _Render) -> None:
        stamp = _MarkingStamp()
        self._marked = tuple(render(stamp))
        self.size = sum(len(frame.data) for frame in self._marked)
        everything = b"".join([frame.data for frame in self._marked])
        self._slots = tuple(slot for mark, slot in stamp.slots.items() if mark in everything)

    def is_proved_by(self, stamp: Stamp, rendered: list[Frame]) -> bool:
        """Whether, filled in, it is what was rendered directly, and no mark stands in that by chance."""
        if any(mark in data for mark, _ in self._slots for data, _ in rendered):
            return False
        return list(self.frames(stamp)) == rendered

    def frames(self, stamp: Stamp) -> Iterator[Frame]:
        fillings = [(mark, value(stamp)) for mark, value in self._slots]
        for data, kind in self._marked:
            for mark, filling in fillings:
                data = data.replace(mark, filling)
            yield Frame(data, kind)

    def single(self, stamp: Stamp) -> bytes:
        """The bytes of the only frame."""
        data = self._marked[0].data
        for mark, value in self._slots:
            data = data.replace(mark, value(stamp))
        return data


class Renderer:
    """Renders replies by one protocol. `source` is what a reply always comes from unchanged, and is kept by; None for
    a reply that is made for this request alone."""

    def __init__(self, protocol: ChatProtocol) -> None:
        self._protocol = protocol
        self._kept: dict[Hashable, _Template | _Direct] = {}
        self._size = 0

    def whole(self, source: Hashable, reply: Reply, shape: Hashable, stamp: Stamp) -> bytes:
        """The body of a whole response."""
        if source is None:
            return self._protocol.encode(reply, shape, stamp)
        key = (source, shape)
        kept = self._kept.get(key) or self._keep(
            key, stamp, lambda stamp: (Frame(self._protocol.encode(reply, shape, stamp), FrameKind.CLOSE),)
        )
        return kept.single(stamp)

    def stream(self, source: Hashable, reply: Reply, shape: Hashable, stamp: Stamp, chunk_size: int) -> bytes:
        """All frames of a stream, joined."""
        key = (source, shape, chunk_size, "joined")
        kept = self._kept.get(key) if source is not None else None
        if kept is not None:
            return kept.single(stamp)

        def render(stamp: Stamp) -> Iterable[Frame]:
            frames = self._protocol.frames(reply, shape, stamp, chunk_size)
            return (Frame(b"".join([frame.data for frame in frames]), FrameKind.CLOSE),)

        return (_Direct(render) if source is None else self._keep(key, stamp, render)).single(stamp)

    def frames(self, source: Hashable, reply: Reply, shape: Hashable, stamp: Stamp, chunk_size: int) -> Iterable[Frame]:
        """The frames of a stream, each made when it is asked for."""

        def render(stamp: Stamp) -> Iterable[Frame]:
            return self._protocol.frames(reply, shape, stamp, chunk_size)

        if source is None:
            return render(stamp)
        key = (source, shape, chunk_size)
        return (self._kept.get(key) or self._keep(key, stamp, render)).frames(stamp)

    def _keep(self, key: Hashable, stamp: Stamp, render: _Render) -> _Template | _Direct:
        template = _Template(render)
        kept: _Template | _Direct = template
        if template.size > _LARGEST_KEPT or not template.is_proved_by(stamp, list(render(stamp))):
            kept = _Direct(render)
        self._size += template.size
        if self._size > _KEPT_BYTES:
            self._kept.clear()
            self._size = template.size
        self._kept[key] = kept
        return kept
