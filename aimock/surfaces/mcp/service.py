"""The MCP server at its path: Streamable HTTP, both eras on one endpoint, and the transport that came before it."""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Whole
from aimock.reading import Check, Keys, array, keyed, many, mapping_of, object_schema, text
from aimock.surfaces.mcp.answering import Accepted, Answering, Refused
from aimock.surfaces.mcp.entries import Tool
from aimock.surfaces.mcp.held import Sessions
from aimock.surfaces.mcp.hostile import Hostility, called
from aimock.surfaces.mcp.legacy import Legacy
from aimock.surfaces.mcp.modern import Modern
from aimock.surfaces.mcp.old_transport import OldTransport
from aimock.surfaces.mcp.reading import ENTRIES, READERS
from aimock.surfaces.mcp.server import Options, Server
from aimock.surfaces.mcp.settings import SECTION, Transport, options, transport
from aimock.surfaces.mounted import Mounted
from aimock_protocols import jsonrpc
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp
from aimock_protocols.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, Id, RpcError
from aimock_protocols.mcp import frames
from aimock_protocols.mcp.envelope import is_modern
from aimock_protocols.mcp.errors import modern_status

if TYPE_CHECKING:
    from aimock.surfaces.mcp.recording import Recorder

logger = logging.getLogger("aimock")

_ENTRIES: Keys = {
    **{key: Check(array.read, {"type": "array", "items": object_schema(*told)}) for key, told in ENTRIES.items()},
    "completions": mapping_of(mapping_of(many(text))),
}
_SECTION: Keys = {**SECTION, **_ENTRIES}

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})


