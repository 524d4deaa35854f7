"""What a fixture asks of a conversation is found in it, whichever API it is written for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from aimock import AIMock

Call = Callable[..., Any]
Message = dict[str, Any]

PICTURE = "iVBORw0KGgo="


class Dialect(NamedTuple):
    """One API's words for what happens in a conversation."""

    path: str
    text: Callable[[Any], Any]
    """What an answer's body says."""
    attachment: Message
    call: Callable[[str], Message]
    """The assistant's turn with a tool call of this id."""
    result: Callable[[str, str], Message]
    instructed: Callable[..., dict[str, Any]]
    """The members of a body with these system texts and these messages."""
    tools: Callable[..., list[Any]]
    offered: Callable[[Any], dict[str, Any]] = lambda tools: {"tools": tools}
    """The member of a body with these tools."""


def openai_instructed(systems: tuple[str, ...], messages: list[Message]) -> dict[str, Any]:
    return {"messages": [*({"role": "system", "content": text} for text in systems), *messages]}


def claude_instructed(systems: tuple[str, ...], messages: list[Message]) -> dict[str, Any]:
    return {"system": [{"type": "text", "text": text} for text in systems], "messages": messages}


OPENAI = Dialect(
    path="/v1/chat/completions",
    text=lambda body: body["choices"][0]["message"]["content"],
    attachment={
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}],
    },
    call=lambda call_id: {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    result=lambda call_id, text: {"role": "tool", "tool_call_id": call_id, "content": text},
    instructed=openai_instructed,
    tools=lambda *names: [{"type": "function", "function": {"name": name}} for name in names],
)
CLAUDE = Dialect(
    path="/v1/messages",
    text=lambda body: body["content"][0]["text"],
    attachment={
        "role": "user",
        "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}],
    },
    call=lambda call_id: {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": call_id, "name": "f", "input": {}}],
    },
    result=lambda call_id, text: {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call_id, "content": [{"type": "text", "text": text}]}],
    },
    instructed=claude_instructed,
    tools=lambda *names: [{"name": name, "input_schema": {"type": "object"}} for name in names],
)
CONVERSE = Dialect(
    path="/model/m/converse",
    text=lambda body: body["output"]["message"]["content"][0]["text"],
    attachment={"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": PICTURE}}}]},
    call=lambda call_id: {
        "role": "assistant",
        "content": [{"toolUse": {"toolUseId": call_id, "name": "f", "input": {}}}],
    },
    result=lambda call_id, text: {
        "role": "user",
        "content": [{"toolResult": {"toolUseId": call_id, "content": [{"text": text}]}}],
    },
    instructed=lambda systems, messages: {"system": [{"text": text} for text in systems], "messages": messages},
    tools=lambda *names: [{"toolSpec": {"name": name, "inputSchema": {"json": {}}}} for name in names],
    offered=lambda tools: {"toolConfig": {"tools": tools}},
)
DIALECTS = {
    "chat": OPENAI,
    "messages": CLAUDE,
    "foundry": CLAUDE._replace(path="/anthropic/v1/messages"),
    "converse": CONVERSE,
    "vertex": CLAUDE._replace(path="/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict"),
}


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def parts(*texts: str) -> Message:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


Told = Callable[[Dialect], list[Message]]

TURN: Told = lambda api: [user("hello"), api.call("c1"), api.result("c1", "sunny")]  # noqa: E731
NEXT_TURN: Told = lambda api: [*TURN(api), assistant("It is."), user("again")]  # noqa: E731
VERDICT: Told = lambda api: [user("hello"), api.call("c1"), api.result("c1", '{"verdict":"denied"}')]  # noqa: E731

CONVERSATIONS: list[Any] = [
    pytest.param([{"userMessage": "hello"}, {}], lambda api: [parts("hel", "lo")], 0, id="A1 parts"),
    pytest.param(
        [{"userMessage": "hello"}, {}], lambda api: [user("hello"), api.attachment], 0, id="A2 attachment only"
    ),
    pytest.param([{"toolCallId": "c1"}, {"userMessage": "again"}], TURN, 0, id="A4 the last message"),
    pytest.param([{"toolCallId": "c1"}, {"userMessage": "again"}], NEXT_TURN, 1, id="A4 an old result"),
    pytest.param([{"toolResultContains": "sun"}, {"userMessage": "again"}], TURN, 0, id="field_2 the last message"),
    pytest.param([{"toolResultContains": "sun"}, {"userMessage": "again"}], NEXT_TURN, 1, id="field_2 an old result"),
    pytest.param([{"hasToolResult": False}, {"hasToolResult": True}], TURN, 1, id="A5 this turn"),
    pytest.param([{"hasToolResult": True}, {"hasToolResult": False}], NEXT_TURN, 1, id="A5 field_3 the turn before"),
    pytest.param(
        [{"toolCallId": "c1", "toolResultContains": each} for each in ("approved", "denied")], VERDICT, 1, id="A7"
    ),
    pytest.param([{"turnIndex": 3, "userMessage": "again"}], NEXT_TURN, 0, id="A11 field_1 turns that are off"),
    pytest.param([{"turnIndex": 3}, {}], NEXT_TURN, 1, id="A12 a turn ahead and a plain fixture"),
    pytest.param([{"endpoint": "image"}, {"endpoint": "chat"}], TURN, 1, id="A10 field_12 endpoints"),
]


