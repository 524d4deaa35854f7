"""Metadata of records and collections: strings, numbers, booleans, and lists of one of these."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from aimock_protocols.chroma.errors import refused, unreadable, unsupported
from aimock_protocols.chroma.reading import at, mapping, scalar

Metadata = Mapping[str, Any]

_RESERVED = ("#", "$")
_UINT32 = range(2**32)


def record_metadata(value: Any, path: str) -> Metadata:
    """A new record's."""
    return {key: _value(each, at(path, key), "MetadataValue") for key, each in mapping(value, path).items()}


def changed_metadata(value: Any, path: str) -> Metadata:
    """Changes of a record's or a collection's, where null takes a key away."""
    return {
        key: None if each is None else _value(each, at(path, key), "UpdateMetadataValue")
        for key, each in mapping(value, path).items()
    }


def check_record(metadata: Metadata, place: int) -> None:
    """Raises WireError if the metadata at that place of a batch has keys or values that none may have."""
    if any(not _is_free(key) or (_is_sparse(value) and not _is_sound(value)) for key, value in metadata.items()):
        raise refused(f"Validation error: metadatas: Invalid metadata at index {place}")


def check_collection(metadata: Metadata, field: str) -> None:
    """Raises WireError for what a collection's cannot be. The server itself breaks off where lists are in it."""
    if not metadata:
        raise refused(f"Validation error: {field}: Metadata cannot be empty")
    for key, value in metadata.items():
        if not key:
            raise refused(f"Validation error: {field}: Metadata key cannot be empty")
        if not _is_free(key):
            raise refused(f"Validation error: {field}: Metadata key cannot start with '#' or '$': {key}")
        if isinstance(value, list | dict):
            raise refused(f"Validation error: {field}: Metadata of a collection cannot be a list or a vector: {key}")


def check_local(metadata: Metadata) -> None:
    """Raises WireError for what only Chroma's cloud keeps."""
    for key, value in metadata.items():
        if _is_sparse(value):
            raise unsupported(f"Unimplemented: Sparse vector is not supported for local chroma: {key}")


def merged(old: Metadata | None, change: Metadata | None) -> Metadata | None:
    """What a record has after a change. A null takes its key away, and so does an empty list."""
    whole = {**(old or {}), **(change or {})}
    return {key: value for key, value in whole.items() if value is not None and value != []} or None


def kinds(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Its keys, with what a schema calls the types of their values."""
    for key, value in metadata.items():
        if value is not None:
            yield key, kind_of((value or [False])[0] if isinstance(value, list) else value)


def kind_of(value: Any) -> str:
    """What a schema calls the type of a string, number or boolean."""
    return _KINDS[type(value)]


_KINDS = {str: "string", int: "int", float: "float", bool: "bool"}


def _value(value: Any, path: str, variants: str) -> Any:
    if isinstance(value, str | int | float):
        return scalar(value)
    if isinstance(value, list):
        found = {type(each) for each in value}
        if found <= {int, float}:
            scalars = [scalar(each) for each in value]
            return scalars if all(isinstance(each, int) for each in scalars) else [float(each) for each in scalars]
        if found in ({str}, {bool}):
            return value
    if _is_sparse(value):
        return value
    raise unreadable(f"{path}: data did not match any variant of untagged enum {variants}")


def _is_free(key: str) -> bool:
    return key != "" and not key.startswith(_RESERVED)


def _is_sparse(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("#type", "sparse_vector") != "sparse_vector":
        return False
    indices, values = value.get("indices"), value.get("values")
    return (
        isinstance(indices, list)
        and isinstance(values, list)
        and all(isinstance(each, int) and each in _UINT32 for each in indices)
        and all(isinstance(each, int | float) for each in values)
    )


def _is_sound(sparse: Mapping[str, Any]) -> bool:
    """Whether it has a value for each index, and its indices ascend."""
    indices = sparse["indices"]
    ascending = all(first < second for first, second in itertools.pairwise(indices))
    return ascending and len(indices) == len(sparse["values"])
