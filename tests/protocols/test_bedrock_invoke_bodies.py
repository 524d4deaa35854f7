"""The very bodies and documents of each family (wire-bedrock §5)."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from aimock_protocols import bedrock_invoke, eventstream
from aimock_protocols.bedrock_invoke import claude
from aimock_protocols.canonical import ChatRequest, ErrorReply, Head, Reply, Stamp, Text, ToolCall, Vectors, WireError
from protocol_cases.bedrock_families import FAMILIES, VECTORS

METRICS = "amazon-bedrock-invocationMetrics"
HELLO = Reply((Text("Hello"),), usage={"input_tokens": 5, "output_tokens": 10})
CALLS = Reply((Text("Hm"), ToolCall("f", '{"x":1}', "i"), ToolCall("g", "oops", "j")))


def ask(head: Head, family: str, **more: Any) -> ChatRequest:
    known = (FAMILIES | VECTORS)[family]
    return bedrock_invoke.decode(head, {"model": known.model}, orjson.dumps({**known.request, **more}))


def whole(head: Head, stamp: Stamp, family: str, reply: Any, **more: Any) -> Any:
    return orjson.loads(bedrock_invoke.encode(reply, bedrock_invoke.shape(ask(head, family, **more)), stamp))


def streamed(head: Head, stamp: Stamp, family: str, reply: Reply, chunk_size: int = 3) -> list[Any]:
    """The documents, without the metrics that the last one has."""
    frames = bedrock_invoke.frames(reply, bedrock_invoke.shape(ask(head, family)), stamp, chunk_size)
    events = eventstream.messages(frame.data for frame in frames)
    told = [orjson.loads(base64.b64decode(orjson.loads(event.payload)["bytes"])) for event in events]
    assert "invocationLatency" in told[-1].pop(METRICS)
    return told


WHOLE: list[tuple[str, dict[str, Any]]] = [
    (
        "claude_text",
        {"type": "completion", "completion": "Hello", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
    ),
    (
        "titan_text",
        {
            "inputTextTokenCount": 5,
            "results": [{"tokenCount": 10, "outputText": "Hello", "completionReason": "FINISH"}],
        },
    ),
    (
        "nova",
        {
            "output": {"message": {"content": [{"text": "Hello"}], "role": "assistant"}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 5, "outputTokens": 10, "totalTokens": 15},
        },
    ),
    (
        "llama",
        {"generation": "Hello", "prompt_token_count": 5, "generation_token_count": 10, "stop_reason": "stop"},
    ),
    ("mistral_text", {"outputs": [{"text": "Hello", "stop_reason": "stop"}]}),
    ("deepseek_text", {"choices": [{"text": "Hello", "stop_reason": "stop"}]}),
]


@pytest.mark.parametrize(("family", "expected"), WHOLE, ids=[family for family, _ in WHOLE])
def test_whole(head: Head, stamp: Stamp, family: str, expected: dict[str, Any]) -> None:
    assert whole(head, stamp, family, HELLO) == expected


def titan(text: str, prompt: int | None, completion: int | None = None, reason: str | None = None) -> dict[str, Any]:
    return {
        "outputText": text,
        "index": 0,
        "totalOutputTextTokenCount": completion,
        "completionReason": reason,
        "inputTextTokenCount": prompt,
    }


def llama(text: str, prompt: int | None, completion: int, reason: str | None = None) -> dict[str, Any]:
    told = {"generation_token_count": completion, "stop_reason": reason}
    return {"generation": text, "prompt_token_count": prompt, **told}


STREAMED: list[tuple[str, list[dict[str, Any]]]] = [
    (
        "claude_text",
        [
            {"type": "completion", "completion": "Hel", "stop_reason": None, "stop": None},
            {"type": "completion", "completion": "lo", "stop_reason": None, "stop": None},
            {"type": "completion", "completion": "", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
        ],
    ),
    ("titan_text", [titan("Hel", 5), titan("lo", None), titan("", 5, 10, "FINISH")]),
    (
        "nova",
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "Hel"}, "contentBlockIndex": 0}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"contentBlockDelta": {"delta": {"text": "lo"}, "contentBlockIndex": 1}},
            {"contentBlockStop": {"contentBlockIndex": 1}},
            {"messageStop": {"stopReason": "end_turn"}},
            {
                "metadata": {
                    "usage": {"inputTokens": 5, "outputTokens": 10, "totalTokens": 15},
                    "metrics": {},
                    "trace": {},
                }
            },
        ],
    ),
    ("llama", [llama("Hel", 5, 1), llama("lo", None, 2), llama("", None, 10, "stop")]),
    (
        "mistral_text",
        [
            {"outputs": [{"text": text, "stop_reason": reason}]}
            for text, reason in (("Hel", None), ("lo", None), ("", "stop"))
        ],
    ),
    (
        "deepseek_text",
        [
            {"choices": [{"text": text, "stop_reason": reason}]}
            for text, reason in (("Hel", None), ("lo", None), ("", "stop"))
        ],
    ),
    (
        "cohere_text",
        [
            {"index": 0, "is_finished": False, "text": "Hel"},
            {"index": 0, "is_finished": False, "text": "lo"},
            {"index": 0, "is_finished": True, "text": "", "finish_reason": "COMPLETE", "id": ...},
        ],
    ),
]


@pytest.mark.parametrize(("family", "expected"), STREAMED, ids=[family for family, _ in STREAMED])
def test_streamed(head: Head, stamp: Stamp, family: str, expected: list[dict[str, Any]]) -> None:
    told = streamed(head, stamp, family, HELLO)
    for each, wanted in zip(told, expected, strict=True):
        assert each == {name: each[name] if value is ... else value for name, value in wanted.items()}


def test_a_cohere_answer_has_one_id(head: Head, stamp: Stamp) -> None:
    told = whole(head, stamp, "cohere_text", HELLO)
    generation = {"id": told["id"], "text": "Hello", "finish_reason": "COMPLETE"}
    assert told == {"id": told["id"], "generations": [generation], "prompt": ""}
    assert streamed(head, stamp, "cohere_text", HELLO)[-1]["id"] == told["id"]


REASONS = [
    ("claude_text", "length", "max_tokens"),
    ("claude_text", "odd", "odd"),
    ("titan_text", "length", "LENGTH"),
    ("titan_text", "content_filter", "CONTENT_FILTERED"),
    ("titan_text", "STOP_CRITERIA_MET", "STOP_CRITERIA_MET"),
    ("nova", "length", "max_tokens"),
    ("llama", "length", "length"),
    ("mistral_text", "length", "length"),
    ("mistral_chat", "length", "length"),
    ("command_r", "length", "MAX_TOKENS"),
    ("command_r", "content_filter", "ERROR_TOXIC"),
    ("cohere_text", "length", "MAX_TOKENS"),
    ("openai_style", "length", "length"),
    ("claude", "length", "max_tokens"),
]


@pytest.mark.parametrize(("family", "ours", "theirs"), REASONS)
def test_reasons(head: Head, stamp: Stamp, family: str, ours: str, theirs: str) -> None:
    reply = Reply((Text("Hi"),), finish_reason=ours)
    assert f'"{theirs}"' in orjson.dumps(whole(head, stamp, family, reply)).decode()
    assert f'"{theirs}"' in orjson.dumps(streamed(head, stamp, family, reply)[-2:]).decode()


def test_a_claude_2_that_meets_no_stop_names_none(head: Head, stamp: Stamp) -> None:
    told = whole(head, stamp, "claude_text", Reply((Text("Hi"),), finish_reason="length"))
    assert (told["stop_reason"], told["stop"]) == ("max_tokens", None)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("us.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-sonnet-20240620"),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("anthropic.claude-v2:1", "claude-v2"),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0:200k",
            "claude-3-haiku-20240307",
        ),
        ("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", "claude-sonnet-5"),
    ],
)
def test_claude_s_name_is_anthropic_s(head: Head, stamp: Stamp, model: str, name: str) -> None:
    request = bedrock_invoke.decode(head, {"model": model}, orjson.dumps(FAMILIES["claude"].request))
    told = orjson.loads(bedrock_invoke.encode(HELLO, bedrock_invoke.shape(request), stamp))
    assert (told["model"], told["id"][:12]) == (name, "msg_bdrk_01" + told["id"][11])


def test_an_event_can_be_opened_and_sealed(head: Head, stamp: Stamp) -> None:
    shape = bedrock_invoke.shape(ask(head, "claude"))
    for frame in bedrock_invoke.frames(CALLS, shape, stamp, 3):
        content, seal = bedrock_invoke.opened(frame.data)
        assert claude.answers(orjson.loads(content))
        assert seal(content) == frame.data
        (message,) = eventstream.messages([seal(b"{}")])
        assert message.payload.startswith(b'{"bytes":"e30=","p":"ab')
    error = bedrock_invoke.error_frame(ErrorReply("boom"), shape, stamp)
    content, seal = bedrock_invoke.opened(error.data)
    assert (content, seal(content)) == (b'{"message":"boom"}', error.data)


def test_claude_streams_what_anthropic_streams_without_pings(head: Head, stamp: Stamp) -> None:
    told = streamed(head, stamp, "claude", CALLS)
    assert [document["type"] for document in told][:4] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    ]
    assert told[-1] == {"type": "message_stop"}
    assert told[-2]["usage"]["output_tokens"] == 4
    assert all(claude.answers(document) for document in told)


def test_calls_of_mistral_large(head: Head, stamp: Stamp) -> None:
    calls = [
        {"id": "i", "function": {"name": "f", "arguments": '{"x":1}'}},
        {"id": "j", "function": {"name": "g", "arguments": "oops"}},
    ]
    told = whole(head, stamp, "mistral_chat", CALLS)
    message = {"role": "assistant", "content": "Hm", "tool_calls": calls}
    assert (told["object"], told["model"]) == ("chat.completion", "mistral.mistral-large-2402-v1:0")
    assert told["choices"] == [{"index": 0, "message": message, "stop_reason": "tool_calls"}]
    text, called, end = [document["choices"][0] for document in streamed(head, stamp, "mistral_chat", CALLS)]
    assert (text["message"], text["stop_reason"]) == ({"role": "assistant", "content": "Hm"}, None)
    assert (called["message"]["tool_calls"], called["stop_reason"]) == (calls, None)
    assert (end["message"]["content"], end["stop_reason"]) == ("", "tool_calls")


def test_calls_of_command_r(head: Head, stamp: Stamp) -> None:
    """As Cohere's own chat has them, first version. The conversation comes back with the answer in it."""
    history = [{"role": "USER", "message": "a"}, {"role": "CHATBOT", "message": "b"}]
    told = whole(head, stamp, "command_r", CALLS, chat_history=history)
    calls = [{"name": "f", "parameters": {"x": 1}}, {"name": "g", "parameters": {}}]
    answer = {"role": "CHATBOT", "message": "Hm", "tool_calls": calls}
    assert told["chat_history"] == [*history, {"role": "USER", "message": "hello"}, answer]
    assert (told["text"], told["tool_calls"], told["finish_reason"]) == ("Hm", calls, "COMPLETE")
    start, text, *_, called, end = streamed(head, stamp, "command_r", CALLS)
    assert start == {"is_finished": False, "event_type": "stream-start", "generation_id": told["generation_id"]}
    assert text == {"is_finished": False, "event_type": "text-generation", "text": "Hm"}
    assert (called["event_type"], called["tool_calls"]) == ("tool-calls-generation", calls)
    assert (end["is_finished"], end["event_type"], end["finish_reason"]) == (True, "stream-end", "COMPLETE")
    assert end["response"] == {**told, "chat_history": told["chat_history"][2:]}


