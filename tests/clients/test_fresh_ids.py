"""Recordings with fresh ids, as the official SDKs see them: others in each answer, and all that follows still fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import boto3
import httpx
import orjson
import pytest
from google import genai
from openai import NotFoundError, OpenAI

from aimock import AIMock

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

CALL = {"name": "get_weather", "arguments": {"city": "Kyiv"}}
TOOL = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}

Recorded = Callable[[Callable[[AIMock], Any]], Any]


@pytest.fixture
def provider() -> Iterator[AIMock]:
    with AIMock(chunk_size=3, seed=1) as server:
        server.on({"userMessage": "weather?", "hasToolResult": False}, {"content": "Let me see.", "toolCalls": [CALL]})
        server.on({"userMessage": "weather?", "hasToolResult": True}, {"content": "Sunny."})
        server.on_message("hello", {"content": "Hi!"})
        yield server


@pytest.fixture
def tape(tmp_path: Path, provider: AIMock) -> Recorded:
    """Records what is asked; what was answered."""

    def record(ask: Callable[[AIMock], Any]) -> Any:
        names = ("openai", "anthropic", "gemini", "bedrock")
        with AIMock() as mock:
            mock.enable_recording({"providers": dict.fromkeys(names, provider.url), "fixturePath": str(tmp_path)})
            return ask(mock)

    return record


def replaying(tmp_path: Path, seed: int = 7) -> AIMock:
    return AIMock(fixtures=tmp_path, strict=True, rewrite_ids=True, seed=seed)


# -- every SDK ---------------------------------------------------------------------------------------------------------


def openai_chat(mock: AIMock) -> tuple[list[str], Any]:
    """A question, and its answer after the tool's: all ids, and what else was said."""
    tools: Any = [{"type": "function", "function": TOOL}]
    messages: list[Any] = [{"role": "user", "content": "weather?"}]
    with OpenAI(base_url=f"{mock.url}/v1", api_key="any") as client:
        chunks = list(client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools, stream=True))
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        (call_id,) = [call.id for delta in deltas for call in delta.tool_calls or () if call.id]
        said = "".join(delta.content or "" for delta in deltas)
        call = {"id": call_id, "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        messages += [{"role": "assistant", "content": said, "tool_calls": [call]}]
        messages += [{"role": "tool", "tool_call_id": call_id, "content": "sun"}]
        answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools)
    (chunk_id,) = {chunk.id for chunk in chunks}
    return [chunk_id, call_id, answer.id], (said, answer.choices[0].message.content)


def openai_responses(mock: AIMock) -> tuple[list[str], Any]:
    with OpenAI(base_url=f"{mock.url}/v1", api_key="any") as client:
        first = client.responses.create(model="gpt-4o", input="hello")
        with client.responses.stream(model="gpt-4o", input="hello again", previous_response_id=first.id) as stream:
            events = list(stream)
            second = stream.get_final_response()
        assert second.previous_response_id == first.id
        item_ids = {event.item_id for event in events if hasattr(event, "item_id")}
        assert item_ids == {item.id for item in second.output}
    return [first.id, second.id, *item_ids, first.output[0].id or ""], (first.output_text, second.output_text)


def anthropic_messages(mock: AIMock) -> tuple[list[str], Any]:
    tools: Any = [{"name": "get_weather", "input_schema": TOOL["parameters"]}]
    messages: list[Any] = [{"role": "user", "content": "weather?"}]
    asked: Any = {"model": "claude-sonnet-4-6", "max_tokens": 100, "tools": tools}
    with anthropic.Anthropic(base_url=mock.url, api_key="any") as client:
        with client.messages.stream(messages=messages, **asked) as stream:
            first = stream.get_final_message()
        call = next(block for block in first.content if block.type == "tool_use")
        messages += [{"role": "assistant", "content": first.content}]
        messages += [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"}]}]
        second: Any = client.messages.create(messages=messages, **asked)
    return [first.id, call.id, second.id], (call.input, second.content[0].text)


def google_genai(mock: AIMock) -> tuple[list[str], Any]:
    client = genai.Client(api_key="any", http_options={"base_url": mock.url})
    chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="hello"))
    whole = client.models.generate_content(model="gemini-2.5-flash", contents="hello again")
    client.close()
    (chunk_id,) = {chunk.response_id or "" for chunk in chunks}
    return [chunk_id, whole.response_id or ""], ("".join(chunk.text or "" for chunk in chunks), whole.text)


