"""The first version of chat and embeddings through the official SDK (wire-cohere §5, §6, §9)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cohere import AsyncClient, AsyncClientV2, Client

from aimock import AIMock
from aimock_protocols import sse

Connect = Callable[..., Any]

TOOL = {
    "name": "get_weather",
    "description": "The weather",
    "parameter_definitions": {"city": {"type": "str", "description": "Where", "required": True}},
}
CALL = {"name": "get_weather", "arguments": {"city": "Paris"}}


@pytest.fixture
def old(connect_cohere: Connect) -> Any:
    """The SDK's client of the first version."""
    return connect_cohere(Client)


@pytest.fixture
def said_old(flavour: str, old: Any, run_cohere: Connect) -> Connect:
    def ask(**more: Any) -> Any:
        asked = {"message": "hello", **more}
        if flavour == "sync":
            return old.chat(**asked)
        return run_cohere(flavour, lambda client: client.chat(**asked), AsyncClient)

    return ask


@pytest.fixture
def events_old(flavour: str, old: Any, run_cohere: Connect) -> Connect:
    def ask(**more: Any) -> list[Any]:
        asked = {"message": "hello", **more}

        async def work(client: AsyncClient) -> list[Any]:
            return [event async for event in client.chat_stream(**asked)]

        return list(old.chat_stream(**asked)) if flavour == "sync" else list(run_cohere(flavour, work, AsyncClient))

    return ask


