"""A session whose turns the provider answers: messages go up and come down as they are, and each turn that comes to its
end is kept, as an answer over HTTP is."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs
import trio

from aimock.exchange import Exchange
from aimock.fixtures import Question
from aimock.journal import Entry, Proxied
from aimock.net.dialogue import Close, Feed, Hold, Perform, Send, Step
from aimock.net.exchange import Outcome
from aimock.net.remote_socket import Closed, RemoteSocket
from aimock.record.tape import SWITCHED, TapeWriter
from aimock.record.upstream import Call, UpstreamFailed
from aimock_protocols.canonical import ChatRequest
from aimock_protocols.sessions import Follower, Message, Passage, Passed

if TYPE_CHECKING:
    from aimock.record.recorder import Miss, Recorder

logger = logging.getLogger("aimock")

_ROOM = 256 * 1024
"""Bytes that may wait for the provider before nothing more is read from the client."""
_MOST_ASKED = 256
"""Turns that were asked for and have not ended, before nothing more is said to the provider."""
_FAILED = 1011
_NO_CODES = {1005: 1000, 1006: _FAILED}
"""What is said in place of close codes that stand for the absence of one (RFC 6455 7.4.1)."""

_CUT_SHORT = "a turn that was cut short or failed is relayed, and not recorded"
_UNKNOWN = "a turn that takes up what only the provider knows is relayed, and not recorded"


Asking = tuple[Exchange, ChatRequest, Question, bool]
"""A turn as the pipeline has it, and whether no fixture answers it."""


@attrs.define(eq=False)
class _Turn:
    """A turn on its way."""

    since: float
    """When it was asked for, in Trio's time."""
    miss: Miss | None = None
    is_new: bool = True
    """Whether no fixture would answer it, had the provider not taken over: then it is recorded."""
    tape: TapeWriter | None = None
    """Once the provider has begun to answer."""
    entry: Entry | None = None
    proxied: Proxied = attrs.field(factory=Proxied)


