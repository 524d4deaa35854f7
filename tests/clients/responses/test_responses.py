"""Answers of Responses through the official SDK (wire-openai-responses §16, §18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai import OpenAI

from aimock import AIMock

Said = Callable[..., Any]

QUESTION: dict[str, Any] = {"model": "gpt-5", "input": "hello"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}


def test_text(mock: AIMock, said: Said) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"})
    response = said()
    assert response.id.startswith("resp_")
    assert (response.object, response.status, response.model) == ("response", "completed", "gpt-5")
    assert response.output_text == "Hi there, né 🚀"
    (message,) = response.output
    assert (message.type, message.role, message.status) == ("message", "assistant", "completed")
    assert message.id.startswith("msg_")
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (2, 4, 6)
    assert response.usage.input_tokens_details.cached_tokens == 0
    assert response.completed_at == response.created_at
    assert response._request_id


def test_events(mock: AIMock, events: Said) -> None:
    """wire-openai-responses §18.1 to §18.3."""
    mock.on_message("hello", {"content": "Hi there", "toolCalls": [{"name": "f", "arguments": {"x": 1}}]}, chunk_size=4)
    told = events()
    assert [event.type.removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in told] == list(range(len(told)))
    message, call = told[-1].response.output
    assert {event.item_id for event in told[3:8]} == {message.id}
    assert {event.item_id for event in told[10:13]} == {call.id}
    assert [told[2].item.id, told[8].item.id, told[9].item.id, told[13].item.id] == [message.id] * 2 + [call.id] * 2
    assert (call.id[:3], call.call_id[:5]) == ("fc_", "call_")
    assert (told[0].response.status, told[0].response.output, told[0].response.usage) == ("in_progress", [], None)
    assert (told[0].response.service_tier, told[-1].response.service_tier) == ("auto", "default")
    assert {event.response.id for event in told if hasattr(event, "response")} == {told[0].response.id}


REPLIES: list[Any] = [
    ({"content": "Hi"}, ["message"]),
    ({"content": ""}, ["message"]),
    (
        {"toolCalls": [{"name": "f", "arguments": {"x": 1}, "id": "a"}, {"name": "f", "arguments": "", "id": "b"}]},
        ["function_call"] * 2,
    ),
    ({"content": "Hi", "toolCalls": [{"name": "f", "arguments": "{}"}]}, ["message", "function_call"]),
    ({"content": "Hi", "reasoning": "Hm."}, ["reasoning", "message"]),
    (
        {"content": "Hi", "reasoning": "Hm.", "webSearches": ["a", "b"]},
        ["reasoning", *["web_search_call"] * 2, "message"],
    ),
    ({"refusal": "No."}, ["message"]),
    (
        {
            "blocks": [
                {"type": "text", "text": "a"},
                {"type": "toolCall", "name": "f", "arguments": "{}"},
                {"type": "text", "text": "b"},
            ]
        },
        ["message", "function_call", "message"],
    ),
]


@pytest.mark.parametrize(("reply", "kinds"), REPLIES)
def test_the_helper_puts_a_stream_together_as_the_whole(
    mock: AIMock, said: Said, put_together: Said, reply: dict[str, Any], kinds: list[str]
) -> None:
    """wire-openai-responses §18.4, §20."""
    mock.on_message("hello", reply, chunk_size=2)
    whole, streamed = said(tools=[TOOL]), put_together(tools=[TOOL])
    assert [item.type for item in whole.output] == [item.type for item in streamed.output] == kinds
    assert content_of(whole) == content_of(streamed)
    assert whole.usage == streamed.usage
    assert whole.status == streamed.status == "completed"


def content_of(response: Any) -> list[Any]:
    """The items of a response without what is new in each, and what the helper adds."""
    items = []
    for item in response.output:
        told = item.to_dict(mode="json")
        minted = ("id", "parsed_arguments", *(["call_id"] if told.get("call_id", "").startswith("call_") else []))
        for part in told.get("content") or ():
            part.pop("parsed", None)
        items.append({name: value for name, value in told.items() if name not in minted})
    return items


def test_the_helper_s_own_events(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi there", "toolCalls": [{"name": "f", "arguments": {"x": 1}}]}, chunk_size=3)
    with client.responses.stream(**QUESTION) as stream:
        told = list(stream)
    texts = [event.snapshot for event in told if event.type == "response.output_text.delta"]
    arguments = [event.snapshot for event in told if event.type == "response.function_call_arguments.delta"]
    assert (texts[-1], arguments[-1]) == ("Hi there", '{"x":1}')


def test_reasoning(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Let me think."}, chunk_size=5)
    thought = said().output[0]
    assert (thought.id[:3], [part.text for part in thought.summary]) == ("rs_", ["Let me think."])
    assert thought.encrypted_content is None
    told = [event for event in events() if "reasoning" in event.type]
    assert "".join(event.delta for event in told if event.type.endswith("_text.delta")) == "Let me think."
    assert {event.summary_index for event in told} == {0}


def test_encrypted_reasoning_can_be_sent_back(mock: AIMock, said: Said, put_together: Said) -> None:
    """wire-openai-responses §12, §18.9."""
    mock.on({"userMessage": "and now?", "turnIndex": 1}, {"content": "Done."})
    mock.on_message("hello", {"content": "Hi", "reasoning": "Hm."})
    more: dict[str, Any] = {"include": ["reasoning.encrypted_content"], "store": False}
    for response in (said(**more), put_together(**more)):
        thought, message = response.output
        assert thought.encrypted_content
        back = [
            {"role": "user", "content": "hello"},
            thought.to_dict(),
            message.to_dict(),
            {"role": "user", "content": "and now?"},
        ]
        assert said(**more, input=back).output_text == "Done."


@pytest.mark.parametrize(
    ("model", "more", "kinds"),
    [
        ("gpt-5", {"include": ["reasoning.encrypted_content"]}, ["reasoning", "message"]),
        ("gpt-4.1", {"include": ["reasoning.encrypted_content"]}, ["message"]),
        ("gpt-5", {"store": False}, ["message"]),
    ],
)
def test_a_thought_is_made_up_only_where_one_is_asked_for(
    mock: AIMock, client: OpenAI, model: str, more: dict[str, Any], kinds: list[str]
) -> None:
    mock.on_message("hello", {"content": "Hi"})
    assert [item.type for item in client.responses.create(model=model, input="hello", **more).output] == kinds


def test_a_search(mock: AIMock, events: Said) -> None:
    mock.on_message("hello", {"content": "Found it.", "webSearches": ["weather in Paris"]})
    told = events()
    names = [event.type.removeprefix("response.") for event in told]
    assert names[2:7] == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    assert (told[6].item.action.query, told[6].item.status) == ("weather in Paris", "completed")


def test_a_refusal(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"refusal": "I cannot help."}, chunk_size=4)
    (part,) = said().output[0].content
    assert (part.type, part.refusal) == ("refusal", "I cannot help.")
    told = events()
    assert "".join(event.delta for event in told if event.type == "response.refusal.delta") == "I cannot help."


def test_a_custom_tool(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_tool_call("code", {"toolCalls": [{"name": "code", "arguments": "print(1)"}]})
    mock.on({}, {"toolCalls": [{"name": "code", "arguments": "print(1)"}]})
    tools = [{"type": "custom", "name": "code", "description": "Runs code."}]
    (call,) = said(tools=tools).output
    assert (call.type, call.input, call.name, call.id[:4]) == ("custom_tool_call", "print(1)", "code", "ctc_")
    told = events(tools=tools)
    assert "".join(event.delta for event in told if event.type == "response.custom_tool_call_input.delta") == "print(1)"


def test_tools_in_a_namespace(mock: AIMock, said: Said) -> None:
    mock.on_tool_call("f", {"toolCalls": [{"name": "f", "arguments": "{}"}]})
    namespace = {"type": "namespace", "name": "files", "description": "Files.", "tools": [TOOL]}
    assert said(tools=[namespace]).output[0].namespace == "files"


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
    ],
)
def test_statuses(mock: AIMock, said: Said, events: Said, reason: str, status: str, why: str | None) -> None:
    """wire-openai-responses §10, §18.7."""
    mock.on_message("hello", {"content": "Hi", "finishReason": reason})
    last = events()[-1]
    assert last.type == f"response.{status}"
    for response in (said(), last.response):
        assert (response.status, response.output[0].status) == (status, status)
        assert (response.incomplete_details and response.incomplete_details.reason) == why
        assert response.usage is not None


def test_a_response_that_fails(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi", "finishReason": "failed"})
    last = events()[-1]
    assert last.type == "response.failed"
    for response in (said(), last.response):
        assert (response.status, response.error.code, response.usage) == ("failed", "server_error", None)


def test_logprobs(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi there, you"}, chunk_size=4)
    more = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    tokens = said(**more).output[0].content[0].logprobs
    assert "".join(token.token for token in tokens) == "Hi there, you"
    assert [len(token.top_logprobs) for token in tokens] == [2, 2, 2]
    told = [event for event in events(**more) if event.type == "response.output_text.delta"]
    assert [token.token for event in told for token in event.logprobs] == [token.token for token in tokens]
    assert said().output[0].content[0].logprobs == []


def test_obfuscation(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=4)

    def fillers(**more: Any) -> list[str]:
        told = client.responses.create(**QUESTION, stream=True, **more)
        return [event.obfuscation for event in told if getattr(event, "obfuscation", None)]

    assert [len(filler) for filler in fillers(stream_options={"include_obfuscation": True})] == [16, 16]
    assert fillers() == []


def test_what_the_fixture_says_itself(mock: AIMock, said: Said, put_together: Said) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 25, "prompt_tokens_details": {"cached_tokens": 7}}
    mock.on_message("hello", {"content": "Hi", "id": "resp_x", "created": 1700000000, "model": "m", "usage": usage})
    for response in (said(), put_together()):
        assert (response.id, response.created_at, response.model) == ("resp_x", 1700000000, "m")
        assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (10, 25, 35)
        assert response.usage.input_tokens_details.cached_tokens == 7


def test_settings_are_repeated(mock: AIMock, said: Said, events: Said) -> None:
    mock.on_message("hello", {"content": "Hi"})
    settings: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "temperature": 0.5,
        "tool_choice": "required",
        "tools": [TOOL],
        "truncation": "auto",
        "user": "u",
    }
    told = events(**settings)
    for response in (said(**settings), told[0].response, told[-1].response):
        shown = response.to_dict()
        assert {name: shown[name] for name in settings if name != "tools"} == {
            name: value for name, value in settings.items() if name != "tools"
        }
        assert shown["tools"][0].items() >= TOOL.items()
