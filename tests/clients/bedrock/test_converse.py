"""Converse and ConverseStream through boto3 (wire-bedrock §4, §6, §12)."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import EventStreamError

from aimock import AIMock
from aimock.pytest_plugin import environment

MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"
HELLO = {"role": "user", "content": [{"text": "hello"}]}
QUESTION: dict[str, Any] = {"modelId": MODEL, "messages": [HELLO]}
TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {"type": "object"}}}}]}

Connect = Callable[..., Any]


def told(bedrock: Any, **more: Any) -> Any:
    return bedrock.converse(**QUESTION | more)


def events(bedrock: Any, **more: Any) -> list[Any]:
    return list(bedrock.converse_stream(**QUESTION | more)["stream"])


def content(answer: Any) -> Any:
    return answer["output"]["message"]["content"]


def start(index: int, name: str, call_id: str) -> Any:
    opening = {"toolUse": {"toolUseId": call_id, "name": name}}
    return {"contentBlockStart": {"start": opening, "contentBlockIndex": index}}


def delta(index: int, told: Any) -> Any:
    return {"contentBlockDelta": {"delta": told, "contentBlockIndex": index}}


def stop(index: int) -> Any:
    return {"contentBlockStop": {"contentBlockIndex": index}}


BEGIN = {"messageStart": {"role": "assistant"}}


def ended(reason: str, tokens: int) -> list[Any]:
    usage = {"inputTokens": 2, "outputTokens": tokens, "totalTokens": 2 + tokens}
    return [
        {"messageStop": {"stopReason": reason}},
        {"metadata": {"usage": usage, "metrics": {"latencyMs": 400 + 10 * tokens}}},
    ]


# -- whole and streamed ------------------------------------------------------------------------------------------------


def test_text(mock: AIMock, bedrock: Any) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"})
    answer = told(bedrock)
    assert answer["output"] == {"message": {"role": "assistant", "content": [{"text": "Hi there, né 🚀"}]}}
    assert (answer["stopReason"], answer["metrics"]) == ("end_turn", {"latencyMs": 440})
    assert answer["usage"] == {"inputTokens": 2, "outputTokens": 4, "totalTokens": 6}
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


CALL = {"name": "get_weather", "arguments": {"city": "Paris"}, "id": "tooluse_1"}
STREAMS: list[Any] = [
    pytest.param(
        {"content": "Hello"},
        [BEGIN, delta(0, {"text": "Hell"}), delta(0, {"text": "o"}), stop(0), *ended("end_turn", 2)],
        [{"text": "Hello"}],
        id="text",
    ),
    pytest.param(
        {"toolCalls": [{**CALL, "arguments": "{}"}]},
        [
            BEGIN,
            start(0, "get_weather", "tooluse_1"),
            delta(0, {"toolUse": {"input": "{}"}}),
            stop(0),
            *ended("tool_use", 4),
        ],
        [{"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {}}}],
        id="tool",
    ),
    pytest.param(
        {
            "toolCalls": [
                {**CALL, "arguments": {"x": 1}},
                {"name": "get_time", "arguments": {}, "id": "tooluse_2"},
            ]
        },
        [
            BEGIN,
            start(0, "get_weather", "tooluse_1"),
            delta(0, {"toolUse": {"input": '{"x"'}}),
            delta(0, {"toolUse": {"input": ":1}"}}),
            stop(0),
            start(1, "get_time", "tooluse_2"),
            delta(1, {"toolUse": {"input": "{}"}}),
            stop(1),
            *ended("tool_use", 7),
        ],
        [
            {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"x": 1}}},
            {"toolUse": {"toolUseId": "tooluse_2", "name": "get_time", "input": {}}},
        ],
        id="parallel tools",
    ),
    pytest.param(
        {"content": "Hm.", "toolCalls": [{**CALL, "arguments": {}}]},
        [
            BEGIN,
            delta(0, {"text": "Hm."}),
            stop(0),
            start(1, "get_weather", "tooluse_1"),
            delta(1, {"toolUse": {"input": "{}"}}),
            stop(1),
            *ended("tool_use", 4),
        ],
        [{"text": "Hm."}, {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {}}}],
        id="text and tool",
    ),
    pytest.param(
        {"blocks": [{"type": "toolCall", **CALL, "arguments": "{}"}, {"type": "text", "text": "So."}]},
        [
            BEGIN,
            start(0, "get_weather", "tooluse_1"),
            delta(0, {"toolUse": {"input": "{}"}}),
            stop(0),
            delta(1, {"text": "So."}),
            stop(1),
            *ended("tool_use", 4),
        ],
        [{"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {}}}, {"text": "So."}],
        id="tool first",
    ),
    pytest.param(
        {"content": "Hi", "reasoning": "Hm.", "reasoningSignature": "c2lnbmVk"},
        [
            BEGIN,
            delta(0, {"reasoningContent": {"text": "Hm."}}),
            delta(0, {"reasoningContent": {"signature": "c2lnbmVk"}}),
            stop(0),
            delta(1, {"text": "Hi"}),
            stop(1),
            *ended("end_turn", 1),
        ],
        [{"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}}, {"text": "Hi"}],
        id="reasoning with its signature",
    ),
    pytest.param(
        {"content": "Hi", "redactedThinking": ["cmVkYWN0ZWQ="]},
        [
            BEGIN,
            delta(0, {"reasoningContent": {"redactedContent": b"redacted"}}),
            stop(0),
            delta(1, {"text": "Hi"}),
            stop(1),
            *ended("end_turn", 1),
        ],
        [{"reasoningContent": {"redactedContent": b"redacted"}}, {"text": "Hi"}],
        id="redacted",
    ),
    pytest.param({"content": ""}, [BEGIN, *ended("end_turn", 1)], [], id="nothing"),
]


@pytest.mark.parametrize(("response", "streamed", "blocks"), STREAMS)
def test_exact_events(mock: AIMock, bedrock: Any, response: Any, streamed: list[Any], blocks: list[Any]) -> None:
    """Acceptance 2 of wire-bedrock, and the same answer whole; field 2.24, 2.31."""
    mock.on_message("hello", response, chunk_size=4)
    assert events(bedrock, toolConfig=TOOLS | {"toolChoice": {"auto": {}}})[: len(streamed) - 1] == streamed[:-1]
    assert events(bedrock) == streamed
    answer = told(bedrock)
    assert content(answer) == blocks
    assert {"messageStop": {"stopReason": answer["stopReason"]}} == streamed[-2]
    assert answer["usage"] == streamed[-1]["metadata"]["usage"]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", "max_tokens"),
        ("content_filter", "content_filtered"),
        ("guardrail_intervened", "guardrail_intervened"),
        ("stop_sequence", "stop_sequence"),
    ],
)
def test_stop_reasons(mock: AIMock, bedrock: Any, finish: str, reason: str) -> None:
    mock.on_message("hello", {"content": "Hi", "finishReason": finish})
    asked = {
        "inferenceConfig": {"stopSequences": ["END"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
    }
    met = {"stop_sequence": "END" if finish == "stop_sequence" else None}
    answer = told(bedrock, **asked)
    assert (answer["stopReason"], answer["additionalModelResponseFields"]) == (reason, met)
    stopped = {"stopReason": reason, "additionalModelResponseFields": met}
    assert events(bedrock, **asked)[-2] == {"messageStop": stopped}


def test_usage_of_the_fixture(mock: AIMock, bedrock: Any) -> None:
    usage = {"input_tokens": 10, "output_tokens": 25, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3}
    mock.on_message("hello", {"content": "Hi", "usage": usage})
    expected = {
        "inputTokens": 10,
        "outputTokens": 25,
        "totalTokens": 35,
        "cacheReadInputTokens": 7,
        "cacheWriteInputTokens": 3,
    }
    assert told(bedrock)["usage"] == events(bedrock)[-1]["metadata"]["usage"] == expected


def test_tiers_are_echoed(mock: AIMock, bedrock: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    asked = {"performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "priority"}}
    for answer in (told(bedrock, **asked), events(bedrock, **asked)[-1]["metadata"]):
        assert {name: answer[name] for name in asked} == asked


def test_structured_output(mock: AIMock, bedrock: Any) -> None:
    mock.on({"responseFormat": "json_schema"}, {"content": {"city": "Paris"}})
    schema = {"name": "City", "schema": json.dumps({"type": "object"})}
    wanted = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    assert json.loads(content(told(bedrock, outputConfig=wanted))[0]["text"]) == {"city": "Paris"}


def test_every_request_has_an_id_of_its_own(mock: AIMock, bedrock: Any) -> None:
    """Acceptance 6 of wire-bedrock."""
    mock.on_message("hello", {"content": "Hi"})
    ids = [told(bedrock)["ResponseMetadata"]["RequestId"] for _ in range(2)]
    streamed = bedrock.converse_stream(**QUESTION)
    streamed["stream"].close()
    ids.append(streamed["ResponseMetadata"]["RequestId"])
    assert len({uuid.UUID(each) for each in ids}) == 3
    assert all(uuid.UUID(each).version == 4 for each in ids)


# -- conversations -----------------------------------------------------------------------------------------------------


def test_a_conversation_with_tools(mock: AIMock, bedrock: Any) -> None:
    """What the model said goes back as it came, with the tools' results."""
    mock.on({"hasToolResult": True, "toolResultContains": "sunny"}, {"content": "It is sunny in Paris."})
    mock.on_message("weather", {"content": "Let me see.", "reasoning": "Hm.", "toolCalls": [CALL, CALL | {"id": "B"}]})
    messages = [{"role": "user", "content": [{"text": "weather"}]}]
    asked = {"messages": messages, "toolConfig": TOOLS, "system": [{"text": "Be kind."}]}
    answer = told(bedrock, **asked)["output"]["message"]
    calls = [block["toolUse"] for block in answer["content"] if "toolUse" in block]
    contents: list[Any] = [[{"json": {"sky": "sunny"}}], [{"text": "warm"}]]
    results = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": given, "status": "success"}}
        for call, given in zip(calls, reversed(contents), strict=True)
    ]
    messages += [answer, {"role": "user", "content": results}]
    assert content(told(bedrock, **asked)) == [{"text": "It is sunny in Paris."}]
    body = mock.get_last_request()["body"]
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    assert body["messages"][-1]["content"] == '{"sky":"sunny"}'


