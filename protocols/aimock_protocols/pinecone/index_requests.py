"""What is asked of indexes: that they be made or changed, in the words of each version. Raises WireError for what
Pinecone refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from aimock_protocols.pinecone import inference
from aimock_protocols.pinecone.errors import refusal
from aimock_protocols.pinecone.indexes import DENSE, DEPLOYMENT, ON_DEMAND, SPARSE, Index, Kind, schema_of
from aimock_protocols.pinecone.namespaces import metadata_schema
from aimock_protocols.pinecone.reading import (
    fields_of,
    filled,
    flag,
    kept_fields,
    member,
    one_of,
    required,
    shown,
    text,
    within,
)
from aimock_protocols.pinecone.values import MAX_DIMENSION

_METRICS = ("cosine", "euclidean", "dotproduct")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,43}[a-z0-9])?")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MAX_TAGS = 20
_MAX_TAG_VALUE = 120
_MAX_FIELD_BYTES = 64
_CLOUDS = ("aws", "gcp", "azure")

# -- creating ----------------------------------------------------------------------------------------------------------


def read_creation(body: Any, name: str) -> Index:
    """An index that is to be made; `name`: for one that is given none."""
    fields = kept_fields(body)
    index = Index(
        resource_name(member(fields, "name", text, name), "Index"),
        {},
        deletion_protection=_protection(fields),
        tags=_tags(fields),
        cmek_id=member(fields, "cmek_id", text, None),
    )
    if fields.get("schema") is not None and fields.get("spec") is None:
        schema = required(fields_of(fields["schema"], "schema"), "fields", fields_of, "schema.")
        deployment = member(fields, "deployment", _deployment, DEPLOYMENT)
        capacity = member(fields, "read_capacity", _read_capacity, ON_DEMAND)
        return attrs.evolve(index, fields=_schema_fields(schema), deployment=deployment, read_capacity=capacity)
    if fields.get("spec") is None:
        raise _unprocessable("schema" if fields.get("dimension") is None else "spec")
    kind = member(fields, "vector_type", one_of("dense", "sparse"), "dense")
    metric = member(fields, "metric", _metric, "cosine" if kind == "dense" else "dotproduct")
    if kind == "sparse":
        if fields.get("dimension") is not None:
            raise refusal("Sparse indexes must not have a dimension")
        if metric != "dotproduct":
            raise refusal("Sparse indexes must use the dotproduct metric")
        dimension = None
    else:
        dimension = required(fields, "dimension", within(1, MAX_DIMENSION))
    spec = fields_of(fields["spec"], "spec")
    served = next((fields_of(each, "spec") for each in spec.values() if type(each) is dict), {})
    return attrs.evolve(
        index,
        fields=schema_of(dimension, metric),
        deployment=_deployment_of(spec),
        read_capacity=member(served, "read_capacity", _read_capacity, ON_DEMAND),
        metadata_schema=member(served, "schema", metadata_schema, None),
        source_collection=member(served, "source_collection", text, None),
    )


def read_creation_for_model(body: Any) -> Index:
    """The same of one that embeds its records."""
    fields = kept_fields(body)
    name = resource_name(required(fields, "name", text), "Index")
    place = {"cloud": required(fields, "cloud", one_of(*_CLOUDS)), "region": required(fields, "region", filled)}
    embed = _embedding(required(fields, "embed", fields_of))
    return Index(
        name,
        {embed["field_map"]["text"]: _semantic_text(embed)},
        {"deployment_type": "managed", **place},
        _protection(fields),
        _tags(fields),
        member(fields, "read_capacity", _read_capacity, ON_DEMAND),
        embed,
        member(fields, "schema", metadata_schema, None),
    )


def read_restoration(body: Any, source: Index, backup_id: str) -> Index:
    """The same of one that has what another had."""
    fields = kept_fields(body)
    return attrs.evolve(
        source,
        name=resource_name(required(fields, "name", text), "Index"),
        deletion_protection=_protection(fields),
        tags=_tags(fields),
        read_capacity=member(fields, "read_capacity", _read_capacity, ON_DEMAND),
        source_backup_id=backup_id,
        source_collection=None,
    )


def _embedding(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a model, whole."""
    model = inference.embed_model(required(fields, "model", filled, "embed."))
    field_map = required(fields, "field_map", fields_of, "embed.")
    mapped = required(field_map, "text", filled, "embed.field_map.")
    metric = member(fields, "metric", _metric, model.metrics[0])
    if metric not in model.metrics:
        raise refusal(f"Model '{model.name}' does not support metric '{metric}': it has {', '.join(model.metrics)}")
    dimension = inference.dimension_of(model, fields.get("dimension"))
    return {
        "model": model.name,
        "metric": metric,
        **({} if model.is_sparse else {"dimension": dimension}),
        "vector_type": model.vector_type,
        "field_map": {"text": mapped},
        "read_parameters": {"input_type": "query", "truncate": "END"}
        | member(fields, "read_parameters", fields_of, {}),
        "write_parameters": {"input_type": "passage", "truncate": "END"}
        | member(fields, "write_parameters", fields_of, {}),
    }


