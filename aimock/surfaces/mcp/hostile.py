"""What only an MCP server can do wrong: the faults that are its own."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import orjson

from aimock.exchange import Exchange
from aimock.fixtures.faults import Fault, FaultName
from aimock.net.exchange import Answer, Relay, Task, Whole
from aimock.surfaces.mcp.answering import Answering, Refused
from aimock.surfaces.mcp.moves import Outcome
from aimock_protocols.jsonrpc import INVALID_REQUEST, RpcError
from aimock_protocols.mcp.envelope import SESSION_HEADER
from aimock_protocols.mcp.errors import invalid_params

if TYPE_CHECKING:
    from aimock.surfaces.mcp.service import MCPService

_FAR = 1_000_000
_DATA = b"data: {"
_EXPIRED = 'Bearer error="invalid_token", error_description="the access token has expired"'

Change = Callable[[dict[str, Any]], dict[str, Any]]


def called(value: Any) -> str | None:
    """The tool that a message calls, if it calls one."""
    if not isinstance(value, dict) or value.get("method") != "tools/call":
        return None
    params = value.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    return name if isinstance(name, str) else None


class Hostility(NamedTuple):
    """One POST, as far as faults concern it."""

    service: MCPService
    exchange: Exchange
    value: Any
    answering: Answering

    def strike(self, fault: Fault, serve: Callable[[], Answer]) -> Answer | None:
        """The answer with the fault, if it is one of these."""
        match fault.name:
            case FaultName.SESSION_EXPIRED:
                self.service.sessions.end(self.exchange.head.headers.get(SESSION_HEADER, ""))
                return serve()
            case FaultName.TOKEN_EXPIRED:
                return self._unauthorized()
            case FaultName.LIST_CHANGED:
                return self._withdrawn() or serve()
            case FaultName.MALFORMED_RPC:
                return _altered(serve(), _malformed)
            case FaultName.WRONG_ID:
                return _altered(serve(), _misaddressed)
        return None

    def _unauthorized(self) -> Answer:
        if self.service.guard is not None:
            return self.service.guard.expired(self.service, self.exchange)
        headers = (("www-authenticate", _EXPIRED),)
        return self.answering.refused(Refused(401, RpcError(INVALID_REQUEST, "Unauthorized"), headers))

    def _withdrawn(self) -> Answer | None:
        """Clients hear that the list of tools has changed, and the one that is called is not there, this once."""
        self.service.server.registry.tell("tools")
        name = called(self.value)
        if name is None:
            return None
        return self.answering.told([Outcome(invalid_params(f"Unknown tool: {name}").response(self.answering.id))])


def _malformed(message: dict[str, Any]) -> dict[str, Any]:
    """JSON, but neither a result nor an error."""
    return {"id": message["id"], "answer": message.get("result", message.get("error"))}


def _misaddressed(message: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request that nobody has made."""
    id = message["id"]
    return message | {"id": id + _FAR if isinstance(id, int) else f"{id}-{_FAR}"}


def _altered(answer: Answer, change: Change) -> Answer:
    """The same with every response in it changed; what is said before it passes."""
    if isinstance(answer, Task):
        return Task(functools.partial(_altered_later, answer, change))
    if isinstance(answer, Relay):
        return attrs.evolve(answer, pieces=_altered_pieces(answer.pieces, change))
    if isinstance(answer, Whole) and answer.body:
        is_json = ("content-type", "application/json") in answer.headers
        body = _altered_json(answer.body, change) if is_json else _altered_events(answer.body, change)
        return attrs.evolve(answer, body=body)
    return answer


async def _altered_later(task: Task, change: Change) -> Answer:
    return _altered(await task.run(), change)


async def _altered_pieces(pieces: AsyncGenerator[bytes, None], change: Change) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        async for piece in pieces:  # one event or more, and none in parts
            yield _altered_events(piece, change)


def _altered_events(body: bytes, change: Change) -> bytes:
    lines = body.split(b"\n")
    return b"\n".join(
        _DATA[:-1] + _altered_json(line[len(_DATA) - 1 :], change) if line.startswith(_DATA) else line for line in lines
    )


def _altered_json(body: bytes, change: Change) -> bytes:
    value = orjson.loads(body)
    if isinstance(value, list):
        return orjson.dumps([_altered_message(each, change) for each in value])
    return orjson.dumps(_altered_message(value, change))


def _altered_message(message: dict[str, Any], change: Change) -> dict[str, Any]:
    return change(message) if "result" in message or "error" in message else message
