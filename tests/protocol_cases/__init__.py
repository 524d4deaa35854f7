"""What the tests that hold for every protocol must know of each: one module a protocol, named for it.

A module has `CASES`, a dictionary from names in the registry to `Case`, to `VectorCase` for protocols of embeddings, or
to `ServiceCase` for those of services. All modules of this package are read; `test_round_trip.py`,
`test_vector_round_trip.py`, `test_service_round_trip.py` and `test_every_protocol.py` say if one is missing. Replies
that a case draws say everything themselves (id, usage, finish reason, …), since what they left open would come back
filled in, and are in normal form: texts are not empty and do not touch, for the wire would join them. `strategies.py`
has what such replies are drawn from.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from hypothesis import strategies as st

from aimock_protocols import sse
from aimock_protocols.canonical import Reply, Vectors

NO_MESSAGES: list[Any] = [None, "hello", 5, {}, [None], ["hello"], [[]], [{"role": "user", "content": "x"}, None]]
"""What is no list of messages."""


def sse_events(body: bytes) -> list[Any]:
    """The JSON of all server-sent events but keepalives."""
    events = [event.data for event in sse.events([body]) if event.data != "[DONE]"]
    return [each for each in map(orjson.loads, events) if each != {"type": "ping"}]


def text_of(body: bytes) -> str:
    return body.decode()


def openai_message(error: Any) -> str:
    """The message of an error in an envelope like OpenAI's."""
    return str(error["error"]["message"])


class Case(NamedTuple):
    """What a chat protocol can say, how it is asked, and how its answers are read."""

    whole: st.SearchStrategy[Reply]
    """Replies that come back from `parse(encode(reply))` as they were."""
    streamed: st.SearchStrategy[Reply]
    """Replies that come back from `collapse(frames(reply))` as they were."""
    request: Mapping[str, Any]
    """A body whose user says `hello`, and that lets answers say all that they can. `model` is set besides."""
    path: str
    """Where whole answers are asked for; `{model}` stands for the model if that is told there."""
    streams_at: str
    tokens: Callable[[Any], int | None]
    """The output tokens that a whole body, or an event, tells of; None if that event tells none."""
    finish: Callable[[str], str]
    """The reason that a readable answer, whole or streamed, gives for its end."""
    ends: str
    """The reason with which text ends."""
    calls: str | None
    """The reason with which calls end; None if there are no calls."""
    ids: str | None = None
    """A pattern of which the first group is the answer's id wherever it stands; None: answers have none."""
    call_ids: str | None = None
    """The same of ids that are minted for calls."""
    shows: Callable[[str, Mapping[str, Any]], bool] = lambda body, thought: True
    """Whether a readable answer shows the reasoning of a fixture as it should."""
    params: Mapping[str, str] = MappingProxyType({})
    """What its route finds in the path."""
    derived: tuple[str, ...] = ("id", "created", "model", "finish_reason", "usage")
    """What it always says, whether the reply does or not."""
    streams_usage: bool = True
    """Whether a stream tells the usage unasked."""
    streams_by_default: bool = False
    """Whether a request that says nothing of it gets a stream."""
    wrong: Mapping[str, Sequence[Any]] = MappingProxyType({"messages": NO_MESSAGES})
    """Members of a body, and values with which it is a 400. A body without any of them is one too."""
    events: Callable[[bytes], list[Any]] = sse_events
    """The JSON of all events of a stream, however it breaks off, without keepalives and marks of its end."""
    readable: Callable[[bytes], str] = text_of
    """A body with all its JSON in the open."""
    error: Callable[[Any], str] = openai_message
    """The message of an error, of its whole body or of the event in a stream."""
    error_keeps: tuple[str, ...] = ("type", "code")
    """What errors of this protocol tell besides the message, by the names of ErrorReply's attributes."""
    tells_status: bool = False
    """Whether the body of an error tells its status."""
    error_type: str = "application/json"
    whole_type: str = "application/json"
    stream_type: str = "text/event-stream; charset=utf-8"
    bodyless: frozenset[str] = frozenset()
    """Templates of side routes that take no body, though they are posted to."""

    def asks(self, stream: bool, model: str = "o3", **more: Any) -> tuple[str, dict[str, Any]]:
        """Path and body of a request; `more` adds to the body."""
        path = (self.streams_at if stream else self.path).format(model=model)
        return path, {**self.request, "model": model, "stream": stream} | more


class VectorCase(NamedTuple):
    """The same of a protocol for embeddings."""

    vectors: st.SearchStrategy[Vectors]
    """For the texts of `request`; they come back from `parse(encode(vectors))` as they were."""
    request: Mapping[str, Any]
    """A body that asks for the vectors of `texts`."""
    path: str
    floats: Callable[[Any], list[list[float]]]
    """The vectors that a body tells."""
    texts: tuple[str, ...] = ("hello", "you")
    params: Mapping[str, str] = MappingProxyType({})
    wrong: Mapping[str, Sequence[Any]] = MappingProxyType({})
    error: Callable[[Any], str] = openai_message
    error_type: str = "application/json"
    whole_type: str = "application/json"
    normalises: bool = False
    """Whether vectors that follow from their text have length 1."""
    bodyless: frozenset[str] = frozenset()

    def asks(self, model: str = "m", **more: Any) -> tuple[str, dict[str, Any]]:
        return self.path.format(model=model), {**self.request, "model": model} | more


class ServiceCase(NamedTuple):
    """The same of a service's protocol."""

    endpoint: str
    said: st.SearchStrategy[tuple[Mapping[str, Any], ...]]
    """What `Results` may say to `request`; it comes back from `parse(encode(results))` as it was."""
    request: Mapping[str, Any]
    """A body that asks with the text `hello`, and that lets answers say all that they can."""
    path: str
    params: Mapping[str, str] = MappingProxyType({})
    wrong: Mapping[str, Sequence[Any]] = MappingProxyType({})
    error: Callable[[Any], str] = openai_message
    error_type: str = "application/json"
    whole_type: str = "application/json"
    bodyless: frozenset[str] = frozenset()
    refused: int = 400
    """The status of what is no request."""

    def asks(self, **more: Any) -> tuple[str, dict[str, Any]]:
        return self.path, {**self.request} | more


def one_of(pattern: str) -> Callable[[str], str]:
    """Reads the only thing that a pattern's first group finds in an answer."""

    def read(body: str) -> str:
        (found,) = set(re.findall(pattern, body))
        return str(found)

    return read


def _all() -> dict[str, Case | VectorCase | ServiceCase]:
    cases: dict[str, Case | VectorCase | ServiceCase] = {}
    for module in pkgutil.iter_modules(__path__):
        cases |= getattr(importlib.import_module(f"{__name__}.{module.name}"), "CASES", {})
    return cases


EVERY = _all()
CHATS: dict[str, Case] = {name: case for name, case in EVERY.items() if isinstance(case, Case)}
SERVICES: dict[str, ServiceCase] = {name: case for name, case in EVERY.items() if isinstance(case, ServiceCase)}
EMBEDDINGS: dict[str, VectorCase] = {name: case for name, case in EVERY.items() if isinstance(case, VectorCase)}
