"""Azure OpenAI: content filters, sorted members, two kinds of errors, and its api-version (wire-openai-chat §14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock_protocols import sse
from aimock_protocols.azure_openai import chat as azure
from aimock_protocols.canonical import ChatRequest, ErrorReply, FrameKind, Reply, SideRequest, Stamp, Text
from aimock_protocols.openai_platform import read_error

Ask = Callable[..., ChatRequest]

SAFE = {"filtered": False, "severity": "safe"}
UNDETECTED = {"detected": False, "filtered": False}
HARMS = {"hate": SAFE, "self_harm": SAFE, "sexual": SAFE, "violence": SAFE}
OF_THE_PROMPT = [{"prompt_index": 0, "content_filter_results": HARMS | {"jailbreak": UNDETECTED}}]


def is_sorted(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(is_sorted, value))
    return not isinstance(value, dict) or (list(value) == sorted(value) and all(map(is_sorted, value.values())))


def test_a_whole_body_has_filter_results_and_sorted_members(ask: Ask, stamp: Stamp) -> None:
    told = orjson.loads(azure.encode(Reply((Text("Hi"),)), azure.shape(ask()), stamp))
    (choice,) = told["choices"]
    assert told["prompt_filter_results"] == OF_THE_PROMPT
    assert choice["content_filter_results"] == HARMS | {
        "protected_material_code": UNDETECTED,
        "protected_material_text": UNDETECTED,
    }
    assert "service_tier" not in told
    assert is_sorted(told)


def test_a_stream_begins_with_what_azure_thinks_of_the_prompt(ask: Ask, stamp: Stamp) -> None:
    request = ask(stream_options={"include_usage": True})
    frames = list(azure.frames(Reply((Text("Hi"),)), azure.shape(request), stamp, 20))
    first, role, text, finish, usage = [
        orjson.loads(event.data) for event in sse.events(frame.data for frame in frames[:-1])
    ]
    assert first == {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": OF_THE_PROMPT,
    }
    assert [frame.kind for frame in frames[:2]] == [FrameKind.OPEN] * 2
    results = [chunk["choices"][0]["content_filter_results"] for chunk in (role, text, finish)]
    assert results == [{}, HARMS, {}]
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == ([], 1)
    assert [chunk["usage"] for chunk in (role, text, finish)] == [None] * 3
    assert is_sorted([first, role, text, finish, usage])
    assert azure.collapse(frame.data for frame in frames).text == "Hi"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ErrorReply("Denied", status=401), {"code": "401", "message": "Denied"}),
        (
            ErrorReply("None", code="DeploymentNotFound", status=404),
            {"code": "DeploymentNotFound", "message": "None"},
        ),
        (ErrorReply("Slow", "requests", status=429), {"code": "429", "message": "Slow"}),
        (ErrorReply("Bad", "t", "p", "c", 400), {"message": "Bad", "type": "t", "param": "p", "code": "c"}),
        (
            ErrorReply("Bad", "t", status=400, metadata={"code": "x"}),
            {"message": "Bad", "type": "t", "param": None, "code": None, "innererror": {"code": "x"}},
        ),
        (
            ErrorReply("Filtered", code="content_filter", status=400),
            {
                "message": "Filtered",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": HARMS | {"hate": {"filtered": True, "severity": "high"}},
                },
            },
        ),
    ],
)
def test_errors_of_the_gateway_and_of_the_model(stamp: Stamp, error: ErrorReply, told: Any) -> None:
    response = azure.error(error, stamp)
    assert orjson.loads(response.body) == {"error": told}
    read = read_error(orjson.loads(response.body), error.status)
    assert read is not None
    assert (read.message, read.status) == (error.message, error.status)


@pytest.mark.parametrize(
    ("params", "query", "known"),
    [
        ({"deployment": "d"}, "api-version=2024-10-21", True),
        ({"deployment": "d"}, "x=1&api-version=preview", True),
        ({"deployment": "d"}, "", False),
        ({"deployment": "d"}, "api-version=", False),
        ({}, "", True),
    ],
)
def test_below_a_deployment_there_is_nothing_without_an_api_version(
    params: dict[str, str], query: str, known: bool
) -> None:
    @attrs.frozen
    class Head:
        method: str = "POST"
        path: str = "/"
        query: str = ""
        headers: dict[str, str] = attrs.field(factory=dict)

    request = azure.decode(Head(query=query), params, b'{"messages":[]}')
    assert request.model == params.get("deployment", "")
    assert (request.objection is None) is known
    if request.objection is not None:
        assert (request.objection.status, request.objection.code) == (404, "404")


def test_headers_and_models(stamp: Stamp, side_request: Callable[..., SideRequest]) -> None:
    assert dict(azure.whole_headers)["x-ms-region"]
    assert len(dict(azure.fresh_headers(stamp))["apim-request-id"]) == 36
    (model,) = orjson.loads(azure.list_models(side_request("gpt-4o")).body)["data"]
    assert (model["id"], model["status"], model["capabilities"]["chat_completion"]) == ("gpt-4o", "succeeded", True)
