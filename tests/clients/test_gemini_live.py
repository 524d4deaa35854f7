"""Google's Gen AI SDK, live and unmodified: over TLS, which it insists on (wire-gemini-live §7)."""

from __future__ import annotations

import json
import os
import ssl
import struct
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from websockets.sync.client import connect

from aimock import AIMock
from aimock_protocols.sessions import Options

Messages = list[types.LiveServerMessage]
Work = Callable[[Any], Awaitable[Any]]
Talk = Callable[..., Any]


KEY = {"api_key": "AIzaSecret"}
VERTEX = {"vertexai": True, "project": "p", "location": "us-central1", "credentials": Credentials(token="test")}
EXPRESS = {"vertexai": True, "api_key": "AIzaSecret"}
NONE = {"vertexai": True}
"""Then the SDK uses its base URL as it is, and asks for no path."""


@pytest.fixture(autouse=True)
def _no_ambient_google(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("GOOGLE_", "GEMINI_", "CLOUDSDK_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, tmp_path: Path) -> Iterator[AIMock]:
    """A server of this test's own, over TLS, which hears."""
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    for path, blob in zip(paths, (certificate.cert_chain_pems[0], certificate.private_key_pem), strict=True):
        blob.write_to_path(path)
    with AIMock(tls=paths, sessions=Options(hears=True)) as running:
        yield running


@pytest.fixture
def talk(secure: AIMock, authority: trustme.CA) -> Callable[..., Any]:
    """Runs a conversation to its end: talk(work, credentials, model=…, version=…, **config)."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def run(
        work: Work,
        credentials: dict[str, Any] = KEY,
        model: str = "gemini-live",
        version: str | None = None,
        **config: Any,
    ) -> Any:
        address = secure.url if credentials is not NONE else secure.url.replace("https", "wss", 1)
        http = types.HttpOptions(base_url=address, api_version=version, async_client_args={"ssl": trusting})
        client = genai.Client(**credentials, http_options=http)

        async def main() -> Any:
            async with client.aio.live.connect(model=model, config=types.LiveConnectConfig(**config)) as session:
                return await work(session)

        return anyio.run(main, backend="asyncio")

    return run


TEXT: dict[str, Any] = {"response_modalities": ["TEXT"]}
RATE = "audio/pcm;rate=16000"


def user(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


async def all_of(session: Any) -> Messages:
    """What one `receive()` brings: a turn."""
    return [message async for message in session.receive()]


async def asked(session: Any, text: str) -> Messages:
    await session.send_client_content(turns=user(text))
    return await all_of(session)


def text_of(messages: Messages) -> str:
    return "".join(message.text or "" for message in messages)


def sound(ms: int, amplitude: int = 3000) -> bytes:
    count = 16 * ms
    return struct.pack(f"<{count}h", *(amplitude if at % 40 < 20 else -amplitude for at in range(count)))


@pytest.mark.parametrize(
    ("credentials", "version", "path"),
    [
        (KEY, None, "/ws/google.ai.generativelanguage.v1.GenerativeService.BidiGenerateContent"),
        (KEY, "v1beta", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"),
        (KEY, "v1alpha", "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent"),
        (VERTEX, None, "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"),
        (EXPRESS, "v1", "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"),
        (NONE, None, "/"),
    ],
    ids=["default", "v1beta", "v1alpha", "vertex", "express", "bare"],
)
def test_text(secure: AIMock, talk: Talk, credentials: dict[str, Any], version: str | None, path: str) -> None:
    secure.on({"userMessage": "hello", "model": "gemini-live"}, {"content": "Hello, how are you today?"})

    async def work(session: Any) -> Messages:
        assert (session.session_id is None) is (credentials is KEY)
        return await asked(session, "hello")

    told = talk(work, credentials, version=version, **TEXT)
    assert text_of(told) == "Hello, how are you today?"
    assert told[-1].server_content.turn_complete
    usage = told[-1].usage_metadata
    assert (usage.prompt_token_count, usage.response_token_count, usage.total_token_count) == (2, 7, 9)
    assert [detail.modality for detail in usage.response_tokens_details] == [types.MediaModality.TEXT]
    entry = secure.get_requests()[-1]
    assert (entry["method"], entry["path"]) == ("WS", path)


def test_a_tool_loop_in_one_iteration(secure: AIMock, talk: Talk) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Oslo")]
    secure.on({"userMessage": "weather", "hasToolResult": False}, {"toolCalls": calls})
    secure.on({"userMessage": "weather", "hasToolResult": True}, {"content": "Mild."})

    async def work(session: Any) -> Messages:
        await session.send_client_content(turns=user("weather"))
        told = []
        async for message in session.receive():
            told.append(message)
            if message.tool_call:
                results = [
                    types.FunctionResponse(id=call.id, name=call.name, response={"c": 20})
                    for call in message.tool_call.function_calls
                ]
                await session.send_tool_response(function_responses=results)
        return told

    declared = types.FunctionDeclaration(
        name="get_weather", parameters={"type": "OBJECT", "properties": {"city": {"type": "STRING"}}}
    )
    told = talk(work, tools=[types.Tool(function_declarations=[declared])], **TEXT)
    assert [call.args["city"] for call in told[0].tool_call.function_calls] == ["Paris", "Oslo"]
    assert text_of(told) == "Mild."
    assert told[-1].server_content.turn_complete
    assert [message["role"] for message in secure.get_requests()[-1]["body"]["messages"]] == [
        "user",
        "assistant",
        "tool",
        "tool",
    ]


def test_audio_out_with_transcription(secure: AIMock, talk: Talk) -> None:
    secure.on({"userMessage": "hello"}, {"content": "Hello there!", "reasoning": "Politeness."})
    spoken = types.SpeechConfig(
        voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
    )

    async def work(session: Any) -> Messages:
        return await asked(session, "hello")

    told = talk(
        work,
        response_modalities=["AUDIO"],
        speech_config=spoken,
        output_audio_transcription={},
        system_instruction="Sys.",
    )
    said = [message.server_content.output_transcription for message in told if message.server_content]
    assert "".join(each.text for each in said if each) == "Hello there!"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        heard = b"".join(message.data or b"" for message in told)
    assert len(heard) == 12 * 40 * 24 * 2
    thoughts = [
        part
        for message in told
        if (content := message.server_content) and (turn := content.model_turn)
        for part in turn.parts
        if part.thought
    ]
    assert [thought.text for thought in thoughts] == ["Politeness."]


def test_a_fixture_s_audio(secure: AIMock, talk: Talk) -> None:
    secure.on({"userMessage": "hello"}, {"audio": "AAABAAIA" * 20_000, "format": "pcm"})

    async def work(session: Any) -> Messages:
        return await asked(session, "hello")

    told = talk(work, response_modalities=["AUDIO"])
    blobs = [
        part.inline_data
        for message in told
        if message.server_content and message.server_content.model_turn
        for part in message.server_content.model_turn.parts
    ]
    assert b"".join(blob.data for blob in blobs) == b"\x00\x00\x01\x00\x02\x00" * 20_000
    assert {blob.mime_type for blob in blobs} == {"audio/pcm;rate=24000"}
    assert len(blobs) == 4


def test_text_in_real_time(secure: AIMock, talk: Talk) -> None:
    secure.on({"userMessage": "hey"}, {"content": "Yes?"})

    async def work(session: Any) -> str:
        await session.send_realtime_input(text="hey")
        return text_of(await all_of(session))

    assert talk(work, **TEXT) == "Yes?"


def test_what_is_said_is_heard_and_transcribed(secure: AIMock, talk: Talk) -> None:
    secure.on({"endpoint": "transcription"}, {"transcription": {"text": "What time is it?"}})
    secure.on({"userMessage": "What time is it?"}, {"content": "Noon."})

    async def work(session: Any) -> Messages:
        for piece in (bytes(3200), sound(300), bytes(32000)):
            await session.send_realtime_input(audio=types.Blob(data=piece, mime_type=RATE))
        return await all_of(session)

    told = talk(work, input_audio_transcription={}, **TEXT)
    assert told[0].server_content.input_transcription.text == "What time is it?"
    assert text_of(told) == "Noon."


def test_manual_activity(secure: AIMock, talk: Talk) -> None:
    secure.on({"userMessage": "[audio input]"}, {"content": "I heard you."})
    manual = types.RealtimeInputConfig(automatic_activity_detection=types.AutomaticActivityDetection(disabled=True))

    async def work(session: Any) -> str:
        await session.send_realtime_input(activity_start=types.ActivityStart())
        await session.send_realtime_input(audio=types.Blob(data=sound(100), mime_type=RATE))
        await session.send_realtime_input(activity_end=types.ActivityEnd())
        return text_of(await all_of(session))

    assert talk(work, realtime_input_config=manual, **TEXT) == "I heard you."


def test_an_answer_is_interrupted(secure: AIMock, talk: Talk) -> None:
    """The first would take a minute."""
    secure.on({"userMessage": "one"}, {"content": "a" * 1000}, chunk_size=20, streaming_profile={"ttft": 1, "tps": 1})
    secure.on({"userMessage": "two"}, {"content": "Done."})

    async def work(session: Any) -> list[Messages]:
        await session.send_client_content(turns=user("one"))
        turns: AsyncIterator[types.LiveServerMessage] = session.receive()
        told = [await anext(turns)]
        await session.send_client_content(turns=user("two"))
        told += [message async for message in turns]
        return [told, await all_of(session)]

    first, second = talk(work, **TEXT)
    assert [bool(message.server_content.interrupted) for message in first[-2:]] == [True, False]
    assert first[-1].server_content.turn_complete
    assert text_of(second) == "Done."
    said = [message["content"] for message in secure.get_requests()[-1]["body"]["messages"]]
    assert said == ["one", text_of(first), "two"]


def test_a_session_is_taken_up_again(secure: AIMock, talk: Talk) -> None:
    secure.on({"userMessage": "My name is Ann."}, {"content": "Hello, Ann."})
    secure.on({"userMessage": "Who am I?"}, {"content": "Ann."})

    async def first(session: Any) -> str:
        told = await asked(session, "My name is Ann.")
        assert told[0].session_resumption_update.resumable
        update = await anext(session.receive())
        return str(update.session_resumption_update.new_handle)

    async def again(session: Any) -> str:
        return text_of(await asked(session, "Who am I?"))

    handle = talk(first, session_resumption=types.SessionResumptionConfig(), **TEXT)
    resumed = types.SessionResumptionConfig(handle=handle)
    assert talk(again, session_resumption=resumed, **TEXT) == "Ann."
    said = [message["content"] for message in secure.get_requests()[-1]["body"]["messages"]]
    assert said == ["My name is Ann.", "Hello, Ann.", "Who am I?"]
    with pytest.raises(errors.APIError) as caught:
        talk(again, session_resumption=types.SessionResumptionConfig(handle="nobody's"), **TEXT)
    assert caught.value.code == 1008


def test_context_is_updated(secure: AIMock, talk: Talk) -> None:
    secure.on({"systemMessage": "Be brief."}, {"content": "Ok."})

    async def work(session: Any) -> str:
        await session.send_context_update(system_instruction="Be brief.")
        return text_of(await asked(session, "hello"))

    assert talk(work, **TEXT) == "Ok."


@pytest.mark.parametrize(
    ("response", "code", "reason"),
    [
        (None, 1008, "No fixture matched"),
        ({"error": {"message": "Too much."}, "status": 429}, 1011, "RESOURCE_EXHAUSTED: Too much."),
        ({"error": {"message": "Bad."}, "status": 400}, 1007, "Bad."),
    ],
)
def test_errors(secure: AIMock, talk: Talk, response: Any, code: int, reason: str) -> None:
    if response is not None:
        secure.on({}, response)

    async def work(session: Any) -> Any:
        return await asked(session, "hello")

    with pytest.raises(errors.APIError) as caught:
        talk(work, **TEXT)
    assert caught.value.code == code
    assert caught.value.details == reason


def test_a_connection_that_breaks(secure: AIMock, talk: Talk) -> None:
    """Chunks are what the model says; what ends a turn is none."""
    secure.on({"userMessage": "one"}, {"content": "a" * 40}, chunk_size=20, truncate_after_chunks=3)
    secure.on({"userMessage": "two"}, {"content": "a" * 40}, chunk_size=20, truncate_after_chunks=2)
    told: Messages = []

    async def work(session: Any) -> None:
        assert text_of(await asked(session, "one")) == "a" * 40
        await session.send_client_content(turns=user("two"))
        async for message in session.receive():
            told.append(message)

    with pytest.raises(errors.APIError) as caught:
        talk(work, **TEXT)
    assert caught.value.code == 1006
    assert text_of(told) == "a" * 40
    assert secure.get_requests()[-1]["response"]["interruptReason"] == "truncateAfterChunks"


def test_a_strict_server_ends_the_session(secure: AIMock, talk: Talk) -> None:
    secure.strict = True

    async def work(session: Any) -> None:
        await asked(session, "hello")

    with pytest.raises(errors.APIError) as caught:
        talk(work, **TEXT)
    assert (caught.value.code, caught.value.details) == (1008, "Strict mode: no fixture matched")


def test_a_client_is_asked_to_leave(secure: AIMock, talk: Talk) -> None:
    secure.on({"userMessage": "one"}, {"error": {"message": "Leave.", "type": "GO_AWAY"}, "retryAfter": 10})

    async def work(session: Any) -> Any:
        await session.send_client_content(turns=user("one"))
        return await anext(session.receive())

    assert talk(work, **TEXT).go_away.time_left == "10s"


def test_an_ephemeral_token(secure: AIMock, talk: Talk) -> None:
    secure.on({"model": "locked", "systemMessage": "Be kind."}, {"content": "Dear you."})
    options = types.HttpOptions(
        base_url=secure.url, api_version="v1alpha", client_args={"verify": False}, async_client_args={"verify": False}
    )
    constraints = types.LiveConnectConstraints(
        model="locked", config=types.LiveConnectConfig(response_modalities=["TEXT"], system_instruction="Be kind.")
    )

    async def work(session: Any) -> str:
        return text_of(await asked(session, "hello"))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with genai.Client(**KEY, http_options=options) as client:
            token = client.auth_tokens.create(config={"live_connect_constraints": constraints})
        key = {"api_key": token.name}
        assert talk(work, key, "other", version="v1alpha", response_modalities=["AUDIO"]) == "Dear you."
        with pytest.raises(errors.APIError) as caught:
            talk(work, key, "other", version="v1alpha")
    assert caught.value.code == 1008


@pytest.mark.parametrize("in_text", [False, True])
def test_as_the_sdk_for_node_asks(in_text: bool) -> None:
    """Its base URL without a slash at the end gives two at the beginning of the path, and its key is in the query."""
    path = "//ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=AIzaSecret"
    with AIMock(sessions=Options(in_text_frames=in_text)) as mock:
        mock.on({"userMessage": "hello"}, {"content": "Hi."})
        with connect(mock.url.replace("http", "ws", 1) + path) as socket:
            socket.send('{"setup":{"model":"models/m","generationConfig":{"responseModalities":["TEXT"]}}}')
            socket.recv()
            socket.send(b'{"clientContent":{"turns":[{"parts":[{"text":"hello"}]}],"turnComplete":true}}')
            said = socket.recv()
        shown = json.dumps(mock.get_requests()[-1])
    assert type(said) is (str if in_text else bytes)
    assert json.loads(said) == {"serverContent": {"modelTurn": {"parts": [{"text": "Hi."}]}}}
    assert "AIzaSecret" not in shown
