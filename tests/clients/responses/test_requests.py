"""What is asked of Responses, and where, through the official SDK (wire-openai-responses §3, §14, §18)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai import AzureOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel

from aimock import AIMock

Said = Callable[..., Any]

QUESTION: dict[str, Any] = {"model": "gpt-5", "input": "hello"}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}


class Person(BaseModel):
    """What structured output is read as."""

    name: str
    born: int


def test_structured_output(mock: AIMock, parsed: Said, put_together: Said) -> None:
    """wire-openai-responses §18.12."""
    mock.on({"responseFormat": "json_schema"}, {"content": {"name": "Ada", "born": 1815}})
    for response in (parsed(text_format=Person), put_together(text_format=Person)):
        assert response.output_parsed == Person(name="Ada", born=1815)


def test_parsed_arguments(mock: AIMock, parsed: Said) -> None:
    mock.on_tool_call("Person", {"toolCalls": [{"name": "Person", "arguments": {"name": "Ada", "born": 1815}}]})
    chat_tool = pydantic_function_tool(Person)
    tool = {"type": "function", **chat_tool["function"]}
    assert parsed(tools=[tool]).output[0].parsed_arguments == {"name": "Ada", "born": 1815}


def test_what_fixtures_can_match(mock: AIMock, said: Said) -> None:
    """wire-openai-responses §3, §18.10, §18.11."""
    mock.on({"systemMessage": ["Be kind.", "Be brief."]}, {"content": "system"})
    mock.on({"toolName": "f"}, {"content": "tool"})
    mock.on({"responseFormat": "json_object"}, {"content": "{}"})
    mock.on({"toolResultContains": "sunny"}, {"content": "result"})
    mock.on({"where": "max_tokens == `7`"}, {"content": "limit"})
    mock.on({"userMessage": "two parts"}, {"content": "parts"})
    developer = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "x"}]
    assert said(instructions="Be kind.", input=developer).output_text == "system"
    assert said(tools=[TOOL]).output_text == "tool"
    assert said(text={"format": {"type": "json_object"}}).output_text == "{}"
    called = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    output = [{"type": "input_text", "text": "It is "}, {"type": "input_text", "text": "sunny."}]
    result = {"type": "function_call_output", "call_id": "a", "output": output}
    assert said(input=[{"role": "user", "content": "x"}, called, result]).output_text == "result"
    assert said(max_output_tokens=7).output_text == "limit"
    parts = [{"type": "input_text", "text": "two "}, {"type": "input_text", "text": "parts"}]
    assert said(input=[{"role": "user", "content": parts}]).output_text == "parts"


def weather(city: str) -> str:
    return f"It is sunny in {city}."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stateful", [False, True])
def test_a_loop_of_tools(mock: AIMock, said: Said, put_together: Said, stream: bool, stateful: bool) -> None:
    """As agents do it: until no call is left, sending all back, or what is new after `previous_response_id`."""
    calls = [{"name": "weather", "arguments": {"city": city}} for city in ("Paris", "Tokyo")]
    mock.on({"toolResultContains": "sunny in Tokyo"}, {"content": "Both are sunny.", "reasoning": "Fine."})
    mock.on_message("weather?", {"content": "Let me see.", "toolCalls": calls, "reasoning": "Hm."})
    items: list[Any] = [{"role": "user", "content": "weather?"}]
    previous = None
    for _ in range(5):
        response = (put_together if stream else said)(input=items, previous_response_id=previous)
        called = [item for item in response.output if item.type == "function_call"]
        if not called:
            break
        results = [
            {"type": "function_call_output", "call_id": call.call_id, "output": weather(**json.loads(call.arguments))}
            for call in called
        ]
        if stateful:
            previous, items = response.id, results
        else:
            items += [item.to_dict() for item in response.output] + results
    assert response.output_text == "Both are sunny."
    assert len(mock.get_requests()) == 2


def test_references_to_items_count_as_turns(mock: AIMock, client: OpenAI) -> None:
    """wire-openai-responses §3, §20: clients that trust the provider to remember send no more than ids."""
    mock.on({"turnIndex": 1, "toolCallId": "a"}, {"content": "Done."})
    items: Any = [
        {"role": "user", "content": "hello"},
        {"type": "item_reference", "id": "fc_1"},
        {"type": "function_call_output", "call_id": "a", "output": "ok"},
    ]
    assert client.responses.create(model="gpt-5", input=items).output_text == "Done."
    (entry,) = mock.get_requests()
    assert [message["role"] for message in entry["body"]["messages"]] == ["user", "assistant", "tool"]


def test_the_journal_has_the_request_in_canonical_form(mock: AIMock, client: OpenAI) -> None:
    mock.on_message("hello", {"content": "Hi"})
    client.responses.create(**QUESTION, instructions="Be kind.", tools=[TOOL])
    (entry,) = mock.get_requests()
    assert entry["path"] == "/v1/responses"
    assert [message["content"] for message in entry["body"]["messages"]] == ["Be kind.", "hello"]
    assert entry["body"]["tools"][0]["function"]["name"] == "f"


# -- elsewhere ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["/v1", "", "/api/v1", "/openai/v1", "/compatible/v9"])
def test_base_paths(mock: AIMock, connect: Said, base: str) -> None:
    mock.on_message("hello", {"content": "Hi"})
    client = connect(base_url=mock.url + base)
    response = client.responses.create(**QUESTION)
    assert response.output_text == "Hi"
    if base in ("/v1", "", "/openai/v1"):
        assert client.responses.retrieve(response.id).output_text == "Hi"


def test_azure(mock: AIMock, connect: Said) -> None:
    mock.on_message("hello", {"content": "Hi"})
    client = connect(AzureOpenAI, azure_endpoint=mock.url, api_version="2025-03-01-preview")
    response = client.responses.create(**QUESTION)
    assert response.output_text == "Hi"
    assert mock.get_requests()[-1]["path"].startswith("/openai/responses")
    assert client.responses.retrieve(response.id).output_text == "Hi"
    assert client.responses.input_items.list(response.id).data[0].content[0].text == "hello"


def test_langchain(mock: AIMock) -> None:
    from langchain_openai import ChatOpenAI

    call = {"name": "f", "arguments": {"x": 1}, "id": "call_1"}
    mock.on_message("hello", {"content": "Hi there", "reasoning": "Hm.", "toolCalls": [call]}, chunk_size=3)
    model = ChatOpenAI(model="gpt-5", base_url=f"{mock.url}/v1", api_key="test", use_responses_api=True)
    whole = model.invoke("hello")
    streamed = None
    for chunk in model.stream("hello"):
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed is not None
    for message in (whole, streamed):
        assert message.text == "Hi there"
        assert [(called["name"], called["args"], called["id"]) for called in message.tool_calls] == [
            ("f", {"x": 1}, "call_1")
        ]
        assert message.usage_metadata["input_tokens"] == 2
