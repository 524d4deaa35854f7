"""Responses over a WebSocket (wire-openai-realtime §11): what a session makes of messages, without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import openai_responses, sse
from aimock_protocols.canonical import ChatRequest, ErrorReply, MidStreamError, Reply, Text, ToolCall, WireError
from aimock_protocols.openai_responses.session import MOST_IN_FLIGHT, MOST_LANES, MOST_WAITING
from aimock_protocols.sessions import Said, Speech, Transcript
from protocol_cases.responses import REPLIES
from protocol_cases.responses_client import (
    CALL,
    ENDINGS,
    HELLO,
    TWO,
    Client,
    messages,
    numbers,
    refusal,
    stamp_at,
    types,
)

# -- one turn ----------------------------------------------------------------------------------------------------------


def test_a_turn_is_a_request_for_a_stream_of_chat(client: Client) -> None:
    client.create("hello", instructions="Be brief.", temperature=0.5, background=True, stream=False)
    request = client.turns[0].request
    assert (request.endpoint, request.model, request.stream) == ("chat", "gpt-5", True)
    assert messages(client.turns[0]) == [("system", "Be brief."), ("user", "hello")]
    assert request.body["temperature"] == 0.5
    assert not {"type", "background"} & request.body.keys()


@pytest.mark.parametrize("lane", [None, "main"])
@pytest.mark.parametrize("message", [bytes, bytes.decode], ids=["binary", "text"])
def test_events_are_those_of_http(
    client: Client, ask_responses: Callable[..., ChatRequest], lane: str | None, message: Callable[[bytes], Any]
) -> None:
    named = {} if lane is None else {"stream_id": lane}
    client.send_raw(message(orjson.dumps({"type": "response.create", "model": "gpt-5", "input": "hello", **named})))
    stamp = stamp_at(7)
    told = client.turns[0].frames(CALL, stamp, 3)
    shape = openai_responses.shape(ask_responses(model="gpt-5"))
    framed = list(openai_responses.frames(CALL, shape, stamp, 3))
    for frame, over_http in zip(told, framed, strict=True):
        (event,) = sse.events([over_http.data])
        assert orjson.loads(frame.data) == {**orjson.loads(event.data), **named}
        assert frame.kind is over_http.kind


@given(reply=REPLIES, chunk_size=st.integers(1, 30))
def test_what_is_told_is_the_reply(reply: Reply, chunk_size: int) -> None:
    client = Client(is_typed=False)
    client.create(stream_id="a", include=["reasoning.encrypted_content"])
    client.answer(reply, chunk_size)
    told = client.take()
    assert numbers(told) == list(range(len(told)))
    assert {event["stream_id"] for event in told} == {"a"}
    collapsed = openai_responses.collapse(sse.encode(orjson.dumps(event)) for event in told)
    assert attrs.evolve(collapsed, id=reply.id, created=reply.created, model=reply.model) == reply


CUSTOM = {"type": "custom", "name": "c"}


@pytest.mark.parametrize(
    ("reply", "more", "ending"),
    [
        (Reply(), {}, "completed"),
        (Reply((Text(""),)), {}, "completed"),
        (Reply((Text("a"), ToolCall("f", "{"), ToolCall("c", "x"))), {"tools": [CUSTOM]}, "completed"),
        (Reply(refusal="I cannot."), {}, "completed"),
        (Reply((Text("a"),), reasoning="b", web_searches=("c",)), {}, "completed"),
        (Reply((Text("a"),)), {"include": ["reasoning.encrypted_content"]}, "completed"),
        (Reply((Text("a b"),)), {"include": ["message.output_text.logprobs"], "top_logprobs": 2}, "completed"),
        (Reply((Text("a"),)), {"stream_options": {"include_obfuscation": True}}, "completed"),
        (Reply((Text("a"),), finish_reason="length"), {}, "incomplete"),
        (Reply((Text("a"),), finish_reason="content_filter"), {}, "incomplete"),
        (Reply((Text("a"),), finish_reason="failed"), {}, "failed"),
    ],
)
def test_events_have_the_sdk_s_types(client: Client, reply: Reply, more: dict[str, Any], ending: str) -> None:
    client.create(**more)
    client.answer(reply)
    assert types(client.take())[-1] == ending


@pytest.mark.parametrize(
    ("said", "word"),
    [(Speech(b"", "audio/mpeg"), "audio"), (Transcript("hello"), "transcription")],
)
def test_what_is_no_reply_cannot_be_told(client: Client, said: Said, word: str) -> None:
    client.create()
    with pytest.raises(WireError, match=word) as refused:
        client.begin(said)
    assert refused.value.reply.status == 422


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"{", (400, "invalid_json", None)),
        (b"\xff", (400, "invalid_json", None)),
        (b"[]", (400, None, None)),
        (b"{}", (400, "invalid_message_type", "type")),
        (b'{"type": "response.cancel"}', (400, "invalid_message_type", "type")),
        (b'{"type": ["response.create"]}', (400, "invalid_message_type", "type")),
        (b'{"type": "response.create"}', (400, "missing_required_parameter", "input")),
        (b'{"type": "response.create", "input": 5}', (400, "invalid_type", "input")),
        (b'{"type": "response.create", "input": "", "model": 5}', (400, "invalid_type", "model")),
        (b'{"type": "response.create", "input": "", "generate": 1}', (400, "invalid_type", "generate")),
        (b'{"type": "response.create", "input": "", "stream_id": 5}', (400, "invalid_stream_id", "stream_id")),
        (b'{"type": "response.create", "input": "", "stream_id": ""}', (400, "invalid_stream_id", "stream_id")),
        (b'{"type": "response.create", "input": "", "stream_id": "a b"}', (400, "invalid_stream_id", "stream_id")),
        (b'{"type": "response.create", "input": "", "stream_id": "a\\n"}', (400, "invalid_stream_id", "stream_id")),
        (
            b'{"type": "response.create", "input": "", "previous_response_id": "r", "conversation": "c"}',
            (400, "mutually_exclusive_parameters", None),
        ),
        (
            b'{"type": "response.create", "input": "", "previous_response_id": "resp_1"}',
            (400, "previous_response_not_found", "previous_response_id"),
        ),
        (
            b'{"type": "response.create", "input": "", "metadata": ' + b'{"a":' * 300 + b"1" + b"}" * 301,
            (400, None, None),
        ),
        (b'{"type": "response.steer"}', (400, "missing_required_parameter", "previous_response_id")),
        (b'{"type": "response.steer", "previous_response_id": 5}', (400, "invalid_type", "previous_response_id")),
        (
            b'{"type": "response.steer", "previous_response_id": "r"}',
            (400, "missing_required_parameter", "input"),
        ),
        (
            b'{"type": "response.steer", "previous_response_id": "r", "input": ' + b"[" * 300 + b"]" * 300 + b"}",
            (400, None, "input"),
        ),
    ],
)
def test_what_is_refused(client: Client, message: bytes, expected: tuple[Any, ...]) -> None:
    client.send_raw(message)
    (event,) = client.take()
    assert refusal(event) == expected
    assert event["error"]["type"] == "invalid_request_error"
    assert "stream_id" not in event
    client.create()
    client.answer()
    assert types(client.take())[-1] == "completed"


def test_a_refusal_names_its_lane(client: Client) -> None:
    client.send(input=5, stream_id="a")
    (event,) = client.take()
    assert (refusal(event), event["stream_id"]) == ((400, "invalid_type", "input"), "a")


def test_refusals_wait_for_their_turn(client: Client) -> None:
    """A client that takes an error for the end of what it asked for first would be wrong otherwise."""
    client.create()
    client.send(input=5)
    assert client.take() == []
    client.answer()
    assert client.take()[-1]["error"]["param"] == "input"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"input": "hello"}, (400, "missing_required_parameter", "model")),
        ({"model": "m", "input": "hello", "conversation": "conv_1"}, (404, None, None)),
        (
            {"model": "m", "input": [{"type": "function_call_output", "call_id": "c", "output": ""}]},
            (400, None, "input"),
        ),
    ],
)
def test_what_is_refused_in_strict_mode(members: dict[str, Any], expected: tuple[Any, ...]) -> None:
    strict, lenient = Client(is_strict=True), Client()
    strict.send(**members)
    assert refusal(strict.take()[0]) == expected
    lenient.send(**members)
    assert (lenient.take(), len(lenient.turns)) == ([], 1)


def test_a_prompt_stands_for_a_model() -> None:
    client = Client(is_strict=True)
    client.send(prompt={"id": "pmpt_1"})
    assert len(client.turns) == 1


def test_errors_in_place_of_an_answer(client: Client) -> None:
    client.create(stream_id="a")
    client.fail(ErrorReply("Slow down.", "tokens", code="rate_limit_exceeded", status=429, retry_after=1.5, hint="why"))
    (event,) = client.take()
    assert event == {
        "type": "error",
        "status": 429,
        "error": {
            "message": "Slow down.",
            "type": "tokens",
            "param": None,
            "code": "rate_limit_exceeded",
            "hint": "why",
            "headers": {"retry-after": "2", "retry-after-ms": "1500"},
        },
        "stream_id": "a",
    }


@pytest.mark.parametrize("after", [0, 3, 100])
def test_an_error_in_the_midst_ends_the_response(client: Client, after: int) -> None:
    client.create(stream_id="a")
    error = ErrorReply("Overloaded.", code="server_error")
    client.play(client.begin(attrs.evolve(HELLO, mid_stream_error=MidStreamError(after, error)), chunk_size=3))
    told = client.take()
    assert numbers(told) == list(range(len(told)))
    assert types(told)[-2:] == ["error", "failed"]
    assert told[-2]["error"]["message"] == told[-1]["response"]["error"]["message"] == "Overloaded."
    assert {event["stream_id"] for event in told} == {"a"}


def test_a_server_may_break_off_a_response(client: Client) -> None:
    client.create(stream_id="a")
    playing = client.begin(HELLO)
    client.play(playing, 3)
    broken = playing.turn.broken(ErrorReply("Overloaded."), stamp_at(1))
    playing.frames = iter([broken])
    client.play(playing)
    told = client.take()
    assert types(told)[3:] == ["error", "failed"]
    assert numbers(told) == list(range(5))
    assert {event["stream_id"] for event in told} == {"a"}
    assert told[-1]["response"]["id"] == told[0]["response"]["id"]


# -- lanes -------------------------------------------------------------------------------------------------------------


def test_turns_in_a_lane_follow_one_another(client: Client) -> None:
    for text in ("one", "two", "three"):
        client.create(text)
    for text in ("one", "two", "three"):
        (turn,) = client.turns
        assert messages(turn) == [("user", text)]
        client.answer()


def test_lanes_go_side_by_side(client: Client) -> None:
    client.create("one", stream_id="a")
    client.create("two", stream_id="a")
    client.create("three", stream_id="b")
    client.create("four")
    first, second, third = (client.begin(HELLO) for _ in client.turns[:])
    for _ in range(3):
        for playing in (first, second, third):
            client.play(playing, 1)
    told = client.take()
    assert [event.get("stream_id") for event in told] == ["a", "b", None] * 3
    client.play(third)
    client.play(first)
    assert messages(client.turns[0]) == [("user", "two")]


def test_only_so_many_are_in_flight(client: Client) -> None:
    for at in range(MOST_IN_FLIGHT + 2):
        client.create(str(at), stream_id=f"lane-{at}")
    assert len(client.turns) == MOST_IN_FLIGHT
    client.answer()
    client.fail(ErrorReply("No."))
    assert [messages(turn) for turn in client.turns[-2:]] == [[("user", "16")], [("user", "17")]]


def test_only_so_many_lanes_have_names(client: Client) -> None:
    for at in range(MOST_LANES):
        client.create(stream_id=f"lane-{at}")
        client.answer()
    client.take()
    client.create(stream_id="another")
    (event,) = client.take()
    assert refusal(event) == (400, "websocket_stream_limit_reached", "stream_id")
    assert event["stream_id"] == "another"
    client.create(stream_id="lane-0")
    client.create()
    assert len(client.turns) == 2


def test_only_so_many_wait(client: Client) -> None:
    for _ in range(MOST_WAITING + 1):
        client.create()
    assert client.take() == []
    client.create()
    (event,) = client.take()
    assert refusal(event) == (429, "rate_limit_exceeded", None)
    assert event["error"]["headers"]["retry-after"] == "1"


# -- whatever comes ----------------------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-10, 10) | st.floats(allow_nan=False) | st.text(max_size=5)
"""What is repeated to clients is left out if it is of the wrong type; what is wrong inside it is not looked at."""
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
item = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "item_reference"]) | json_values,
        "role": st.sampled_from(["user", "assistant", "developer"]) | json_values,
        "content": st.lists(st.fixed_dictionaries({"type": json_values, "text": json_values})) | json_values,
        "call_id": json_values,
        "output": json_values,
    },
)
known_ids = st.sampled_from(["first", "last"])
"""Stand for ids that the session has made."""
message = st.fixed_dictionaries(
    {"type": st.sampled_from(["response.create", "response.create", "response.steer"]) | json_values},
    optional={
        "model": st.just("m") | json_values,
        "input": st.text(max_size=5) | st.lists(item, max_size=3) | json_values,
        "stream_id": st.sampled_from(["a", "b"]) | json_values,
        "previous_response_id": known_ids | json_values,
        "conversation": st.just("conv_1") | json_values,
        "store": st.booleans() | json_values,
        "generate": st.booleans() | json_values,
        "instructions": json_values,
        "include": json_values,
        "tools": scalars,
        "metadata": scalars,
        "text": scalars,
        "prompt_cache_options": json_values,
        "prompt": json_values,
    },
)
step = st.one_of(
    message,
    st.text(max_size=20),
    st.binary(max_size=20),
    st.tuples(st.just("play"), st.integers(1, 8)),
    st.tuples(st.just("finish"), st.just(0)),
    st.tuples(st.just("fail"), st.just(0)),
)


@given(steps=st.lists(step, max_size=12), is_strict=st.booleans())
def test_whatever_clients_send_nothing_is_raised(steps: list[Any], is_strict: bool) -> None:
    """And every lane tells one response after the other, each numbered from 0 without a gap."""
    client = Client(is_strict=is_strict)
    for each in steps:
        if isinstance(each, dict):
            ids = [event["response"]["id"] for event in client.told if event["type"] == "response.created"] or ["x"]
            if each.get("previous_response_id") in ("first", "last"):
                each = {**each, "previous_response_id": ids[0 if each["previous_response_id"] == "first" else -1]}
            client.send_raw(orjson.dumps(each))
        elif isinstance(each, tuple):
            _drive(client, *each)
        else:
            client.send_raw(each)
    while client.turns or client.playing:
        _drive(client, "finish", 0)
    under_way: dict[str | None, int] = {}
    for event in client.told:
        lane, name = event.get("stream_id"), event["type"]
        if name in ("error", "response.steer.failed"):
            continue
        if name == "response.created":
            assert lane not in under_way
            under_way[lane] = 0
        if name in ("response.steer.accepted", "response.steer.pending") and lane not in under_way:
            continue
        assert event["sequence_number"] == under_way[lane]
        under_way[lane] += 1
        if name in ENDINGS:
            del under_way[lane]
    assert under_way == {}


def _drive(client: Client, action: str, count: int) -> None:
    if action == "fail" and client.turns:
        client.fail(ErrorReply("No."))
    elif action != "fail":
        if client.turns:
            client.begin(CALL if len(client.told) % 3 == 0 else TWO, chunk_size=4)
        if client.playing:
            client.play(next(iter(client.playing.values())), count or None)