@pytest.fixture(params=[pytest.param(dialect, id=name) for name, dialect in DIALECTS.items()])
def api(request: pytest.FixtureRequest) -> Dialect:
    dialect: Dialect = request.param
    return dialect


@pytest.fixture
def winner(mock: AIMock, call: Call, api: Dialect) -> Callable[..., int]:
    """winner(matches, messages, systems, …): the place of the fixture that answers."""

    def ask(matches: list[dict[str, Any]], messages: list[Message], systems: tuple[str, ...] = (), **more: Any) -> int:
        for place, match in enumerate(matches):
            mock.on(match, {"content": str(place)})
        response = call("POST", api.path, {"model": "m", "max_tokens": 9, **api.instructed(systems, messages), **more})
        assert response.status == 200, response.body
        return int(api.text(response.json))

    return ask


@pytest.mark.parametrize(("matches", "told", "expected"), CONVERSATIONS)
def test_a_conversation_is_matched_alike(
    winner: Callable[..., int], api: Dialect, matches: list[dict[str, Any]], told: Told, expected: int
) -> None:
    """core-lessons A1, A2, A4, A5, A7, A10, A11 and A12, field 2.1, 2.2, 2.3, 2.12"""
    assert winner(matches, told(api)) == expected


@pytest.mark.parametrize(
    ("systems", "expected"), [(("…b…", "a…"), 0), (("b a",), 0), (("a",), 1), ((), 1)], ids=["two", "one", "half", "no"]
)
def test_system_texts_must_all_occur_in_any_order(
    winner: Callable[..., int], systems: tuple[str, ...], expected: int
) -> None:
    """core-lessons A8, field 2.11"""
    assert winner([{"systemMessage": ["a", "b"]}, {}], [user("x")], systems) == expected


ODD_TOOLS = [[{"type": "web_search"}], [None], [5, [], {}], [{"function": None}, {"name": 5}], [{"name": ["f"]}], "f"]


@pytest.mark.parametrize("tools", ODD_TOOLS, ids=str)
@pytest.mark.parametrize("needle", ["f", {"$regex": "f"}], ids=["literal", "pattern"])
def test_odd_tools_are_none_that_a_fixture_could_want(
    winner: Callable[..., int], api: Dialect, tools: Any, needle: Any
) -> None:
    """core-lessons A20"""
    assert winner([{"toolName": needle}, {}], [user("x")], **api.offered(tools)) == 1


def test_a_tool_is_found_among_odd_ones(winner: Callable[..., int], api: Dialect) -> None:
    """core-lessons A20"""
    tools = [None, {"type": "web_search"}, *api.tools("g", "f")]
    assert winner([{"toolName": "f"}, {}], [user("x")], **api.offered(tools)) == 0


ODD_CONTENTS: list[Any] = [
    5,
    {},
    [None, 5, [], {}],
    [{"type": "text"}, {"type": "text", "text": 5}],
    [{"type": "tool_result"}, {"type": "tool_result", "tool_use_id": 5, "content": [None, 5]}],
]


@pytest.mark.parametrize("content", ODD_CONTENTS, ids=str)
@pytest.mark.parametrize("role", ["user", "assistant", "tool", "system", "nobody", 5, None])
def test_odd_messages_match_nothing_and_break_nothing(winner: Callable[..., int], role: Any, content: Any) -> None:
    """core-lessons A21"""
    matches: list[dict[str, Any]] = [
        {"userMessage": "x"},
        {"systemMessage": "x"},
        {"toolCallId": "x"},
        {"toolResultContains": "x"},
        {"where": "contains(text(messages[-1]), 'x')"},
        {},
    ]
    assert winner(matches, [{"role": role, "content": content}]) == 5
