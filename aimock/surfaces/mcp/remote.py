"""A client of one real MCP server over Streamable HTTP, in either era: what importing and recording ask through.

It asks one thing at a time and offers a server nothing: no sampling, no elicitation, no roots. A stream that breaks
off is not taken up again.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import attrs
import httpcore2
import orjson
import trio

from aimock import __version__
from aimock.net.exchange import Headers
from aimock.record.upstream import UpstreamFailed, told
from aimock.record.urls import read_base
from aimock_protocols import jsonrpc, sse
from aimock_protocols.framing import EventTooLarge
from aimock_protocols.jsonrpc import Notification, Request, Response, RpcError
from aimock_protocols.mcp import header_values
from aimock_protocols.mcp.envelope import (
    CAPABILITIES_KEY,
    METHOD_HEADER,
    NAME_HEADER,
    SESSION_HEADER,
    VERSION_HEADER,
    VERSION_KEY,
)
from aimock_protocols.mcp.revisions import LEGACY, MODERN

_ME = {"name": "aimock", "version": __version__}
_CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_LARGEST = 64 * 1024 * 1024
"""Bytes of one answer."""
_FAREWELL = 2.0
"""Seconds for ending a session."""
_NOT_MODERN = (400, 404, 405, 406, 415)
"""What servers of the legacy era say to a request of the modern one."""


class RemoteError(Exception):
    """The server answered with an error of JSON-RPC; the text shows nothing but what it said."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('message')} ({error.get('code')})")
        self.error = dict(error)


@attrs.frozen
class _Answer:
    status: int
    headers: Mapping[str, str]
    message: Response | None
    """None: there was none in it."""


