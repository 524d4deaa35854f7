"""A load generator for machines without wrk: `python -m bench.client PORT REQUEST_FILE SECONDS CONNECTIONS`.

One thread, keep-alive connections, the next request as soon as the answer is complete; prints one line of JSON.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from itertools import count
from pathlib import Path

from bench.traffic import VARYING


class Connection:
    """One connection, always with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def send(self, request: bytes) -> None:
        self._received = b""
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status once the answer is complete, None before. Raises ConnectionError if the server closed."""
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("closed by the server")
        self._received += piece
        head, blank, body = self._received.partition(b"\r\n\r\n")
        return int(head[9:12]) if blank and _complete(head.lower(), body) else None


def _complete(head: bytes, body: bytes) -> bool:
    length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length) if length else body.endswith(b"0\r\n\r\n")


def drive(port: int, request: bytes, seconds: float, connections: int) -> dict[str, int]:
    """Answers received and errors met in `seconds`; a broken connection ends the run as an error."""
    numbers = count()
    peers = {peer.socket.fileno(): peer for peer in (Connection(port) for _ in range(connections))}
    poll = select.epoll()
    for descriptor, peer in peers.items():
        poll.register(descriptor, select.EPOLLIN)
        peer.send(_numbered(request, next(numbers)))
    requests = errors = 0
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        for descriptor, _ in poll.poll(deadline - time.perf_counter()):
            status = peers[descriptor].receive()
            if status is not None:
                requests += 1
                errors += status >= 400
                peers[descriptor].send(_numbered(request, next(numbers)))
    for peer in peers.values():
        peer.socket.close()
    return {"requests": requests, "errors": errors}


def _numbered(request: bytes, number: int) -> bytes:
    return request.replace(VARYING, b"%016x" % number)


if __name__ == "__main__":
    port, request_file, seconds, connections = sys.argv[1:]
    print(json.dumps(drive(int(port), Path(request_file).read_bytes(), float(seconds), int(connections))))