def test_calls_of_nova(head: Head, stamp: Stamp) -> None:
    """A thought stays together, every call comes at once, and a call's id is a bare UUID."""
    reply = Reply(
        (ToolCall("f", '{"x":1}'),), reasoning="I think", usage={"cache_read_input_tokens": 3, "input_tokens": 1}
    )
    told = streamed(head, stamp, "nova", reply)
    called = told[-5]["contentBlockStart"]
    assert called["contentBlockIndex"] == 1
    assert len(called["start"]["toolUse"]["toolUseId"]) == 36
    assert told[-4] == {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"x":1}'}}, "contentBlockIndex": 1}}
    thought = [document["contentBlockDelta"] for document in told[1:4]]
    assert {delta["contentBlockIndex"] for delta in thought} == {0}
    assert "".join(delta["delta"]["reasoningContent"]["text"] for delta in thought) == "I think"
    assert told[-1]["metadata"]["usage"]["cacheReadInputTokenCount"] == 3


def test_only_gpt_oss_thinks_aloud(head: Head, stamp: Stamp) -> None:
    reply = Reply((Text("Hi"),), reasoning="I think")
    quiet = whole(head, stamp, "openai_style", reply)["choices"][0]["message"]
    assert (quiet["content"], quiet["reasoning_content"]) == ("Hi", "I think")
    aloud = whole(head, stamp, "openai_style, aloud", reply)["choices"][0]["message"]
    assert aloud["content"] == "<reasoning>I think</reasoning>Hi"
    assert "reasoning_content" not in aloud


