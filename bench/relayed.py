"""A provider and its clients in one process: `python -m bench.relayed`. Each frame carries the time of its sending.

Prints the provider's port. Then for each line `PORT STREAMS FRAMES GAP` (seconds) on its standard input it reads so
many streams at once at that port, be it its own or a relay's, and prints as JSON the seconds from the sending of a
frame to its receipt: median, and 99th percentile.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import trio

from bench import CannotRun
from bench.servers import REPOSITORY

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
_FRAME = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1795200000,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"%d"},"finish_reason":null}]}\n\n'
)
_STAMP = re.compile(rb'"content":"(\d+)"')
_END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_NUMBERS = itertools.count()
_RAMP = 20
"""Gaps over which the requests are spread."""


class Probe:
    """The process, as who measures has it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.port = int(self._line())

    def transit(self, port: int, streams: int, frames: int, gap: float) -> tuple[float, float]:
        """Median and 99th percentile, in seconds. Raises CannotRun."""
        assert self._process.stdin is not None
        print(port, streams, frames, gap, file=self._process.stdin, flush=True)
        middle, worst = json.loads(self._line())
        return middle, worst

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CannotRun("the provider of the relay ended")
        return line


@contextlib.contextmanager
def probe(*, core: int) -> Iterator[Probe]:
    with subprocess.Popen(
        [sys.executable, "-m", "bench.relayed"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    ) as process:
        try:
            yield Probe(process)
        finally:
            process.kill()


class _Provider:
    def __init__(self) -> None:
        self.frames = 0
        self.gap = 0.0

    async def serve(self, stream: trio.SocketStream) -> None:
        request = b""
        while (head := request.partition(b"\r\n\r\n"))[1] == b"" or len(head[2]) < _length(head[0]):
            request += await stream.receive_some()
        await stream.send_all(_HEAD)
        began = trio.current_time()
        for number in range(self.frames):
            await trio.sleep_until(began + (number + 1) * self.gap)
            frame = _FRAME % time.perf_counter_ns()
            await stream.send_all(b"%x\r\n%s\r\n" % (len(frame), frame))
        await stream.send_all(_END)
        await stream.aclose()


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


async def _read(port: int, delays: list[int]) -> None:
    messages = [{"role": "user", "content": f"number {next(_NUMBERS)}"}]
    body = json.dumps({"model": "m", "stream": True, "messages": messages}).encode()
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            data = await stream.receive_some()
            now = time.perf_counter_ns()
            if not data:
                raise ConnectionError(f"a stream ended early: {rest!r}")
            *frames, rest = (rest + data).split(b"}\n\n")
            delays += [now - int(stamp[1]) for frame in frames if (stamp := _STAMP.search(frame))]


async def _measure() -> None:
    provider = _Provider()
    async with trio.open_nursery() as serving:
        [listener] = await serving.start(functools.partial(trio.serve_tcp, provider.serve, 0, host="127.0.0.1"))
        print(listener.socket.getsockname()[1], flush=True)
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            port, streams, frames, gap = line.split()
            provider.frames, provider.gap = int(frames), float(gap)
            delays: list[int] = []
            async with trio.open_nursery() as reading:
                for _ in range(int(streams)):
                    reading.start_soon(_read, int(port), delays)
                    await trio.sleep(provider.gap / int(streams) * _RAMP)
            if len(delays) != int(streams) * int(frames):
                raise ConnectionError(f"expected {streams} × {frames} frames, got {len(delays)}")
            delays.sort()
            print(json.dumps([delays[len(delays) // 2] / 1e9, delays[len(delays) * 99 // 100] / 1e9]), flush=True)
        serving.cancel_scope.cancel()


if __name__ == "__main__":
    gc.disable()  # a collection would be a gap in the reading
    trio.run(_measure)
