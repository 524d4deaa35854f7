"""Responses that are steered while they are told (wire-openai-realtime §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import orjson
import pytest

from aimock_protocols import openai_responses
from aimock_protocols.canonical import ErrorReply, MidStreamError, SideRequest
from aimock_protocols.sessions import Cancel
from protocol_cases.responses_client import CALL, HELLO, TWO, Client, messages, numbers, stamp_at, types


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
    parent = openai_responses.turn.Answer(TWO, stamp_at(3), 3).id
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
    stamp = stamp_at(99)
    parent = client.take()[0]["response"]["id"]
    steer = {"type": "response.steer", "previous_response_id": parent, "input": "Be short."}
    moves = list(client.session.received(orjson.dumps(steer), stamp))
    assert moves == [Cancel(playing.turn)]
    assert client.session.received(orjson.dumps(steer), stamp) == [], "it is being cut already"
    client.perform(playing.turn.ended(stamp))
    told = client.take()
    assert types(told) == ["steer.accepted", "steer.accepted"]
    assert numbers(told) == [9, 10]
    assert messages(client.turns[0])[-2:] == [("user", "Be short.")] * 2


@pytest.mark.parametrize("sent", [3, 4, 5])
def test_an_error_that_is_under_way_is_told_to_its_end(client: Client, sent: int) -> None:
    client.create()
    reply = attrs.evolve(HELLO, mid_stream_error=MidStreamError(3, ErrorReply("Overloaded.")))
    client.play(client.begin(reply), sent)
    client.send("response.steer", previous_response_id=client.told[0]["response"]["id"], input="Be short.")
    told = client.take()
    assert types(told)[3:] == ["error", "failed", "steer.failed"]
    assert client.turns == []


def test_an_error_that_the_server_made_is_told_to_its_end(client: Client) -> None:
    client.create()
    playing = client.begin(HELLO)
    client.play(playing, 3)
    playing.frames = iter([playing.turn.broken(ErrorReply("Overloaded."), stamp_at(51))])
    client.play(playing, 1)
    client.send("response.steer", previous_response_id=client.told[0]["response"]["id"], input="Be short.")
    told = client.take()
    assert numbers(told)[:-1] == list(range(5))
    assert types(told)[3:] == ["error", "failed", "steer.failed"]


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
        orjson.dumps({"type": "response.steer", "previous_response_id": parent, "input": "x"}), stamp_at(50)
    )
    playing.frames = iter([playing.turn.broken(ErrorReply("Overloaded."), stamp_at(51))])
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
