"""Ephemeral tokens, which a server mints so that its clients can connect without its key (wire-gemini-live §1).

A token may fix the setup of its sessions, all of it or the fields of a mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs
import orjson

from aimock_protocols import rfc3339
from aimock_protocols.canonical import ErrorReply, Head, Memory, SideRequest, WireError, WireResponse
from aimock_protocols.gemini.fields import one
from aimock_protocols.gemini.platform import WHOLE_HEADERS, refusal
from aimock_protocols.gemini_live.dialect import camel_case, read

_PREFIX = "auth_tokens/"
_SCHEME = "token "
_LIFETIME = 30 * 60
_NEW_SESSION_TIME = 60
"""Seconds from its making, unless its maker says otherwise (ai.google.dev, ephemeral tokens)."""


@attrs.frozen
class AuthToken:
    """What is remembered of a token."""

    expires: float
    """Unix time, after which no session of it can be taken up again."""
    opens_until: float
    """The same for new sessions."""
    uses: int | None
    """How many new sessions it is still good for; None: any number."""
    setup: Mapping[str, Any] | None
    """What sessions are set up with, whatever the client says, if anything."""
    mask: tuple[str, ...]
    """The fields for which that is so; none: all."""

    def applied(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """The setup that counts where a client sent this one. What a session is taken up by is always the client's."""
        if self.setup is None:
            return dict(sent)
        if not self.mask:
            own = {name: sent[name] for name in ("sessionResumption",) if name in sent}
            return {**self.setup, **own}
        setup = dict(sent)
        for path in self.mask:
            _copy(self.setup, setup, path.split("."))
        return setup


def _copy(source: Mapping[str, Any], target: dict[str, Any], path: list[str]) -> None:
    """Makes a field of the target what it is in the source, where it may be absent."""
    name, *rest = path
    value, there = source.get(name), target.get(name)
    if rest and type(value) is dict:
        target[name] = dict(there) if type(there) is dict else {}
        _copy(value, target[name], rest)
    elif name in source:
        target[name] = value
    else:
        target.pop(name, None)


def create_auth_token(request: SideRequest) -> WireResponse:
    """A new token. Raises WireError."""
    sent = read(request.body)
    now = request.stamp.created
    expires = _time(sent, "expireTime", now + _LIFETIME)
    opens_until = _time(sent, "newSessionExpireTime", now + _NEW_SESSION_TIME)
    uses = sent.get("uses", 1)
    if type(uses) is not int or uses < 0:
        raise refusal("Invalid value at 'auth_token.uses': must be a number")
    setup = one(sent, "bidiGenerateContentSetup", "auth_token.bidi_generate_content_setup")
    mask = sent.get("fieldMask", "")
    if type(mask) is not str:
        raise refusal("Invalid value at 'auth_token.field_mask': must be a string")
    paths = tuple(".".join(map(camel_case, path.split("."))) for path in mask.split(",") if path)
    name = _PREFIX + request.stamp.hexadecimal(64)
    request.memory.put(name, AuthToken(expires, opens_until, uses or None, setup or None, paths))
    told = {
        "name": name,
        "expireTime": rfc3339.in_microseconds(expires),
        "newSessionExpireTime": rfc3339.in_microseconds(opens_until),
        "uses": uses,
    }
    return WireResponse(200, WHOLE_HEADERS, orjson.dumps(told))


def _time(sent: Mapping[str, Any], name: str, default: float) -> float:
    given = sent.get(name)
    if given is None:
        return default
    try:
        return float(rfc3339.seconds_of(given))
    except (TypeError, ValueError):
        raise refusal(f"Invalid value at 'auth_token.{name}': must be a point in time") from None


def token_of(head: Head) -> str | None:
    """The name of the token that a client connects with, if it does with one."""
    scheme, given = head.headers.get("authorization", "")[: len(_SCHEME)], head.headers.get("x-goog-api-key", "")
    if scheme.lower() == _SCHEME:
        given = head.headers["authorization"][len(_SCHEME) :].strip()
    for name, value in parse_qsl(head.query, errors="replace"):
        if name in ("access_token", "key"):
            given = value
    return given if given.startswith(_PREFIX) else None


def admitted(name: str, sent: Mapping[str, Any], memory: Memory, now: float) -> dict[str, Any]:
    """The setup that counts where a client of a token sent this one, which is a use of it, unless a session is taken
    up. Tokens that were not minted here are good for anything. Raises WireError, a 401."""
    token = memory.get(name)
    if token is None:
        return dict(sent)
    setup: dict[str, Any] = token.applied(sent)
    if now > token.expires:
        raise _refused("Token has expired")
    if not one(setup, "sessionResumption", "setup.session_resumption").get("handle"):
        if now > token.opens_until:
            raise _refused("Token can open no new sessions any more")
        if token.uses is not None:
            if not token.uses:
                raise _refused("Token has been used too many times")
            memory.put(name, attrs.evolve(token, uses=token.uses - 1))
    return setup


def _refused(message: str) -> WireError:
    return WireError(ErrorReply(message, status=401))
