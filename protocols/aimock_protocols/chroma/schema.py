"""The schema of a collection: which of its keys are indexed, and how its vectors are.

It is one JSON object, as clients see it under `schema`; what older clients see, under `configuration_json`, follows
from it. `defaults` has an index of each kind for each type of value, `keys` those of keys that differ or were seen.
The vectors' is that of the key `#embedding`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from aimock_protocols.chroma.errors import refused
from aimock_protocols.chroma.metadata import Metadata, kinds
from aimock_protocols.chroma.reading import (
    Read,
    at,
    boolean,
    known,
    mapping,
    number,
    one_of,
    required,
    size,
    string,
)

Schema = dict[str, Any]

SPACES = ("l2", "cosine", "ip")

_HNSW: Mapping[str, Any] = {
    "ef_construction": 100,
    "ef_search": 100,
    "max_neighbors": 16,
    "num_threads": 2,
    "resize_factor": 1.2,
    "sync_threshold": 1000,
    "batch_size": 100,
}
_SHOWN = ("ef_construction", "ef_search", "max_neighbors", "resize_factor", "sync_threshold")
"""What `configuration_json` has of these."""
_SIZES: Mapping[str, Read[Any]] = {key: number if key == "resize_factor" else size for key in _HNSW}
_CREATED: Mapping[str, Read[Any]] = {"space": one_of(*SPACES), **_SIZES}
_MODIFIED = {key: read for key, read in _SIZES.items() if key != "ef_construction"}
_SPANN_MODIFIED: Mapping[str, Read[Any]] = {"search_nprobe": size, "ef_search": size}
_SPANN_CREATED: Mapping[str, Read[Any]] = {
    "search_nprobe": size,
    "write_nprobe": size,
    "space": one_of(*SPACES),
    "ef_construction": size,
    "ef_search": size,
    "max_neighbors": size,
    "reassign_neighbor_count": size,
    "split_threshold": size,
    "merge_threshold": size,
}
"""Of Chroma's cloud, whose server alone heeds them: the open-source one takes no more than the space."""

_LEGACY_PREFIX = "hnsw:"
_LEGACY = {
    "hnsw:space": "space",
    "hnsw:construction_ef": "ef_construction",
    "hnsw:search_ef": "ef_search",
    "hnsw:M": "max_neighbors",
    "hnsw:num_threads": "num_threads",
    "hnsw:batch_size": "batch_size",
    "hnsw:sync_threshold": "sync_threshold",
    "hnsw:resize_factor": "resize_factor",
}
"""Keys of a collection's metadata that older clients set its index by."""
_AT_LEAST_TWO = ("batch_size", "sync_threshold")

_EMBEDDING, _DOCUMENT = "#embedding", "#document"


# -- what a collection is created with, and changed to -----------------------------------------------------------------


def created(configuration: Any, given: Any, metadata: Metadata | None) -> Schema:
    """The schema of a new collection. Raises WireError if what it was asked with is none, or contradicts itself."""
    configured = _configured(configuration, metadata)
    reconciled = _reconciled(given)
    if configured != _schema({}) and reconciled != _schema({}):
        raise refused("Failed to reconcile schema: Cannot set both collection config and schema simultaneously")
    return reconciled if configured == _schema({}) else configured


def modified(schema: Schema, change: Any) -> Schema:
    """The schema after a `new_configuration`."""
    path = "new_configuration"
    change = mapping(change, path, "struct UpdateCollectionConfiguration")
    hnsw, spann = change.get("hnsw"), change.get("spann")
    settings = _index(change, path, "Update", _MODIFIED, _SPANN_MODIFIED)
    if hnsw is not None and spann is not None:
        raise refused("Multiple vector index configurations provided")
    schema = copy.deepcopy(schema)
    function = _function(change.get("embedding_function"), at(path, "embedding_function"))
    for config in (_vector_index(schema["defaults"]), _vector_index(schema["keys"][_EMBEDDING])):
        if function is not None:
            config["embedding_function"] = function
        if hnsw is not None:
            config["hnsw"].update(settings)
    return schema


def _configured(configuration: Any, metadata: Metadata | None) -> Schema:
    path = "configuration"
    config = mapping({} if configuration is None else configuration, path, "struct CollectionConfiguration")
    settings = _index(config, path, "", _CREATED, _SPANN_CREATED)
    function = _function(config.get("embedding_function"), at(path, "embedding_function"))
    if config.get("hnsw") is not None and config.get("spann") is not None:
        raise refused("Multiple vector index configurations provided")
    legacy = _legacy(metadata or {})
    if config.get("spann") is not None:
        return _schema({"space": settings.get("space", SPACES[0])}, function)
    return _schema(legacy if _schema(settings) == _schema({}) else settings, function)


