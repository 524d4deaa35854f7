"""Which of many sockets can be read, asked in one system call, and itself something that can be waited for."""

from __future__ import annotations

import select
import selectors
import sys
from typing import Protocol

_MOST = 64
"""Sockets reported at a time."""


class Readiness(Protocol):
    """A set of descriptors that are watched for reading, level-triggered."""

    def fileno(self) -> int:
        """Readable whenever `ready` would report something."""

    def add(self, descriptor: int) -> None: ...
    def remove(self, descriptor: int) -> None: ...
    def ready(self) -> list[tuple[int, int]]:
        """(descriptor, something) of those that can be read, or whose peer has gone. Does not wait."""

    def close(self) -> None: ...


class _Epoll:
    """Linux's own, since the portable one costs a microsecond for each socket that it reports."""

    def __init__(self) -> None:
        assert sys.platform == "linux"
        self._epoll = select.epoll()
        self.fileno = self._epoll.fileno
        self.remove = self._epoll.unregister
        self.close = self._epoll.close

    def add(self, descriptor: int) -> None:
        assert sys.platform == "linux"
        self._epoll.register(descriptor, select.EPOLLIN)

    def ready(self) -> list[tuple[int, int]]:
        return self._epoll.poll(0, _MOST)


class _Selector:
    """Any platform whose selector has a descriptor of its own."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.close = self._selector.close

    def fileno(self) -> int:
        return self._selector.fileno()  # type: ignore[attr-defined, no-any-return, unused-ignore]

    def add(self, descriptor: int) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ)

    def remove(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def ready(self) -> list[tuple[int, int]]:
        return [(key.fd, events) for key, events in self._selector.select(0)]


def can_be_waited_for() -> bool:
    """Whether this platform has a Readiness at all; Windows has not."""
    return hasattr(selectors.DefaultSelector, "fileno")


def new() -> Readiness:
    """The cheapest that this platform has."""
    return _Epoll() if sys.platform == "linux" else _Selector()
