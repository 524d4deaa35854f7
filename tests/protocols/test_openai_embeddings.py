"""Embedding requests and answers as OpenAI has them: decoding, the vectors of the spec, both forms, real traffic."""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import orjson
import pytest
from openai.types import CreateEmbeddingResponse

from aimock_protocols import openai_embeddings
from aimock_protocols.canonical import ChatRequest, Head, Stamp, Vectors, WireError
from aimock_protocols.embedding import float32_base64, from_float32_base64
from recorded import needs_corpus, rows_of

Embed = Callable[..., ChatRequest]


@pytest.fixture
def embed(head: Head) -> Embed:
    def embed(value: Any = "hello", params: Mapping[str, str] = {}, **more: Any) -> ChatRequest:
        body = {"model": "text-embedding-3-small", "input": value} | more
        return openai_embeddings.decode(head, params, orjson.dumps(body))

    return embed


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "texts", "tokens"),
    [
        ("hello", ["hello"], 2),
        (["hello", "b"], ["hello", "b"], 3),
        ([1, 2, 3], ["1 2 3"], 3),
        ([[1, 2], [3]], ["1 2", "3"], 3),
        ([[1, 2], []], ["1 2", ""], 2),
        ("", [""], 1),
        ("🚀" * 4, ["🚀" * 4], 2),
    ],
)
def test_every_form_of_input_is_a_list_of_texts(embed: Embed, value: Any, texts: list[str], tokens: int) -> None:
    """Tokens are counted where they are sent, and estimated elsewhere."""
    request = embed(value, user="u", task="query")
    assert request.body == {"model": "text-embedding-3-small", "input": texts, "user": "u", "task": "query"}
    assert request.native["input"] == value
    assert (request.endpoint, request.stream, request.model) == ("embedding", False, "text-embedding-3-small")
    assert openai_embeddings.shape(request).prompt_tokens == tokens


@pytest.mark.parametrize("value", ["", ["a", ""], [[]], [[1], []]])
def test_an_empty_text_is_objected_to(embed: Embed, value: Any) -> None:
    objection = embed(value).objection
    assert objection is not None
    assert (objection.message, objection.param, objection.status) == ("Input cannot be an empty string.", "input", 400)
    assert embed("a").objection is None


@pytest.mark.parametrize(
    ("more", "message", "param", "code"),
    [
        ({"input": []}, "'$.input' is invalid.", "input", None),
        ({"input": None}, "Invalid type for 'input': expected a string,", "input", "invalid_type"),
        ({"input": ["a", 1]}, "Invalid type for 'input': expected a string,", "input", "invalid_type"),
        ({"input": [1, True]}, "Invalid type for 'input': expected a string,", "input", "invalid_type"),
        ({"input": ["a"] * 2049}, "Invalid 'input': array too long.", "input", "array_above_max_length"),
        ({"model": 5}, "Invalid type for 'model'", "model", "invalid_type"),
        (
            {"encoding_format": "int8"},
            "Invalid value for 'encoding_format': 'int8'",
            "encoding_format",
            "invalid_value",
        ),
        *[
            (
                {"dimensions": wrong},
                "Invalid parameter: 'dimensions' must be an integer between 1 and 100000",
                None,
                None,
            )
            for wrong in (0, -1, 100_001, 1.5, "8", True, [])
        ],
        ({"input": ["a"] * 2048, "dimensions": 3073}, "2048 embeddings of 3073 dimensions", "dimensions", None),
    ],
)
def test_what_is_refused(embed: Embed, more: Any, message: str, param: str | None, code: str | None) -> None:
    with pytest.raises(WireError) as refused:
        embed(**{"value": "a", **{"value" if key == "input" else key: value for key, value in more.items()}})
    error = refused.value.reply
    assert error.message.startswith(message)
    assert (error.status, error.type, error.param, error.code) == (400, "invalid_request_error", param, code)


def test_a_request_without_input_is_refused(head: Head) -> None:
    with pytest.raises(WireError, match="Missing required parameter: 'input'") as refused:
        openai_embeddings.decode(head, {}, b'{"model":"m"}')
    assert refused.value.reply.param == "input"


def test_a_deployment_is_the_model_of_a_body_that_has_none(embed: Embed) -> None:
    """core-lessons C5"""
    params = {"deployment": "my%20deployment"}
    assert embed(params=params).model == "text-embedding-3-small"
    request = embed(params=params, model=None)
    assert (request.model, request.body["model"]) == ("my deployment", "my deployment")


@pytest.mark.parametrize("encoding", [None, "float"])
def test_nulls_are_as_good_as_absent(embed: Embed, encoding: str | None) -> None:
    shape = openai_embeddings.shape(embed(dimensions=None, encoding_format=encoding))
    assert (shape.dimensions, shape.in_base64) == (1536, False)


# -- vectors -----------------------------------------------------------------------------------------------------------


def answered(request: ChatRequest, stamp: Stamp, *vectors: Any) -> Any:
    shape = openai_embeddings.shape(request)
    reply = Vectors(vectors or (None,) * len(shape.texts))
    return orjson.loads(openai_embeddings.encode(reply, shape, stamp))


