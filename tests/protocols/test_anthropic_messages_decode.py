"""Messages requests in canonical form (wire-anthropic-messages §2 to §4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimock_protocols import anthropic_messages
from aimock_protocols.anthropic_messages import vertex
from aimock_protocols.canonical import ChatRequest, Head, WireError

Ask = Callable[..., ChatRequest]

HELLO = {"role": "user", "content": "hello"}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def use(call_id: str, **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": given}


def result(call_id: str, content: Any = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def called(call_id: str, arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def told(call_id: str, content: str = "ok") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
DOCUMENT = {"type": "document", "source": {"type": "text", "data": "unseen"}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}

USER = [
    ([text("a"), text("b")], [{"role": "user", "content": "ab"}]),
    ([text("a"), IMAGE, DOCUMENT, {"type": "of tomorrow"}], [{"role": "user", "content": "a"}]),
    ([text("")], [{"role": "user", "content": ""}]),
    ([IMAGE], [{"role": "user", "content": None}]),
    ([], [{"role": "user", "content": None}]),
    ([result("T")], [told("T")]),
    ([result("T"), text("")], [told("T")]),
    ([result("T"), result("U", [text("x"), IMAGE, text("y")])], [told("T"), told("U", "xy")]),
    ([result("T", None), result("U", [IMAGE]), result("V", 3)], [told("T", ""), told("U", ""), told("V", "")]),
    ([{"type": "tool_result"}], [{"role": "tool", "tool_call_id": None, "content": ""}]),
    (["odd", 3, None, {}, {"type": "text"}, {"type": "text", "text": 3}, {"type": ["text"]}, text("a")], None),
]
ASSISTANT = [
    ([text("a"), text("b")], {"content": "ab"}),
    ([THOUGHT, REDACTED, text("a"), SEARCH, FOUND], {"content": "a"}),
    ([use("T", x=[1, "é"])], {"content": None, "tool_calls": [called("T", '{"x":[1,"é"]}')]}),
    ([text("a"), use("T"), use("U")], {"content": "a", "tool_calls": [called("T"), called("U")]}),
    ([{"type": "tool_use", "id": "T", "name": "f"}], {"content": None, "tool_calls": [called("T")]}),
    ([], {"content": None}),
]


@pytest.mark.parametrize(("content", "expected"), USER)
def test_a_user_message_of_blocks(ask_claude: Ask, content: list[Any], expected: list[Any] | None) -> None:
    messages = ask_claude(messages=[{"role": "user", "content": content}]).body["messages"]
    assert messages == ([{"role": "user", "content": "a"}] if expected is None else expected)


@pytest.mark.parametrize(("content", "expected"), ASSISTANT)
def test_an_assistant_message_of_blocks(ask_claude: Ask, content: list[Any], expected: dict[str, Any]) -> None:
    messages = ask_claude(messages=[HELLO, {"role": "assistant", "content": content}]).body["messages"]
    assert messages == [HELLO, {"role": "assistant"} | expected]


def test_the_text_of_a_user_comes_before_the_results_that_it_followed(ask_claude: Ask) -> None:
    """wire-anthropic §22, core-lessons A6, field 2.5: the last message is a tool's, and the user text is before it."""
    messages = [
        {"role": "assistant", "content": [THOUGHT, use("T")]},
        {"role": "user", "content": [result("T"), text("and now?")]},
    ]
    assert ask_claude(messages=messages).body["messages"] == [
        {"role": "assistant", "content": None, "tool_calls": [called("T")]},
        {"role": "user", "content": "and now?"},
        told("T"),
    ]


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (None, []),
        ("", []),
        ([], []),
        ([text("")], []),
        ([IMAGE], []),
        ("Be kind.", ["Be kind."]),
        ([text("Be "), text("kind.")], ["Be kind."]),
        ([{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}], ["Be kind."]),
    ],
)
def test_the_system_prompt_is_the_first_message(ask_claude: Ask, system: Any, expected: list[str]) -> None:
    request = ask_claude(system=system)
    assert request.body["messages"] == [*({"role": "system", "content": told} for told in expected), HELLO]
    assert request.native["system"] == system


def test_a_system_message_in_the_conversation_is_kept(ask_claude: Ask) -> None:
    messages = [HELLO, {"role": "system", "content": [text("a"), text("b")]}, {"role": "system", "content": "c"}]
    assert ask_claude(messages=messages).body["messages"] == [
        HELLO,
        {"role": "system", "content": "ab"},
        {"role": "system", "content": "c"},
    ]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"role": "user"},
        {"role": "assistant", "content": None},
        {"role": ["odd"], "content": [text("a")]},
        {"role": 3},
    ],
)
def test_odd_messages_pass(ask_claude: Ask, message: dict[str, Any]) -> None:
    assert ask_claude(messages=[message]).body["messages"] == [message]


