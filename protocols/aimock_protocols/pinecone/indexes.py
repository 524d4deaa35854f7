"""Indexes as the control plane has them, and how they are described.

An index is kept in the terms of 2026-07 (a schema of fields and a deployment). A description has the members of all
versions at once, for clients take those that they know.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from aimock_protocols.pinecone import inference
from aimock_protocols.pinecone.values import Shape
from aimock_protocols.pinecone.versions import DOCUMENTS

DENSE = "_values"
"""What the schema calls the dense vectors of an index without documents."""
SPARSE = "_sparse_values"

DEPLOYMENT: Mapping[str, Any] = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
ON_DEMAND: Mapping[str, Any] = {"mode": "OnDemand"}


class Kind(enum.Enum):
    """By which operations an index is read and written."""

    VECTORS = "the vectors API"
    RECORDS = "the records API"
    """Texts, embedded with a model."""
    DOCUMENTS = "the documents API"
    """Documents with a schema."""


@attrs.frozen
class VectorField:
    """A field by whose vectors records are found."""

    dimension: int | None
    """None: it is sparse."""
    metric: str
    model: str | None = None
    """By which its vectors are made of the text in it."""


@attrs.frozen
class Index:
    """What is kept of an index, all of it JSON values."""

    name: str
    fields: Mapping[str, Mapping[str, Any]]
    """Of the schema."""
    deployment: Mapping[str, Any] = DEPLOYMENT
    deletion_protection: str = "disabled"
    tags: Mapping[str, str] = attrs.field(factory=dict)
    read_capacity: Mapping[str, Any] = ON_DEMAND
    embed: Mapping[str, Any] | None = None
    """The model's configuration, of an index that embeds its records."""
    metadata_schema: Mapping[str, Any] | None = None
    source_collection: str | None = None
    source_backup_id: str | None = None
    cmek_id: str | None = None

    @property
    def kind(self) -> Kind:
        if self.embed is not None:
            return Kind.RECORDS
        return Kind.VECTORS if self.fields.keys() <= {DENSE, SPARSE} else Kind.DOCUMENTS

    @property
    def vector_fields(self) -> Mapping[str, VectorField]:
        """Those by which the store finds its records, by the store's names for them: of an index without documents the
        dense one has none, and the sparse one is called so."""
        if self.embed is not None:
            model = inference.embed_model(self.embed["model"])
            field = VectorField(self.embed.get("dimension"), self.embed["metric"], model.name)
            return {"sparse" if model.is_sparse else "": field}
        found: dict[str, VectorField] = {}
        for name, declared in self.fields.items():
            found |= _vectors_of(name, declared)
        if found.get("", _PRODUCTS).metric != "dotproduct":
            # Dense vectors have sparse ones beside them only where products are compared.
            found.pop("sparse", None)
        return found

    @property
    def dimension(self) -> int | None:
        """Of its dense vectors; None: it has none."""
        return next((field.dimension for field in self.vector_fields.values() if field.dimension is not None), None)

    @property
    def shape(self) -> Shape:
        """What vectors it takes, if it is no index of documents."""
        return Shape(self.dimension, "sparse" in self.vector_fields)

    @property
    def metric(self) -> str:
        return next((field.metric for field in self.vector_fields.values()), "dotproduct")

    @property
    def settings(self) -> dict[str, Any]:
        """What is kept of it beside its name."""
        return {key: value for key, value in attrs.asdict(self).items() if key != "name"}


def sparse_name(field: str) -> str:
    """What the store calls the sparse vectors of a text field, which may have dense ones too."""
    return f"{field}\0sparse"


_PRODUCTS = VectorField(None, "dotproduct")
_STORED = {DENSE: "", SPARSE: "sparse"}


def _vectors_of(name: str, field: Mapping[str, Any]) -> dict[str, VectorField]:
    """The vectors that records have because of a field of the schema, by the store's names for them."""
    if field.get("type") == "dense_vector":
        return {_STORED.get(name, name): VectorField(field["dimension"], field["metric"])}
    if field.get("type") == "sparse_vector":
        return {_STORED.get(name, name): _PRODUCTS}
    found = {}
    if field.get("embed") is not None:
        embed = field["embed"]
        found[name] = VectorField(embed["dimension"], embed["metric"], embed["model"])
    if field.get("sparse_embed") is not None:
        found[sparse_name(name)] = VectorField(None, "dotproduct", field["sparse_embed"]["model"])
    return found


def schema_of(dimension: int | None, metric: str) -> dict[str, dict[str, Any]]:
    """The schema of an index of plain vectors; `dimension` is None if they are sparse."""
    if dimension is None:
        return {SPARSE: {"type": "sparse_vector"}}
    dense = {"type": "dense_vector", "dimension": dimension, "metric": metric}
    return {DENSE: dense, SPARSE: {"type": "sparse_vector"}}


# -- describing --------------------------------------------------------------------------------------------------------


def described(index: Index, host: str, is_ready: bool) -> dict[str, Any]:
    """An index as each version's clients know it."""
    status = {"ready": is_ready, "state": "Ready" if is_ready else "Initializing"}
    told: dict[str, Any] = {
        "name": index.name,
        "host": host,
        "status": status,
        "schema": {"fields": {**index.fields, **(index.metadata_schema or {"fields": {}})["fields"]}},
        "deployment": index.deployment,
        "deletion_protection": index.deletion_protection,
        "read_capacity": _capacity_told(index),
        "spec": _spec(index),
        "metric": index.metric,
        "vector_type": "sparse" if index.dimension is None else "dense",
        "dimension": index.dimension,
        "tags": index.tags or None,
        "embed": index.embed,
        "source_collection": index.source_collection,
        "source_backup_id": index.source_backup_id,
        "cmek_id": index.cmek_id,
    }
    return {key: value for key, value in told.items() if value is not None}


def is_expressible(index: Index, version: str) -> bool:
    """Whether a version of the API can tell of it: older ones know no documents."""
    return version >= DOCUMENTS or index.kind is not Kind.DOCUMENTS


def _capacity_told(index: Index) -> dict[str, Any]:
    status: dict[str, Any] = {"state": "Ready"}
    manual = index.read_capacity.get("dedicated", {}).get("manual") or {}
    status |= {f"current_{key}": value for key, value in manual.items()}
    return {**index.read_capacity, "status": status}


def _spec(index: Index) -> dict[str, Any]:
    """The deployment as versions before 2026-07 have it."""
    kind, place = index.deployment["deployment_type"], {**index.deployment}
    del place["deployment_type"]
    if kind == "pod":
        return {"pod": place | {"pods": place["replicas"] * place["shards"]}}
    name = "serverless" if kind == "managed" else kind
    schema = {} if index.metadata_schema is None else {"schema": index.metadata_schema}
    return {name: place | {"read_capacity": _capacity_told(index)} | schema}
