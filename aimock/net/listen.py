"""Opening listening sockets."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Sequence

BACKLOG = 1024

Listeners = Sequence[socket.socket]


def open_listeners(host: str, port: int) -> Listeners:
    """Non-blocking listening sockets on every address that `host` has; port 0 takes one free port for all of them.

    Raises OSError, naming the address.
    """
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = sockets[0].getsockname()[1] if port == 0 and len(sockets) > 1 else port
            sock.bind((address[0], chosen, *address[2:]))
            sock.listen(BACKLOG)
            sock.setblocking(False)
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return sockets


def url_of(listener: socket.socket, *, secure: bool = False) -> str:
    """`http://address:port` as bound, an IPv6 address in brackets; `https` if secure."""
    address, port = listener.getsockname()[:2]
    scheme = "https" if secure else "http"
    return f"{scheme}://[{address}]:{port}" if ":" in address else f"{scheme}://{address}:{port}"