def test_a_thought_that_is_not_closed_is_text(head: Head, stamp: Stamp) -> None:
    body = orjson.dumps({"choices": [{"message": {"content": "<reasoning>I think"}, "finish_reason": "length"}]})
    assert bedrock_invoke.parse(body) == Reply((Text("<reasoning>I think"),), finish_reason="length")


# -- embeddings --------------------------------------------------------------------------------------------------------

HALF = Vectors(((0.5, -1.0, 0.0),))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, {"embedding": [0.5, -1.0, 0.0], "embeddingsByType": {"float": [0.5, -1.0, 0.0]}}),
        ({"embeddingTypes": ["binary"]}, {"embeddingsByType": {"binary": [1, 0, 0]}}),
        (
            {"embeddingTypes": ["binary", "float", "binary"]},
            {"embedding": [0.5, -1.0, 0.0], "embeddingsByType": {"binary": [1, 0, 0], "float": [0.5, -1.0, 0.0]}},
        ),
    ],
)
def test_titan_s_vectors(head: Head, stamp: Stamp, more: dict[str, Any], expected: dict[str, Any]) -> None:
    assert whole(head, stamp, "titan_embedding", HALF, **more) == {**expected, "inputTextTokenCount": 2}


@pytest.mark.parametrize("model", ["amazon.titan-embed-text-v1", "amazon.titan-embed-image-v1"])
def test_titan_s_other_models_tell_floats_alone(head: Head, stamp: Stamp, model: str) -> None:
    request = bedrock_invoke.decode(head, {"model": model}, b'{"inputText":"hello"}')
    told = orjson.loads(bedrock_invoke.encode(HALF, bedrock_invoke.shape(request), stamp))
    assert told == {"embedding": [0.5, -1.0, 0.0], "inputTextTokenCount": 2}


