"""Records and results as somebody writes them in JSON, and the files that have them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from aimock import documents, reading
from aimock.documents import Placed
from aimock.reading import Check, Keys, Read, inside, keyed, reads, unlike, wrong
from aimock.surfaces.vector.script import Scripted, Told
from aimock.surfaces.vector.store import Field, Form, Measure, Record, Sparse, Vector, VectorError, dense, multi, sparse
from aimock_protocols.semantic import semantic_vector_of

_LARGEST_ID = 2**64 - 1
_IDS = uuid.UUID("5fd07355-6aa4-5ac0-9ac0-0f1b5a3d2c11")
"""The namespace of the ids of texts that are given none."""

UNNAMED = ""
SPARSE = "sparse"
"""The field of Pinecone's sparse vectors."""
DIMENSION = 1536
"""Of the vectors of texts, where nothing says another: that of OpenAI's embeddings."""
_SPARSE_FIELD = Field(Measure.DOT, form=Form.SPARSE)


# -- files -------------------------------------------------------------------------------------------------------------


def listed(value: Any, place: str, directory: Path | None, key: str) -> Iterator[Placed]:
    """The items of an array; or of the JSON or JSON Lines file, or of all of those in the folder, that a string names.
    A JSON file has an array, or an object that has it under the key. No directory: no file is read. Raises ValueError
    with the place: of a line, its number after the file's name."""
    if not isinstance(value, str):
        for index, item in enumerate(reading.array(value, place)):
            yield Placed(f"{place}[{index}]", item)
        return
    if directory is None:
        raise unlike(place, "an array, for files are read at the start only", value)
    path = documents.located(value, directory)
    files = sorted(each for each in path.iterdir() if each.suffix in (".json", *_LINES)) if path.is_dir() else [path]
    if not files:
        raise wrong(place, f"{path} has no files .json, {', '.join(_LINES)}")
    for file in files:
        if file.suffix not in _LINES:
            yield from documents.items(file, place, key)
            continue
        try:
            with file.open("rb") as lines:
                yield from _in_lines(lines, f"{place}: {file}")
        except OSError as error:
            raise wrong(place, f"{file}: {error.strerror}") from None


_LINES = (".jsonl", ".ndjson")


def _in_lines(file: BinaryIO, place: str) -> Iterator[Placed]:
    for number, line in enumerate(file, 1):
        if line.strip():
            here = f"{place}:{number}"
            try:
                yield Placed(here, orjson.loads(line))
            except orjson.JSONDecodeError as error:
                raise wrong(here, f"not JSON: {error}") from None


# -- records -----------------------------------------------------------------------------------------------------------

_NUMBERS = {"type": "array", "items": {"type": "number"}}


