"""aimock: a mock server for the whole agentic AI stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aimock.server import AIMock, LLMock
    from aimock.suite import MockSuite, create_mock_suite
    from aimock.surfaces.mcp.mock import MCPMock as MCPMock

__all__ = ["AIMock", "LLMock", "MockSuite", "__version__", "create_mock_suite"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Imports the server when it is asked for: the protocols and the command line do without it."""
    if name in ("AIMock", "LLMock"):
        from aimock import server

        return getattr(server, name)
    if name in ("MockSuite", "create_mock_suite"):
        from aimock import suite

        return getattr(suite, name)
    if name.endswith("Mock"):
        from aimock import mounts

        for service, kind in mounts.SERVICES.items():
            if kind.mock == name:
                return mounts.mock_class(service)
    raise AttributeError(f"module 'aimock' has no attribute {name!r}")
