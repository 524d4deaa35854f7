"""A thousand WebSockets at once: how late their messages are, against streams over HTTP; and what an idle one takes.

The reference paces nothing over WebSockets, so that ours is held against its own streams, in alternation.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from dataclasses import replace

from bench import fixtures
from bench.plan import Plan
from bench.report import Judged, Row
from bench.rows.fidelity import LATENESS, RAMP, ROUNDS, Cell, Slice, listening_to, timed
from bench.servers import OURS, Running, running
from bench.streams import Listening, shake_hands

CELL = Cell(1000, 20)
OVER_HTTP_TARGET = 1.25
"""The latenesses of sockets over those of streams."""
SOCKETS = 1000
"""Idle."""
SETTLE = 0.5
"""Seconds."""
HANDSHAKE = (
    "GET /v1/responses HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
EVENTS = 8
"""That a Responses stream has beside its deltas, each paced as these are."""


def measure(plan: Plan) -> list[Row]:
    directory = fixtures.paced(plan.directory / "sockets", [CELL.pacing])
    over_http = {metric: Row(f"{CELL} over HTTP: {metric.name}", metric.unit) for metric in LATENESS}
    over_sockets = {metric: Row(f"{CELL} over WebSockets: {metric.name}", metric.unit) for metric in LATENESS}
    ratios = {
        metric: Row(f"… over that of HTTP, {metric.name}", "×", OVER_HTTP_TARGET, Judged.ALONE) for metric in LATENESS
    }
    cpu = [Row(f"{CELL} over {way}: CPU per frame", "µs") for way in ("HTTP", "WebSockets")]
    memory = Row("memory per idle WebSocket", "KiB")
    for _ in plan.progress("sockets", min(plan.rounds, ROUNDS)):
        if OURS not in plan.servers:
            continue
        with running(OURS, directory, core=plan.cores.server) as up:
            memory.add(OURS.name, _idle(up))
        slices: list[Slice] = []
        for change in (_as_it_is, _over_sockets):
            with running(OURS, directory, core=plan.cores.server) as up:
                timed(up, replace(change(listening_to(up, CELL.pacing, CELL.streams, RAMP)), streams=50), plan.cores)
                slices.append(timed(up, change(listening_to(up, CELL.pacing, CELL.streams, RAMP)), plan.cores))
        for metric in LATENESS:
            streamed, said = map(metric.of, slices)
            over_http[metric].add(OURS.name, streamed)
            over_sockets[metric].add(OURS.name, said)
            ratios[metric].add(OURS.name, said / streamed)
        for row, heard in zip(cpu, slices, strict=True):
            row.add(OURS.name, heard.cpu)
    return [*over_http.values(), *over_sockets.values(), *ratios.values(), *cpu, memory]


def _as_it_is(to: Listening) -> Listening:
    return to


def _over_sockets(to: Listening) -> Listening:
    """The same content and pace, as events of a Responses session."""
    return replace(
        to,
        handshake=HANDSHAKE,
        request=asking_for(CELL.pacing.prompt),
        counted=CELL.pacing.slices + EVENTS,
        uncounted=0,
    )


def asking_for(prompt: str) -> str:
    """A turn of a Responses session, as a frame of a client: under a mask of zeros."""
    text = json.dumps({"type": "response.create", "model": "gpt-4o", "input": prompt}).encode()
    assert len(text) < 126
    return (struct.pack("!BBI", 0x81, 0x80 | len(text), 0) + text).decode("latin-1")


def _idle(server: Running) -> float:
    """KiB."""
    with contextlib.ExitStack() as stack:

        def open_all(count: int) -> None:
            for _ in range(count):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
                shake_hands(connection, HANDSHAKE)
            time.sleep(SETTLE)

        open_all(10)  # what the first of them all needs is not theirs
        before = server.resident_mib()
        open_all(SOCKETS)
        return (server.resident_mib() - before) * 1024 / SOCKETS
