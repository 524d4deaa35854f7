"""What a recording is found by again: record-replay §5.1, §5.5, §7."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock.fixtures import (
    DEFAULT_TEST_ID,
    Counters,
    FixtureBook,
    Found,
    Missed,
    Question,
    load_source,
    make_fixture,
)
from aimock.fixtures.question import fingerprint
from aimock.record.config import RecordConfig
from aimock.record.derive import derived_match, next_in_sequence, stale
from aimock.record.naming import Place
from aimock.record.shelf import Shelf
from aimock.settings import Settings
from aimock.state import State
from aimock_protocols.canonical import ChatRequest

CONFIG = RecordConfig()
USER = {"role": "user", "content": "weather?"}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "sunny"}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOLS = [{"type": "function", "function": {"name": "wetter ü", "parameters": {}}}]


def request(*messages: Any, endpoint: str = "chat", **body: Any) -> ChatRequest:
    body = {"model": "gpt-4o", "messages": list(messages), **body}
    return ChatRequest(body, body, body["model"], endpoint=endpoint)


def chat_match(**more: Any) -> dict[str, Any]:
    return {"exact": True, "userMessage": "weather?", "model": "gpt-4o", "turnIndex": 0, "hasToolResult": False, **more}


@pytest.mark.parametrize(
    ("asked", "context", "match"),
    [
        (request(USER), None, chat_match()),
        (request(SYSTEM, USER, tools=TOOLS, response_format={"type": "json_object"}), None, chat_match()),
        (request(USER, CALL, RESULT), None, chat_match(turnIndex=1, hasToolResult=True)),
        (request(USER, CALL, RESULT, CALL, USER), "c", chat_match(turnIndex=2, context="c")),
        (
            request({"role": "user", "content": [{"type": "image_url"}]}),
            None,
            {"exact": True, "model": "gpt-4o", "turnIndex": 0, "hasToolResult": False},
        ),
        (request(model="gpt-4o"), None, {"exact": True, "model": "gpt-4o"}),
        (
            request(endpoint="embedding", input=["a", "b"], model="e-3"),
            None,
            {"exact": True, "endpoint": "embedding", "inputText": "a b", "model": "e-3"},
        ),
        (
            request(USER, endpoint="image"),
            None,
            {"exact": True, "endpoint": "image", "userMessage": "weather?", "model": "gpt-4o"},
        ),
        (request(USER, endpoint="realtime"), None, chat_match(endpoint="realtime")),
    ],
)
def test_a_match_says_what_matching_reads(asked: ChatRequest, context: str | None, match: dict[str, Any]) -> None:
    question = Question(asked, context=context)
    derived = derived_match(question, CONFIG)
    assert derived == match
    kinds = {"embedding": {"embedding": [1]}, "image": {"image": {"url": "u"}}}
    fixture = make_fixture({"match": derived, "response": kinds.get(asked.endpoint, {"content": "x"})})
    assert fixture.fits(Question(asked, context=context))


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic.claude-3-5-sonnet"),
        ("anthropic.claude-3-5-sonnet-20241022-v2", "anthropic.claude-3-5-sonnet"),
        ("gpt-4-0613", "gpt-4-0613"),
        ("gpt-4o-2024-08-06-ft", "gpt-4o-2024-08-06-ft"),
        ("m-202405141", "m-202405141"),
        ("m-٢٠٢٤٠٥١٤", "m-٢٠٢٤٠٥١٤"),
        ("-20240514", "-20240514"),
        ("x" * 300 + "-20240514", "x" * 300 + "-20240514"),
    ],
)
def test_models_are_recorded_without_their_date(name: str, recorded: str) -> None:
    question = Question(request(USER, model=name))
    assert derived_match(question, CONFIG)["model"] == recorded
    assert derived_match(question, RecordConfig(record_full_model_version=True))["model"] == name
    book = FixtureBook()
    book.append([make_fixture({"match": derived_match(question, CONFIG), "response": {"content": "x"}})])
    assert isinstance(book.match(question, Counters()), Found), "the index finds it by that name"


def test_a_transform_is_seen_by_what_is_recorded_and_by_what_matches() -> None:
    def transform(body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "messages": [USER]}

    question = Question(request({"role": "user", "content": "weather at 10:42?"}, SYSTEM), transform=transform)
    assert derived_match(question, CONFIG) == chat_match()
    assert question.fingerprint == fingerprint(request(USER)), "and by what tells recordings from one another"


# -- metadata ----------------------------------------------------------------------------------------------------------


def test_hashes_are_those_of_the_reference() -> None:
    def eight(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    parts = {"role": "system", "content": [{"type": "text", "text": "Ü", "n": 1}]}
    told = fingerprint(request(SYSTEM, parts, USER, tools=TOOLS))
    assert told.pop("requestHash") == fingerprint(request(USER))["requestHash"]
    assert told == {
        "systemHash": eight('Be brief.\n[{"type":"text","text":"Ü","n":1}]'),
        "toolsHash": eight('[{"type":"function","function":{"name":"wetter ü","parameters":{}}}]'),
    }
    assert fingerprint(request(USER)) == {"requestHash": "56516782"}, "what files have must not change"


@pytest.mark.parametrize(
    "body",
    [
        {"messages": 5},
        {"messages": [None, {"role": ["system"]}, {"tool_calls": [None, 5]}]},
        {"tools": {"a": "\ud800"}},
        {"tools": functools.reduce(lambda inner, _: [inner], range(1020), 0)},
        {"messages": [{"content": functools.reduce(lambda inner, _: [inner], range(1020), 0)}]},
    ],
)
def test_hashes_are_made_of_whatever_comes(body: dict[str, Any]) -> None:
    assert "requestHash" in fingerprint(ChatRequest(body, body))


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        (request(SYSTEM, USER, tools=TOOLS), None),
        (request(SYSTEM, CALL, tools=TOOLS), None),
        (request(SYSTEM, SYSTEM, USER, tools=TOOLS), "other system prompt"),
        (request(SYSTEM, USER), "other tools"),
        (request(USER, tools=TOOLS[:1] * 2), "other system prompt and tools"),
    ],
)
def test_who_asks_otherwise_than_was_recorded_is_told(now: ChatRequest, changed: str | None) -> None:
    metadata = fingerprint(request(SYSTEM, USER, tools=TOOLS))
    fixture = make_fixture({"match": {}, "response": {"content": "x"}, "metadata": metadata})
    told = stale(fixture, Question(now))
    assert told is None if changed is None else str(told).endswith(f"was recorded with {changed}")


@pytest.mark.parametrize("metadata", [None, {}, "x", ["systemHash"], {"mine": 1}])
def test_metadata_of_others_says_nothing(metadata: Any) -> None:
    fixture = make_fixture({"match": {}, "response": {"content": "x"}, "metadata": metadata})
    assert stale(fixture, Question(request(SYSTEM, USER))) is None
    assert fixture.is_always_due, "it is no recording of which anything is known"


# -- sequences ---------------------------------------------------------------------------------------------------------


def test_repeats_are_recorded_one_after_the_other_and_answer_so() -> None:
    """record-replay §5.1, DO: `record.sequence`"""
    state = State(Settings())
    book, counters = state.book, state.counters
    for test_id, answers in (("a", ["0", "1", "2"]), ("b", ["0", "1", "2", "3"]), ("a", ["3", "4"]), ("c", ["0"])):
        for answer in answers:
            question = Question(request(USER), test_id=test_id)
            found = book.match(question, counters, strict_turns=True)
            if isinstance(found, Found):
                assert found.fixture.response.raw == {"content": answer}
                continue
            match = derived_match(question, CONFIG)
            match["sequenceIndex"] = next_in_sequence(match, book, counters, test_id)
            assert match["sequenceIndex"] == int(answer)
            state.add_recorded(make_fixture({"match": match, "response": {"content": answer}}), question)
    again = Counters()
    for answer in "01234":
        replayed = book.match(Question(request(USER), test_id="a"), again)
        assert isinstance(replayed, Found)
        assert replayed.fixture.response.raw == {"content": answer}


# -- record-green implies replay-green ---------------------------------------------------------------------------------

words = st.sampled_from(["", "hi", "hi there", "there", "Hi", " hi"])
content = words | st.lists(
    st.one_of(st.builds(lambda text: {"type": "text", "text": text}, words), st.just({"type": "image_url"})), max_size=2
)
turns = st.lists(st.sampled_from(["answer", "call", "two calls"]), max_size=3)
conversations = st.fixed_dictionaries(
    {
        "opening": content,
        "system": st.none() | words,
        "turns": st.lists(st.tuples(turns, content), max_size=2),
        "model": st.sampled_from(["m", "m-1", "m-2024-08-06", "m-1-20240806", "m-20240806-v1:0", "M"]),
        "provider": st.sampled_from(["openai", "azure"]),
        "test_id": st.sampled_from([DEFAULT_TEST_ID, "t", "a › b"]),
        "context": st.sampled_from([None, "x", "X", "y"]),
    }
)
embeddings = st.fixed_dictionaries(
    {
        "input": words | st.lists(words, max_size=2),
        "model": st.sampled_from(["e", "e-1"]),
        "provider": st.just("openai"),
        "test_id": st.just("t"),
        "context": st.none() | st.just("x"),
    }
)
Asked = tuple[Question, Place]


def asked_in(told: dict[str, Any]) -> Iterator[Asked]:
    """The requests of a conversation, in order, each with all that was said before it."""
    steering = {"context": told["context"], "test_id": told["test_id"]}
    place = Place(told["provider"], told["test_id"], told["context"])
    if "input" in told:
        body = {"model": told["model"], "input": told["input"]}
        yield Question(ChatRequest(body, body, told["model"], endpoint="embedding"), **steering), place
        return
    messages: list[Any] = [] if told["system"] is None else [{"role": "system", "content": told["system"]}]
    messages = [*messages, {"role": "user", "content": told["opening"]}]
    yield Question(request(*messages, model=told["model"]), **steering), place
    for steps, user in told["turns"]:
        for step in steps:
            calls = {"answer": 0, "call": 1, "two calls": 2}[step]
            results = [{"role": "tool", "tool_call_id": f"c{n}", "content": "r"} for n in range(calls)]
            messages = [*messages, {"role": "assistant", "content": step}, *results]
            yield Question(request(*messages, model=told["model"]), **steering), place
        messages = [*messages, {"role": "assistant", "content": "done"}, {"role": "user", "content": user}]
        yield Question(request(*messages, model=told["model"]), **steering), place


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_was_answered_while_recording_is_answered_when_replayed(data: st.DataObject) -> None:
    """Each request is answered by what was recorded for it, or by what it was answered with already then, whatever
    the order in which the requests come, and in which the files are read."""
    told = data.draw(st.lists(conversations | embeddings, max_size=8))
    interleaved = data.draw(st.permutations([each for one in told for each in asked_in(one)]))
    with tempfile.TemporaryDirectory() as top:
        book, counters, number = FixtureBook(), Counters(), 0
        answers: list[tuple[Asked, Any]] = []
        shelf = Shelf(RecordConfig(fixture_path=Path(top)), pytest.fail)
        for question, place in interleaved:
            found = book.match(question, counters, strict_turns=True)
            if isinstance(found, Missed):
                number += 1
                is_chat = question.endpoint == "chat"
                response = {"content": str(number)} if is_chat else {"embedding": [number]}
                saved = shelf.save({"match": derived_match(question, CONFIG), "response": response}, place)
                book.append([make_fixture(saved.entry)])
                found = book.match(question, counters, strict_turns=True)
                assert isinstance(found, Found), "what was just recorded is found"
                assert found.fixture.response.raw == response
            answers.append(((question, place), found.fixture.response.raw))
        replayed, again = FixtureBook(), Counters()
        replayed.append(load_source(top, lambda problem: None))
        assert len(replayed) == number
        for (question, _), answer in data.draw(st.permutations(answers)):
            match = replayed.match(question, again)
            assert isinstance(match, Found)
            assert match.fixture.response.raw == answer


def test_a_short_prompt_does_not_take_what_is_said_to_longer_ones(question: Callable[[str], Question]) -> None:
    """record-replay §7"""
    fixture = make_fixture({"match": derived_match(question("hi"), CONFIG), "response": {"content": "x"}})
    assert fixture.fits(question("hi"))
    assert not fixture.fits(question("hi there"))
    assert json.loads(json.dumps(derived_match(question("hi"), CONFIG)))["exact"] is True