def _index(
    config: Mapping[str, Any], path: str, prefix: str, hnsw: Mapping[str, Read[Any]], spann: Mapping[str, Read[Any]]
) -> dict[str, Any]:
    """The settings that there are of either kind of index."""
    settings: dict[str, Any] = {}
    for key, struct, keys in (("hnsw", "HnswConfiguration", hnsw), ("spann", "SpannConfiguration", spann)):
        if config.get(key) is not None:
            inside = at(path, key)
            settings.update(known(mapping(config[key], inside, f"struct {prefix}{struct}"), inside, keys))
    return settings


def _legacy(metadata: Metadata) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in metadata.items():
        if key.startswith(_LEGACY_PREFIX):
            name = _LEGACY.get(key)
            is_number = isinstance(value, int) and not isinstance(value, bool)
            if name == "space":
                is_sound = value in SPACES
            elif name == "resize_factor":
                is_sound = is_number or isinstance(value, float)
            else:
                is_sound = name is not None and is_number and value >= (2 if name in _AT_LEAST_TWO else 0)
            if name is None or not is_sound:
                raise refused("Failed to parse hnsw parameters from segment metadata")
            settings[name] = value
    return settings


def _function(value: Any, path: str) -> dict[str, Any] | None:
    """An embedding function's configuration, which is only kept, for the client's sake."""
    if value is None:
        return None
    function = mapping(value, path, "internally tagged enum EmbeddingFunctionConfiguration")
    kind = required(function, "type", one_of("legacy", "known", "unknown"), path)
    if kind != "known":
        return {"type": kind}
    name = required(function, "name", string, path)
    return {"type": kind, "name": name, "config": required(function, "config", _any, path)}


def _any(value: Any, path: str) -> Any:
    return value


# -- schemas that clients give -----------------------------------------------------------------------------------------

_INDEXES: Mapping[str, tuple[str, ...]] = {
    "string": ("fts_index", "string_inverted_index"),
    "float_list": ("vector_index",),
    "sparse_vector": ("sparse_vector_index",),
    "int": ("int_inverted_index",),
    "float": ("float_inverted_index",),
    "bool": ("bool_inverted_index",),
}
"""Which indexes there are for which type of value."""


def _schema(settings: Mapping[str, Any], function: Mapping[str, Any] | None = None) -> Schema:
    """The schema of a collection whose index alone was told."""
    config: dict[str, Any] = {"space": settings.get("space", SPACES[0])}
    if function is not None:
        config["embedding_function"] = function
    hnsw = {key: settings.get(key, default) for key, default in _HNSW.items()}
    sparse = {"embedding_function": {"type": "unknown"}, "bm25": False}
    return {
        "defaults": {
            "string": {"fts_index": _flag(False), "string_inverted_index": _flag(True)},
            "float_list": {"vector_index": {"enabled": False, "config": {**config, "hnsw": {**hnsw}}}},
            "sparse_vector": {"sparse_vector_index": {"enabled": False, "config": sparse}},
            "int": {"int_inverted_index": _flag(True)},
            "float": {"float_inverted_index": _flag(True)},
            "bool": {"bool_inverted_index": _flag(True)},
        },
        "keys": {
            _DOCUMENT: {"string": {"fts_index": _flag(True), "string_inverted_index": _flag(False)}},
            _EMBEDDING: {
                "float_list": {
                    "vector_index": {
                        "enabled": True,
                        "config": {**config, "source_key": _DOCUMENT, "hnsw": {**hnsw}},
                    }
                }
            },
        },
    }


def _flag(is_enabled: bool) -> dict[str, Any]:
    return {"enabled": is_enabled, "config": {}}


