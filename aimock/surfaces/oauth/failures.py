"""Failures on command: the next so many requests to an endpoint fail, as a test wants them to."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aimock.config import unknown_key
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
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
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


def read_failure(value: Mapping[str, Any]) -> tuple[Failure, int]:
    """A failure and how often it comes, from `{"endpoint", "error", "description", "status", "times"}`, of which only
    the first is required. Raises ValueError that names the key."""
    for key in value:
        if key not in _READERS:
            raise ValueError(unknown_key(key, _READERS))
    endpoint = _endpoint(value.get("endpoint"))
    read: dict[str, Any] = {key: _READERS[key](given) for key, given in value.items() if given is not None}
    times = read.pop("times", 1)
    failure = Failure(**{"error": _DEFAULTS[endpoint]} | read)
    if failure.error in _WRONG and endpoint not in _WRONG[failure.error]:
        raise ValueError(f"error: {failure.error} goes with {' or '.join(_WRONG[failure.error])}, not with {endpoint}")
    if endpoint == "resource" and failure.error not in _OF_RESOURCES:
        raise ValueError(f"error: a resource says one of {', '.join(_OF_RESOURCES)}, got {_shown(failure.error)}")
    return failure, times


def _endpoint(value: Any) -> str:
    if value not in ENDPOINTS:
        raise ValueError(f"endpoint: expected one of {', '.join(ENDPOINTS)}, got {_shown(value)}")
    return str(value)


def _error(value: Any) -> str:
    if not isinstance(value, str) or _CODE.fullmatch(value) is None:
        raise ValueError(f"error: expected a code such as invalid_grant, got {_shown(value)}")
    return value


def _description(value: Any) -> str:
    if not isinstance(value, str) or re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", value) is None:  # RFC 6749 5.2
        raise ValueError(f"description: expected ASCII without quotes and backslashes, got {_shown(value)}")
    return value


def _status(value: Any) -> int:
    if type(value) is not int or not 400 <= value <= 599:
        raise ValueError(f"status: expected an integer from 400 to 599, got {_shown(value)}")
    return value


def _times(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _MOST:
        raise ValueError(f"times: expected an integer from 1 to {_MOST}, got {_shown(value)}")
    return value


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "endpoint": _endpoint,
    "error": _error,
    "description": _description,
    "status": _status,
    "times": _times,
}


def _shown(value: Any) -> str:
    return json.dumps(value, default=repr)[:80]
