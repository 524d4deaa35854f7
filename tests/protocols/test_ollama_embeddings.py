"""Ollama's embeddings, new and old (wire-ollama §6)."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from aimock.net.exchange import Head
from aimock_protocols.canonical import ChatRequest, Stamp, Vectors, WireError
from aimock_protocols.embedding import vector_of
from aimock_protocols.ollama import embed, embeddings

HEAD = Head("POST", "/api/embed", "/api/embed", "", {}, ())


def asked(protocol: Any, **more: Any) -> ChatRequest:
    request: ChatRequest = protocol.decode(HEAD, {}, orjson.dumps({"model": "nomic"} | more))
    return request


def told(protocol: Any, vectors: Vectors, stamp: Stamp, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(protocol.encode(vectors, protocol.shape(asked(protocol, **more)), stamp))
    return body


@pytest.mark.parametrize(
    ("given", "texts"), [("hello", ["hello"]), (["hello"], ["hello"]), (["a", "", "b"], ["a", "", "b"])]
)
def test_texts(given: Any, texts: list[str]) -> None:
    request = asked(embed, input=given, truncate=True, options={"num_ctx": 5}, keep_alive="5m")
    assert (request.endpoint, request.body["input"], request.settled) == ("embedding", texts, None)
    assert (request.model, request.aliases, request.stream) == ("nomic", ("nomic:latest",), False)


@pytest.mark.parametrize("more", [{}, {"input": ""}, {"input": []}, {"input": None}])
def test_nothing_to_embed(stamp: Stamp, more: dict[str, Any]) -> None:
    settled = asked(embed, **more).settled
    assert settled is not None
    assert orjson.loads(settled(stamp).body) == {"model": "nomic", "embeddings": []}


@pytest.mark.parametrize("more", [{}, {"prompt": ""}, {"prompt": None}])
def test_nothing_to_embed_in_the_older_form(stamp: Stamp, more: dict[str, Any]) -> None:
    settled = asked(embeddings, **more).settled
    assert settled is not None
    assert orjson.loads(settled(stamp).body) == {"embedding": []}


@pytest.mark.parametrize("given", [5, {}, True, [None], ["a", 5], [["a"]]])
def test_what_is_no_text(given: Any) -> None:
    with pytest.raises(WireError, match="invalid input type") as raised:
        asked(embed, input=given)
    assert raised.value.reply.status == 400


def test_vectors_that_follow_from_their_texts_have_length_1(stamp: Stamp) -> None:
    body = told(embed, Vectors((None, None)), stamp, input=["hello", "you"])
    assert [len(vector) for vector in body["embeddings"]] == [1536, 1536]
    for vector, text in zip(body["embeddings"], ("hello", "you"), strict=True):
        assert math.hypot(*vector) == pytest.approx(1)
        plain = vector_of(text, 1536)
        assert vector[0] / vector[1] == pytest.approx(plain[0] / plain[1])
    assert body == {
        "model": "nomic",
        "embeddings": body["embeddings"],
        "total_duration": 2_750_000,
        "load_duration": 1_250_000,
        "prompt_eval_count": 3,
    }


@pytest.mark.parametrize(("wanted", "length"), [(1, 1), (256, 256), (1536, 1536), (9999, 1536), (0, 1536), (-5, 1536)])
def test_dimensions(stamp: Stamp, wanted: int, length: int) -> None:
    (vector,) = told(embed, Vectors((None,)), stamp, input="hello", dimensions=wanted)["embeddings"]
    assert len(vector) == length
    assert math.hypot(*vector) == pytest.approx(1)


def test_vectors_of_a_fixture_are_sent_as_they_are(stamp: Stamp) -> None:
    """core-fixtures §5.1"""
    vectors = Vectors(((3.0, 4.0), None), model="other", usage={"prompt_tokens": 9, "total_duration": 7})
    body = told(embed, vectors, stamp, input=["a", "b"], dimensions=1)
    assert body["embeddings"][0] == [3.0, 4.0]
    assert (body["model"], body["prompt_eval_count"], body["total_duration"]) == ("other", 9, 7)


def test_the_older_form_tells_the_vector_alone(stamp: Stamp) -> None:
    assert told(embeddings, Vectors((None,)), stamp, prompt="hello") == {"embedding": [*vector_of("hello", 1536)]}
    assert told(embeddings, Vectors(((1.0, 2.0),)), stamp, prompt="hello") == {"embedding": [1.0, 2.0]}


BAD = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b'{"embeddings":5}',
    b'{"embeddings":[5]}',
    b'{"embeddings":[["a"]]}',
    b'{"embedding":5}',
]


@pytest.mark.parametrize("body", BAD)
@pytest.mark.parametrize("protocol", [embed, embeddings], ids=lambda protocol: protocol.name)
def test_a_body_without_vectors(protocol: Any, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        protocol.parse(body)


@pytest.mark.parametrize("protocol", [embed, embeddings], ids=lambda protocol: protocol.name)
def test_a_body_that_tells_an_error(protocol: Any) -> None:
    with pytest.raises(WireError, match="boom"):
        protocol.parse(b'{"error":"boom"}')
