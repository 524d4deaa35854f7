"""What Cohere's replies look like, whole and streamed, in both versions (wire-cohere §3 to §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import cohere, sse
from aimock_protocols.canonical import ChatRequest, ErrorReply, FrameKind, MidStreamError, Reply, Stamp, Text, ToolCall
from aimock_protocols.cohere import v1
from aimock_protocols.cohere.contents import DEFAULT_PLAN
from aimock_protocols.cohere.envelope import PREAMBLE_TOKENS

Ask = Callable[..., ChatRequest]

KINDS = ([FrameKind.OPEN], [FrameKind.OPEN, FrameKind.CLOSE], [FrameKind.CLOSE])
"""Of the frames that are no tokens: the start, and an error if there is one."""

SOURCE = {"type": "document", "id": "doc_0", "document": {"text": "né", "year": 2020}}
CITED = {"start": 0, "end": 2, "text": "Hi", "sources": [SOURCE]}
PLANNED = {**CITED, "type": "PLAN"}
THOUGHT = {**CITED, "type": "THINKING_CONTENT"}
SECOND = {**CITED, "content_index": 1}


@pytest.fixture
def streamed(ask_cohere: Ask, stamp: Stamp) -> Callable[..., list[Any]]:
    """The events of a streamed reply, as their JSON."""

    def stream(reply: Reply, chunk_size: int = 100, **more: Any) -> list[Any]:
        frames = list(cohere.frames(reply, cohere.shape(ask_cohere(**more)), stamp, chunk_size))
        events = list(sse.events(frame.data for frame in frames))
        told = [orjson.loads(event.data) for event in events]
        assert [event.name for event in events] == [each["type"] for each in told]
        assert [frame.kind for frame in frames if frame.kind is not FrameKind.TOKEN] in KINDS
        return told

    return stream


@pytest.fixture
def whole(ask_cohere: Ask, stamp: Stamp) -> Callable[..., Any]:
    def encode(reply: Reply, **more: Any) -> Any:
        return orjson.loads(cohere.encode(reply, cohere.shape(ask_cohere(**more)), stamp))

    return encode


def brief(event: dict[str, Any]) -> Any:
    """An event in short: its type, its index, and what it brings."""
    return (event["type"], event.get("index"), event.get("delta", {}).get("message"))


def content(kind: str, index: int, *pieces: str) -> list[Any]:
    return [
        ("content-start", index, {"content": {"type": kind, kind: ""}}),
        *(("content-delta", index, {"content": {kind: piece}}) for piece in pieces),
        ("content-end", index, None),
    ]


def called(index: int, name: str, call_id: str, *pieces: str) -> list[Any]:
    begun = {"id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    return [
        ("tool-call-start", index, {"tool_calls": begun}),
        *(("tool-call-delta", index, {"tool_calls": {"function": {"arguments": piece}}}) for piece in pieces),
        ("tool-call-end", index, None),
    ]


def planned(*pieces: str) -> list[Any]:
    return [("tool-plan-delta", None, {"tool_plan": piece}) for piece in pieces]


def cited(place: int, citation: dict[str, Any]) -> list[Any]:
    return [("citation-start", place, {"citations": citation}), ("citation-end", place, None)]


F, G = ToolCall("f", '{"x": 1}', "F"), ToolCall("g", "", "G")
STREAMS = [
    (Reply((Text("Hello"),)), 2, content("text", 0, "He", "ll", "o")),
    (Reply((Text(""),)), 2, content("text", 0)),
    (Reply(), 2, []),
    (Reply((Text("Hi"),), reasoning="Hm"), 9, [*content("thinking", 0, "Hm"), *content("text", 1, "Hi")]),
    (Reply((Text(""),), reasoning="Hm"), 9, [*content("thinking", 0, "Hm"), *content("text", 1)]),
    (Reply((F,), tool_plan="I go"), 3, [*planned("I g", "o"), *called(0, "f", "F", '{"x', '": ', "1}")]),
    (
        Reply((F, G), tool_plan=""),
        9,
        [*called(0, "f", "F", '{"x": 1}'), *called(1, "g", "G", "{}")],
    ),
    (Reply((F,)), 99, [*planned(DEFAULT_PLAN), *called(0, "f", "F", '{"x": 1}')]),
    (
        Reply((Text("a"), F, Text("b"), G), reasoning="Hm", tool_plan="p"),
        9,
        [
            *content("thinking", 0, "Hm"),
            *content("text", 1, "a"),
            *planned("p"),
            *called(0, "f", "F", '{"x": 1}'),
            *content("text", 2, "b"),
            *called(1, "g", "G", "{}"),
        ],
    ),
    (Reply((Text(""), F), tool_plan=""), 9, called(0, "f", "F", '{"x": 1}')),
    (Reply((Text("a"),), tool_plan="p"), 9, [*content("text", 0, "a"), *planned("p")]),
    (Reply((Text("b"),), refusal="No."), 9, [*content("text", 0, "No."), *content("text", 1, "b")]),
    (
        Reply((Text("Hi"),), reasoning="Hm", citations=(CITED, THOUGHT, PLANNED, SECOND)),
        9,
        [
            *(content("thinking", 0, "Hm")[:-1] + cited(1, THOUGHT) + content("thinking", 0)[-1:]),
            *(content("text", 1, "Hi")[:-1] + cited(0, CITED) + cited(3, SECOND) + content("text", 1)[-1:]),
            *cited(2, PLANNED),
        ],
    ),
    (Reply((F,), tool_plan="", citations=(CITED,)), 9, [*called(0, "f", "F", '{"x": 1}'), *cited(0, CITED)]),
    (
        Reply((Text("a"),), citations=({"type": [], "content_index": 7}, {"content_index": True})),
        9,
        [*content("text", 0, "a"), *cited(0, {"type": [], "content_index": 7}), *cited(1, {"content_index": True})],
    ),
]


@pytest.mark.parametrize(("reply", "chunk_size", "between"), STREAMS)
def test_events(streamed: Callable[..., list[Any]], reply: Reply, chunk_size: int, between: list[Any]) -> None:
    start, *rest, end = streamed(reply, chunk_size)
    message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    assert brief(start) == ("message-start", None, message)
    assert [brief(event) for event in rest] == between
    assert end.keys() == {"type", "delta"}
    assert end["delta"].keys() == {"finish_reason", "usage"}


def test_ids_are_as_the_provider_s(streamed: Callable[..., list[Any]], whole: Callable[..., Any]) -> None:
    reply = Reply((ToolCall("get_it", "{}"), ToolCall("get_it", "{}")))
    told = whole(reply)
    assert [len(part) for part in told["id"].split("-")] == [8, 4, 4, 4, 12]
    ids = [call["id"] for call in told["message"]["tool_calls"]]
    assert len(set(ids)) == 2
    assert all(each.startswith("get_it_") and len(each) == 19 for each in ids)
    events = streamed(reply)
    assert events[0]["id"] == told["id"]
    assert [brief(each)[2]["tool_calls"]["id"] for each in events if each["type"] == "tool-call-start"] == ids
    assert whole(Reply(id="mine"))["id"] == "mine"


MESSAGES: list[tuple[Reply, dict[str, Any]]] = [
    (Reply((Text("Hi"),)), {"content": [{"type": "text", "text": "Hi"}]}),
    (Reply((Text(""),)), {"content": [{"type": "text", "text": ""}]}),
    (Reply(), {}),
    (
        Reply((Text("Hi"),), reasoning="Hm", citations=(CITED,)),
        {
            "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
            "citations": [CITED],
        },
    ),
    (
        Reply((F, Text("b")), tool_plan="p"),
        {
            "tool_plan": "p",
            "tool_calls": [{"id": "F", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
            "content": [{"type": "text", "text": "b"}],
        },
    ),
    (
        Reply((G,), tool_plan=""),
        {"tool_calls": [{"id": "G", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
    ),
]


@pytest.mark.parametrize(("reply", "message"), MESSAGES)
def test_whole_messages(whole: Callable[..., Any], reply: Reply, message: dict[str, Any]) -> None:
    """What a message has nothing of it leaves out, as recorded ones do."""
    assert whole(reply)["message"] == {"role": "assistant", **message}


REASONS = [
    (None, (), "COMPLETE"),
    (None, (F,), "TOOL_CALL"),
    ("stop", (F,), "COMPLETE"),
    ("tool_calls", (), "TOOL_CALL"),
    ("length", (), "MAX_TOKENS"),
    ("content_filter", (), "ERROR"),
    ("STOP_SEQUENCE", (), "STOP_SEQUENCE"),
    ("odd", (), "odd"),
]


@pytest.mark.parametrize(("reason", "parts", "told"), REASONS)
def test_finish_reasons(
    whole: Callable[..., Any], streamed: Callable[..., list[Any]], reason: Any, parts: Any, told: str
) -> None:
    reply = Reply(parts, finish_reason=reason)
    assert whole(reply)["finish_reason"] == streamed(reply)[-1]["delta"]["finish_reason"] == told


USAGES: list[tuple[dict[str, Any] | None, dict[str, Any], dict[str, Any]]] = [
    (None, {"input_tokens": 2, "output_tokens": 5}, {"input_tokens": 2 + PREAMBLE_TOKENS, "output_tokens": 5}),
    ({"cost": 1}, {"input_tokens": 2, "output_tokens": 5}, {"input_tokens": 2 + PREAMBLE_TOKENS, "output_tokens": 5}),
    ({"prompt_tokens": 7}, {"input_tokens": 7, "output_tokens": 0}, {"input_tokens": 7, "output_tokens": 0}),
    (
        {"input_tokens": 71, "output_tokens": 9, "billed_units": {"input_tokens": 5, "search_units": 1}},
        {"input_tokens": 5, "output_tokens": 9, "search_units": 1},
        {"input_tokens": 71, "output_tokens": 9},
    ),
]


@pytest.mark.parametrize(("usage", "billed", "tokens"), USAGES)
def test_usage(
    whole: Callable[..., Any],
    streamed: Callable[..., list[Any]],
    usage: dict[str, Any] | None,
    billed: dict[str, Any],
    tokens: dict[str, Any],
) -> None:
    """The provider bills less than it reads: its own instructions come on top."""
    reply = Reply((Text("x" * 17),), usage=usage)
    told = whole(reply)["usage"]
    assert told == streamed(reply)[-1]["delta"]["usage"]
    assert (told["billed_units"], told["tokens"], told["cached_tokens"]) == (billed, tokens, 0)
    assert told.get("cost") == (usage or {}).get("cost")


@pytest.mark.parametrize("usage", [{"cached_tokens": 3}, {"prompt_tokens_details": {"cached_tokens": 3}}])
def test_cached_tokens(whole: Callable[..., Any], usage: dict[str, Any]) -> None:
    assert whole(Reply(usage={"prompt_tokens": 9, **usage}))["usage"]["cached_tokens"] == 3


def test_tools_and_documents_are_input_too(whole: Callable[..., Any]) -> None:
    plain, more = (
        whole(Reply(), **added)["usage"]["billed_units"]["input_tokens"]
        for added in ({}, {"tools": [{"name": "f"}], "documents": ["a document"]})
    )
    assert more > plain


def test_headers_tell_of_tokens(ask_cohere: Ask) -> None:
    reply = Reply(usage={"input_tokens": 71, "output_tokens": 9, "billed_units": {"input_tokens": 5}})
    assert cohere.reply_headers(reply, cohere.shape(ask_cohere())) == (("num_chars", "320"), ("num_tokens", "14"))


GIVEN = {"content": [{"token": "Hello", "logprob": -1.5}, {"token": "!", "logprob": -0.5}, 5, {"token": 5}]}


def test_log_probabilities(whole: Callable[..., Any], streamed: Callable[..., list[Any]]) -> None:
    """Given ones are sent unasked, made-up ones only to who asks; a piece has those that begin in it."""
    reply = Reply((Text("Hello!"),), logprobs=GIVEN)
    first, second, rest = whole(reply)["logprobs"]
    assert (first["text"], first["logprobs"], len(first["token_ids"])) == ("Hello", [-1.5, 0.0], 2)
    assert (second["text"], second["logprobs"], rest) == ("!", [-0.5], {"text": "", "token_ids": [], "logprobs": [0.0]})
    told = [event.get("logprobs") for event in streamed(reply, 4) if event["type"] == "content-delta"]
    assert told == [first, {"text": "!", "token_ids": second["token_ids"], "logprobs": [-0.5, 0.0]}]
    plain = Reply((Text("Hello"), F, Text("!")), reasoning="Hm")
    assert "logprobs" not in whole(plain)
    made = whole(plain, logprobs=True)["logprobs"]
    assert [(item["text"], item["logprobs"]) for item in made] == [("Hell", [-0.01]), ("o!", [-0.01])]
    told = [event.get("logprobs") for event in streamed(plain, 9, logprobs=True) if event["type"] == "content-delta"]
    assert [each and each["text"] for each in told] == [None, "Hello!", None]


@pytest.mark.parametrize("after", [0, 1, 4, 99])
def test_an_error_in_the_midst_ends_the_message(streamed: Callable[..., list[Any]], after: int) -> None:
    """wire-cohere §4: at the latest it takes the place of the end, so there is one end only."""
    plain = streamed(Reply((Text("Hello"),)), 2)
    broken = streamed(Reply((Text("Hello"),), mid_stream_error=MidStreamError(after, ErrorReply("Boo"))), 2)
    assert broken[:-1] == plain[: min(after, len(plain) - 1)]
    assert broken[-1] == {"type": "message-end", "delta": {"error": "Boo", "finish_reason": "ERROR"}}


def test_slices_of_no_size(ask_cohere: Ask, ask_cohere_v1: Ask, stamp: Stamp) -> None:
    for protocol, ask in ((cohere, ask_cohere), (v1, ask_cohere_v1)):
        with pytest.raises(ValueError, match="slices of 0 characters"):
            list(protocol.frames(Reply((Text("a"),)), protocol.shape(ask()), stamp, 0))