@pytest.mark.parametrize(
    ("value", "dimensions", "expected"),
    [
        (
            "hello",
            4,
            [{0: -0.6549019607843137, 1: 0.8980392156862744, 2: -0.39607843137254906, 3: 0.45882352941176463}],
        ),
        (
            "hello",
            66,
            [
                {
                    31: -0.7176470588235294,
                    32: 0.16862745098039222,
                    33: 0.16862745098039222,
                    63: -0.37254901960784315,
                    64: -0.15294117647058825,
                    65: 0.1450980392156862,
                }
            ],
        ),
        ("héllo 🚀", 3, [{0: 0.6941176470588235, 1: -0.03529411764705881, 2: -0.41960784313725485}]),
        ("", 2, [{0: 0.780392156862745, 1: 0.3803921568627451}]),
        ("b", 2, [{0: -0.5137254901960784, 1: -0.7254901960784313}]),
        ([1, 2, 3], 2, [{0: -0.027450980392156876, 1: 0.1215686274509804}]),
        (
            ["hello", "b"],
            2,
            [{0: -0.6549019607843137, 1: 0.8980392156862744}, {0: -0.5137254901960784, 1: -0.7254901960784313}],
        ),
    ],
)
def test_vectors_that_follow_from_their_text_are_the_reference_s(
    embed: Embed, stamp: Stamp, value: Any, dimensions: int, expected: list[dict[int, float]]
) -> None:
    """wire-openai-other §1: bit for bit, and in base64 as near as single floats come."""
    floats = answered(embed(value, dimensions=dimensions), stamp)["data"]
    packed = answered(embed(value, dimensions=dimensions, encoding_format="base64"), stamp)["data"]
    assert [each["index"] for each in floats] == list(range(len(expected)))
    for told, in_base64, values in zip(floats, packed, expected, strict=True):
        assert len(told["embedding"]) == dimensions
        assert {place: told["embedding"][place] for place in values} == values
        data = base64.b64decode(in_base64["embedding"])
        assert data == struct.pack(f"<{dimensions}f", *told["embedding"])


def test_the_most_dimensions_that_there_are(embed: Embed, stamp: Stamp) -> None:
    (told,) = answered(embed(dimensions=100_000), stamp)["data"]
    assert len(told["embedding"]) == 100_000
    assert all(-1 <= value <= 1 for value in told["embedding"])
    assert told["embedding"][:1536] == answered(embed(), stamp)["data"][0]["embedding"], "the shorter is its beginning"


def test_an_answer_in_full(embed: Embed, stamp: Stamp) -> None:
    assert answered(embed(["hello", "you"], dimensions=1), stamp, (0.5, -1.0), (2, 3)) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [2, 3]},
        ],
        "model": "text-embedding-3-small",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert answered(embed(model=None), stamp)["model"] == "text-embedding-3-small"


def test_base64(embed: Embed, stamp: Stamp) -> None:
    (told,) = answered(embed(encoding_format="base64"), stamp, (0.5, -1))["data"]
    assert told["embedding"] == "AAAAPwAAgL8="
    assert from_float32_base64("AAAAPwAAgL8=") == (0.5, -1.0)
    assert from_float32_base64(float32_base64([1e300, -1e300, 0.0])) == (math.inf, -math.inf, 0.0)
    for wrong in ("AAAAPw", "AAAA", "AAAA Pw==", "ä"):
        with pytest.raises(ValueError, match=r".+"):
            from_float32_base64(wrong)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_the_sdk_s_types(embed: Embed, stamp: Stamp, encoding: str) -> None:
    """Strictly; base64, which the SDK decodes itself, is beyond its types."""
    shape = openai_embeddings.shape(embed(["a", "b"], encoding_format=encoding))
    body = orjson.loads(openai_embeddings.encode(Vectors((None, (1.0, 2.0))), shape, stamp))
    for each in body["data"]:
        if encoding == "base64":
            each["embedding"] = list(from_float32_base64(each["embedding"]))
    told = CreateEmbeddingResponse.model_validate_json(orjson.dumps(body), strict=True)
    assert [len(each.embedding) for each in told.data] == [1536, 2]


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"data":null}',
        b'{"data":[5]}',
        b'{"data":[{}]}',
        b'{"data":[{"embedding":null}]}',
        b'{"data":[{"embedding":"AAAA"}]}',
        b'{"data":[{"embedding":"no base64"}]}',
        b'{"data":[{"embedding":[1,"2"]}]}',
        b'{"data":[{"embedding":[true]}]}',
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        openai_embeddings.parse(body)


def test_an_error_is_told() -> None:
    with pytest.raises(WireError, match="Slow down"):
        openai_embeddings.parse(b'{"error":{"message":"Slow down","type":"requests"}}')


@needs_corpus
def test_every_recorded_answer(oracle: ModuleType, head: Head, stamp: Stamp) -> None:
    """Real traffic of OpenAI and Voyage, read as an independent reader reads it, and said again."""
    rows = rows_of("openai.embeddings")
    for row in rows:
        request = openai_embeddings.decode(head, {}, orjson.dumps(row["request"]))
        body = orjson.dumps(row["response"])
        if row["status"] != 200:
            with pytest.raises(WireError, match="is not supported"):
                openai_embeddings.parse(body)
            continue
        vectors = openai_embeddings.parse(body)
        told = [round(value, 5) for value in (vectors.values[0] or ())][:64]
        expected = oracle.summary("openai.embeddings", row["content_type"], body)["text"]
        assert f"{json.dumps(told)}x{len(vectors.values)}" == expected, row["id"]
        again = orjson.loads(openai_embeddings.encode(vectors, openai_embeddings.shape(request), stamp))
        assert again["data"] == row["response"]["data"], row["id"]
        assert (again["model"], again["object"]) == (row["response"]["model"], "list")
        assert again["usage"].items() >= row["response"]["usage"].items()
    assert len(rows) == 4
