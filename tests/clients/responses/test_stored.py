"""What later requests can take up, through the official SDK (wire-openai-responses §3.7, §13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI

from aimock import AIMock

Said = Callable[..., Any]

QUESTION: dict[str, Any] = {"model": "gpt-5", "input": "hello"}
STRICT = {"X-AIMock-Strict": "true"}


@pytest.fixture
def greeting(mock: AIMock) -> AIMock:
    return mock.on_message("hello", {"content": "Hi there", "reasoning": "Hm."}, chunk_size=3)


# -- retrieving --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_can_be_asked_for_again(greeting: AIMock, client: OpenAI, stream: bool) -> None:
    if stream:
        (*_, last) = client.responses.create(**QUESTION, stream=True)
        response = last.response
    else:
        response = client.responses.create(**QUESTION)
    again = client.responses.retrieve(response.id)
    assert again.to_dict() == response.to_dict() | {"billing": {"payer": "developer"}}
    assert len(greeting.get_requests()) == 1, "no fixture answers, and nothing is journaled"


def test_its_stream_can_be_resumed(greeting: AIMock, client: OpenAI) -> None:
    """Cut as the fixture says, so that the numbers are those of the events that were sent."""
    told = [event.to_dict() for event in client.responses.create(**QUESTION, stream=True)]
    stored = told[-1]["response"]["id"]
    for after in (None, 0, 5, len(told) - 2, len(told)):
        more = {} if after is None else {"starting_after": after}
        again = [event.to_dict() for event in client.responses.retrieve(stored, stream=True, **more)]
        assert again == told[0 if after is None else after + 1 :]
    with client.responses.stream(response_id=stored, starting_after=5) as resumed:
        assert next(iter(resumed)).sequence_number == 6


def test_what_was_not_to_be_stored_is_not(greeting: AIMock, client: OpenAI) -> None:
    response = client.responses.create(**QUESTION, store=False)
    for ask in (
        client.responses.retrieve,
        client.responses.delete,
        client.responses.cancel,
        client.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError, match=f"Response with id '{response.id}' not found"):
            ask(response.id)


def test_a_response_that_is_deleted_is_gone(greeting: AIMock, client: OpenAI) -> None:
    response = client.responses.create(**QUESTION)
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError) as raised:
        client.responses.retrieve(response.id)
    assert raised.value.type == "invalid_request_error"


def test_tests_do_not_see_each_other_s(greeting: AIMock, client: OpenAI) -> None:
    response = client.responses.create(**QUESTION, extra_headers={"X-Test-Id": "one"})
    assert client.responses.retrieve(response.id, extra_headers={"X-Test-Id": "one"}).output_text == "Hi there"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id, extra_headers={"X-Test-Id": "two"})


def test_input_items_come_in_pages(greeting: AIMock, client: OpenAI) -> None:
    said: Any = [{"role": "user", "content": f"{number}"} for number in range(30)]
    response = client.responses.create(model="gpt-5", input=[*said, {"role": "user", "content": "hello"}])

    def texts(**more: Any) -> list[str]:
        return [item.content[0].text for item in client.responses.input_items.list(response.id, **more)]

    oldest_first = [f"{number}" for number in range(30)] + ["hello"]
    assert texts(order="asc", limit=7) == oldest_first
    assert texts() == list(reversed(oldest_first))
    page = client.responses.input_items.list(response.id)
    assert (len(page.data), page.has_more, page.data[0].id) == (20, True, page.first_id)
    for wrong in ({"limit": 0}, {"limit": 101}, {"order": "up"}, {"after": "msg_none"}):
        with pytest.raises(openai.BadRequestError):
            client.responses.input_items.list(response.id, **wrong)


# -- in the background -------------------------------------------------------------------------------------------------


def test_the_life_of_a_response_in_the_background(greeting: AIMock, client: OpenAI) -> None:
    response = client.responses.create(**QUESTION, background=True)
    seen = [response]
    while seen[-1].status in ("queued", "in_progress"):
        seen.append(client.responses.retrieve(response.id))
    assert [each.status for each in seen] == ["queued", "in_progress", "completed"]
    assert [each.output_text for each in seen] == ["", "", "Hi there"]
    assert [each.usage is None for each in seen] == [True, True, False]
    assert all(each.background for each in seen)
    assert client.responses.cancel(response.id).status == "completed", "what has ended stays as it is"


def test_a_stream_in_the_background(greeting: AIMock, client: OpenAI) -> None:
    told = list(client.responses.create(**QUESTION, background=True, stream=True))
    assert [event.type for event in told[:3]] == ["response.created", "response.queued", "response.in_progress"]
    assert [event.response.status for event in told[:3]] == ["queued", "queued", "in_progress"]
    response = told[-1].response
    assert client.responses.retrieve(response.id).status == "completed"


def test_cancelling(greeting: AIMock, client: OpenAI) -> None:
    response = client.responses.create(**QUESTION, background=True)
    for ask in (client.responses.cancel, client.responses.cancel, client.responses.retrieve):
        cancelled = ask(response.id)
        assert (cancelled.status, cancelled.output) == ("cancelled", [])
    synchronous = client.responses.create(**QUESTION)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(synchronous.id)


# -- taking up ---------------------------------------------------------------------------------------------------------


def conversing(mock: AIMock) -> None:
    mock.on({"userMessage": "and you?", "turnIndex": 1}, {"content": "It was there."})
    mock.on({"userMessage": "and you?", "turnIndex": 0}, {"content": "It was not."})
    mock.on_message("hello", {"content": "Hi there"})


@pytest.mark.parametrize(("switch", "expected"), [(None, "It was not."), ("0", "It was not."), ("1", "It was there.")])
def test_fixtures_see_what_was_said_before_if_they_shall(
    mock: AIMock, client: OpenAI, monkeypatch: pytest.MonkeyPatch, switch: str | None, expected: str
) -> None:
    """wire-openai-responses §3.7"""
    if switch is not None:
        monkeypatch.setenv("AIMOCK_MATCH_HISTORY", switch)
    monkeypatch.setenv("AIMOCK_STRICT_TURN_INDEX", "1")
    conversing(mock)
    first = client.responses.create(**QUESTION)
    second = client.responses.create(model="gpt-5", input="and you?", previous_response_id=first.id)
    assert (second.output_text, second.previous_response_id) == (expected, first.id)


def test_all_that_was_said_before_is_seen(mock: AIMock, client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole chain, with its calls and their results; instructions are those of the request alone."""
    monkeypatch.setenv("AIMOCK_MATCH_HISTORY", "1")
    seen: list[Any] = []

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        seen.append(body["messages"])
        return {
            "content": f"answer {len(seen)}",
            "toolCalls": [{"name": "f", "arguments": "{}", "id": f"c{len(seen)}"}],
        }

    mock.on({}, answer)
    previous = None
    for turn in ("one", "two", "three"):
        asked: Any = [{"role": "user", "content": turn}]
        if previous is not None:
            asked.insert(0, {"type": "function_call_output", "call_id": f"c{len(seen)}", "output": "ok"})
        response = client.responses.create(
            model="gpt-5", input=asked, instructions=f"do {turn}", previous_response_id=previous
        )
        previous = response.id
    assert [(each["role"], each.get("content")) for each in seen[-1]] == [
        ("system", "do three"),
        ("user", "one"),
        ("assistant", "answer 1"),
        ("assistant", None),
        ("tool", "ok"),
        ("user", "two"),
        ("assistant", "answer 2"),
        ("assistant", None),
        ("tool", "ok"),
        ("user", "three"),
    ]


