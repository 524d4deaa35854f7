"""Realtime through OpenAI's SDK, as sync code and under asyncio (its sockets know no Trio)."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
from anyio.from_thread import start_blocking_portal
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
from openai.types.realtime import ClientSecretCreateResponse
from websockets import Subprotocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect as websocket

from aimock import AIMock
from aimock_protocols.sessions import Options
from realtime_types import all_valid

pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
"""The SDK's sync sockets use what `websockets` has deprecated."""

Event = dict[str, Any]

SLOW = {"ttft": 0, "tps": 0.0001}
"""After the first piece, the next one would take hours."""
TOOL = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
LOUD = base64.b64encode(b"\0\x20\0\xe0" * 2400).decode()
QUIET = base64.b64encode(bytes(48000)).decode()


@attrs.define
class Socket:
    """A connection of either kind, with the events as JSON."""

    connection: Any
    call: Callable[..., Any]
    """Calls a method of the SDK."""
    told: list[Event] = attrs.field(factory=list)

    def write(self, **more: Any) -> None:
        """Asks to be written to, not to be spoken to."""
        session = {"type": "realtime", "output_modalities": ["text"], **more}
        self.call(self.connection.session.update, session=session)

    def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        self.create({"type": "message", "role": "user", "content": content})

    def create(self, item: Event) -> None:
        self.call(self.connection.conversation.item.create, item=item)

    def respond(self, **response: Any) -> None:
        self.call(self.connection.response.create, **({"response": response} if response else {}))

    def hear(self, audio: str) -> None:
        self.call(self.connection.input_audio_buffer.append, audio=audio)

    def recv(self) -> Event:
        event: Event = self.call(self.connection.recv).to_dict(mode="json")
        all_valid([event])
        self.told.append(event)
        return event

    def until(self, kind: str) -> Event:
        """The next event of this type; those before it are passed over."""
        event = self.recv()
        while event["type"] != kind:
            event = self.recv()
        return event

    def answer(self, text: str) -> Event:
        """The response to a text."""
        self.say(text)
        self.respond()
        response: Event = self.until("response.done")["response"]
        return response


Open = Callable[..., Socket]


@pytest.fixture(params=["sync", "asyncio"])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """opened(mock, **options of connect): a connection; `azure`, `base` and `key` say how the client is made."""
    with ExitStack() as stack:

        def open_one(
            mock: AIMock, *, base: str = "/v1", azure: bool = False, key: str = "test", **options: Any
        ) -> Socket:
            if azure:
                plain = mock.url.replace("http", "ws")  # else the SDK wants TLS
                version = {"api_version": "2025-03-01-preview", "websocket_base_url": f"{plain}/openai"}
                where = {"azure_endpoint": mock.url, **version}
            else:
                where = {"base_url": mock.url + base}
            settings = {"api_key": key, "max_retries": 0, **where}
            options = {"model": "gpt-realtime"} | options
            if request.param == "sync":
                kind: Any = AzureOpenAI if azure else OpenAI
                client = stack.enter_context(kind(http_client=DefaultHttpxClient(verify=False), **settings))
                return Socket(stack.enter_context(client.realtime.connect(**options)), lambda ask, **more: ask(**more))
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            kind = AsyncAzureOpenAI if azure else AsyncOpenAI
            client = kind(http_client=DefaultAsyncHttpxClient(verify=False), **settings)
            stack.callback(portal.call, client.close)
            connection = stack.enter_context(portal.wrap_async_context_manager(client.realtime.connect(**options)))
            return Socket(connection, lambda ask, **more: portal.call(functools.partial(ask, **more)))

        yield open_one


def text_of(response: Event) -> str:
    return "".join(
        part.get("text") or part["transcript"] for item in response["output"] for part in item.get("content", ())
    )


def served(mock: AIMock) -> list[tuple[Any, Any]]:
    return [(entry["response"]["status"], entry["response"].get("interruptReason")) for entry in mock.get_requests()]