def _semantic_text(embed: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: embed[key] for key in ("model", "metric", "read_parameters", "write_parameters")}
    return {"type": "semantic_text", **told, "dimension": embed.get("dimension")}


def _schema_fields(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    if not fields:
        raise refusal("schema.fields must have at least one field")
    is_plain = fields.keys() <= {DENSE, SPARSE}
    read = {}
    for name, field in fields.items():
        if not 1 <= len(name.encode("utf-8", "replace")) <= _MAX_FIELD_BYTES or name.startswith("$"):
            raise refusal(f"schema field names must have 1 to {_MAX_FIELD_BYTES} bytes and not start with '$'")
        if name.startswith("_") and not is_plain:
            raise refusal(f"schema field names starting with '_' are reserved, got {shown(name)}")
        kind = required(fields_of(field, f"schema.fields.{name}"), "type", text, f"schema.fields.{name}.")
        if kind not in _FIELDS or (is_plain and kind != ("dense_vector" if name == DENSE else "sparse_vector")):
            known = ", ".join(_FIELDS)
            raise refusal(f"schema.fields.{name}: type {shown(kind)} cannot be declared here. Known types: {known}")
        read[name] = {"type": kind, **_FIELDS[kind](field, f"schema.fields.{name}.")}
    for kind in ("dense_vector", "sparse_vector"):
        if sum(field["type"] == kind for field in read.values()) > 1:
            raise refusal(f"schema must have at most one {kind} field")
    if DENSE in read:
        read.setdefault(SPARSE, {"type": "sparse_vector"})
    return read


def _dense_field(field: Mapping[str, Any], where: str) -> dict[str, Any]:
    dimension = required(field, "dimension", within(1, MAX_DIMENSION), where)
    return {"dimension": dimension, "metric": required(field, "metric", _metric, where), **_described(field)}


def _sparse_field(field: Mapping[str, Any], where: str) -> dict[str, Any]:
    return _described(field)


def _string_field(field: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A text that is searched by its words or by its embedding."""
    read = _described(field)
    search = member(field, "full_text_search", fields_of, None)
    embed = member(field, "embed", fields_of, None)
    sparse = member(field, "sparse_embed", fields_of, None)
    keeps_text = field.get("store_text") is not False
    if search is None and embed is None and sparse is None:
        raise refusal(f"{where}full_text_search, embed or sparse_embed is required for a string field")
    if search is not None or keeps_text:
        read["full_text_search"] = _full_text_search(search or {}, where)
    if embed is not None:
        model = inference.embed_model(member(embed, "model", filled, inference.DENSE_DEFAULT))
        if model.is_sparse:
            raise refusal(f"{where}embed: model '{model.name}' is sparse; use sparse_embed")
        dimension = inference.dimension_of(model, embed.get("dimension"))
        metric = member(embed, "metric", _metric, model.metrics[0])
        read["embed"] = embed | {"model": model.name, "dimension": dimension, "metric": metric}
    if sparse is not None:
        model = inference.embed_model(member(sparse, "model", filled, inference.SPARSE_DEFAULT))
        if not model.is_sparse:
            raise refusal(f"{where}sparse_embed: model '{model.name}' is dense; use embed")
        read["sparse_embed"] = sparse | {"model": model.name}
    if not keeps_text:
        read["store_text"] = False
    return read


def _full_text_search(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    """How words are told apart, which is kept but not heeded."""
    stems, stops = (member(fields, key, flag, False) for key in ("stemming", "stop_words"))
    if stops and not stems:
        raise refusal(f"{where}full_text_search: stop_words requires stemming")
    read = {"language": member(fields, "language", filled, "en"), "stemming": stems, "stop_words": stops}
    ngram = member(fields, "ngram", fields_of, None)
    return read if ngram is None else read | {"ngram": {"prefix_only": False, **ngram}}


_FIELDS = {"dense_vector": _dense_field, "sparse_vector": _sparse_field, "string": _string_field}


def _described(field: Mapping[str, Any]) -> dict[str, Any]:
    description = member(field, "description", text, None)
    return {} if description is None else {"description": description}


def _deployment(value: Any, what: str) -> dict[str, Any]:
    fields = fields_of(value, what)
    kind = required(fields, "deployment_type", one_of(*_PLACES), f"{what}.")
    return {"deployment_type": kind, **_PLACES[kind](fields, f"{what}.")}


def _deployment_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The deployment that an older `spec` is."""
    for key, kind in (("serverless", "managed"), ("pod", "pod"), ("byoc", "byoc")):
        if spec.get(key) is not None:
            return {"deployment_type": kind, **_PLACES[kind](fields_of(spec[key], f"spec.{key}"), f"spec.{key}.")}
    raise refusal("spec must have serverless, pod or byoc")


def _managed(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    cloud = required(fields, "cloud", one_of(*_CLOUDS), where)
    return {"cloud": cloud, "region": required(fields, "region", filled, where)}


def _pod(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {
        "environment": required(fields, "environment", filled, where),
        "pod_type": member(fields, "pod_type", filled, "p1.x1"),
        "replicas": member(fields, "replicas", within(1, 1000), 1),
        "shards": member(fields, "shards", within(1, 1000), 1),
    }


def _byoc(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {"environment": required(fields, "environment", filled, where)}


_PLACES = {"managed": _managed, "pod": _pod, "byoc": _byoc}


def _read_capacity(value: Any, what: str) -> dict[str, Any]:
    fields = fields_of(value, what)
    if required(fields, "mode", one_of("OnDemand", "Dedicated"), f"{what}.") == "OnDemand":
        return dict(ON_DEMAND)
    dedicated = required(fields, "dedicated", fields_of, f"{what}.")
    told: dict[str, Any] = {
        key: required(dedicated, key, filled, f"{what}.dedicated.") for key in ("node_type", "scaling")
    }
    manual = member(dedicated, "manual", fields_of, None)
    if manual is not None:
        told["manual"] = {
            key: required(manual, key, within(0, 1000), f"{what}.dedicated.manual.") for key in ("shards", "replicas")
        }
    return {"mode": "Dedicated", "dedicated": told}


def _metric(value: Any, what: str) -> str:
    return one_of(*_METRICS)(value.lower() if type(value) is str else value, what)


def _protection(fields: Mapping[str, Any]) -> str:
    return member(fields, "deletion_protection", one_of("enabled", "disabled"), "disabled")


def _tags(fields: Mapping[str, Any]) -> dict[str, str]:
    tags: dict[str, str] = member(fields, "tags", fields_of, {})
    for key, value in tags.items():
        if _TAG.fullmatch(key) is None:
            raise refusal(f"Tag keys must have 1 to 80 characters, alphanumeric, '_' or '-', got {shown(key)}")
        if len(text(value, f"tags.{key}")) > _MAX_TAG_VALUE or not value.isascii() or not (value + " ").isprintable():
            raise refusal(f"Tag values must be printable ASCII of at most {_MAX_TAG_VALUE} characters: {key}")
    return _few({key: value for key, value in tags.items() if value})


def _few(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MAX_TAGS:
        raise refusal(f"An index may have at most {_MAX_TAGS} tags, got {len(tags)}")
    return tags


def resource_name(name: str, what: str) -> str:
    """The name of an index, a collection or a backup. Raises WireError."""
    if not 1 <= len(name) <= 45:
        raise refusal(f"{what} name must have between 1 and 45 characters, got {len(name)}")
    if _NAME.fullmatch(name) is None:
        allowed = "only lowercase alphanumeric characters or hyphens, and must not begin or end with a hyphen"
        raise refusal(f"{what} name must contain {allowed}.")
    return name


def _unprocessable(field: str) -> Exception:
    return refusal(f"Failed to deserialize the JSON body into the target type: missing field `{field}`", 422)


# -- configuring -------------------------------------------------------------------------------------------------------


def configured(index: Index, body: Any) -> Index:
    """An index with the changes that are asked for."""
    fields = kept_fields(body)
    changed = attrs.evolve(
        index,
        deletion_protection=member(
            fields, "deletion_protection", one_of("enabled", "disabled"), index.deletion_protection
        ),
    )
    if fields.get("tags") is not None:
        _tags(fields)
        merged = {**index.tags, **fields["tags"]}
        changed = attrs.evolve(changed, tags=_few({key: value for key, value in merged.items() if value}))
    spec = member(fields, "spec", fields_of, {})
    scaling = member(fields, "deployment", fields_of, None) or member(spec, "pod", fields_of, None)
    if scaling:
        if index.deployment["deployment_type"] != "pod":
            raise refusal("Only the replicas and pod type of a pod-based index can be changed")
        changed = attrs.evolve(
            changed, deployment={"deployment_type": "pod", **_pod({**index.deployment, **scaling}, "")}
        )
    capacity = fields.get("read_capacity") or member(spec, "serverless", fields_of, {}).get("read_capacity")
    if capacity is not None:
        changed = attrs.evolve(
            changed, read_capacity=_read_capacity(_merged(index.read_capacity, capacity), "read_capacity")
        )
    parameters = _parameters(index, fields)
    if parameters is not None:
        embed = _embedding({**(index.embed or {}), **parameters})
        if index.embed is not None and embed["model"] != index.embed["model"]:
            raise refusal("The model of an index cannot be changed")
        changed = attrs.evolve(changed, embed=embed, fields={embed["field_map"]["text"]: _semantic_text(embed)})
    return changed


def _merged(kept: Any, given: Any) -> Any:
    """Objects with their members put into each other; anything else is replaced."""
    if type(given) is not dict or not isinstance(kept, Mapping):
        return given
    return {**kept, **{key: _merged(kept.get(key), value) for key, value in given.items()}}


def _parameters(index: Index, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is to be changed of the model's configuration."""
    if fields.get("embed") is not None:
        given = fields_of(fields["embed"], "embed")
        if index.embed is None and _dimension_differs(index, given):
            raise refusal("The model's dimension does not match that of the index")
        return {key: value for key, value in given.items() if value is not None}
    if fields.get("schema") is None:
        return None
    asked = required(fields_of(fields["schema"], "schema"), "fields", fields_of, "schema.")
    if index.embed is None or asked.keys() != {index.embed["field_map"]["text"]}:
        raise refusal("Only the parameters of a semantic_text field can be changed")
    [field] = asked.values()
    return {key: value for key, value in fields_of(field, "schema.fields").items() if key != "type"}


def _dimension_differs(index: Index, embed: Mapping[str, Any]) -> bool:
    model = inference.embed_model(required(embed, "model", filled, "embed."))
    return index.kind is not Kind.VECTORS or index.dimension not in (model.dimensions or (None,))
