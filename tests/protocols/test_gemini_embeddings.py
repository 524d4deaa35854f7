"""Google's embeddings (wire-gemini §6)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols.canonical import ChatRequest, Head, Stamp, Vectors, WireError
from aimock_protocols.embedding import vector_of
from aimock_protocols.gemini.embeddings import Embeddings, batch_embed_contents, embed_content, predict


def content(*texts: Any, **more: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text} for text in texts]}, **more}


def ask(protocol: Embeddings, head: Head, body: Any, model: str = "gemini-embedding-001") -> ChatRequest:
    return protocol.decode(head, {"model": model}, orjson.dumps(body))


ASKED: list[Any] = [
    pytest.param(embed_content, content("hello"), ["hello"], id="one text"),
    pytest.param(embed_content, content("hello", "you"), ["hello you"], id="parts are joined with a space"),
    pytest.param(embed_content, {"content": {"parts": {"text": "hello"}}}, ["hello"], id="a single part"),
    pytest.param(embed_content, content(5, "hello"), ["hello"], id="odd parts"),
    pytest.param(embed_content, {"content": {}}, [""], id="no parts"),
    pytest.param(batch_embed_contents, {"requests": [content("a"), content("b", model="m")]}, ["a", "b"], id="batch"),
    pytest.param(
        predict, {"instances": [{"content": "a", "task_type": "X"}, {"content": "b"}]}, ["a", "b"], id="predict"
    ),
]


@pytest.mark.parametrize(("protocol", "body", "texts"), ASKED)
def test_texts(head: Head, protocol: Embeddings, body: Any, texts: list[str]) -> None:
    request = ask(protocol, head, body)
    assert request.endpoint == "embedding"
    assert request.body == {"model": "gemini-embedding-001", "input": texts}
    assert (request.model, request.aliases) == ("gemini-embedding-001", ("models/gemini-embedding-001",))
    assert request.native == body


DIMENSIONS: list[Any] = [
    pytest.param(embed_content, content("a", outputDimensionality=64), (64,), id="of the request"),
    pytest.param(embed_content, content("a", output_dimensionality=64), (64,), id="in snake case"),
    pytest.param(
        embed_content, content("a", embedContentConfig={"outputDimensionality": 64}), (64,), id="as Vertex AI has it"
    ),
    pytest.param(
        batch_embed_contents,
        {"requests": [content("a", outputDimensionality=64), content("b")]},
        (64, 3072),
        id="each its own",
    ),
    pytest.param(
        predict,
        {"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"outputDimensionality": 64}},
        (64, 64),
        id="of all",
    ),
]


@pytest.mark.parametrize(("protocol", "body", "dimensions"), DIMENSIONS)
def test_dimensions(head: Head, stamp: Stamp, protocol: Embeddings, body: Any, dimensions: tuple[int, ...]) -> None:
    request = ask(protocol, head, body)
    shape = protocol.shape(request)
    vectors = protocol.parse(protocol.encode(Vectors((None,) * len(dimensions)), shape, stamp))
    assert vectors.values == tuple(vector_of(*each) for each in zip(shape.texts, dimensions, strict=True))
    assert request.body.get("dimensions") == (64 if set(dimensions) == {64} else None)
    given = Vectors(((1.0, 0.5),) * len(dimensions))
    assert protocol.parse(protocol.encode(given, shape, stamp)) == given, "what a fixture gives has the length it has"


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [("gemini-embedding-001", 3072), ("gemini-embedding-2", 3072), ("text-embedding-004", 768), ("mine", 768)],
)
def test_each_model_has_its_own(head: Head, model: str, dimensions: int) -> None:
    assert embed_content.shape(ask(embed_content, head, content("a"), model)).dimensions == (dimensions,)


def test_bodies(head: Head, stamp: Stamp) -> None:
    def told(protocol: Embeddings, body: Any) -> Any:
        shape = protocol.shape(ask(protocol, head, body))
        return orjson.loads(protocol.encode(Vectors(((1.0,),) * len(shape.texts)), shape, stamp))

    assert told(embed_content, content("hello")) == {
        "embedding": {"values": [1.0]},
        "usageMetadata": {"promptTokenCount": 2, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}]},
    }
    assert told(batch_embed_contents, {"requests": [content("a"), content("b")]}) == {
        "embeddings": [{"values": [1.0]}, {"values": [1.0]}]
    }
    assert told(predict, {"instances": [{"content": "hello"}]}) == {
        "predictions": [{"embeddings": {"values": [1.0], "statistics": {"truncated": False, "token_count": 2}}}]
    }


@pytest.mark.parametrize(
    ("protocol", "body", "message"),
    [
        (embed_content, {}, "content is not specified"),
        (embed_content, {"content": "hello"}, "'content': must be an object"),
        (embed_content, {"content": {"parts": [5]}}, r"'content\.parts\[0\]'"),
        (embed_content, content("a", outputDimensionality=0), "from 1 to 3072"),
        (embed_content, content("a", outputDimensionality=10**9), "from 1 to 3072"),
        (embed_content, content("a", outputDimensionality="64"), "from 1 to 3072"),
        (embed_content, content("a", embedContentConfig=5), "embed_content_config"),
        (batch_embed_contents, {}, "requests is not specified"),
        (batch_embed_contents, {"requests": [content("a"), {}]}, r"requests\[1\]\.content: content is not specified"),
        (batch_embed_contents, {"requests": [content("a", outputDimensionality=True)]}, r"requests\[0\]\.output"),
        (predict, {}, "instances is not specified"),
        (predict, {"instances": [{"prompt": "x"}]}, r"instances\[0\]\.content"),
        (predict, {"instances": [{"content": "x"}], "parameters": 5}, "'parameters'"),
        (predict, {"instances": [{"content": "x"}], "parameters": {"output_dimensionality": -1}}, "parameters.output"),
    ],
)
def test_what_is_refused(head: Head, protocol: Embeddings, body: Any, message: str) -> None:
    with pytest.raises(WireError, match=message) as refused:
        ask(protocol, head, body)
    assert refused.value.reply.status == 400


@pytest.mark.parametrize("protocol", [embed_content, batch_embed_contents, predict])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"embedding":{"values":["x"]}}',
        b'{"embeddings":[{}]}',
        b'{"embeddings":[],"predictions":[]}',
    ],
)
def test_what_tells_no_vectors(protocol: Embeddings, body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        protocol.parse(body)


def test_an_error_from_upstream() -> None:
    with pytest.raises(WireError, match="No such model"):
        embed_content.parse(b'{"error":{"code":404,"message":"No such model","status":"NOT_FOUND"}}')
