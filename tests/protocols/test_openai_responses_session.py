"""Responses over a WebSocket (wire-openai-realtime §11): what a session makes of messages, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponsesServerEvent
from pydantic import BaseModel

from aimock.memories import Memories
from aimock_protocols import openai_responses, sse
from aimock_protocols.canonical import (
    ChatRequest,
    ErrorReply,
    Frame,
    MidStreamError,
    Reply,
    SideRequest,
    Stamp,
    Text,
    ToolCall,
    WireError,
)
from aimock_protocols.openai_responses.session import MOST_IN_FLIGHT, MOST_LANES, MOST_WAITING
from aimock_protocols.sessions import Cancel, Connecting, Event, Move, Options, Said, Speech, Transcript, Turn
from protocol_cases.responses import REPLIES

EVENTS: dict[str, type[BaseModel]] = {
    get_args(event.model_fields["type"].annotation)[0]: event for event in get_args(get_args(ResponsesServerEvent)[0])
}
"""The SDK's types of what servers send, by the names of the events."""

ENDINGS = ("response.completed", "response.incomplete", "response.failed", "error")
HELLO = Reply((Text("Hello there, you!"),))
CALL = Reply((Text("Let me look."), ToolCall("get_weather", '{"city":"Paris"}', "call_1")))


@attrs.frozen
class Head:
    method: str = "GET"
    path: str = "/v1/responses"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Playing:
    """A turn whose frames are being sent."""

    turn: Turn
    frames: Iterator[Frame]
    sent: int = 0


class Client:
    """A client, and as much of a server as a session needs. Whatever it is sent is held against the SDK's types, but
    where fixtures say what these do not know."""

    def __init__(self, memory: Any = None, *, is_strict: bool = False, is_typed: bool = True) -> None:
        self._is_typed = is_typed
        self.memory = Memories().of("", "") if memory is None else memory
        connecting = Connecting(Head(), {}, self._stamp(0), self.memory, Options(), is_strict)
        self.session = openai_responses.connect(connecting)
        self.told: list[dict[str, Any]] = []
        self.turns: list[Turn] = []
        """Those that wait for an answer."""
        self.playing: dict[Turn, Playing] = {}
        self._moments = 0
        self._perform(self.session.opened(self._now()))

    def send(self, kind: str = "response.create", /, **members: Any) -> None:
        self.send_raw(orjson.dumps({"type": kind, **members}))

    def send_raw(self, message: str | bytes) -> None:
        self._perform(self.session.received(message, self._now()))

    def create(self, text: Any = "hello", /, **members: Any) -> None:
        self.send(model="gpt-5", input=text, **members)

    def begin(self, said: Said, chunk_size: int = 20) -> Playing:
        """The answer to the turn that has waited longest, of which nothing has been sent yet."""
        turn = self.turns.pop(0)
        playing = self.playing[turn] = Playing(turn, turn.frames(said, self._now(), chunk_size))
        return playing

    def play(self, playing: Playing, count: int | None = None) -> None:
        """Sends so many of its frames, or all there are; then it has ended."""
        while count is None or count > 0:
            frame = next(playing.frames, None)
            if frame is None:
                del self.playing[playing.turn]
                self._perform(playing.turn.ended(self._now()))
                return
            playing.sent += 1
            self._tell(frame.data)
            count = None if count is None else count - 1

    def answer(self, said: Said = HELLO, chunk_size: int = 20) -> str:
        """Answers the turn that has waited longest; the response's id."""
        first = len(self.told)
        self.play(self.begin(said, chunk_size))
        return str(self.told[first]["response"]["id"])

    def fail(self, error: ErrorReply) -> None:
        self._perform(self.turns.pop(0).failed(error, self._now()))

    def take(self) -> list[dict[str, Any]]:
        """What was told since it was asked last."""
        told, self.told = self.told, []
        return told

    def _perform(self, moves: Iterable[Move]) -> None:
        for move in moves:
            if isinstance(move, Event):
                self._tell(move.data)
            elif isinstance(move, Cancel):
                playing = self.playing.pop(move.turn)
                self._perform(playing.turn.cut(playing.sent, self._now()))
            else:
                assert not isinstance(move, tuple), "a session of Responses never closes the connection"
                self.turns.append(move)

    def _tell(self, data: bytes) -> None:
        event = orjson.loads(data)
        self.told.append(event)
        if event["type"] == "response.steer.failed" and event["error"]["code"] == "invalid_input":
            event = {**event, "steer": {**event["steer"], "input": ""}}  # it is given back whatever it is
        if self._is_typed:
            EVENTS[event["type"]].model_validate_json(orjson.dumps(event), strict=True)

    def _now(self) -> Stamp:
        self._moments += 1
        return self._stamp(self._moments)

    @staticmethod
    def _stamp(moment: int) -> Stamp:
        return Stamp(1795200000.25 + moment, moment.to_bytes(64, "big"))


