from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_completions, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    FrameKind,
    Head,
    MidStreamError,
    Reply,
    Stamp,
    Text,
    ToolCall,
    WireError,
)

Complete = Callable[..., ChatRequest]

REPLY = Reply((Text("Hello, wor"),), id="cmpl-A1", system_fingerprint="fp_0a1b2c3d4e")
HEAD = (
    b'data: {"id":"cmpl-A1","object":"text_completion","created":1795200000,"model":"davinci-002",'
    b'"system_fingerprint":"fp_0a1b2c3d4e","choices":[{"text":'
)


@pytest.fixture
def complete(head: Head) -> Complete:
    def complete(prompt: Any = "Say hi", **more: Any) -> ChatRequest:
        body = {"model": "davinci-002", "prompt": prompt} | more
        return openai_completions.decode(head, {}, orjson.dumps(body))

    return complete


@pytest.mark.parametrize(
    ("prompt", "content"),
    [("Say hi", "Say hi"), ("", ""), (["a", "b"], "a\nb"), ([1, 2], "1 2"), ([[1, 2], [3]], "1 2\n3")],
)
def test_prompts_become_one_user_message(complete: Complete, prompt: Any, content: str) -> None:
    request = complete(prompt, stream=True, temperature=0)
    assert request.body == {
        "model": "davinci-002",
        "stream": True,
        "temperature": 0,
        "messages": [{"role": "user", "content": content}],
    }
    assert request.native["prompt"] == prompt
    assert (request.model, request.stream, request.endpoint) == ("davinci-002", True, "chat")


@pytest.mark.parametrize("prompt", [None, 3, {}, [], ["a", 1], [["a"]], [True], [[1], "a"]])
def test_other_prompts_are_refused(complete: Complete, prompt: Any) -> None:
    with pytest.raises(WireError) as refused:
        complete(prompt)
    assert (refused.value.reply.param, refused.value.reply.code) == ("prompt", "invalid_type")


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"{}", "missing_required_parameter"), (b"", "invalid_json"), (b'{"prompt":"a","n":"1"}', "invalid_type")],
)
def test_other_refusals(head: Head, body: bytes, code: str) -> None:
    with pytest.raises(WireError) as refused:
        openai_completions.decode(head, {}, body)
    assert refused.value.reply.code == code


def test_a_deployment_is_the_model(head: Head) -> None:
    request = openai_completions.decode(head, {"deployment": "my%2Dgpt"}, b'{"prompt":"a"}')
    assert request.model == request.body["model"] == "my-gpt"


def test_a_whole_completion_byte_for_byte(complete: Complete, stamp: Stamp) -> None:
    assert openai_completions.encode(REPLY, openai_completions.shape(complete()), stamp) == (
        b'{"id":"cmpl-A1","object":"text_completion","created":1795200000,"model":"davinci-002",'
        b'"choices":[{"text":"Hello, wor","index":0,"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,'
        b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,'
        b'"rejected_prediction_tokens":0}},"system_fingerprint":"fp_0a1b2c3d4e"}'
    )


def test_a_stream_byte_for_byte(complete: Complete, stamp: Stamp) -> None:
    frames = list(openai_completions.frames(REPLY, openai_completions.shape(complete(stream=True)), stamp, 5))
    end = b',"index":0,"logprobs":null,"finish_reason":'
    assert frames == [
        (HEAD + b'"Hello"' + end + b"null}]}\n\n", FrameKind.TOKEN),
        (HEAD + b'", wor"' + end + b"null}]}\n\n", FrameKind.TOKEN),
        (HEAD + b'""' + end + b'"stop"}]}\n\n', FrameKind.TOKEN),
        (b"data: [DONE]\n\n", FrameKind.CLOSE),
    ]


def test_usage_on_request(complete: Complete, stamp: Stamp) -> None:
    frames = openai_completions.frames(
        REPLY, openai_completions.shape(complete(stream_options={"include_usage": True})), stamp, 5
    )
    told = [orjson.loads(event.data) for event in sse.events(f.data for f in frames) if event.data != "[DONE]"]
    assert [chunk["usage"] for chunk in told[:-1]] == [None] * 3
    assert told[-1]["choices"] == []
    assert told[-1]["usage"]["total_tokens"] == 5


def test_a_choice_for_each_prompt_n_times_with_its_echo(complete: Complete, stamp: Stamp) -> None:
    request = complete(["a", "b"], n=2, echo=True)
    reply = Reply((Text("!"),))
    choices = orjson.loads(openai_completions.encode(reply, openai_completions.shape(request), stamp))["choices"]
    assert [(choice["index"], choice["text"]) for choice in choices] == [(0, "a!"), (1, "a!"), (2, "b!"), (3, "b!")]
    texts = ["", "", "", ""]
    for event in sse.events(
        frame.data for frame in openai_completions.frames(reply, openai_completions.shape(request), stamp, 1)
    ):
        for choice in [] if event.data == "[DONE]" else orjson.loads(event.data)["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == ["a!", "a!", "b!", "b!"]


@pytest.mark.parametrize(
    ("reply", "text", "finish_reason"),
    [
        (Reply(), "", "stop"),
        (Reply(refusal="No."), "No.", "stop"),
        (Reply((ToolCall("f", "{}"),)), "", "stop"),
        (Reply((Text("a"),), finish_reason="length"), "a", "length"),
    ],
)
def test_other_replies(complete: Complete, stamp: Stamp, reply: Reply, text: str, finish_reason: str) -> None:
    choice = orjson.loads(openai_completions.encode(reply, openai_completions.shape(complete()), stamp))["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (text, finish_reason)


def test_a_mid_stream_error(complete: Complete, stamp: Stamp) -> None:
    reply = Reply((Text("abcdef"),), mid_stream_error=MidStreamError(1, ErrorReply("boom")))
    first, error = openai_completions.frames(reply, openai_completions.shape(complete()), stamp, 3)
    assert b'"text":"abc"' in first.data
    assert error.data.startswith(b'data: {"error":{"message":"boom"')