def test_text(mock: AIMock, said_old: Connect) -> None:
    mock.on_message("hello", {"content": "Hi, né 🚀"})
    answer = said_old(model="command-r", preamble="Be kind.", chat_history=[{"role": "USER", "message": "a"}])
    assert (answer.text, answer.finish_reason, answer.tool_calls) == ("Hi, né 🚀", "COMPLETE", None)
    assert [turn.message for turn in answer.chat_history] == ["a", "hello", "Hi, né 🚀"]
    assert answer.meta.api_version.version == "1"
    assert answer.meta.billed_units.output_tokens == answer.meta.tokens.output_tokens == 3
    assert answer.response_id != answer.generation_id
    sent = mock.get_last_request()["body"]["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "user"]


def test_text_streamed(mock: AIMock, events_old: Connect) -> None:
    mock.on_message("hello", {"content": "Hi, né 🚀"}, chunk_size=4)
    start, *pieces, end = events_old()
    assert [piece.event_type for piece in pieces] == ["text-generation"] * 2
    assert "".join(piece.text for piece in pieces) == end.response.text == "Hi, né 🚀"
    assert start.generation_id == end.response.generation_id
    assert (end.event_type, end.is_finished, end.finish_reason) == ("stream-end", True, "COMPLETE")


def test_tools_in_a_single_step(mock: AIMock, said_old: Connect) -> None:
    """The message is sent again with the results: it is still they that the model answers."""
    mock.on({"hasToolResult": True}, {"content": "It is sunny."})
    mock.on_tool_call("get_weather", {"toolCalls": [CALL]})
    first = said_old(tools=[TOOL])
    (call,) = first.tool_calls
    assert (call.name, call.parameters, first.text) == ("get_weather", {"city": "Paris"}, "")
    answered = [{"call": call, "outputs": [{"weather": "sunny"}]}]
    assert said_old(tools=[TOOL], tool_results=answered).text == "It is sunny."
    sent = mock.get_last_request()["body"]
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool"]
    assert sent["tools"][0]["function"]["parameters"]["required"] == ["city"]


def test_tools_in_several_steps(mock: AIMock, said_old: Connect) -> None:
    mock.on({"toolResultContains": "sunny"}, {"content": "It is sunny."})
    mock.on_tool_call("get_weather", {"toolCalls": [CALL], "toolPlan": "I will look."})
    first = said_old(tools=[TOOL])
    assert first.text == "I will look."
    results = [{"call": first.tool_calls[0], "outputs": [{"weather": "sunny"}]}]
    answer = said_old(message="", tools=[TOOL], chat_history=first.chat_history, tool_results=results)
    assert answer.text == "It is sunny."
    assert [turn.role for turn in answer.chat_history] == ["USER", "CHATBOT", "TOOL", "CHATBOT"]


def test_tools_streamed(mock: AIMock, events_old: Connect) -> None:
    mock.on_message("hello", {"toolCalls": [CALL, CALL], "toolPlan": "I will look."}, chunk_size=6)
    told = events_old(tools=[TOOL])
    chunks = [event for event in told if event.event_type == "tool-calls-chunk"]
    assert "".join(chunk.text or "" for chunk in chunks) == "I will look."
    deltas = [chunk.tool_call_delta for chunk in chunks]
    assert [delta.name for delta in deltas if delta.name] == ["get_weather"] * 2
    assert "".join(delta.parameters or "" for delta in deltas if delta.index == 1) == '{"city":"Paris"}'
    generated, end = told[-2:]
    assert generated.event_type == "tool-calls-generation"
    assert generated.tool_calls == end.response.tool_calls
    assert len(end.response.tool_calls) == 2


def test_citations(mock: AIMock, said_old: Connect, events_old: Connect) -> None:
    source = {"type": "document", "id": "doc_0", "document": {"text": "Penguins."}}
    citation = {"start": 0, "end": 2, "text": "Hi", "sources": [source]}
    mock.on_message("hello", {"content": "Hi", "citations": [citation]})
    answer = said_old(documents=[{"id": "doc_0", "text": "Penguins."}])
    assert (answer.citations[0].document_ids, answer.documents) == (["doc_0"], [{"id": "doc_0", "text": "Penguins."}])
    (cited,) = [event for event in events_old() if event.event_type == "citation-generation"]
    assert cited.citations == answer.citations


def test_events_for_who_asks_for_them(mock: AIMock, old: Any) -> None:
    """wire-cohere §5. The SDK has the option, but reads only lines of JSON, and so nothing: here they are read."""
    mock.on_message("hello", {"content": "Hi"})
    assert list(old.chat_stream(message="hello", accepts="text/event-stream")) == []
    with httpx.Client(verify=False) as http:
        response = http.post(
            f"{mock.url}/v1/chat", json={"message": "hello", "stream": True}, headers={"Accepts": "text/event-stream"}
        )
        plain = http.post(f"{mock.url}/v1/chat", json={"message": "hello", "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert plain.headers["content-type"] == "application/stream+json"
    names = [event.name for event in sse.events([response.content])]
    assert names == ["stream-start", "text-generation", "stream-end"]
    assert len(plain.text.splitlines()) == 3


# -- embeddings --------------------------------------------------------------------------------------------------------

EMBED = {"model": "embed-v4.0", "input_type": "search_document"}
PIXEL = "data:image/png;base64," + base64.b64encode(
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBB", 3, 2, 8, 6) + bytes(7)
).decode("ascii")


@pytest.mark.parametrize("flavour", ["sync", "asyncio", "trio"])
def test_embeddings_of_several_types(mock: AIMock, co: Any, run_cohere: Connect, flavour: str) -> None:
    mock.on({"inputText": "hello"}, {"embedding": [1.0, -1.0, 0.5, 0.0, 0.1, 0.2, 0.3, -0.4]})
    asked: dict[str, Any] = {**EMBED, "texts": ["hello", "you"], "embedding_types": ["float", "int8", "ubinary"]}

    async def work(client: AsyncClientV2) -> Any:
        return await client.embed(**asked)

    answer = co.embed(**asked) if flavour == "sync" else run_cohere(flavour, work)
    assert answer.embeddings.float_ == [[1.0, -1.0, 0.5, 0.0, 0.1, 0.2, 0.3, -0.4]] * 2
    assert answer.embeddings.int8 == [[127, -127, 64, 0, 13, 25, 38, -51]] * 2
    assert answer.embeddings.ubinary == [[0b10101110]] * 2
    assert (answer.embeddings.uint8, answer.texts) == (None, ["hello", "you"])
    assert (answer.response_type, answer.meta.billed_units.input_tokens) == ("embeddings_by_type", 3)


def test_embeddings_that_follow_from_their_text(co: Any) -> None:
    asked = {**EMBED, "embedding_types": ["float"], "output_dimension": 256}
    both = co.embed(**asked, texts=["hello", "you"]).embeddings.float_
    assert [len(vector) for vector in both] == [256, 256]
    assert both == [co.embed(**asked, texts=[text]).embeddings.float_[0] for text in ("hello", "you")]
    assert both[0] != both[1]


def test_each_text_may_have_its_own_fixture(mock: AIMock, co: Any) -> None:
    for text, vector in (("hello", [1.0]), ("you", [0.5])):
        mock.on({"inputText": {"$regex": f"^{text}$"}}, {"embedding": vector})
    answer = co.embed(**EMBED, texts=["you", "hello"], embedding_types=["float"])
    assert answer.embeddings.float_ == [[0.5], [1.0]]


def test_images_and_inputs(co: Any) -> None:
    answer = co.embed(model="embed-v4.0", input_type="image", images=[PIXEL], embedding_types=["float"])
    (image,) = answer.images
    assert (image.width, image.height, image.format, image.bit_depth) == (3, 2, "png", 32)
    assert (len(answer.embeddings.float_), answer.meta.billed_units.images) == (1, 1)
    content = [{"type": "text", "text": "a pixel"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    answer = co.embed(**EMBED, inputs=[{"content": content}], embedding_types=["float", "base64"])
    assert (len(answer.embeddings.float_), len(answer.embeddings.base64), answer.texts) == (1, 1, ["a pixel"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pydantic, of what the SDK does to merge answers
@pytest.mark.parametrize("count", [2, 200])
def test_embeddings_of_the_first_version(mock: AIMock, old: Any, count: int) -> None:
    """More than 96 texts are asked for in several requests, whose answers the SDK puts together."""
    mock.on({"inputText": "t"}, {"embedding": [1.0, 0.5]})
    texts = [f"t{number}" for number in range(count)]
    plain = old.embed(texts=texts, model="embed-english-v3.0", input_type="search_query")
    assert (plain.response_type, plain.texts) == ("embeddings_floats", texts)
    assert plain.embeddings == [[1.0, 0.5]] * count
    typed = old.embed(texts=texts, embedding_types=["int8", "float"])
    assert (typed.response_type, typed.embeddings.int8) == ("embeddings_by_type", [[127, 64]] * count)
    assert plain.meta.billed_units.input_tokens >= count


def test_embeddings_of_the_first_version_under_asyncio(run_cohere: Connect) -> None:
    answer = run_cohere("asyncio", lambda client: client.embed(texts=["hello"]), AsyncClient)
    assert len(answer.embeddings[0]) == 1536


def test_a_fixture_that_is_no_vector(mock: AIMock, co: Any) -> None:
    mock.on({"inputText": "hello"}, {"error": {"message": "Too long"}, "status": 400})
    with pytest.raises(Exception, match="Too long"):
        co.embed(**EMBED, texts=["hello"])
