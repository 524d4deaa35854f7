"""Whole generateContent answers (wire-gemini §3, §7.1)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import gemini
from aimock_protocols.canonical import ChatRequest, Reply, Stamp, Text, ToolCall
from aimock_protocols.gemini import vertex
from aimock_protocols.gemini.signatures import PLACEHOLDER, as_base64, signs_calls

Ask = Callable[..., ChatRequest]
Whole = Callable[..., dict[str, Any]]


@pytest.fixture
def whole(ask_gemini: Ask, stamp: Stamp) -> Whole:
    """The body for a reply; keywords add to the request."""

    def encode(reply: Reply, protocol: Any = gemini, **more: Any) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(protocol.encode(reply, protocol.shape(ask_gemini(**more)), stamp))
        return body

    return encode


def call(name: str, args: Any, call_id: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args, "id": call_id}, **more}


def test_a_body_is_what_the_service_sends(ask_gemini: Ask, stamp: Stamp) -> None:
    body = gemini.encode(Reply((Text("Hi"),)), gemini.shape(ask_gemini()), stamp)
    assert body == (
        b'{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0,"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1,"totalTokenCount":3,'
        b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":2}],"serviceTier":"standard"},'
        b'"modelVersion":"gemini-x","responseId":"' + stamp.alphanumeric(22).encode() + b'"}'
    )


def test_vertex_tells_when_and_how_it_is_billed(whole: Whole, stamp: Stamp) -> None:
    """wire-gemini §7.1"""
    told = whole(Reply((Text("Hi"),)), vertex)
    assert "index" not in told["candidates"][0]
    assert told["createTime"] == "2026-11-20T18:40:00.250000Z"
    assert told["usageMetadata"] == {
        "promptTokenCount": 2,
        "candidatesTokenCount": 1,
        "totalTokenCount": 3,
        "trafficType": "ON_DEMAND",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 1}],
    }
    assert whole(Reply(created=0), vertex)["createTime"] == "1970-01-01T00:00:00.000000Z"


PARTS: list[Any] = [
    pytest.param(Reply((Text("Hi"),)), [{"text": "Hi"}], id="text"),
    pytest.param(Reply((Text(""),)), [{"text": ""}], id="empty text"),
    pytest.param(Reply(), None, id="nothing"),
    pytest.param(
        Reply((Text(""), ToolCall("f", "{}", "a"))), [call("f", {}, "a")], id="empty text beside something else"
    ),
    pytest.param(
        Reply((Text("a"), ToolCall("f", '{"x":1}', "i"), Text("b"), ToolCall("g", "{}", "j"))),
        [{"text": "a"}, call("f", {"x": 1}, "i"), {"text": "b"}, call("g", {}, "j")],
        id="in order",
    ),
    pytest.param(
        Reply((Text("Hi"),), reasoning="Hm."), [{"text": "Hm.", "thought": True}, {"text": "Hi"}], id="a thought"
    ),
    pytest.param(Reply(reasoning="Hm."), [{"text": "Hm.", "thought": True}], id="a thought alone"),
    pytest.param(
        Reply((Text("a"), ToolCall("f", "{}", "i"), ToolCall("f", "{}", "j")), reasoning_signature="c2ln"),
        [{"text": "a"}, call("f", {}, "i", thoughtSignature="c2ln"), call("f", {}, "j")],
        id="a signature is on the first call",
    ),
    pytest.param(
        Reply((Text("Hi"),), reasoning="Hm.", reasoning_signature="c2ln"),
        [{"text": "Hm.", "thought": True}, {"text": "Hi", "thoughtSignature": "c2ln"}],
        id="or on the text",
    ),
    pytest.param(
        Reply(reasoning_signature="c2ln"), [{"text": "", "thoughtSignature": "c2ln"}], id="or on an empty text"
    ),
    pytest.param(Reply((Text("Hi"),), redacted_thinking=("x",)), [{"text": "Hi"}], id="what Gemini has not"),
    pytest.param(Reply((ToolCall("f", '{"a":1,\n"b":[2]}', "i"),)), [call("f", {"a": 1, "b": [2]}, "i")], id="lines"),
    pytest.param(Reply((ToolCall("f", "{oops", "i"),)), [call("f", {}, "i")], id="no JSON"),
    pytest.param(Reply((ToolCall("f", "[1]", "i"),)), [call("f", {}, "i")], id="no object"),
    pytest.param(Reply((ToolCall("f", "", "i"),)), [call("f", {}, "i")], id="no arguments"),
]


@pytest.mark.parametrize(("reply", "parts"), PARTS)
def test_parts(whole: Whole, reply: Reply, parts: Any) -> None:
    candidate = whole(reply)["candidates"][0]
    assert candidate["content"] == ({"role": "model"} if parts is None else {"parts": parts, "role": "model"})
    assert candidate["finishReason"] == "STOP"


def test_arguments_are_sent_as_they_are_written(ask_gemini: Ask, stamp: Stamp) -> None:
    """Numbers that no float holds, repeated keys, spaces: only line ends become spaces."""
    arguments = '{"n": 123456789012345678901234567890,\r\n "x": 1.10, "x": "a\\nb"}'
    body = gemini.encode(Reply((ToolCall("f", arguments),)), gemini.shape(ask_gemini()), stamp)
    assert arguments.replace("\r\n", "  ").encode() in body


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (None, "STOP"),
        ("stop", "STOP"),
        ("tool_calls", "STOP"),
        ("FUNCTION_CALL", "STOP"),
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("SAFETY", "SAFETY"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("PUP_LIMITED_DISABLED", "PUP_LIMITED_DISABLED"),
        ("odd", "OTHER"),
        ("", "OTHER"),
    ],
)
def test_finish_reasons(whole: Whole, reason: str | None, told: str) -> None:
    """wire-gemini §3.1: a turn that ends in calls ends in STOP."""
    reply = Reply((ToolCall("f", "{}"),), finish_reason=reason)
    assert whole(reply)["candidates"][0]["finishReason"] == told


@pytest.mark.parametrize(
    ("reply", "feedback"),
    [
        (Reply(refusal="No."), {"blockReason": "SAFETY", "blockReasonMessage": "No."}),
        (Reply(refusal=""), {"blockReason": "SAFETY"}),
        (Reply(refusal="", finish_reason="content_filter"), {"blockReason": "SAFETY"}),
        (Reply(refusal="", finish_reason="BLOCKLIST"), {"blockReason": "BLOCKLIST"}),
        (Reply(refusal="", finish_reason="stop"), {"blockReason": "SAFETY"}),
    ],
)
def test_a_prompt_that_is_blocked(whole: Whole, reply: Reply, feedback: dict[str, str]) -> None:
    """wire-gemini §3: no candidates at all."""
    told = whole(reply)
    assert "candidates" not in told
    assert told["promptFeedback"] == feedback
    assert told["usageMetadata"]["promptTokenCount"] == 2


def test_an_answer_that_is_broken_off_for_safety(whole: Whole) -> None:
    candidate = whole(Reply((Text("Well"),), refusal="I cannot."))["candidates"][0]
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("SAFETY", "I cannot.")
    assert candidate["content"]["parts"] == [{"text": "Well"}]


def test_searches_are_what_the_answer_rests_on(whole: Whole) -> None:
    told = whole(Reply((Text("Hi"),), web_searches=("a", "b né&<")))["candidates"][0]["groundingMetadata"]
    assert told["webSearchQueries"] == ["a", "b né&<"]
    assert [chunk["web"]["title"] for chunk in told["groundingChunks"]] == ["a", "b né&<"]
    assert all(chunk["web"]["uri"].isascii() for chunk in told["groundingChunks"])
    assert told["searchEntryPoint"]["renderedContent"].count("<a ") == 2
    assert "groundingMetadata" not in whole(Reply((Text("Hi"),)))["candidates"][0]


PROMPT = {"promptTokenCount": 5, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}]}
USAGES: list[Any] = [
    pytest.param(
        {"promptTokenCount": 5, "candidatesTokenCount": 6, "totalTokenCount": 99},
        {"candidatesTokenCount": 6, "totalTokenCount": 99},
        id="Gemini's words",
    ),
    pytest.param(
        {"prompt_tokens": 5, "completion_tokens": 6}, {"candidatesTokenCount": 6, "totalTokenCount": 11}, id="OpenAI's"
    ),
    pytest.param(
        {"input_tokens": 5, "output_tokens": 6}, {"candidatesTokenCount": 6, "totalTokenCount": 11}, id="Anthropic's"
    ),
    pytest.param({"promptTokenCount": 5}, {"totalTokenCount": 5}, id="zeros are left out"),
    pytest.param(
        {"promptTokenCount": 5, "candidatesTokenCount": 6, "thoughtsTokenCount": 7, "toolUsePromptTokenCount": 8},
        {
            "candidatesTokenCount": 6,
            "thoughtsTokenCount": 7,
            "toolUsePromptTokenCount": 8,
            "totalTokenCount": 26,
        },
        id="the total is the sum of all",
    ),
    pytest.param(
        {"prompt_tokens": 5, "completion_tokens": 6, "completion_tokens_details": {"reasoning_tokens": 4}},
        {"candidatesTokenCount": 2, "thoughtsTokenCount": 4, "totalTokenCount": 11},
        id="OpenAI counts thoughts among the completion",
    ),
    pytest.param(
        {"prompt_tokens": 5, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 3}},
        {"candidatesTokenCount": 6, "totalTokenCount": 11, "cachedContentTokenCount": 3},
        id="cached",
    ),
    pytest.param(
        {"promptTokenCount": 5, "serviceTier": "flex", "cost": 0.5},
        {"totalTokenCount": 5, "serviceTier": "flex", "cost": 0.5},
        id="what else there is",
    ),
    pytest.param(
        {"promptTokenCount": 5, "thoughtsTokenCount": "x", "prompt_tokens_details": 3, "completion_tokens_details": []},
        {"totalTokenCount": 5},
        id="odd details",
    ),
]


@pytest.mark.parametrize(("given", "told"), USAGES)
def test_usage(whole: Whole, given: Any, told: dict[str, Any]) -> None:
    """wire-gemini §3.3"""
    expected = PROMPT | {"serviceTier": "standard"} | told
    assert whole(Reply((Text("Hi"),), usage=given))["usageMetadata"] == expected


@pytest.mark.parametrize("given", [None, {}, {"cost": 0.5}])
def test_tokens_are_estimated(whole: Whole, given: Any) -> None:
    """Thoughts are a count of their own."""
    told = whole(Reply((Text("x" * 9),), reasoning="y" * 17, usage=given))["usageMetadata"]
    counts = [told[f"{name}TokenCount"] for name in ("prompt", "candidates", "thoughts", "total")]
    assert counts == [2, 3, 5, 10]


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({}, 2),
        ({"systemInstruction": "Be kind."}, 4),
        ({"tools": [{"functionDeclarations": [{"name": "f"}]}]}, 13),
        ({"tools": []}, 2),
    ],
)
def test_the_estimate_of_the_prompt(whole: Whole, more: dict[str, Any], tokens: int) -> None:
    assert whole(Reply(), **more)["usageMetadata"]["promptTokenCount"] == tokens


@pytest.mark.parametrize("protocol", [gemini, vertex])
def test_as_many_candidates_as_are_asked_for(whole: Whole, protocol: Any) -> None:
    told = whole(Reply((Text("x" * 8),)), protocol, generationConfig={"candidateCount": 3})
    assert [candidate["index"] for candidate in told["candidates"]] == [0, 1, 2]
    assert {candidate["content"]["parts"][0]["text"] for candidate in told["candidates"]} == {"x" * 8}
    assert told["usageMetadata"]["candidatesTokenCount"] == 6


@pytest.mark.parametrize(
    ("tier", "told"), [("flex", "flex"), ("PRIORITY", "priority"), ("odd", "standard"), (5, "standard")]
)
@pytest.mark.parametrize("name", ["serviceTier", "service_tier"])
def test_the_tier_that_serves(whole: Whole, name: str, tier: Any, told: str) -> None:
    assert whole(Reply(), **{name: tier})["usageMetadata"]["serviceTier"] == told


def test_overrides(whole: Whole) -> None:
    told = whole(Reply(id="x", model="models/other", role="critic"))
    assert (told["responseId"], told["modelVersion"]) == ("x", "models/other")
    assert told["candidates"][0]["content"]["role"] == "model", "which is the only one that there is"


def test_ids_are_short_and_differ(whole: Whole) -> None:
    told = whole(Reply((ToolCall("f", "{}"), ToolCall("f", "{}"))))
    ids = [part["functionCall"]["id"] for part in told["candidates"][0]["content"]["parts"]]
    assert len(set(ids)) == 2
    assert all(len(minted) == 8 and minted.isalnum() and minted == minted.lower() for minted in ids)
    assert len(told["responseId"]) == 22


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "signs"),
    [
        ("gemini-3-pro-preview", True),
        ("gemini-3.1-flash-lite", True),
        ("gemini-10-x", True),
        ("publishers/google/models/gemini-3-flash", True),
        ("gemini-2.5-flash", False),
        ("gemini-flash-latest", False),
        ("endpoints/42", False),
        ("", False),
        ("gemini-" + "9" * 5000, True),
    ],
)
def test_who_signs_calls(whole: Whole, model: str, signs: bool) -> None:
    """wire-gemini §3.2: clients of Gemini 3 must find a signature, and send it back."""
    assert signs_calls(model) is signs
    parts = whole(Reply((ToolCall("f", "{}"), ToolCall("g", "{}"))), model=model)["candidates"][0]["content"]["parts"]
    assert [part.get("thoughtSignature") for part in parts] == [PLACEHOLDER if signs else None, None]
    text = whole(Reply((Text("Hi"),)), model=model)["candidates"][0]["content"]["parts"]
    assert text == [{"text": "Hi"}]


@pytest.mark.parametrize("signature", ["c2ln", "YQ==", "YQ", "-_-_", "+/+/", "EpIDCo8DAQw51scL+dHffCCC"])
def test_a_signature_that_is_base64_is_sent_as_it_is(signature: str) -> None:
    assert as_base64(signature) == signature


@pytest.mark.parametrize("signature", ["sig-123", "né", "a", "====", "YR==", "a b", "\ud800"])
def test_any_other_is_encoded(signature: str) -> None:
    sent = as_base64(signature)
    assert base64.b64decode(sent, validate=True).decode() == signature.encode("utf-8", "replace").decode()


def test_equal_requests_have_equal_shapes_and_others_do_not(ask_gemini: Ask) -> None:
    shape = gemini.shape
    same = ask_gemini(generationConfig={"temperature": 1, "candidateCount": 1}, safetySettings=[], query="alt=sse")
    assert shape(ask_gemini()) == shape(same)
    assert hash(shape(ask_gemini())) == hash(shape(same))
    different: list[dict[str, Any]] = [
        {},
        {"model": "other"},
        {"query": ""},
        {"generationConfig": {"candidateCount": 2}},
        {"serviceTier": "flex"},
        {"systemInstruction": "more text"},
    ]
    shapes = {shape(ask_gemini(**more)) for more in different}
    assert len(shapes | {vertex.shape(ask_gemini())}) == len(different) + 1
