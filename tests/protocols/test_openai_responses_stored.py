"""What is remembered between requests (wire-openai-responses §3.7, §13)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from aimock.memories import Memories
from aimock_protocols import openai_responses
from aimock_protocols.canonical import ChatRequest, Head, Memory, Reply, Stamp, Text, ToolCall, WireError
from aimock_protocols.openai_responses.conversations import KEPT_ITEMS
from aimock_protocols.openai_responses.paging import page

Ask = Callable[..., ChatRequest]
Beside = Callable[..., Any]


@pytest.fixture
def memory() -> Memory:
    return Memories().of("", "")


@pytest.fixture
def answer(ask_responses: Ask, memory: Memory, stamp: Stamp) -> Callable[..., str]:
    """answer(reply, …): remembers the reply to a request, and gives its id."""

    def remember(reply: Reply, **more: Any) -> str:
        request = ask_responses(**more)
        openai_responses.remember(request, reply, openai_responses.shape(request), stamp, 20, memory)
        return memory.keys()[-1]

    return remember


@pytest.fixture
def recalled(ask_responses: Ask, memory: Memory) -> Callable[..., ChatRequest]:
    def recall(**more: Any) -> ChatRequest:
        return openai_responses.recall(ask_responses(**more), memory)

    return recall


def messages(request: ChatRequest) -> list[Any]:
    assert request.resumed is not None
    return request.resumed()


def test_what_a_response_takes_up(answer: Callable[..., str], recalled: Callable[..., ChatRequest]) -> None:
    """Input and answer of all before it, oldest first; of instructions its own alone."""
    first = answer(Reply((Text("Hi"), ToolCall("f", "{}", "a")), id="resp_1"), instructions="be gone")
    result = {"type": "function_call_output", "call_id": "a", "output": "ok"}
    second = answer(Reply((Text("Good."),), id="resp_2"), input=[result], previous_response_id=first)
    request = recalled(input="and?", instructions="be here", previous_response_id=second)
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert messages(request) == [
        {"role": "system", "content": "be here"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "ok"},
        {"role": "assistant", "content": "Good."},
        {"role": "user", "content": "and?"},
    ]
    assert [message["content"] for message in request.body["messages"]] == ["be here", "and?"]
    assert request.objection is None


def test_a_chain_is_followed_as_far_as_it_is_known(
    answer: Callable[..., str], recalled: Callable[..., ChatRequest], memory: Memory
) -> None:
    answer(Reply((Text("one"),), id="resp_1"))
    answer(Reply((Text("two"),), id="resp_2"), previous_response_id="resp_1")
    memory.remove("resp_1")
    assert len(messages(recalled(previous_response_id="resp_2"))) == 3


def test_a_chain_that_bites_its_tail_ends(answer: Callable[..., str], recalled: Callable[..., ChatRequest]) -> None:
    answer(Reply((Text("one"),), id="resp_1"), previous_response_id="resp_2")
    answer(Reply((Text("two"),), id="resp_2"), previous_response_id="resp_1")
    assert len(messages(recalled(previous_response_id="resp_2"))) == 5


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [
        ({"previous_response_id": "resp_x"}, 400, "previous_response_not_found"),
        ({"previous_response_id": "conv_1"}, 400, "previous_response_not_found"),
        ({"conversation": "conv_x"}, 404, None),
        ({"conversation": {"id": "resp_1"}}, 404, None),
    ],
)
def test_what_is_not_known_is_objected_to(
    answer: Callable[..., str], recalled: Callable[..., ChatRequest], named: dict[str, Any], status: int, code: str
) -> None:
    answer(Reply(id="resp_1"))
    answer(Reply(id="resp_2"), conversation="conv_1")
    request = recalled(**named)
    assert request.objection is not None
    assert (request.objection.status, request.objection.code, request.resumed) == (status, code, None)


def test_an_input_too_deep_to_be_written_is_not_kept(memory: Memory, stamp: Stamp, head: Head, beside: Beside) -> None:
    deep = b"[" * 500 + b"]" * 500
    for more in (b"", b',"conversation":"conv_1"'):
        body = b'{"input":[{"role":"user","content":%b}]%b}' % (deep, more)
        request = openai_responses.decode(head, {}, body)
        openai_responses.remember(request, Reply(id="resp_1"), openai_responses.shape(request), stamp, 20, memory)
        listed = openai_responses.list_input_items(beside(memory, response="resp_1"))
        assert orjson.loads(listed.body)["data"] == []


def test_a_conversation_has_a_bound(memory: Memory, beside: Beside, answer: Callable[..., str]) -> None:
    items = [{"id": f"msg_{number}", "role": "user", "content": "x"} for number in range(KEPT_ITEMS)]
    made = orjson.loads(openai_responses.create_conversation(beside(memory, body={"items": items})).body)
    answer(Reply((Text("Hi"),)), conversation=made["id"])
    asked = beside(memory, "order=asc&limit=1", conversation=made["id"])
    assert orjson.loads(openai_responses.list_conversation_items(asked).body)["first_id"] == "msg_2"


def test_ids_are_percent_encoded_in_paths(answer: Callable[..., str], memory: Memory, beside: Beside) -> None:
    answer(Reply(id="resp/1 é"))
    told = openai_responses.retrieve(beside(memory, response="resp%2F1%20%C3%A9"))
    assert orjson.loads(told.body)["id"] == "resp/1 é"


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "", "9" * 10])
def test_a_stream_is_resumed_after_a_number(
    answer: Callable[..., str], memory: Memory, beside: Beside, after: str
) -> None:
    stored = answer(Reply((Text("Hi"),)))
    with pytest.raises(WireError, match="Invalid 'starting_after'"):
        openai_responses.retrieve(beside(memory, f"stream=true&starting_after={after or '%20'}", response=stored))


@pytest.mark.parametrize(
    ("function", "body", "message"),
    [
        ("create_conversation", {"items": {}}, "Invalid type for 'items'"),
        ("create_conversation", {"items": [5]}, r"Invalid type for 'items\[0\]'"),
        ("create_conversation", {"metadata": []}, "Invalid type for 'metadata'"),
        ("count_input_tokens", {"input": 5}, "Invalid type for 'input'"),
        ("compact", {"input": [5]}, r"Invalid type for 'input\[0\]'"),
        ("compact", [], "must be a JSON object"),
        ("create_conversation_items", {"items": []}, "Conversation with id 'conv_x' not found"),
        ("retrieve_conversation", None, "Conversation with id 'conv_x' not found"),
        ("update_conversation", {}, "Conversation with id 'conv_x' not found"),
        ("cancel", None, "Response with id 'resp_x' not found"),
    ],
)
def test_what_is_refused_beside_responses(
    memory: Memory, beside: Beside, function: str, body: Any, message: str
) -> None:
    with pytest.raises(WireError, match=message):
        getattr(openai_responses, function)(beside(memory, "", body, conversation="conv_x", response="resp_x"))


@pytest.mark.parametrize("name", ["items", "metadata", "input"])
def test_what_is_nested_too_deep_is_refused(memory: Memory, beside: Beside, name: str) -> None:
    deep: Any = orjson.Fragment(b"[" * 500 + b"]" * 500)
    body = {name: {"a": deep} if name == "metadata" else [{"role": "user", "content": deep}]}
    function = openai_responses.compact if name == "input" else openai_responses.create_conversation
    with pytest.raises(WireError, match="nested too deeply"):
        function(beside(memory, "", body))


ITEMS = {letter: orjson.dumps({"id": letter}) for letter in "abcde"}


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ("", "edcba", False),
        ("order=asc", "abcde", False),
        ("limit=2", "ed", True),
        ("limit=2&after=d", "cb", True),
        ("limit=2&after=b", "a", False),
        ("order=asc&after=e", "", False),
        ("include[]=x&order=asc&limit=5", "abcde", False),
    ],
)
def test_pages(query: str, ids: str, has_more: bool) -> None:
    told = orjson.loads(page(ITEMS, query))
    assert "".join(item["id"] for item in told["data"]) == ids
    assert (told["first_id"], told["last_id"]) == ((ids[0], ids[-1]) if ids else ("", ""))
    assert (told["object"], told["has_more"]) == ("list", has_more)


@pytest.mark.parametrize("query", ["order=up", "limit=0", "limit=101", "limit=x", "limit=-1", "after=z"])
def test_parameters_that_make_no_page(query: str) -> None:
    with pytest.raises(WireError):
        page(ITEMS, query)
