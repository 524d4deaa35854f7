"""Cohere's requests in canonical form, in both versions (wire-cohere §2, §5)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import cohere
from aimock_protocols.canonical import ChatRequest, Head, WireError
from aimock_protocols.cohere import embed, v1
from aimock_protocols.cohere.embed import v1 as embed_v1

Ask = Callable[..., ChatRequest]

DEEP = orjson.loads("[" * 300 + "]" * 300)
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def text(value: Any) -> dict[str, Any]:
    return {"type": "text", "text": value}


def document(value: Any) -> dict[str, Any]:
    return {"type": "document", "document": value}


def call(call_id: str | None = "T", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

MESSAGES = [
    ({"role": "user", "content": "hello"}, {"content": "hello"}),
    ({"role": "user", "content": [text("a"), IMAGE, text("b")]}, {"content": "ab"}),
    ({"role": "user", "content": [IMAGE]}, {"content": None}),
    ({"role": "user", "content": []}, {"content": None}),
    ({"role": "user", "content": [text(5), 5, None, {"type": "of tomorrow"}, text("a")]}, {"content": "a"}),
    ({"role": "user", "content": 5}, {"content": 5}),
    ({"role": "developer", "content": "Be kind."}, {"role": "system", "content": "Be kind."}),
    ({"role": "developer", "content": [text("Be"), text(" kind.")]}, {"role": "system", "content": "Be kind."}),
    ({"role": "system", "content": [text("Be kind.")]}, {"role": "system", "content": "Be kind."}),
    ({"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}, text("a")]}, {"content": "a"}),
    ({"role": "assistant", "tool_calls": [call()], "tool_plan": "I will."}, {"tool_calls": [call()]}),
    ({"role": "assistant", "tool_calls": [call(), call(None)]}, {"tool_calls": [call(), call("call_0_1")]}),
    ({"role": "assistant", "tool_calls": [5, call("")]}, {"tool_calls": [5, call("call_0_1")]}),
    ({"role": "assistant", "tool_calls": 5}, {"tool_calls": 5}),
    ({"role": "tool", "tool_call_id": "T", "content": "ok"}, {"tool_call_id": "T", "content": "ok"}),
    ({"role": "tool", "content": [document({"data": "ok", "id": "1"})]}, {"content": "ok"}),
    ({"role": "tool", "content": [document({"data": {"a": [1, "é"]}})]}, {"content": '{"a":[1,"é"]}'}),
    ({"role": "tool", "content": [document({"title": "x"}), text("!")]}, {"content": '{"title":"x"}!'}),
    ({"role": "tool", "content": [document("ok"), document(None)]}, {"content": "oknull"}),
    ({"role": ["odd"], "content": "a"}, {"role": ["odd"], "content": "a"}),
]


@pytest.mark.parametrize(("sent", "canonical"), MESSAGES, ids=lambda value: str(value)[:60])
def test_messages(ask_cohere: Ask, sent: dict[str, Any], canonical: dict[str, Any]) -> None:
    (message,) = ask_cohere(messages=[sent]).body["messages"]
    assert message.items() >= canonical.items()
    assert message["role"] == canonical.get("role", sent["role"])


def test_what_is_canonical_already_is_taken_as_it_is(ask_cohere: Ask) -> None:
    request = ask_cohere(temperature=0.5, max_tokens=5, seed=3, response_format={"type": "json_object"})
    assert request.body is request.native
    assert (request.model, request.stream, request.endpoint) == ("command-a-03-2025", False, "chat")


def test_parameters_get_their_canonical_names(ask_cohere: Ask, ask_cohere_v1: Ask) -> None:
    for ask in (ask_cohere, ask_cohere_v1):
        body = ask(p=0.5, k=3, stop_sequences=["x"], documents=["d"], thinking={"type": "disabled"}).body
        assert (body["top_p"], body["top_k"], body["stop"], body["documents"]) == (0.5, 3, ["x"], ["d"])


@pytest.mark.parametrize(("sent", "canonical"), [("REQUIRED", "required"), ("NONE", "none"), ("odd", "odd"), (5, 5)])
def test_the_tool_choice(ask_cohere: Ask, sent: Any, canonical: Any) -> None:
    assert ask_cohere(tool_choice=sent).body["tool_choice"] == canonical


DEFINITIONS = {
    "city": {"type": "str", "description": "Where", "required": True},
    "days": {"type": "List[int]"},
    "odd": {"type": "enum"},
    "any": {},
    "ignored": 5,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where"},
        "days": {"type": "array"},
        "odd": {"type": "enum"},
        "any": {},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ([FUNCTION], [FUNCTION]),
        (
            [{"name": "f", "description": "d", "parameter_definitions": DEFINITIONS}, 5],
            [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}],
        ),
        ([{"name": "f"}], [{"type": "function", "function": {"name": "f"}}]),
        (None, None),
    ],
)
def test_tools(ask_cohere: Ask, ask_cohere_v1: Ask, sent: Any, canonical: Any) -> None:
    for ask in (ask_cohere, ask_cohere_v1):
        assert ask(tools=sent).body["tools"] == canonical


REFUSED = [
    ({"model": None}, "model is required"),
    ({"model": ""}, "model is required"),
    ({"model": 5}, "invalid type: parameter model is of type integer but should be of type string."),
    ({"messages": None}, "messages is required"),
    ({"messages": "hello"}, "invalid type: parameter messages is of type string but should be of type array."),
    ({"messages": [None]}, "invalid type: parameter messages[0] is of type null but should be of type object."),
    ({"stream": "yes"}, "invalid type: parameter stream is of type string but should be of type boolean."),
    ({"messages": [{"role": "tool", "content": [document(DEEP)]}]}, "messages[0].content: nested too deeply"),
]


@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_refusals(ask_cohere: Ask, more: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError) as refused:
        ask_cohere(**more)
    assert (refused.value.reply.status, refused.value.reply.message) == (400, message)


@pytest.mark.parametrize("name", ["tools", "documents"])
def test_what_is_nested_too_deeply_is_refused(ask_cohere: Ask, name: str) -> None:
    with pytest.raises(WireError, match="nested too deeply"):
        cohere.shape(ask_cohere(**{name: [{"a": DEEP}]}))


# -- the first version -------------------------------------------------------------------------------------------------

USER, CHATBOT = {"role": "USER", "message": "a"}, {"role": "CHATBOT", "message": "b"}
CALL = {"name": "f", "parameters": {"x": 1}}
RESULT = {"call": CALL, "outputs": [{"y": 2}]}


def called(*numbers: int, text: str = "", arguments: str = '{"x":1}') -> dict[str, Any]:
    calls = [call(f"call_{number}", arguments) for number in numbers]
    return {"role": "assistant", "content": text, "tool_calls": calls}


def answered(number: int) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": '[{"y":2}]'}


HELLO = {"role": "user", "content": "hello"}
CONVERSATIONS = [
    ({}, [HELLO]),
    ({"preamble": "Be kind."}, [{"role": "system", "content": "Be kind."}, HELLO]),
    ({"preamble": ""}, [HELLO]),
    (
        {"chat_history": [USER, CHATBOT, {"role": "System", "message": "c"}]},
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "system", "content": "c"},
            HELLO,
        ],
    ),
    ({"tool_results": [RESULT, RESULT]}, [HELLO, called(0, 1), answered(0), answered(1)]),
    (
        {"message": "", "tool_results": [RESULT], "chat_history": [USER, {**CHATBOT, "tool_calls": [CALL]}]},
        [{"role": "user", "content": "a"}, called(0, text="b"), answered(0)],
    ),
    (
        {
            "chat_history": [USER, {**CHATBOT, "tool_calls": [CALL, CALL]}, {"role": "TOOL", "tool_results": [RESULT]}],
            "message": None,
            "tool_results": [RESULT],
        },
        [{"role": "user", "content": "a"}, called(0, 1, text="b"), answered(0), answered(1)],
    ),
    (
        {"message": None, "tool_results": [{"call": 5}]},
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": None, "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "call_0", "content": "null"},
        ],
    ),
]


@pytest.mark.parametrize(("sent", "messages"), CONVERSATIONS)
def test_conversations_of_the_first_version(
    ask_cohere_v1: Ask, sent: dict[str, Any], messages: list[dict[str, Any]]
) -> None:
    request = ask_cohere_v1(**sent)
    assert request.body["messages"] == messages
    assert not {"message", "chat_history", "preamble", "tool_results"} & set(request.body)
    v1.shape(request)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"message": ""}, "message must be at least 1 token long or tool results must be specified"),
        ({"chat_history": [{"role": "USER"}]}, "all elements in history must have a message"),
        ({"chat_history": [USER, {"role": "judge", "message": "x"}]}, r"Invalid role in chat_history\[1\]"),
        ({"tool_results": [5]}, r"tool_results\[0\] is of type integer"),
        ({"tool_results": [{"outputs": DEEP}]}, "tool_results: nested too deeply"),
        ({"preamble": 5}, "preamble is of type integer"),
        ({"model": 5}, "model is of type integer"),
    ],
)
def test_refusals_of_the_first_version(ask_cohere_v1: Ask, more: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError, match=message):
        ask_cohere_v1(**more)


def test_a_history_too_deep_to_be_repeated_is_refused(ask_cohere_v1: Ask) -> None:
    with pytest.raises(WireError, match="chat_history: nested too deeply"):
        v1.shape(ask_cohere_v1(chat_history=[{**USER, "more": DEEP}]))


@pytest.mark.parametrize(("headers", "as_events"), [({}, False), ({"accepts": "text/event-stream"}, True)])
def test_events_only_for_who_asks_for_them(ask_cohere_v1: Ask, headers: dict[str, str], as_events: bool) -> None:
    request = ask_cohere_v1(headers, stream=True)
    assert (request.stream_headers is not None) is as_events
    assert v1.shape(request).sends_events is as_events
    if request.stream_headers is not None:
        assert dict(request.stream_headers)["content-type"].startswith("text/event-stream")


# -- whatever comes ----------------------------------------------------------------------------------------------------

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5) | st.just(DEEP),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(["role", "content", "tool_calls", "type", "text", "document", "message", "call", "outputs"])
odd_messages = st.dictionaries(members, values, max_size=4)
odd_bodies = st.dictionaries(
    st.sampled_from(
        [
            *("messages", "message", "chat_history", "tool_results", "tools", "documents", "stream", "preamble"),
            *("texts", "images", "inputs", "embedding_types", "output_dimension", "input_type", "tool_choice"),
        ]
    ),
    values | st.lists(odd_messages | values, max_size=3),
    max_size=5,
)


@pytest.mark.parametrize("protocol", [cohere, v1, embed, embed_v1], ids=lambda protocol: protocol.name)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=odd_bodies)
def test_whatever_comes_is_understood_or_refused(head: Head, protocol: Any, body: dict[str, Any]) -> None:
    valid = {"model": "m", "messages": [HELLO], "message": "hello", "texts": ["hello"]}
    sent = json.dumps(valid | body).encode()
    try:
        protocol.shape(protocol.decode(head, {}, sent))
        status = 200
    except WireError as refused:
        status = refused.reply.status
    assert status in (200, 400)
