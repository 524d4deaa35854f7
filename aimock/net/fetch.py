"""One file over HTTP, by GET, within a time and a size, from an address that was checked.

The name is resolved once, every address that it has is judged, and the connection goes to one of these addresses, so
that a name cannot mean another machine when it is looked up again. Proxies are not used (they would look it up again),
and redirects are not followed.
"""

from __future__ import annotations

import functools
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence

import attrs
import h11
import trio

from aimock.net.addresses import is_local_name, is_public, literal

TIMEOUT = 10.0
"""Seconds for everything together, from resolving the name to the last byte."""
MOST = 50 * 1024 * 1024
"""Bytes of a body, as sent and as decompressed."""

_CONNECT_TIMEOUT = 3.0
"""Seconds for each of several addresses."""
_HEAD = 64 * 1024
_READ = 64 * 1024


class FetchError(Exception):
    """Nothing was fetched; the text says why, without the URL."""


class AddressRefused(FetchError):
    """It was not even tried: the URL leads to an address that is not public."""


@attrs.frozen
class Target:
    """A URL in parts, sound ones."""

    secure: bool
    host: str
    """A name, or an address without brackets."""
    port: int
    path: str
    """With the query; ASCII."""

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a name to its addresses. Raises OSError."""
Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""To a port of an address. Raises OSError."""


async def resolve_name(name: str) -> list[str]:
    found = await trio.socket.getaddrinfo(name, None, type=trio.socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def connect_to(address: str, port: int) -> trio.SocketStream:
    family = trio.socket.AF_INET6 if ":" in address else trio.socket.AF_INET
    sock = trio.socket.socket(family, trio.socket.SOCK_STREAM)
    try:
        await sock.connect((address, port))
        return trio.SocketStream(sock)
    except BaseException:
        sock.close()
        raise


async def fetch(
    target: Target,
    *,
    allow_private: bool = False,
    resolve: Resolve = resolve_name,
    connect: Connect = connect_to,
    tls: ssl.SSLContext | None = None,
    most: int = MOST,
    within: float = TIMEOUT,
) -> bytes:
    """The body of a successful answer, decompressed. Raises FetchError; AddressRefused unless `allow_private`."""
    try:
        with trio.fail_after(within):
            addresses = await _addresses(target, resolve, allow_private)
            stream = await _connected(addresses, target.port, connect)
            try:
                if target.secure:
                    context = tls or ssl.create_default_context()
                    stream = trio.SSLStream(stream, context, server_hostname=target.host, https_compatible=True)
                    await stream.do_handshake()
                return await _get(stream, target, most)
            finally:
                await trio.aclose_forcefully(stream)
    except trio.TooSlowError:
        raise FetchError(f"no whole answer within {within:g} s") from None
    except (OSError, trio.BrokenResourceError) as error:
        raise FetchError(f"the connection failed: {_reason(error)}") from error
    except h11.RemoteProtocolError as error:
        raise FetchError(f"not a proper HTTP answer: {str(error)[:200]}") from error


async def _addresses(target: Target, resolve: Resolve, allow_private: bool) -> Sequence[str]:
    if literal(target.host) is not None:
        addresses: Sequence[str] = (target.host,)
    elif not allow_private and is_local_name(target.host):
        raise AddressRefused(f"{target.host} is this machine")
    else:
        try:
            addresses = await resolve(target.host)
        except (OSError, UnicodeError) as error:
            raise FetchError(f"{target.host} cannot be resolved: {_reason(error)}") from error
    if not addresses:
        raise FetchError(f"{target.host} has no address")
    for address in addresses:
        if not allow_private and not is_public(address):
            leads = "" if address == target.host else f"{target.host} leads to "
            raise AddressRefused(f"{leads}{address}, which is not a public address")
    return addresses


async def _connected(addresses: Sequence[str], port: int, connect: Connect) -> trio.abc.Stream:
    """A connection to the first address that takes one."""
    reason = "no address answers"
    for address in addresses:
        with trio.move_on_after(_CONNECT_TIMEOUT):
            try:
                return await connect(address, port)
            except OSError as error:
                reason = _reason(error)
    raise FetchError(f"cannot connect: {reason}")


async def _get(stream: trio.abc.Stream, target: Target, most: int) -> bytes:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
    headers = [
        ("host", target.authority),
        ("user-agent", "aimock"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip"),
        ("connection", "close"),
    ]
    request = connection.send(h11.Request(method="GET", target=target.path, headers=headers))
    assert request is not None
    await stream.send_all(request)
    connection.send(h11.EndOfMessage())
    body: _Body | None = None
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(bytes(await stream.receive_some(_READ)))
            case h11.InformationalResponse():
                pass
            case h11.Response() as response:
                body = _body_of(response, most)
            case h11.Data(data=data) if body is not None:
                body.add(bytes(data))
            case h11.EndOfMessage() if body is not None:
                return body.whole()
            case _:
                raise FetchError("the connection was closed before an answer")


def _body_of(response: h11.Response, most: int) -> _Body:
    """What the body is to be read into. Raises FetchError if the head tells that there is no use in that."""
    status = response.status_code
    if 300 <= status < 400:
        raise FetchError(f"the answer is a redirect ({status}), which is not followed")
    if not 200 <= status < 300:
        raise FetchError(f"the answer has status {status}")
    headers = dict(response.headers)
    if int(headers.get(b"content-length", b"0")) > most:
        raise FetchError(_too_large(most))
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
        raise FetchError(
            f"the answer has the content encoding {encoding.decode('latin-1')[:40]!r}, which nobody asked for"
        )
    return _Body(most, compressed=encoding.endswith(b"gzip"))


def _too_large(most: int) -> str:
    return f"the answer is larger than {most / 1024 / 1024:g} MiB"


class _Body:
    """A body that is put together, and decompressed no further than it may grow."""

    def __init__(self, most: int, *, compressed: bool) -> None:
        self._most = most
        self._received = 0
        self._size = 0
        self._pieces: list[bytes] = []
        self._inflater = _new_inflater() if compressed else None

    def add(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._most:
            raise FetchError(_too_large(self._most))
        if self._inflater is None:
            self._pieces.append(data)
            return
        try:
            while data:
                if self._inflater.eof:  # a file of several members is their contents, joined
                    self._inflater = _new_inflater()
                piece = self._inflater.decompress(data, self._most - self._size + 1)
                self._size += len(piece)
                if self._size > self._most:
                    raise FetchError(_too_large(self._most))
                self._pieces.append(piece)
                data = self._inflater.unused_data
        except zlib.error as error:
            raise FetchError(f"the answer is not gzip: {error}") from error

    def whole(self) -> bytes:
        if self._inflater is not None and not self._inflater.eof:
            raise FetchError("the answer's gzip data is cut off")
        return b"".join(self._pieces)


_new_inflater = functools.partial(zlib.decompressobj, wbits=zlib.MAX_WBITS | 16)


def _reason(error: BaseException) -> str:
    """What the system says, from beneath what Trio makes of it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, trio.BrokenResourceError) and error.__cause__ is not None:
        return _reason(error.__cause__)
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
