"""Chat through the official SDK, second version: whole, streamed, with tools, thoughts and citations (wire-cohere §9,
§11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cohere.base_client import BaseCohere

from aimock import AIMock

Said = Callable[..., Any]

HELLO = {"role": "user", "content": "hello"}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
CALLS = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Tokyo")]
SOURCE = {"type": "document", "id": "doc:0", "document": {"id": "doc:0", "text": "Penguins are tall."}}
CITATION = {"start": 0, "end": 8, "text": "Emperors", "sources": [SOURCE], "type": "TEXT_CONTENT"}


def kinds(events: list[Any]) -> list[str]:
    """The types of events; those that repeat are told once."""
    told = [event.type for event in events]
    return [kind for place, kind in enumerate(told) if told[place - 1 : place] != [kind]]


def test_text(mock: AIMock, said: Said) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"})
    answer = said()
    assert [block.text for block in answer.message.content] == ["Hi there, né 🚀"]
    assert (answer.finish_reason, answer.message.role, answer.message.tool_calls) == ("COMPLETE", "assistant", None)
    assert answer.usage.billed_units.output_tokens == answer.usage.tokens.output_tokens == 4
    assert answer.usage.billed_units.input_tokens < answer.usage.tokens.input_tokens
    assert len(answer.id) == 36


def test_text_streamed(mock: AIMock, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"}, chunk_size=4)
    told = events()
    assert [event.type for event in told] == [
        "message-start",
        "content-start",
        *["content-delta"] * 4,
        "content-end",
        "message-end",
    ]
    pieces = [event.delta.message.content.text for event in told if event.type == "content-delta"]
    assert pieces == ["Hi t", "here", ", né", " 🚀"]
    assert (told[0].delta.message.role, told[1].delta.message.content.type) == ("assistant", "text")
    assert told[-1].delta.finish_reason == "COMPLETE"
    assert told[-1].delta.usage.tokens.output_tokens == 4
    assert len(told[0].id) == 36


def test_tools(mock: AIMock, said: Said) -> None:
    mock.on_message("hello", {"toolCalls": CALLS, "toolPlan": "I will look up both."})
    answer = said(tools=TOOLS, tool_choice="REQUIRED")
    message = answer.message
    assert (answer.finish_reason, message.tool_plan, message.content) == ("TOOL_CALL", "I will look up both.", None)
    assert [call.function.arguments for call in message.tool_calls] == ['{"city":"Paris"}', '{"city":"Tokyo"}']
    ids = {call.id for call in message.tool_calls}
    assert len(ids) == 2
    assert all(each.startswith("get_weather_") for each in ids)
    assert mock.get_last_request()["body"]["tool_choice"] == "required"


@pytest.mark.parametrize(("fixture", "planned"), [({}, True), ({"toolPlan": "Look."}, True), ({"toolPlan": ""}, False)])
def test_tools_streamed(mock: AIMock, events: Said, fixture: dict[str, Any], planned: bool) -> None:
    """wire-cohere §4: without a plan of its own a fixture gets one, and with an empty one none."""
    mock.on_message("hello", {"toolCalls": CALLS, **fixture}, chunk_size=5)
    told = events(tools=TOOLS)
    one = ["tool-call-start", "tool-call-delta", "tool-call-end"]
    assert kinds(told) == ["message-start", *["tool-plan-delta"] * planned, *one, *one, "message-end"]
    plan = "".join(event.delta.message.tool_plan for event in told if event.type == "tool-plan-delta")
    assert plan == fixture.get("toolPlan", plan)
    assert bool(plan) is planned
    arguments = ["", ""]
    for event in told:
        if event.type == "tool-call-delta":
            arguments[event.index] += event.delta.message.tool_calls.function.arguments
    assert arguments == ['{"city":"Paris"}', '{"city":"Tokyo"}']
    starts = [event.delta.message.tool_calls for event in told if event.type == "tool-call-start"]
    assert [(call.function.name, call.function.arguments) for call in starts] == [("get_weather", "")] * 2
    assert told[-1].delta.finish_reason == "TOOL_CALL"


def test_text_and_tools(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Let me see.", "toolCalls": CALLS[:1]})
    answer = said(tools=TOOLS)
    assert answer.message.content[0].text == "Let me see."
    assert answer.message.tool_calls[0].function.name == "get_weather"
    assert kinds(events(tools=TOOLS)) == [
        *("message-start", "content-start", "content-delta", "content-end"),
        *("tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end", "message-end"),
    ]


def test_blocks_keep_their_order(mock: AIMock, events: Said) -> None:
    blocks = [{"type": "toolCall", **CALLS[0]}, {"type": "text", "text": "One moment."}]
    mock.add_fixture({"match": {}, "response": {"blocks": blocks, "toolPlan": ""}})
    assert kinds(events()) == [
        *("message-start", "tool-call-start", "tool-call-delta", "tool-call-end"),
        *("content-start", "content-delta", "content-end", "message-end"),
    ]


def test_thinking(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "They greet me."})
    more = {"model": "command-a-reasoning-08-2025", "thinking": {"type": "enabled", "token_budget": 100}}
    thought, text = said(**more).message.content
    assert (thought.type, thought.thinking, text.type, text.text) == ("thinking", "They greet me.", "text", "Hi")
    told = events(**more)
    assert [(event.index, event.delta.message.content.type) for event in told if event.type == "content-start"] == [
        (0, "thinking"),
        (1, "text"),
    ]
    deltas = [event.delta.message.content for event in told if event.type == "content-delta"]
    assert "".join(delta.thinking or "" for delta in deltas) == "They greet me."
    assert "".join(delta.text or "" for delta in deltas) == "Hi"


def test_citations(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Emperors are.", "citations": [CITATION]})
    more = {"documents": [{"id": "doc:0", "data": {"text": "Penguins are tall."}}]}
    (citation,) = said(**more).message.citations
    assert (citation.text, citation.sources[0].document["text"]) == ("Emperors", "Penguins are tall.")
    told = events(**more)
    assert kinds(told)[-5:] == ["content-delta", "citation-start", "citation-end", "content-end", "message-end"]
    (start,) = [event for event in told if event.type == "citation-start"]
    assert start.delta.message.citations == citation


def test_log_probabilities(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=4)
    items = said(logprobs=True).logprobs
    assert "".join(item.text for item in items) == "Hi there"
    assert all(len(item.token_ids) == len(item.logprobs) == 1 for item in items)
    assert [event.logprobs for event in events(logprobs=True) if event.type == "content-delta"] == items
    assert said().logprobs is None


def test_structured_output(mock: AIMock, said: Said) -> None:
    mock.on({"responseFormat": "json_object"}, {"content": {"name": "Ada", "born": 1815}})
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    answer = said(response_format={"type": "json_object", "json_schema": schema})
    assert answer.message.content[0].text == '{"name":"Ada","born":1815}'


def test_a_conversation_with_tool_results(mock: AIMock, said: Said) -> None:
    """What came back is sent again as the documentation has it: the message itself, and the results as documents."""
    mock.on({"toolResultContains": "sunny"}, {"content": "It is sunny."})
    mock.on_tool_call("get_weather", {"toolCalls": CALLS[:1]})
    first = said(tools=TOOLS)
    (call,) = first.message.tool_calls
    result = {"type": "document", "document": {"data": '{"weather": "sunny"}', "id": "0"}}
    messages = [HELLO, first.message, {"role": "tool", "tool_call_id": call.id, "content": [result]}]
    assert said(messages=messages, tools=TOOLS).message.content[0].text == "It is sunny."
    sent = mock.get_last_request()["body"]["messages"]
    assert sent[2] == {"role": "tool", "tool_call_id": call.id, "content": '{"weather": "sunny"}'}
    assert sent[1]["tool_plan"] == first.message.tool_plan


def test_the_journal_has_the_request_in_canonical_form(mock: AIMock, co: Any) -> None:
    mock.on({"systemMessage": "kind"}, {"content": "Hi"})
    messages = [{"role": "system", "content": [{"type": "text", "text": "Be kind."}]}, HELLO]
    co.chat(model="command-a", messages=messages, p=0.5, k=3, stop_sequences=["x"])
    (entry,) = mock.get_requests()
    assert entry["path"] == "/v2/chat"
    assert entry["body"]["messages"] == [{"role": "system", "content": "Be kind."}, HELLO]
    assert (entry["body"]["top_p"], entry["body"]["top_k"], entry["body"]["stop"]) == (0.5, 3, ["x"])


def test_headers(mock: AIMock, co: Any) -> None:
    """wire-cohere, head."""
    mock.on_message("hello", {"content": "Hi"})
    raw = co.with_raw_response.chat(model="command-a", messages=[HELLO])
    assert int(raw.headers["num_tokens"]) == sum(
        getattr(raw.data.usage.billed_units, name) for name in ("input_tokens", "output_tokens")
    )
    assert len(raw.headers["x-debug-trace-id"]) == 32
    assert raw.headers["cache-control"].startswith("no-cache, no-store")
    assert not [name for name in raw.headers if "ratelimit" in name]


# -- beside the chat ---------------------------------------------------------------------------------------------------


def test_models(mock: AIMock, co: Any) -> None:
    """On a path that OpenAI has too: the SDK is known by its headers."""
    for model in ("command-a-03-2025", "embed-v4.0", "gpt-4o"):
        mock.on({"model": model}, {"content": "Hi"})
    assert [model.name for model in co.models.list().models] == ["command-a-03-2025", "embed-v4.0"]
    assert [model.name for model in co.models.list(endpoint="embed").models] == ["embed-v4.0"]
    page = co.models.list(page_size=1)
    assert [model.name for model in co.models.list(page_token=page.next_page_token).models] == ["embed-v4.0"]
    one = co.models.get("command-a-03-2025")
    assert (one.name, one.endpoints, one.tokenizer_url) == ("command-a-03-2025", ["chat"], None)


@pytest.mark.parametrize("offline", [False, True])
def test_tokens(mock: AIMock, co: Any, offline: bool) -> None:
    """Offline the SDK looks for a tokenizer to download, finds none, and asks the server."""
    told = co.tokenize(text="hello né 🚀", model="command-a", offline=offline)
    assert "".join(told.token_strings) == "hello né 🚀"
    assert co.detokenize(tokens=told.tokens, model="command-a", offline=offline).text == "hello né 🚀"
    assert mock.get_requests() == []


def test_keys(co: Any) -> None:
    """The SDK hides this call behind a notice that it has gone."""
    assert BaseCohere.check_api_key(co).valid