@pytest.fixture
def client() -> Client:
    return Client()


def types(told: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in told]


def numbers(told: Iterable[dict[str, Any]]) -> list[int]:
    return [event["sequence_number"] for event in told]


def messages(turn: Turn) -> list[tuple[Any, Any]]:
    return [(message["role"], message.get("content")) for message in turn.request.body["messages"]]


def refusal(event: dict[str, Any]) -> tuple[int, str | None, str | None]:
    assert event["type"] == "error"
    return event["status"], event["error"]["code"], event["error"]["param"]


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
    stamp = Client._stamp(7)
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
    broken = playing.turn.broken(ErrorReply("Overloaded."), Client._stamp(1))
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


# -- what was said before ----------------------------------------------------------------------------------------------

EARLIER = [("user", "hello"), ("assistant", "Hello there, you!"), ("user", "again")]


def test_fixtures_see_what_is_taken_up(client: Client) -> None:
    client.create(store=False, instructions="Be brief.")
    response = client.answer()
    client.create("again", store=False, previous_response_id=response)
    assert messages(client.turns[0]) == EARLIER
    response = client.answer(CALL)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
    client.create([output], store=False, previous_response_id=response)
    assert messages(client.turns[0]) == [
        *EARLIER,
        ("assistant", "Let me look."),
        ("assistant", None),
        ("tool", "sunny"),
    ]
    assert client.turns[0].request.objection is None
    assert client.turns[0].request.native["previous_response_id"] == response


def test_history_counts_as_input(client: Client) -> None:
    client.create("one two three four five six seven eight", store=False)
    client.create("x", store=False, previous_response_id=client.answer())
    client.answer()
    usages = [event["response"]["usage"]["input_tokens"] for event in client.take() if event["type"] in ENDINGS]
    assert usages[0] < usages[1]


def test_only_the_latest_of_a_lane_is_known_without_being_stored(client: Client) -> None:
    client.create(store=False)
    first = client.answer()
    client.create(store=False)
    client.answer()
    client.take()
    client.create(previous_response_id=first)
    assert refusal(client.take()[0])[1] == "previous_response_not_found"


def test_a_lane_may_fork_from_another(client: Client) -> None:
    client.create(store=False, stream_id="main")
    response = client.answer()
    client.create("again", previous_response_id=response, stream_id="critic")
    client.create("again", previous_response_id=response, stream_id="main")
    assert [messages(turn) for turn in client.turns] == [EARLIER, EARLIER]


def test_a_failed_continuation_forgets_what_it_continued(client: Client) -> None:
    client.create(store=False)
    response = client.answer()
    client.create(previous_response_id=response, stream_id="fork")
    client.fail(ErrorReply("No.", status=500))
    client.create("again", previous_response_id=response)
    assert messages(client.turns[0]) == EARLIER, "a fork that fails spares its parent"
    client.fail(ErrorReply("No.", status=500))
    client.take()
    client.create("again", previous_response_id=response)
    assert refusal(client.take()[0])[1] == "previous_response_not_found"


