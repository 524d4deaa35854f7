"""OpenAI's Agents SDK over Realtime: it validates every event strictly, and reports those that it does not know.

It pins an older `websockets` than other SDKs bring, and has an environment of its own: `pip install '.[agents]'`.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("agents.realtime", reason="openai-agents is not installed here: see the extra `agents`")

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from agents.realtime.model_events import RealtimeModelErrorEvent, RealtimeModelExceptionEvent

from aimock import AIMock

Event = Any

pytestmark = pytest.mark.filterwarnings("ignore")  # what a framework warns of is its own affair

CALLS = {"toolCalls": [{"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}]}


def run(mock: AIMock, *texts: str, modality: str = "text", ends: int = 1, **settings: Any) -> list[Event]:
    """Sends messages one after the other, each when the agent has ended `ends` times more; gives all events."""
    cities = []

    @function_tool
    def get_weather(city: str) -> str:
        """The weather in a city."""
        cities.append(city)
        return "sunny"

    agent = RealtimeAgent(name="Assistant", instructions="Be brief.", tools=[get_weather])
    model_settings = {"model_name": "gpt-realtime-2.1", "modalities": [modality], **settings}
    runner = RealtimeRunner(agent, config={"model_settings": model_settings})  # type: ignore[typeddict-item]
    url = f"{mock.url.replace('http', 'ws')}/v1/realtime?model=gpt-realtime-2.1"

    async def main() -> list[Event]:
        told = []
        waiting = list(texts)
        async with await runner.run(model_config={"api_key": "test", "url": url}) as session:
            await session.send_message(waiting.pop(0))
            left = ends
            async for event in session:
                told.append(event)
                left -= event.type == "agent_end"
                if left == 0:
                    if not waiting:
                        return told
                    left = ends
                    await session.send_message(waiting.pop(0))
        return told

    return asyncio.run(asyncio.wait_for(main(), 20))


def misunderstood(events: list[Event]) -> list[Event]:
    """What the SDK could make nothing of."""
    kinds = (RealtimeModelErrorEvent, RealtimeModelExceptionEvent)
    raw = [event.data for event in events if event.type == "raw_model_event"]
    return [each for each in raw if isinstance(each, kinds)] + [each for each in events if each.type == "error"]


def said(events: list[Event]) -> list[str]:
    """The texts of the assistant's messages in the history that the SDK keeps."""
    history = [event.history for event in events if event.type == "history_updated"][-1]
    return [
        getattr(part, "text", None) or getattr(part, "transcript", None) or ""
        for item in history
        if item.type == "message" and item.role == "assistant"
        for part in item.content
    ]


@pytest.fixture
def mock() -> Any:
    with AIMock() as running:
        running.on({"toolCallId": "call_1"}, {"content": "It is sunny in Paris."})
        running.on_message("weather", CALLS)
        running.on_message("hello", {"content": "Hello there!"})
        yield running


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_a_turn(mock: AIMock, modality: str) -> None:
    events = run(mock, "hello", modality=modality)
    assert misunderstood(events) == []
    assert any(event.type == "audio" for event in events) is (modality == "audio")


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_the_whole_loop_of_a_tool(mock: AIMock, modality: str) -> None:
    """The call, its result and the answer are three responses' worth of events, all of them understood."""
    events = run(mock, "What is the weather?", modality=modality, ends=2)
    assert misunderstood(events) == []
    (tool,) = [event for event in events if event.type == "tool_end"]
    assert (tool.tool.name, tool.output) == ("get_weather", "sunny")
    roles = [message["role"] for message in mock.get_requests()[-1]["body"]["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert [entry["response"]["status"] for entry in mock.get_requests()] == [200, 200]


def test_a_conversation(mock: AIMock) -> None:
    events = run(mock, "hello", "hello again")
    assert misunderstood(events) == []
    assert [len(entry["body"]["messages"]) for entry in mock.get_requests()] == [2, 4]


def test_its_validators_know_every_event_of_a_session() -> None:
    """The same events without a socket, each through its type adapter."""
    from agents.realtime.openai_realtime import get_server_event_type_adapter

    from aimock_protocols import openai_realtime
    from aimock_protocols.canonical import Reply, Text, ToolCall
    from talking import talk

    talking = talk(openai_realtime, answer=Reply((Text("Hello"), ToolCall("f", "{}"))))
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    talking.send({"type": "conversation.item.create", "item": item})
    talking.send({"type": "response.create"})
    talking.send({"type": "response.create", "response": {"output_modalities": ["text"]}})
    talking.send({"type": "response.cancel"})
    adapter = get_server_event_type_adapter()
    for event in talking.events:
        if event.get("previous_item_id", "") is None:
            event = event | {"previous_item_id": ""}  # as the SDK does itself
        assert adapter.validate_python(event).type == event["type"]
