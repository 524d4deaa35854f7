"""Collections: how they are created and changed, and how they read.

What was told of a collection is kept as JSON, its *settings*: those of a creation, with the vectors' parameters, and
the payload indexes under `payload_schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import attrs

from aimock_protocols.qdrant.errors import bad_request, invalid, malformed, no_vector_name, shown
from aimock_protocols.qdrant.parameters import DENSE, DENSE_CHANGE, INDEX, INDEX_TYPES, PARAMS, SECTIONS, SPARSE
from aimock_protocols.qdrant.paths import merged, path
from aimock_protocols.qdrant.reading import Fields, listed, mapped, one_of, shaped, text
from aimock_protocols.qdrant.vectors import UNNAMED

_BAD = '<>:"/\\|?*\0\x1f'
"""What a collection's name may not have in it."""

ORDERED = frozenset({"integer", "float", "datetime"})
"""Indexes that points can be ordered by."""
FACETED = frozenset({"keyword", "integer", "uuid", "bool"})
"""Indexes whose values can be counted."""

Settings = dict[str, Any]


@attrs.frozen
class VectorField:
    """Vectors of one name."""

    form: str
    """`dense`, `multi` or `sparse`."""
    size: int | None = None
    distance: str = "Dot"


class Creation(NamedTuple):
    fields: dict[str, VectorField]
    settings: Settings


def named(name: str) -> str:
    """The name of a collection to be. Raises WireError."""
    if not 1 <= len(name.encode()) <= 255:
        raise invalid("name", f"value {shown(name)} invalid, must be from 1 to 255 characters", "path parameters")
    for character in _BAD:
        if character in name:
            raise invalid("name", f"collection name cannot contain {shown(character)} char", "path parameters")
    return name


def _vectors(value: Any, place: str) -> dict[str, Any]:
    return DENSE(value, place) if _is_single(value) else mapped(DENSE)(value, place)


def _is_single(value: Any) -> bool:
    """Whether parameters are those of the one vector without a name."""
    if not isinstance(value, dict):
        return False
    return any(name in value and not isinstance(value[name], dict) for name in ("size", "distance"))


def _by_name(told: dict[str, Any]) -> dict[str, Any]:
    return {UNNAMED: told} if _is_single(told) else told


def _dense(told: Mapping[str, Any]) -> VectorField:
    return VectorField("multi" if "multivector_config" in told else "dense", told["size"], told["distance"])


def created(value: Any) -> Creation:
    """Reads what a collection is to be like. Raises WireError."""
    fields = Fields(value)
    vectors, sparse = fields.get("vectors", _vectors, {}), fields.get("sparse_vectors", mapped(SPARSE), {})
    dense = {name: _dense(told) for name, told in _by_name(vectors).items()}
    if UNNAMED in sparse:
        raise bad_request("Sparse vector name cannot be empty")
    for name in dense.keys() & sparse.keys():
        raise bad_request(f"Dense and sparse vector names must be unique - duplicated name: {name}")
    settings = shaped({**PARAMS, **SECTIONS})(value, "")
    settings |= {"vectors": vectors, "sparse_vectors": sparse}
    return Creation({**dense, **dict.fromkeys(sparse, VectorField("sparse"))}, settings)


def updated(settings: Settings, value: Any) -> Settings:
    """Settings with what an update changes. Raises WireError."""
    fields = Fields(value)
    after = {**settings, **fields.get("params", shaped(PARAMS), {})}
    for name, read in SECTIONS.items():
        if fields.value.get(name) == "Disabled":
            after.pop(name, None)
        elif name in fields:
            before = {} if name == "quantization_config" else after.get(name) or {}
            after[name] = merged(before, fields.need(name, read))
    for name, read in (("vectors", DENSE_CHANGE), ("sparse_vectors", SPARSE)):
        for vector, diff in fields.get(name, mapped(read), {}).items():
            after[name] = _with_diff(after.get(name) or {}, vector, diff)
    return after


def _with_diff(parameters: Mapping[str, Any], name: str, diff: Mapping[str, Any]) -> dict[str, Any]:
    if _is_single(parameters) and name == UNNAMED:
        return _deepened(parameters, diff)
    if name not in parameters or _is_single(parameters):
        raise no_vector_name(name)
    return {**parameters, name: _deepened(parameters[name], diff)}


