"""botocore as the judge: its model of the service takes what is sent, strictly, and its parser reads the streams."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from botocore.eventstream import EventStream
from botocore.parsers import EventStreamJSONParser

from aimock_protocols import bedrock_converse, bedrock_platform, eventstream
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    MidStreamError,
    Reply,
    SideRequest,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from protocol_cases.bedrock_shapes import judge_error, judge_event, judge_output, service

Ask = Callable[..., ChatRequest]

CASES = [
    pytest.param(Reply((Text("Hello, né 🚀"),)), {}, id="text"),
    pytest.param(Reply((Text(""),)), {}, id="empty text"),
    pytest.param(Reply(), {}, id="nothing"),
    pytest.param(Reply((ToolCall("f", '{"x":[1,{"é":"🚀"}]}'), ToolCall("g", ""))), {}, id="calls"),
    pytest.param(Reply((ToolCall("f", "oops"), ToolCall("g", "[1]"))), {}, id="calls without an object"),
    pytest.param(Reply((Text("abc"), ToolCall("f", '{"x":1}', "i"), Text("def"))), {}, id="interleaved"),
    pytest.param(Reply(refusal="I cannot."), {}, id="refusal"),
    pytest.param(Reply((Text("answer"),), reasoning="thought"), {}, id="thought"),
    pytest.param(Reply((Text("answer"),), reasoning="thought", reasoning_signature="c2ln"), {}, id="signed"),
    pytest.param(Reply(reasoning_signature="c2ln"), {}, id="signature alone"),
    pytest.param(Reply((ToolCall("f", "{}"),), redacted_thinking=("cmVk", "no base64!", "cmVkYWN")), {}, id="redacted"),
    pytest.param(Reply((Text("Hi"),), finish_reason="length"), {}, id="length"),
    pytest.param(
        Reply((Text("Hi"),), finish_reason="stop_sequence"),
        {
            "inferenceConfig": {"stopSequences": ["END"]},
            "additionalModelResponseFieldPaths": ["/stop_sequence", "/other"],
        },
        id="stop sequence",
    ),
    pytest.param(
        Reply(
            (Text("Hi"),), usage={"prompt_tokens": 5, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1}
        ),
        {"performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "flex"}},
        id="usage and tiers",
    ),
]


class Raw:
    """A response body as botocore wants it."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def stream(self) -> list[bytes]:
        return self._chunks


def theirs(chunks: list[bytes]) -> list[Any]:
    """The events as botocore gives them to its users."""
    shape = service().shape_for("ConverseStreamOutput")
    return list(EventStream(Raw(chunks), shape, EventStreamJSONParser(), "ConverseStream"))


@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("model", ["anthropic.claude-x", "openai.gpt-oss-120b-1:0"])
def test_whole_bodies_are_of_the_service_s_model(
    ask_converse: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], model: str
) -> None:
    shape = bedrock_converse.shape(ask_converse(model=model, **more))
    judge_output("Converse", orjson.loads(bedrock_converse.encode(reply, shape, stamp)))


@pytest.mark.parametrize(("reply", "more"), CASES)
@pytest.mark.parametrize("model", ["anthropic.claude-x", "openai.gpt-oss-120b-1:0"])
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 100])
def test_botocore_reads_the_stream_as_the_whole(
    ask_converse: Ask, stamp: Stamp, reply: Reply, more: dict[str, Any], model: str, chunk_size: int
) -> None:
    """No event is strange to it, and put together they are the answer that is not streamed."""
    shape = bedrock_converse.shape(ask_converse(model=model, **more))
    frames = [frame.data for frame in bedrock_converse.frames(reply, shape, stamp, chunk_size)]
    messages = list(eventstream.messages(frames))
    for message in messages:
        judge_event("ConverseStream", message, orjson.loads(message.payload))
    told = theirs(frames)
    assert [next(iter(event)) for event in told] == [message.text(":event-type") for message in messages]
    whole = bedrock_converse.parse(bedrock_converse.encode(reply, shape, stamp))
    assert bedrock_converse.collapse(frames) == whole
    texts = [event["contentBlockDelta"]["delta"].get("text", "") for event in told if "contentBlockDelta" in event]
    assert "".join(texts) == (whole.text or "")
    assert told[-1]["metadata"]["usage"]["outputTokens"] == (whole.usage or {})["output_tokens"]


def test_the_judge_is_strict() -> None:
    """What the reference sends of text is refused, as botocore refuses it."""
    good = {"contentBlockIndex": 0, "p": "ab", "delta": {"text": "a"}}
    (delta,) = eventstream.messages([eventstream.event("contentBlockDelta", b"")])
    (start,) = eventstream.messages([eventstream.event("contentBlockStart", b"")])
    (odd,) = eventstream.messages([eventstream.event("contentBlockOdd", b"")])
    judge_event("ConverseStream", delta, good)
    for message, told in [
        (odd, good),
        (start, {"contentBlockIndex": 0, "p": "ab", "start": {}}),
        (start, {"contentBlockIndex": 0, "p": "ab", "start": {"reasoningContent": {}}}),
        (delta, {**good, "delta": {"text": "a", "reasoningContent": {"text": "b"}}}),
        (delta, {**good, "more": 1}),
        (delta, {"p": "ab", "delta": {"text": "a"}}),
    ]:
        with pytest.raises(AssertionError):
            judge_event("ConverseStream", message, told)


