"""Answers under way, performed: their moves, for the line to the client that waits."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import trio

from aimock.surfaces.mcp.calls import Call
from aimock.surfaces.mcp.moves import Ask, Caller, HangUp, Move, Notify, Outcome, Steps, Until, Wait
from aimock_protocols.jsonrpc import INTERNAL_ERROR, RpcError


class Line(Protocol):
    """The way of one request's messages to its client. Nothing here waits."""

    def send(self, message: dict[str, Any]) -> None:
        """A notification, or a request of ours."""

    def hang_up(self, retry_ms: int) -> None:
        """Ends the connection under it, if the transport can have its client come again."""

    def finish(self, outcome: Outcome | None) -> None:
        """The last word; None if the request was cancelled and wants none."""


class UnderWay(NamedTuple):
    """An answer that could not be given at once."""

    steps: Steps[Outcome]
    move: Move
    """What it wants done first."""


def begin(steps: Steps[Outcome]) -> Outcome | UnderWay:
    """The outcome, if it comes without waiting for anything and without a word before it."""
    try:
        return UnderWay(steps, next(steps))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


class Performer:
    """Performs the answer to one request."""

    def __init__(self, caller: Caller, line: Line) -> None:
        self._caller = caller
        self._line = line

    async def perform(self, under_way: UnderWay) -> None:
        """To its end; the line always hears of it."""
        outcome = None
        try:
            outcome = await self.run(*under_way)
        finally:
            under_way.steps.close()
            self._line.finish(outcome)

    async def run(self, steps: Steps[Any], move: Move | None = None) -> Any:
        """What the steps come to, from this move on or from the beginning."""
        try:
            if move is None:
                move = next(steps)
            while True:
                try:
                    done = await self._do(move)
                except Exception as failure:  # is theirs to make something of
                    move = steps.throw(failure)
                else:
                    move = steps.send(done)
        except StopIteration as end:
            return end.value

    async def _do(self, move: Move) -> Any:
        match move:
            case Notify(message):
                self._line.send(message)
            case Wait(seconds):
                await trio.sleep(seconds)
            case HangUp(retry_ms):
                self._line.hang_up(retry_ms)
            case Until(run):
                return await run(Call(self, self._caller))
            case Ask(method, params):
                if self._caller.session is None:
                    raise RpcError(INTERNAL_ERROR, "Nobody can be asked without a session")
                return await self._caller.session.ask(self._line.send, method, params)
        return None
