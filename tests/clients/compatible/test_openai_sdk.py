"""OpenAI's SDK with the base URL of each provider, as most people use them; and Hugging Face's own client."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from huggingface_hub import InferenceClient
from openai import OpenAI

from aimock import AIMock
from aimock_protocols.openai_compatible import PROVIDERS

Connect = Callable[..., Any]

QUESTION: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
CALLS = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]
BASES = [f"/{provider.name}{base}" for provider in PROVIDERS for base in provider.bases]
OWN = [base for provider in PROVIDERS if provider.is_alone for base in provider.bases]


@pytest.fixture(params=[*BASES, *OWN])
def base(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(mock: AIMock, connect: Connect, base: str) -> OpenAI:
    found: OpenAI = connect(base_url=mock.url + base)
    return found


def joined(chunks: list[Any]) -> str:
    contents = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    return "".join(content for content in contents if isinstance(content, str))


def test_text_whole_and_streamed(mock: AIMock, client: OpenAI, base: str) -> None:
    mock.on_message("hello", {"content": "Hi there, né"}, chunk_size=3)
    whole = client.chat.completions.create(**QUESTION)
    assert (whole.choices[0].message.content, whole.model) == ("Hi there, né", "m")
    options = {"stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**QUESTION, **options, stream=True))
    assert joined(chunks) == "Hi there, né"
    assert chunks[-1].usage == whole.usage
    assert {entry["path"] for entry in mock.get_requests()} == {f"{base}/chat/completions"}


def test_calls_are_put_together(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi", "toolCalls": CALLS}, chunk_size=3)
    whole = client.chat.completions.create(**QUESTION).choices[0]
    with client.chat.completions.stream(**QUESTION) as stream:
        assembled = stream.get_final_completion().choices[0]
    for choice in (whole, assembled):
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls]
        assert calls == [("f", {"x": 1}), ("g", {})]
        assert (choice.message.content, choice.finish_reason) == ("Hi", "tool_calls")


def test_models(mock: AIMock, client: OpenAI, base: str) -> None:
    mock.on({"model": "org/x"}, {"content": "Hi"})
    prefix = "models/" if "v1beta" in base else ""
    if base.startswith("/together"):  # whose list is a bare array
        listed: Any = client.get("/models", cast_to=object)
        assert [model["id"] for model in listed] == ["org/x"]
    else:
        assert [model.id for model in client.models.list()] == [f"{prefix}org/x"]
    assert client.models.retrieve("org/x").id == f"{prefix}org/x"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError)],
)
def test_errors(mock: AIMock, client: OpenAI, status: int, kind: type[openai.APIStatusError]) -> None:
    """Of envelopes that the SDK does not know it tells the status alone, but has the body."""
    mock.on_message("hello", {"error": {"message": "No."}, "status": status})
    with pytest.raises(kind) as raised:
        client.chat.completions.create(**QUESTION)
    assert '"No."' in raised.value.response.text


def test_bad_input(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**QUESTION | {"messages": "hello"})
    assert "'messages'" in raised.value.response.text


@pytest.mark.parametrize("name", [provider.name for provider in PROVIDERS if provider.name != "mistral"])
def test_an_error_in_the_midst_of_a_stream(mock: AIMock, connect: Connect, name: str) -> None:
    """Mistral's flat errors are none to OpenAI's SDK."""
    mock.on_message("hello", {"content": "Hi there", "midStreamError": {"afterChunks": 1, "message": "boom"}})
    base = next(provider.bases[0] for provider in PROVIDERS if provider.name == name)
    with pytest.raises(openai.APIError, match="boom"):
        list(connect(base_url=f"{mock.url}/{name}{base}").chat.completions.create(**QUESTION, stream=True))


@pytest.mark.parametrize("base", ["/v1", "/openai/v1", "/somebody/v1", "/mistral/v3"])
def test_bases_that_tell_no_provider_are_openai_s(mock: AIMock, connect: Connect, base: str) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Hm"})
    told = connect(base_url=mock.url + base).chat.completions.create(**QUESTION)
    assert told.id.startswith("chatcmpl-")
    assert (told.service_tier, told.choices[0].message.reasoning_content) == ("default", "Hm")


def test_hugging_face_s_own_client(mock: AIMock) -> None:
    mock.on_message("hello", {"content": "Hi there", "reasoning": "Hm", "toolCalls": CALLS[:1]}, chunk_size=3)
    client = InferenceClient(base_url=mock.url, api_key="test")
    message = client.chat_completion(QUESTION["messages"], model="m").choices[0].message
    assert (message.content, message.reasoning) == ("Hi there", "Hm")
    assert message.tool_calls[0].function.arguments == '{"x":1}'
    *chunks, usage = client.chat_completion(QUESTION["messages"], model="m", stream=True)
    assert joined(chunks) == "Hi there"
    assert usage.usage.prompt_tokens == 2