COHERE = [
    ([], [[0.5, -1.0, 0.0]], "embeddings_floats"),
    (["float"], {"float": [[0.5, -1.0, 0.0]]}, "embeddings_by_type"),
    (["int8", "uint8"], {"int8": [[64, -127, 0]], "uint8": [[192, 1, 128]]}, "embeddings_by_type"),
    (["binary", "ubinary"], {"binary": [[0]], "ubinary": [[128]]}, "embeddings_by_type"),
]


@pytest.mark.parametrize(("types", "embeddings", "response_type"), COHERE)
def test_cohere_s_vectors(head: Head, stamp: Stamp, types: list[str], embeddings: Any, response_type: str) -> None:
    told = whole(head, stamp, "cohere_embedding", HALF, texts=["Hello"], embedding_types=types)
    assert (told["embeddings"], told["response_type"]) == (embeddings, response_type)
    assert told["texts"] == ["hello"], "as English models tell them"


def test_finest_numbers_are_read_back(head: Head, stamp: Stamp) -> None:
    request = ask(head, "cohere_embedding", embedding_types=["binary", "int8", "float"])
    body = bedrock_invoke.encode(HALF, bedrock_invoke.shape(request), stamp)
    vectors = bedrock_invoke.parse(body)
    assert isinstance(vectors, Vectors)
    assert vectors.values == HALF.values


