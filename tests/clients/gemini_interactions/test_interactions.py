"""What the SDK makes of answers: texts, thoughts, calls, streams, and conversations that the server keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import google.auth.credentials
import pytest
from google import genai

from aimock import AIMock

Create = Callable[..., Any]

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
CALLS = {"toolCalls": [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Tokyo")]}


def kinds(events: list[Any]) -> list[str]:
    return [event.event_type for event in events]


def text_of(events: list[Any]) -> str:
    return "".join(event.delta.text for event in deltas(events) if event.delta.type == "text")


def deltas(events: list[Any]) -> list[Any]:
    return [event for event in events if event.event_type == "step.delta"]


# -- whole -------------------------------------------------------------------------------------------------------------


def test_text(mock: AIMock, create: Create) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀"}, model="gemini-2.5-flash")
    told = create()
    assert (told.output_text, told.status, told.model) == ("Hi there, né 🚀", "completed", "gemini-2.5-flash")
    assert (told.usage.total_input_tokens, told.usage.total_output_tokens, told.usage.total_tokens) == (2, 4, 6)
    assert told.id.startswith("v1_")
    assert told.created == told.updated
    entry = mock.get_last_request()
    assert entry["path"] == "/v1/interactions"
    assert entry["headers"]["x-goog-api-key"] == "[REDACTED]"


def test_thoughts(mock: AIMock, create: Create) -> None:
    mock.on_message("hello", {"content": "Hi", "reasoning": "Let me think", "reasoningSignature": "c2ln"})
    told = create(generation_config={"thinking_level": "low", "thinking_summaries": "auto"})
    thought, output = told.steps
    assert (thought.type, thought.summary[0].text, thought.signature) == ("thought", "Let me think", "c2ln")
    assert (output.type, told.output_text, told.usage.total_thought_tokens) == ("model_output", "Hi", 3)


def test_searches(mock: AIMock, create: Create) -> None:
    mock.on_message("hello", {"content": "Hi", "webSearches": ["what is up"]})
    call, found, _ = create(tools=[{"type": "google_search"}]).steps
    assert (call.arguments.queries, found.call_id) == (["what is up"], call.id)


def test_structured_output(mock: AIMock, create: Create) -> None:
    mock.on({"responseFormat": "json_schema"}, {"content": {"name": "Ada"}})
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    told = create(response_format={"type": "text", "mime_type": "application/json", "schema": schema})
    assert told.output_text == '{"name":"Ada"}'


def test_system_instructions_and_contents(mock: AIMock, create: Create) -> None:
    mock.on({"systemMessage": "Be kind", "userMessage": "two"}, {"content": "Hi"})
    contents = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert create(contents, system_instruction="Be kind.").output_text == "Hi"


def test_agents(mock: AIMock, interactions: Any) -> None:
    mock.on({"model": "deep-research-pro"}, {"content": "Found"})
    told = interactions.create(agent="deep-research-pro", input="Look", background=False)
    assert (told.output_text, told.agent, told.model) == ("Found", "deep-research-pro", None)


@pytest.mark.parametrize(
    ("fixture", "status"),
    [({"finishReason": "length"}, "incomplete"), ({"finishReason": "content_filter"}, "failed")],
)
def test_how_it_ends(mock: AIMock, create: Create, fixture: Any, status: str) -> None:
    mock.on_message("hello", {"content": "Hi"} | fixture)
    assert create().status == status
    assert create(stream=True)[-1].interaction.status == status


# -- calls -------------------------------------------------------------------------------------------------------------


def test_calls_and_their_results_without_the_server_s_help(mock: AIMock, create: Create) -> None:
    mock.on_tool_call("get_weather", {"content": "Let me see.", **CALLS}, has_tool_result=False)
    mock.on({"toolResultContains": "sunny", "turnIndex": 1}, {"content": "Sunny in both."})
    question = {"type": "user_input", "content": [{"type": "text", "text": "weather?"}]}
    told = create([question], tools=[WEATHER], store=False)
    output, *calls = told.steps
    assert (told.status, output.content[0].text) == ("requires_action", "Let me see.")
    assert [(call.name, call.arguments) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("get_weather", {"city": "Tokyo"}),
    ]
    results = [
        {
            "type": "function_result",
            "call_id": call.id,
            "name": call.name,
            "result": [{"type": "text", "text": "sunny"}],
        }
        for call in calls
    ]
    again = create([question, *(step.to_dict() for step in told.steps), *results], tools=[WEATHER], store=False)
    assert (again.output_text, again.status) == ("Sunny in both.", "completed")


def test_calls_and_their_results_with_the_server_s_help(mock: AIMock, create: Create) -> None:
    mock.on_tool_call("get_weather", CALLS, has_tool_result=False)
    mock.on({"toolResultContains": "sunny", "turnIndex": 1}, {"content": "Sunny in both."})
    told = create("weather?", tools=[WEATHER])
    results = [{"type": "function_result", "call_id": call.id, "result": {"sky": "sunny"}} for call in told.steps]
    again = create(results, tools=[WEATHER], previous_interaction_id=told.id)
    assert (again.output_text, again.previous_interaction_id) == ("Sunny in both.", told.id)


def test_calls_in_a_stream(mock: AIMock, create: Create) -> None:
    mock.on_tool_call("get_weather", {"content": "Let me see.", **CALLS}, chunk_size=5)
    events = create("weather?", tools=[WEATHER], stream=True)
    started = [event.step for event in events if event.event_type == "step.start"]
    assert [step.type for step in started] == ["model_output", "function_call", "function_call"]
    arguments = ["", "", ""]
    for event in deltas(events):
        if event.delta.type == "arguments_delta":
            arguments[event.index] += event.delta.arguments
    assert arguments == ["", '{"city":"Paris"}', '{"city":"Tokyo"}']
    assert (text_of(events), events[-1].interaction.status) == ("Let me see.", "requires_action")


# -- streams -----------------------------------------------------------------------------------------------------------


def test_a_stream(mock: AIMock, create: Create) -> None:
    mock.on_message("hello", {"content": "Hi there, né 🚀", "reasoning": "I think"}, chunk_size=5)
    events = create(stream=True)
    assert kinds(events) == [
        "interaction.created",
        "interaction.status_update",
        *("step.start", "step.delta", "step.delta", "step.delta", "step.stop"),
        *("step.start", "step.delta", "step.delta", "step.delta", "step.stop"),
        "interaction.completed",
    ]
    assert text_of(events) == "Hi there, né 🚀"
    assert "".join(event.delta.content.text for event in deltas(events)[:2]) == "I think"
    last = events[-1].interaction
    assert (last.status, last.id) == ("completed", events[0].interaction.id)
    assert last.usage.total_output_tokens == create().usage.total_output_tokens
    assert mock.get_requests()[0]["headers"]["accept"] == "text/event-stream"


def test_a_stream_that_broke_off_is_taken_up_again(mock: AIMock, google: Callable[..., genai.Client]) -> None:
    mock.on_message("hello", {"content": "0123456789"}, chunk_size=2, truncate_after_chunks=5)
    client = google()
    events: list[Any] = []
    with pytest.raises(Exception, match="incomplete chunked read"):
        events.extend(client.interactions.create(model="m", input="hello", stream=True))
    assert text_of(events) == "0123"
    events += client.interactions.get(events[0].interaction.id, stream=True, last_event_id=events[-1].event_id)
    assert text_of(events) == "0123456789"
    assert events[-1].interaction.status == "completed"


@pytest.mark.parametrize("after", [1, 4, 6])
def test_an_error_in_the_midst_is_an_event(mock: AIMock, create: Create, interactions: Any, after: int) -> None:
    error = {"afterChunks": after, "message": "boom", "code": "service_unavailable"}
    mock.on_message("hello", {"content": "0123456789", "midStreamError": error}, chunk_size=2)
    events = create(stream=True)
    assert len(events) == after + 1
    last = events[-1]
    assert (last.event_type, last.error.code, last.error.message) == ("error", "service_unavailable", "boom")
    failed = interactions.get(events[0].interaction.id)
    assert (failed.status, failed.errors[0].message) == ("failed", "boom")


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_conversation_that_the_server_keeps(mock: AIMock, create: Create) -> None:
    mock.on({"userMessage": "name", "turnIndex": 0}, {"content": "I do not know it."})
    mock.on({"userMessage": "I am Ada"}, {"content": "Hello, Ada."})
    mock.on({"userMessage": "name", "turnIndex": 1}, {"content": "Ada."})
    assert create("my name?").output_text == "I do not know it."
    first = create("I am Ada")
    for stream in (False, True):
        second = create("my name?", previous_interaction_id=first.id, stream=stream)
        assert (text_of(second) if stream else second.output_text) == "Ada."


def test_what_is_kept_is_fetched_and_deleted(mock: AIMock, create: Create, interactions: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    told = create()
    fetched = interactions.get(told.id)
    assert (fetched.steps, fetched.status, fetched.created) == (told.steps, told.status, told.created)
    assert interactions.get(told.id, include_input=True).input == "hello"
    assert text_of(interactions.get(told.id, stream=True)) == "Hi"
    interactions.delete(told.id)
    for gone in (lambda: interactions.get(told.id), lambda: create("x", previous_interaction_id=told.id)):
        with pytest.raises(Exception, match="Interaction not found") as raised:
            gone()
        assert raised.value.status_code == 404


def test_what_is_not_to_be_kept_is_not(mock: AIMock, create: Create, interactions: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    told = create(store=False)
    with pytest.raises(Exception, match="Interaction not found"):
        interactions.get(told.id)
    assert all(event.event_id is None for event in create(store=False, stream=True))


def test_a_stream_goes_on_after_the_event_that_came_last(mock: AIMock, create: Create, interactions: Any) -> None:
    mock.on_message("hello", {"content": "0123456789"}, chunk_size=2)
    events = create(stream=True)
    assert text_of(events) == "0123456789"
    for place in (0, 4, len(events) - 1):
        rest = interactions.get(events[0].interaction.id, stream=True, last_event_id=events[place].event_id)
        assert rest == events[place + 1 :]


def test_what_runs_in_the_background(mock: AIMock, create: Create, interactions: Any) -> None:
    mock.on_message("hello", {"content": "Hi"})
    begun = create(background=True)
    assert (begun.status, begun.steps) == ("in_progress", None)
    done = interactions.get(begun.id)
    assert (done.status, done.output_text) == ("completed", "Hi")
    cancelled = create(background=True)
    assert interactions.cancel(cancelled.id).status == "cancelled"
    assert interactions.get(cancelled.id).status == "cancelled"


def test_each_test_has_interactions_of_its_own(mock: AIMock, google: Callable[..., genai.Client]) -> None:
    mock.on_message("hello", {"content": "Hi"})
    client = google()
    told = client.interactions.create(model="m", input="hello", extra_headers={"X-Test-Id": "a"})
    with pytest.raises(Exception, match="Interaction not found"):
        client.interactions.get(told.id)
    assert client.interactions.get(told.id, extra_headers={"X-Test-Id": "a"}).output_text == "Hi"
    mock.reset()
    with pytest.raises(Exception, match="Interaction not found"):
        client.interactions.get(told.id, extra_headers={"X-Test-Id": "a"})


# -- where -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "v1", "v1beta", "v1alpha", "v1beta1"])
def test_every_version(mock: AIMock, google: Callable[..., genai.Client], version: str | None) -> None:
    mock.on_message("hello", {"content": "Hi"})
    client = google(api_version=version)
    told = client.interactions.create(model="m", input="hello")
    assert client.interactions.get(told.id).output_text == "Hi"
    client.interactions.cancel(told.id)
    client.interactions.delete(told.id)
    assert mock.get_last_request()["path"] == f"/{version or 'v1'}/interactions"
    assert len(mock.get_requests()) == 1, "what is kept is fetched without a fixture, and not journaled"


def test_vertex(mock: AIMock, google: Callable[..., genai.Client]) -> None:
    mock.on_message("hello", {"content": "Hi"})
    credentials = google_credentials()
    client = google(vertexai=True, project="my-project", location="global", credentials=credentials)
    told = client.interactions.create(model="m", input="hello")
    assert client.interactions.get(told.id).output_text == "Hi"
    assert text_of(list(client.interactions.create(model="m", input="hello", stream=True))) == "Hi"
    assert mock.get_last_request()["path"] == "/v1beta1/projects/my-project/locations/global/interactions"


def google_credentials() -> Any:
    credentials = google.auth.credentials.AnonymousCredentials()
    credentials.token = "token"
    return credentials
