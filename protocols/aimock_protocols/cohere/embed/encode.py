"""Vectors whole, in all forms, and read back (wire-cohere §6)."""

from __future__ import annotations

from typing import Any

import orjson

from aimock_protocols.canonical import Headers, Stamp, Vectors, WireError
from aimock_protocols.cohere.embed.forms import FORMS
from aimock_protocols.cohere.embed.shape import Shape
from aimock_protocols.cohere.platform import read_error
from aimock_protocols.collapsing import json_object, mapping, string
from aimock_protocols.embedding import input_tokens, vectors_for


def encode(reply: Vectors, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response."""
    vectors = vectors_for(reply, shape.inputs, shape.dimensions)
    by_type = {kind: [FORMS[kind].write(vector) for vector in vectors] for kind in shape.types}
    told: dict[str, Any] = {
        "id": stamp.uuid() if reply.id is None else reply.id,
        "embeddings": by_type if shape.is_by_type else by_type["float"],
        "texts": shape.texts,
    }
    if shape.images:
        told["images"] = [image._asdict() for image in shape.images]
    told["response_type"] = "embeddings_by_type" if shape.is_by_type else "embeddings_floats"
    told["meta"] = {"api_version": {"version": shape.version}, "billed_units": _billed(reply, shape)}
    return orjson.dumps(told)


def _billed(reply: Vectors, shape: Shape) -> dict[str, Any]:
    billed: dict[str, Any] = {"input_tokens": input_tokens(shape.texts), "image_tokens": 0}
    if shape.images:
        billed["images"] = len(shape.images)
    return {**billed, **(reply.usage or {})}


def parse(body: bytes) -> Vectors:
    """The vectors of a whole body, from the form that says most of them. Raises ValueError if it has none, and
    WireError if it is an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    told = value.get("embeddings")
    if isinstance(told, list):
        told = {"float": told}
    forms = mapping(told)
    for kind, form in FORMS.items():
        if isinstance(forms.get(kind), list):
            usage = mapping(mapping(value.get("meta")).get("billed_units"))
            return Vectors(tuple(map(form.read, forms[kind])), usage or None, string(value.get("id")))
    raise ValueError("no embeddings in the body")


def reply_headers(reply: Vectors, shape: Shape) -> Headers:
    """Tokens billed, and characters read."""
    tokens = _billed(reply, shape)["input_tokens"]
    return (("num_chars", str(sum(map(len, shape.texts)))), ("num_tokens", str(tokens)))
