"""The MCP server as a Python object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aimock.reading import keyed
from aimock.surfaces.mcp import reading
from aimock.surfaces.mcp.entries import Handler
from aimock.surfaces.mcp.service import MCPService
from aimock.surfaces.mcp.settings import SECTION, options, transport
from aimock.surfaces.mock import ServiceMock


class MCPMock(ServiceMock[MCPService]):
    """An MCP server: on `AIMock.mount("/mcp", mock)`, or alone.

    Definitions are those of the protocol, in its own keys (`inputSchema`), with what the config file's entries may have
    beside them. What is added may be changed while clients are connected, who hear of it.
    """

    def __init__(
        self,
        *,
        server_info: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        **server: Any,
    ) -> None:
        """`settings`: as in a config file's section (`instructions`, `versions`, `pageSize`, `sessions`, …). `server`:
        options of `AIMock`, for a server of its own. Raises ValueError that names the key."""
        named = {} if server_info is None else {"serverInfo": server_info}
        told = keyed({**(settings or {}), **named}, "", SECTION)
        service = MCPService(options(told), transport(told))
        if "record" in told:
            service.record_by(told["record"], Path())
        super().__init__(service, **server)

    def add_tool(self, definition: Mapping[str, Any]) -> Self:
        """`{name, description?, inputSchema?, result?, …}`. Raises ValueError, as all of these do."""
        return self._put("tools", definition)

    def on_tool_call(self, name: str, handler: Handler) -> Self:
        """Answers calls of a tool by a function of its arguments, which gives a text, content blocks or a whole result.
        What it raises is the call's error. An asynchronous one may take a `Call` too. A tool that was not there is
        added."""
        known = self.service.server.registry.get("tools", name)
        definition = {"name": name} if known is None else known.definition
        return self._put("tools", definition, handler)

    def add_resource(self, definition: Mapping[str, Any], content: Mapping[str, Any] | Handler | None = None) -> Self:
        """`{uri, name?, mimeType?, …}`; `content`: `{text}`, `{blob}`, or a function that gives one."""
        return self._put_held("resources", definition, content)

    def add_resource_template(
        self, definition: Mapping[str, Any], content: Mapping[str, Any] | Handler | None = None
    ) -> Self:
        """`{uriTemplate, name?, …}`; a function gets the template's variables and the `uri`."""
        return self._put_held("resourceTemplates", definition, content)

    def add_prompt(self, definition: Mapping[str, Any], handler: Handler | None = None) -> Self:
        """`{name, arguments?, result?, …}`; a function of the arguments gives a text, messages or a whole result."""
        return self._put("prompts", definition, handler)

    def complete(self, name: str, argument: str, values: Sequence[str]) -> Self:
        """The values that an argument of a prompt (by name) or of a template (by its URI template) may have."""

        def add() -> None:
            completions = self.service.server.registry.completions
            completions[name] = {**completions.get(name, {}), argument: [*values]}

        self._do(add)
        return self

    def remove(self, kind: str, key: str) -> bool:
        """Whether it was there. `kind`: `tools`, `resources`, `resourceTemplates` or `prompts`."""
        return self._do(lambda: self.service.server.registry.remove(kind, key))

    def notify(self, what: str) -> Self:
        """Tells clients that `tools`, `prompts` or `resources` changed, or the resource of a URI."""
        self._do(lambda: self.service.server.registry.tell(what))
        return self

    def get_sessions(self) -> list[str]:
        """The ids of the sessions that are open, least lately used first."""
        return self._do(self.service.sessions.ids)

    def end_session(self, id: str) -> bool:
        """Ends one, as if it had expired; whether there was one."""
        return self._do(lambda: self.service.sessions.end(id))

    def _put_held(self, kind: str, definition: Mapping[str, Any], content: Mapping[str, Any] | Handler | None) -> Self:
        if callable(content):
            return self._put(kind, definition, content)
        return self._put(kind, {**definition, **(content or {})})

    def _put(self, kind: str, definition: Mapping[str, Any], handler: Handler | None = None) -> Self:
        entry = reading.READERS[kind](dict(definition), kind, handler)
        self._do(lambda: self.service.server.registry.put(entry))
        return self