class MCPService(Mounted):
    """One MCP server."""

    name: ClassVar[str] = "mcp"
    paths: ClassVar[frozenset[str]] = frozenset({"/sse", "/messages"})
    most_at_once: ClassVar[int | None] = None
    """What waits for its client must not keep others waiting. How many there may be is bounded by the sessions, and in
    the modern era by the connections, with which they end."""

    def __init__(self, options: Options | None = None, transport: Transport | None = None) -> None:
        super().__init__()
        self.server = Server(options or Options())
        self.server.spawn = self.spawn
        self.transport = transport or Transport()
        self.sessions = Sessions(self.transport.most_sessions, self.transport.idle_seconds)
        self.before: list[Callable[[Exchange, str], Answer | None]] = []
        """Asked in turn before a request is looked at; the first answer is sent."""
        self.most_listening = self.transport.most_sessions
        self._legacy = Legacy(self)
        self._modern = Modern(self)
        self._old = OldTransport(self)
        self._recorder: Recorder | None = None
        self.server.registry.listeners.append(self._changed)

    @classmethod
    def from_config(cls, value: Any, directory: Path) -> MCPService:
        """Of a config file's section. Raises ValueError."""
        told = keyed(value, "", _SECTION)
        service = cls(options(told), transport(told))
        service.add({key: inner for key, inner in told.items() if key in _ENTRIES})
        if "record" in told:
            service.record_by(told["record"], directory)
        return service

    def record_by(self, value: Any, directory: Path) -> None:
        """From now on this server learns from a real one, as `record` in a section has it. Raises ValueError."""
        from aimock.surfaces.mcp.recording import Recorder  # which brings an HTTP client

        self._recorder = self.server.recording = Recorder(self.server.registry, value, directory)

    async def aclose(self) -> None:
        await super().aclose()
        if self._recorder is not None:
            await self._recorder.aclose()

    @property
    def is_stateful(self) -> bool:
        return self.transport.is_stateful

    @property
    def prefers_events(self) -> bool:
        return self.transport.prefers_events

    @property
    def keep_alive(self) -> float:
        return self.transport.keep_alive

    # -- requests --------------------------------------------------------------------------------------------------

    def respond(self, exchange: Exchange, path: str) -> Answer:
        if not self.server.key:
            self.server.seeded(exchange.state.randomness.seed, exchange.state.settings.wall_clock)
        for guard in self.before:
            answer = guard(exchange, path)
            if answer is not None:
                return answer
        method = exchange.head.method.upper()
        by_method = {
            "/": {"POST": self._post, "GET": self._legacy.get, "DELETE": self._legacy.delete},
            "/sse": {"GET": self._old.get},
            "/messages": {"POST": self._old.post},
        }.get(path)
        label = "unknown" if method == "POST" else f"session/{'delete' if method == 'DELETE' else 'stream'}"
        answering = Answering(self, exchange, label)
        if by_method is None:
            return answering.refused(Refused(404, RpcError(INVALID_REQUEST, "Not Found")))
        if method not in by_method:
            allowed = (("allow", ", ".join(by_method)),)
            return answering.refused(Refused(405, RpcError(INVALID_REQUEST, "Method Not Allowed"), allowed))
        try:
            self._check_origin(exchange)
            return by_method[method](exchange, answering)
        except Refused as refused:
            return answering.refused(refused)

    def _post(self, exchange: Exchange, answering: Answering) -> Answer:
        self.check_content(exchange)
        if self.transport.strict_accept and not (answering.accepted.json and answering.accepted.events):
            message = "Not Acceptable: the client must take application/json and text/event-stream"
            raise Refused(406, RpcError(INVALID_REQUEST, message))
        try:
            value = jsonrpc.loads(exchange.request.body)
        except RpcError as malformed:
            raise Refused(400, malformed) from None
        modern = is_modern(exchange.head.headers, value)
        answering.meant(value, modern=modern)
        era = self._modern if modern else self._legacy

        def serve() -> Answer:
            try:
                return era.post(exchange, value, answering)
            except Refused as refused:
                return answering.refused(refused)
            except RpcError as refused:
                status = modern_status(refused.response()) if modern else _legacy_status(refused)
                return answering.refused(Refused(status, refused))

        def fail(error: ErrorReply) -> Whole:
            return answering.whole(error.status, _failure(error, answering.id))

        def error_frame(error: ErrorReply, stamp: Stamp) -> Frame:
            return Frame(frames.event(_failure(error, answering.id)), FrameKind.CLOSE)

        tool = self.server.registry.get("tools", called(value))
        return self.under_chaos(
            exchange,
            serve,
            streamed=False,
            fail=fail,
            error_frame=error_frame,
            level=tool.level if isinstance(tool, Tool) else None,
            own=Hostility(self, exchange, value, answering).strike,
        )

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        answering = Answering(self, exchange, "unknown")
        return answering.refused(Refused(status, RpcError(INVALID_REQUEST, message)))

    def check_content(self, exchange: Exchange) -> None:
        """Raises Refused (415) if a body says that it is something else than JSON."""
        kind = exchange.head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("", "application/json"):
            message = f"Unsupported Media Type: expected application/json, got {kind[:60]}"
            raise Refused(415, RpcError(INVALID_REQUEST, message))

    def accepted(self, exchange: Exchange) -> Accepted:
        """What the client takes; one that does not say takes everything."""
        said = exchange.head.headers.get("accept", "").lower()
        kinds = {part.partition(";")[0].strip() for part in said.split(",")} - {""}
        if not kinds and not self.transport.strict_accept:
            return Accepted(json=True, events=True)
        return Accepted(
            json=bool(kinds & {"application/json", "application/*", "*/*"}),
            events=bool(kinds & {"text/event-stream", "text/*", "*/*"}),
        )

    def _check_origin(self, exchange: Exchange) -> None:
        """A page of the web must not reach a server on the machine that it is shown on (DNS rebinding): it always says
        where it is from. Raises Refused: 403, or 421 for a host that is not served."""
        headers = exchange.head.headers
        origin, host = headers.get("origin"), headers.get("host", "")
        hosts, origins = self.transport.allowed_hosts, self.transport.allowed_origins
        if hosts and _host_of(f"//{host}") not in hosts and host not in hosts:
            raise Refused(421, RpcError(INVALID_REQUEST, f"Misdirected Request: host {host[:100]} is not served"))
        if origin is None or "*" in origins or origin in origins or _host_of(origin) in _THIS_MACHINE:
            return
        raise Refused(403, RpcError(INVALID_REQUEST, f"Forbidden: origin {origin[:100]} is not allowed"))

    # -- state -----------------------------------------------------------------------------------------------------

    def _changed(self, what: str) -> None:
        for held in self.sessions:
            held.session.changed(what)

    def health(self) -> dict[str, Any]:
        return {"status": "ok", **self.server.registry.counts(), "sessions": len(self.sessions)}

    def add(self, value: Any) -> int:
        told = keyed(value, "", _ENTRIES)
        entries = [entry for key, read in READERS.items() for entry in many(read)(told.get(key, ()), key)]
        completions = told.get("completions", {})
        for entry in entries:
            self.server.registry.put(entry)
        self.server.registry.completions |= completions
        return len(entries) + len(completions)

    def reset(self) -> None:
        self.server.registry.clear()
        self.server.counters.rewind()
        self.server.tasks.clear()
        if self._recorder is not None:
            self._recorder.forget()
        self._modern.reset()
        self.sessions.clear()
        self._old.reset()

    def rewind(self, test_id: str | None = None) -> None:
        self.server.counters.rewind(test_id)


def _legacy_status(refused: RpcError) -> int:
    """What could not be read is a bad request; what was understood is answered."""
    return 400 if refused.code in (jsonrpc.PARSE_ERROR, INVALID_REQUEST) else 200


def _failure(error: ErrorReply, id: Id) -> dict[str, Any]:
    return jsonrpc.error(id, INTERNAL_ERROR, error.message)


def _host_of(origin: str) -> str | None:
    try:
        return urllib.parse.urlsplit(origin).hostname
    except ValueError:
        return None


def section_schema() -> dict[str, Any]:
    """A config file's section as a JSON Schema."""
    return object_schema(_SECTION)