def test_what_can_be_matched(mock: AIMock, bedrock: Any) -> None:
    mock.on({"systemMessage": "Be kind."}, {"content": "system"})
    mock.on({"toolName": "get_weather"}, {"content": "tool"})
    mock.on({"where": "messages[0].content[?type=='image_url']"}, {"content": "image"})
    picture = {"image": {"format": "png", "source": {"bytes": b"png"}}}
    assert content(told(bedrock, system=[{"text": "Be kind."}])) == [{"text": "system"}]
    cached = {"tools": [*TOOLS["tools"], {"cachePoint": {"type": "default"}}]}
    assert content(told(bedrock, toolConfig=cached)) == [{"text": "tool"}]
    seen = [{"role": "user", "content": [picture, {"text": "What is it?"}]}]
    assert content(told(bedrock, messages=seen)) == [{"text": "image"}]


ARN = "arn:aws:bedrock:us-east-1:123456789012:"
FOUNDATION = "anthropic.claude-sonnet-4-20250514-v1:0"


@pytest.mark.parametrize("match", [FOUNDATION, "claude-sonnet-4-20250514", "claude-sonnet-4", {"$regex": "^claude"}])
@pytest.mark.parametrize(
    "model", [FOUNDATION, f"us.{FOUNDATION}", f"{ARN}inference-profile/us.{FOUNDATION}"], ids=["id", "region", "arn"]
)
def test_a_model_by_all_its_names(mock: AIMock, bedrock: Any, model: str, match: Any) -> None:
    """Acceptance 5 of wire-bedrock."""
    mock.on({"model": match}, {"content": "Hi"})
    assert content(told(bedrock, modelId=model)) == [{"text": "Hi"}]
    assert events(bedrock, modelId=model)[1] == delta(0, {"text": "Hi"})
    assert mock.get_last_request()["body"]["model"] == model