EXCEPTIONS = sorted(
    {shape.name for name in ("Converse", "ConverseStream") for shape in service().operation_model(name).error_shapes}
)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_has_the_service_s_shape(name: str, stamp: Stamp) -> None:
    origin = {"originalStatusCode": 500, "resourceName": "r"} if name == "ModelErrorException" else None
    error = bedrock_platform.error(ErrorReply("No.", code=name, metadata=origin), stamp)
    judge_error(name, orjson.loads(error.body))


@pytest.mark.parametrize("status", [400, 403, 408, 424, 429, 500, 503, 529])
def test_an_exception_inside_a_stream(ask_converse: Ask, stamp: Stamp, status: int) -> None:
    shape = bedrock_converse.shape(ask_converse())
    error = ErrorReply("No.", status=status, metadata={"originalStatusCode": 500} if status == 424 else None)
    reply = Reply((Text("Hi"),), mid_stream_error=MidStreamError(2, error))
    messages = list(
        eventstream.messages(frame.data for frame in bedrock_converse.frames(reply, shape, stamp, chunk_size=1))
    )
    assert [message.text(":message-type") for message in messages] == ["event", "event", "exception"]
    judge_event("ConverseStream", messages[-1], orjson.loads(messages[-1].payload))


# -- side routes -------------------------------------------------------------------------------------------------------

HELLO = {"messages": [{"role": "user", "content": [{"text": "hello you"}]}]}


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ({"converse": HELLO}, 3),
        ({"converse": {**HELLO, "system": [{"text": "Be kind, always."}]}}, 7),
        ({"converse": {}}, 1),
        ({"invokeModel": {"body": HELLO}}, 3),
        ({"invokeModel": {"body": {"messages": [{"content": "hello you"}], "system": "Be kind, always."}}}, 7),
        ({"invokeModel": {"body": {"messages": [], "system": [{"type": "text", "text": "Be kind, always."}]}}}, 4),
        ({"invokeModel": {"body": {"prompt": "hello you"}}}, 3),
        ({"invokeModel": {"body": {"inputText": "hello you"}}}, 3),
        ({"invokeModel": {"body": {"messages": [], "tools": [{"name": "f"}]}}}, 4),
        ({"invokeModel": {"body": {"other": 5, "messages": "x"}}}, 1),
    ],
)
def test_tokens_are_counted(side_request: Callable[..., SideRequest], given: Any, tokens: int) -> None:
    if "invokeModel" in given:
        body = base64.b64encode(orjson.dumps(given["invokeModel"]["body"])).decode()
        given = {"invokeModel": {"body": body}}
    request = side_request(body=orjson.dumps({"input": given}), model="m")
    told = orjson.loads(bedrock_converse.count_tokens(request).body)
    judge_output("CountTokens", told)
    assert told == {"inputTokens": tokens}


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        [],
        {"converse": HELLO, "invokeModel": {"body": "e30="}},
        {"converse": 5},
        {"other": {}},
        {"invokeModel": {}},
        {"invokeModel": {"body": 5}},
        {"invokeModel": {"body": "é"}},
        {"invokeModel": {"body": "e30"}},
        {"invokeModel": {"body": "W10="}},
        {"converse": {"messages": [None]}},
    ],
)
def test_what_cannot_be_counted(side_request: Callable[..., SideRequest], given: Any) -> None:
    with pytest.raises(WireError) as refused:
        bedrock_converse.count_tokens(side_request(body=orjson.dumps({"input": given}), model="m"))
    assert bedrock_platform.exception_of(refused.value.reply) == "ValidationException"


def test_a_guardrail_lets_everything_pass(side_request: Callable[..., SideRequest]) -> None:
    sent = {"source": "INPUT", "content": [{"text": {"text": "hello"}}]}
    told = orjson.loads(bedrock_converse.apply_guardrail(side_request(body=orjson.dumps(sent))).body)
    judge_output("ApplyGuardrail", told)
    assert (told["action"], told["outputs"]) == ("NONE", [])


@pytest.mark.parametrize("sent", [{}, {"source": "OTHER", "content": []}, {"source": "INPUT"}, {"source": ["INPUT"]}])
def test_what_a_guardrail_refuses(side_request: Callable[..., SideRequest], sent: Any) -> None:
    with pytest.raises(WireError) as refused:
        bedrock_converse.apply_guardrail(side_request(body=orjson.dumps(sent)))
    assert refused.value.reply.status == 400


def test_what_is_not_served(side_request: Callable[..., SideRequest]) -> None:
    with pytest.raises(WireError) as refused:
        bedrock_converse.unknown_operation(side_request())
    assert (refused.value.reply.status, refused.value.reply.code) == (404, "UnknownOperationException")
    with pytest.raises(WireError) as refused:
        bedrock_converse.refuse_bidirectional(side_request())
    assert bedrock_platform.exception_of(refused.value.reply) == "ValidationException"
