"""What is on its way to one peer, in order, and does not wait for it."""

from __future__ import annotations

import collections
from collections.abc import Callable

import trio

from aimock.net.transport import PeerGone, Transport

ROOM = 64 * 1024
"""Bytes that may wait for the peer before nothing more is read from it."""


class Outbox:
    """Bytes that are sent at once, or kept until the peer has read what was before them."""

    __slots__ = (
        "_changed", "_on_broken", "_on_full", "_patience", "_transport", "_waiting", "failure", "given", "taken",
    )  # fmt: skip

    def __init__(
        self, transport: Transport, patience: float, on_full: Callable[[], object], on_broken: Callable[[], object]
    ) -> None:
        """`patience`: seconds for the peer to take any more. `on_full` is called when something begins to wait: `drain`
        must then run. `on_broken` when nothing more can be sent."""
        self._transport = transport
        self._patience = patience
        self._on_full = on_full
        self._on_broken = on_broken
        self._waiting: collections.deque[bytes] | None = None  # an idle connection has none
        self._changed: trio.Event | None = None
        self.given = 0
        """Bytes ever written here."""
        self.taken = 0
        """Bytes of these that the transport has taken."""
        self.failure: Exception | None = None
        """PeerGone or TooSlowError, if nothing more can be sent."""

    @property
    def is_clear(self) -> bool:
        """Whether what is written now would be sent at once."""
        return self.given == self.taken and self.failure is None

    @property
    def has_room(self) -> bool:
        return self.given - self.taken <= ROOM or self.failure is not None

    def write(self, data: bytes) -> bool:
        """Whether it has all been sent. Does not raise: that the peer is gone is told by `on_broken`."""
        if self.failure is not None:
            return False
        was_clear = self.given == self.taken
        self.given += len(data)
        if was_clear:
            try:
                sent = self._transport.try_send(data)
            except PeerGone as error:
                self.fail(error)
                return False
            self.taken += sent
            if sent == len(data):
                return True
            data = data[sent:]
        if self._waiting is None:
            self._waiting = collections.deque()
        self._waiting.append(data)
        if was_clear:
            self._on_full()
        return False

    def fail(self, error: Exception) -> None:
        """Nothing more can be sent, or need be."""
        if self.failure is None:
            self.failure = error.with_traceback(None)  # its frames refer to this: a cycle
            self._waiting = None
            self._tell_change()
            self._on_broken()

    async def drain(self) -> None:
        """Sends what waits, and returns when nothing does."""
        try:
            while self._waiting:
                unsent = memoryview(b"".join(self._waiting))
                self._waiting.clear()
                while unsent:
                    with trio.fail_after(self._patience):
                        sent = await self._transport.send_some(unsent)
                    self.taken += sent
                    unsent = unsent[sent:]
                    self._tell_change()
            self._waiting = None
        except (PeerGone, trio.TooSlowError) as error:
            self.fail(error)

    async def room(self) -> None:
        """Waits until there is room again."""
        while not self.has_room:
            await self._change()

    async def emptied(self) -> None:
        """Waits until everything is sent, or cannot be."""
        while not self.is_clear and self.failure is None:
            await self._change()

    def release(self) -> None:
        """Its owner is done, and is not told anything any more. (They refer to each other, which only the collector of
        cycles would undo.)"""
        self._on_full = self._on_broken = _ignore

    def _tell_change(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()


def _ignore() -> None:
    pass