class Remote:
    """One server. Lives in one Trio loop."""

    def __init__(self, url: str, headers: Headers = (), patience: float = 30.0) -> None:
        """`headers` go with every request. `patience`: seconds that the server may be silent. Raises ValueError, which
        says what was expected."""
        base, _, query = url.partition("?")
        self._base = read_base(base)
        self._target = (self._base.path or "/") + (f"?{query}" if query else "")
        if any(ord(letter) <= 0x20 or ord(letter) > 0x7E for letter in self._target):
            raise ValueError("a URL without spaces")
        self._headers = tuple((name.lower(), value) for name, value in headers)
        self._patience = patience
        self._ids = itertools.count(1)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpcore2.default_ssl_context() if self._base.scheme == "https" else None,
            network_backend=httpcore2.TrioBackend(),
        )
        self._session: str | None = None
        self.revision: str | None = None
        """The one that is spoken, once the server has been greeted."""
        self.greeting: dict[str, Any] = {}
        """What the server said of itself: `capabilities`, `serverInfo`, `instructions`."""

    @property
    def authority(self) -> str:
        """Its host, and its port unless that goes without saying."""
        return self._base.authority

    async def greet(self) -> None:
        """Finds out what the server speaks: first the modern era, then the legacy one. Raises UpstreamFailed or
        RemoteError."""
        if self.revision is None and not await self._discovered():
            await self._initialize()

    async def request(
        self, method: str, params: Mapping[str, Any] | None = None, lines: Sequence[tuple[str, str]] = ()
    ) -> dict[str, Any]:
        """A result. `lines`: headers of this request alone. Raises UpstreamFailed or RemoteError."""
        await self.greet()
        asked, headers = self._enveloped(method, dict(params or {}))
        return self._result(await self._post(asked, (*headers, *lines)))

    async def call(self, name: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a tool whose input schema this is. Raises UpstreamFailed or RemoteError."""
        await self.greet()
        lines: list[tuple[str, str]] = []
        if self.revision == MODERN:
            with contextlib.suppress(ValueError):  # a schema that is wrong there is the server's business
                lines = header_values.repeated(schema, arguments)
        return await self.request("tools/call", {"name": name, "arguments": dict(arguments)}, lines)

    async def aclose(self) -> None:
        """Ends the session, if there is one, and closes all connections."""
        with trio.move_on_after(_FAREWELL, shield=True):
            if self._session is not None:
                lines = self._session_lines()
                self._session = None
                with contextlib.suppress(UpstreamFailed):
                    async with self._answered("DELETE", b"", lines):
                        pass
            await self._pool.aclose()

    # -- the two eras ----------------------------------------------------------------------------------------------

    async def _discovered(self) -> bool:
        """Whether it speaks the modern era."""
        asked, headers = self._enveloped("server/discover", {}, MODERN)
        answer = await self._post(asked, headers)
        if answer.message is None:
            if answer.status in _NOT_MODERN:
                return False
            raise UpstreamFailed(f"{self._base.authority} answered {answer.status}", answer.status)
        result = answer.message.result
        if not isinstance(result, dict) or MODERN not in (result.get("supportedVersions") or ()):
            return False
        self.revision, self.greeting = MODERN, result
        return True

    async def _initialize(self) -> None:
        params = {"protocolVersion": LEGACY[0], "capabilities": {}, "clientInfo": _ME}
        answer = await self._post(jsonrpc.request(next(self._ids), "initialize", params), ())
        result = self._result(answer)
        revision = result.get("protocolVersion")
        if revision not in LEGACY:
            raise UpstreamFailed(
                f"{self._base.authority} speaks {revision!r:.40}, which is no revision of MCP known here"
            )
        self.revision, self.greeting = revision, result
        self._session = answer.headers.get(SESSION_HEADER)
        await self._post(jsonrpc.notification("notifications/initialized"), self._session_lines())

    def _enveloped(
        self, method: str, params: dict[str, Any], revision: str | None = None
    ) -> tuple[dict[str, Any], Headers]:
        """A request with what makes it one of its era."""
        id = next(self._ids)
        if (revision or self.revision) != MODERN:
            return jsonrpc.request(id, method, params), self._session_lines()
        meta = {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}, _CLIENT_INFO_KEY: _ME}
        headers: Headers = ((VERSION_HEADER, MODERN), (METHOD_HEADER, method))
        if method in _NAMED_BY:
            headers += ((NAME_HEADER, header_values.encode(str(params[_NAMED_BY[method]]))),)
        return jsonrpc.request(id, method, params | {"_meta": meta}), headers

    def _session_lines(self) -> Headers:
        version: Headers = () if self.revision is None else ((VERSION_HEADER, self.revision),)
        return version if self._session is None else (*version, (SESSION_HEADER, self._session))

    def _result(self, answer: _Answer) -> dict[str, Any]:
        said = answer.message
        if said is None:
            if answer.status == 404 and self._session is not None:
                self._session = self.revision = None  # the next request begins a new one
                raise UpstreamFailed(f"{self._base.authority} has ended the session")
            raise UpstreamFailed(f"{self._base.authority} answered {answer.status} without a message", answer.status)
        if said.error is not None:
            raise RemoteError(said.error)
        if not isinstance(said.result, dict):
            raise UpstreamFailed(f"{self._base.authority} sent a result that is no object")
        return said.result

    # -- messages over HTTP ----------------------------------------------------------------------------------------

    async def _post(self, message: Mapping[str, Any], lines: Headers) -> _Answer:
        """Raises UpstreamFailed."""
        lines = (("content-type", "application/json"), ("accept", "application/json, text/event-stream"), *lines)
        body = orjson.dumps(message)
        async with self._answered("POST", body, lines) as response:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            found = None
            if kind == "text/event-stream":
                found = await self._streamed(response, message.get("id"))
            elif kind == "application/json":
                found = _answer_in(await self._whole(response), message.get("id"))
            return _Answer(response.status, headers, found)

    @contextlib.asynccontextmanager
    async def _answered(self, method: str, body: bytes, lines: Headers) -> AsyncIterator[httpcore2.Response]:
        every = (("host", self._base.authority), *self._headers, *lines, ("content-length", str(len(body))))
        request = httpcore2.Request(
            method,
            httpcore2.URL(scheme=self._base.scheme, host=self._base.host, port=self._base.port, target=self._target),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in every],
            content=body,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._patience)},
        )
        with told(self._base, self._patience):
            response = await self._pool.handle_async_request(request)
            try:
                yield response
            finally:
                with trio.CancelScope(shield=True):
                    await response.aclose()

    async def _whole(self, response: httpcore2.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_stream():
            body += piece
            self._check_size(len(body))
        return bytes(body)

    async def _streamed(self, response: httpcore2.Response, id: Any) -> Response | None:
        """The answer among the events; what the server asks meanwhile is declined. None if it does not come."""
        decoder, size = sse.Decoder(), 0
        async with contextlib.aclosing(response.aiter_stream()) as pieces:
            async for piece in pieces:
                size += len(piece)
                self._check_size(size)
                try:
                    events = decoder.feed(piece)
                except EventTooLarge as error:
                    raise UpstreamFailed(f"{self._base.authority} sent {error}") from None
                for event in events:
                    message = _message(event.data)
                    if isinstance(message, Response) and message.id == id:
                        return message
                    if isinstance(message, Request):
                        await self._decline(message)
        return None

    async def _decline(self, asked: Request) -> None:
        if asked.method == "ping":
            answer = jsonrpc.result(asked.id, {})
        else:
            answer = jsonrpc.error(asked.id, jsonrpc.METHOD_NOT_FOUND, f"{asked.method} is not supported")
        await self._post(answer, self._session_lines())

    def _check_size(self, size: int) -> None:
        if size > _LARGEST:
            raise UpstreamFailed(f"{self._base.authority} sent an answer of more than {_LARGEST} bytes")


def _message(text: str | bytes) -> Request | Notification | Response | None:
    """None if it is none; a priming event has no data."""
    try:
        return jsonrpc.message(jsonrpc.loads(text)) if text else None
    except RpcError:
        return None


def _answer_in(body: bytes, id: Any) -> Response | None:
    """The response in a body."""
    message = _message(body)
    return message if isinstance(message, Response) and message.id == id else None
