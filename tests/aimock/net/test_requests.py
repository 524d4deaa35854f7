"""How requests are read off a connection, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

if TYPE_CHECKING:
    from aimock.net.memory import MemoryClient
    from tests.aimock.net.conftest import Reader, Response, StartStage

HOST = b"Host: x\r\n"
LAST = b"Connection: close\r\n"


def post(body: bytes, *lines: bytes, target: bytes = b"/p") -> bytes:
    return b"".join((b"POST ", target, b" HTTP/1.1\r\n", HOST, *lines, b"\r\n", body))


def sized(body: bytes, *lines: bytes) -> bytes:
    return post(body, b"Content-Length: %d\r\n" % len(body), *lines)


CHUNKED = b"Transfer-Encoding: chunked\r\n"
UPGRADE_H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAA\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"


@attrs.frozen
class Conversation:
    """What a client sends, and what it is told of each request; at the end the server hangs up."""

    sent: bytes
    told: list[dict[str, str]]


def told(method: str, target: str, body: str = "", path: str | None = None, query: str = "") -> dict[str, str]:
    return {"method": method, "target": target, "path": path or target, "query": query, "body": body}


HTTP_1_0 = b"GET /old HTTP/1.0\r\n\r\n"

CONVERSATIONS = {
    "one": Conversation(sized(b"{}", LAST), [told("POST", "/p", "{}")]),
    "keep-alive": Conversation(sized(b"a") + sized(b"b", LAST), [told("POST", "/p", "a"), told("POST", "/p", "b")]),
    "pipelined": Conversation(
        b"".join(sized(b"%d" % number) for number in range(20)) + sized(b"20", LAST),
        [told("POST", "/p", str(number)) for number in range(21)],
    ),
    "bodiless": Conversation(post(b"", LAST), [told("POST", "/p")]),
    "binary": Conversation(sized(bytes(range(256)), LAST), [told("POST", "/p", bytes(range(256)).decode("latin-1"))]),
    "blank lines in the body": Conversation(sized(b"\r\n\r\n", LAST), [told("POST", "/p", "\r\n\r\n")]),
    "chunked": Conversation(
        post(b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\n", CHUNKED) + sized(b"next", LAST),
        [told("POST", "/p", "hello world"), told("POST", "/p", "next")],
    ),
    "expect": Conversation(
        sized(b"hello", b"Expect: 100-continue\r\n") + sized(b"next", LAST),
        [told("POST", "/p", "hello"), told("POST", "/p", "next")],
    ),
    "http/1.0": Conversation(HTTP_1_0, [told("GET", "/old")]),
    "http/1.0 has no keep-alive": Conversation(
        b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + sized(b"ignored"), [told("GET", "/old")]
    ),
    "nothing after close": Conversation(sized(b"a", LAST) + sized(b"ignored"), [told("POST", "/p", "a")]),
    "close among others": Conversation(
        sized(b"a", b"Connection: keep-alive, Close\r\n") + sized(b"ignored"), [told("POST", "/p", "a")]
    ),
    "absolute form": Conversation(
        b"GET http://other:80/a%20b?c=d HTTP/1.1\r\n" + HOST + LAST + b"\r\n",
        [told("GET", "http://other:80/a%20b?c=d", path="/a%20b", query="c=d")],
    ),
    "textual path": Conversation(
        b"GET //a/../b?x?y HTTP/1.1\r\n" + HOST + LAST + b"\r\n",
        [told("GET", "//a/../b?x?y", path="//a/../b", query="x?y")],
    ),
    "asterisk": Conversation(b"OPTIONS * HTTP/1.1\r\n" + HOST + LAST + b"\r\n", [told("OPTIONS", "*")]),
    "h2c with a body": Conversation(
        sized(b"body", UPGRADE_H2C) + sized(b"next", LAST), [told("POST", "/p", "body"), told("POST", "/p", "next")]
    ),
    "h2c with a chunked body": Conversation(
        post(b"4\r\nbody\r\n0\r\n\r\n", UPGRADE_H2C, CHUNKED) + sized(b"next", LAST),
        [told("POST", "/p", "body"), told("POST", "/p", "next")],
    ),
    "h2c and close": Conversation(
        sized(b"body", b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n") + sized(b"ignored"),
        [told("POST", "/p", "body")],
    ),
    "h2c by http/1.0": Conversation(
        b"GET /old HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + sized(b"ignored"), [told("GET", "/old")]
    ),
    "websocket": Conversation(
        b"GET /ws HTTP/1.1\r\n" + HOST + WEBSOCKET + b"\r\n" + sized(b"next", LAST),
        [told("GET", "/ws")],  # what is not upgraded ends there: its client waits for frames
    ),
    "bare lf": Conversation(b"GET /lf HTTP/1.1\nHost: x\nConnection: close\n\n", [told("GET", "/lf")]),
    "folded": Conversation(b"GET /f HTTP/1.1\r\nHost: x\r\nA: b\r\n  c\r\n" + LAST + b"\r\n", [told("GET", "/f")]),
    "lower-case method": Conversation(b"get /g HTTP/1.1\r\n" + HOST + LAST + b"\r\n", [told("get", "/g")]),
    "latin-1": Conversation(b"GET /g HTTP/1.1\r\n" + HOST + b"A: caf\xe9\r\n" + LAST + b"\r\n", [told("GET", "/g")]),
}


async def everything(reader: Reader) -> list[Response]:
    responses: list[Response] = []
    while (response := await reader.response()).status:
        responses.append(response)
    return responses


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
async def test_conversations(
    conversation: Conversation,
    start_stage: StartStage,
    read_memory: Callable[[MemoryClient], Reader],
    autojump_clock: MockClock,
) -> None:
    """However what is sent is cut, every request is read the same, and the connection ends as it should."""
    stage = await start_stage()
    sent = conversation.sent
    cuts = [[sent], [sent[at : at + 1] for at in range(len(sent))]]
    cuts += [[sent[:at], sent[at:]] for at in range(1, len(sent), 1 + len(sent) // 100)]
    for pieces in cuts:
        client = stage.connect()
        for piece in pieces:
            client.send(piece)
        before = trio.current_time()
        responses = await everything(read_memory(client))
        assert trio.current_time() == before, "the server hung up, and not for being tired of waiting"
        assert [response.status for response in responses] == [200] * len(conversation.told)
        for response, expected in zip(responses, conversation.told, strict=True):
            assert response.is_complete
            assert response.told | expected == response.told
        assert [response.headers.get("connection") for response in responses[:-1]] == [None] * (len(responses) - 1)
        assert responses[-1].headers["connection"] == "close"
        client.leave()


async def test_folded_and_odd_values(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage()
    await stage.converse(CONVERSATIONS["folded"].sent)
    await stage.converse(CONVERSATIONS["latin-1"].sent)
    folded, latin = (request.head for request in stage.script.requests)
    assert folded.headers["a"] == "b c"
    assert latin.headers["a"] == "café"


async def test_of_a_repeated_header_the_first_counts_and_all_are_kept(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage()
    for framing in (b"", CHUNKED):
        await stage.converse(post(b"0\r\n\r\n" if framing else b"", b"A: 1\r\n", b"a: 2\r\n", framing))
    for request in stage.script.requests:
        assert request.head.headers["a"] == "1"
        assert [value for name, value in request.head.header_lines if name == "a"] == ["1", "2"]


async def test_a_client_that_waits_is_told_to_continue(
    start_stage: StartStage, read_memory: Callable[[MemoryClient], Reader], autojump_clock: MockClock
) -> None:
    stage = await start_stage()
    client = stage.connect()
    client.send(sized(b"hello", b"Expect: 100-continue\r\n")[:-5])
    assert [arrival.data for arrival in await client.receive_until(b"\r\n\r\n")] == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    client.send(b"hello")
    response = await read_memory(client).response()
    assert (response.told["body"], response.continues) == ("hello", 0)


async def test_a_client_that_does_not_wait_is_not_told(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage()
    [response] = await stage.converse(sized(b"hello", b"Expect: 100-continue\r\n"))
    assert (response.told["body"], response.continues) == ("hello", 0)


@pytest.mark.parametrize("framing", ["plain", "h11"])
async def test_head_gets_the_headers_alone(start_stage: StartStage, framing: str, autojump_clock: MockClock) -> None:
    stage = await start_stage()
    lines = HOST + (UPGRADE_H2C if framing == "h11" else b"")
    head = b"HEAD /a HTTP/1.1\r\n" + lines + b"\r\n"
    get = b"GET /a HTTP/1.1\r\n" + lines + b"\r\n"
    first, second = await stage.converse(head + get, methods=("HEAD", "GET"))
    assert first.body == b""
    assert int(first.headers["content-length"]) == len(second.body) + 1, "as GET would have, for one letter more"
    assert second.told["method"] == "GET"


# -- refused -----------------------------------------------------------------------------------------------------------

GET = b"GET / HTTP/1.1\r\n"

REFUSED = {
    "no request": (b"nonsense\r\n\r\n", 400),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "empty line first": (b"\r\n" + GET + HOST + b"\r\n", 400),
    "no host": (GET + b"\r\n", 400),
    "two hosts": (GET + HOST + HOST + b"\r\n", 400),
    "space before the colon": (GET + b"Host : x\r\n\r\n", 400),
    "nul": (GET + HOST + b"A: \x00\r\n\r\n", 400),
    "no colon": (GET + HOST + b"A\r\n\r\n", 400),
    "folded at the start": (GET + b" a\r\n" + HOST + b"\r\n", 400),
    "authority form": (b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "relative target": (b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "length of no number": (GET + HOST + b"Content-Length: x\r\n\r\n", 400),
    "negative length": (GET + HOST + b"Content-Length: -5\r\n\r\n", 400),
    "conflicting lengths": (GET + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    "length of 5000 digits": (GET + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    "length of 18 digits": (GET + HOST + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n", 413),
    "length of 12 digits": (GET + HOST + b"Content-Length: " + b"9" * 12 + b"\r\n\r\n", 413),
    "unknown coding": (GET + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    "bad chunk size": (post(b"zz\r\n", CHUNKED), 400),
    "chunk size of 100 digits": (post(b"f" * 100 + b"\r\n", CHUNKED), 400),
    "bad chunk end": (post(b"1\r\naXX", CHUNKED), 400),
    "too large": (post(b"", b"Content-Length: 1001\r\n"), 413),
    "too large by chunks": (post(b"3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n", CHUNKED), 413),
    "too large by many chunks": (post(b"64\r\n" + b"\r\n64\r\n".join([b"a" * 100] * 11) + b"\r\n", CHUNKED), 413),
    "too large, and expecting": (post(b"", b"Content-Length: 1001\r\n", b"Expect: 100-continue\r\n"), 413),
    "too many lines": (GET + HOST + b"A: b\r\n" * 20 + b"\r\n", 431),
    "too many lines for h11": (GET + HOST + CHUNKED + b"A: b\r\n" * 20 + b"\r\n0\r\n\r\n", 431),
    "line too long": (GET + HOST + b"A: " + b"a" * 8192 + b"\r\n\r\n", 431),
    "target too long": (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "head without end": (GET + HOST + b"A: " + b"a" * 9000, 431),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused(
    sent: bytes,
    status: int,
    start_stage: StartStage,
    read_memory: Callable[[MemoryClient], Reader],
    autojump_clock: MockClock,
) -> None:
    """A refusal is an answer, and the last of its connection, however the request is cut."""
    stage = await start_stage(head_bytes=8192, header_lines=20, body_bytes=1000)
    for pieces in ([sent], [sent[at : at + 1] for at in range(len(sent))], [sent[:40], sent[40:]]):
        client = stage.connect()
        for piece in pieces:
            client.send(piece)
        reader = read_memory(client)
        response = await reader.response()
        assert (response.status, response.is_complete) == (status, True)
        assert response.headers["connection"] == "close"
        assert (await reader.response()).status == 0
        assert stage.script.refusals[-1][1].status == status
        client.leave()
    assert stage.script.requests == []
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET + HOST + b"A: b\r\n" * 19 + b"\r\n", 200),
        (GET + HOST + b"A: " + b"a" * (8192 - len(GET + HOST) - 7) + b"\r\n\r\n", 200),
        (GET + HOST + b"A: " + b"a" * (8192 - len(GET + HOST) - 6) + b"\r\n\r\n", 431),
        (sized(b"a" * 1000), 200),
        (sized(b"a" * 1001), 413),
        (post(b"3e8\r\n" + b"a" * 1000 + b"\r\n0\r\n\r\n", CHUNKED), 200),
    ],
)
async def test_limits_are_exact(sent: bytes, status: int, start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(head_bytes=8192, header_lines=20, body_bytes=1000)
    assert [response.status for response in await stage.converse(sent)] == [status]
    assert [response.status for response in await stage.converse(*(bytes([byte]) for byte in sent))] == [status]


async def test_a_refusal_knows_the_head_if_it_was_read(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(body_bytes=10)
    await stage.converse(post(b"", b"Content-Length: 11\r\n"))
    await stage.converse(post(b"zz\r\n", CHUNKED))
    await stage.converse(GET + b"\r\n")
    assert [head.path if head else None for head, _ in stage.script.refusals] == ["/p", "/p", None]


async def test_what_precedes_a_bad_request_is_answered(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage()
    first, second = await stage.converse(sized(b"good") + b"nonsense\r\n\r\n", methods=("POST", "POST"))
    assert (first.told["body"], second.status) == ("good", 400)


# -- time --------------------------------------------------------------------------------------------------------------


async def time_of_end(client: MemoryClient) -> float:
    while await client.receive() is not None:
        pass
    return trio.current_time()


async def test_a_slow_head_is_refused(
    start_stage: StartStage, read_memory: Callable[[MemoryClient], Reader], autojump_clock: MockClock
) -> None:
    """The head as a whole has its time: a byte now and then does not buy more."""
    stage = await start_stage(head_timeout=20, idle_timeout=75)
    client = stage.connect()
    await trio.sleep(50)
    begun = trio.current_time()
    for byte in b"GET / HTTP":
        client.send(bytes([byte]))
        await trio.sleep(1.9)
    response = await read_memory(client).response()
    assert response.status == 408
    assert trio.current_time() - begun == pytest.approx(20)


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (post(b"", b"Content-Length: 9\r\n"), b"abc"),
        (post(b"", CHUNKED), b"2\r\nab\r\n"),
        (post(b"", b"Content-Length: 9\r\nUpgrade: h2c\r\n"), b"abc"),
    ],
    ids=["plain", "chunked", "h11"],
)
async def test_a_slow_body_is_refused(
    sent: bytes,
    drip: bytes,
    start_stage: StartStage,
    read_memory: Callable[[MemoryClient], Reader],
    autojump_clock: MockClock,
) -> None:
    """It may take long as a whole, but not stop for long."""
    stage = await start_stage(read_timeout=60)
    client = stage.connect()
    client.send(sent)
    for byte in drip:
        await trio.sleep(59)
        client.send(bytes([byte]))
    begun = trio.current_time()
    response = await read_memory(client).response()
    assert response.status == 408
    assert trio.current_time() - begun == pytest.approx(60)


@pytest.mark.parametrize("requests_before", [0, 1])
async def test_an_idle_connection_is_closed(
    requests_before: int,
    start_stage: StartStage,
    read_memory: Callable[[MemoryClient], Reader],
    autojump_clock: MockClock,
) -> None:
    stage = await start_stage(idle_timeout=75)
    client = stage.connect()
    for _ in range(requests_before):
        await trio.sleep(70)
        client.send(sized(b"a"))
        assert (await read_memory(client).response()).status == 200
    begun = trio.current_time()
    assert await time_of_end(client) - begun == pytest.approx(75)
    assert stage.server.connections == 0


async def test_leaving_before_the_end_of_a_request_is_no_error(
    start_stage: StartStage, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    stage = await start_stage()
    for sent in (b"", b"GET", sized(b"hello")[:-1], post(b"5\r\nhel", CHUNKED)):
        for leave in ("finish", "leave"):
            client = stage.connect()
            client.send(sent)
            await wait_all_tasks_blocked()
            getattr(client, leave)()
            await wait_all_tasks_blocked()
            assert stage.server.connections == 0
    assert stage.script.requests == []
    assert stage.script.refusals == []
    assert caplog.records == []
