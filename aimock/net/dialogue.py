"""What passes between net and the rest of the house once a connection is a WebSocket.

Net hands over each message and performs the steps that it is given. As with requests and answers, these are values:
whoever gives them touches no socket and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol

import attrs

from aimock.net.exchange import Ending, Outcome


class Send(NamedTuple):
    """A message, at once: after what was due before it, before what comes later of the plays under way."""

    data: bytes
    is_binary: bool | None = None
    """Whether it leaves in a binary frame; None: as the upgrade says."""


@attrs.define(eq=False)
class Play:
    """Messages, each with its time. Several plays may be under way at once."""

    schedule: Iterable[tuple[float, bytes]]
    """(offset, message): seconds after the play began, not falling. Read as needed."""
    on_end: Callable[[Outcome, int], Iterable[Step]]
    """Told once how the play ended and how many of its messages were sent: delivered; stopped, by a `Stop` or because
    the server is closing; or the client left. What it gives is performed, unless the connection is at its end."""
    ending: Ending = Ending.CLEAN
    """What becomes of the connection after the last message: it lives on, if that is clean."""
    ends_at: float | None = None
    """Offset of the ending; None: at once after the last message. Messages due later are not sent."""


@attrs.define(eq=False)
class Wait:
    """Steps that must be waited for."""

    run: Callable[[], Awaitable[Iterable[Step]]]
    """Cancelled by a `Stop`, and when the connection ends."""
    on_stop: Callable[[], Iterable[Step]]
    """Called once if a `Stop` came first."""


Perform = Callable[["Step"], Awaitable[None]]
"""Performs a step, and returns when there is room for what may follow it."""


@attrs.define(eq=False)
class Feed:
    """Steps that come from elsewhere, one by one, beside all else."""

    run: Callable[[Perform], Awaitable[None]]
    """Gives each step as soon as it is there. Cancelled when the connection ends."""
    on_goodbye: Callable[[int | None, str], object]
    """Told first if it is the peer that closes: its code, if it gave one, and its reason."""


class Hold(NamedTuple):
    """Nothing more is read from the peer until this returns."""

    until: Callable[[], Awaitable[object]]


class Stop(NamedTuple):
    """Ends a play or a wait before its time. One that has ended already has ended."""

    what: Play | Wait


class Close(NamedTuple):
    """The closing handshake (RFC 6455 7.1). Everything under way is stopped."""

    code: int
    reason: str = ""
    """Cut to the 123 bytes that a close frame has for it."""


class Break(NamedTuple):
    """The connection ends badly, as told, without a close frame. Everything under way is stopped."""

    ending: Ending


class Raw(NamedTuple):
    """Bytes that go on the wire as they are, framed or not: faults."""

    data: bytes


Step = Send | Play | Wait | Feed | Hold | Stop | Close | Break | Raw


class Dialogue(Protocol):
    """Net's contract with who speaks at our end. Raises nothing, and awaits nothing."""

    def opened(self) -> Iterable[Step]:
        """The handshake is done."""

    def received(self, message: str | bytes) -> Iterable[Step]:
        """A whole message: text, or bytes if it came in a binary frame."""

    def ended(self, outcome: Outcome) -> None:
        """The connection is at its end: delivered if by a closing handshake, whoever began it."""
