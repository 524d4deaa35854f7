"""Responses over a WebSocket through OpenAI's SDK, as sync code and under asyncio (its sockets know no Trio)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import pytest
from anyio.from_thread import start_blocking_portal
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
from websockets.exceptions import ConnectionClosed

from aimock import AIMock

pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
"""The SDK's sync sockets use what `websockets` has deprecated."""

ENDINGS = {"response.completed", "response.incomplete", "response.failed", "error"}
STRICT = {"X-AIMock-Strict": "true"}
STALLING = {"ttft": 0, "tps": 0.0001}
"""After the first event, the next one would take hours."""

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": True}


@attrs.define
class Socket:
    """A connection of either kind, with the events as JSON."""

    connection: Any
    call: Callable[..., Any]
    """Calls a method of the SDK."""

    def create(self, text: Any = "hello", **more: Any) -> None:
        self.call(self.connection.response.create, model="gpt-5", input=text, **more)

    def steer(self, response: str, text: str) -> None:
        self.call(self.connection.response.steer, previous_response_id=response, input=text)

    def recv(self) -> dict[str, Any]:
        event = self.call(self.connection.recv)
        told: dict[str, Any] = event.to_dict(mode="json")
        return told

    def until_end(self) -> list[dict[str, Any]]:
        """The events up to the one that ends a response."""
        told = [self.recv()]
        while told[-1]["type"] not in ENDINGS:
            told.append(self.recv())
        return told

    def answer(self, text: Any = "hello", **more: Any) -> dict[str, Any]:
        """The response to a request."""
        self.create(text, **more)
        response: dict[str, Any] = self.until_end()[-1]["response"]
        return response


Open = Callable[..., Socket]


@pytest.fixture(params=["sync", "asyncio"])
def opened(request: pytest.FixtureRequest, mock: AIMock) -> Iterator[Open]:
    """opened(**options of connect): a connection; `azure` and `base` say how the client is made."""
    with ExitStack() as stack:

        def open_one(*, base: str = "/v1", azure: bool = False, **options: Any) -> Socket:
            if azure:
                where = {"azure_endpoint": mock.url, "api_version": "2025-03-01-preview"}
            else:
                where = {"base_url": mock.url + base}
            settings = {"api_key": "test", "max_retries": 0, **where}
            if request.param == "sync":
                kind: Any = AzureOpenAI if azure else OpenAI
                client = stack.enter_context(kind(http_client=DefaultHttpxClient(verify=False), **settings))
                return Socket(stack.enter_context(client.responses.connect(**options)), lambda ask, **more: ask(**more))
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            kind = AsyncAzureOpenAI if azure else AsyncOpenAI
            client = kind(http_client=DefaultAsyncHttpxClient(verify=False), **settings)
            stack.callback(portal.call, client.close)
            connection = stack.enter_context(portal.wrap_async_context_manager(client.responses.connect(**options)))
            return Socket(connection, lambda ask, **more: portal.call(functools.partial(ask, **more)))

        yield open_one


@pytest.fixture
def greeting(mock: AIMock) -> AIMock:
    return mock.on_message("hello", {"content": "Hello there, you!"}, chunk_size=5)


def text_of(response: dict[str, Any]) -> str:
    return "".join(part["text"] for item in response["output"] for part in item["content"])


def served(mock: AIMock) -> list[tuple[Any, Any]]:
    return [(entry["response"]["status"], entry["response"].get("interruptReason")) for entry in mock.get_requests()]


# -- turns -------------------------------------------------------------------------------------------------------------


def test_a_turn(greeting: AIMock, opened: Open) -> None:
    socket = opened()
    socket.create()
    told = socket.until_end()
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    deltas = [event["delta"] for event in told if event["type"] == "response.output_text.delta"]
    assert deltas == ["Hello", " ther", "e, yo", "u!"]
    assert text_of(told[-1]["response"]) == "Hello there, you!"
    (entry,) = greeting.get_requests()
    assert (entry["method"], entry["path"], entry["response"]["status"]) == ("WS", "/v1/responses", 200)
    assert entry["body"]["messages"] == [{"role": "user", "content": "hello"}]
    assert entry["body"]["_endpointType"] == "chat"


