"""Whole responses (wire-openai-responses §5, §6, §11, §12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock.rendering import Renderer
from aimock_protocols import openai_responses
from aimock_protocols.canonical import ChatRequest, Reply, Stamp, Text, ToolCall, WireError

Ask = Callable[..., ChatRequest]

HEX = r"[0-9a-f]{50}"


@pytest.fixture
def told(ask_responses: Ask, stamp: Stamp) -> Callable[..., dict[str, Any]]:
    """told(reply, …): the response to a request, as JSON."""

    def tell(reply: Reply, **more: Any) -> dict[str, Any]:
        shape = openai_responses.shape(ask_responses(**more))
        return dict(orjson.loads(openai_responses.encode(reply, shape, stamp)))

    return tell


def test_the_whole_object(told: Callable[..., Any], stamp: Stamp) -> None:
    """Every member, in the order in which the live service sends them."""
    response = told(Reply((Text("Hi"),)))
    message_id = f"msg_{stamp.hexadecimal(50, 'item 1')}"
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": "Hi"}
    assert list(response.items()) == [
        ("id", f"resp_{stamp.hexadecimal(50)}"),
        ("object", "response"),
        ("created_at", 1795200000),
        ("status", "completed"),
        ("background", False),
        ("completed_at", 1795200000),
        ("error", None),
        ("frequency_penalty", 0.0),
        ("incomplete_details", None),
        ("instructions", None),
        ("max_output_tokens", None),
        ("max_tool_calls", None),
        ("model", "gpt-4o"),
        ("moderation", None),
        (
            "output",
            [{"id": message_id, "type": "message", "status": "completed", "content": [part], "role": "assistant"}],
        ),
        ("parallel_tool_calls", True),
        ("presence_penalty", 0.0),
        ("previous_response_id", None),
        ("prompt_cache_key", None),
        ("prompt_cache_retention", None),
        ("reasoning", {"effort": None, "summary": None}),
        ("safety_identifier", None),
        ("service_tier", "default"),
        ("store", True),
        ("temperature", 1.0),
        ("text", {"format": {"type": "text"}, "verbosity": "medium"}),
        ("tool_choice", "auto"),
        ("tools", []),
        ("top_logprobs", 0),
        ("top_p", 1.0),
        ("truncation", "disabled"),
        (
            "usage",
            {
                "input_tokens": 2,
                "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "output_tokens": 1,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 3,
            },
        ),
        ("user", None),
        ("metadata", {}),
        ("billing", {"payer": "developer"}),
    ]


@pytest.mark.parametrize(
    ("reply", "kinds"),
    [
        (Reply(), []),
        (Reply((Text(""),)), ["message"]),
        (Reply((Text(""), ToolCall("f", "{}"))), ["function_call"]),
        (Reply((Text("a"), Text("b"))), ["message", "message"]),
        (Reply((ToolCall("f", "{}"), Text("b"))), ["function_call", "message"]),
        (Reply((Text("a"),), reasoning="t", web_searches=("q",)), ["reasoning", "web_search_call", "message"]),
        (Reply(redacted_thinking=("a", "b"), reasoning="t"), ["reasoning"] * 3),
        (Reply(reasoning_signature="s"), ["reasoning"]),
        (Reply((Text("a"),), refusal="no"), ["message", "message"]),
    ],
)
def test_the_items_of_a_reply(told: Callable[..., Any], reply: Reply, kinds: list[str]) -> None:
    output = told(reply)["output"]
    assert [item["type"] for item in output] == kinds
    assert len({item["id"] for item in output}) == len(kinds)


def test_calls(told: Callable[..., Any]) -> None:
    tools = [
        {"type": "custom", "name": "c"},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "g"}]},
    ]
    reply = Reply((ToolCall("f", '{"x": 1}', "i"), ToolCall("f", ""), ToolCall("c", ""), ToolCall("g", "{oops")))
    first, second, custom, spaced = told(reply, tools=tools)["output"]
    assert (first["call_id"], first["name"], first["arguments"]) == ("i", "f", '{"x": 1}')
    assert (second["call_id"][:5], second["arguments"]) == ("call_", "{}")
    assert (custom["type"], custom["input"]) == ("custom_tool_call", "")
    assert (spaced["namespace"], spaced["arguments"]) == ("n", "{oops")
    assert [item["id"].split("_")[0] for item in (first, custom)] == ["fc", "ctc"]


@pytest.mark.parametrize(
    ("reply", "more", "expected"),
    [
        (Reply(reasoning="t"), {}, [None]),
        (Reply(reasoning="t", reasoning_signature="s"), {}, [None]),
        (Reply(reasoning="t", reasoning_signature="s"), {"include": ["reasoning.encrypted_content"]}, ["s"]),
        (Reply(reasoning="t", reasoning_signature="s"), {"store": False}, ["s"]),
        (Reply(redacted_thinking=("a", "b")), {"include": ["reasoning.encrypted_content"]}, ["a", "b"]),
        (Reply(), {"include": ["reasoning.encrypted_content"]}, []),
        (Reply(), {"include": ["reasoning.encrypted_content"], "model": "gpt-5", "store": False}, ["gAAAAAB"]),
        (Reply(), {"store": False, "model": "gpt-5"}, []),
    ],
)
def test_encrypted_reasoning(told: Callable[..., Any], reply: Reply, more: Any, expected: list[str | None]) -> None:
    """wire-openai-responses §12: for models that reason (gpt-4o does not) even where the fixture has no thought."""
    proofs = [item.get("encrypted_content") for item in told(reply, **more)["output"]]
    assert [proof and proof[:7] for proof in proofs] == expected


@pytest.mark.parametrize(
    ("reason", "status", "details", "item_status"),
    [
        (None, "completed", None, "completed"),
        ("stop", "completed", None, "completed"),
        ("tool_calls", "completed", None, "completed"),
        ("length", "incomplete", {"reason": "max_output_tokens"}, "incomplete"),
        ("content_filter", "incomplete", {"reason": "content_filter"}, "incomplete"),
        ("cancelled", "cancelled", None, "completed"),
    ],
)
def test_statuses(told: Callable[..., Any], reason: Any, status: str, details: Any, item_status: str) -> None:
    """Only the item that was cut is incomplete."""
    response = told(Reply((Text("a"), ToolCall("f", "{")), finish_reason=reason))
    assert (response["status"], response["incomplete_details"]) == (status, details)
    assert [item["status"] for item in response["output"]] == ["completed", item_status]
    assert (response["completed_at"] is None) is (status != "completed")
    assert response["usage"] is not None


def test_a_failure(told: Callable[..., Any]) -> None:
    response = told(Reply((Text("a"),), finish_reason="failed"))
    assert (response["status"], response["error"]["code"], response["usage"]) == ("failed", "server_error", None)
    assert len(response["output"]) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"input_tokens": 5}, (5, 0, 5)),
        ({"prompt_tokens": 5, "completion_tokens": 7}, (5, 7, 12)),
        ({"input_tokens": 1, "prompt_tokens": 2, "output_tokens": 3, "total_tokens": 9}, (1, 3, 9)),
        ({"cost": 0.5}, (2, 1, 3)),
    ],
)
def test_usage(told: Callable[..., Any], given: dict[str, Any], expected: tuple[int, int, int]) -> None:
    usage = told(Reply((Text("Hi"),), usage=given))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == expected
    assert usage.get("cost") == given.get("cost")
    assert usage["output_tokens_details"] == {"reasoning_tokens": 0}


def test_details_of_the_usage(told: Callable[..., Any]) -> None:
    given = {"prompt_tokens_details": {"cached_tokens": 3}, "output_tokens_details": {"reasoning_tokens": 4, "odd": 1}}
    usage = told(Reply((Text("Hi"),), usage=given))["usage"]
    assert usage["input_tokens_details"] == {"cached_tokens": 3, "cache_write_tokens": 0}
    assert usage["output_tokens_details"] == {"reasoning_tokens": 4, "odd": 1}
    assert "prompt_tokens_details" not in usage


def test_log_probabilities_of_the_reply_go_with_their_texts(told: Callable[..., Any]) -> None:
    tokens = [{"token": token, "logprob": -1.0, "bytes": None, "top_logprobs": []} for token in ("He", "llo", "you")]
    reply = Reply((Text("Hello"), ToolCall("f", "{}"), Text("you")), logprobs={"content": tokens, "refusal": None})
    hello, _, you = told(reply)["output"]
    assert [token["token"] for token in hello["content"][0]["logprobs"]] == ["He", "llo"]
    assert [token["token"] for token in you["content"][0]["logprobs"]] == ["you"]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (
            {"tools": [{"type": "function", "name": "f"}]},
            [{"type": "function", "description": None, "strict": True, "name": "f"}],
        ),
        (
            {"tools": [{"type": "function", "name": "f", "description": "", "strict": False}]},
            [{"type": "function", "description": None, "strict": False, "name": "f"}],
        ),
        (
            {"tools": [{"type": "mcp", "headers": {"a": "secret"}, "authorization": "secret"}]},
            [{"type": "mcp", "headers": {"a": "<redacted>"}}],
        ),
        (
            {"tools": [{"type": "code_interpreter", "container": "c"}, 5]},
            [{"type": "code_interpreter", "container": "c"}],
        ),
    ],
)
def test_tools_are_repeated_as_the_provider_does(told: Callable[..., Any], sent: Any, shown: list[Any]) -> None:
    assert told(Reply(), **sent)["tools"] == shown


@pytest.mark.parametrize(("tier", "shown"), [(None, "default"), ("auto", "default"), ("flex", "flex"), (5, "default")])
def test_service_tiers(told: Callable[..., Any], tier: Any, shown: str) -> None:
    assert told(Reply(), service_tier=tier)["service_tier"] == shown


@pytest.mark.parametrize(
    ("sent", "shown"), [("conv_1", {"id": "conv_1"}), ({"id": "conv_1"}, {"id": "conv_1"}), ({}, None), ("", None)]
)
def test_conversations_are_repeated_if_they_have_an_id(told: Callable[..., Any], sent: Any, shown: Any) -> None:
    assert told(Reply(), conversation=sent).get("conversation") == shown


def test_in_the_background_there_is_nothing_yet(told: Callable[..., Any]) -> None:
    response = told(Reply((Text("Hi"),)), background=True)
    assert [response[name] for name in ("status", "background", "output", "usage", "completed_at")] == [
        "queued",
        True,
        [],
        None,
        None,
    ]
    assert response["service_tier"] == "auto"


@pytest.mark.parametrize(
    "more", [{}, {"include": ["reasoning.encrypted_content"], "model": "gpt-5"}, {"background": True}]
)
def test_renderings_are_kept(ask_responses: Ask, stamp: Stamp, more: dict[str, Any]) -> None:
    """All that is new in each answer comes from the stamp, so that nothing is rendered twice."""
    renderings = Renderer(openai_responses).of(openai_responses.shape(ask_responses(**more)))
    reply = Reply((Text("Hi"), ToolCall("f", "{}")), reasoning="t", web_searches=("q",))
    renderings.whole("key", reply, stamp)
    renderings.stream("key", reply, stamp, 5)
    list(renderings.frames("key", reply, stamp, 5))
    assert {type(kept).__name__ for kept in renderings.kept.values()} == {"_Template"}
    other = Stamp(1795300000.0, b"another stamp ok" * 4)
    assert renderings.whole("key", reply, other) == openai_responses.encode(reply, renderings.shape, other)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"output": null}', b'{"choices": []}', b"x"])
def test_what_is_no_response(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"output|object|unexpected"):
        openai_responses.parse(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "No.", "type": "t"}}, "No."),
        ({"status": "failed", "error": {"code": "server_error", "message": "Broken."}, "output": []}, "Broken."),
    ],
)
def test_what_tells_an_error(body: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError, match=message):
        openai_responses.parse(orjson.dumps(body))
