"""With which certificate a server speaks TLS, and where the CA lies that its clients have to trust.

A server that signs for itself has a new CA at each start, whose key is never written anywhere: whoever trusts the CA's
file trusts no one but this server, and only while it runs. What stays the same from run to run is the file's place, so
that it can be named once in a shell or a test setup.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from aimock.cache import cache_directory, write_whole
from aimock.net.certificates import HTTP_1, CertificateError, from_files, self_signed, server_context
from aimock.net.listen import Listeners, open_listeners, url_of
from aimock.net.tls import TRUST_VARIABLES, Security
from aimock.reading import Keys, filled, keyed, object_schema, of_kind, wrong


@attrs.frozen
class Files:
    """A certificate and its key, in PEM files."""

    cert: str
    key: str

    def located(self, locate: Callable[[str], str]) -> Files:
        return Files(locate(self.cert), locate(self.key))


@attrs.frozen
class SelfSigned:
    """A certificate of the server's own making."""

    ca_file: str | None = None
    """Where to write the CA's certificate; None: where `secured` says."""

    def located(self, _: Callable[[str], str]) -> SelfSigned:
        return self  # it names no file that is there already


TLS = Files | SelfSigned


_FIELDS: Keys = {
    "cert": filled,
    "key": filled,
    "selfSigned": of_kind("true", {"const": True}, lambda value: value is True),
    "caFile": filled,
}


def tls_from_json(given: Any, place: str = "") -> TLS:
    """`{"cert": FILE, "key": FILE}`, or `{"selfSigned": true}`, perhaps with `"caFile": FILE`. Raises ValueError that
    begins with the place."""
    told = keyed(given, place, _FIELDS)
    if told.keys() == {"cert", "key"}:
        return Files(told["cert"], told["key"])
    if told.keys() in ({"selfSigned"}, {"selfSigned", "caFile"}):
        return SelfSigned(told.get("caFile"))
    raise wrong(place, "expected cert and key, or selfSigned with or without caFile")


def tls_schema() -> dict[str, Any]:
    """The same as a JSON Schema."""
    own, made = ({key: _FIELDS[key] for key in keys} for keys in (("cert", "key"), ("selfSigned", "caFile")))
    return {"anyOf": [object_schema(own, own), object_schema(made, ("selfSigned",))]}


@contextlib.contextmanager
def secured(
    tls: TLS | None, hosts: Iterable[str], port: int, alpn: Sequence[str] = HTTP_1
) -> Iterator[Security | None]:
    """What a server shakes hands with that is reached by `hosts` and was asked to listen on `port`; None: it does not.

    The CA's certificate is written where the choice says. Else, for a port that was chosen, it lies in the user's
    cache, at the same place in every run; for a free one in a temporary file, which is gone at the end.

    Raises CertificateError.
    """
    if tls is None:
        yield None
    elif isinstance(tls, Files):
        yield Security(server_context(from_files(tls.cert, tls.key), alpn))
    else:
        certificate = self_signed(hosts)
        context = server_context(certificate, alpn)
        assert certificate.authority is not None
        with _written(_BANNER + certificate.authority, tls.ca_file, port) as file:
            yield Security(context, file)


class Entrance(NamedTuple):
    """Where a server is reached."""

    listeners: Listeners
    security: Security | None
    url: str


@contextlib.contextmanager
def listening(host: str, port: int, tls: TLS | None, alpn: Sequence[str] = HTTP_1) -> Iterator[Entrance]:
    """Raises OSError, naming the address, and CertificateError."""
    with contextlib.ExitStack() as stack:
        listeners = open_listeners(host, port)
        for listener in listeners:
            stack.callback(listener.close)
        hosts = [host, *(listener.getsockname()[0] for listener in listeners)]
        security = stack.enter_context(secured(tls, hosts, port, alpn))
        yield Entrance(listeners, security, url_of(listeners[0], secure=security is not None))


_BANNER = b"# The CA of an aimock server, made anew whenever that starts.\n"


@contextlib.contextmanager
def _written(pem: bytes, wanted: str | None, port: int) -> Iterator[Path]:
    if wanted is None and port == 0:
        descriptor, name = tempfile.mkstemp(prefix="aimock-ca-", suffix=".pem")
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        try:
            yield Path(name)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(name)
        return
    place = Path(wanted).absolute() if wanted is not None else _place(port)
    try:
        if place.exists() and not place.read_bytes().startswith(_BANNER):
            raise CertificateError(f"{place}: is not a CA of aimock's, and is not overwritten")
        write_whole(place, pem, 0o644)
    except OSError as error:
        raise CertificateError(f"{place}: {error.strerror}") from error
    yield place


def _place(port: int) -> Path:
    try:
        directory = cache_directory() / "tls"
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as error:
        raise CertificateError(f"no place for the CA's certificate: {error}; --tls-ca-file names one") from error
    return directory / f"ca-{port}.pem"


def exports(ca_file: Path) -> list[str]:
    """Lines for a shell, after which SDKs trust the CA and, most of them, no other."""
    return [f"export {variable}={shlex.quote(str(ca_file))}" for variable in TRUST_VARIABLES]
