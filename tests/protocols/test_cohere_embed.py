"""Cohere's embeddings in both versions (wire-cohere §6)."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import orjson
import pytest

from aimock_protocols.canonical import Head, Stamp, Vectors, WireError
from aimock_protocols.cohere import embed
from aimock_protocols.cohere.embed import v1
from aimock_protocols.embedding import from_float32_base64

VECTOR = (1.0, -1.0, 0.5, -0.5, 0.0, 2.0, -2.0, 0.25, 0.1)


def asked(protocol: Any, head: Head, **more: Any) -> Any:
    body = {"model": "embed-v4.0", "input_type": "search_query", "texts": ["hello"]} | more
    body = {name: value for name, value in body.items() if value is not ...}
    return protocol.decode(head, {}, orjson.dumps(body))


def told(protocol: Any, head: Head, stamp: Stamp, *values: Any, **more: Any) -> Any:
    request = asked(protocol, head, **more)
    return orjson.loads(protocol.encode(Vectors(values or (VECTOR,)), protocol.shape(request), stamp))


FORMS = {
    "float": list(VECTOR),
    "int8": [127, -127, 64, -64, 0, 127, -127, 32, 13],
    "uint8": [255, 1, 192, 64, 128, 255, 1, 160, 141],
    "ubinary": [0b10100101, 0b10000000],
    "binary": [0b10100101 - 128, 0b10000000 - 128],
}


def test_every_form_of_a_vector(head: Head, stamp: Stamp) -> None:
    forms = told(embed, head, stamp, embedding_types=[*FORMS, "base64", "float"])["embeddings"]
    assert list(forms) == [*FORMS, "base64"]
    for kind, expected in FORMS.items():
        assert forms[kind] == [expected], kind
    assert from_float32_base64(forms["base64"][0]) == pytest.approx(VECTOR)


def test_floats_unless_asked_otherwise(head: Head, stamp: Stamp) -> None:
    for given in ({}, {"embedding_types": None}, {"embedding_types": []}):
        answer = told(embed, head, stamp, **given)
        assert answer["embeddings"] == {"float": [list(VECTOR)]}
        assert (answer["response_type"], answer["texts"]) == ("embeddings_by_type", ["hello"])
        assert answer["meta"]["api_version"] == {"version": "2"}
        plain = told(v1, head, stamp, **given)
        assert plain["embeddings"] == [list(VECTOR)]
        assert (plain["response_type"], plain["meta"]["api_version"]) == ("embeddings_floats", {"version": "1"})
    typed = told(v1, head, stamp, embedding_types=["int8"])
    assert (typed["response_type"], typed["embeddings"]) == ("embeddings_by_type", {"int8": [FORMS["int8"]]})


@pytest.mark.parametrize(
    ("model", "more", "length"),
    [
        ("embed-v4.0", {}, 1536),
        ("embed-v4.0", {"output_dimension": 256}, 256),
        ("embed-english-v3.0", {}, 1024),
        ("embed-multilingual-light-v3.0", {}, 384),
        ("embed-english-light-v2.0", {}, 1024),
        ("embed-english-v2.0", {}, 4096),
        ("embed-multilingual-v2.0", {}, 768),
    ],
)
def test_vectors_that_follow_from_their_text_have_their_model_s_length(
    head: Head, stamp: Stamp, model: str, more: dict[str, Any], length: int
) -> None:
    answer = told(embed, head, stamp, None, model=model, embedding_types=["float", "binary"], **more)
    assert [len(answer["embeddings"][kind][0]) for kind in ("float", "binary")] == [length, length // 8]


def data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def png(colour: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBB", 30, 20, 8, colour) + bytes(3)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


JPEG = b"\xff\xd8\xff\xe0\x00\x04JF\xff\xc4\x00\x02\xff\xc0" + struct.pack(">HBHHB", 17, 8, 20, 30, 3)
IMAGES = [
    ("png", png(6), (30, 20, 32)),
    ("png", png(2), (30, 20, 24)),
    ("png", png(5), (0, 0, 0)),
    ("png", png(2)[:20], (0, 0, 0)),
    ("jpeg", JPEG, (30, 20, 24)),
    ("jpeg", JPEG[:-4], (0, 0, 0)),
    ("jpeg", b"\xff\xd8\xff\xe0\0\0", (0, 0, 0)),
    ("gif", b"GIF89a" + struct.pack("<HHB", 30, 20, 0x87), (30, 20, 8)),
    ("webp", b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 30, 20), (30, 20, 24)),
    ("webp", b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 29 | 19 << 14), (30, 20, 24)),
    ("webp", b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + struct.pack("<HBHB", 29, 0, 19, 0), (30, 20, 24)),
    ("webp", b"RIFF\0\0\0\0WEBP", (0, 0, 0)),
    ("bmp", b"BM", (0, 0, 0)),
]


@pytest.mark.parametrize(("kind", "data", "size"), IMAGES, ids=lambda value: str(value)[:20])
def test_images_are_told_of(head: Head, stamp: Stamp, kind: str, data: bytes, size: tuple[int, int, int]) -> None:
    url = data_url(kind, data)
    by_url = {"content": [{"type": "image_url", "image_url": {"url": url}}]}
    for more in ({"images": [url]}, {"inputs": [by_url]}):
        answer = told(embed, head, stamp, texts=..., **more)
        width, height, depth = size
        assert answer["images"] == [{"width": width, "height": height, "format": kind, "bit_depth": depth}]
        assert answer["texts"] == []
        assert answer["meta"]["billed_units"] == {"input_tokens": 0, "image_tokens": 0, "images": 1}


@pytest.mark.parametrize("url", ["https://example.com/a.png", "", "data:image/png;base64,!", "data:text/plain,a"])
def test_what_is_no_image_has_no_size(head: Head, stamp: Stamp, url: str) -> None:
    answer = told(embed, head, stamp, texts=..., images=[url])
    assert answer["images"][0]["width"] == 0


def test_inputs_of_several_parts(head: Head, stamp: Stamp) -> None:
    url = data_url("png", png(6))
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": url}}, 5, {"type": "odd"}]
    inputs = [{"content": parts}, {"content": [{"type": "text", "text": "b"}]}, {"content": []}]
    request = asked(embed, head, texts=..., inputs=inputs)
    assert request.body["input"] == ["a" + url, "b", ""]
    answer = told(embed, head, stamp, VECTOR, VECTOR, VECTOR, texts=None, inputs=inputs)
    assert (answer["texts"], len(answer["images"]), len(answer["embeddings"]["float"])) == (["a", "b"], 1, 3)


REFUSED = [
    ({"texts": ...}, "one of texts, images, inputs is required"),
    ({"texts": []}, "list of texts must not be empty"),
    ({"texts": ["a"] * 97}, "total number of texts must be at most 96 - received 97"),
    ({"texts": [5]}, r"texts\[0\] is of type integer"),
    ({"texts": ..., "images": [{}]}, r"images\[0\] is of type object"),
    ({"texts": ..., "inputs": ["a"]}, r"inputs\[0\] is of type string"),
    ({"texts": ..., "inputs": [{"content": "a"}]}, r"inputs\[0\].content is of type string"),
    ({"embedding_types": ["odd"]}, "invalid embedding type"),
    ({"output_dimension": 300}, "invalid output_dimension: must be one of 256, 512, 1024, 1536"),
]


@pytest.mark.parametrize("protocol", [embed, v1], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize(("more", "message"), REFUSED)
def test_refusals(head: Head, protocol: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(WireError, match=message) as refused:
        asked(protocol, head, **more)
    assert refused.value.reply.status == 400


def test_only_the_second_version_wants_a_model_and_an_input_type(head: Head) -> None:
    with pytest.raises(WireError, match="model is required"):
        asked(embed, head, model=...)
    assert asked(v1, head, model=...).model == ""
    for given in (..., "odd", [], None):
        objection = asked(embed, head, input_type=given).objection
        assert objection is not None
        assert (objection.status, "input_type" in objection.message) == (400, True)
        assert asked(v1, head, input_type=given).objection is None
    assert asked(embed, head).objection is None


READ = [
    ({"float": [[0.5, 1]]}, (0.5, 1)),
    ({"int8": [[1, 2]], "base64": ["AAAAPwAAgD8="]}, (0.5, 1.0)),
    ({"int8": [[127, -127, 0]]}, (1.0, -1.0, 0.0)),
    ({"uint8": [[255, 1, 128]]}, (1.0, -1.0, 0.0)),
    ({"ubinary": [[0b10100000]]}, (1, -1, 1, -1, -1, -1, -1, -1)),
    ({"binary": [[0b10100000 - 128]]}, (1, -1, 1, -1, -1, -1, -1, -1)),
    ([[0.5]], (0.5,)),
]


@pytest.mark.parametrize(("embeddings", "vector"), READ)
def test_vectors_are_read_from_the_form_that_says_most(embeddings: Any, vector: tuple[float, ...]) -> None:
    body = {"id": "i", "embeddings": embeddings, "meta": {"billed_units": {"input_tokens": 3}}}
    assert embed.parse(orjson.dumps(body)) == Vectors((vector,), {"input_tokens": 3}, "i")


@pytest.mark.parametrize(
    "embeddings", [None, {}, 5, {"float": 5}, {"float": [5]}, {"float": [["a"]]}, {"base64": [5]}, {"base64": ["?"]}]
)
def test_bodies_without_vectors(embeddings: Any) -> None:
    with pytest.raises(ValueError, match=r"no embeddings|no list|no base64|base64"):
        embed.parse(orjson.dumps({"embeddings": embeddings}))