@pytest.mark.parametrize("where", [{"base": "/v1"}, {"base": ""}, {"base": "/openai/v1"}, {"azure": True}])
def test_wherever_clients_look_for_it(greeting: AIMock, opened: Open, where: dict[str, Any]) -> None:
    assert text_of(opened(**where).answer()) == "Hello there, you!"
    assert greeting.get_requests()[0]["path"] == "/v1/responses"


def test_tools_are_called_and_answered(mock: AIMock, opened: Open) -> None:
    """With nothing stored: the connection knows its last response, and fixtures see what came before."""
    mock.on_tool_result("call_1", {"content": "It is sunny."})
    mock.on_message("weather", {"toolCalls": [{"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}]})
    socket = opened()
    first = socket.answer("weather", store=False, tools=[WEATHER])
    (call,) = first["output"]
    assert (call["name"], call["arguments"]) == ("get_weather", '{"city":"Paris"}')
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = socket.answer([output], store=False, previous_response_id=first["id"])
    assert text_of(second) == "It is sunny."
    roles = [message["role"] for message in mock.get_requests()[-1]["body"]["messages"]]
    assert roles == ["user", "assistant", "tool"]


def test_turns_and_sequences_are_counted_as_over_http(mock: AIMock, opened: Open) -> None:
    mock.on({"userMessage": "hello", "turnIndex": 1}, {"content": "Again?"})
    mock.on_message("hello", {"content": "Hello."})
    socket = opened()
    first = socket.answer()
    assert text_of(first) == "Hello."
    assert text_of(socket.answer(previous_response_id=first["id"])) == "Again?"


@pytest.mark.parametrize("waits", [False, True])
def test_functions_answer(mock: AIMock, opened: Open, waits: bool) -> None:
    def answer(request: Any) -> Any:
        return {"content": request["messages"][-1]["content"].upper()}

    async def answer_later(request: Any) -> Any:
        return answer(request)

    mock.on_message("hello", answer_later if waits else answer)
    assert text_of(opened().answer()) == "HELLO"


# -- what was said before ----------------------------------------------------------------------------------------------


def test_what_is_stored_is_shared_with_http(greeting: AIMock, client: OpenAI, opened: Open) -> None:
    socket = opened()
    over_http = client.responses.create(model="gpt-5", input="hello", instructions="Be brief.")
    response = socket.answer("hello again", previous_response_id=over_http.id)
    assert [message["role"] for message in greeting.get_requests()[-1]["body"]["messages"]] == [
        "user",
        "assistant",
        "user",
    ]
    assert client.responses.retrieve(response["id"]).output_text == "Hello there, you!"
    (item,) = client.responses.input_items.list(response["id"])
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "hello again"}]


def test_an_unknown_response_is_told_as_an_error(greeting: AIMock, opened: Open) -> None:
    socket = opened()
    socket.create(previous_response_id="resp_1", stream_id="a")
    (event,) = socket.until_end()
    assert (event["status"], event["error"]["code"], event["stream_id"]) == (400, "previous_response_not_found", "a")
    assert greeting.get_requests() == []
    assert text_of(socket.answer()) == "Hello there, you!"


def test_a_warm_up(mock: AIMock, opened: Open) -> None:
    mock.on({"systemMessage": "brief", "userMessage": "hello"}, {"content": "Hi."})
    socket = opened()
    warm = socket.answer([], generate=False, tools=[WEATHER], store=False)
    assert warm["output"] == []
    assert mock.get_requests() == []
    response = socket.answer(previous_response_id=warm["id"], instructions="Be brief.")
    assert text_of(response) == "Hi."


# -- lanes and steering ------------------------------------------------------------------------------------------------


def test_lanes_do_not_wait_for_each_other(greeting: AIMock, opened: Open) -> None:
    greeting.on_message("wait", {"content": "Never."}, streaming_profile=STALLING)
    socket = opened()
    socket.create("wait", stream_id="slow")
    assert socket.recv()["type"] == "response.created"
    socket.create("wait", stream_id="slow")
    for _ in range(2):
        socket.create(stream_id="quick")
        assert {event["stream_id"] for event in socket.until_end()} == {"quick"}
    socket.call(socket.connection.close)
    assert len(greeting.get_requests()) == 3, "what waits in a lane has not been asked for"


def test_steering(mock: AIMock, opened: Open) -> None:
    """Only the first event was on its way when the response was steered, so pacing held back what came after it."""
    mock.on_message("plan", {"content": "A long plan."}, streaming_profile=STALLING)
    mock.on_message("Be short.", {"content": "A plan."})
    socket = opened()
    socket.create("plan", instructions="Think.")
    first = socket.recv()["response"]["id"]
    socket.steer(first, "Be short.")
    told = socket.until_end()
    assert (told[0]["type"], told[0]["sequence_number"]) == ("response.steer.accepted", 1)
    assert [event["sequence_number"] for event in told] == list(range(1, len(told) + 1))
    assert told[-1]["response"]["incomplete_details"] == {"reason": "steered"}
    second = socket.until_end()[-1]["response"]
    assert (text_of(second), second["previous_response_id"]) == ("A plan.", first)
    assert served(mock) == [(200, "cancelled"), (200, None)]
    assert mock.get_requests()[-1]["body"]["messages"][0] == {"role": "system", "content": "Think."}


def test_steering_waits_for_tools(mock: AIMock, opened: Open) -> None:
    mock.on_tool_result("call_1", {"content": "20 degrees."})
    call = {"id": "call_1", "name": "get_weather", "arguments": "{}"}
    mock.on_message("weather", {"toolCalls": [call]}, recorded_timings={"ttftMs": 0, "interChunkDelaysMs": [0, 0, 9e7]})
    socket = opened()
    socket.create("weather")
    first = socket.recv()["response"]["id"]
    assert [socket.recv()["type"] for _ in range(2)][-1] == "response.output_item.added"
    socket.steer(first, "In Celsius.")
    told = [*socket.until_end(), socket.recv()]
    assert [event["type"] for event in told[-2:]] == ["response.completed", "response.steer.pending"]
    output = {"type": "function_call_output", "call_id": "call_1", "output": "20"}
    assert text_of(socket.answer([output], previous_response_id=first)) == "20 degrees."
    assert [message["content"] for message in mock.get_requests()[-1]["body"]["messages"][-2:]] == ["In Celsius.", "20"]


def test_steering_what_has_ended(greeting: AIMock, opened: Open) -> None:
    socket = opened()
    socket.steer(socket.answer()["id"], "Be short.")
    failed = socket.recv()
    assert (failed["type"], failed["error"]["code"]) == ("response.steer.failed", "response_already_completed")


# -- errors ------------------------------------------------------------------------------------------------------------


def test_errors_leave_the_connection_open(greeting: AIMock, opened: Open) -> None:
    error = {"error": {"message": "Slow down.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    greeting.on_message("limit", {**error, "status": 429})
    socket = opened()
    for text, status, code in (("limit", 429, "rate_limit_exceeded"), ("nothing", 404, "no_fixture_match")):
        socket.create(text)
        (event,) = socket.until_end()
        assert (event["status"], event["error"]["code"]) == (status, code)
    socket.call(socket.connection.send_raw, data="{")
    assert socket.recv()["error"]["code"] == "invalid_json"
    assert text_of(socket.answer()) == "Hello there, you!"
    assert [status for status, _ in served(greeting)] == [429, 404, 200]


def test_an_error_in_the_midst(mock: AIMock, opened: Open) -> None:
    mock.on_message("hello", {"content": "Hello.", "midStreamError": {"afterChunks": 3, "message": "Overloaded."}})
    socket = opened()
    socket.create()
    told = [*socket.until_end(), socket.recv()]
    assert [event["type"] for event in told[3:]] == ["error", "response.failed"]


def test_a_strict_miss_closes_the_connection(greeting: AIMock, opened: Open) -> None:
    socket = opened(extra_headers=STRICT)
    assert text_of(socket.answer()) == "Hello there, you!"
    socket.create("nothing")
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "Strict mode: no fixture matched")
    assert [status for status, _ in served(greeting)] == [200, 503]


def test_every_event_is_a_chunk_to_truncation(mock: AIMock, opened: Open) -> None:
    mock.on_message("hello", {"content": "Hello."}, truncate_after_chunks=4)
    socket = opened()
    socket.create()
    assert [socket.recv()["sequence_number"] for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv()
    assert closed.value.rcvd is None, "no close frame: 1006"
    assert served(mock) == [(200, "truncateAfterChunks")]
