"""From a provider's base URL and a request's target to where the request goes (spec: record-replay §2).

The two are never resolved against each other as URLs: the host is the base's, whatever the target looks like.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Mapping

import attrs

from aimock_protocols.openai_compatible import PROVIDERS

_AUTHORITY = re.compile(r"^https?://[^/?#]*", re.IGNORECASE)
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
"""What a request target may have in it; percent signs among them, so what is encoded stays so."""
_HOST = re.compile(r"[A-Za-z0-9._:%-]+")
_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class Base:
    """A base URL in parts, sound ones."""

    scheme: str
    host: str
    """A name, or an address without brackets; ASCII, in lower case."""
    port: int
    path: str
    """Without a slash at its end; often empty."""

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def joined(self, path: str) -> str:
        """The path of the request: the base's, then the other one, without what they have in common in between. So
        `…/v1` and `/v1/models` are `…/v1/models`, and a prefix of the base survives."""
        above, below = self.path.split("/")[1:], path.lstrip("/").split("/")
        shared = next((n for n in range(min(len(above), len(below)), 0, -1) if above[-n:] == below[:n]), 0)
        return "/" + "/".join(above + below[shared:])


def read_base(text: str) -> Base:
    """Raises ValueError, whose text says what was expected."""
    expected = "an http or https URL with a host"
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(expected) from None
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    if scheme not in _PORTS or not host or port == 0 or text != text.strip():
        raise ValueError(expected)
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without user and password: keys go under providerKeys, or into the environment")
    if parts.query or parts.fragment:
        raise ValueError("a URL without query and fragment: the request has its own")
    try:
        host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        raise ValueError(expected) from None
    if not _HOST.fullmatch(host):
        raise ValueError(expected)
    return Base(scheme, host.lower(), port or _PORTS[scheme], _printable(parts.path.rstrip("/")))


_CHOSEN: Mapping[str, tuple[str, ...]] = {provider.name: provider.bases for provider in PROVIDERS} | {
    "jina": ("/v1",),
    "voyage": ("/v1",),
    "bedrock-agent-runtime": ("",),
}
"""Providers by the segment with which clients choose them, and what follows it."""


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a request target, as sent, without what was only meant for this server: a host, `testId`, and
    the segment by which a client chooses one of several providers on a path (`/groq/openai/v1/…`)."""
    path, _, query = _AUTHORITY.sub("", target, count=1).partition("?")
    for name, bases in _CHOSEN.items():
        rest = path.removeprefix(f"/{name}")
        if rest != path and any(rest.startswith(f"{base}/") for base in bases):
            path = rest
            break
    return _printable(path), without(_printable(query), lambda name, value: name == "testId")


def without(query: str, is_dropped: Callable[[str, str], bool]) -> str:
    """A query without some of its parameters, which are told by name and value, both decoded; the others as sent."""
    return "&".join(each for each in query.split("&") if not is_dropped(*_decoded(each)))


def parameters(query: str) -> list[tuple[str, str]]:
    """Names and values, decoded."""
    return [_decoded(each) for each in query.split("&") if each]


def _decoded(parameter: str) -> tuple[str, str]:
    name, _, value = parameter.partition("=")
    return urllib.parse.unquote_plus(name), urllib.parse.unquote_plus(value)


def _printable(text: str) -> str:
    return urllib.parse.quote(text, safe=_PRINTABLE, errors="replace")