def _reconciled(given: Any) -> Schema:
    """A client's schema, with what it leaves out."""
    schema = _schema({})
    if given is None:
        return schema
    given = mapping(given, "schema", "struct Schema")
    _lay(schema["defaults"], required(given, "defaults", _types, "schema"))
    keys = required(given, "keys", mapping, "schema")
    if schema["defaults"]["float_list"]["vector_index"]["enabled"]:
        raise refused(
            "Validation error: schema: Vector index cannot be enabled by default. "
            "It can only be enabled on #embedding field."
        )
    for key, types in keys.items():
        _lay(schema["keys"].setdefault(key, {}), _types(types, f"schema.keys.{key}"))
    for types in schema["keys"].values():
        if types.get("sparse_vector", {}).get("sparse_vector_index", {}).get("enabled"):
            raise refused(
                "Failed to reconcile schema: Invalid schema input: Sparse vector indexing is not enabled in local"
            )
    return schema


def _types(value: Any, path: str) -> dict[str, Any]:
    """The indexes of one key, by the types of its values."""
    types = mapping(value, path, "struct ValueTypes")
    read: dict[str, Any] = {}
    for kind, names in _INDEXES.items():
        if types.get(kind) is not None:
            inside = at(path, kind)
            indexes = mapping(types[kind], inside)
            read[kind] = {
                name: _one(indexes[name], at(inside, name)) for name in names if indexes.get(name) is not None
            }
    return read


def _one(value: Any, path: str) -> dict[str, Any]:
    index = mapping(value, path)
    enabled = required(index, "enabled", boolean, path)
    inside = at(path, "config")
    config = {key: each for key, each in required(index, "config", mapping, path).items() if each is not None}
    read: dict[str, Any] = {"enabled": enabled, "config": config}
    if path.endswith("vector_index") and not path.endswith("sparse_vector_index"):
        config.pop("spann", None)
        if "space" in config:
            one_of(*SPACES)(config["space"], at(inside, "space"))
        if "hnsw" in config:
            hnsw = mapping(config["hnsw"], at(inside, "hnsw"), "struct HnswIndexConfig")
            config["hnsw"] = known(hnsw, at(inside, "hnsw"), _SIZES)
        if "embedding_function" in config:
            config["embedding_function"] = _function(config["embedding_function"], at(inside, "embedding_function"))
    return read


def _lay(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Lays members over those that there are, at every depth but that of an embedding function."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict) and key != "embedding_function":
            _lay(below[key], value)
        else:
            below[key] = copy.deepcopy(value)


# -- what follows from a schema ----------------------------------------------------------------------------------------


def space(schema: Schema) -> str:
    return str(_vector_index(schema["keys"][_EMBEDDING])["space"])


def with_space(name: str) -> Schema:
    """The schema of a collection of which nothing else was told."""
    return _schema({"space": name})


def configuration(schema: Schema) -> dict[str, Any]:
    """What clients see under `configuration_json`."""
    config = _vector_index(schema["keys"][_EMBEDDING])
    hnsw = {"space": config["space"], **{key: config["hnsw"][key] for key in _SHOWN}}
    return {"hnsw": hnsw, "spann": None, "embedding_function": config.get("embedding_function")}


def seen(schema: Schema, metadatas: Iterable[Metadata | None]) -> Schema:
    """The schema with the keys that records have; the same object, if it has them already."""
    found = {pair for metadata in metadatas if metadata for pair in kinds(metadata)}
    new = sorted(pair for pair in found if pair[1] not in schema["keys"].get(pair[0], {}))
    if not new:
        return schema
    schema = copy.deepcopy(schema)
    for key, kind in new:
        schema["keys"].setdefault(key, {})[kind] = copy.deepcopy(schema["defaults"][kind])
    return schema


_NAMES = {"string": "Str", "int": "Int", "float": "Float", "bool": "Bool"}


def check_key(schema: Schema, key: str, kind: str) -> None:
    """Raises WireError if records may not be found by values of that type under the key."""
    if not _is_enabled(schema, key, kind, f"{kind}_inverted_index"):
        raise refused(
            f"Cannot filter using metadata key '{key}' with type '{_NAMES[kind]}' because indexing is disabled"
        )


def check_text(schema: Schema) -> None:
    """Raises WireError if records may not be found by their documents."""
    if not _is_enabled(schema, _DOCUMENT, "string", "fts_index"):
        raise refused("Cannot filter using full-text search because FTS indexing is disabled")


def _is_enabled(schema: Schema, key: str, kind: str, index: str) -> bool:
    own = schema["keys"].get(key, {}).get(kind, {}).get(index)
    found = schema["defaults"].get(kind, {}).get(index) if own is None else own
    return bool(found is None or found["enabled"])


def _vector_index(types: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = types["float_list"]["vector_index"]["config"]
    return config