class SessionRelay:
    """One client's connection, once the provider answers in place of fixtures. `step` is performed once."""

    def __init__(
        self,
        recorder: Recorder,
        call: Call,
        follower: Follower,
        missed: Sequence[Miss],
        asking: Callable[[ChatRequest], tuple[Miss, bool]],
    ) -> None:
        """`missed` are the turns that the follower retells, in its order; `asking` tells of each that follows what it
        is, and whether it is recorded."""
        self._recorder = recorder
        self._call = call
        self._follower = follower
        self._missed = deque(missed)
        self._asking = asking
        self._waiting: deque[Message] = deque()
        self._size = 0
        self._has_more = trio.Event()
        self._has_room = trio.Event()
        self._has_ended = trio.Event()
        self._is_ready = trio.Event()
        self._turns: dict[Passage, _Turn] = {}
        """Those that were asked for, or are being answered."""
        self._latest = 0.0
        """When the last message passed, in either direction."""
        self._listening = trio.CancelScope()
        self._goodbye: tuple[int, str] = (1000, "")
        self._said: set[str] = set()

    @property
    def step(self) -> Feed:
        return Feed(self._run, self._leave)

    def received(self, message: Message) -> list[Step]:
        """A message of the client."""
        self._waiting.append(message)
        self._size += len(message)
        self._has_more.set()
        if self._size <= _ROOM:
            return []
        self._has_room = trio.Event()
        return [Hold(self._has_room.wait)]

    # -- the connection --------------------------------------------------------------------------------------------

    def _leave(self, code: int | None, reason: str) -> None:
        self._goodbye = (1000 if code is None else code, reason)

    async def _run(self, perform: Perform) -> None:
        with self._recorder.under_way():
            try:
                await perform(await self._converse(perform))
            finally:
                self._has_room.set()
                self._break_off(0, Outcome.CLIENT_LEFT)

    async def _converse(self, perform: Perform) -> Close:
        """How it ends for the client."""
        try:
            async with self._recorder.socket(self._call) as socket:
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._climb, socket)
                        ending = await self._descend(socket, perform)
                        nursery.cancel_scope.cancel()
                finally:
                    socket.code, socket.reason = self._goodbye
        except UpstreamFailed as failure:
            return self._failed(str(failure), failure.upstream_status)
        return ending

    async def _climb(self, socket: RemoteSocket) -> None:
        """What the client says goes up."""
        try:
            for message in self._follower.greeting():
                await socket.send(message)
            await self._is_ready.wait()
            for passed in self._follower.retold():
                await self._pass_up(socket, passed, is_retold=True)
            while True:
                while not self._waiting:
                    self._has_more = trio.Event()
                    await self._has_more.wait()
                while len(self._turns) >= _MOST_ASKED:
                    self._has_ended = trio.Event()
                    await self._has_ended.wait()
                message = self._waiting.popleft()
                self._size -= len(message)
                if self._size <= _ROOM:
                    self._has_room.set()
                await self._pass_up(socket, self._follower.asked(message))
        except Closed:
            return  # which is heard where the provider is listened to

    async def _pass_up(self, socket: RemoteSocket, passed: Passed, is_retold: bool = False) -> None:
        if passed.passage is not None:
            miss = self._missed.popleft() if is_retold and self._missed else None
            self._turns[passed.passage] = _Turn(trio.current_time(), miss)
            self._listening.deadline = self._deadline()
        for message in passed.messages:
            await socket.send(message)
        self._latest = trio.current_time()

    async def _descend(self, socket: RemoteSocket, perform: Perform) -> Close:
        """What the provider says comes down, until it says no more."""
        while True:
            if self._follower.is_ready:
                self._is_ready.set()
            with trio.CancelScope(deadline=self._deadline()) as self._listening:
                try:
                    message = await socket.receive()
                except Closed as closed:
                    return self._closed(closed)
            if self._listening.cancelled_caught:
                patience = self._recorder.patience(has_begun=self._has_begun)
                return self._failed(f"{self._call.provider} said nothing for {patience:g} s")
            passed = self._follower.told(message)
            if passed.passage is not None:
                await self._note(passed.passage, message)
            for each in passed.messages:
                is_binary = isinstance(each, bytes)
                await perform(Send(each if isinstance(each, bytes) else each.encode(), is_binary))
            self._latest = trio.current_time()

    @property
    def _has_begun(self) -> bool:
        return any(turn.tape is not None for turn in self._turns.values())

    def _deadline(self) -> float:
        """Until when the provider must say something."""
        if self._is_ready.is_set() and not self._turns:
            return math.inf
        return trio.current_time() + self._recorder.patience(has_begun=self._has_begun)

    # -- turns -----------------------------------------------------------------------------------------------------

    async def _note(self, passage: Passage, message: Message) -> None:
        """Notes a message of a turn, and keeps the turn if it was the last: before the client has that one, so that
        who has it may count on the rest."""
        turn = self._turns.get(passage)
        if turn is None:
            turn = self._turns[passage] = _Turn(self._latest)
        if turn.tape is None and passage.request is not None:
            self._begin(turn, passage.request)
        after = (trio.current_time() - turn.since) * 1000
        if turn.tape is not None:
            turn.tape.feed(message if isinstance(message, bytes) else message.encode(), after)
        if passage.is_over:
            del self._turns[passage]
            self._has_ended.set()
            await self._end(turn, after, is_whole=passage.is_whole)

    def _begin(self, turn: _Turn, request: ChatRequest) -> None:
        if turn.miss is None:
            turn.miss, turn.is_new = self._asking(request)
        turn.tape = self._recorder.tape(turn.miss.protocol.name, SWITCHED)
        turn.proxied.status = SWITCHED
        turn.entry = turn.miss.noted(200, turn.proxied)

    async def _end(self, turn: _Turn, after: float, *, is_whole: bool) -> None:
        turn.proxied.duration = after / 1000
        if turn.tape is None or turn.miss is None:
            self._say_once(_UNKNOWN)
        elif not is_whole:
            self._say_once(_CUT_SHORT)
        elif turn.is_new:
            turn.tape.end(after)
            with trio.CancelScope(shield=True):
                kept = await self._recorder.keep(turn.miss, turn.tape)
            turn.proxied.recorded = None if kept.path is None else str(kept.path)
            turn.proxied.fixture = kept.fixture
        if turn.entry is not None:
            turn.entry.ended(Outcome.DELIVERED)

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            logger.warning("%s: %s", self._call.provider, text)

    # -- the end ---------------------------------------------------------------------------------------------------

    def _closed(self, closed: Closed) -> Close:
        logger.log(
            logging.WARNING if self._turns else logging.INFO,
            "%s closed the session with %d%s",
            self._call.provider,
            closed.code,
            ", in the midst of a turn" if self._turns else "",
        )
        self._break_off(502, Outcome.BROKEN_OFF)
        return Close(_NO_CODES.get(closed.code, closed.code), closed.reason)

    def _failed(self, said: str, status: int | None = None) -> Close:
        logger.warning("%s", said)
        self._break_off(502, Outcome.BROKEN_OFF, status)
        return Close(_FAILED, said)

    def _break_off(self, status: int, outcome: Outcome, upstream_status: int | None = None) -> None:
        """Nothing more will come of what is under way; `status`: of what nobody has answered."""
        turns = [*self._turns.values(), *(_Turn(trio.current_time(), miss) for miss in self._missed)]
        self._turns.clear()
        self._missed.clear()
        for turn in turns:
            turn.proxied.duration = trio.current_time() - turn.since
            if turn.entry is None and turn.miss is not None:
                turn.proxied.status = upstream_status
                turn.entry = turn.miss.noted(status, turn.proxied)
            if turn.entry is not None:
                turn.entry.ended(outcome)
