"""`where`, end to end: each kind of predicate that the AG-UI dojo had to write as code, and the negation of each."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI

from aimock import AIMock

USER: Any = {"role": "user", "content": "go"}
CALL: Any = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


def offers(*names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in names]
    return {"messages": [USER], "tools": tools}


def says(*messages: Any) -> dict[str, Any]:
    return {"messages": list(messages)}


def result(content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": "c", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


PARTS = [{"type": "text", "text": "You are a Helpful "}, {"type": "text", "text": "Planner."}]

PREDICATES: dict[str, tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "a tool of this name is offered": (
        "tools[?function.name == 'render']",
        [offers("render"), offers("a", "render")],
        [offers("rendered"), offers(), says(USER)],
    ),
    "a tool with this suffix is offered": (
        "tools[?ends_with(function.name, '_a2ui')]",
        [offers("render_a2ui"), offers("x", "y_a2ui")],
        [offers("a2ui_render"), says(USER)],
    ),
    "both of two tools are offered": (
        "tools[?function.name == 'a'] && tools[?function.name == 'b']",
        [offers("b", "a")],
        [offers("a"), offers("b", "c"), says(USER)],
    ),
    "a tool result exists anywhere": (
        "messages[?role == 'tool']",
        [says(USER, CALL, result("x"), assistant("ok"), USER)],
        [says(USER), says(USER, assistant("tool"))],
    ),
    "a tool result equals a text": (
        "messages[?role == 'tool' && text(@) == 'approved']",
        [says(USER, CALL, result("approved"), USER), says(USER, CALL, result([{"type": "text", "text": "approved"}]))],
        [says(USER, CALL, result("approved!")), says(USER, assistant("approved"))],
    ),
    "the system prompt contains a phrase, whatever its case": (
        "messages[?role == 'system' && contains(lower(text(@)), 'helpful planner')]",
        [says(system("You are a HELPFUL Planner"), USER), says(system(PARTS), USER)],
        [says(system("You are a planner"), USER), says({"role": "user", "content": "helpful planner"})],
    ),
    "an earlier assistant message contains a phrase": (
        "messages[?role == 'assistant' && contains(text(@), 'the plan')]",
        [says(USER, assistant("Here is the plan."), USER), says(USER, assistant("the plan"), assistant("x"), USER)],
        [says(USER, assistant("Here is a plan."), USER), says(USER, CALL), says(USER)],
    ),
    "the last message fits a pattern": (
        "matches(text(messages[-1]), '^go+$')",
        [says(USER), says({"role": "user", "content": "gooo"})],
        [says({"role": "user", "content": "let us go"})],
    ),
    "an option has a value": (
        "temperature > `0.5` && seed == `7`",
        [says(USER) | {"temperature": 0.9, "seed": 7}],
        [says(USER) | {"temperature": 0.1, "seed": 7}, says(USER)],
    ),
    "there are more than two messages": ("length(messages) > `2`", [says(USER, assistant("a"), USER)], [says(USER)]),
}
CASES = [
    pytest.param(where, body, passes, id=f"{name} {'+' if passes else '-'}{place}")
    for name, (where, passing, failing) in PREDICATES.items()
    for passes, bodies in ((True, passing), (False, failing))
    for place, body in enumerate(bodies)
]


def ask(client: OpenAI, body: dict[str, Any]) -> str | None:
    return client.chat.completions.create(**{"model": "m"} | body).choices[0].message.content


@pytest.mark.parametrize(("where", "body", "passes"), CASES)
def test_where(mock: AIMock, client: OpenAI, where: str, body: dict[str, Any], passes: bool) -> None:
    mock.on({"where": where}, {"content": "yes"}).on({}, {"content": "no"})
    assert ask(client, body) == ("yes" if passes else "no")


@pytest.mark.parametrize(("where", "body", "passes"), CASES)
def test_not_where(mock: AIMock, client: OpenAI, where: str, body: dict[str, Any], passes: bool) -> None:
    mock.on({"where": f"!({where})"}, {"content": "yes"}).on({}, {"content": "no"})
    assert ask(client, body) == ("no" if passes else "yes")


def test_where_narrows_what_other_keys_match(mock: AIMock, client: OpenAI) -> None:
    mock.on({"userMessage": "go", "where": "tools"}, {"content": "with tools"})
    assert ask(client, offers("a")) == "with tools"
    with pytest.raises(openai.NotFoundError) as raised:
        ask(client, says(USER))
    assert raised.value.body["hint"] == "nearest: program: where tools gives null"


@pytest.mark.parametrize("where", ["messages[", "nope(messages)", "", 5])
def test_what_is_no_expression_is_said_at_once(mock: AIMock, where: Any) -> None:
    with pytest.raises(ValueError, match="where"):
        mock.on({"where": where}, {"content": "x"})
