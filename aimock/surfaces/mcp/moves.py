"""What an answer under way wants done, who asks for it, and how it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from aimock_protocols.canonical import Stamp
from aimock_protocols.jsonrpc import RpcError
from aimock_protocols.mcp.envelope import LEVELS
from aimock_protocols.mcp.revisions import MODERN

if TYPE_CHECKING:
    from aimock.surfaces.mcp.calls import Call
    from aimock.surfaces.mcp.sessions import Session
    from aimock.surfaces.mcp.tasks import Task

R = TypeVar("R")


@attrs.frozen
class Notify:
    """Send this notification on the request's stream."""

    message: dict[str, Any]


@attrs.frozen
class Ask:
    """Send the client this request, and come back with its result (legacy). An error of its raises RpcError."""

    method: str
    params: dict[str, Any]


@attrs.frozen
class Park:
    """Have the task wait for the client's answers, and come back with them by key."""

    wanted: Mapping[str, Wanted]


@attrs.frozen
class Wait:
    """Go on after so many seconds."""

    seconds: float


@attrs.frozen
class Until:
    """Go on with what this gives."""

    run: Callable[[Call], Awaitable[Any]]


@attrs.frozen
class HangUp:
    """End the connection of the stream, but not the stream: the client comes again for the rest (2025-11-25)."""

    retry_ms: int


Move = Notify | Ask | Park | Wait | Until | HangUp
Steps = Generator[Move, Any, R]
"""An answer under way: a generator that is sent what each move comes to, and returns what it is for."""


@attrs.define
class Caller:
    """A request's client, and what holds for the request."""

    revision: str
    capabilities: dict[str, Any]
    """The client's."""
    stamp: Stamp
    test_id: str
    session: Session | None = None
    """None in the modern era."""
    log_level: str | None = None
    """The least severe log messages that the client wants; None: all in the legacy era, none in the modern one."""
    progress_token: str | int | None = None
    inputs: dict[str, Any] = attrs.field(factory=dict)
    """What a modern client has answered so far, by key."""
    accepted: dict[str, Any] = attrs.field(factory=dict)
    """Those of its answers that were asked for, and can be answers."""

    task: Task | None = None
    """That in which the call goes on."""

    @property
    def is_modern(self) -> bool:
        return self.revision == MODERN

    def wants_log(self, level: str) -> bool:
        if self.log_level is None:
            return not self.is_modern
        return LEVELS.index(level) >= LEVELS.index(self.log_level)

    def has_extension(self, name: str) -> bool:
        extensions = self.capabilities.get("extensions")
        return type(extensions) is dict and name in extensions

    def can(self, capability: str, feature: str | None = None) -> bool:
        """Whether the client has said that it has a capability; `feature`: a part of it."""
        declared = self.capabilities.get(capability)
        if type(declared) is not dict:
            return False
        return feature is None or feature in declared


@attrs.frozen
class Wanted:
    """A question to the client: a request of ours (legacy), or part of an answer that wants more input (modern)."""

    method: str
    params: dict[str, Any]
    optional: bool = False
    """Whether it is left out for clients that have not declared that they can answer it."""

    @property
    def capability(self) -> str:
        return CAPABILITIES[self.method]

    @property
    def feature(self) -> str | None:
        return "url" if self.params.get("mode") == "url" else None

    @property
    def required(self) -> dict[str, Any]:
        """The capability in the form in which a client declares it."""
        return {self.capability: {} if self.feature is None else {self.feature: {}}}

    def accepts(self, answer: Any) -> bool:
        """Whether this can be an answer, as far as the protocol goes."""
        if type(answer) is not dict:
            return False
        if self.method == "elicitation/create":
            if answer.get("action") != "accept" or self.feature == "url":
                return answer.get("action") in ("accept", "decline", "cancel")
            needed = self.params.get("requestedSchema", {}).get("required", ())
            content = answer.get("content")
            return type(content) is dict and all(key in content for key in needed)
        if self.method == "roots/list":
            return type(answer.get("roots")) is list
        return type(answer.get("role")) is str and type(answer.get("content")) in (dict, list)


CAPABILITIES = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
"""What a client must have declared to be asked."""


class InputRequired(Exception):
    """A modern request can only be answered when its client has answered these."""

    def __init__(self, wanted: Mapping[str, Wanted]) -> None:
        super().__init__(", ".join(wanted))
        self.wanted = wanted


class Missed(RpcError):
    """Nothing here is meant to answer this."""


class ToolFailed(Exception):
    """A tool call ends in an error that its caller's model is to read."""


@attrs.frozen
class Outcome:
    """How a request was answered."""

    response: dict[str, Any]
    """The JSON-RPC message."""
    missed: str | None = None
    """Why nothing here is meant to answer the request, if that is so."""
