"""What a program tells an authorization server, while it runs or before: `mock.oauth`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from aimock.surfaces.oauth.failures import read_failure
from aimock.surfaces.oauth.guard import Guard

T = TypeVar("T")


class OAuthMock:
    """The authorization server of one service."""

    def __init__(self, guard: object, do: Callable[[Callable[[], T]], T], now: Callable[[], float]) -> None:
        """`do` runs a function in the server's loop, `now` gives its Unix time. Raises RuntimeError without a guard."""
        if not isinstance(guard, Guard):
            raise RuntimeError("the service lets everybody in; give it auth=True")
        self._guard = guard
        self._do: Callable[[Callable[[], Any]], Any] = do
        self._now = now

    def expire_tokens(self, client_id: str | None = None, *, refresh_tokens: bool = False) -> int:
        """Ends the time of all access tokens (of one client), and with `refresh_tokens` of those too. Returns how many
        were in force."""
        return int(self._do(lambda: self._guard.expire(self._now(), client_id, refresh_tokens=refresh_tokens)))

    def revoke(self, client_id: str | None = None) -> int:
        """Revokes all that was granted (to one client), refresh tokens too. Returns how many grants were in force."""
        return int(self._do(lambda: self._guard.revoke(self._now(), client_id)))

    def fail_next(
        self,
        endpoint: str,
        error: str | None = None,
        *,
        description: str | None = None,
        status: int | None = None,
        times: int = 1,
    ) -> None:
        """The next requests to an endpoint fail with a code of OAuth's: `resource_metadata`, `metadata`, `register`,
        `authorize`, `token`, `revoke`, or `resource`, which is the service itself. Raises ValueError."""
        given = {"endpoint": endpoint, "error": error, "description": description, "status": status, "times": times}
        failure, count = read_failure(given, "")
        self._do(lambda: self._guard.fail_next(failure, count))

    def status(self) -> dict[str, Any]:
        """How many clients and tokens there are, and which failures are still to come."""
        told: dict[str, Any] = self._do(lambda: self._guard.status(self._now()))
        return told

    def reset(self) -> None:
        """Forgets clients that registered themselves, all tokens, and failures to come."""
        self._do(self._guard.reset)
