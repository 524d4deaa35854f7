"""A reader of many paced streams: `python -m bench.streams`, with a Listening as JSON on its standard input.

One thread on one epoll. It stamps and counts frames, and understands nothing else of what it reads. The stamps are the
kernel's: when the bytes reached the client's socket, however late this process then came to read them. So its own
slowness is not billed to the server; it is told besides (`lag`, `busy`).
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from bench import CannotRun
from bench.servers import REPOSITORY

FRAME_END = b"\n\n"
_LF = 0x0A
_TEXT_FRAME = 0x81
_SO_TIMESTAMPNS = 35  # of Linux; the socket module has no name for it
_TIMESPEC = struct.Struct("qq")
_BUFFER_BYTES = 256 * 1024
_SETTLE = 0.2
"""Seconds in which the server takes in the last of the connections before it is asked anything."""
_MOST_READY = 256
"""Sockets read before the next request is sent, so that a flood of frames does not hold up the ramp."""


@dataclass(frozen=True)
class Listening:
    """What to ask for, and when it should come. Times in seconds."""

    port: int
    request: str
    """That each stream is asked for with: bytes as Latin-1."""
    streams: int
    counted: int
    """Frames of a stream that have a time of their own."""
    uncounted: int
    """Those that follow the last of these at once."""
    ttft: float
    """From request to first frame."""
    gap: float
    """From one frame to the next."""
    ramp: float
    """Over which the requests are spread."""
    limit: float
    """After which, from its request, a stream is given up."""
    stalled_request: str = ""
    """What one more client asks that reads nothing of the answer; empty: there is none."""
    handshake: str = ""
    """What first makes a WebSocket of each connection; then the frames are its text frames. Empty: they are events."""

    due: Sequence[float] = ()
    """When each counted frame is due, from the request, if they are not a gap apart."""

    @property
    def duration(self) -> float:
        return self.ideal(self.counted - 1)

    def ideal(self, number: int) -> float:
        """When the frame is due, from the request."""
        return self.due[number] if self.due else self.ttft + number * self.gap


@dataclass(frozen=True)
class Heard:
    """How far off their time streams and frames were: medians and 99th percentiles.

    Times count from the sending of the request, and being early counts as much as being late. What had not come at
    the limit counts as if it came then, so that with `unfinished` streams the figures are lower bounds.
    """

    duration_error: Sequence[float]
    """Over streams: how far off the last frame was, as a fraction of the duration asked for."""
    lateness: Sequence[float]
    """Over frames, in seconds."""
    ttft_error: Sequence[float]
    """Over streams, in seconds."""
    frames: int
    """How many came."""
    unfinished: int
    """Streams of which something was missing at the limit."""
    stamped: bool
    """Whether the kernel's stamps were to be had; else they are this process's own, and its lag is in the figures."""
    lag: float
    """Seconds from the kernel's stamp to the reading, 99th percentile."""
    busy: float
    """The fraction of the time that this process was running."""


