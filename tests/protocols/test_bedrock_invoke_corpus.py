"""Every recorded answer of the real provider, read by the protocol and by an independent reader, which must agree."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import attrs
import orjson
import pytest

from aimock_protocols import bedrock_invoke
from aimock_protocols.bedrock_invoke.family import Shape
from aimock_protocols.canonical import Stamp, Vectors
from recorded import needs_corpus, rows_of

pytestmark = needs_corpus


@attrs.frozen
class Head:
    path: str
    method: str = "POST"
    query: str = ""
    headers: dict[str, str] = attrs.field(factory=dict)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return rows_of("bedrock.invoke")


def shape_of(row: dict[str, Any]) -> Shape:
    raw = row["path"].removeprefix("/model/").removesuffix("/invoke")
    request = bedrock_invoke.decode(Head(row["path"]), {"model": raw}, orjson.dumps(row["request"]))
    assert (request.model, request.endpoint) == (unquote(raw), "embedding")
    return bedrock_invoke.shape(request)


def read(body: bytes) -> Vectors:
    vectors = bedrock_invoke.parse(body)
    assert isinstance(vectors, Vectors)
    return vectors


def test_every_answer_is_what_was_sent(oracle: ModuleType, rows: list[dict[str, Any]], stamp: Stamp) -> None:
    """The corpus has embeddings alone. What is read of one, told again, is the very answer, member for member."""
    for row in rows:
        body = orjson.dumps(row["response"])
        vectors = read(body)
        again = bedrock_invoke.encode(vectors, shape_of(row), stamp)
        summaries = [oracle.summary("bedrock.invoke", row["content_type"], told) for told in (body, again)]
        assert summaries[0] == summaries[1], row["id"]
        assert json.loads(again) == row["response"], row["id"]
        assert read(again) == vectors, row["id"]
    assert len(rows) >= 13


def test_derived_vectors_are_as_long_as_the_real_ones(rows: list[dict[str, Any]], stamp: Stamp) -> None:
    for row in rows:
        real = read(orjson.dumps(row["response"]))
        ours = read(bedrock_invoke.encode(Vectors((None,) * len(real.values)), shape_of(row), stamp))
        assert [len(vector or ()) for vector in ours.values] == [len(vector or ()) for vector in real.values], row["id"]


def test_headers_are_those_of_the_provider(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        headers = bedrock_invoke.reply_headers(Vectors((None,)), shape_of(row))
        assert {name.lower() for name, _ in headers} == set(row["headers"]), row["id"]