def test_nova_s_vectors(head: Head, stamp: Stamp) -> None:
    told = whole(head, stamp, "nova_embedding", HALF)
    assert told == {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5, -1.0, 0.0]}]}


def test_headers_of_vectors_tell_the_tokens_of_the_fixture(head: Head) -> None:
    shape = bedrock_invoke.shape(ask(head, "nova_embedding"))
    headers = bedrock_invoke.reply_headers(Vectors((None,), usage={"prompt_tokens": 7}), shape)
    assert headers == (("X-Amzn-Bedrock-Input-Token-Count", "7"), ("X-Amzn-Bedrock-Invocation-Latency", "80"))


# -- read back ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"hello":1}', b'{"embeddings":3,"response_type":"embeddings_x"}']
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        bedrock_invoke.parse(body)


def test_an_error() -> None:
    with pytest.raises(WireError, match="Nope") as raised:
        bedrock_invoke.parse(b'{"__type":"com.amazon#ThrottlingException","message":"Nope"}')
    assert raised.value.reply.status == 429


DEEP = b'{"x":' + b"[" * 400 + b"]" * 400 + b"}"


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"message","content":[{"type":"tool_use","name":"f","input":%b}]}' % DEEP,
        b'{"output":{"message":{"content":[{"toolUse":{"name":"f","input":%b}}]}}}' % DEEP,
        b'{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":%b}}]}}]}' % DEEP,
        b'{"generation_id":"i","text":"","tool_calls":[{"name":"f","parameters":%b}]}' % DEEP,
    ],
    ids=["claude", "nova", "openai_style", "command_r"],
)
def test_calls_too_deep_to_be_written_are_no_reply(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        bedrock_invoke.parse(body)


def chunk(document: Any) -> bytes:
    data = document if isinstance(document, bytes) else orjson.dumps(document)
    return eventstream.event("chunk", orjson.dumps({"bytes": base64.b64encode(data).decode(), "p": "ab"}))


LLAMAS = [chunk(llama("Hel", 5, 1)), chunk(llama("lo", None, 2)), chunk(llama("", None, 10, "stop"))]


def test_what_cannot_be_read_is_dropped_and_told() -> None:
    odd = [chunk(b"{oops"), eventstream.event("chunk", b'{"bytes":"?"}'), eventstream.event("chunk", b"[]")]
    collapsed = bedrock_invoke.read_stream([*LLAMAS[:1], *odd, *LLAMAS[1:]])
    assert (collapsed.reply.text, collapsed.dropped, collapsed.truncated) == ("Hello", 3, False)
    assert collapsed.first_dropped is not None
    assert collapsed.first_dropped.startswith('{"bytes":"')


def test_documents_without_their_wrapper_are_read_too() -> None:
    """As the reference sends them."""
    bare = [eventstream.event("chunk", orjson.dumps(llama("Hello", 5, 1))), LLAMAS[-1]]
    assert bedrock_invoke.read_stream(bare).reply.text == "Hello"


def test_bytes_that_are_no_messages_end_the_stream() -> None:
    whole = b"".join(LLAMAS)
    broken = bytearray(whole)
    broken[len(LLAMAS[0]) + 20] ^= 1
    collapsed = bedrock_invoke.read_stream([bytes(broken)])
    assert (collapsed.reply.text, collapsed.truncated) == ("Hel", True)


def test_the_metrics_stand_in_for_a_usage() -> None:
    end = {"outputs": [{"text": "Hi", "stop_reason": "stop"}], METRICS: {"inputTokenCount": 3, "outputTokenCount": "x"}}
    assert bedrock_invoke.collapse([chunk(end)]).usage == {"input_tokens": 3}


def test_a_document_that_is_too_deep_says_nothing() -> None:
    deep = b'{"type":"message_start","x":' + b"[" * 500 + b"]" * 500 + b"}"
    collapsed = bedrock_invoke.read_stream([chunk(deep), chunk({"type": "message_stop"})])
    assert (collapsed.reply, collapsed.truncated) == (Reply(), False)