def test_a_response_may_follow_one_of_its_own_id(mock: AIMock, client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixtures give ids, always the same ones."""
    monkeypatch.setenv("AIMOCK_MATCH_HISTORY", "1")
    mock.on({}, {"content": "Hi", "id": "resp_1"})
    for _ in range(3):
        response = client.responses.create(**QUESTION, previous_response_id="resp_1")
        assert response.id == "resp_1"


@pytest.mark.parametrize(
    ("named", "kind", "message"),
    [
        (
            {"previous_response_id": "resp_none"},
            openai.BadRequestError,
            "Previous response with id 'resp_none' not found.",
        ),
        ({"conversation": "conv_none"}, openai.NotFoundError, "Conversation with id 'conv_none' not found."),
    ],
)
def test_ids_that_this_server_never_gave(
    greeting: AIMock, client: OpenAI, caplog: pytest.LogCaptureFixture, named: Any, kind: type[Any], message: str
) -> None:
    """Tests name responses that were never made: they are answered with a warning, and refused by strict servers."""
    with pytest.raises(kind) as raised:
        client.responses.create(**QUESTION, **named, extra_headers=STRICT)
    assert raised.value.body["message"] == message
    assert client.responses.create(**QUESTION, **named).output_text == "Hi there"
    assert message in caplog.text


# -- conversations -----------------------------------------------------------------------------------------------------


def test_a_conversation(mock: AIMock, client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMOCK_MATCH_HISTORY", "1")
    conversing(mock)
    before: Any = [{"type": "message", "role": "developer", "content": "Be kind."}]
    conversation = client.conversations.create(items=before, metadata={"topic": "greetings"})
    for asked, answer in (("hello", "Hi there"), ("and you?", "It was there.")):
        response = client.responses.create(model="gpt-5", input=asked, conversation=conversation.id)
        assert response.output_text == answer
        assert response.conversation is not None
        assert response.conversation.id == conversation.id
    items = list(client.conversations.items.list(conversation.id, order="asc", limit=2))
    assert [item.content[0].text for item in items] == [
        "Be kind.",
        "hello",
        "Hi there",
        "and you?",
        "It was there.",
    ]
    assert client.conversations.retrieve(conversation.id).metadata == {"topic": "greetings"}


def test_conversations_can_be_changed(mock: AIMock, client: OpenAI) -> None:
    conversation = client.conversations.create()
    added = client.conversations.items.create(conversation.id, items=[{"role": "user", "content": "hello"}])
    (item,) = added.data
    assert client.conversations.items.retrieve(item.id, conversation_id=conversation.id).id == item.id
    assert client.conversations.update(conversation.id, metadata={"a": "b"}).metadata == {"a": "b"}
    assert client.conversations.items.delete(item.id, conversation_id=conversation.id).id == conversation.id
    assert list(client.conversations.items.list(conversation.id)) == []
    with pytest.raises(openai.NotFoundError, match="Item with id"):
        client.conversations.items.retrieve(item.id, conversation_id=conversation.id)
    assert client.conversations.delete(conversation.id).deleted is True
    with pytest.raises(openai.NotFoundError, match="Conversation with id"):
        client.conversations.retrieve(conversation.id)


def test_a_conversation_that_was_only_named_is_begun(greeting: AIMock, client: OpenAI) -> None:
    client.responses.create(**QUESTION, conversation="conv_mine")
    assert len(client.conversations.items.list("conv_mine").data) == 3


# -- beside them -------------------------------------------------------------------------------------------------------


def test_tokens_are_counted(greeting: AIMock, client: OpenAI) -> None:
    asked: dict[str, Any] = {**QUESTION, "instructions": "Be kind."}
    counted = client.responses.input_tokens.count(**asked)
    assert counted.object == "response.input_tokens"
    usage = client.responses.create(**asked).usage
    assert usage is not None
    assert counted.input_tokens == usage.input_tokens


def test_compaction(greeting: AIMock, client: OpenAI) -> None:
    """What comes of it can be sent again."""
    turns: Any = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Hi"}]
    compacted = client.responses.compact(model="gpt-5", input=turns)
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    again: Any = [item.to_dict(warnings=False) for item in compacted.output]
    assert client.responses.create(model="gpt-5", input=again).output_text == "Hi there"