def hear(to: Listening, *, core: int) -> Heard:
    """Listens in a process of its own on `core`. Raises DidNotStream."""
    finished = subprocess.run(
        [sys.executable, "-m", "bench.streams"],
        cwd=REPOSITORY,
        input=json.dumps(asdict(to)),
        capture_output=True,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    if finished.returncode != 0:
        raise DidNotStream((finished.stderr.strip().splitlines() or [f"exit {finished.returncode}"])[-1])
    return Heard(**json.loads(finished.stdout))


class DidNotStream(CannotRun):
    """A server closed a stream, or did not send what was expected."""


class _Stream:
    """One connection, and what came on it."""

    __slots__ = ("count", "ended_in_lf", "frames", "head", "heard", "missing", "receive", "sent", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.count = self._count_events
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.socket.setblocking(False)
        self.receive = self.socket.recvmsg_into
        self.sent = 0.0
        self.frames = 0
        self.heard: list[tuple[float, int]] = []
        """(Unix time, number of frames that came with it)."""
        self.ended_in_lf = False
        self.head = b""
        """The beginning of a WebSocket frame's header."""
        self.missing = 0
        """Bytes of a WebSocket frame that are still to come."""

    def switch(self, handshake: str) -> None:
        """Makes a WebSocket of it. Raises ConnectionError."""
        self.socket.settimeout(30)
        shake_hands(self.socket, handshake)
        self.socket.setblocking(False)
        self.count = self._count_frames

    def _count_events(self, buffer: bytearray, size: int) -> int:
        """How many end in the first `size` bytes of the buffer."""
        count = buffer.count(FRAME_END, 0, size)
        if buffer[0] == _LF and self.ended_in_lf:
            count += 1  # the network split the end of a frame
        self.ended_in_lf = buffer[size - 1] == _LF
        if not count and size >= 12 and buffer.startswith(b"HTTP/") and buffer[9:12] != b"200":
            raise ConnectionError(f"expected a 200, got {bytes(buffer[: min(size, 500)])!r}")
        return count

    def _count_frames(self, buffer: bytearray, size: int) -> int:
        """How many text frames begin there. A server's are not masked (RFC 6455 5.1)."""
        data, at, count = self.head + buffer[:size], self.missing, 0
        self.head = b""
        while at < len(data):
            length, start = data[at + 1] if at + 1 < len(data) else 0, at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                length = int.from_bytes(data[at + 2 : start], "big")
            if start > len(data):
                self.head = bytes(data[at:])
                at = len(data)
                break
            count += data[at] == _TEXT_FRAME
            at = start + length
        self.missing = at - len(data)
        return count

    def offsets(self) -> list[float]:
        """Of each frame that came, from the request."""
        return [arrived - self.sent for arrived, count in self.heard for _ in range(count)]


@dataclass
class _Reader:
    """Reads what comes on any stream, and stamps it."""

    expected: int
    """Frames of a stream."""
    unfinished: int
    lags: list[float] = field(default_factory=list)
    _buffer: bytearray = field(default_factory=lambda: bytearray(_BUFFER_BYTES))

    def read(self, stream: _Stream) -> bool:
        """Whether the stream is at its end. Raises ConnectionError."""
        buffer = self._buffer
        size, ancillary, _, _ = stream.receive([buffer], 64)
        arrived = time.time()
        if ancillary:
            seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
            stamp = seconds + nanoseconds / 1e9
            self.lags.append(arrived - stamp)
            arrived = stamp
        if not size:
            raise ConnectionError(f"closed by the server after {stream.frames} of {self.expected} frames")
        count = stream.count(buffer, size)
        if not count:
            return False
        stream.frames += count
        stream.heard.append((arrived, count))
        if stream.frames > self.expected:
            raise ConnectionError(f"expected {self.expected} frames a stream, got {stream.frames}")
        return stream.frames == self.expected


def listen(to: Listening) -> Heard:
    """Asks for all streams and reads them to their end. Raises ConnectionError if one is not as expected."""
    with contextlib.ExitStack() as stack:
        streams = [_Stream(to.port) for _ in range(to.streams)]
        for stream in streams:
            stack.enter_context(stream.socket)
        if to.handshake:
            for stream in streams:
                stream.switch(to.handshake)
        if to.stalled_request:
            stack.enter_context(_ask_and_stall(to.port, to.stalled_request.encode("latin-1")))
        time.sleep(_SETTLE)
        return _listen(to, streams)


def _listen(to: Listening, streams: list[_Stream]) -> Heard:
    request = to.request.encode("latin-1")
    by_descriptor = {stream.socket.fileno(): stream for stream in streams}
    reader = _Reader(to.counted + to.uncounted, unfinished=len(streams))
    asked = 0
    began, cpu = time.time(), time.process_time()
    ends = began + to.ramp + to.limit
    with select.epoll() as poll:
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        while reader.unfinished and (now := time.time()) < ends:
            while asked < len(streams) and began + to.ramp * asked / len(streams) <= now:
                streams[asked].sent = time.time()
                streams[asked].socket.send(request)
                asked += 1
            wakes = began + to.ramp * asked / len(streams) if asked < len(streams) else ends
            for descriptor, _ in poll.poll(max(0.0, wakes - time.time()), _MOST_READY):
                if reader.read(by_descriptor[descriptor]):
                    reader.unfinished -= 1
                    poll.unregister(descriptor)
    busy = (time.process_time() - cpu) / (time.time() - began)
    return _judge(to, streams, reader, busy)


def shake_hands(connection: socket.socket, handshake: str) -> None:
    """Makes a WebSocket of the connection. Raises ConnectionError."""
    connection.sendall(handshake.encode("latin-1"))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        data = connection.recv(4096)
        if not data:
            break
        answer += data
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError(f"expected a 101, got {answer[:500]!r}")


def _ask_and_stall(port: int, request: bytes) -> socket.socket:
    """A client that reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    return client


def _judge(to: Listening, streams: Sequence[_Stream], reader: _Reader, busy: float) -> Heard:
    durations: list[float] = []
    ttfts: list[float] = []
    lateness: list[float] = []
    for stream in streams:
        offsets = stream.offsets()[: to.counted]
        offsets += [to.limit] * (to.counted - len(offsets))
        ttfts.append(abs(offsets[0] - to.ttft))
        durations.append(abs(offsets[-1] - to.duration) / to.duration)
        lateness.extend(abs(offset - to.ideal(number)) for number, offset in enumerate(offsets))
    return Heard(
        duration_error=_percentiles(durations),
        lateness=_percentiles(lateness),
        ttft_error=_percentiles(ttfts),
        frames=sum(stream.frames for stream in streams),
        unfinished=reader.unfinished,
        stamped=bool(reader.lags),
        lag=_percentiles(reader.lags or [0.0])[1],
        busy=busy,
    )


def _percentiles(values: list[float]) -> tuple[float, float]:
    """Median and 99th percentile, by nearest rank."""
    values.sort()
    return values[len(values) // 2], values[min(len(values) - 1, len(values) * 99 // 100)]


if __name__ == "__main__":
    gc.disable()  # a collection would be a gap in the reading
    print(json.dumps(asdict(listen(Listening(**json.load(sys.stdin))))))
