"""Asking the real provider: what a client sent goes out, and what comes back is given on piece by piece, as it comes.

httpcore2 does the talking. It sends what it is given and nothing else: no URL is normalised, no header or cookie
added, no redirect followed, no body decoded, nothing asked twice, and no line logged that has a query in it. A client
with a friendlier face (httpx2 is one around it) does all of that. Proxies of the environment are not used. WebSockets
go by the same rules, and are spoken by trio-websocket (`net.remote_socket`).
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence

import attrs
import httpcore2
import trio

from aimock.net.exchange import Headers
from aimock.net.remote_socket import Refused, RemoteSocket, open_socket
from aimock.record.config import RecordConfig
from aimock.record.credentials import Keyring, NoCredential, credential_in, stripped
from aimock.record.decoding import Codec, CodingError, codecs_for, decoded
from aimock.record.headers import forwarded_headers, is_steering, without_handshake
from aimock.record.providers import url_key
from aimock.record.signing import Credentials, local_credentials, region_of, signed
from aimock.record.urls import Base, read_base, split_target, without
from aimock.redaction import SIGNED

_IDLE_CONNECTIONS = 100
_IDLE_SECONDS = 4.0
"""A connection is used again only before the quickest servers (Node's, uvicorn: five seconds) would close it: a request
that meets the closing is lost, for none is sent twice."""
_SLICE = 64 * 1024
"""Bytes of a request that are sent at once: a timeout is for silence, and large uploads take their time."""

MESSAGE_BYTES = 32 * 1024 * 1024
"""Of one message of a WebSocket: as much as is taken from clients."""

_VALUE = re.compile(r"[\t -~\x80-\xff]*")
"""What a header may say (RFC 9110 5.5)."""
_FAILED = "Proxy to upstream failed: "
_UNSENDABLE = "the request cannot be sent over HTTP/1.1"
_OF_REQUESTS = frozenset({"host", "accept-encoding", "content-length"})
"""Headers that are made for requests, and that a handshake has otherwise, or not at all."""
_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods that announce no body if they have none."""


class UpstreamFailed(Exception):
    """No answer, or not all of one. `message` says why, and shows neither credential nor query."""

    def __init__(self, message: str, status: int = 502, upstream_status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """What the client is answered, if nothing was sent to it yet."""
        self.upstream_status = upstream_status
        """What the provider answered, if it did."""


@attrs.frozen
class Call:
    """A client's request, as it came."""

    provider: str
    method: str
    target: str = attrs.field(repr=False)
    header_lines: Headers = attrs.field(repr=False)
    """Names in lower case."""
    body: bytes = attrs.field(repr=False)
    is_guarded: bool = False
    """Whether it was let in by a key of this server, which then goes no further."""


class Upstream:
    """The providers that have a URL, and the connections to them. Lives in one Trio loop."""

    def __init__(
        self,
        config: RecordConfig,
        environment: Mapping[str, str] = os.environ,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`wall_clock` gives the true Unix time, which signatures have in them. Raises ValueError for a URL or a key
        that cannot be used, naming it."""
        self._bases: dict[str, Base] = {}
        for provider, url in config.providers.items():
            try:
                self._bases[provider] = read_base(url)
            except ValueError as expected:
                raise ValueError(f"{provider}: expected {expected}") from None
        self._keyring = Keyring(config.provider_keys, environment)
        self._environment = environment
        self._wall_clock = wall_clock
        self._patience = config.upstream_timeout_ms / 1000
        self._body_patience = config.body_timeout_ms / 1000
        is_secure = any(base.scheme == "https" for base in self._bases.values())
        self._tls = httpcore2.default_ssl_context() if is_secure else None  # read once, not for each connection
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=httpcore2.TrioBackend(),
        )

    @property
    def warnings(self) -> list[str]:
        """What is worth saying when recording begins."""
        if "bedrock" in self._bases and local_credentials(self._environment) is None:
            return [
                "Bedrock: there are no AWS credentials in the environment or the shared credentials file, so requests"
                " signed for this server's address cannot be signed anew, and AWS refuses them; bearer keys work"
            ]
        return []

    async def ask(self, call: Call) -> UpstreamResponse:
        """The answer as soon as its head has come; it must be closed. Raises UpstreamFailed."""
        base = self._base(call.provider)
        target, lines = self._request(call, base)
        if not all(_VALUE.fullmatch(value) for _, value in lines):
            raise UpstreamFailed(_FAILED + _UNSENDABLE)  # before anybody logs an error that shows the value
        timeout = dict.fromkeys(("connect", "read", "write"), self._patience)
        request = httpcore2.Request(
            call.method,
            httpcore2.URL(scheme=base.scheme, host=base.host, port=base.port, target=target),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in lines],
            content=_slices(call.body),
            extensions={"timeout": timeout},
        )
        with _told(base, self._patience):
            response = await self._pool.handle_async_request(request)
        timeout["read"] = self._body_patience  # read anew for the body: these are the request's own extensions
        return UpstreamResponse(response, base, self._body_patience)

    @contextlib.asynccontextmanager
    async def socket(self, call: Call) -> AsyncIterator[RemoteSocket]:
        """A WebSocket to where the call's handshake would go, closed at the end of the context. Raises UpstreamFailed
        if it cannot be opened."""
        base = self._base(call.provider)
        kept, offered = without_handshake(call.header_lines)
        path, _, query = call.target.partition("?")
        query = without(query, lambda name, value: is_steering(name.lower()))
        call = attrs.evolve(call, target=f"{path}?{query}" if query else path, header_lines=kept)
        target, lines = self._request(call, base)
        if not all(_VALUE.fullmatch(value) for _, value in lines):
            raise UpstreamFailed(_FAILED + _UNSENDABLE)
        opening = open_socket(
            base.host,
            base.port,
            target,
            authority=base.authority,
            tls=self._tls if base.scheme == "https" else None,
            subprotocols=offered,
            headers=tuple(line for line in lines if line[0] not in _OF_REQUESTS),
            message_bytes=MESSAGE_BYTES,
            patience=self._patience,
        )
        async with contextlib.AsyncExitStack() as stack:
            try:
                socket = await stack.enter_async_context(opening)
            except Refused as refused:
                said = f"{base.authority} refused the WebSocket with status {refused.status}"
                raise UpstreamFailed(_FAILED + said, upstream_status=refused.status) from None
            except trio.TooSlowError:
                said = f"{base.authority} opened no WebSocket within {self._patience:g} s"
                raise UpstreamFailed(_FAILED + said) from None
            except (OSError, trio.BrokenResourceError) as error:
                said = f"cannot open a WebSocket to {base.authority}: {_reason(error)}"
                raise UpstreamFailed(_FAILED + said) from None
            yield socket

    async def aclose(self) -> None:
        """Closes all connections; what is still coming on them fails."""
        await self._pool.aclose()

    def _base(self, provider: str) -> Base:
        key = url_key(provider, self._bases)
        if key is None:
            raise UpstreamFailed(f"No URL is configured for {provider}")
        return self._bases[key]

    def _request(self, call: Call, base: Base) -> tuple[str, Headers]:
        """Target and header lines as they are sent. Raises UpstreamFailed."""
        path, query = split_target(call.target)
        path = base.joined(path)
        lines = forwarded_headers(call.header_lines)
        credentials = self._aws_credentials(call)
        if credentials is not None:
            lines, query = stripped(lines, query)
        else:
            try:
                lines, query = self._keyring.equipped(call.provider, lines, query, is_guarded=call.is_guarded)
            except NoCredential as error:
                raise UpstreamFailed(f"No configured provider credential: {error}") from None
        lines = (("host", base.authority), *lines, ("accept-encoding", "identity"))
        if call.body or call.method not in _BODILESS:
            lines = (*lines, ("content-length", str(len(call.body))))
        if credentials is not None:
            region = region_of(base.host, _authorization(call), self._environment)
            if region is None:
                raise UpstreamFailed(f"{_FAILED}the region to sign for is not known: set AWS_REGION")
            now = self._wall_clock()
            lines = signed(call.method, path, query, lines, call.body, credentials=credentials, region=region, now=now)
        return path + (f"?{query}" if query else ""), lines

    def _aws_credentials(self, call: Call) -> Credentials | None:
        """With what to sign the call; None: it goes out as it is, for it has a bearer key, or there is nothing here to
        sign with."""
        if call.provider != "bedrock":
            return None
        presented = _authorization(call)
        is_replaceable = call.is_guarded or SIGNED.match(presented) or self._keyring.is_dummy(credential_in(presented))
        return local_credentials(self._environment) if is_replaceable else None


class UpstreamResponse:
    """An answer whose head is here and whose body comes."""

    def __init__(self, response: httpcore2.Response, base: Base, patience: float) -> None:
        self.status: int = response.status
        headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers)
        coding = ",".join(value for name, value in headers if name == "content-encoding")
        codecs = codecs_for(coding)
        if coding and codecs is not None:
            headers = tuple(line for line in headers if line[0] not in ("content-encoding", "content-length"))
        self.headers: Headers = headers
        """As sent, in order, names in lower case; without content-encoding and -length where `pieces` undo a coding.
        One that they cannot undo is still named here, and the body is as it came."""
        self._codecs: Sequence[Codec] = codecs or ()
        self._response = response
        self._base = base
        self._patience = patience

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body, each piece as soon as it comes; to be read once. Raises UpstreamFailed if it does not come to its
        end. The next piece is only waited for when it is asked for: a slow reader is no stall."""
        with _told(self._base, self._patience):
            async with contextlib.aclosing(self._response.aiter_stream()) as stream:
                async for data in stream:
                    for piece in decoded(self._codecs, data):
                        yield piece
            if not all(codec.is_whole for codec in self._codecs):
                raise CodingError("it is cut off")

    async def aclose(self) -> None:
        """Lets go of the connection; it is kept for others if the body was read to its end."""
        await self._response.aclose()


@contextlib.contextmanager
def _told(base: Base, patience: float) -> Iterator[None]:
    """Turns what can go wrong into UpstreamFailed. The causes are not kept: some of them show headers."""
    try:
        yield
    except httpcore2.ConnectTimeout:
        said = f"{base.authority} took no connection within {patience:g} s"
    except httpcore2.WriteTimeout:
        said = f"{base.authority} took nothing of the request for {patience:g} s"
    except httpcore2.ReadTimeout:
        said = f"{base.authority} sent nothing for {patience:g} s"
    except httpcore2.ConnectError as error:
        said = f"cannot connect to {base.authority}: {_reason(error)}"
    except (httpcore2.ReadError, httpcore2.WriteError) as error:
        said = f"the connection to {base.authority} broke: {_reason(error)}"
    except httpcore2.RemoteProtocolError as error:
        said = f"{base.authority} sent no proper answer: {_reason(error).partition(':')[0]}"  # then: what it sent
    except httpcore2.LocalProtocolError:
        said = _UNSENDABLE
    except CodingError as error:
        said = f"{base.authority} sent a body that is not in its content coding: {error}"
    else:
        return
    raise UpstreamFailed(_FAILED + said) from None


def _reason(error: BaseException) -> str:
    """What the system says, from beneath what Trio and httpcore make of it."""
    beneath: BaseException | None = error
    while beneath is not None:
        error = beneath
        if isinstance(error, BaseExceptionGroup):
            beneath = error.exceptions[0]
        elif error.__cause__ is not None:
            beneath = error.__cause__
        else:  # the pool cuts off the cause of httpcore's errors, which is their argument too
            beneath = next((each for each in error.args if isinstance(each, BaseException)), None)
    untrusted = getattr(error, "verify_message", None)
    if untrusted:
        return f"its certificate is not trusted: {untrusted}"
    if isinstance(error, OSError) and type(error).__module__ == "builtins" and error.errno:
        return os.strerror(error.errno)  # Trio has the address in the text
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _authorization(call: Call) -> str:
    return next((value for name, value in call.header_lines if name == "authorization"), "")


async def _slices(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), _SLICE):
        yield body[start : start + _SLICE]