def test_a_refused_continuation_forgets_too(client: Client) -> None:
    client.create(store=False)
    response = client.answer()
    client.send(model=5, input="", previous_response_id=response)
    client.take()
    client.create(previous_response_id=response)
    assert refusal(client.take()[0])[1] == "previous_response_not_found"


def test_stored_responses_outlive_the_connection_and_can_be_retrieved(beside: Callable[..., SideRequest]) -> None:
    client = Client()
    client.create()
    response = client.answer(CALL)
    told = client.take()[-1]["response"]
    retrieved = orjson.loads(openai_responses.retrieve(beside(client.memory, response=response)).body)
    assert retrieved == {**told, "billing": {"payer": "developer"}}
    other = Client(client.memory)
    other.create("again", previous_response_id=response)
    assert len(messages(other.turns[0])) == 4


def test_what_is_not_to_be_stored_is_not(client: Client) -> None:
    client.create(store=False)
    client.answer()
    assert client.memory.keys() == ()


def test_what_was_stored_over_http_is_taken_up(ask_responses: Callable[..., ChatRequest], stamp: Stamp) -> None:
    client = Client()
    request = ask_responses()
    openai_responses.remember(request, HELLO, openai_responses.shape(request), stamp, 20, client.memory)
    (response,) = client.memory.keys()
    client.create("again", previous_response_id=response)
    assert messages(client.turns[0]) == EARLIER


def test_a_conversation_is_continued(client: Client) -> None:
    for text in ("hello", "again"):
        client.create(text, conversation={"id": "conv_1"}, store=False)
        if text == "hello":
            assert client.turns[0].request.objection is not None
            client.answer()
    assert messages(client.turns[0]) == EARLIER
    assert client.turns[0].request.objection is None


# -- warm-ups ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [{"generate": False}, {"prompt_cache_options": {"prewarm": True}}])
def test_a_warm_up_asks_no_fixture(client: Client, members: dict[str, Any]) -> None:
    client.create(store=False, stream_id="a", **members)
    created, completed = client.take()
    assert types([created, completed]) == ["created", "completed"]
    assert numbers([created, completed]) == [0, 1]
    assert completed["response"]["output"] == []
    assert completed["stream_id"] == "a"
    client.create("again", previous_response_id=completed["response"]["id"], stream_id="a")
    assert messages(client.turns[0]) == [("user", "hello"), ("user", "again")]


def test_warm_ups_need_no_input_and_wait_for_their_turn(client: Client) -> None:
    client.create()
    client.send(model="gpt-5", generate=False)
    client.send(model="gpt-5", generate=False)
    client.answer()
    told = client.take()
    assert types(told)[-4:] == ["created", "completed"] * 2
    ids = {event["response"]["id"] for event in told if event["type"] == "response.completed"}
    assert len(ids) == 3
    assert set(client.memory.keys()) == ids


# -- steering ----------------------------------------------------------------------------------------------------------

TWO = Reply((Text("Hello there, you!"), Text("And you, over there!")))


@pytest.mark.parametrize(
    ("sent", "texts"),
    [
        (0, []),
        (2, []),
        (3, ["Hello there, you!"]),
        (6, ["Hello there, you!"]),
        (13, ["Hello there, you!"]),
        (14, ["Hello there, you!", "And you, over there!"]),
    ],
)
def test_a_steered_response_ends_with_the_item_that_it_is_at(client: Client, sent: int, texts: list[str]) -> None:
    client.create(stream_id="a", instructions="Be brief.", temperature=0.5)
    playing = client.begin(TWO, chunk_size=3)
    client.play(playing, sent)
    parent = openai_responses.turn.Answer(TWO, Client._stamp(3), 3).id
    client.send("response.steer", previous_response_id=parent, input="Be short.")
    told = client.take()
    assert numbers(told) == list(range(len(told)))
    assert told[sent]["type"] == "response.steer.accepted"
    assert told[sent]["steer"]["id"].startswith("steer_")
    assert {event["stream_id"] for event in told} == {"a"}
    ended = told[-1]["response"]
    assert (ended["id"], ended["status"], ended["incomplete_details"]) == (parent, "incomplete", {"reason": "steered"})
    assert [item["content"][0]["text"] for item in ended["output"]] == texts
    (successor,) = client.turns
    assert messages(successor) == [
        ("system", "Be brief."),
        ("user", "hello"),
        *(("assistant", text) for text in texts),
        ("user", "Be short."),
    ]
    assert successor.request.body["temperature"] == 0.5
    client.answer()
    told = client.take()
    assert numbers(told) == list(range(len(told)))
    assert told[0]["response"]["previous_response_id"] == parent
    assert told[0]["response"]["id"] != parent


