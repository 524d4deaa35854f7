"""Official clients of sessions, recorded and replayed: what they had of the provider they have again of the recording,
tools and all; and where a second run goes further than the first, the provider goes on from what was replayed.

The provider is another server of ours, of which the one that replays knows nothing: it has the recording alone.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from google import genai
from google.genai import types
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI

from aimock import AIMock
from recording_provider import recorded

pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
"""The SDK's sync sockets use what `websockets` has deprecated."""

Event = dict[str, Any]
Converse = Callable[[AIMock, int], list[list[Event]]]
"""Goes through so many turns, of which each may have calls that are answered; the events of each turn."""

QUESTIONS = ("hello", "weather", "bye")
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "name": "get_weather", "parameters": PARAMETERS}
KEY = "sk-a-real-one"
PLACES = ("conversation_id", "previous_item_id", "expires_at", "session")
"""Members that are of the session rather than of the turn."""


@pytest.fixture(autouse=True)
def _no_ambient_google(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("GOOGLE_", "GEMINI_", "CLOUDSDK_")):
            monkeypatch.delenv(name)


@pytest.fixture
def provider() -> Iterator[AIMock]:
    with AIMock(chunk_size=4) as server:
        server.on({"userMessage": "weather", "hasToolResult": True}, {"content": "It is sunny in Paris."})
        server.on_message("weather", {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris"}}]})
        server.on_message("hello", {"content": "Hello there, you!"})
        server.on_message("bye", {"content": "Good bye then."})
        yield server


# -- clients -----------------------------------------------------------------------------------------------------------


def openai_settings(server: AIMock, *, azure: bool, http: Any) -> dict[str, Any]:
    settings = {"api_key": KEY, "max_retries": 0, "http_client": http(verify=False)}
    if not azure:
        return settings | {"base_url": f"{server.url}/v1"}
    plain = server.url.replace("http", "ws")  # else the SDK wants TLS
    version = {"api_version": "2025-03-01-preview", "websocket_base_url": f"{plain}/openai"}
    return settings | {"azure_endpoint": server.url} | version


def realtime(modality: str, *, azure: bool = False) -> Converse:
    def converse(server: AIMock, count: int) -> list[list[Event]]:
        kind: Any = AzureOpenAI if azure else OpenAI
        settings = openai_settings(server, azure=azure, http=DefaultHttpxClient)
        with kind(**settings) as client, client.realtime.connect(model="gpt-realtime") as socket:
            socket.session.update(session={"type": "realtime", "output_modalities": [modality], "tools": [TOOL]})
            turns = []
            for question in QUESTIONS[:count]:
                content = [{"type": "input_text", "text": question}]
                socket.conversation.item.create(item={"type": "message", "role": "user", "content": content})
                turns.append(_respond(socket))
                for output in turns[-1][-1]["response"]["output"]:
                    if output["type"] == "function_call":
                        result = {"type": "function_call_output", "call_id": output["call_id"], "output": "sunny"}
                        socket.conversation.item.create(item=result)
                        turns.append(_respond(socket))
            return turns

    return converse


def _respond(socket: Any) -> list[Event]:
    socket.response.create()
    events: list[Event] = []
    while not events or events[-1]["type"] != "response.done":
        events.append(socket.recv().to_dict(mode="json"))
    return events


def realtime_async(server: AIMock, count: int) -> list[list[Event]]:
    async def converse() -> list[list[Event]]:
        turns = []
        settings = openai_settings(server, azure=False, http=DefaultAsyncHttpxClient)
        async with AsyncOpenAI(**settings) as client, client.realtime.connect(model="gpt-realtime") as socket:
            for question in QUESTIONS[:count]:
                content: Any = [{"type": "input_text", "text": question}]
                await socket.conversation.item.create(item={"type": "message", "role": "user", "content": content})
                wanted = True
                while wanted:
                    await socket.response.create()
                    events: list[Event] = []
                    while not events or events[-1]["type"] != "response.done":
                        events.append((await socket.recv()).to_dict(mode="json"))
                    turns.append(events)
                    calls = [each for each in events[-1]["response"]["output"] if each["type"] == "function_call"]
                    for call in calls:
                        result: Any = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
                        await socket.conversation.item.create(item=result)
                    wanted = bool(calls)
        return turns

    return anyio.run(converse, backend="asyncio")


def _next_input(response: Event) -> list[Event]:
    calls = [each for each in response["output"] if each["type"] == "function_call"]
    return [{"type": "function_call_output", "call_id": each["call_id"], "output": "sunny"} for each in calls]


def responses(server: AIMock, count: int) -> list[list[Event]]:
    settings = openai_settings(server, azure=False, http=DefaultHttpxClient)
    with OpenAI(**settings) as client, client.responses.connect() as socket:
        turns: list[list[Event]] = []
        asked: list[Any] = [*QUESTIONS[:count]]
        while asked:
            before = {"previous_response_id": turns[-1][-1]["response"]["id"]} if turns else {}
            tools: Any = [TOOL | {"strict": True}]
            socket.response.create(model="gpt-5", input=asked.pop(0), tools=tools, **before)
            events: list[Event] = []
            while not events or events[-1]["type"] != "response.completed":
                events.append(socket.recv().to_dict(mode="json"))
            turns.append(events)
            results = _next_input(events[-1]["response"])
            asked = [results, *asked] if results else asked
        return turns


def responses_async(server: AIMock, count: int) -> list[list[Event]]:
    async def converse() -> list[list[Event]]:
        turns: list[list[Event]] = []
        asked: list[Any] = [*QUESTIONS[:count]]
        settings = openai_settings(server, azure=True, http=DefaultAsyncHttpxClient)
        settings.pop("websocket_base_url")
        async with AsyncAzureOpenAI(**settings) as client, client.responses.connect() as socket:
            while asked:
                before = {"previous_response_id": turns[-1][-1]["response"]["id"]} if turns else {}
                await socket.response.create(model="gpt-5", input=asked.pop(0), store=False, **before)
                events: list[Event] = []
                while not events or events[-1]["type"] != "response.completed":
                    events.append((await socket.recv()).to_dict(mode="json"))
                turns.append(events)
                results = _next_input(events[-1]["response"])
                asked = [results, *asked] if results else asked
        return turns

    return anyio.run(converse, backend="asyncio")


def live(modality: str, *, vertex: bool = False) -> Converse:
    def converse(server: AIMock, count: int) -> list[list[Event]]:
        trusting = ssl.create_default_context(cafile=str(server.ca_file))
        http = types.HttpOptions(base_url=server.url, async_client_args={"ssl": trusting})
        client = genai.Client(vertexai=vertex, api_key=KEY, http_options=http)
        declared = types.FunctionDeclaration(name="get_weather", parameters_json_schema=PARAMETERS)
        config = types.LiveConnectConfig(
            response_modalities=[types.Modality(modality)],
            output_audio_transcription=types.AudioTranscriptionConfig(),
            tools=[types.Tool(function_declarations=[declared])],
        )

        async def talk() -> list[list[Event]]:
            turns: list[list[Event]] = []
            async with client.aio.live.connect(model="gemini-live", config=config) as session:
                for question in QUESTIONS[:count]:
                    content = types.Content(role="user", parts=[types.Part(text=question)])
                    await session.send_client_content(turns=content)
                    said = ""
                    while "sunny" not in said if question == "weather" else not said:
                        turns.append([])
                        async for message in session.receive():
                            turns[-1].append(message.model_dump(mode="json", exclude_none=True))
                            for call in (message.tool_call and message.tool_call.function_calls) or ():
                                result = types.FunctionResponse(id=call.id, name=call.name, response={"is": "sunny"})
                                await session.send_tool_response(function_responses=result)
                            heard = message.server_content and message.server_content.output_transcription
                            said += message.text or (heard and heard.text) or ""
            return turns

        return anyio.run(talk, backend="asyncio")

    return converse


CLIENTS: dict[str, tuple[str, Converse]] = {
    "realtime, text": ("openai", realtime("text")),
    "realtime, audio": ("openai", realtime("audio")),
    "realtime, asyncio": ("openai", realtime_async),
    "realtime, Azure": ("azure", realtime("text", azure=True)),
    "responses": ("openai", responses),
    "responses, Azure, asyncio": ("azure", responses_async),
    "live, text": ("gemini", live("TEXT")),
    "live, audio": ("gemini", live("AUDIO")),
    "live, Vertex AI": ("vertexai", live("AUDIO", vertex=True)),
}


# -- recorded, and said again ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def recording(provider: AIMock, directory: Path, name: str) -> Iterator[AIMock]:
    record = {"providers": {CLIENTS[name][0]: provider.url}, "fixturePath": str(directory)}
    with AIMock(record=record, tls="live" in name) as server:
        yield server


def shown(turns: list[list[Event]]) -> list[list[Event]]:
    """What the client was told of its turns: all that is told of a response, without where in a session that is."""
    return [
        [_placeless(event) for event in turn if not event.get("type", "").startswith(("session.", "rate_limits."))]
        for turn in turns
    ]


def _placeless(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("role") in ("user", "tool") or value.get("type") == "function_call_output":
            return value | {"id": ""}
        made = {name: _placeless(each) for name, each in value.items() if name not in PLACES}
        is_clients = isinstance(made.get("item"), dict) and made["item"].get("id") == ""
        return made | {"event_id": ""} if is_clients else made
    return [_placeless(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CLIENTS)
def test_what_a_client_had_it_has_again(provider: AIMock, tmp_path: Path, name: str) -> None:
    converse = CLIENTS[name][1]
    with recording(provider, tmp_path, name) as server:
        had = converse(server, 2)
        assert {entry["response"]["source"] for entry in server.get_requests()} == {"proxy"}
        at_once = converse(server, 2)
    assert len(recorded(tmp_path)) == len(provider.get_requests()) == 3
    with AIMock(fixtures=tmp_path, strict=True, tls="live" in name) as server:
        again = converse(server, 2)
        assert [entry["response"]["status"] for entry in server.get_requests()] == [200] * 3
    assert shown(had) == shown(at_once) == shown(again)
    assert KEY not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_second_run_goes_further(provider: AIMock, tmp_path: Path, name: str) -> None:
    converse = CLIENTS[name][1]
    with recording(provider, tmp_path, name) as server:
        had = converse(server, 2)
        further = converse(server, 3)
        sources = [entry["response"].get("source") for entry in server.get_requests()]
    assert sources == [*["proxy"] * 3, *[None] * 3, "proxy"]
    assert shown(further)[: len(had)] == shown(had)
    *_, (asked) = [entry["body"]["messages"] for entry in provider.get_requests()]
    roles = [message["role"] for message in asked if message["role"] != "system"]
    assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant", "user"]
    with AIMock(fixtures=tmp_path, strict=True, tls="live" in name) as server:
        assert shown(converse(server, 3)) == shown(further)
