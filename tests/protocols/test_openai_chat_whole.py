from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat
from aimock_protocols.canonical import ChatRequest, Reply, Stamp, Text, ToolCall

Ask = Callable[..., ChatRequest]
Whole = Callable[..., dict[str, Any]]

ZERO_PROMPT = {"cached_tokens": 0, "audio_tokens": 0}
ZERO_COMPLETION = {
    "reasoning_tokens": 0,
    "audio_tokens": 0,
    "accepted_prediction_tokens": 0,
    "rejected_prediction_tokens": 0,
}


@pytest.fixture
def whole(ask: Ask, stamp: Stamp) -> Whole:
    def whole(reply: Reply, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(openai_chat.encode(reply, openai_chat.shape(ask(**more)), stamp))
        return body

    return whole


def test_a_text_reply_byte_for_byte(ask: Ask, stamp: Stamp) -> None:
    reply = Reply((Text("Hi"),), id="chatcmpl-A1", system_fingerprint="fp_a1b2c3d4e5")
    assert openai_chat.encode(reply, openai_chat.shape(ask()), stamp) == (
        b'{"id":"chatcmpl-A1","object":"chat.completion","created":1795200000,"model":"gpt-4o",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null,"annotations":[]},'
        b'"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3,'
        b'"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,'
        b'"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_a1b2c3d4e5"}'
    )


@pytest.mark.parametrize(
    ("reply", "message", "finish_reason"),
    [
        (Reply(), {"content": None}, "stop"),
        (Reply((Text(""),)), {"content": ""}, "stop"),
        (Reply((Text("a"), Text("b"))), {"content": "ab"}, "stop"),
        (Reply(refusal="No."), {"content": None, "refusal": "No."}, "stop"),
        (Reply((Text("a"),), reasoning="r"), {"content": "a", "reasoning_content": "r"}, "stop"),
        (Reply((Text("a"),), role="critic"), {"role": "critic", "content": "a"}, "stop"),
        (Reply((Text("a"),), finish_reason="odd"), {"content": "a"}, "odd"),
        (
            Reply((ToolCall("f", "", "i"), Text("a"), ToolCall("g", "{oops", "j"), Text("b"))),
            {
                "content": "ab",
                "tool_calls": [
                    {"id": "i", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "j", "type": "function", "function": {"name": "g", "arguments": "{oops"}},
                ],
            },
            "tool_calls",
        ),
    ],
)
def test_the_message(whole: Whole, reply: Reply, message: dict[str, Any], finish_reason: str) -> None:
    """core-lessons C23, B6, field 2.19, 2.24, 2.31"""
    choice = whole(reply)["choices"][0]
    assert choice["message"] == {"role": "assistant", "refusal": None, "annotations": []} | message
    assert choice["finish_reason"] == finish_reason


def test_ids_are_minted_in_the_provider_s_style_and_differ(whole: Whole) -> None:
    reply = Reply((ToolCall("f", "{}"), ToolCall("f", "{}")))
    body = whole(reply, n=2)
    calls = [call["id"] for choice in body["choices"] for call in choice["message"]["tool_calls"]]
    assert len(set(calls)) == 4
    for minted, prefix, length in [(body["id"], "chatcmpl-", 29), *((call, "call_", 24) for call in calls)]:
        assert minted.startswith(prefix)
        assert minted.removeprefix(prefix).isalnum()
        assert len(minted) == len(prefix) + length


def test_the_same_stamp_gives_the_same_bytes_and_another_others(ask: Ask) -> None:
    reply = Reply((ToolCall("f", "{}"),))
    bodies = [
        openai_chat.encode(reply, openai_chat.shape(ask()), Stamp(1.0, seed))
        for seed in (b"a" * 64, b"a" * 64, b"b" * 64)
    ]
    assert bodies[0] == bodies[1] != bodies[2]


def test_overrides(whole: Whole) -> None:
    body = whole(Reply((Text("a"),), id="x", created=7, model="other", system_fingerprint="fp"))
    assert (body["id"], body["created"], body["model"], body["system_fingerprint"]) == ("x", 7, "other", "fp")


def test_a_request_without_a_model_gets_a_default(whole: Whole) -> None:
    assert whole(Reply(), model=None)["model"] == "gpt-4o"


def test_the_fingerprint_belongs_to_the_model(whole: Whole) -> None:
    prints = [whole(Reply(), model=model)["system_fingerprint"] for model in ("a", "a", "b")]
    assert prints[0] == prints[1] != prints[2]
    assert prints[0].startswith("fp_")
    assert len(bytes.fromhex(prints[0].removeprefix("fp_"))) == 5


@pytest.mark.parametrize(
    ("asked", "told"),
    [(None, "default"), ("auto", "default"), ("flex", "flex"), ("default", "default"), ({"odd": 1}, "default")],
)
def test_the_service_tier_is_resolved(whole: Whole, asked: Any, told: str) -> None:
    assert whole(Reply(), service_tier=asked)["service_tier"] == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, (2, 1, 3, ZERO_PROMPT, ZERO_COMPLETION, {})),
        ({"cost": 0.1}, (2, 1, 3, ZERO_PROMPT, ZERO_COMPLETION, {"cost": 0.1})),
        ({"input_tokens": 5}, (5, 0, 5, ZERO_PROMPT, ZERO_COMPLETION, {})),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 6,
                "total_tokens": 99,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
                "output_tokens_details": {"reasoning_tokens": 3},
                "queue_time": 0.5,
            },
            (
                5,
                6,
                99,
                ZERO_PROMPT | {"cached_tokens": 4, "cache_write_tokens": 1},
                ZERO_COMPLETION | {"reasoning_tokens": 3},
                {"queue_time": 0.5},
            ),
        ),
        ({"prompt_tokens": 1, "prompt_tokens_details": None}, (1, 0, 1, ZERO_PROMPT, ZERO_COMPLETION, {})),
    ],
)
def test_usage(whole: Whole, given: dict[str, Any], told: tuple[Any, ...]) -> None:
    prompt, completion, total, prompt_details, completion_details, others = told
    expected = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }
    assert whole(Reply((Text("Hi"),), usage=given))["usage"] == expected | others
    assert whole(Reply((Text("Hi"),)))["usage"]["prompt_tokens_details"] == ZERO_PROMPT


