"""A vector service with an API of the tests' own: what all real ones share shows in it without their words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from aimock.net.exchange import Answer, Head
from aimock.surfaces import vector
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.dialect import Dialect, Route
from aimock.surfaces.vector.mock import VectorMock
from aimock.surfaces.vector.script import Asked
from aimock.surfaces.vector.store import Collection, dense
from aimock_protocols.canonical import ErrorReply, WireError, WireResponse


class Plain(Dialect):
    """Queries, and descriptions by name or id."""

    name = "qdrant"

    def __init__(self) -> None:
        self.routes = [
            Route("POST", "/of/{name}", "query", _query),
            Route("GET", "/of/{name}", "describe", _describe),
            Route("GET", "/with/{id}", "describe", _identify),
        ]

    def means(self, head: Head) -> bool:
        return False

    def error(self, call: Call, error: ErrorReply) -> WireResponse:
        return WireResponse(error.status, (), orjson.dumps({"plainly": error.message}))


def _named(call: Call) -> Collection:
    found = call.collection(call.params["name"])
    if found is None:
        raise WireError(ErrorReply("no such collection", status=404))
    return found


def _query(call: Call) -> Answer:
    collection, told = _named(call), call.body()
    values = told.get("vector")
    scripted = call.scripted(collection, Asked(values, told.get("k", 10), told.get("filter")))
    if scripted is not None:
        return call.reply(200, [each._asdict() for each in scripted])
    hits = collection.namespace().snapshot().nearest("", dense(values), told.get("k", 10))
    return call.reply(200, [{"id": hit.record.id, "score": hit.score} for hit in hits])


def _describe(call: Call) -> Answer:
    collection = _named(call)
    return call.reply(200, {"ready": call.is_ready(collection), "records": len(collection)})


def _identify(call: Call) -> Answer:
    found = call.collection_with_id(call.params["id"])
    return call.reply(200, {"name": None if found is None else found.name})


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services made from now on speak this API alone."""
    monkeypatch.setattr(vector, "speaking", lambda names: [Plain()])


@pytest.fixture
def mock(plain: None) -> Iterator[VectorMock]:
    with VectorMock(metrics=True, seed=1) as mock:
        yield mock


@pytest.fixture
def ask(mock: VectorMock) -> Callable[..., httpx.Response]:
    """ask("docs", k=2, test_id="a"): a query of a collection."""

    def send(name: str = "docs", test_id: str = "", **body: Any) -> httpx.Response:
        headers = {"x-test-id": test_id} if test_id else {}
        return httpx.post(f"{mock.url}/of/{name}", json={"vector": [1, 0], **body}, headers=headers)

    return send


@pytest.fixture
def seeded() -> Callable[..., list[Collection]]:
    """The collections that a section makes."""

    def read(section: Any, directory: Path = Path()) -> list[Collection]:
        return [*vector.from_config(section, directory).store]

    return read