@reads({"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0, "maximum": _LARGEST_ID}]})
def identity(value: Any, place: str) -> str | int:
    if (isinstance(value, str) and value) or (type(value) is int and 0 <= value <= _LARGEST_ID):
        return value
    raise unlike(place, "a string that is not empty, or a whole number of 0 or more", value)


def _vector(make: Callable[[Any], Vector]) -> Callable[[Any, str], Vector]:
    def read(value: Any, place: str) -> Vector:
        if not isinstance(value, list | tuple | np.ndarray):
            raise unlike(place, "an array of numbers", value)
        try:
            return make(value)
        except VectorError as error:
            raise wrong(place, str(error)) from None

    return read


_SPARSE: Keys = {"indices": reading.array, "values": reading.array}


def _read_sparse(value: Any, place: str) -> Sparse:
    given = keyed(value, place, _SPARSE, _SPARSE)
    try:
        return sparse(given["indices"], given["values"])
    except VectorError as error:
        raise wrong(place, str(error)) from None


def _read_any(value: Any, place: str) -> Vector:
    """A vector of whatever form its JSON has."""
    if isinstance(value, Mapping):
        return _read_sparse(value, place)
    is_multi = isinstance(value, list | tuple) and len(value) > 0 and isinstance(value[0], list | tuple)
    return _vector(multi if is_multi or getattr(value, "ndim", 1) == 2 else dense)(value, place)


def _read_vectors(value: Any, place: str) -> dict[str, Vector]:
    """One vector, or several by their names."""
    if isinstance(value, Mapping) and not value.keys() <= _SPARSE.keys():
        return {str(name): _read_any(each, inside(place, str(name))) for name, each in value.items()}
    return {UNNAMED: _read_any(value, place)}


_VECTORS: Mapping[str, Read] = {
    "values": Check(_vector(dense), _NUMBERS),
    "vector": Check(_read_vectors, {"type": ["array", "object"]}),
    "sparseValues": Check(_read_sparse, reading.object_schema(_SPARSE, _SPARSE)),
}
RECORD: Keys = {
    "id": identity,
    **_VECTORS,
    "metadata": reading.mapping,
    "payload": reading.mapping,
    "text": reading.text,
    "document": reading.text,
    "uri": reading.text,
}
RECORD_SCHEMA = {"anyOf": [reading.object_schema(RECORD), {"type": "string"}]}


def read_record(given: Placed, fields: dict[str, Field]) -> Record:
    """A record for a collection with these fields, which learn what they lack from it: a dimension, Pinecone's sparse
    vectors. Where it has no vectors, that of its text follows from it. Raises ValueError that names the place."""
    value, place = given.value, given.place
    told = keyed({"text": value} if isinstance(value, str) else value, place, RECORD)
    text = told.get("text", told.get("document"))
    for one, other in (("metadata", "payload"), ("text", "document"), ("values", "vector")):
        if one in told and other in told:
            raise wrong(inside(place, other), f"stands beside {one}, which is the same")
    metadata = told.get("metadata", told.get("payload"))
    if "text" in told:
        metadata = {"text": text, **(metadata or {})}
    if "id" not in told and text is None:
        raise wrong(inside(place, "id"), "is missing")
    vectors = dict(told.get("vector", {}))
    places = dict.fromkeys(vectors, inside(place, "vector"))
    for key, name in (("values", UNNAMED), ("sparseValues", SPARSE)):
        if key in told:
            vectors[name], places[name] = told[key], inside(place, key)
    if SPARSE in vectors:
        fields.setdefault(SPARSE, _SPARSE_FIELD)
    if not vectors:
        vectors[UNNAMED], places[UNNAMED] = _of_text(text, fields, place), inside(place, "values")
    for name, vector in vectors.items():
        fields[name] = _fitting(fields, name, vector, places[name])
    own_id = uuid.uuid5(_IDS, text or "")
    return Record(told.get("id", str(own_id)), vectors, metadata, text, told.get("uri"))


def _of_text(text: str | None, fields: Mapping[str, Field], place: str) -> Vector:
    field = fields.get(UNNAMED)
    if text is None or field is None or field.form is not Form.DENSE:
        which = "values" if field is not None else f"vector, with {' or '.join(fields)}"
        raise wrong(inside(place, which), "is missing" + ("; or a text, from which they follow" if field else ""))
    return dense(np.asarray(semantic_vector_of(text, field.dimension or DIMENSION), np.float32))


def _fitting(fields: Mapping[str, Field], name: str, vector: Vector, place: str) -> Field:
    """The field, with its dimension. Raises ValueError for a vector that is not like it."""
    field = fields.get(name)
    if field is None:
        raise wrong(place, f"the collection has no vectors of the name {name!r}, only {', '.join(map(repr, fields))}")
    form = Form.SPARSE if isinstance(vector, Sparse) else Form.MULTI if vector.ndim == 2 else Form.DENSE
    if form is not field.form:
        raise wrong(place, f"expected a {field.form.value} vector, got a {form.value} one")
    if isinstance(vector, Sparse):
        return field
    dimension = vector.shape[-1]
    if dimension == 0 or field.dimension not in (None, dimension):
        raise wrong(place, f"expected {field.dimension or 'some'} numbers, got {dimension}")
    return field if field.dimension is not None else Field(field.measure, dimension, field.form)


# -- results -----------------------------------------------------------------------------------------------------------


@reads({"type": "number"})
def _score(value: Any, place: str) -> float:
    if type(value) not in (int, float) or abs(value) == float("inf") or value != value:
        raise unlike(place, "a number", value)
    return float(value)


_RESULT: Keys = {
    "id": identity,
    "score": _score,
    "metadata": reading.mapping,
    "payload": reading.mapping,
    "document": reading.text,
}


def _result(value: Any, place: str) -> Scripted:
    if isinstance(value, Scripted):
        return value
    told = keyed(value, place, _RESULT, ("id", "score"))
    return Scripted(told["id"], told["score"], told.get("metadata", told.get("payload")), told.get("document"))


results = reading.many(Check(_result, reading.object_schema(_RESULT, ("id", "score"))))
"""Checks an array of results, the nearest first."""

_STEP: Keys = {"results": results, "sequenceIndex": reading.count}
_STEP_SCHEMA = reading.object_schema(_STEP, ("results",))


@reads({"anyOf": [results.schema, {"type": "array", "items": _STEP_SCHEMA}]})
def query_results(value: Any, place: str) -> list[Told]:
    """Results for every query, or steps of a sequence, each with its own."""
    items: Iterable[Any] = reading.array(value, place)
    if any(isinstance(item, Mapping) and "results" in item for item in items):
        steps = reading.many(lambda item, where: keyed(item, where, _STEP, ("results",)))(items, place)
        return [Told(step["results"], step.get("sequenceIndex")) for step in steps]
    return [Told(results(value, place))]
