"""What turns over a WebSocket take up of what was said before (wire-openai-realtime §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock_protocols import openai_responses
from aimock_protocols.canonical import ChatRequest, ErrorReply, SideRequest, Stamp
from protocol_cases.responses_client import CALL, ENDINGS, HELLO, Client, messages, numbers, refusal, types

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
