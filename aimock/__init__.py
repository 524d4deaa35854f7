"""aimock: a mock server for the whole agentic AI stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aimock.server import AIMock, LLMock

__all__ = ["AIMock", "LLMock", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Imports the server when it is asked for: the protocols and the command line do without it."""
    if name in ("AIMock", "LLMock"):
        from aimock import server

        return getattr(server, name)
    raise AttributeError(f"module 'aimock' has no attribute {name!r}")
