"""What the control API tells an authorization server, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aimock.config import unknown_key
from aimock.surfaces.oauth.failures import read_failure
from aimock.surfaces.oauth.guard import Guard


def obey(guard: object, commands: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Does what is told, in the order in which it is told, and says what it came to:

        {"expireTokens": true | {"clientId", "refreshTokens"}, "revoke": true | {"clientId"},
         "failNext": {"endpoint", "error", "description", "status", "times"} | [of these], "reset": true}

    Raises ValueError that names the key; nothing is done then."""
    if not isinstance(guard, Guard):
        raise ValueError("the service lets everybody in: its section has no auth")
    unknown = [key for key in commands if key not in _COMMANDS]
    if unknown:
        raise ValueError(unknown_key(unknown[0], _COMMANDS))
    ready = {key: _COMMANDS[key](guard, value, now) for key, value in commands.items()}
    return {key: do() for key, do in ready.items()} | {"status": guard.status(now)}


_Command = Callable[[], Any]


def _expire(guard: Guard, value: Any, now: float) -> _Command:
    options = _options("expireTokens", value, ("clientId", "refreshTokens"))
    whole = options.get("refreshTokens", False)
    if type(whole) is not bool:
        raise ValueError(f"expireTokens.refreshTokens: expected true or false, got {_shown(whole)}")
    return lambda: guard.expire(now, options.get("clientId"), refresh_tokens=whole)


def _revoke(guard: Guard, value: Any, now: float) -> _Command:
    options = _options("revoke", value, ("clientId",))
    return lambda: guard.revoke(now, options.get("clientId"))


def _fail_next(guard: Guard, value: Any, now: float) -> _Command:
    given = value if isinstance(value, list) else [value]
    if not all(isinstance(each, Mapping) for each in given):
        raise ValueError(f"failNext: expected an object, or an array of them, got {_shown(value)}")
    try:
        failures = [read_failure(each) for each in given]
    except ValueError as error:
        raise ValueError(f"failNext.{error}") from None

    def queue() -> int:
        for failure, times in failures:
            guard.fail_next(failure, times)
        return sum(times for _, times in failures)

    return queue


def _reset(guard: Guard, value: Any, now: float) -> _Command:
    if value is not True:
        raise ValueError(f"reset: expected true, got {_shown(value)}")

    def reset() -> bool:
        guard.reset()
        return True

    return reset


def _options(key: str, value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """`true` is an object without members. Raises ValueError."""
    options = {} if value is True else value
    if not isinstance(options, Mapping):
        raise ValueError(f"{key}: expected true or an object, got {_shown(value)}")
    for name in options:
        if name not in known:
            raise ValueError(f"{key}.{unknown_key(str(name), known)}")
    client_id = options.get("clientId", "")
    if not isinstance(client_id, str):
        raise ValueError(f"{key}.clientId: expected a string, got {_shown(client_id)}")
    return options


def _shown(value: Any) -> str:
    return json.dumps(value, default=repr)[:80]


_COMMANDS: Mapping[str, Callable[[Guard, Any, float], _Command]] = {
    "expireTokens": _expire,
    "revoke": _revoke,
    "failNext": _fail_next,
    "reset": _reset,
}
