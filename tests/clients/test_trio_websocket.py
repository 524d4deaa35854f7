"""trio-websocket, a client by other hands, on every path that opens a session: some of them have no SDK."""

from __future__ import annotations

import gc
import json
import ssl
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, open_websocket_url

from aimock import AIMock
from aimock_protocols.registry import PROTOCOLS

HELLO = "Hello, world"

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _sockets_collected() -> Iterator[None]:
    """The client leaves its socket to the garbage collector where the server was first to close."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module")
def mock() -> Iterator[AIMock]:
    with AIMock(chunk_size=5) as running:
        running.on_message("hello", {"content": HELLO})
        yield running


def sockets(name: str) -> list[str]:
    return [template for each in PROTOCOLS if each.name == name for template in each.sockets]


async def until(socket: WebSocketConnection, *last: str) -> list[dict[str, Any]]:
    """Events until one of these types."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in last:
        events.append(json.loads(await socket.get_message()))
    return events


@pytest.mark.parametrize("path", ["/v1/responses", "/responses", "/openai/v1/responses"])
async def test_responses(mock: AIMock, path: str) -> None:
    async with open_websocket_url(mock.url.replace("http", "ws") + path) as socket:
        for _ in range(2):
            await socket.send_message(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "hello"}))
            *_, last = await until(socket, "response.completed")
            assert last["response"]["output"][0]["content"][0]["text"] == HELLO


@pytest.mark.parametrize("path", [path for path in sockets("openai_realtime") if "translations" not in path])
async def test_realtime(mock: AIMock, path: str) -> None:
    url = f"{mock.url.replace('http', 'ws')}{path}?model=gpt-realtime&deployment=gpt-realtime&api-version=2025-10-01"
    async with open_websocket_url(url, subprotocols=["realtime"]) as socket:
        assert socket.subprotocol == "realtime"
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
        await socket.send_message(json.dumps({"type": "conversation.item.create", "item": item}))
        response = {"output_modalities": ["text"]}
        await socket.send_message(json.dumps({"type": "response.create", "response": response}))
        events = await until(socket, "response.done")
        assert [event["text"] for event in events if event["type"] == "response.output_text.done"] == [HELLO]


@pytest.mark.parametrize("path", [path for path in sockets("openai_realtime") if "translations" in path])
async def test_realtime_translations(mock: AIMock, path: str) -> None:
    url = f"{mock.url.replace('http', 'ws')}{path}?model=gpt-realtime-translate"
    async with open_websocket_url(url) as socket:
        await socket.send_message(json.dumps({"type": "session.close"}))
        assert [event["type"] for event in await until(socket, "session.closed")] == [
            "session.created",
            "session.closed",
        ]


@pytest.mark.parametrize("path", sockets("gemini_live"))
async def test_gemini_live(mock: AIMock, path: str) -> None:
    """In the dialect and the frames of either SDK."""
    path = path.replace("{version}", "v1beta")
    async with open_websocket_url(mock.url.replace("http", "ws") + path) as socket:
        setup = {"model": "models/gemini-live", "generationConfig": {"responseModalities": ["TEXT"]}}
        await socket.send_message(json.dumps({"setup": setup}))
        answer = await socket.get_message()
        assert isinstance(answer, bytes)
        assert "setupComplete" in json.loads(answer)
        turn = {"turns": [{"role": "user", "parts": [{"text": "hello"}]}], "turn_complete": True}
        await socket.send_message(json.dumps({"client_content": turn}).encode())
        said = ""
        while True:
            content = json.loads(await socket.get_message())["serverContent"]
            said += "".join(part["text"] for part in content.get("modelTurn", {}).get("parts", []))
            if content.get("turnComplete"):
                break
        assert said == HELLO


async def test_over_tls() -> None:
    with AIMock(tls=True) as mock:
        mock.on_message("hello", {"content": HELLO})
        context = ssl.create_default_context(cafile=mock.ca_file)
        url = mock.url.replace("https", "wss") + "/v1/responses"
        async with open_websocket_url(url, ssl_context=context) as socket:
            await socket.send_message(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "hello"}))
            *_, last = await until(socket, "response.completed")
            assert last["response"]["output"][0]["content"][0]["text"] == HELLO


async def test_an_interrupted_turn_is_an_abnormal_end() -> None:
    with AIMock() as mock:
        mock.on_message("hello", {"content": HELLO}, truncate_after_chunks=2)
        async with open_websocket_url(mock.url.replace("http", "ws") + "/v1/responses") as socket:
            await socket.send_message(json.dumps({"type": "response.create", "model": "gpt-4o", "input": "hello"}))
            with pytest.raises(ConnectionClosed) as raised:
                await until(socket, "response.completed")
            assert raised.value.reason.code == 1006


async def test_what_is_no_session_is_refused(mock: AIMock) -> None:
    with pytest.raises(HandshakeError):
        async with open_websocket_url(mock.url.replace("http", "ws") + "/v1/chat/completions"):
            pass
