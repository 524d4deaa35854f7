"""Answers under way, performed: their moves, for the line to the client that waits."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import trio

from aimock.surfaces.mcp.calls import Call
from aimock.surfaces.mcp.moves import Ask, Caller, HangUp, Move, Notify, Outcome, Park, Steps, Until, Wait, Wanted
from aimock.surfaces.mcp.tasks import Task
from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import INTERNAL_ERROR, RpcError

logger = logging.getLogger("aimock")


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
            case Park(wanted):
                return await self._park(wanted)
            case Ask(method, params):
                if self._caller.session is None:
                    raise RpcError(INTERNAL_ERROR, "Nobody can be asked without a session")
                return await self._caller.session.ask(self._line.send, method, params)
        return None

    async def _park(self, wanted: Mapping[str, Wanted]) -> dict[str, Any]:
        """A modern task tells what it wants when it is asked how it is; a legacy one asks by its session."""
        task, session = self._caller.task, self._caller.session
        assert task is not None
        if session is None:
            return await task.ask(wanted)
        task.become("input_required")
        answers = {
            key: await session.ask(session.send, question.method, question.params) for key, question in wanted.items()
        }
        task.become("working")
        return answers


class Unheard:
    """The line of a task, which says nothing on its way."""

    def send(self, message: dict[str, Any]) -> None:
        """Nobody waits."""

    def hang_up(self, retry_ms: int) -> None:
        """There is no connection."""

    def finish(self, outcome: Outcome | None) -> None:
        """What it comes to is kept by the task."""


async def go_on(task: Task, steps: Steps[dict[str, Any]], caller: Caller, *, errors_fail: bool) -> None:
    """Runs a task to its end. `errors_fail`: whether a result that is an error makes it a failure (2025-11-25)."""
    try:
        result = await Performer(caller, Unheard()).run(steps)
    except RpcError as error:
        task.error = jsonrpc.error(None, error.code, error.message, error.data)["error"]
        task.become("failed")
    except Exception as fault:
        logger.exception("a task failed")
        task.error = {"code": INTERNAL_ERROR, "message": f"{type(fault).__name__}: {fault}"}
        task.become("failed")
    else:
        if not task.is_over:
            task.result = result
        task.become("failed" if errors_fail and result.get("isError") else "completed")
    finally:
        task.become("cancelled")
