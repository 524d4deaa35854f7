"""Requests to the canonical form (wire-openai-responses §2 to §4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock.fixtures.question import FACTS
from aimock_protocols import openai_responses
from aimock_protocols.canonical import ChatRequest, Head, WireError

Ask = Callable[..., ChatRequest]

CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "a", "output": "ok"}
USER = {"role": "user", "content": "x"}


def calling(*ids: str, name: str = "f") -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": name, "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def resulting(call_id: str, content: str = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


PLACEHOLDER = {"role": "assistant", "content": None}

MESSAGES: list[Any] = [
    ("x", [USER]),
    ([USER], [USER]),
    ([{"type": "message", **USER}], [USER]),
    ([{"role": "developer", "content": "d"}, {"role": "system", "content": "s"}], [("system", "d"), ("system", "s")]),
    (
        [{"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]}],
        [("user", "ab")],
    ),
    ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], [("user", "a")]),
    ([{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}], [("user", None)]),
    ([{"role": "user", "content": [{"type": "input_image"}, {"type": "input_text", "text": "a"}]}], [("user", "a")]),
    ([{"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}], [("assistant", "a")]),
    ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}], [("assistant", "no")]),
    ([{"role": "critic", "content": "c"}], [("critic", "c")]),
    ([{"role": "user"}], [("user", None)]),
    ([{"role": "user", "content": [None, 5, {"type": []}, {"type": "input_text", "text": 5}]}], [("user", None)]),
    ([CALL, RESULT], [calling("a"), resulting("a")]),
    ([CALL, {**CALL, "call_id": "b"}], [calling("a"), calling("b")]),
    ([{"type": "custom_tool_call", "call_id": "a", "name": "f", "input": "{}"}], [calling("a")]),
    ([CALL, {**RESULT, "type": "custom_tool_call_output"}], [calling("a"), resulting("a")]),
    (
        [CALL, {**RESULT, "output": [{"type": "input_text", "text": "o"}, {"type": "input_text", "text": "k"}]}],
        [calling("a"), resulting("a")],
    ),
    ([CALL, {**RESULT, "output": [{"type": "input_image", "image_url": "u"}]}], [calling("a"), resulting("a", "")]),
    ([{"type": "reasoning", "summary": []}, {"type": "web_search_call", "id": "w"}, {"type": "odd"}, {}, USER], [USER]),
    ([{"type": None, "id": "msg_1"}], [PLACEHOLDER]),
    ([{"type": [], "role": "user"}], []),
    ([{"type": "message", "content": "x"}], [(None, "x")]),
    ([{"type": "message", "content": "x"}, RESULT], [(None, "x"), calling("a", name=""), resulting("a")]),
    # a result whose call is not told
    ([{"type": "item_reference", "id": "fc_1"}, RESULT], [calling("a", name=""), resulting("a")]),
    (
        [USER, {"type": "item_reference", "id": "rs"}, {"type": "item_reference", "id": "fc"}, RESULT],
        [USER, PLACEHOLDER, calling("a", name=""), resulting("a")],
    ),
    ([RESULT], [calling("a", name=""), resulting("a")]),
    ([CALL, USER, {**RESULT, "call_id": "b"}], [calling("a"), USER, calling("b", name=""), resulting("b")]),
]


def as_message(expected: Any) -> Any:
    return {"role": expected[0], "content": expected[1]} if isinstance(expected, tuple) else expected


@pytest.mark.parametrize(("given", "expected"), MESSAGES)
def test_items_are_messages(ask_responses: Ask, given: Any, expected: list[Any]) -> None:
    assert ask_responses(input=given).body["messages"] == [as_message(each) for each in expected]


def test_a_call_that_is_missing_stands_beside_those_of_its_turn(ask_responses: Ask) -> None:
    (_, called, *results) = ask_responses(input=[USER, CALL, RESULT, {**RESULT, "call_id": "b"}]).body["messages"]
    assert [call["id"] for call in called["tool_calls"]] == ["a", "b"]
    assert [result["tool_call_id"] for result in results] == ["a", "b"]


def test_instructions_come_first(ask_responses: Ask) -> None:
    messages = ask_responses(instructions="Be brief.", input=[{"role": "developer", "content": "d"}, USER]).body[
        "messages"
    ]
    assert [message["content"] for message in messages] == ["Be brief.", "d", "x"]
    assert ask_responses(instructions="").body["messages"] == [{"role": "user", "content": "hello"}]


def test_what_the_specification_maps(ask_responses: Ask) -> None:
    """wire-openai-responses §19, the mapping example."""
    items = [
        {"role": "user", "content": "w?"},
        {"type": "reasoning"},
        {**CALL, "call_id": "c1"},
        {**RESULT, "call_id": "c1"},
    ]
    request = ask_responses(instructions="Be brief", input=items)
    assert [message["role"] for message in request.body["messages"]] == ["system", "user", "assistant", "tool"]
    assert FACTS["assistant_turns"](request) == 1
    assert FACTS["last_tool_text"](request) == "ok"


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        (
            {"tools": [{"type": "function", "name": "f", "parameters": {"a": 1}}]},
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": 1}}}]},
        ),
        (
            {"tools": [{"type": "custom", "name": "c"}, {"type": "web_search"}, None]},
            {"tools": [{"type": "custom", "custom": {"name": "c"}}]},
        ),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]},
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
        ),
        ({"tools": "f"}, {"tools": []}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        (
            {"tool_choice": {"type": "function", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ),
        ({"tool_choice": {"type": "web_search"}}, {"tool_choice": {"type": "web_search"}}),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
                }
            },
        ),
        ({"max_output_tokens": 7}, {"max_tokens": 7}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}},
        ),
        ({"text": {"format": {"type": 5}}}, {}),
        ({"text": "x"}, {}),
        ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
        ({"temperature": 0.5, "metadata": {"a": "b"}}, {"temperature": 0.5, "metadata": {"a": "b"}}),
    ],
)
def test_the_rest_of_the_body(ask_responses: Ask, sent: dict[str, Any], canonical: dict[str, Any]) -> None:
    messages = [{"role": "user", "content": "hello"}]
    assert ask_responses(**sent).body == {"model": "gpt-4o", "messages": messages, **canonical}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Missing required parameter: 'input'."),
        ({"input": None, "model": "m"}, "Missing required parameter: 'input'."),
        ({"input": {}}, "Invalid type for 'input': expected a string or an array of objects, "),
        ({"input": [5]}, "Invalid type for 'input[0]': expected an object, but got an integer instead."),
        ({"input": "x", "model": []}, "Invalid type for 'model': expected a string, but got an array instead."),
        ({"input": "x", "previous_response_id": 5}, "Invalid type for 'previous_response_id': expected a string, "),
        (
            {"input": "x", "conversation": []},
            "Invalid type for 'conversation': expected a string or an object with an id, ",
        ),
    ],
)
def test_what_is_refused(head: Head, body: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError) as raised:
        openai_responses.decode(head, {}, orjson.dumps(body))
    assert raised.value.reply.message.startswith(message)
    assert raised.value.reply.status == 400


@pytest.mark.parametrize(
    "body", [{"prompt": {"id": "p"}}, {"previous_response_id": "resp_1"}, {"conversation": "conv_1"}]
)
def test_what_stands_for_an_input(head: Head, body: dict[str, Any]) -> None:
    assert openai_responses.decode(head, {}, orjson.dumps(body)).body["messages"] == []


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([CALL], "No tool output found for function call a."),
        ([RESULT], "No tool call found for function call output with call_id a."),
        ([CALL, RESULT, CALL], None),
        ([{"type": "tool_search_call", "call_id": "a"}, RESULT], None),
        ([{"id": "fc_1"}, RESULT], None),
        ("hello", None),
    ],
)
def test_what_is_objected_to(ask_responses: Ask, items: Any, message: str | None) -> None:
    objection = ask_responses(input=items).objection
    assert (objection and objection.message) == message
    assert ask_responses(input=items, previous_response_id="resp_1").objection is None


@pytest.mark.parametrize(
    ("more", "remembers", "recalls"),
    [
        ({}, True, None),
        ({"store": False}, False, None),
        ({"store": None}, True, None),
        ({"store": False, "background": True}, True, None),
        ({"previous_response_id": "resp_1"}, True, "resp_1"),
        ({"previous_response_id": ""}, True, None),
        ({"store": False, "conversation": {"id": "conv_1"}}, True, "conv_1"),
    ],
)
def test_what_is_remembered(ask_responses: Ask, more: dict[str, Any], remembers: bool, recalls: str | None) -> None:
    request = ask_responses(**more)
    assert (request.remembers, request.recalls) == (remembers, recalls)


ODD = [None, 5, 2**64 - 1, 10**30, -1.5, True, "x", "\x00é", [], {}, [None], {"a": None}, [[]]]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        "include",
        "max_output_tokens",
        "metadata",
        "parallel_tool_calls",
        "prompt",
        "reasoning",
        "service_tier",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "truncation",
        "user",
    ],
)
def test_odd_values_ask_for_nothing(head: Head, name: str, value: Any) -> None:
    """Whatever is no setting is not repeated as one; nothing crashes."""
    body = {"input": "x", "model": "m", "include": ["message.output_text.logprobs"], name: value}
    request = openai_responses.decode(head, {}, json.dumps(body).encode())
    assert hash(openai_responses.shape(request)) is not None
    for fact in FACTS.values():
        fact(request)


@pytest.mark.parametrize("name", ["metadata", "text", "tools", "tool_choice", "reasoning"])
@pytest.mark.parametrize("depth", [200, 300, 900])
def test_settings_nested_too_deep_are_refused(head: Head, name: str, depth: int) -> None:
    inner = b"[" * depth + b"]" * depth
    body = b'{"input":"x","%b":%b}' % (name.encode(), b'[{"a":%b}]' % inner if name == "tools" else b'{"a":%b}' % inner)
    request = openai_responses.decode(head, {}, body)
    if depth < 250:
        openai_responses.shape(request)
        return
    with pytest.raises(WireError, match="nested too deeply"):
        openai_responses.shape(request)


def test_an_input_may_be_nested_as_deep_as_it_likes(ask_responses: Ask, head: Head) -> None:
    deep = b"[" * 900 + b"]" * 900
    said = b'{"role":"user","content":%b},{"type":"odd","call_id":%b},{"type":"function_call","call_id":%b}'
    body = b'{"include":[%b],"input":[%b]}' % (deep, said % (deep, deep, deep))
    request = openai_responses.decode(head, {}, body)
    openai_responses.shape(request)
    assert [message["role"] for message in request.body["messages"]] == ["user", "assistant"]