def test_what_is_canonical_already_is_not_made_anew(head: Head) -> None:
    request = anthropic_messages.decode(head, {}, b'{"messages":[{"role":"user","content":"a"}],"top_k":3}')
    assert request.body is request.native
    assert request.body == {"messages": [{"role": "user", "content": "a"}], "top_k": 3}
    assert (request.model, request.stream, request.endpoint, request.objection) == ("", False, "chat", None)


def test_tools_are_functions(ask_claude: Ask) -> None:
    schema = {"type": "object", "properties": {}}
    custom = {"name": "f", "description": "does", "input_schema": schema, "cache_control": {"type": "ephemeral"}}
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    request = ask_claude(tools=[custom, search, "odd"])
    assert request.body["tools"] == [
        {"type": "function", "function": {"name": "f", "description": "does", "parameters": schema}},
        {"type": "function", "function": {"name": "web_search"}},
    ]
    assert request.native["tools"] == [custom, search, "odd"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
        ({"type": "odd"}, None),
        ({"type": []}, None),
    ],
)
def test_tool_choice(ask_claude: Ask, choice: Any, expected: Any) -> None:
    assert ask_claude(tool_choice=choice).body["tool_choice"] == expected


SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    "more",
    [
        {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}},
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
    ],
)
def test_an_output_format_is_a_response_format(ask_claude: Ask, more: dict[str, Any]) -> None:
    assert ask_claude(**more).body["response_format"] == {"type": "json_schema", "json_schema": {"schema": SCHEMA}}


@pytest.mark.parametrize(
    "more",
    [{"output_config": {"effort": "low"}}, {"output_config": 3}, {"output_config": {"format": {"type": 3}}}, {}],
)
def test_without_one_there_is_none(ask_claude: Ask, more: dict[str, Any]) -> None:
    assert "response_format" not in ask_claude(**more).body


def test_all_other_members_are_kept_as_they_are(ask_claude: Ask) -> None:
    more = {"temperature": 1, "stop_sequences": ["x"], "metadata": {"user_id": "u"}, "of tomorrow": [1], "top_k": 5}
    body = ask_claude(**more, system="s", stream=True).body
    assert {name: body[name] for name in more} == more
    assert (body["max_tokens"], body["stream"], body["model"]) == (100, True, "claude-x")
    assert "system" not in body


def test_the_version_is_in_the_native_body(ask_claude: Ask) -> None:
    assert ask_claude("2026-10-21").native["anthropic_version"] == "2026-10-21"
    assert "anthropic_version" not in ask_claude("2026-10-21").body
    assert ask_claude("2026-10-21", anthropic_version="other").native["anthropic_version"] == "other"


def test_a_request_without_max_tokens_is_answered(ask_claude: Ask) -> None:
    """wire-anthropic §23."""
    assert ask_claude(max_tokens=None).objection is None


REFUSED = [
    (b"", "Malformed JSON: "),
    (b"{", "Malformed JSON: "),
    (b'{"a":"\xff"}', "Malformed JSON: "),
    (b"[" * 100_000, "Malformed JSON: "),
    (b"[]", "Request body must be a JSON object"),
    (b"null", "Request body must be a JSON object"),
    (b"{}", "messages: Field required"),
    (b'{"messages":null}', "messages: Input should be a valid list"),
    (b'{"messages":"hello"}', "messages: Input should be a valid list"),
    (b'{"messages":[null]}', "messages.0: Input should be an object"),
    (b'{"messages":[{},"x"]}', "messages.1: Input should be an object"),
    (b'{"messages":[],"system":3}', "system: Input should be a string or a list of text blocks"),
    (b'{"messages":[],"model":3}', "model: Input should be a valid string"),
    (b'{"messages":[],"stream":"yes"}', "stream: Input should be a valid boolean"),
    (
        b'{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"a":'
        + b"[" * 300
        + b"]" * 300
        + b"}}]}]}",
        "messages.0.content: nested too deeply",
    ),
]


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_a_body_that_is_no_request(head: Head, body: bytes, message: str) -> None:
    with pytest.raises(WireError) as refused:
        anthropic_messages.decode(head, {}, body)
    assert (refused.value.reply.status, refused.value.reply.code) == (400, None)
    assert str(refused.value).startswith(message)


def test_tools_too_deep_to_be_counted_are_refused(head: Head) -> None:
    body = b'{"messages":[],"tools":' + b"[" * 300 + b"]" * 300 + b"}"
    with pytest.raises(WireError, match="tools: nested too deeply"):
        anthropic_messages.shape(anthropic_messages.decode(head, {}, body))


