"""Where the SDKs look: base URLs of compatible providers, Azure's deployments, the model list, legacy completions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, DefaultAsyncHttpxClient, OpenAI

from aimock import AIMock

Connect = Callable[..., Any]

QUESTION: Any = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize(
    "base",
    [
        "/v1",
        "/v1/",
        "//v1",
        "",
        "/openai/v1",
        "/v1beta/openai",
        "/api/paas/v4",
        "/inference/v1",
        "/compatible-mode/v1",
        "/mistral/v1",
        "/V1",
    ],
)
def test_chat_answers_behind_every_base(mock: AIMock, connect: Connect, base: str) -> None:
    mock.on_message("hello", {"content": "Hi"})
    client = connect(base_url=mock.url + base)
    assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"
    chunks = client.chat.completions.create(**QUESTION, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi"
    paths = {entry["path"] for entry in mock.get_requests()}
    assert paths == {f"{base.rstrip('/')}/chat/completions"}, "the journal shows the path as it was sent"


@pytest.mark.parametrize("base", ["/v1/foo", "/v2", "/v2/openai"])
def test_a_known_version_is_not_rewritten(mock: AIMock, connect: Connect, base: str) -> None:
    mock.on_message("hello", {"content": "Hi"})
    with pytest.raises(openai.NotFoundError):
        connect(base_url=mock.url + base).chat.completions.create(**QUESTION)


# -- Azure -----------------------------------------------------------------------------------------------------------


def test_20_7_azure_names_the_deployment_by_the_model(mock: AIMock, connect: Connect) -> None:
    mock.on_message("hello", {"content": "Hi"}, model="my-deployment")
    azure = connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2024-10-21")
    completion = azure.chat.completions.create(**QUESTION | {"model": "my-deployment"})
    assert (completion.choices[0].message.content, completion.model) == ("Hi", "my-deployment")
    entry = mock.get_last_request()
    assert entry["path"] == "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"
    assert entry["headers"]["api-key"] == "[REDACTED]"
    first, *chunks = azure.chat.completions.create(**QUESTION | {"model": "my-deployment"}, stream=True)
    assert first.choices == [], "Azure says first what it thinks of the prompt"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi"


@pytest.mark.parametrize("deployment", ["gpt-4o", "with space"])
def test_c5_azure_s_deployment_is_the_model_of_a_body_that_has_none(
    mock: AIMock, connect: Connect, deployment: str
) -> None:
    mock.on({"model": deployment}, {"content": "Hi"})
    azure = connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2024-10-21", azure_deployment=deployment)
    body = {"messages": QUESTION["messages"]}
    answer: Any = azure.post("/chat/completions", body=body, cast_to=dict[str, Any])
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == (deployment, "Hi")
    assert mock.get_last_request()["body"]["model"] == deployment


def test_azure_with_a_token_of_entra(mock: AIMock, connect: Connect) -> None:
    mock.on_message("hello", {"content": "Hi"})
    azure = connect(
        AzureOpenAI,
        azure_endpoint=mock.url,
        api_version="2024-10-21",
        api_key=None,
        azure_ad_token_provider=lambda: "entra-token",
    )
    assert azure.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"
    assert mock.get_last_request()["headers"]["authorization"] == "[REDACTED]"


async def test_azure_asynchronously(mock: AIMock) -> None:
    mock.on_message("hello", {"content": "Hi"})
    async with AsyncAzureOpenAI(
        azure_endpoint=mock.url,
        api_version="2024-10-21",
        api_key="test",
        http_client=DefaultAsyncHttpxClient(verify=False),
    ) as azure:
        completion = await azure.chat.completions.create(**QUESTION)
    assert completion.choices[0].message.content == "Hi"


def test_azure_completions_and_errors(mock: AIMock, connect: Connect) -> None:
    mock.on_message("hello", {"content": "Hi"})
    azure = connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2024-10-21")
    assert azure.completions.create(model="dep", prompt="hello").choices[0].text == "Hi"
    with pytest.raises(openai.NotFoundError, match="No fixture matched"):
        azure.chat.completions.create(model="dep", messages=[{"role": "user", "content": "bye"}])


# -- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/v1", "/openai/v1"])
def test_models_are_those_of_the_fixtures(mock: AIMock, connect: Connect, base: str) -> None:
    client = connect(base_url=mock.url + base)
    assert "gpt-4o" in [model.id for model in client.models.list()]
    for model in ("b", "org/a", "b"):
        mock.on({"model": model}, {"content": "x"})
    mock.on({"userMessage": "x"}, {"content": "x"})
    models = list(client.models.list())
    assert [(model.id, model.object, model.owned_by) for model in models] == [
        ("b", "model", "aimock"),
        ("org/a", "model", "aimock"),
    ]
    assert [client.models.retrieve(model.id) for model in models] == models
    with pytest.raises(openai.NotFoundError, match="The model 'c' does not exist") as raised:
        client.models.retrieve("c")
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    assert mock.get_requests() == [], "the model list is no conversation, and is not journaled"


# -- legacy completions ----------------------------------------------------------------------------------------------


def test_legacy_completions_whole_and_streamed(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("Say hi", {"content": "Hi there", "finishReason": "length"}, chunk_size=3)
    question: Any = {"model": "gpt-3.5-turbo-instruct", "prompt": "Say hi"}
    whole = client.completions.create(**question)
    assert (whole.object, whole.choices[0].text, whole.choices[0].finish_reason) == (
        "text_completion",
        "Hi there",
        "length",
    )
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (2, 2)
    *chunks, usage = client.completions.create(**question, stream=True, stream_options={"include_usage": True})
    assert [chunk.choices[0].text for chunk in chunks] == ["Hi ", "the", "re", ""]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "length"]
    assert (usage.choices, usage.usage) == ([], whole.usage)


@pytest.mark.parametrize(
    ("prompt", "more", "texts"),
    [
        ("hello", {"n": 2}, ["Hi", "Hi"]),
        (["hello", "hello again"], {}, ["Hi", "Hi"]),
        ("hello", {"echo": True}, ["helloHi"]),
    ],
)
def test_legacy_completions_have_a_choice_a_prompt(
    mock: AIMock, client: OpenAI, prompt: Any, more: dict[str, Any], texts: list[str]
) -> None:
    mock.on_message("hello", {"content": "Hi"})
    choices = client.completions.create(model="m", prompt=prompt, **more).choices
    assert [choice.text for choice in choices] == texts
    assert [choice.index for choice in choices] == list(range(len(texts)))


def test_legacy_completions_go_wrong_as_chat_does(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"error": {"message": "no", "code": "x"}, "status": 422})
    with pytest.raises(openai.UnprocessableEntityError, match="no"):
        client.completions.create(model="m", prompt="hello")
    with pytest.raises(openai.NotFoundError, match="No fixture matched"):
        client.completions.create(model="m", prompt="other")
    with pytest.raises(openai.BadRequestError) as raised:
        client.post("/completions", body={"model": "m"}, cast_to=object)
    assert (raised.value.param, raised.value.code) == ("prompt", "missing_required_parameter")
