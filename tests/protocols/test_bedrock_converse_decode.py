"""Converse requests in the form that fixtures match (wire-bedrock §1.1, §6.1)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import bedrock_converse
from aimock_protocols.bedrock_platform import exception_of
from aimock_protocols.canonical import ChatRequest, Head, WireError

Ask = Callable[..., ChatRequest]


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def result(*content: Any) -> dict[str, Any]:
    return {"toolResult": {"toolUseId": "T", "content": list(content), "status": "success"}}


def called(arguments: str = "{}", name: str = "f") -> dict[str, Any]:
    return {"id": "T", "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "T", "content": text}


PNG = {"image": {"format": "png", "source": {"bytes": "eA=="}}}
SEEN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}
CALL = {"toolUse": {"toolUseId": "T", "name": "f", "input": {"x": [1, "é"]}}}

MESSAGES = [
    pytest.param([user({"text": "hel"}, {"text": "lo"})], [{"role": "user", "content": "hello"}], id="text"),
    pytest.param([user()], [{"role": "user", "content": None}], id="nothing"),
    pytest.param([user({"cachePoint": {"type": "default"}})], [{"role": "user", "content": None}], id="cache point"),
    pytest.param(
        [user({"text": "a"}, PNG, {"text": "b"})],
        [{"role": "user", "content": [{"type": "text", "text": "a"}, SEEN, {"type": "text", "text": "b"}]}],
        id="image",
    ),
    pytest.param([user(PNG)], [{"role": "user", "content": [SEEN]}], id="image alone"),
    pytest.param(
        [user({"document": {"format": "pdf", "name": "d", "source": {"bytes": "eA=="}}})],
        [
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"filename": "d", "file_data": "data:application/pdf;base64,eA=="}}
                ],
            }
        ],
        id="document",
    ),
    pytest.param(
        [user({"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v"}}}})],
        [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "s3://b/v"}}]}],
        id="video in a bucket",
    ),
    pytest.param(
        [user({"audio": {"format": "mp3", "source": {"bytes": "eA=="}}})],
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "eA==", "format": "mp3"}}]}],
        id="audio",
    ),
    pytest.param(
        [user({"guardContent": {"text": {"text": "hi", "qualifiers": ["query"]}}})],
        [{"role": "user", "content": "hi"}],
        id="guarded text",
    ),
    pytest.param(
        [user({"guardContent": {"image": PNG["image"]}})], [{"role": "user", "content": [SEEN]}], id="guarded image"
    ),
    pytest.param([user(result({"text": "sun"}, {"text": "ny"}))], [tool("sunny")], id="result"),
    pytest.param([user(result({"json": {"a": [1]}}))], [tool('{"a":[1]}')], id="result in JSON"),
    pytest.param([user(result({"text": "a"}, PNG, {"json": 5}))], [tool("a5")], id="mixed result"),
    pytest.param([user(result())], [tool("")], id="empty result"),
    pytest.param(
        [user({"text": "and now?"}, result({"text": "ok"}))],
        [tool("ok"), {"role": "user", "content": "and now?"}],
        id="a result comes before the text of its turn",
    ),
    pytest.param([user(result({"text": "a"}), result({"text": "b"}))], [tool("a"), tool("b")], id="two results"),
    pytest.param(
        [assistant({"text": "Hm."}, CALL)],
        [{"role": "assistant", "content": "Hm.", "tool_calls": [called('{"x":[1,"é"]}')]}],
        id="text and a call",
    ),
    pytest.param(
        [assistant({"toolUse": {"toolUseId": "T", "name": "f"}})],
        [{"role": "assistant", "content": None, "tool_calls": [called()]}],
        id="a call without input",
    ),
    pytest.param(
        [
            assistant(
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                {
                    "toolUse": {
                        "toolUseId": "S",
                        "name": "nova_code_interpreter",
                        "input": {},
                        "type": "server_tool_use",
                    }
                },
                result({"text": "x"}),
                {"citationsContent": {"content": [{"text": "as "}, {"text": "said"}], "citations": []}},
            )
        ],
        [{"role": "assistant", "content": "as said"}],
        id="thoughts and the provider's own tools",
    ),
    pytest.param(
        [{"role": "system", "content": [{"text": "Be kind."}]}],
        [{"role": "system", "content": "Be kind."}],
        id="a system message among them",
    ),
    pytest.param([{"role": "critic", "content": [{"text": "a"}]}], None, id="another role"),
    pytest.param([{"role": "user", "content": "hello"}], None, id="a string"),
    pytest.param([{}], None, id="empty"),
    pytest.param(
        [user(None, 5, [], {}, {"text": 5}, {"toolResult": 5}, {"image": 5}, {"guardContent": {"text": 5}})],
        [{"role": "user", "content": None}],
        id="odd blocks",
    ),
    pytest.param(
        [user({"image": {}}, {"document": {"source": 5}}, {"audio": {"source": 5}}, {"toolResult": {"content": 5}})],
        [
            {"role": "tool", "tool_call_id": None, "content": ""},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": None}},
                    {"type": "file", "file": {"filename": None, "file_data": None}},
                    {"type": "input_audio", "input_audio": {"data": None, "format": None}},
                ],
            },
        ],
        id="odd attachments",
    ),
]


@pytest.mark.parametrize(("sent", "messages"), MESSAGES)
def test_messages(ask_converse: Ask, sent: list[Any], messages: list[Any] | None) -> None:
    assert ask_converse(messages=sent).body["messages"] == (sent if messages is None else messages)


@pytest.mark.parametrize(
    ("system", "text"),
    [
        ([{"text": "Be "}, {"cachePoint": {"type": "default"}}, {"text": "kind."}], "Be kind."),
        ([{"guardContent": {"text": {"text": "x"}}}], None),
        ([], None),
        (None, None),
        ("Be kind.", None),
        ([None, 5, {"text": 5}], None),
    ],
)
def test_the_system_prompt_is_the_first_message(ask_converse: Ask, system: Any, text: str | None) -> None:
    first = ask_converse(system=system).body["messages"][0]
    assert first == ({"role": "user", "content": "hello"} if text is None else {"role": "system", "content": text})


SPEC = {"name": "f", "description": "d", "strict": True, "inputSchema": {"json": {"type": "object"}}}
SCHEMA = {"name": "n", "description": "d", "schema": '{"type":"object"}'}


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (
            {"toolConfig": {"tools": [{"toolSpec": SPEC}, {"cachePoint": {}}, {"systemTool": {"name": "s"}}, None, 5]}},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "f", "description": "d", "strict": True, "parameters": {"type": "object"}},
                    }
                ]
            },
        ),
        ({"toolConfig": {"tools": [{"toolSpec": {}}]}}, {"tools": [{"type": "function", "function": {"name": None}}]}),
        ({"toolConfig": {"tools": 5, "toolChoice": 5}}, {}),
        ({"toolConfig": {"toolChoice": {"auto": {}}}}, {"tool_choice": "auto"}),
        ({"toolConfig": {"toolChoice": {"any": {}}}}, {"tool_choice": "required"}),
        (
            {"toolConfig": {"toolChoice": {"tool": {"name": "f"}}}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        ({"toolConfig": 5, "inferenceConfig": 5, "outputConfig": 5}, {}),
        (
            {"inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]}},
            {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["END"]},
        ),
        ({"inferenceConfig": {}}, {}),
        (
            {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": SCHEMA}}}},
            {"response_format": {"type": "json_schema", "json_schema": {**SCHEMA, "schema": {"type": "object"}}}},
        ),
        (
            {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": None}}}}},
            {"response_format": {"type": "json_schema", "json_schema": {"schema": None}}},
        ),
        ({"outputConfig": {"textFormat": {"type": "text"}}}, {"response_format": {"type": "text"}}),
        ({"outputConfig": {"textFormat": {"type": 5}}}, {}),
        (
            {"additionalModelRequestFields": {"thinking": {"type": "enabled"}}, "requestMetadata": {"a": "b"}},
            {"additionalModelRequestFields": {"thinking": {"type": "enabled"}}, "requestMetadata": {"a": "b"}},
        ),
        ({"model": "other", "stream": True}, {}),
    ],
)
def test_the_rest_of_a_body(ask_converse: Ask, sent: dict[str, Any], seen: dict[str, Any]) -> None:
    request = ask_converse(**sent) if "model" not in sent else decode({"messages": [user({"text": "hello"})], **sent})
    assert request.body == {"model": "m", "messages": [{"role": "user", "content": "hello"}], **seen}
    assert request.stream is False


def decode(body: Any, model: str = "m") -> ChatRequest:
    return bedrock_converse.decode(Path(f"/model/{model}/converse"), {"model": model}, orjson.dumps(body))


class Path(Head):
    """A head of which nothing but the path counts."""

    def __init__(self, path: str) -> None:
        self._path = path

    @property
    def path(self) -> str:
        return self._path


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/model/m/converse", False),
        ("/model/m/converse-stream", True),
        ("/model/m/converse-stream/", True),
        ("/model/converse-stream/converse", False),
    ],
)
def test_the_path_says_whether_to_stream(path: str, stream: bool) -> None:
    request = bedrock_converse.decode(Path(path), {"model": "m"}, b'{"messages":[],"stream":5}')
    assert (request.stream, request.body.get("stream", False)) == (stream, stream)


def test_the_model_is_that_of_the_path_by_all_its_names() -> None:
    request = decode({"messages": []}, "us.anthropic.claude-sonnet-4-20250514-v1%3A0")
    assert request.model == request.body["model"] == "us.anthropic.claude-sonnet-4-20250514-v1:0"
    assert {"anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4"} <= set(request.aliases)


def test_what_was_sent_is_kept() -> None:
    body = {"messages": [user({"text": "a"})], "system": [{"text": "b"}], "more": 1}
    assert decode(body).native == body


PROMPT = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aprompt%2FABCDEFGHIJ%3A1"


def test_only_a_stored_prompt_brings_messages_of_its_own() -> None:
    assert decode({"promptVariables": {"x": {"text": "y"}}}, PROMPT).body["messages"] == []
    with pytest.raises(WireError, match="'messages'"):
        decode({})


DEEP = "[" * 300 + "]" * 300


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{}", "messages"),
        (b'{"messages":null}', "messages"),
        (b'{"messages":{}}', "messages"),
        (b'{"messages":"hello"}', "messages"),
        (b'{"messages":[null]}', "messages.0"),
        (b'{"messages":[{"role":"user"},[]]}', "messages.1"),
        (
            b'{"messages":[{"role":"assistant","content":[{"toolUse":{"input":%b}}]}]}' % DEEP.encode(),
            "messages.0.content",
        ),
        (
            b'{"messages":[{"role":"user","content":[{"toolResult":{"content":[{"json":%b}]}}]}]}' % DEEP.encode(),
            "messages.0.content",
        ),
        (
            b'{"messages":[],"outputConfig":{"textFormat":{"type":"json_schema","structure":'
            b'{"jsonSchema":{"schema":"{"}}}}}',
            "outputConfig.textFormat",
        ),
    ],
)
def test_what_is_refused(body: bytes, where: str) -> None:
    with pytest.raises(WireError, match=f"'{where}'") as refused:
        bedrock_converse.decode(Path("/model/m/converse"), {"model": "m"}, body)
    assert (refused.value.reply.status, exception_of(refused.value.reply)) == (400, "ValidationException")


def test_a_request_whose_tools_are_too_deep_has_no_shape() -> None:
    body = b'{"messages":[],"toolConfig":{"tools":[{"toolSpec":{"inputSchema":{"json":%b}}}]}}' % DEEP.encode()
    request = bedrock_converse.decode(Path("/model/m/converse"), {"model": "m"}, body)
    with pytest.raises(WireError, match="toolConfig"):
        bedrock_converse.shape(request)


def test_odd_members_ask_for_nothing(ask_converse: Ask) -> None:
    plain = bedrock_converse.shape(ask_converse())
    for odd in (None, 5, "x", [], {}, [5], {"latency": 5, "type": 5}, sys.maxsize):
        names = ("performanceConfig", "serviceTier", "additionalModelResponseFieldPaths", "inferenceConfig")
        assert bedrock_converse.shape(ask_converse(**dict.fromkeys(names, odd))) == plain
    assert bedrock_converse.shape(ask_converse(inferenceConfig={"stopSequences": [5, "b"]})).stop_sequence == "b"
