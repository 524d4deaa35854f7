"""Opening handshakes, good and bad, and upgrades to other things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import TextMessage
from wsproto.extensions import PerMessageDeflate

from aimock.net import memory
from aimock.net.dialogue import Send
from aimock.net.exchange import Answer, Request, Task, Upgrade
from aimock.net.fast_lane import make_head
from aimock.net.framing import negotiate
from aimock.net.handshake import asks_for_websocket
from dialogues import ACCEPTED, HANDSHAKE, TEXT, Talk, client_frame

if TYPE_CHECKING:
    from tests.aimock.net.conftest import StartStage

UPGRADE = b"Upgrade: websocket\r\n"
CONNECTION = b"Connection: Upgrade\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"


async def test_the_example_of_the_RFC(start_stage: StartStage) -> None:
    """RFC 6455 1.3"""
    talk = Talk()
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(HANDSHAKE)
    arrival = await client.receive()
    assert arrival is not None
    assert arrival.data == ACCEPTED
    assert stage.script.requests[0].head.query == "x=1"
    assert talk.opened_times == 1


GOOD = {
    "lists": HANDSHAKE.replace(UPGRADE, b"Upgrade: h2c, WebSocket\r\n").replace(
        CONNECTION, b"Connection: keep-alive, UPGRADE\r\n"
    ),
    "repeated headers": HANDSHAKE.replace(UPGRADE, b"Upgrade: h2c\r\nupgrade: websocket\r\n").replace(
        CONNECTION, b"Connection: keep-alive\r\nConnection: upgrade\r\n"
    ),
    "no case": HANDSHAKE.replace(b"websocket", b"WEBSOCKET").replace(b"Sec-WebSocket-Key", b"sec-websocket-key"),
}


@pytest.mark.parametrize("sent", GOOD.values(), ids=GOOD)
async def test_a_good_handshake(sent: bytes, start_stage: StartStage) -> None:
    talk = Talk()
    stage = await start_stage(talk.answers)
    client = stage.connect()
    client.send(sent)
    arrival = await client.receive()
    assert arrival is not None
    assert arrival.data == ACCEPTED
    assert talk.opened_times == 1


BAD = {
    "method": (HANDSHAKE.replace(b"GET", b"POST"), 405, {"allow": "GET"}),
    "HTTP/1.0": (HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0"), 400, {}),
    "no connection": (HANDSHAKE.replace(CONNECTION, b""), 400, {}),
    "another connection": (HANDSHAKE.replace(CONNECTION, b"Connection: keep-alive\r\n"), 400, {}),
    "no key": (HANDSHAKE.replace(KEY, b""), 400, {}),
    "key of 15 bytes": (HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25j"), 400, {}),
    "key of 17 bytes": (HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZSE="), 400, {}),
    "key that is not base64": (HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZ*=="), 400, {}),
    "key that is not ASCII": (HANDSHAKE.replace(b"dGhl", b"dGh\xe9"), 400, {}),
    "two keys": (HANDSHAKE.replace(KEY, KEY + KEY), 400, {}),
    "no version": (HANDSHAKE.replace(VERSION, b""), 426, {"sec-websocket-version": "13", "upgrade": "websocket"}),
    "version 8": (HANDSHAKE.replace(b": 13", b": 8"), 426, {"sec-websocket-version": "13", "upgrade": "websocket"}),
    "two versions": (HANDSHAKE.replace(VERSION, VERSION + VERSION), 426, {"sec-websocket-version": "13"}),
}


@pytest.mark.parametrize(("sent", "status", "headers"), BAD.values(), ids=BAD)
async def test_a_bad_handshake_is_refused_and_opens_nothing(
    sent: bytes, status: int, headers: dict[str, str], start_stage: StartStage
) -> None:
    talk = Talk()
    stage = await start_stage(talk.answers)
    (response,) = await stage.converse(sent)
    assert response.status == status
    assert response.headers.items() >= (headers | {"connection": "close"}).items()
    assert int(response.headers["content-length"]) == len(response.body) > 0
    assert [refusal.status for _, refusal in stage.script.refusals] == [status]
    assert (talk.opened_times, talk.outcomes) == (0, [])


async def test_a_bad_handshake_ends_the_connection(start_stage: StartStage) -> None:
    stage = await start_stage(Talk().answers)
    client = stage.connect()
    client.send(HANDSHAKE.replace(KEY, b"") + HANDSHAKE)
    told = b"".join(arrival.data for arrival in await client.receive_all())
    assert told.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("upgrade", [b"h2c", b"h2c, TLS/1.0", b"foo"])
async def test_an_upgrade_to_something_else_is_ordinary_HTTP(upgrade: bytes, start_stage: StartStage) -> None:
    """aimock#410: OkHttp offers h2c on every request over plain TCP."""
    stage = await start_stage()
    probe = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\n"
        b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 14\r\n\r\n"
    ) % upgrade
    first, second = await stage.converse(probe + b'{"stream":tr', b"ue" + probe + b"x" * 14, methods=("POST", "POST"))
    assert (first.status, first.told["body"]) == (200, '{"stream":true')
    assert (second.status, second.told["body"]) == (200, "x" * 14)
    assert not asks_for_websocket(stage.script.requests[0].head)


@pytest.mark.parametrize(
    ("lines", "asks"),
    [
        ([("upgrade", "websocket")], True),
        ([("upgrade", "h2c, WebSocket")], True),
        ([("upgrade", "h2c"), ("upgrade", "websocket")], True),
        ([("upgrade", "websocket/13")], False),
        ([("upgrade", "h2c")], False),
        ([("connection", "upgrade")], False),
        ([], False),
    ],
)
def test_who_asks_for_a_websocket(lines: list[tuple[str, str]], asks: bool) -> None:
    head = make_head("POST", "/", lines)
    assert head is not None
    assert asks_for_websocket(head) is asks