def test_n_choices_say_the_same(whole: Whole) -> None:
    body = whole(Reply((Text("a"),)), n=3)
    assert [choice.pop("index") for choice in body["choices"]] == [0, 1, 2]
    assert body["choices"][0] == body["choices"][1] == body["choices"][2]
    assert body["usage"]["completion_tokens"] == 1


def test_logprobs_are_made_up_where_they_are_asked_for(whole: Whole) -> None:
    logprobs = whole(Reply((Text("Hi, né 🚀"),)), logprobs=True, top_logprobs=2)["choices"][0]["logprobs"]
    assert logprobs["refusal"] is None
    tokens = logprobs["content"]
    assert [token["token"] for token in tokens] == ["Hi,", " né", " 🚀"]
    for token in tokens:
        assert token["bytes"] == list(token["token"].encode())
        likeliest, other = token.pop("top_logprobs")
        assert likeliest == token
        assert other["logprob"] < token["logprob"] <= 0
        assert other["token"] != token["token"]


@pytest.mark.parametrize(
    ("reply", "more", "expected"),
    [
        (Reply((Text("a"),)), {}, None),
        (Reply((Text("a"),)), {"logprobs": "yes"}, None),
        (Reply((ToolCall("f", "{}"),)), {"logprobs": True}, None),
        (Reply((Text(""),)), {"logprobs": True}, {"content": [], "refusal": None}),
        (Reply((Text("a"),), logprobs={"content": None}), {}, {"content": None}),
        (Reply((Text("a"),), logprobs={"content": None}), {"logprobs": True}, {"content": None}),
        (
            Reply(refusal="n"),
            {"logprobs": True},
            {"content": None, "refusal": [{"token": "n", "logprob": -0.01, "bytes": [110], "top_logprobs": []}]},
        ),
    ],
)
def test_logprobs(whole: Whole, reply: Reply, more: dict[str, Any], expected: Any) -> None:
    assert whole(reply, **more)["choices"][0]["logprobs"] == expected


def test_top_logprobs_have_a_limit(whole: Whole) -> None:
    logprobs = whole(Reply((Text("a"),)), logprobs=True, top_logprobs=10**6)["choices"][0]["logprobs"]
    assert len(logprobs["content"][0]["top_logprobs"]) == 20


def test_legacy_functions_are_answered_with_one_function_call(whole: Whole) -> None:
    reply = Reply((ToolCall("f", "", "ignored"), ToolCall("g", "{}")))
    choice = whole(reply, functions=[{"name": "f"}])["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    both = whole(reply, functions=[{"name": "f"}], tools=[{"type": "function", "function": {"name": "f"}}])
    assert both["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_of_a_custom_tool(whole: Whole) -> None:
    tools = [{"type": "custom", "custom": {"name": "sql"}}, {"type": "function", "function": {"name": "f"}}, 3, {}]
    message = whole(Reply((ToolCall("sql", "select 1", "i"), ToolCall("f", "{}", "j"))), tools=tools)["choices"][0]
    assert message["message"]["tool_calls"] == [
        {"id": "i", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
        {"id": "j", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]
