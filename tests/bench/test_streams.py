"""The reader of paced streams counts and judges rightly. What it measures is for `python -m bench` to say."""

from __future__ import annotations

import select
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimock import AIMock

if sys.platform != "linux":
    pytest.skip("the benchmark needs Linux", allow_module_level=True)

from bench import fixtures
from bench.fixtures import Pacing
from bench.machine import Cores
from bench.servers import CONTROL, running
from bench.streams import DidNotStream, Listening, _judge, _Reader, _Stream, hear, listen

PACING = Pacing("hello", ttft=5, tps=1000, slices=10)
REQUEST_BODY = '{"model": "m", "stream": true, "messages": [{"role": "user", "content": "%s"}]}'
ASKED = Listening(
    port=0,
    request="",
    streams=20,
    counted=PACING.counted,
    uncounted=1,
    ttft=0.005,
    gap=0.001,
    ramp=0.02,
    limit=30.0,
)


def asking(port: int, prompt: str = PACING.prompt, **changes: Any) -> Listening:
    body = REQUEST_BODY % prompt
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return replace(ASKED, port=port, request=head + body, **changes)


@pytest.fixture
def mock() -> Iterator[AIMock]:
    with AIMock() as running_here:
        profile = {"ttft": PACING.ttft, "tps": PACING.tps}
        match, response = {"userMessage": PACING.prompt}, {"content": PACING.content}
        running_here.add_fixtures([{"match": match, "response": response, "streamingProfile": profile}])
        yield running_here


def test_all_streams_are_heard_to_their_end(mock: AIMock) -> None:
    heard = listen(asking(mock.port))
    assert (heard.frames, heard.unfinished) == (20 * (PACING.counted + 1), 0)
    assert 0 <= heard.lateness[0] <= heard.lateness[1] < 30
    assert 0 <= heard.ttft_error[0] <= heard.ttft_error[1] < 30
    assert 0 <= heard.duration_error[0] <= heard.duration_error[1]


def test_a_reader_in_a_process_of_its_own_hears_the_same(mock: AIMock) -> None:
    heard = hear(asking(mock.port), core=Cores.available().load)
    assert (heard.frames, heard.unfinished) == (20 * (PACING.counted + 1), 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": "unknown"}, "expected a 200, got .*404"),
        ({"counted": PACING.counted - 1}, "expected 12 frames a stream, got 13"),
    ],
)
def test_what_is_not_as_expected_is_told(changes: dict[str, Any], said: str, mock: AIMock) -> None:
    with pytest.raises(ConnectionError, match=said):
        listen(asking(mock.port, **changes))
    with pytest.raises(DidNotStream, match=said):
        hear(asking(mock.port, **changes), core=Cores.available().load)


def test_a_server_that_is_not_done_in_time_is_not_waited_for(mock: AIMock) -> None:
    heard = listen(asking(mock.port, streams=3, counted=PACING.counted + 5, limit=0.05))
    assert heard.unfinished == 3
    assert heard.frames <= 3 * (PACING.counted + 1)


def test_a_client_that_reads_nothing_is_no_stream(mock: AIMock) -> None:
    asked = asking(mock.port)
    heard = listen(replace(asked, stalled_request=asked.request))
    assert (heard.frames, heard.unfinished) == (20 * (PACING.counted + 1), 0)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_frames_are_counted_however_the_network_splits_them(size: int) -> None:
    wire = b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(b"%x\r\ndata: %d\n\n\r\n" % (8 + n // 10, n) for n in range(12))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = _Stream(listener.getsockname()[1])
        peer, _ = listener.accept()
        reader = _Reader(expected=12, unfinished=1)
        with peer, stream.socket:
            ended = []
            for start in range(0, len(wire), size):
                peer.sendall(wire[start : start + size])
                assert select.select([stream.socket], [], [], 5)[0]
                ended.append(reader.read(stream))
    assert stream.frames == sum(count for _, count in stream.heard) == 12
    assert ended.count(True) == 1


class Heard(_Stream):
    """A stream whose frames came at these times after its request."""

    def __init__(self, *offsets: float) -> None:
        self.sent = 100.0
        self.heard = [(100.0 + offset, 1) for offset in offsets]
        self.frames = len(offsets)


def test_what_is_early_late_or_missing_counts_alike() -> None:
    asked = replace(ASKED, counted=3, uncounted=0, ttft=1.0, gap=0.5, limit=6.0)
    streams = [Heard(1.0, 1.5, 2.0), Heard(1.0, 1.5, 2.0), Heard(0.75, 1.5, 2.5), Heard(1.0, 1.5)]
    heard = _judge(asked, streams, _Reader(expected=3, unfinished=1), busy=0.5)
    assert heard.duration_error == pytest.approx((0.25, 2.0)), "of 0, 0, 0.5 and 4 seconds off 2"
    assert heard.ttft_error == pytest.approx((0.0, 0.25))
    assert heard.lateness == pytest.approx((0.0, 4.0))
    assert (heard.frames, heard.unfinished, heard.stamped, heard.busy) == (11, 1, False, 0.5)


def test_the_control_sends_what_a_server_would(tmp_path: Path) -> None:
    directory = fixtures.paced(tmp_path / "paced", [Pacing("other", 1, 1, 1), PACING])
    with running(CONTROL, directory, core=Cores.available().server) as control:
        heard = listen(asking(control.port))
    assert (heard.frames, heard.unfinished) == (20 * (PACING.counted + 1), 0)


def test_frames_of_a_websocket_are_counted_however_they_come() -> None:
    """Text frames of every length, with a ping among them that does not count."""
    texts = [
        b"\x81\x05hello",
        b"\x81\x7e\x00\xc8" + b"x" * 200,
        b"\x81\x7f" + (70_000).to_bytes(8, "big") + b"y" * 70_000,
    ]
    data = b"".join([texts[0], b"\x89\x00", *texts])
    for size in (1, 3, 4096, len(data)):
        stream = object.__new__(_Stream)
        stream.head, stream.missing = b"", 0
        pieces = [bytearray(data[at : at + size]) for at in range(0, len(data), size)]
        assert sum(stream._count_frames(piece, len(piece)) for piece in pieces) == 4


def test_sessions_over_websockets_are_heard_to_their_end(mock: AIMock) -> None:
    from bench.rows.sockets import EVENTS, HANDSHAKE, asking_for

    counted = PACING.slices + EVENTS
    heard = listen(
        replace(
            ASKED, port=mock.port, handshake=HANDSHAKE, request=asking_for(PACING.prompt), counted=counted, uncounted=0
        )
    )
    assert (heard.frames, heard.unfinished) == (20 * counted, 0)
    with pytest.raises(ConnectionError, match="expected a 101"):
        listen(replace(ASKED, port=mock.port, handshake=HANDSHAKE.replace("/v1/responses", "/v1/nothing")))