def bedrock_converse(mock: AIMock) -> tuple[list[str], Any]:
    client = boto3.client(
        "bedrock-runtime", "us-east-1", endpoint_url=mock.url, aws_access_key_id="x", aws_secret_access_key="y"
    )
    tool = {"toolSpec": {"name": "get_weather", "inputSchema": {"json": TOOL["parameters"]}}}
    messages: list[Any] = [{"role": "user", "content": [{"text": "weather?"}]}]
    asked: Any = {"modelId": "amazon.nova-pro-v1:0", "toolConfig": {"tools": [tool]}}
    events = list(client.converse_stream(messages=messages, **asked)["stream"])
    starts = [event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event]
    (call_id,) = [start["toolUse"]["toolUseId"] for start in starts if "toolUse" in start]
    call = {"toolUse": {"toolUseId": call_id, "name": "get_weather", "input": {}}}
    result = {"toolResult": {"toolUseId": call_id, "content": [{"text": "sun"}]}}
    messages += [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    second = client.converse(messages=messages, **asked)
    client.close()
    return [call_id], second["output"]["message"]["content"]


def bedrock_invoke(mock: AIMock) -> tuple[list[str], Any]:
    client = boto3.client(
        "bedrock-runtime", "us-east-1", endpoint_url=mock.url, aws_access_key_id="x", aws_secret_access_key="y"
    )
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "weather?"}],
        "tools": [{"name": "get_weather", "input_schema": TOOL["parameters"]}],
    }
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    stream = client.invoke_model_with_response_stream(modelId=model, body=orjson.dumps(body))["body"]
    events = [orjson.loads(event["chunk"]["bytes"]) for event in stream]
    client.close()
    (message_id,) = [event["message"]["id"] for event in events if "message" in event]
    (call_id,) = [event["content_block"]["id"] for event in events if event.get("content_block", {}).get("id")]
    texts = [event["delta"]["text"] for event in events if event.get("delta", {}).get("type") == "text_delta"]
    return [message_id, call_id], "".join(texts)


SDKS = (openai_chat, openai_responses, anthropic_messages, google_genai, bedrock_converse, bedrock_invoke)


@pytest.mark.parametrize("ask", SDKS, ids=lambda ask: ask.__name__)
def test_each_answer_has_ids_of_its_own(
    tmp_path: Path, tape: Recorded, ask: Callable[[AIMock], tuple[list[str], Any]]
) -> None:
    recorded, said = tape(ask)
    with replaying(tmp_path) as mock:
        first, again = ask(mock), ask(mock)
    with replaying(tmp_path) as mock:
        repeated = [ask(mock), ask(mock)]
    with replaying(tmp_path, seed=8) as mock:
        other, _ = ask(mock)
    assert first[1] == again[1] == said
    assert [first, again] == repeated, "a seed repeats a run"
    every = [*recorded, *first[0], *again[0], *other]
    assert len(set(every)) == len(every)
    assert list(map(len, first[0])) == list(map(len, recorded))
    with AIMock(fixtures=tmp_path, strict=True) as mock:
        assert ask(mock)[0] == recorded, "unless it is wanted they are the recorded ones"


# -- what follows ------------------------------------------------------------------------------------------------------


