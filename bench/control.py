"""A server that does nothing but send at the right time: what it is late is the machine's and Python's, not a mock's.

`python -m bench.control --port PORT --fixtures DIRECTORY`: answers any request that holds a prompt of the fixtures
with as many frames as the fixture would have, at the fixture's times. One loop, one heap; no HTTP to speak of.
"""

from __future__ import annotations

import argparse
import heapq
import json
import select
import socket
import time
from pathlib import Path
from typing import NamedTuple

from bench.fixtures import CHUNK_SIZE

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
FRAME = b"data: " + b"x" * 250 + b"\n\n"
"""About as long as a frame of a chat completion."""


class _Asked(NamedTuple):
    """What a prompt is answered with. Times in seconds."""

    prompt: bytes
    ttft: float
    gap: float
    counted: int


def _asked_by(fixture: dict[str, dict[str, object]]) -> _Asked:
    profile, content = fixture["streamingProfile"], str(fixture["response"]["content"])
    slices = -(-len(content) // int(str(fixture.get("chunkSize", CHUNK_SIZE))))
    prompt = str(fixture["match"]["userMessage"]).encode()
    return _Asked(prompt, float(str(profile["ttft"])) / 1000, 1 / float(str(profile["tps"])), slices + 2)


def serve(port: int, known: list[_Asked]) -> None:
    """Never returns."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.setblocking(False)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    peers: dict[int, socket.socket] = {}
    due: list[tuple[float, int, int, float, _Asked]] = []  # when, whose, the how manieth, since when, of what
    while True:
        for descriptor, _ in poll.poll(max(0.0, due[0][0] - time.monotonic()) if due else None):
            if descriptor == listener.fileno():
                peer, _ = listener.accept()
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.setblocking(False)
                peers[peer.fileno()] = peer
                poll.register(peer.fileno(), select.EPOLLIN)
                continue
            since = time.monotonic()
            request = peers[descriptor].recv(65536)
            asked = next((asked for asked in known if asked.prompt in request), None)
            if asked is not None:
                heapq.heappush(due, (since + asked.ttft, descriptor, 0, since, asked))
                continue
            if request:
                peers[descriptor].send(HEAD)  # of GET /health
            poll.unregister(descriptor)
            peers.pop(descriptor).close()
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, descriptor, number, since, asked = due[0]
            if descriptor not in peers:
                heapq.heappop(due)
                continue
            last = number == asked.counted - 1
            peers[descriptor].send((b"" if number else HEAD) + FRAME * (2 if last else 1))
            if last:
                heapq.heappop(due)
            else:
                when = since + asked.ttft + (number + 1) * asked.gap
                heapq.heapreplace(due, (when, descriptor, number + 1, since, asked))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.control", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--log-level")
    options = parser.parse_args()
    fixtures = json.loads((options.fixtures / "fixtures.json").read_text())["fixtures"]
    serve(options.port, [_asked_by(fixture) for fixture in fixtures])


if __name__ == "__main__":
    main()
