"""Requests for interactions: every form of input, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import gemini_interactions
from aimock_protocols.canonical import ChatRequest, Head, WireError

Ask = Callable[..., ChatRequest]


def user(text: str | None) -> dict[str, Any]:
    return {"role": "user", "content": text}


def said(text: str | None, *calls: tuple[str, str, str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in calls
        ]
    return message


def result(call_id: str | None, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def call(call_id: str, name: str = "f", arguments: Any = None) -> dict[str, Any]:
    return {"type": "function_call", "id": call_id, "name": name, "arguments": arguments or {}}


def answered(call_id: str, value: Any) -> dict[str, Any]:
    return {"type": "function_result", "call_id": call_id, "name": "f", "result": value}


IMAGE = {"type": "image", "data": "aGk=", "mime_type": "image/png"}
SEARCH = [
    {"type": "google_search_call", "id": "s", "arguments": {"queries": ["x"]}},
    {"type": "google_search_result", "call_id": "s", "result": []},
]
INPUTS: dict[str, tuple[Any, list[Any]]] = {
    "text": ("hello", [user("hello")]),
    "empty text": ("", [user("")]),
    "one content": (text("hello"), [user("hello")]),
    "contents": ([text("hel"), IMAGE, text("lo")], [user("hello")]),
    "an image alone": ([IMAGE], [user(None)]),
    "an image first": ([IMAGE, text("what?")], [user("what?")]),
    "turns": (
        [
            {"role": "user", "content": "a"},
            {"role": "model", "content": [text("b"), text("c")]},
            {"role": "user", "content": text("d")},
            {"role": "user", "parts": [{"text": "e"}, {"text": "f"}]},
        ],
        [user("a"), said("bc"), user("d"), user("ef")],
    ),
    "turns of the model are not joined": (
        [{"role": "model", "content": "a"}, {"role": "model", "content": "b"}],
        [said("a"), said("b")],
    ),
    "turns with calls": (
        [
            {"role": "user", "content": "weather?"},
            {"role": "model", "content": [text("Let me see."), call("c1", arguments={"a": 1}), call("c2", "g")]},
            {"role": "user", "content": [text("and?"), answered("c1", "sunny"), answered("c2", "rain")]},
        ],
        [
            user("weather?"),
            said("Let me see.", ("c1", "f", '{"a":1}'), ("c2", "g", "{}")),
            result("c1", "sunny"),
            result("c2", "rain"),
            user("and?"),
        ],
    ),
    "steps": (
        [
            {"type": "user_input", "content": [text("a"), IMAGE]},
            {"type": "thought", "signature": "c2ln"},
            {"type": "model_output", "content": [text("b")]},
            {"type": "user_input", "content": "c"},
        ],
        [user("a"), said("b"), user("c")],
    ),
    "steps with calls": (
        [
            {"type": "user_input", "content": [text("weather?")]},
            {"type": "thought", "signature": "c2ln"},
            call("c1", arguments={"a": 1}),
            call("c2", "g"),
            answered("c1", {"sky": "blue"}),
            answered("c2", [text("ra"), text("in")]),
        ],
        [
            user("weather?"),
            said(None, ("c1", "f", '{"a":1}'), ("c2", "g", "{}")),
            result("c1", '{"sky":"blue"}'),
            result("c2", "rain"),
        ],
    ),
    "what was one answer is one message": (
        [
            {"type": "model_output", "content": [text("a")]},
            *SEARCH,
            {"type": "model_output", "content": "b"},
            call("c"),
        ],
        [said("ab", ("c", "f", "{}"))],
    ),
    "calls one after another are two answers": (
        [call("a"), answered("a", "1"), call("b"), answered("b", "2")],
        [said(None, ("a", "f", "{}")), result("a", "1"), said(None, ("b", "f", "{}")), result("b", "2")],
    ),
    "an output with calls in it": (
        [{"type": "model_output", "content": [text("a"), call("c")]}],
        [said("a", ("c", "f", "{}"))],
    ),
    "results alone": ([answered("c1", "sunny")], [result("c1", "sunny")]),
    "one result": (answered("c1", "sunny"), [result("c1", "sunny")]),
    "a result after text": ([text("here"), answered("c1", "sunny")], [user("here"), result("c1", "sunny")]),
    "a result before text": ([answered("c1", "sunny"), text("here")], [result("c1", "sunny"), user("here")]),
    "results in other spellings": (
        [{"type": "function_result", "id": "c1", "output": ["x", 1]}, {"type": "function_result"}],
        [result("c1", '["x",1]'), result(None, "")],
    ),
    "calls in other spellings": (
        [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}, {"type": "function_call"}],
        [said(None, ("c1", "f", '{"a": 1}'), ("call_1", None, "{}"))],  # type: ignore[arg-type]
    ),
    "what there is not": ([{"type": "novelty"}, {"type": 5}, {}, {"role": 5}, {"type": ["text"]}], []),
    "odd content": (
        [{"type": "user_input", "content": 5}, {"role": "model", "content": [None, 5, {"text": 5}]}],
        [user(None), said(None)],
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_every_form_of_input_is_messages(ask_interactions: Ask, name: str) -> None:
    value, messages = INPUTS[name]
    assert ask_interactions(value).body["messages"] == messages


def test_the_rest_of_a_request(ask_interactions: Ask) -> None:
    request = ask_interactions(
        model="models/gemini-x",
        system_instruction="Be brief.",
        stream=True,
        tools=[{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}, {"type": "x"}],
        generation_config={
            "temperature": 0,
            "top_p": 0.5,
            "max_output_tokens": 9,
            "seed": 7,
            "stop_sequences": ["END"],
            "thinking_level": "low",
            "tool_choice": "any",
        },
        response_format={"type": "text", "mime_type": "application/json", "schema": {"type": "object"}},
        labels={"a": "b"},
    )
    assert request.body == {
        "model": "gemini-x",
        "stream": True,
        "labels": {"a": "b"},
        "messages": [{"role": "system", "content": "Be brief."}, user("hello")],
        "temperature": 0,
        "top_p": 0.5,
        "max_tokens": 9,
        "seed": 7,
        "stop": ["END"],
        "reasoning_effort": "low",
        "tool_choice": "required",
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
            {"type": "x"},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
    }
    assert (request.model, request.stream, request.endpoint) == ("gemini-x", True, "chat")
    assert (request.recalls, request.remembers) == (None, True)


@pytest.mark.parametrize(
    ("more", "model"),
    [
        ({"model": "m"}, "m"),
        ({"model": "models/m"}, "m"),
        ({"model": None, "agent": "deep-research"}, "deep-research"),
        ({"model": None}, "gemini-2.5-flash"),
        ({"model": ""}, "gemini-2.5-flash"),
    ],
)
def test_who_is_asked(ask_interactions: Ask, more: Any, model: str) -> None:
    request = ask_interactions(**more)
    assert (request.model, request.body["model"]) == (model, model)


def test_streams_only_if_asked_to(ask_interactions: Ask) -> None:
    """wire-gemini §9.1: absent means whole."""
    assert [ask_interactions(stream=each).stream for each in (True, False, None)] == [True, False, False]
    assert ask_interactions().stream is False


@pytest.mark.parametrize(
    ("choice", "canonical"),
    [
        ("auto", "auto"),
        ("any", "required"),
        ("none", "none"),
        ("validated", "auto"),
        ({"allowed_tools": {"mode": "any", "tools": ["f"]}}, {"type": "function", "function": {"name": "f"}}),
        ({"allowed_tools": {"mode": "any", "tools": ["f", "g"]}}, "required"),
        ({"allowed_tools": {"mode": "auto", "tools": ["f"]}}, "auto"),
        ({"allowed_tools": {}}, None),
        ({"allowed_tools": 5}, None),
        ("odd", None),
        (5, None),
    ],
)
def test_which_tools_may_be_called(ask_interactions: Ask, choice: Any, canonical: Any) -> None:
    assert ask_interactions(generation_config={"tool_choice": choice}).body.get("tool_choice") == canonical


SCHEMA = {"type": "object", "properties": {}}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
AS_JSON = {"type": "json_object"}


@pytest.mark.parametrize(
    ("more", "canonical"),
    [
        ({"response_format": {"type": "text", "mime_type": "application/json", "schema": SCHEMA}}, AS_SCHEMA),
        ({"response_format": [{"type": "image"}, {"type": "text", "schema": SCHEMA}]}, AS_SCHEMA),
        ({"response_format": {"type": "text", "mime_type": "application/json"}}, AS_JSON),
        ({"response_format": {"type": "text", "mime_type": "text/plain"}}, None),
        ({"response_format": {"type": "image"}}, None),
        ({"response_format": SCHEMA, "response_mime_type": "application/json"}, AS_SCHEMA),
        ({"response_mime_type": "application/json"}, AS_JSON),
        ({"response_format": 5}, None),
        ({"response_format": [5]}, None),
    ],
)
def test_the_format_of_the_answer(ask_interactions: Ask, more: Any, canonical: Any) -> None:
    assert ask_interactions(**more).body.get("response_format") == canonical


def test_who_goes_on_need_not_say_anything(ask_interactions: Ask) -> None:
    request = ask_interactions(None, previous_interaction_id="v1_a")
    assert (request.body["messages"], request.recalls) == ([], "v1_a")
    assert ask_interactions([], continuation_token="t").body["messages"] == []


@pytest.mark.parametrize(("store", "remembers"), [(None, True), (True, True), (False, False)])
def test_what_is_kept(ask_interactions: Ask, store: Any, remembers: bool) -> None:
    assert ask_interactions(store=store).remembers is remembers


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Malformed JSON: "),
        (b"[]", "Request body must be a JSON object"),
        (b"{}", "Invalid request: 'input' is required"),
        (b'{"input":[]}', "Invalid request: 'input' is required"),
        (b'{"input":5}', "Invalid value at 'input': must be a string, an object or an array of objects"),
        (b'{"input":[{},"x"]}', "Invalid value at 'input[1]': must be an object"),
        (b'{"input":"x","stream":1}', "Invalid value at 'stream': must be a boolean"),
        (b'{"input":"x","model":{}}', "Invalid value at 'model': must be a string"),
        (b'{"input":"x","agent":{}}', "Invalid value at 'agent': must be a string"),
        (b'{"input":"x","generation_config":[]}', "Invalid value at 'generation_config': must be an object"),
        (b'{"input":"x","background":true,"store":false}', "'background' needs 'store'"),
        (b'{"input":{"type":"function_result","result":%b1%b}}' % (b"[" * 300, b"]" * 300), "Invalid value at 'input'"),
    ],
)
def test_what_is_refused(head: Head, body: bytes, message: str) -> None:
    with pytest.raises(WireError) as refused:
        gemini_interactions.decode(head, {}, body)
    assert refused.value.reply.status == 400
    assert refused.value.reply.message.startswith(message)


# -- shape -------------------------------------------------------------------------------------------------------------


def test_what_the_answer_takes_from_the_request(ask_interactions: Ask) -> None:
    shape = gemini_interactions.shape(ask_interactions())
    assert shape == ("gemini-x", False, None, True, False, False, "standard", 2)
    shape = gemini_interactions.shape(
        ask_interactions(
            "hello, you",
            model=None,
            agent="a",
            store=True,
            background=True,
            previous_interaction_id="p",
            service_tier="flex",
            generation_config={"thinking_summaries": "none"},
            tools=[{"type": "x"}],
        )
    )
    assert shape == ("a", True, "p", True, True, True, "flex", 6)
    assert gemini_interactions.shape(ask_interactions(stream=True, background=True)).in_background is False
    assert gemini_interactions.shape(ask_interactions(service_tier=5)).service_tier == "standard"


def test_deep_tools_are_refused(head: Head) -> None:
    body = b'{"input":"x","tools":[%b1%b]}' % (b"[" * 300, b"]" * 300)
    with pytest.raises(WireError):
        gemini_interactions.shape(gemini_interactions.decode(head, {}, body))


def test_a_request_is_not_changed(ask_interactions: Ask) -> None:
    request = ask_interactions([text("a"), text("b")], tools=[{"type": "function", "name": "f"}])
    assert orjson.dumps(request.native) == orjson.dumps(
        {"model": "gemini-x", "input": [text("a"), text("b")], "tools": [{"type": "function", "name": "f"}]}
    )
