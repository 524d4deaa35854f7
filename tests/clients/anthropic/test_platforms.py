"""Claude on Vertex AI and Azure Foundry, with their own clients (wire-anthropic-messages §16, §17, §21)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from anthropic import AnthropicFoundry, AnthropicVertex, NotFoundError

from aimock import AIMock

QUESTION: dict[str, Any] = {"max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
VERTEX_MODEL = "claude-haiku-4-5@20251001"
MODEL = "claude-haiku-4-5-20251001"

Connect = Callable[..., Any]


@pytest.fixture(params=["", "/v1", "/v1beta1"])
def vertex(mock: AIMock, connect_claude: Connect, request: pytest.FixtureRequest) -> Any:
    """A client whose base URL has the version of the API, or leaves it out."""
    return connect_claude(
        AnthropicVertex, base_url=mock.url + request.param, region="us-east5", project_id="p", access_token="t"
    )


@pytest.fixture(params=["", "/"])
def foundry(mock: AIMock, connect_claude: Connect, request: pytest.FixtureRequest) -> Any:
    return connect_claude(AnthropicFoundry, base_url=f"{mock.url}/anthropic{request.param}", api_key="test")


def test_vertex(mock: AIMock, vertex: Any) -> None:
    """wire-anthropic §21.10."""
    mock.on({"model": MODEL}, {"content": "Hi", "toolCalls": [{"name": "f", "arguments": {"x": 1}}]})
    whole = vertex.messages.create(**QUESTION, model=VERTEX_MODEL)
    with vertex.messages.stream(**QUESTION, model=VERTEX_MODEL) as stream:
        streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert (message.model, message.stop_reason) == (MODEL, "tool_use")
        assert message.id.startswith("msg_vrtx_01")
        text, call = message.content
        assert (text.text, call.input) == ("Hi", {"x": 1})
        assert call.id.startswith("toolu_vrtx_01")
    paths = [entry["path"].rpartition(":")[2] for entry in mock.get_requests()]
    assert paths == ["rawPredict", "streamRawPredict"]


def test_a_model_s_date_is_not_needed_to_match_it(mock: AIMock, vertex: Any) -> None:
    mock.on({"model": "claude-haiku-4-5"}, {"content": "Hi"})
    assert vertex.messages.create(**QUESTION, model=VERTEX_MODEL).content[0].text == "Hi"


def test_vertex_counts_tokens(vertex: Any) -> None:
    assert vertex.messages.count_tokens(model=VERTEX_MODEL, messages=QUESTION["messages"]).input_tokens == 2


def test_vertex_errors(mock: AIMock, vertex: Any) -> None:
    with pytest.raises(NotFoundError, match="No fixture matched") as raised:
        vertex.messages.create(**QUESTION, model=VERTEX_MODEL)
    assert raised.value.request_id == raised.value.body["request_id"]


def test_foundry(mock: AIMock, foundry: Any) -> None:
    """wire-anthropic §21.11: the model is the deployment's name."""
    mock.on({"model": "my-deployment"}, {"content": "Hi"})
    assert foundry.messages.create(**QUESTION, model="my-deployment").content[0].text == "Hi"
    with foundry.messages.stream(**QUESTION, model="my-deployment") as stream:
        assert stream.get_final_text() == "Hi"
    assert foundry.messages.count_tokens(model="my-deployment", messages=QUESTION["messages"]).input_tokens == 2
