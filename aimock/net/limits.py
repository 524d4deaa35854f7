"""Bounds on everything that a peer can make grow, and on how long it may take."""

from __future__ import annotations

import attrs


@attrs.frozen
class Limits:
    """Sizes in bytes, times in seconds. The defaults suit a test suite with large prompts and slow reasoning."""

    head_bytes: int = 64 * 1024
    header_lines: int = 200
    body_bytes: int = 10 * 1024 * 1024
    connections: int = 10_000
    """Above this, the connection that has been idle longest is closed; with none idle, accepting waits."""
    idle_timeout: float = 75.0
    """Between two requests on one connection."""
    head_timeout: float = 20.0
    """From a request's first byte to the end of its head."""
    read_timeout: float = 60.0
    """Between two reads of a body."""
    write_timeout: float = 120.0
    """For a client to take any more of a response."""
    linger: float = 2.0
    """How long to wait for the client to have read the end of a connection that we close first."""
