"""What Cohere's replies of the first version look like, whole and streamed (wire-cohere §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import ndjson
from aimock_protocols.canonical import ChatRequest, Reply, Stamp, Text, ToolCall
from aimock_protocols.cohere import v1

Ask = Callable[..., ChatRequest]

SOURCE = {"type": "document", "id": "doc_0", "document": {"text": "né", "year": 2020}}
CITED = {"start": 0, "end": 2, "text": "Hi", "sources": [SOURCE]}
F, G = ToolCall("f", '{"x": 1}', "F"), ToolCall("g", "", "G")


@pytest.fixture
def streamed(ask_cohere_v1: Ask, stamp: Stamp) -> Callable[..., list[Any]]:
    def stream(reply: Reply, chunk_size: int = 100, **more: Any) -> list[Any]:
        frames = v1.frames(reply, v1.shape(ask_cohere_v1(**more)), stamp, chunk_size)
        return [orjson.loads(line) for line in ndjson.lines(frame.data for frame in frames)]

    return stream


def legacy(event: dict[str, Any]) -> Any:
    """An event in short: its type and what it brings."""
    members = {name: value for name, value in event.items() if name not in ("event_type", "is_finished")}
    return (event["event_type"], members)


def spoken(*pieces: str) -> list[Any]:
    return [("text-generation", {"text": piece}) for piece in pieces]


def chunk(**delta: Any) -> Any:
    text = {"text": delta["text"]} if "text" in delta else {}
    return ("tool-calls-chunk", {**text, "tool_call_delta": delta})


DOCUMENT = {"id": "doc_0", "text": "né", "year": "2020"}
STREAMS = [
    (Reply((Text("Hello"),)), 2, spoken("He", "ll", "o")),
    (Reply((Text(""),)), 2, []),
    (Reply((Text("a"), Text("b")), refusal="No", reasoning="Hm"), 9, spoken("No", "a", "b")),
    (
        Reply((Text("a"), F, G), tool_plan="I go"),
        3,
        [
            *spoken("a"),
            chunk(text="I g"),
            chunk(text="o"),
            chunk(index=0, name="f"),
            *(chunk(index=0, parameters=piece) for piece in ('{"x', '": ', "1}")),
            chunk(index=1, name="g"),
            chunk(index=1, parameters="{}"),
            (
                "tool-calls-generation",
                {
                    "text": "aI go",
                    "tool_calls": [{"name": "f", "parameters": {"x": 1}}, {"name": "g", "parameters": {}}],
                },
            ),
        ],
    ),
    (
        Reply((Text("Hi"),), citations=(CITED, {"document_ids": ["d"]}, {"sources": [5, {"id": 5}]})),
        9,
        [
            *spoken("Hi"),
            ("citation-generation", {"citations": [{"start": 0, "end": 2, "text": "Hi", "document_ids": ["doc_0"]}]}),
            ("citation-generation", {"citations": [{"document_ids": ["d"]}]}),
            ("citation-generation", {"citations": [{"document_ids": []}]}),
        ],
    ),
]


@pytest.mark.parametrize(("reply", "chunk_size", "between"), STREAMS)
def test_lines(streamed: Callable[..., list[Any]], reply: Reply, chunk_size: int, between: list[Any]) -> None:
    start, *rest, end = streamed(reply, chunk_size)
    assert legacy(start) == ("stream-start", {"generation_id": end["response"]["generation_id"]})
    assert [legacy(event) for event in rest] == between
    assert (end["event_type"], end["finish_reason"]) == ("stream-end", "COMPLETE")
    assert [event["is_finished"] for event in (start, *rest, end)] == [False] * (len(rest) + 1) + [True]
    if reply.citations:
        assert end["response"]["documents"] == [DOCUMENT]


def test_the_first_version_repeats_the_conversation(ask_cohere_v1: Ask, stamp: Stamp) -> None:
    history = [{"role": "USER", "message": "a"}, {"role": "CHATBOT", "message": "b"}]
    result = {"call": {"name": "f", "parameters": {}}, "outputs": []}
    for more, before in (
        ({}, [{"role": "USER", "message": "hello"}]),
        ({"chat_history": history}, [*history, {"role": "USER", "message": "hello"}]),
        ({"message": "", "tool_results": [result]}, [{"role": "TOOL", "tool_results": [result]}]),
    ):
        told = orjson.loads(v1.encode(Reply((Text("é"), F)), v1.shape(ask_cohere_v1(**more)), stamp))
        calls = [{"name": "f", "parameters": {"x": 1}}]
        assert told["chat_history"] == [*before, {"role": "CHATBOT", "message": "é", "tool_calls": calls}]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [('{"x":\r\n1}', {"x": 1}), ("[1]", {}), ("{oops", {}), ("", {}), ('{"x":"a\\nb"}', {"x": "a\nb"})],
)
def test_arguments_are_objects_on_one_line(
    streamed: Callable[..., list[Any]], arguments: str, told: dict[str, Any]
) -> None:
    events = streamed(Reply((ToolCall("f", arguments),)))
    assert events[-1]["response"]["tool_calls"] == [{"name": "f", "parameters": told}]


@pytest.mark.parametrize(
    ("reason", "told"),
    [("stop", "COMPLETE"), ("tool_calls", "COMPLETE"), ("length", "MAX_TOKENS"), ("content_filter", "ERROR_TOXIC")],
)
def test_finish_reasons(streamed: Callable[..., list[Any]], reason: str, told: str) -> None:
    end = streamed(Reply((Text("a"),), finish_reason=reason))[-1]
    assert end["finish_reason"] == end["response"]["finish_reason"] == told