def _deepened(value: Mapping[str, Any], diff: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(value)
    for key, item in diff.items():
        before = both.get(key)
        both[key] = {**before, **item} if isinstance(before, dict) and isinstance(item, dict) else item
    return both


# -- vectors that come and go ------------------------------------------------------------------------------------------


def vector_added(settings: Settings, name: str, value: Any) -> tuple[VectorField, Settings]:
    """Reads the parameters of a vector that a collection is to have besides, and gives its settings with them. Raises
    WireError."""
    fields = Fields(value)
    if "dense" in fields:
        kind, told = "vectors", fields.need("dense", DENSE)
    elif "sparse" in fields:
        kind, told = "sparse_vectors", fields.need("sparse", SPARSE)
    else:
        raise malformed(f"data did not match any variant of untagged enum VectorNameConfig: {shown(value)}")
    there = _by_name(settings.get(kind) or {})
    return _dense(told) if kind == "vectors" else VectorField("sparse"), {**settings, kind: {**there, name: told}}


def vector_removed(settings: Settings, name: str) -> Settings:
    """Raises WireError for the one vector that has no name."""
    if name == UNNAMED and _is_single(settings.get("vectors")):
        raise bad_request("Cannot delete the unnamed vector when it is the only dense vector in the collection")
    after = dict(settings)
    for kind in ("vectors", "sparse_vectors"):
        there = after.get(kind) or {}
        if name in there and not _is_single(there):
            after[kind] = {each: item for each, item in there.items() if each != name}
    return after


def modifier(settings: Settings, name: str) -> str:
    """How the scores of a sparse vector are changed: `none` or `idf`."""
    told = (settings.get("sparse_vectors") or {}).get(name) or {}
    return told.get("modifier") or "none"


# -- payload indexes ---------------------------------------------------------------------------------------------------


def index(value: Any) -> tuple[str, dict[str, Any]]:
    """Reads the index that a field is to have: its parameters, with their `type`. Raises WireError."""
    fields = Fields(value)
    name = fields.need("field_name", text)
    fields.need("field_name", path)
    schema = fields.value.get("field_schema")
    if schema is None:
        schema = fields.value.get("field_type")
    if schema is None:
        raise bad_request(f"Unable to infer type for the field '{name}'. Please specify `field_type`")
    if isinstance(schema, str):
        return name, {"type": one_of(*INDEX_TYPES)(schema, "field_schema")}
    return name, INDEX(schema, "field_schema")


def index_type(settings: Settings, field: str) -> str | None:
    """Of a payload's field, if it has an index."""
    schema = (settings.get("payload_schema") or {}).get(field)
    return None if schema is None else schema["type"]


# -- aliases -----------------------------------------------------------------------------------------------------------


class AliasAction(NamedTuple):
    kind: str
    """`create`, `delete` or `rename`."""
    alias: str
    target: str = ""
    """The collection, or the new name."""


def alias_actions(value: Any) -> list[AliasAction]:
    """Raises WireError."""
    return Fields(value).need("actions", listed(_alias_action))


def _alias_action(value: Any, place: str) -> AliasAction:
    fields = Fields(value, place)
    for kind, names in _ALIAS_ACTIONS.items():
        if f"{kind}_alias" in fields:
            told = fields.within(f"{kind}_alias")
            return AliasAction(kind, *(told.need(name, text) for name in names))
    raise malformed(f"{place}: data did not match any variant of untagged enum AliasOperations: {shown(value)}")


_ALIAS_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "create": ("alias_name", "collection_name"),
    "delete": ("alias_name",),
    "rename": ("old_alias_name", "new_alias_name"),
}

# -- how a collection reads --------------------------------------------------------------------------------------------

_HNSW: Mapping[str, Any] = {
    "m": 16,
    "ef_construct": 100,
    "full_scan_threshold": 10_000,
    "max_indexing_threads": 0,
    "on_disk": False,
}
_OPTIMIZERS: Mapping[str, Any] = {
    "deleted_threshold": 0.2,
    "vacuum_min_vector_number": 1000,
    "default_segment_number": 0,
    "max_segment_size": None,
    "memmap_threshold": None,
    "indexing_threshold": 10_000,
    "flush_interval_sec": 5,
    "max_optimization_threads": None,
}
_WAL: Mapping[str, Any] = {"wal_capacity_mb": 32, "wal_segments_ahead": 0, "wal_retain_closed": 1}
_PARAMS: Mapping[str, Any] = {
    "shard_number": 1,
    "replication_factor": 1,
    "write_consistency_factor": 1,
    "on_disk_payload": True,
}
"""What a service with defaults says of a collection that was told nothing. Source: the server's config.yaml, 1.18."""


def parameters(fields: Mapping[str, VectorField]) -> Settings:
    """The settings of a collection that no client of this API created."""
    dense = {
        name: {"size": field.size or 0, "distance": field.distance}
        | ({"multivector_config": {"comparator": "max_sim"}} if field.form == "multi" else {})
        for name, field in fields.items()
        if field.form != "sparse"
    }
    sparse: Settings = {name: {} for name, field in fields.items() if field.form == "sparse"}
    told: Settings = {"vectors": dense[UNNAMED] if [*dense] == [UNNAMED] else dense}
    return told | ({"sparse_vectors": sparse} if sparse else {})


def described(settings: Settings, points: int, indexed: Mapping[str, int]) -> dict[str, Any]:
    """A collection with so many points; `indexed`: how many of them each payload index has."""
    params = {name: settings[name] for name in PARAMS if settings.get(name) is not None}
    params = {"vectors": settings.get("vectors") or {}, **_PARAMS, **params}
    if settings.get("sparse_vectors"):
        params["sparse_vectors"] = settings["sparse_vectors"]
    config = {
        "params": params,
        "hnsw_config": {**_HNSW, **(settings.get("hnsw_config") or {})},
        "optimizer_config": {**_OPTIMIZERS, **(settings.get("optimizers_config") or {})},
        "wal_config": {**_WAL, **(settings.get("wal_config") or {})},
        "quantization_config": settings.get("quantization_config"),
    }
    told = {name: settings[name] for name in ("strict_mode_config", "metadata") if settings.get(name) is not None}
    schema = settings.get("payload_schema") or {}
    return {
        "status": "green",
        "optimizer_status": "ok",
        "indexed_vectors_count": 0,
        "points_count": points,
        "segments_count": 1,
        "config": config | told,
        "payload_schema": {
            field: {"data_type": params["type"], "points": indexed.get(field, 0)}
            | ({"params": params} if len(params) > 1 else {})
            for field, params in schema.items()
        },
        "update_queue": {"length": 0},
    }
