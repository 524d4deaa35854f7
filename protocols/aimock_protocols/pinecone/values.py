"""What a record of the data plane is made of, and the rules for it: ids, dense and sparse values, metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.json_bodies import dumped
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.reading import fields_of, floats, listed, shown, text

MAX_BATCH = 1000
"""Vectors of an upsert, and ids of a fetch or delete."""
MAX_BYTES = 2 * 1024 * 1024
"""Of an upsert, as gRPC would encode it: four bytes a number."""
MAX_METADATA = 40 * 1024
"""Bytes of JSON of one record's metadata."""
MAX_ID = 512
MAX_TOP_K = 10_000
MAX_SPARSE = 2048
MAX_DIMENSION = 20_000

_LARGEST_INDEX = 2**32 - 1
_SHOWN_BYTES = 16
"""Of metadata that are refused."""
_TINY = 1e-8
"""A vector whose values are all smaller is taken for zeros."""


class SparseValues(NamedTuple):
    indices: list[int]
    values: list[float]


@attrs.frozen(eq=False)
class Shape:
    """What vectors an index takes."""

    dimension: int | None
    """Of its dense ones; None: it has none; 0: that of the first."""
    has_sparse: bool
    """Whether it takes sparse ones: alone, or beside the dense ones."""

    @property
    def is_sparse(self) -> bool:
        """Whether it takes sparse ones alone."""
        return self.dimension is None


def check_dense(values: Sequence[float], shape: Shape, record_id: str) -> None:
    """That a record may have these values. Raises WireError."""
    if shape.is_sparse and values:
        raise refusal("Cannot upsert dense values to a sparse index")
    check_dimension(values, shape, "Vector")
    if values and not any(abs(value) >= _TINY for value in values):
        told = f"Vector ID '{record_id}' contains only zeros"
        raise refusal(f"Dense vectors must contain at least one non-zero value. {told}")


def check_dimension(values: Sequence[float], shape: Shape, what: str) -> None:
    expected = shape.dimension or len(values) or 1
    if not shape.is_sparse and len(values) != expected:
        raise refusal(f"{what} dimension {len(values)} does not match the dimension of the index {expected}")


def check_sparse(sparse: SparseValues | None, shape: Shape) -> None:
    if sparse is not None and not shape.has_sparse:
        raise refusal("Index configuration does not support sparse values")


def sparse_values(value: Any, what: str) -> SparseValues | None:
    """`{"indices": […], "values": […]}`; None if both are empty."""
    fields = fields_of(value, what)
    return paired(fields.get("indices"), fields.get("values"), what)


def paired(indices: Any, values: Any, what: str) -> SparseValues | None:
    """Sparse values of two arrays."""
    if not indices and not values:
        return None
    places, numbers = listed(indices, f"{what}.indices"), floats(values, f"{what}.values")
    if len(places) != len(numbers):
        raise refusal(f"{what}: sparse values and indices must have the same length")
    if len(places) > MAX_SPARSE:
        raise refusal(f"{what}: at most {MAX_SPARSE} non-zero values are supported, got {len(places)}")
    if any(type(place) is not int or not 0 <= place <= _LARGEST_INDEX for place in places):
        raise refusal(f"{what}.indices must be integers between 0 and {_LARGEST_INDEX}")
    if len({*places}) != len(places):
        raise refusal(f"{what}.indices must be unique")
    return SparseValues(places, numbers)


def metadata_of(value: Any, what: str) -> dict[str, Any]:
    """A record's metadata: strings, numbers, booleans and lists of strings by their names. What is null is dropped."""
    fields = {key: held for key, held in fields_of(value, what).items() if held is not None}
    for key, held in fields.items():
        check_metadata(key, held)
    size = len(orjson.dumps(fields))
    if size > MAX_METADATA:
        raise refusal(f"metadata size is {size} bytes, which exceeds the limit of {MAX_METADATA} bytes per vector")
    return fields


def check_metadata(key: str, value: Any) -> None:
    """That a field of metadata may have a value. Raises WireError."""
    if key.startswith("$"):
        raise refusal(f"Metadata field names must not start with '$', got {shown(key)}")
    is_texts = type(value) is list and all(type(each) is str for each in value)
    if type(value) not in (str, int, float, bool) and not is_texts:
        expected = "a string, number, boolean or list of strings"
        raise refusal(f"Metadata value must be {expected}, got '{_abridged(value)}' for field '{key}'")


def _abridged(value: Any) -> str:
    written = dumped(value, otherwise=b"...")
    return written.decode() if len(written) <= _SHOWN_BYTES else written[:_SHOWN_BYTES].decode(errors="ignore") + "..."


def valid_id(value: Any, what: str) -> str:
    record_id = text(value, what)
    if not 1 <= len(record_id) <= MAX_ID:
        raise refusal(f"{what} must have between 1 and {MAX_ID} characters, got {len(record_id)}")
    if not record_id.isascii() or "\0" in record_id:
        raise refusal(f"Vector ID must be ASCII, but got '{_safe(record_id)}'")
    return record_id


def valid_prefix(value: str, what: str) -> str:
    if len(value) > MAX_ID or not value.isascii() or "\0" in value:
        raise refusal(f"{what} must be ASCII, of at most {MAX_ID} characters")
    return value


def _safe(value: str) -> str:
    return value[:64].encode("unicode_escape").decode()
