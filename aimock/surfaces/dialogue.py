"""One session as net drives it: the client's messages go to the session, its moves become steps; and once fixtures have
nothing more to say, the provider takes its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import attrs

from aimock.exchange import Exchange
from aimock.net.dialogue import Close, Play, Send, Step, Stop, Wait
from aimock.net.exchange import Head, Outcome, Request
from aimock.surfaces.pipeline import neutral_body
from aimock_protocols import sessions
from aimock_protocols.canonical import ChatRequest
from aimock_protocols.json_bodies import dumped
from aimock_protocols.members import member
from aimock_protocols.sessions import Followed, Move, Session, Turn

if TYPE_CHECKING:
    from aimock.record.recorder import Recorder
    from aimock.record.sessions import Asking, SessionRelay
    from aimock.surfaces.sockets import SocketSurface

Steps = Iterable[Step]
"""Read as they are performed: what a session says next may hang on what became of what it said before."""


@attrs.define(eq=False)
class Speaking:
    """A turn under way."""

    turn: Turn
    dialogue: SessionDialogue
    step: Play | Wait | None = None
    """What is being said, or waited for to be said."""
    is_cancelled: bool = False


class SessionDialogue:
    """One session, as net drives it."""

    def __init__(self, surface: SocketSurface, upgrade: Exchange, session: Session, *, is_recorded: bool) -> None:
        self._surface = surface
        self.upgrade = upgrade
        self._session = session
        self.can_be_followed = is_recorded and member(session, "follow") is not None
        """Whether a provider can go on with it."""
        self._head = _journaled(upgrade)
        self.speaking: dict[int, Speaking] = {}
        """Turns under way, by identity."""
        self._missed: list[tuple[Turn, Asking, Recorder]] = []
        """Those of them that only the provider can answer."""
        self._relay: SessionRelay | None = None
        """The provider's session, once it has taken over."""

    def opened(self) -> Steps:
        return self._steps(self._session.opened(self.upgrade.stamp))

    def received(self, message: str | bytes) -> Steps:
        if self._relay is not None:
            return self._relay.received(message)
        content = message.encode() if isinstance(message, str) else message
        return self._steps(self._session.received(message, self._exchange(content).stamp))

    def ended(self, outcome: Outcome) -> None:
        self.speaking.clear()
        self._relay = None

    def over(self, speaking: Speaking, moves: Iterable[Move]) -> Steps:
        """What follows when a turn is over, and said so by its moves."""
        self.speaking.pop(id(speaking.turn), None)
        return itertools.chain(self._steps(moves), self._handed_over())

    def miss(self, turn: Turn, asking: Asking, recorder: Recorder) -> Steps:
        """The provider goes on with the session, as soon as it is at nothing else."""
        self._missed.append((turn, asking, recorder))
        return self._handed_over()

    def _handed_over(self) -> Iterator[Step]:
        if not self._missed or len(self._missed) < len(self.speaking):
            return
        turns, missed, recorders = zip(*self._missed, strict=True)
        self._missed, self.speaking = [], {}
        follower = cast(Followed, self._session).follow(turns, self.upgrade.stamp)
        self._relay = self._surface.converse(recorders[0], self.upgrade, follower, missed, self._asking)
        yield self._relay.step

    def _asking(self, request: ChatRequest) -> Asking:
        return self._surface.asking(self._turn(request), request)

    def _steps(self, moves: Iterable[Move]) -> Iterator[Step]:
        for move in moves:
            if isinstance(move, sessions.Event):
                yield Send(move.data)
            elif isinstance(move, sessions.Close):
                yield Close(move.code, move.reason)
            elif isinstance(move, sessions.Cancel):
                yield from self._cancelled(move.turn)
            else:
                yield from self._begun(move)

    def _begun(self, turn: Turn) -> Steps:
        """A turn is answered as its request would be: what that is decides its randomness too."""
        exchange = self._turn(turn.request)
        speaking = self.speaking[id(turn)] = Speaking(turn, self)
        return self._surface.begin(exchange, speaking)

    def _cancelled(self, turn: Turn) -> Steps:
        speaking = self.speaking.get(id(turn))
        if speaking is None or speaking.step is None:
            return []
        speaking.is_cancelled = True
        return [Stop(speaking.step)]

    def _turn(self, request: ChatRequest) -> Exchange:
        exchange = self._exchange(dumped(request.body))
        exchange.neutral = neutral_body(request, self.upgrade.steering)
        return exchange

    def _exchange(self, content: bytes) -> Exchange:
        upgrade = self.upgrade if self.can_be_followed else None
        return Exchange(Request(self._head, content), self.upgrade.plan, self.upgrade.state, upgrade=upgrade)


def _journaled(upgrade: Exchange) -> Head:
    """The head that the journal shows for each turn: that of the handshake, under the path of its route."""
    return attrs.evolve(upgrade.head, method="WS", target=upgrade.plan.label, path=upgrade.plan.label)