def test_a_steered_response_is_stored_as_far_as_it_went(client: Client, beside: Callable[..., SideRequest]) -> None:
    client.create()
    playing = client.begin(TWO)
    client.play(playing, 4)
    parent = client.told[0]["response"]["id"]
    client.send("response.steer", previous_response_id=parent, input="Be short.")
    told = client.take()[-1]["response"]
    retrieved = orjson.loads(openai_responses.retrieve(beside(client.memory, response=parent)).body)
    assert retrieved == {**told, "billing": {"payer": "developer"}}


def test_the_successor_goes_before_what_waits(client: Client) -> None:
    client.create()
    client.create("waits")
    client.play(client.begin(HELLO), 3)
    client.send("response.steer", previous_response_id=client.told[0]["response"]["id"], input="Be short.")
    assert messages(client.turns[0])[-1] == ("user", "Be short.")
    client.answer()
    assert messages(client.turns[0]) == [("user", "waits")]


@pytest.mark.parametrize("sent", [8, 10])
def test_steering_waits_for_the_client_s_tools(client: Client, sent: int) -> None:
    client.create(store=False)
    client.play(client.begin(CALL), sent)
    parent = client.told[0]["response"]["id"]
    client.send("response.steer", previous_response_id=parent, input="In Celsius.")
    told = client.take()
    assert numbers(told) == list(range(len(told)))
    if sent == 8:  # before the call
        assert types(told)[-1] == "incomplete"
        return
    assert types(told)[-2:] == ["completed", "steer.pending"]
    assert told[-1]["required_input"] == [{"type": "function_call_output", "call_id": "call_1", "name": "get_weather"}]
    assert told[-1]["steer"] == next(event for event in told if "accepted" in event["type"])["steer"]
    assert client.turns == []
    output = {"type": "function_call_output", "call_id": "call_1", "output": "20"}
    client.create([output], previous_response_id=parent)
    assert messages(client.turns[0])[-2:] == [("user", "In Celsius."), ("tool", "20")]


def test_a_response_may_end_before_it_is_cut(client: Client) -> None:
    client.create()
    playing = client.begin(HELLO)
    client.play(playing, 9)
    del client.playing[playing.turn]
    stamp = Client._stamp(99)
    parent = client.take()[0]["response"]["id"]
    steer = {"type": "response.steer", "previous_response_id": parent, "input": "Be short."}
    moves = list(client.session.received(orjson.dumps(steer), stamp))
    assert moves == [Cancel(playing.turn)]
    assert client.session.received(orjson.dumps(steer), stamp) == [], "it is being cut already"
    client._perform(playing.turn.ended(stamp))
    told = client.take()
    assert types(told) == ["steer.accepted", "steer.accepted"]
    assert numbers(told) == [9, 10]
    assert messages(client.turns[0])[-2:] == [("user", "Be short.")] * 2


def test_a_lane_that_goes_elsewhere_gives_steering_back(client: Client) -> None:
    client.create()
    client.play(client.begin(CALL), 10)
    client.send("response.steer", previous_response_id=client.told[0]["response"]["id"], input="In Celsius.")
    client.take()
    client.create("something else")
    client.answer()
    failed = client.take()[-1]
    assert (failed["type"], failed["error"]["code"]) == ("response.steer.failed", "response_not_active")
    assert failed["steer"]["input"] == "In Celsius."


