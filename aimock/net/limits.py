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
    message_bytes: int = 32 * 1024 * 1024
    """Of one WebSocket message, inflated: providers take 15 MiB of audio, which is 20 in base64."""
    ping_interval: float = 30.0
    """For the peer of a WebSocket to be silent before it is sent a ping, and between two of these."""
    pong_timeout: float = 300.0
    """For it to be silent, pings and all, before it is given up."""
    close_timeout: float = 1.0
    """For it to answer a close frame."""