# -- credentials -------------------------------------------------------------------------------------------------------


Endpoint = dict[str, str]


def test_a_bedrock_api_key(
    mock: AIMock, https: Endpoint, connect_bedrock: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock.on_message("hello", {"content": "Hi"})
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-key")
    client = connect_bedrock(**https, aws_access_key_id=None, aws_secret_access_key=None)
    assert content(told(client)) == [{"text": "Hi"}]
    assert events(client)[1] == delta(0, {"text": "Hi"})
    assert mock.get_last_request()["headers"]["authorization"] == "[REDACTED]"


def test_the_pytest_plugin_s_environment_is_enough(mock: AIMock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a real one, which boto3 would not send to us")
    environment.patch(monkeypatch, mock.url, wanted=True)
    mock.on_message("hello", {"content": "Hi"})
    with contextlib.closing(boto3.Session().client("bedrock-runtime")) as client:
        assert content(told(client)) == [{"text": "Hi"}]


@pytest.mark.parametrize(("key", "admitted"), [("AKIDEXAMPLE", True), ("AKIDOTHER", False)])
def test_who_signs_presents_the_access_key_id(connect_bedrock: Connect, key: str, admitted: bool) -> None:
    """wire-bedrock §1.2"""
    with AIMock(api_keys=["AKIDEXAMPLE"]) as mock:
        mock.on_message("hello", {"content": "Hi"})
        client = connect_bedrock(url=mock.url, aws_access_key_id=key)
        if admitted:
            assert content(told(client)) == [{"text": "Hi"}]
        else:
            with pytest.raises(client.exceptions.ClientError) as raised:
                told(client)
            assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 401


# -- beside the conversation -------------------------------------------------------------------------------------------


def test_tokens_are_counted_as_answers_tell_them(mock: AIMock, bedrock: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    asked = {"messages": [HELLO], "system": [{"text": "Be kind, always."}], "toolConfig": TOOLS}
    counted = bedrock.count_tokens(modelId=MODEL, input={"converse": asked})["inputTokens"]
    assert counted == told(bedrock, **asked)["usage"]["inputTokens"] > 20
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "messages": [{"role": "user", "content": "hello"}]})
    assert bedrock.count_tokens(modelId=MODEL, input={"invokeModel": {"body": body}})["inputTokens"] == 2


def test_a_guardrail(bedrock: Any) -> None:
    asked = {"source": "OUTPUT", "content": [{"text": {"text": "Hi"}}]}
    answer = bedrock.apply_guardrail(guardrailIdentifier="g", guardrailVersion="1", **asked)
    assert (answer["action"], answer["outputs"], answer["usage"]["wordPolicyUnits"]) == ("NONE", [], 0)
    arn = "arn:aws:bedrock:us-east-1:123456789012:guardrail/g"
    assert bedrock.apply_guardrail(guardrailIdentifier=arn, guardrailVersion="DRAFT", **asked)["action"] == "NONE"


# -- in the midst of a stream ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({}, "internalServerException"),
        ({"type": "rate_limit_error"}, "throttlingException"),
        ({"type": "overloaded_error"}, "serviceUnavailableException"),
        ({"type": "invalid_request_error"}, "validationException"),
        ({"code": "ThrottlingException"}, "throttlingException"),
        ({"code": "modelStreamErrorException"}, "modelStreamErrorException"),
        ({"code": "internalServerException"}, "internalServerException"),
        ({"code": "serviceUnavailableException"}, "serviceUnavailableException"),
        ({"code": "validationException"}, "validationException"),
    ],
)
def test_an_exception(mock: AIMock, bedrock: Any, error: dict[str, Any], code: str) -> None:
    """Acceptance 4 of wire-bedrock."""
    broken = {"message": "Too much.", "afterChunks": 2, **error}
    mock.on_message("hello", {"content": "Hello", "midStreamError": broken}, chunk_size=2)
    seen = []
    stream = bedrock.converse_stream(**QUESTION)["stream"]
    with contextlib.closing(stream), pytest.raises(EventStreamError) as raised:
        seen.extend(stream)
    assert seen == [BEGIN, delta(0, {"text": "He"})]
    assert raised.value.response["Error"] == {"Code": code, "Message": "Too much."}


def test_a_stream_that_breaks_off_is_an_error_of_the_connection(mock: AIMock, bedrock: Any) -> None:
    """core-lessons E7: its events alone would look like a short answer."""
    mock.on_message("hello", {"content": "Hello"}, chunk_size=1, truncate_after_chunks=3)
    seen = []
    stream = bedrock.converse_stream(**QUESTION)["stream"]
    with contextlib.closing(stream), pytest.raises(Exception, match="Response ended prematurely"):
        seen.extend(stream)
    assert seen == [BEGIN, delta(0, {"text": "H"}), delta(0, {"text": "e"})]
