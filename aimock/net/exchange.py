"""Requests and answers: the values that pass between net and the rest of the house.

Net reads a `Request` off the wire, asks the handler for an `Answer`, and performs it. Nothing above net touches a
socket; nothing in net knows what an answer means.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from aimock.net.dialogue import Dialogue

Headers = tuple[tuple[str, str], ...]


@attrs.define(eq=False)
class Head:
    """The head of a request. Clients repeat their heads, so net keeps parsed ones: a Head is shared, never changed."""

    method: str
    target: str = attrs.field(repr=False)  # it and the headers carry credentials, and reprs end up in logs
    """The request target as sent."""
    path: str
    """The target's path, textually: percent-encoding as sent, no query."""
    query: str = attrs.field(repr=False)
    """What follows the question mark, or empty."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Names in lower case; of a repeated header the first value. Values are Latin-1 text."""
    header_lines: Headers = attrs.field(repr=False)
    """Every header line in order, names in lower case."""
    content_length: int = 0
    """What a plain head announces; a head that h11 read leaves the counting to h11."""
    http_version: str = "1.1"
    keep_alive: bool = True
    memo: Any = attrs.field(default=None, repr=False)
    """What the layers above derived from this head (its route, its steering headers), computed once per head."""


# The values that every request makes are `define`d, since freezing them costs a third of a microsecond each; nothing
# changes one all the same.


@attrs.define(eq=False)
class Request:
    """One whole request."""

    head: Head
    body: bytes = b""


class Ending(enum.Enum):
    """How a stream ends, good and bad. A client tells each of these apart."""

    CLEAN = "clean"
    """The terminating chunk; the connection lives on. After a cut schedule this is the truncation that hurts most."""
    FIN = "fin"
    """The connection is closed between two chunks, without the terminating one."""
    FIN_MID_CHUNK = "fin-mid-chunk"
    """The last piece is announced whole and sent by half, then the connection is closed."""
    RST = "rst"
    """The connection is reset."""
    STALL = "stall"
    """Nothing more is sent, and the connection stays open until the client gives up."""


class Outcome(enum.Enum):
    """How the performance of an answer ended."""

    DELIVERED = "delivered"
    """Everything was written, ending included."""
    BROKEN_OFF = "broken off"
    """Where it was relayed from it broke off, and so it ended badly for the client too."""
    CLIENT_LEFT = "client left"
    STOPPED = "stopped"
    """The server shut down first, or the client read too slowly for too long."""


@attrs.frozen(eq=False)
class Slicing:
    """Cuts what is written into pieces of `size` bytes, `gap` seconds apart, wherever the cut falls."""

    size: int
    gap: float = 0.001


@attrs.define(eq=False)
class Whole:
    """A response that is sent at once."""

    status: int
    headers: Headers
    body: bytes = b""
    fresh: Headers = ()
    """Headers of this exchange alone (a request id): `headers` are the same for many answers and are encoded once."""
    chunked: bool = False
    """Sent as a chunk, as the streams are that it is one of, rather than with its length."""
    slicing: Slicing | None = None
    on_end: Callable[[Outcome], None] | None = None
    """Told once how the performance ended. Must not block."""


@attrs.define(eq=False)
class Stream:
    """A response in pieces, each with its time."""

    status: int
    headers: Headers
    schedule: Iterable[tuple[float, bytes]]
    """(offset, data): seconds after the performance began, not falling; one piece is one chunk. Read once, as needed,
    so that a thousand long streams are not held in memory."""
    fresh: Headers = ()
    ending: Ending = Ending.CLEAN
    ends_at: float | None = None
    """Offset of the ending; None: at once after the last piece. Pieces due later are not sent."""
    slicing: Slicing | None = None
    on_end: Callable[[Outcome], None] | None = None
    """As for `Whole`."""


class BrokenOff(Exception):
    """Raised by what is relayed: it ends here, in this way, and not at its end."""

    def __init__(self, ending: Ending = Ending.FIN) -> None:
        super().__init__(ending)
        self.ending = ending


@attrs.define(eq=False)
class Relay:
    """A response that comes from elsewhere: each piece is written as soon as it has come, and the next asked for when
    the client has taken it.

    The generator is always begun and always closed, by the task that reads it, and then `on_end` is told. If the client
    leaves or the server stops it is cancelled where it waits, and closed where it does not. What it raises, other than
    `BrokenOff`, is logged and ends the connection with a FIN.
    """

    status: int
    headers: Headers
    """Without those of the framing, which are net's."""
    pieces: AsyncGenerator[bytes, None]
    fresh: Headers = ()
    length: int | None = None
    """Of the whole body in bytes, if it is known; otherwise it is sent in chunks. What is more is not sent, and what is
    less ends the connection as if it had broken off."""
    on_end: Callable[[Outcome], None] | None = None
    """As for `Whole`."""


@attrs.frozen(eq=False)
class Cut:
    """No answer at all: the connection ends before the first byte of one."""

    ending: Ending = Ending.FIN
    on_end: Callable[[Outcome], None] | None = None
    """As for `Whole`; told when the ending begins."""


@attrs.frozen(eq=False)
class Task:
    """An answer that must be waited for. The client's leaving cancels it."""

    run: Callable[[], Awaitable[Answer]]


@attrs.define(eq=False)
class Upgrade:
    """The answer that makes a WebSocket of the connection, if the client's handshake is in order (RFC 6455 4.2.1); if
    it is not, net refuses it, and nothing is opened."""

    open: Callable[[], Dialogue]
    """Called once, when the handshake has been found good."""
    subprotocol: str | None = None
    """One that the client offered."""
    headers: Headers = ()
    """Beside those of the handshake."""
    is_binary: bool = False
    """Whether messages leave in binary frames."""
    on_end: Callable[[Outcome], None] | None = None
    """Told once how the connection ended: delivered, if by a closing handshake or as a dialogue's step had it. Not told
    of a handshake that net refuses: the refusal is an answer of its own."""


Answer = Whole | Stream | Relay | Cut | Task | Upgrade


@attrs.frozen(eq=False)
class Refusal:
    """A request that net could not read to its end, and what is wrong with it."""

    status: int
    message: str


class Handler(Protocol):
    """Net's whole contract with the rest of the house."""

    def answer(self, request: Request) -> Answer:
        """Awaits nothing and raises nothing. An upgrade answers only those requests that ask for a WebSocket."""

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        """The answer to a request that net refused; `head` if it could be read. The connection is closed after it."""