@pytest.mark.parametrize("is_refused", [False, True])
def test_steering_is_given_back_if_nothing_can_follow(client: Client, is_refused: bool) -> None:
    client.create()
    client.play(client.begin(CALL), 10)
    parent = client.told[0]["response"]["id"]
    client.send("response.steer", previous_response_id=parent, input="In Celsius.")
    accepted = next(event for event in client.take() if event["type"] == "response.steer.accepted")
    client.send(model=5 if is_refused else "gpt-5", input=[], previous_response_id=parent)
    if not is_refused:
        client.fail(ErrorReply("No.", status=500))
    error, failed = client.take()
    assert error["type"] == "error"
    assert failed["error"]["code"] == "successor_creation_failed"
    assert failed["steer"] == {**accepted["steer"], "input": "In Celsius."}


def test_an_error_that_comes_first_gives_steering_back(client: Client) -> None:
    client.create()
    playing = client.begin(HELLO)
    client.play(playing, 3)
    parent = client.take()[0]["response"]["id"]
    client.session.received(
        orjson.dumps({"type": "response.steer", "previous_response_id": parent, "input": "x"}), Client._stamp(50)
    )
    playing.frames = iter([playing.turn.broken(ErrorReply("Overloaded."), Client._stamp(51))])
    client.play(playing)
    assert types(client.take()) == ["error", "failed", "steer.failed"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"stream_id": "a"}, "invalid_input"),
        ({"input": []}, "invalid_input"),
        ({"input": 5}, "invalid_input"),
        ({"input": [{"role": "system", "content": "x"}]}, "invalid_input"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": ""}]}, "invalid_input"),
        ({"input": [{"role": "user", "content": [{"type": "output_text", "text": "x"}]}]}, "invalid_input"),
        ({"input": [{"role": "user", "content": [{"type": []}]}]}, "invalid_input"),
        ({"input": ["x"]}, "invalid_input"),
        ({"previous_response_id": "resp_1"}, "response_not_found"),
    ],
)
def test_steering_that_is_refused(client: Client, more: dict[str, Any], code: str) -> None:
    client.create(stream_id="a")
    client.play(client.begin(HELLO), 3)
    parent = client.take()[0]["response"]["id"]
    steer = {"previous_response_id": parent, "input": "Be short.", **more}
    client.send("response.steer", **steer)
    (failed,) = client.take()
    assert (failed["type"], failed["error"]["code"]) == ("response.steer.failed", code)
    assert failed["steer"] == {"previous_response_id": steer["previous_response_id"], "input": steer["input"]}
    assert ("stream_id" in failed) == (code == "invalid_input")
    client.play(next(iter(client.playing.values())))
    assert types(client.take())[-1] == "completed"


def test_messages_of_the_user_steer(client: Client) -> None:
    client.create()
    client.play(client.begin(HELLO), 3)
    content = [{"type": "input_text", "text": "Be short."}]
    given = [{"type": "message", "role": "user", "content": content}, {"role": "user", "content": "Please."}]
    client.send("response.steer", previous_response_id=client.told[0]["response"]["id"], input=given)
    assert messages(client.turns[0])[-2:] == [("user", "Be short."), ("user", "Please.")]


def test_what_has_ended_cannot_be_steered(client: Client) -> None:
    client.create()
    client.send("response.steer", previous_response_id=client.answer(), input="Be short.")
    assert client.take()[-1]["error"]["code"] == "response_already_completed"


@pytest.mark.parametrize(
    "members", [{"conversation": "conv_1"}, {"context_management": [{"type": "compaction", "compact_threshold": 9}]}]
)
def test_some_responses_cannot_be_steered(client: Client, members: dict[str, Any]) -> None:
    client.create(**members)
    client.play(client.begin(HELLO), 3)
    client.send("response.steer", previous_response_id=client.told[0]["response"]["id"], input="Be short.")
    assert client.take()[-1]["error"]["code"] == "steering_not_supported"


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
