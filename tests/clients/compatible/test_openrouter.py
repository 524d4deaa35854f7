"""OpenRouter as most people use it: OpenAI's SDK at `/api/v1`, with OpenRouter's own members in `extra_body`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "anthropic/claude-x", "messages": [{"role": "user", "content": "hello"}]}
CALLS = [{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {}}]


@pytest.fixture
def router(mock: AIMock, connect: Callable[..., Any]) -> OpenAI:
    found: OpenAI = connect(base_url=f"{mock.url}/api/v1")
    return found


def test_20_9_failover(mock: AIMock, router: OpenAI) -> None:
    mock.on({"model": "anthropic/claude-x"}, {"error": {"message": "Overloaded"}, "status": 529})
    mock.on({"model": "openai/gpt-5"}, {"content": "Hi"})
    models = {"models": ["openai/gpt-5"]}
    told = router.chat.completions.create(**QUESTION, extra_body=models)
    assert (told.model, told.provider, told.choices[0].message.content) == ("openai/gpt-5", "OpenAI", "Hi")
    chunks = list(router.chat.completions.create(**QUESTION, extra_body=models, stream=True))
    assert {chunk.model for chunk in chunks} == {"openai/gpt-5"}
    with pytest.raises(openai.InternalServerError, match="Overloaded") as raised:
        router.chat.completions.create(**QUESTION, extra_body=models | {"provider": {"allow_fallbacks": False}})
    assert (raised.value.status_code, raised.value.code) == (529, "529")


def test_text_calls_and_reasoning(mock: AIMock, router: OpenAI) -> None:
    response = {"content": "Hi there", "reasoning": "Hm, I see", "reasoningSignature": "sig", "toolCalls": CALLS}
    mock.on_message("hello", response, chunk_size=3)
    message: Any = router.chat.completions.create(**QUESTION).choices[0].message
    assert (message.content, message.reasoning) == ("Hi there", "Hm, I see")
    (detail,) = message.reasoning_details
    assert (detail["text"], detail["signature"], detail["format"]) == ("Hm, I see", "sig", "anthropic-claude-v1")
    *chunks, last = router.chat.completions.create(**QUESTION, stream=True)
    deltas: list[Any] = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "Hi there"
    assert "".join(getattr(delta, "reasoning", None) or "" for delta in deltas) == "Hm, I see"
    assert all(delta.role == "assistant" for delta in deltas)
    arguments = [call.function.arguments for delta in deltas for call in delta.tool_calls or ()]
    assert json.loads("".join(arguments[:4])) == {"x": 1}
    assert last.usage is not None
    assert last.usage.cost == 0  # type: ignore[attr-defined]


def test_20_13_a_comment_before_the_first_chunk_is_ignored(mock: AIMock, router: OpenAI) -> None:
    mock.add_fixture({"match": {"userMessage": "hello"}, "response": {"content": "Hi"}, "openRouterProcessing": True})
    chunks = list(router.chat.completions.create(**QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi"
    body = httpx.post(f"{mock.url}/api/v1/chat/completions", json=QUESTION | {"stream": True}).text
    assert body.startswith(": OPENROUTER PROCESSING\n\ndata: {")
    assert body.count("PROCESSING") == 1
    elsewhere = httpx.post(f"{mock.url}/v1/chat/completions", json=QUESTION | {"stream": True}).text
    assert elsewhere.startswith("data: {")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (402, openai.APIStatusError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (408, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (502, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_errors(mock: AIMock, router: OpenAI, status: int, kind: type[openai.APIStatusError]) -> None:
    metadata = {"provider_name": "Anthropic", "raw": "x"}
    mock.on_message("hello", {"error": {"message": "No.", "metadata": metadata}, "status": status})
    for stream in (False, True):
        with pytest.raises(kind, match=r"No\.") as raised:
            router.chat.completions.create(**QUESTION, stream=stream)
        assert raised.value.body == {"code": status, "message": "No.", "metadata": metadata}


def test_bad_input_and_misses(mock: AIMock, router: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="messages") as raised:
        router.chat.completions.create(**QUESTION | {"messages": "hello"})
    assert raised.value.code == "400"
    with pytest.raises(openai.NotFoundError, match="No fixture matched"):
        router.chat.completions.create(**QUESTION)


def test_an_error_in_the_midst_of_a_stream(mock: AIMock, router: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi there", "midStreamError": {"afterChunks": 1, "message": "boom"}})
    with pytest.raises(openai.APIError, match="boom"):
        list(router.chat.completions.create(**QUESTION, stream=True))


def test_generations_and_discovery(mock: AIMock, router: OpenAI) -> None:
    mock.on({"model": "anthropic/claude-x"}, {"content": "Hi", "usage": {"cost": 0.5}})
    told = router.chat.completions.with_raw_response.create(**QUESTION)
    name = told.parse().id
    assert told.headers["x-generation-id"] == name

    def get(path: str, **params: str) -> httpx.Response:
        return httpx.get(f"{mock.url}/api/v1{path}", params=params)

    generation = get("/generation", id=name).json()["data"]
    assert (generation["id"], generation["total_cost"], generation["streamed"]) == (name, 0.5, False)
    missing = get("/generation", id="gen-none")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, 404)
    assert [model.id for model in router.models.list()] == ["anthropic/claude-x"]
    assert get("/models/anthropic/claude-x/endpoints").json()["data"]["endpoints"][0]["provider_name"] == "Anthropic"
    assert get("/model/anthropic/none").status_code == 404
    for path in ("/key", "/auth/key", "/credits", "/providers", "/models/count", "/models/user"):
        assert get(path).status_code == 200, path


def test_a_generation_is_known_to_the_test_that_asked_for_it(mock: AIMock) -> None:
    mock.on_message("hello", {"content": "Hi"})
    post, get = httpx.post, httpx.get
    headers = {"x-test-id": "one"}
    name = post(f"{mock.url}/api/v1/chat/completions", json=QUESTION, headers=headers).json()["id"]
    url = f"{mock.url}/api/v1/generation?id={name}"
    assert (get(url).status_code, get(url, headers=headers).status_code) == (404, 200)


def test_without_fixtures_there_are_well_known_models(router: OpenAI) -> None:
    assert "openai/gpt-4o" in [model.id for model in router.models.list()]


def test_text_completions(mock: AIMock, router: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)
    told = router.completions.create(model="openai/gpt-5", prompt="hello")
    assert (told.choices[0].text, told.object) == ("Hi there", "text_completion")
    chunks = list(router.completions.create(model="openai/gpt-5", prompt="hello", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "Hi there"
    assert chunks[-1].usage == told.usage