anything = st.recursive(
    st.none() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "content"]), inner),
    max_leaves=4,
)
odd_blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "tool_use", "tool_result", "thinking", "odd"]) | anything},
    optional=dict.fromkeys(("text", "id", "name", "input", "tool_use_id", "content", "signature"), anything),
)
odd_messages = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "system"]) | anything,
        "content": st.lists(odd_blocks | anything, max_size=4) | anything,
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    messages=st.lists(odd_messages, max_size=4),
    more=st.fixed_dictionaries(
        {},
        optional={
            "thinking": st.just({"type": "enabled"}) | anything,
            "tools": st.lists(st.fixed_dictionaries({"name": anything}) | anything, max_size=2) | anything,
        }
        | dict.fromkeys(
            ("system", "tool_choice", "output_config", "output_format", "stop_sequences", "anthropic_version"), anything
        ),
    ),
)
def test_whatever_is_sent_is_understood_or_refused(ask_claude: Ask, messages: list[Any], more: dict[str, Any]) -> None:
    try:
        request = ask_claude(messages=messages, **more)
    except WireError as refused:
        assert str(refused).startswith("system: ")  # noqa: PT017
        return
    hash(anthropic_messages.shape(request))
    roles = [message.get("role") for message in request.body["messages"]]
    assert all(isinstance(message, dict) for message in request.body["messages"])
    assert roles.count("assistant") == [message.get("role") for message in messages].count("assistant")


# -- thinking (§4) -----------------------------------------------------------------------------------------------------

ENABLED = {"type": "enabled", "budget_tokens": 1024}
ANSWER = {"role": "user", "content": [result("T")]}


def turn(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


@pytest.mark.parametrize(
    "first",
    [
        use("T"),
        text("Let me see"),
        SEARCH,
        "odd",
        {},
        THOUGHT | {"signature": ""},
        THOUGHT | {"signature": 3},
        {"type": "thinking", "thinking": "Hm."},
        REDACTED | {"data": ""},
        {"type": "redacted_thinking"},
    ],
)
def test_a_turn_that_lost_its_thought_is_objected_to(ask_claude: Ask, first: Any) -> None:
    """field 2.23."""
    messages = [HELLO, turn(THOUGHT, use("T")), ANSWER, turn(first, use("T")), ANSWER]
    objection = ask_claude(messages=messages, thinking=ENABLED).objection
    assert objection is not None
    assert (objection.status, objection.type) == (400, None)
    assert objection.message.startswith("messages.3.content.0: ")


@pytest.mark.parametrize(
    ("thinking", "messages"),
    [
        (ENABLED, [HELLO, turn(THOUGHT, use("T")), ANSWER]),
        (ENABLED, [HELLO, turn(REDACTED, use("T")), ANSWER]),
        (ENABLED, [HELLO, turn(THOUGHT | {"thinking": ""}, use("T")), ANSWER]),
        (ENABLED, [HELLO, turn(use("T"))]),
        (ENABLED, [HELLO, turn(use("T")), HELLO]),
        (ENABLED, [HELLO, turn(text("a")), ANSWER]),
        (ENABLED, [HELLO, {"role": "assistant", "content": "a"}, ANSWER]),
        (ENABLED, [HELLO, turn(use("T")), turn(result("T"))]),
        ({"type": "adaptive"}, [HELLO, turn(use("T")), ANSWER]),
        ({"type": "disabled"}, [HELLO, turn(use("T")), ANSWER]),
        ("enabled", [HELLO, turn(use("T")), ANSWER]),
        (None, [HELLO, turn(use("T")), ANSWER]),
    ],
)
def test_what_is_in_order(ask_claude: Ask, thinking: Any, messages: list[Any]) -> None:
    assert ask_claude(messages=messages, thinking=thinking).objection is None


# -- Vertex (§17) ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "model"),
    [
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5%4020250929", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-x@default", "claude-x@default"),
        ("my%20model", "my model"),
    ],
)
@pytest.mark.parametrize(
    ("verb", "body", "stream"),
    [
        ("rawPredict", {}, False),
        ("rawPredict", {"stream": True}, True),
        ("streamRawPredict", {}, True),
        ("streamRawPredict", {"stream": False}, True),
        ("streamRawPredict/", {}, True),
    ],
)
def test_vertex_has_the_model_and_the_verb_in_the_path(
    head: Any, given: str, model: str, verb: str, body: dict[str, Any], stream: bool
) -> None:
    path = f"/v1/projects/p/locations/l/publishers/anthropic/models/{given}:{verb}"
    sent = {"messages": [HELLO], "anthropic_version": "vertex-2023-10-16"} | body
    request = vertex.decode(attrs.evolve(head, path=path), {"model": given}, orjson.dumps(sent))
    assert (request.model, request.body["model"], request.stream) == (model, model, stream)
    assert vertex.shape(request).platform == "vrtx_"


@pytest.mark.parametrize(
    ("version", "is_newer"),
    [("vertex-2023-10-16", False), ("2023-06-01", False), ("2026-10-21", True), ("2027-01-01", True), (3, False)],
)
def test_vertex_has_the_version_in_the_body(head: Head, version: Any, is_newer: bool) -> None:
    sent = orjson.dumps({"messages": [HELLO], "anthropic_version": version})
    assert vertex.shape(vertex.decode(head, {"model": "m"}, sent)).is_newer is is_newer
