"""Several mocks on one port."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from aimock import mounts
from aimock.server import AIMock
from aimock.surfaces.mock import ServiceMock


class MockSuite:
    """A mock server with services mounted on it: `llm` is the server, and each service is an attribute by its name
    (None, if it was not asked for)."""

    def __init__(self, llm: AIMock, services: Mapping[str, ServiceMock[Any]]) -> None:
        self.llm = llm
        self._services = services
        for name, service in services.items():
            llm.mount(f"/{name}", service)

    def __getattr__(self, name: str) -> ServiceMock[Any] | None:
        if name in mounts.SERVICES:
            return self._services.get(name)
        raise AttributeError(name)

    @property
    def url(self) -> str:
        """That of the server. Raises RuntimeError unless it is running."""
        return self.llm.url

    def start(self) -> str:
        return self.llm.start()

    def stop(self) -> None:
        self.llm.stop()

    def reset(self) -> Self:
        """Empties the server and every service."""
        self.llm.reset()
        for service in self._services.values():
            service.reset()
        return self

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await self.llm.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self.llm.__aexit__(kind, error, trace)


def create_mock_suite(
    llm: AIMock | Mapping[str, Any] | bool | None = None, **services: ServiceMock[Any] | Mapping[str, Any] | bool | None
) -> MockSuite:
    """A suite that is not started yet. `llm`: the server, or the options of one. `services`: by name (`mcp=True`), a
    mock, a section as in a config file, or True for an empty one. Raises TypeError for a service that there is not, and
    ValueError for a section that is wrong."""
    server = llm if isinstance(llm, AIMock) else AIMock(**(llm if isinstance(llm, Mapping) else {}))
    unknown = [name for name in services if name not in mounts.SERVICES]
    if unknown:
        raise TypeError(f"{unknown[0]}: no such service; there are {', '.join(mounts.SERVICES)}")
    made = {}
    for name, wanted in services.items():
        if not wanted and not isinstance(wanted, ServiceMock):
            continue
        mock = wanted if isinstance(wanted, ServiceMock) else mounts.mock_class(name)()
        made[name] = mock.add(wanted) if isinstance(wanted, Mapping) else mock
    return MockSuite(server, made)