async def test_what_the_upgrade_says(start_stage: StartStage) -> None:
    def answers(request: Request) -> Answer:
        return Upgrade(Talk, subprotocol="realtime", headers=(("x-request-id", "req_1"), ("x-bad", "a\r\nb: c")))

    stage = await start_stage(answers)
    socket = await memory.open_websocket(stage.server, subprotocols=["openai-insecure-api-key.sk", "realtime"])
    assert socket.accepted.subprotocol == "realtime"
    assert socket.accepted.extra_headers == [(b"x-request-id", b"req_1")]


async def test_frames_sent_ahead_of_the_answer_are_heard(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """Also while the answer itself must be waited for, and when they are cut within a frame."""
    talk = Talk(lambda message: [Send(b"heard")])

    async def late() -> Answer:
        await trio.sleep(1)
        return talk.answers(Request(stage.script.requests[0].head))

    stage = await start_stage(lambda request: Task(late))
    frames = client_frame(TEXT, b"one") + client_frame(TEXT, b"two")
    for cut in range(len(frames) + 1):
        talk.heard.clear()
        client = stage.connect()
        client.send(HANDSHAKE + frames[:cut])
        await wait_all_tasks_blocked()
        client.send(frames[cut:])
        arrivals = await client.receive_until(b"heard\x81\x05heard")
        assert b"".join(arrival.data for arrival in arrivals) == ACCEPTED + b"\x81\x05heard" * 2
        assert talk.heard == ["one", "two"]


async def test_a_handshake_byte_by_byte(start_stage: StartStage) -> None:
    stage = await start_stage(Talk().answers)
    client = stage.connect()
    for at in range(len(HANDSHAKE)):
        client.send(HANDSHAKE[at : at + 1])
        await wait_all_tasks_blocked()
    arrival = await client.receive()
    assert arrival is not None
    assert arrival.data == ACCEPTED


async def test_no_socket_is_opened_while_the_server_shuts_down(
    start_stage: StartStage, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    talk = Talk()

    async def late() -> Answer:
        await trio.sleep(1)
        return talk.answers(Request(stage.script.requests[0].head))

    stage = await start_stage(lambda request: Task(late))
    client = stage.connect()
    client.send(HANDSHAKE)
    await wait_all_tasks_blocked()
    nursery.start_soon(stage.server.shut_down, 5)
    arrivals = await client.receive_all()
    assert arrivals[0].data.startswith(b"HTTP/1.1 503 ")
    assert talk.opened_times == 0


# -- compression -------------------------------------------------------------------------------------------------------

OFFERS: dict[str, str | None] = {
    "permessage-deflate": "permessage-deflate",
    "permessage-deflate; client_max_window_bits": "permessage-deflate; client_max_window_bits=15",
    "permessage-deflate;client_max_window_bits=10": "permessage-deflate; client_max_window_bits=10",
    'permessage-deflate; server_max_window_bits="12"': "permessage-deflate; server_max_window_bits=12",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover": (
        "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
    ),
    "x-webkit-deflate-frame": None,
    "permessage-deflate; server_max_window_bits": None,
    "permessage-deflate; server_max_window_bits=16": None,
    "permessage-deflate; server_max_window_bits=8": None,  # zlib has no such window
    "permessage-deflate; server_max_window_bits=010": None,
    "permessage-deflate; server_max_window_bits=x": None,
    "permessage-deflate; server_no_context_takeover=1": None,
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover": None,
    "permessage-deflate; mystery": None,
    "permessage-deflate; mystery, permessage-deflate; client_no_context_takeover, permessage-deflate": (
        "permessage-deflate; client_no_context_takeover"
    ),
    "permessage-bzip2, permessage-deflate": "permessage-deflate",
    "": None,
}


@pytest.mark.parametrize(("offer", "accepted"), OFFERS.items())
async def test_what_is_offered_is_agreed(offer: str, accepted: str | None, start_stage: StartStage) -> None:
    """RFC 7692 7.1: the first acceptable offer, and nothing that was not offered."""
    stage = await start_stage(Talk().answers)
    client = stage.connect()
    client.send(HANDSHAKE[:-2] + f"Sec-WebSocket-Extensions: {offer}\r\n\r\n".encode())
    arrival = await client.receive()
    assert arrival is not None
    told = "" if accepted is None else f"sec-websocket-extensions: {accepted}\r\n"
    assert arrival.data == ACCEPTED[:-2] + told.encode() + b"\r\n"


def test_a_declined_offer_leaves_no_trace_in_the_next() -> None:
    agreed = negotiate(
        ["permessage-deflate; client_no_context_takeover; server_max_window_bits=8", "permessage-deflate"], 1000
    )
    assert agreed is not None
    assert agreed[1] == "permessage-deflate"
    assert not agreed[0].client_no_context_takeover


async def test_one_extension_header_for_each_offer(start_stage: StartStage) -> None:
    stage = await start_stage(Talk(lambda message: [Send(b"!")]).answers)
    socket = await memory.open_websocket(
        stage.server,
        extensions=[PerMessageDeflate(client_no_context_takeover=True)],
        headers=[(b"Sec-WebSocket-Extensions", b"permessage-deflate")],
    )
    socket.say("x" * 1000)
    heard = await socket.receive()
    assert heard is not None
    assert heard.event == TextMessage("!")
