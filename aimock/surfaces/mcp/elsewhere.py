"""What nothing here answers, a real server may: where calls go then, and what its lists have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aimock.surfaces.mcp import calling
from aimock.surfaces.mcp.entries import tool_result
from aimock.surfaces.mcp.moves import Caller, Missed, Steps, Until
from aimock_protocols.mcp import shapes

if TYPE_CHECKING:
    from aimock.surfaces.mcp.server import Server


_ABOUT_ENTRIES = ("tools/", "resources/", "prompts/", "completion/")
"""How methods begin that need to know what there is."""


class Recording(Protocol):
    """A real server, of which this one learns."""

    @property
    def is_ready(self) -> bool:
        """Whether what it has is listed here."""

    async def prepare(self) -> None:
        """Lists it. Raises RpcError."""

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Its answer to a call of a tool that is listed, which is given here from now on. Raises RpcError."""


def prepared(server: Server, method: str, caller: Caller) -> Steps[None]:
    """What has to be done before a request is looked at. Raises RpcError."""
    recording = server.recording
    if recording is not None and method.startswith(_ABOUT_ENTRIES) and caller.may_record and not recording.is_ready:
        yield Until(lambda call: recording.prepare())


def call_tool(server: Server, params: dict[str, Any], caller: Caller) -> Steps[dict[str, Any]]:
    """The result of a call, from here or else from the real server, if it has the tool."""
    recording = server.recording
    try:
        return (yield from calling.call_tool(server, params, caller))
    except Missed:
        name = params["name"]
        if recording is None or not caller.may_record or server.registry.get("tools", name) is None:
            raise
        answer = yield Until(lambda call: recording.call(name, params.get("arguments", {})))
        return shapes.tool_result(tool_result(answer), caller.revision)
