"""Azure OpenAI's deployments and its v1 API, with the SDK's Azure client and its plain one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import AzureOpenAI, OpenAI

from aimock import AIMock

Connect = Callable[..., Any]

QUESTION: dict[str, Any] = {"model": "my-deployment", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def azure(mock: AIMock, connect: Connect) -> AzureOpenAI:
    found: AzureOpenAI = connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2024-10-21")
    return found


@pytest.fixture
def v1(mock: AIMock, connect: Connect) -> OpenAI:
    """The plain client with Azure's header: its bearer token alone would tell nobody that Azure is meant."""
    found: OpenAI = connect(base_url=f"{mock.url}/openai/v1", default_headers={"api-key": "test"})
    return found


def filters(choice: Any) -> Any:
    return choice.content_filter_results


@pytest.mark.parametrize("kind", ["azure", "v1"])
def test_filters_whole_and_streamed(mock: AIMock, request: pytest.FixtureRequest, kind: str) -> None:
    mock.on({"model": "my-deployment"}, {"content": "Hi there"}, chunk_size=3)
    client = request.getfixturevalue(kind)
    whole = client.chat.completions.create(**QUESTION)
    assert (whole.model, whole.choices[0].message.content) == ("my-deployment", "Hi there")
    assert whole.prompt_filter_results[0]["content_filter_results"]["jailbreak"]["detected"] is False
    assert filters(whole.choices[0])["hate"] == {"filtered": False, "severity": "safe"}
    first, *chunks = client.chat.completions.create(**QUESTION, stream=True)
    assert (first.choices, first.id) == ([], "")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi there"
    assert [bool(filters(chunk.choices[0])) for chunk in chunks] == [False, True, True, True, False]
    with client.chat.completions.stream(**QUESTION) as stream:
        assert stream.get_final_completion().choices[0].message.content == "Hi there"


def test_the_v1_api_without_azure_s_header_is_openai_s(mock: AIMock, connect: Connect) -> None:
    mock.on_message("hello", {"content": "Hi"})
    told = connect(base_url=f"{mock.url}/openai/v1").chat.completions.create(**QUESTION)
    assert (told.service_tier, hasattr(told, "prompt_filter_results")) == ("default", False)


def test_a_fixture_may_name_the_model_behind_the_deployment(mock: AIMock, azure: AzureOpenAI) -> None:
    mock.on_message("hello", {"content": "Hi", "model": "gpt-4o-2024-11-20"})
    assert azure.chat.completions.create(**QUESTION).model == "gpt-4o-2024-11-20"


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        ({"error": {"message": "Denied"}, "status": 401}, openai.AuthenticationError, "401"),
        (
            {"error": {"message": "None", "code": "DeploymentNotFound"}, "status": 404},
            openai.NotFoundError,
            "DeploymentNotFound",
        ),
        ({"error": {"message": "Slow"}, "status": 429}, openai.RateLimitError, "429"),
        (
            {"error": {"message": "Bad", "code": "content_filter"}, "status": 400},
            openai.BadRequestError,
            "content_filter",
        ),
        ({"error": {"message": "Oops"}, "status": 500}, openai.InternalServerError, "500"),
    ],
)
def test_errors(mock: AIMock, azure: AzureOpenAI, response: Any, kind: type[Any], code: str) -> None:
    mock.on_message("hello", response)
    with pytest.raises(kind) as raised:
        azure.chat.completions.create(**QUESTION)
    assert raised.value.code == code
    assert ("innererror" in raised.value.body) is (code == "content_filter")
    assert raised.value.response.headers["apim-request-id"]


def test_strict_servers_ask_for_the_api_version(mock: AIMock, connect: Connect) -> None:
    mock.on_message("hello", {"content": "Hi"})
    headers = {"X-AIMock-Strict": "true", "api-key": "test"}
    client = connect(base_url=f"{mock.url}/openai/deployments/d", default_headers=headers)
    with pytest.raises(openai.NotFoundError, match="Resource not found") as raised:
        client.chat.completions.create(**QUESTION)
    assert raised.value.code == "404"
    versioned = client.with_options(default_query={"api-version": "2024-10-21"})
    assert versioned.chat.completions.create(**QUESTION).choices[0].message.content == "Hi"


def test_models_and_paths_that_there_are_not(mock: AIMock, azure: AzureOpenAI) -> None:
    mock.on({"model": "gpt-4o"}, {"content": "Hi"})
    assert [model.id for model in azure.models.list()] == ["gpt-4o"]
    with pytest.raises(openai.NotFoundError) as raised:
        azure.get("/nope", cast_to=object)
    assert raised.value.code == "404"