# -- turns -------------------------------------------------------------------------------------------------------------


def test_text(mock: AIMock, opened: Open) -> None:
    mock.on_message("hello", {"content": "Hello there, you!"}, chunk_size=5)
    socket = opened(mock)
    assert socket.recv()["type"] == "session.created"
    socket.write(instructions="Be brief.", tools=[TOOL])
    assert socket.recv()["session"]["instructions"] == "Be brief."
    assert text_of(socket.answer("hello")) == "Hello there, you!"
    deltas = [event["delta"] for event in socket.told if event["type"] == "response.output_text.delta"]
    assert deltas == ["Hello", " ther", "e, yo", "u!"]
    (entry,) = mock.get_requests()
    assert (entry["method"], entry["path"], entry["response"]["status"]) == ("WS", "/v1/realtime", 200)
    assert entry["body"]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hello"},
    ]
    assert entry["body"]["tools"][0]["function"]["name"] == "get_weather"
    assert entry["body"]["_endpointType"] == "realtime"


def test_audio(mock: AIMock, opened: Open) -> None:
    """24 kHz, 40 ms a character."""
    mock.on_message("hello", {"content": "Hello there, you!"})
    socket = opened(mock)
    assert text_of(socket.answer("hello")) == "Hello there, you!"
    sound = [event["delta"] for event in socket.told if event["type"] == "response.output_audio.delta"]
    assert b"".join(map(base64.b64decode, sound)) == bytes(17 * 40 * 48)


def test_the_fixtures_audio(mock: AIMock, opened: Open) -> None:
    audio = base64.b64encode(b"\x01\x02" * 5000).decode()
    mock.on_message("hello", {"audio": audio, "format": "pcm"})
    socket = opened(mock)
    socket.answer("hello")
    sound = [event["delta"] for event in socket.told if event["type"] == "response.output_audio.delta"]
    assert b"".join(map(base64.b64decode, sound)) == b"\x01\x02" * 5000


@pytest.mark.parametrize("where", [{"base": "/v1"}, {"base": ""}, {"base": "/openai/v1"}, {"azure": True}])
def test_wherever_clients_look_for_it(mock: AIMock, opened: Open, where: dict[str, Any]) -> None:
    mock.on_message("hello", {"content": "Hi."})
    socket = opened(mock, **where)
    assert text_of(socket.answer("hello")) == "Hi."
    parts = [event for event in socket.told if event["type"] == "response.content_part.done"]
    assert all(("content" in event) is ("openai" in where.get("base", "") or "azure" in where) for event in parts)
    assert mock.get_requests()[0]["path"] == "/v1/realtime"


