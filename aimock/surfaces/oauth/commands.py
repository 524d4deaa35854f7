"""What the control API tells an authorization server, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aimock.reading import Keys, anything, flag, keyed, many, text, unlike
from aimock.surfaces.oauth.failures import read_failure
from aimock.surfaces.oauth.guard import Guard


def obey(guard: object, commands: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Does what is told, in the order in which it is told, and says what it came to:

        {"expireTokens": true | {"clientId", "refreshTokens"}, "revoke": true | {"clientId"},
         "failNext": {"endpoint", "error", "description", "status", "times"} | [of these], "reset": true}

    Raises ValueError that names the key; nothing is done then."""
    if not isinstance(guard, Guard):
        raise ValueError("the service lets everybody in: its section has no auth")
    told = keyed(commands, "", dict.fromkeys(_COMMANDS, anything))
    ready = {key: _COMMANDS[key](guard, value, now) for key, value in told.items()}
    return {key: do() for key, do in ready.items()} | {"status": guard.status(now)}


_Command = Callable[[], Any]


def _expire(guard: Guard, value: Any, now: float) -> _Command:
    options = _options("expireTokens", value, {"clientId": text, "refreshTokens": flag})
    whole = options.get("refreshTokens", False)
    return lambda: guard.expire(now, options.get("clientId"), refresh_tokens=whole)


def _revoke(guard: Guard, value: Any, now: float) -> _Command:
    options = _options("revoke", value, {"clientId": text})
    return lambda: guard.revoke(now, options.get("clientId"))


def _fail_next(guard: Guard, value: Any, now: float) -> _Command:
    is_one = not isinstance(value, list)
    failures = [read_failure(value, "failNext")] if is_one else many(read_failure)(value, "failNext")

    def queue() -> int:
        for failure, times in failures:
            guard.fail_next(failure, times)
        return sum(times for _, times in failures)

    return queue


def _reset(guard: Guard, value: Any, now: float) -> _Command:
    if value is not True:
        raise unlike("reset", "true", value)

    def reset() -> bool:
        guard.reset()
        return True

    return reset


def _options(key: str, value: Any, keys: Keys) -> Mapping[str, Any]:
    """`true` is an object without members. Raises ValueError."""
    if value is not True and not isinstance(value, Mapping):
        raise unlike(key, "true or an object", value)
    return {} if value is True else keyed(value, key, keys)


_COMMANDS: Mapping[str, Callable[[Guard, Any, float], _Command]] = {
    "expireTokens": _expire,
    "revoke": _revoke,
    "failNext": _fail_next,
    "reset": _reset,
}