def edited(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Changes every recorded entry."""
    for file in tmp_path.rglob("*.json"):
        content = orjson.loads(file.read_bytes())
        for entry in content["fixtures"]:
            change(entry)
        file.write_bytes(orjson.dumps(content))


def test_a_match_by_the_recorded_call_fits_the_fresh_one(tmp_path: Path, tape: Recorded) -> None:
    (_, call_id, _), said = tape(openai_chat)

    def narrow(entry: dict[str, Any]) -> None:
        if entry["match"]["hasToolResult"]:
            entry["match"] = {"toolCallId": call_id}

    edited(tmp_path, narrow)
    with replaying(tmp_path) as mock:
        ids, replayed = openai_chat(mock)
    assert replayed == said
    assert ids[1] != call_id


def test_what_is_remembered_has_the_id_that_was_given(tmp_path: Path, tape: Recorded) -> None:
    tape(openai_responses)
    with replaying(tmp_path) as mock:
        (first_id, second_id, *_), _ = openai_responses(mock)
        with OpenAI(base_url=f"{mock.url}/v1", api_key="any") as client:
            assert client.responses.retrieve(first_id).id == first_id
            assert client.responses.retrieve(second_id).previous_response_id == first_id


def test_another_provider_s_protocol_has_them_too(tmp_path: Path, tape: Recorded) -> None:
    recorded, _ = tape(openai_chat)
    with replaying(tmp_path) as mock, anthropic.Anthropic(base_url=mock.url, api_key="any") as client:
        messages: Any = [{"role": "user", "content": "weather?"}]
        asked: Any = {"model": "gpt-4o", "max_tokens": 100, "messages": messages}
        one, two = client.messages.create(**asked), client.messages.create(**asked)
    calls = [next(block.id for block in each.content if block.type == "tool_use") for each in (one, two)]
    assert len({one.id, two.id, *calls, *recorded}) == 4 + len(recorded)


def test_a_miss_goes_to_the_provider_with_the_ids_that_it_knows(
    tmp_path: Path, tape: Recorded, provider: AIMock
) -> None:
    (recorded_id, *_), _ = tape(openai_responses)
    provider.clear_requests()
    record = {"providers": {"openai": provider.url}, "fixturePath": str(tmp_path), "rewriteIds": True}
    with AIMock(fixtures=tmp_path, record=record) as mock, OpenAI(base_url=f"{mock.url}/v1", api_key="any") as client:
        first = client.responses.create(model="gpt-4o", input="hello")
        assert first.id != recorded_id
        client.responses.create(model="gpt-4o", input="hello, once more", previous_response_id=first.id)
        (asked,) = provider.get_requests()
        assert asked["response"]["status"] == 200
        (seen,) = [entry for entry in mock.get_requests() if entry["response"].get("source") == "proxy"]
        assert seen["body"] is not None
        mock.disable_recording()
        assert client.responses.create(model="gpt-4o", input="hello").id == recorded_id, "it was recording's wish"
        with pytest.raises(NotFoundError):
            client.responses.retrieve("resp_unknown")


def test_who_refers_to_a_fresh_id_asks_what_was_recorded(tmp_path: Path, provider: AIMock, tape: Recorded) -> None:
    """It is no other request than the one that referred to the recorded id, so the provider is not asked again."""
    tape(openai_responses)
    asked = len(provider.get_requests())
    record = {"providers": {"openai": provider.url}, "fixturePath": str(tmp_path), "rewriteIds": True}
    with AIMock(fixtures=tmp_path, record=record) as mock:
        openai_responses(mock)
    assert len(provider.get_requests()) == asked


def test_request_ids_in_headers(tmp_path: Path, tape: Recorded) -> None:
    tape(openai_chat)
    told = {"apim-request-id": "0aB", "x-generation-id": "gen-1"}
    edited(tmp_path, lambda entry: entry["recording"]["headers"].update(told))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "weather?"}], "stream": True}
    with replaying(tmp_path) as mock:
        one, two = (httpx.post(f"{mock.url}/v1/chat/completions", json=body) for _ in range(2))
    for answer in (one, two):
        assert len(answer.headers.get_list("x-request-id")) == 1
    for name in ("x-request-id", "apim-request-id"):
        assert one.headers[name] != two.headers[name]
    assert {"0aB", "gen-1"}.isdisjoint(one.headers.values())


def test_own_fixtures_keep_the_ids_that_they_say() -> None:
    with AIMock(rewrite_ids=True) as mock, OpenAI(base_url=f"{mock.url}/v1", api_key="any") as client:
        mock.on_message("hello", {"content": "Hi", "id": "chatcmpl-mine"})
        messages: Any = [{"role": "user", "content": "hello"}]
        assert client.chat.completions.create(model="gpt-4o", messages=messages).id == "chatcmpl-mine"