def test_a_tool_is_called_and_answered(mock: AIMock, opened: Open) -> None:
    mock.on_tool_result("call_1", {"content": "It is sunny."})
    mock.on_message("weather", {"toolCalls": [{"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}]})
    socket = opened(mock)
    socket.write(tools=[TOOL])
    (call,) = socket.answer("weather")["output"]
    assert (call["type"], call["name"], call["arguments"]) == ("function_call", "get_weather", '{"city":"Paris"}')
    socket.create({"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"})
    socket.respond()
    assert text_of(socket.until("response.done")["response"]) == "It is sunny."
    roles = [message["role"] for message in mock.get_requests()[-1]["body"]["messages"]]
    assert roles == ["user", "assistant", "tool"]


def test_a_tool_that_is_called_for_ever_is_warned_of(
    mock: AIMock, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    mock.on_message("weather", {"toolCalls": [{"id": "call_1", "name": "get_weather", "arguments": {}}]})
    socket = opened(mock)
    socket.write()
    socket.answer("weather")
    for _ in range(2):
        assert "hasToolResult" not in caplog.text
        socket.create({"type": "function_call_output", "call_id": "call_1", "output": "sunny"})
        socket.respond()
        socket.until("response.done")
    assert "the same calls (get_weather)" in caplog.text
    assert "hasToolResult" in caplog.text


def test_turns_follow_each_other(mock: AIMock, opened: Open) -> None:
    mock.on({"userMessage": "hello", "turnIndex": 0}, {"content": "First."})
    mock.on({"userMessage": "hello", "turnIndex": 1}, {"content": "Second."})
    socket = opened(mock)
    assert [text_of(socket.answer("hello")) for _ in range(2)] == ["First.", "Second."]
    assert served(mock) == [(200, None), (200, None)]


def test_a_response_is_cancelled_in_its_midst(mock: AIMock, opened: Open) -> None:
    mock.on_message("hello", {"content": "Hello there!"}, chunk_size=5, streaming_profile=SLOW)
    socket = opened(mock)
    socket.write()
    socket.say("hello")
    socket.respond()
    socket.until("response.output_text.delta")
    socket.call(socket.connection.response.cancel)
    response = socket.until("response.done")["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert text_of(response) == "Hello"
    assert served(mock) == [(200, "cancelled")]
    socket.call(socket.connection.response.cancel)
    assert socket.until("error")["error"]["code"] == "response_cancel_not_active"


def test_two_responses_at_once(mock: AIMock, opened: Open) -> None:
    mock.on_message("hello", {"content": "Hello there!"}, chunk_size=5, streaming_profile=SLOW)
    mock.on_message("aside", {"content": "Beside."})
    socket = opened(mock)
    socket.write()
    socket.say("hello")
    socket.respond()
    first = socket.until("response.created")["response"]
    socket.respond()
    error = socket.until("error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert first["id"] in error["message"]
    aside = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "aside"}]}
    socket.respond(conversation="none", input=[aside], metadata={"topic": "x"})
    done = socket.until("response.done")["response"]
    assert (text_of(done), done["metadata"], done["conversation_id"]) == ("Beside.", {"topic": "x"}, None)


# -- what is heard -----------------------------------------------------------------------------------------------------


def test_a_transcription(mock: AIMock, opened: Open) -> None:
    mock.on({"endpoint": "realtime-transcription"}, {"transcription": {"text": "Hello to you"}})
    socket = opened(mock, model="", extra_query={"intent": "transcription"})
    transcription = {"model": "gpt-4o-transcribe"}
    session = {"type": "transcription", "audio": {"input": {"transcription": transcription, "turn_detection": None}}}
    socket.call(socket.connection.session.update, session=session)
    socket.hear(LOUD)
    socket.call(socket.connection.input_audio_buffer.commit)
    completed = socket.until("conversation.item.input_audio_transcription.completed")
    assert (completed["transcript"], completed["usage"]["type"]) == ("Hello to you", "tokens")
    assert mock.get_requests()[0]["body"]["_endpointType"] == "realtime-transcription"


def test_a_conversation_is_transcribed_by_fixtures_for_that_alone(mock: AIMock, opened: Open) -> None:
    """Its clients ask for transcriptions as a matter of course: those who wrote no fixture for them see nothing."""
    mock.on({}, {"content": "Only this."})
    socket = opened(mock, extra_headers={"X-AIMock-Strict": "true"})
    socket.write(audio={"input": {"transcription": {"model": "whisper-1"}}})
    socket.hear(LOUD)
    socket.call(socket.connection.input_audio_buffer.commit)
    assert text_of(socket.answer("hello")) == "Only this."
    assert not any("transcription" in event["type"] for event in socket.told)
    assert served(mock) == [(200, None)]
    mock.prepend_fixture(
        {"match": {"endpoint": "realtime-transcription"}, "response": {"transcription": {"text": "Hm"}}}
    )
    socket.hear(LOUD)
    socket.call(socket.connection.input_audio_buffer.commit)
    assert socket.until("conversation.item.input_audio_transcription.completed")["transcript"] == "Hm"


def test_a_transcription_that_nobody_has(mock: AIMock, opened: Open) -> None:
    mock.on({}, {"content": "never"})
    socket = opened(mock, model="", extra_query={"intent": "transcription"})
    socket.hear(LOUD)
    socket.call(socket.connection.input_audio_buffer.commit)
    failed = socket.until("conversation.item.input_audio_transcription.failed")
    assert failed["error"]["message"] == "Fixture response is not a transcription type"


def test_speech_is_heard_and_answered(opened: Open) -> None:
    with AIMock(sessions=Options(hears=True)) as mock:
        mock.on_message("audio input", {"content": "I heard you."})
        socket = opened(mock)
        for audio in (QUIET, LOUD, LOUD, QUIET):
            socket.hear(audio)
        assert text_of(socket.until("response.done")["response"]) == "I heard you."
        types = [event["type"] for event in socket.told]
        assert types[1:4] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
        ]


# -- keys, strictness and faults ---------------------------------------------------------------------------------------


def test_a_key_for_a_browser(mock: AIMock, client: OpenAI, opened: Open) -> None:
    session: Any = {"type": "realtime", "model": "gpt-realtime-mini", "instructions": "From the key."}
    made = client.realtime.client_secrets.create(session=session)
    assert isinstance(made, ClientSecretCreateResponse)
    begun = opened(mock, key=made.value, model="gpt-realtime-mini").recv()["session"]
    assert begun["instructions"] == "From the key."


def test_a_browser_shows_its_key_among_the_subprotocols(mock: AIMock, client: OpenAI) -> None:
    made = client.realtime.client_secrets.create(session={"type": "realtime", "instructions": "From the key."})
    offered = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{made.value}")]
    with websocket(f"{mock.url.replace('http', 'ws')}/v1/realtime?model=m", subprotocols=offered) as connection:
        assert connection.subprotocol == "realtime"
        assert "From the key." in str(connection.recv())


def test_a_key_opens_a_server_that_asks_for_keys(opened: Open) -> None:
    with AIMock(api_keys=["sk-mine"]) as mock:
        with OpenAI(
            base_url=f"{mock.url}/v1", api_key="sk-mine", http_client=DefaultHttpxClient(verify=False)
        ) as client:
            made = client.realtime.client_secrets.create()
        assert opened(mock, key=made.value).recv()["type"] == "session.created"
        with pytest.raises(InvalidStatus, match="401"):
            opened(mock, key="ek_" + "0" * 32)


def test_calls_by_telephone_are_hung_up(client: OpenAI) -> None:
    client.realtime.calls.hangup("rtc_1")
    client.realtime.calls.accept("rtc_1", type="realtime")


def test_a_strict_miss_closes_with_1008(mock: AIMock, opened: Open) -> None:
    socket = opened(mock, extra_headers={"X-AIMock-Strict": "true"})
    with pytest.raises(ConnectionClosed) as closed:
        socket.answer("unknown")
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason[:11]) == (1008, "Strict mode")
    assert served(mock) == [(503, None)]


def test_a_miss_fails_the_response(mock: AIMock, opened: Open) -> None:
    response = opened(mock).answer("unknown")
    assert (response["status"], response["status_details"]["error"]["code"]) == ("failed", "no_fixture_match")
    assert served(mock) == [(404, None)]


def test_a_fixture_that_breaks_off_ends_without_a_close_frame(mock: AIMock, opened: Open) -> None:
    mock.on_message("hello", {"content": "Hello there!"}, chunk_size=5, truncate_after_chunks=2)
    socket = opened(mock)
    socket.write()
    with pytest.raises(ConnectionClosed) as closed:
        socket.answer("hello")
    assert closed.value.rcvd is None
    deltas = [event["delta"] for event in socket.told if event["type"] == "response.output_text.delta"]
    assert deltas == ["Hello", " ther"]
    assert served(mock) == [(200, "truncateAfterChunks")]


def test_the_beta_is_refused(mock: AIMock, opened: Open) -> None:
    socket = opened(mock, extra_headers={"OpenAI-Beta": "realtime=v1"})
    assert socket.recv()["error"]["code"] == "beta_api_shape_disabled"
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4000
