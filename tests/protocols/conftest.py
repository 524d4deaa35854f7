"""What the tests of the protocols share: one moment, one seed, and requests as they come off the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import attrs
import orjson
import pytest

from aimock.memories import Memories
from aimock_protocols import (
    anthropic_messages,
    bedrock_converse,
    cohere,
    gemini,
    gemini_interactions,
    openai_chat,
    openai_responses,
)
from aimock_protocols.canonical import ChatRequest, SideRequest, Stamp
from aimock_protocols.cohere import v1 as cohere_v1
from live_driver import Driver
from protocol_cases.responses_client import Client
from recorded import independent_reader


@attrs.frozen
class Head:
    method: str = "POST"
    path: str = "/v1/chat/completions"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


@pytest.fixture(scope="session")
def head() -> Head:
    return Head()


@pytest.fixture(scope="session")
def oracle() -> ModuleType:
    """What reads recorded traffic independently of our code."""
    return independent_reader()


@pytest.fixture(scope="session")
def stamp() -> Stamp:
    return Stamp(created=1795200000.25, entropy=b"sixteen bytes ok" * 4)


@pytest.fixture(scope="session")
def ask(head: Head) -> Callable[..., ChatRequest]:
    """A decoded chat request: one user message `hello` to gpt-4o, and whatever the test adds."""

    def ask(**more: Any) -> ChatRequest:
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]} | more
        return openai_chat.decode(head, {}, orjson.dumps(body))

    return ask


@pytest.fixture(scope="session")
def ask_claude() -> Callable[..., ChatRequest]:
    """A decoded Messages request: one user message `hello` to claude-x, what the test adds, and a version if any."""

    def ask(version: str | None = None, **more: Any) -> ChatRequest:
        body = {"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]} | more
        headers = {} if version is None else {"anthropic-version": version}
        return anthropic_messages.decode(Head(path="/v1/messages", headers=headers), {}, orjson.dumps(body))

    return ask


@pytest.fixture(scope="session")
def ask_converse() -> Callable[..., ChatRequest]:
    """A decoded Converse request: one user message `hello` to the model of this id, and whatever the test adds."""

    def ask(model: str = "m", stream: bool = False, **more: Any) -> ChatRequest:
        body = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]} | more
        head = Head(path=f"/model/{model}/{'converse-stream' if stream else 'converse'}")
        return bedrock_converse.decode(head, {"model": model}, orjson.dumps(body))

    return ask


@pytest.fixture(scope="session")
def ask_responses() -> Callable[..., ChatRequest]:
    """A decoded Responses request: `hello` to gpt-4o, and whatever the test adds."""

    def ask(**more: Any) -> ChatRequest:
        body = {"model": "gpt-4o", "input": "hello"} | more
        return openai_responses.decode(Head(path="/v1/responses"), {}, orjson.dumps(body))

    return ask


@pytest.fixture
def client() -> Client:
    """A client of Responses by WebSocket."""
    return Client()


@pytest.fixture(scope="session")
def ask_cohere() -> Callable[..., ChatRequest]:
    """A decoded request of Cohere's second version: one user message `hello`, and what the test adds."""

    def ask(**more: Any) -> ChatRequest:
        body = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hello"}]} | more
        return cohere.decode(Head(path="/v2/chat"), {}, json.dumps(body).encode())

    return ask


@pytest.fixture(scope="session")
def ask_cohere_v1() -> Callable[..., ChatRequest]:
    """The same of the first version, with request headers if any."""

    def ask(headers: dict[str, str] | None = None, **more: Any) -> ChatRequest:
        body = {"model": "command-r", "message": "hello"} | more
        return cohere_v1.decode(Head(path="/v1/chat", headers=headers or {}), {}, json.dumps(body).encode())

    return ask


@pytest.fixture(scope="session")
def ask_interactions() -> Callable[..., ChatRequest]:
    """A decoded request for an interaction: `hello` to gemini-x, and what the test adds."""

    def ask(value: Any = "hello", **more: Any) -> ChatRequest:
        body = {"model": "gemini-x", "input": value} | more
        return gemini_interactions.decode(Head(path="/v1beta/interactions"), {}, orjson.dumps(body))

    return ask


@pytest.fixture(scope="session")
def side_request(head: Head, stamp: Stamp) -> Callable[..., SideRequest]:
    """A request to a side route: side_request("a", "b", model="a") where there are models a and b, with parameters."""

    def make(*models: str, body: bytes = b"", **params: str) -> SideRequest:
        return SideRequest(head, params, body, stamp, models, Memories().of("", ""))

    return make


@pytest.fixture(scope="session")
def beside(stamp: Stamp) -> Callable[..., SideRequest]:
    """A request to a side route that remembers: beside(memory, query, body, response="resp_1")."""

    def make(memory: Any, query: str = "", body: Any = None, **params: str) -> SideRequest:
        return SideRequest(Head(query=query), params, orjson.dumps(body), stamp, ("gpt-4o",), memory)

    return make


@pytest.fixture(scope="session")
def ask_gemini() -> Callable[..., ChatRequest]:
    """A decoded generateContent request: the user says `hello` to gemini-x, unless the test has other contents.

    `query` is that of a stream: `alt=sse`, or nothing for an array; without one a whole answer is asked for.
    """

    def ask(*contents: Any, model: str = "gemini-x", query: str | None = None, **more: Any) -> ChatRequest:
        body = {"contents": list(contents) or [{"role": "user", "parts": [{"text": "hello"}]}]} | more
        path = f"/v1beta/models/m:{'generateContent' if query is None else 'streamGenerateContent'}"
        return gemini.decode(Head(path=path, query=query or ""), {"model": model}, orjson.dumps(body))

    return ask


@pytest.fixture
def driver() -> Driver:
    """A session of Gemini Live, for text."""
    driver = Driver()
    assert driver.set_up() == [{"setupComplete": {}}]
    return driver
