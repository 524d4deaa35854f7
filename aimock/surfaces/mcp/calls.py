"""What a handler may do while it runs: tell of progress, log, and ask the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aimock.surfaces.mcp.moves import Caller, Steps, Wanted
from aimock.surfaces.mcp.script import Log, Progress, ask, notify_log, notify_progress
from aimock_protocols.mcp.envelope import LEVELS

if TYPE_CHECKING:
    from aimock.surfaces.mcp.performing import Performer


class Call:
    """One call under way, for the asynchronous handler that answers it.

    What a modern client is asked ends the call: the handler is called again from its beginning when the answers have
    come, and each question needs a `key` by which they are told apart.
    """

    def __init__(self, performer: Performer, caller: Caller) -> None:
        self._performer = performer
        self._caller = caller

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tells how far it has come, if the client wants to hear of it."""
        await self._do(notify_progress(self._caller, Progress(progress, total, message)))

    async def log(self, data: Any, level: str = "info", logger: str | None = None) -> None:
        """Sends a log message, if the client wants those of this level. Raises ValueError for a level there is not."""
        if level not in LEVELS:
            raise ValueError(f"level: expected one of {', '.join(LEVELS)}; got {level!r}")
        await self._do(notify_log(self._caller, Log(level, data, logger)))

    async def sample(self, messages: list[Any], *, max_tokens: int = 100, key: str = "sampling", **more: Any) -> Any:
        """Has the client's model go on from these messages: the message that it gives."""
        params = {"messages": messages, "maxTokens": max_tokens, **more}
        return (await self.ask({key: Wanted("sampling/createMessage", params)}))[key]

    async def elicit(self, message: str, schema: Mapping[str, Any], *, key: str = "elicitation") -> Any:
        """Asks the client's user: `{"action": …, "content": …}`."""
        params = {"message": message, "requestedSchema": dict(schema)}
        return (await self.ask({key: Wanted("elicitation/create", params)}))[key]

    async def roots(self, *, key: str = "roots") -> Any:
        """The client's roots."""
        return (await self.ask({key: Wanted("roots/list", {})}))[key]["roots"]

    async def ask(self, wanted: Mapping[str, Wanted]) -> dict[str, Any]:
        """The answers to several questions at once, by key."""
        answers: dict[str, Any] = await self._do(ask(self._caller, wanted))
        return answers

    async def _do(self, steps: Steps[Any]) -> Any:
        return await self._performer.run(steps)
