"""Services as Python objects: mounted on a mock server, or served alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from aimock.surfaces.mounted import Mounted

if TYPE_CHECKING:
    from aimock.server import AIMock
    from aimock.surfaces.oauth.mock import OAuthMock

S = TypeVar("S", bound=Mounted)
T = TypeVar("T")


class ServiceMock(Generic[S]):
    """One service. Give it to `AIMock.mount`; or start it, with `with`, `async with` (Trio) or `start` and `stop`, on a
    server of its own."""

    def __init__(self, service: S, *, auth: Any = None, **options: Any) -> None:
        """`auth`: True, or an object as in a config file, lets in only clients with a token of its own authorization
        server. `options`: those of `AIMock`, for a server of its own. Raises ValueError that names the key."""
        self.service = service
        if auth is not None:
            from aimock.surfaces.oauth.guard import guard_of  # most services let everybody in

            service.guard = guard_of(auth)
        self._options = options
        self._server: AIMock | None = None
        self._is_alone = False

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> str:
        """Starts a server of its own and returns the URL of the service. Raises as `AIMock.start` does."""
        self._own().start()
        return self.url

    def stop(self) -> None:
        self._own().stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await self._own().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._own().__aexit__(kind, error, trace)

    def _own(self) -> AIMock:
        """The server of its own. Raises RuntimeError if it is mounted on another."""
        from aimock.server import AIMock  # which knows of services

        if self._server is None:
            self._is_alone = True
            AIMock(**self._options).mount(f"/{self.service.name}", self)
        assert self._server is not None
        if not self._is_alone:
            raise RuntimeError("it is mounted on a server, which is to be started instead")
        return self._server

    def attached(self, server: AIMock) -> None:
        """It is mounted there from now on."""
        self._server = server

    @property
    def url(self) -> str:
        """Where clients reach it. Raises RuntimeError unless its server is running."""
        return self._serving.url + self.service.path

    @property
    def port(self) -> int:
        """Raises RuntimeError unless its server is running."""
        return self._serving.port

    @property
    def _serving(self) -> AIMock:
        if self._server is None:
            raise RuntimeError("the service is not mounted, and has no server of its own that is running")
        return self._server

    # -- what it does ----------------------------------------------------------------------------------------------

    @property
    def oauth(self) -> OAuthMock:
        """Its authorization server. Raises RuntimeError if it has none."""
        from aimock.surfaces.oauth.mock import OAuthMock

        return OAuthMock(self.service.guard, self._do, self._now)

    def _now(self) -> float:
        """Unix time, as its server's clock has it."""
        return time.time() if self._server is None else self._server._state.settings.wall_clock()

    def health(self) -> dict[str, Any]:
        return self._do(self.service.health)

    def get_requests(self) -> list[dict[str, Any]]:
        """The journal's entries of its requests, oldest first, as the control API shows them."""
        server = self._server
        if server is None:
            return []
        return [entry for entry in server.get_requests() if entry.get("service") == self.service.name]

    def add(self, value: Any) -> Self:
        """Adds what a section of a config file could have. Raises ValueError that names the key."""
        self._do(lambda: self.service.add(value))
        return self

    def reset(self) -> Self:
        """Back to an empty service."""
        self._do(self.service.reset)
        return self

    def _do(self, act: Callable[[], T]) -> T:
        """Runs in the server's loop, if there is one: no change falls into the midst of an answer."""
        return act() if self._server is None else self._server._do(act)
