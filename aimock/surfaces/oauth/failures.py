"""Failures on command: the next so many requests to an endpoint fail, as a test wants them to."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

import attrs

from aimock.reading import Check, Keys, inside, keyed, of_kind, one_of, whole_number, wrong
from aimock_protocols.oauth.errors import OAuthError

ENDPOINTS = ("resource_metadata", "metadata", "register", "authorize", "token", "revoke", "resource")
"""What can fail; the last is the service itself, as it judges tokens."""

WRONG_ISSUER = "wrong_issuer"
"""No error in itself: metadata, or the redirect, name another server, which a client has to notice (RFC 8414 3.3,
RFC 9207 2.4)."""
WRONG_STATE = "wrong_state"
"""No error in itself: the redirect has not the state that the client sent, which it has to notice."""
_WRONG = {WRONG_ISSUER: ("metadata", "authorize"), WRONG_STATE: ("authorize",)}

_OF_RESOURCES = ("invalid_token", "insufficient_scope")
_MOST = 1_000


@attrs.frozen
class Failure:
    """What the next request to an endpoint meets."""

    endpoint: str
    error: str
    description: str = "failed on command"
    status: int | None = None
    """Of a body; None: the one that goes with the error."""

    def raised(self) -> OAuthError:
        return OAuthError(self.error, self.description)


class OnCommand(OAuthError):
    """An error that a test asked for."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error, failure.description)
        self.failure = failure


class Failures:
    """Those that are still to come."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Failure]] = {endpoint: deque() for endpoint in ENDPOINTS}

    def add(self, failure: Failure, times: int) -> None:
        """Raises ValueError if too many are waiting."""
        waiting = self._waiting[failure.endpoint]
        if len(waiting) + times > _MOST:
            raise ValueError(f"times: at most {_MOST} failures wait at an endpoint")
        waiting.extend([failure] * times)

    def next(self, endpoint: str) -> Failure | None:
        waiting = self._waiting[endpoint]
        return waiting.popleft() if waiting else None

    def strike(self, endpoint: str) -> None:
        """Raises OnCommand if the next request to the endpoint is to fail."""
        failure = self.next(endpoint)
        if failure is not None:
            raise OnCommand(failure)

    def clear(self) -> None:
        for waiting in self._waiting.values():
            waiting.clear()

    def counts(self) -> dict[str, int]:
        return {endpoint: len(waiting) for endpoint, waiting in self._waiting.items() if waiting}


_DEFAULTS = {
    "resource_metadata": "server_error",
    "metadata": "server_error",
    "register": "invalid_client_metadata",
    "authorize": "access_denied",
    "token": "invalid_grant",
    "revoke": "temporarily_unavailable",
    "resource": "invalid_token",
}
"""The error of each endpoint, if a test names none."""


def read_failure(value: Any, place: str) -> tuple[Failure, int]:
    """A failure and how often it comes, from `{"endpoint", "error", "description", "status", "times"}`, of which only
    the first is required. Raises ValueError that begins with the place."""
    read = keyed(value, place, _KEYS, ("endpoint",))
    endpoint = read["endpoint"]
    times = read.pop("times", 1)
    failure = Failure(**{"error": _DEFAULTS[endpoint]} | read)
    if failure.error in _WRONG and endpoint not in _WRONG[failure.error]:
        belongs = " or ".join(_WRONG[failure.error])
        raise wrong(inside(place, "error"), f"{failure.error} goes with {belongs}, not with {endpoint}")
    if endpoint == "resource" and failure.error not in _OF_RESOURCES:
        said = f"a resource says one of {', '.join(_OF_RESOURCES)}, not {failure.error}"
        raise wrong(inside(place, "error"), said)
    return failure, times


def _matching(expected: str, pattern: str) -> Check[str]:
    whole = re.compile(pattern)
    schema = {"type": "string", "pattern": f"^{pattern}$"}
    return of_kind(expected, schema, lambda value: isinstance(value, str) and whole.fullmatch(value) is not None)


_KEYS: Keys = {
    "endpoint": one_of(*ENDPOINTS),
    "error": _matching("a code such as invalid_grant", "[a-z][a-z0-9_]{0,63}"),
    "description": _matching("ASCII without quotes and backslashes", r"[\x20-\x21\x23-\x5b\x5d-\x7e]*"),  # RFC 6749 5.2
    "status": whole_number(400, 599),
    "times": whole_number(1, _MOST),
}
