"""Where a request is at home: an index, and a namespace of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from aimock.cors import CORS
from aimock.surfaces.vector.call import Call
from aimock.surfaces.vector.store import (
    Collection,
    Exists,
    Field,
    Form,
    Full,
    Id,
    Measure,
    Namespace,
    Record,
    Vector,
    VectorError,
    dense,
    sparse,
)
from aimock_protocols.canonical import WireError, WireResponse
from aimock_protocols.pinecone.errors import not_found, refusal
from aimock_protocols.pinecone.indexes import Index, Kind, VectorField, schema_of
from aimock_protocols.pinecone.namespaces import stored
from aimock_protocols.pinecone.values import SparseValues

DIALECT = "pinecone"
SETTINGS = "pinecone"
"""In a collection's metadata: what is kept of an index beside its name."""
NAMESPACES = "pineconeNamespaces"
"""The same: namespaces that are there though they may be empty, each with its schema or None."""
ACCEPTED = WireResponse(202, CORS, b"")
"""What is deleted is answered with nothing."""
SPARSE = "sparse"
"""The field of sparse vectors in a collection whose dense ones have no name."""
UNNAMED = "default"
"""The collection that is meant where none is named and an address has several."""

_MEASURES = {"cosine": Measure.COSINE, "dotproduct": Measure.DOT, "euclidean": Measure.SQUARED_EUCLIDEAN}
_METRICS = {measure: metric for metric, measure in _MEASURES.items()}


@attrs.frozen(eq=False)
class Place:
    collection: Collection
    index: Index
    name: str
    """Of the namespace, as the store has it."""
    echoed: str
    """The same in the words of the client."""

    @property
    def namespace(self) -> Namespace:
        return self.collection.namespace(self.name)

    @property
    def exists(self) -> bool:
        """The default namespace always does."""
        return self.name == "" or self.name in namespaces_of(self.collection)

    def key(self, record_id: str) -> Id:
        """An id as the store has it: in a collection that is shared with Qdrant, ids may be numbers."""
        number = int(record_id) if record_id.isdecimal() and len(record_id) < 20 else None
        namespace = self.namespace
        return number if number is not None and number in namespace and record_id not in namespace else record_id

    def get(self, record_id: str) -> Record | None:
        return self.namespace.get(self.key(record_id))

    def put(self, records: Iterable[Record]) -> None:
        """Raises WireError for what the store refuses."""
        self._learn_sparse()
        put(self.namespace, records)

    def delete(self, ids: Iterable[Id]) -> None:
        """The namespace stays, though it be empty."""
        namespace = self.namespace
        namespace.delete(ids)
        if self.name and not len(namespace):
            keep_namespace(self.collection, self.name, None)

    def served_by(self, *kinds: Kind) -> Place:
        """Itself, if it is an index of these kinds. Raises WireError."""
        if self.index.kind not in kinds:
            raise refusal(f"Index '{self.index.name}' is served by {self.index.kind.value}: use that instead")
        return self

    def _learn_sparse(self) -> None:
        """A collection that was not made as an index takes sparse vectors too, if its measure allows it."""
        if self.index.shape.has_sparse and self.index.kind is Kind.VECTORS and SPARSE not in self.collection.fields:
            self.collection.fields[SPARSE] = _field(VectorField(None, "dotproduct"))
            self.collection.changed()


def located(call: Call, echoed: str) -> Place:
    """The place that a request of the data plane is for, which names a namespace. At an index's own host that is one
    of the index. At the service's, where there may be several, the namespace is the name of an index; and if there is
    none of that name, and but one index, it is one of that."""
    name = call.params.get("index")
    if name is not None:
        return _place(index_named(call, name), echoed)
    named = call.collection(stored(echoed) or UNNAMED)
    if named is not None:
        return Place(named, index_of(named), "", echoed)
    known = call.store.of(DIALECT, "")
    if len(known) != 1:
        host = call.url("/i/INDEX")
        raise refusal(
            f"There are {len(known)} indexes here: use an index's own host, {host}, as describing it tells", 404
        )
    call.about(known[0])
    return _place(known[0], echoed)


def _place(collection: Collection, echoed: str) -> Place:
    return Place(collection, index_of(collection), stored(echoed), echoed)


def index_named(call: Call, name: str) -> Collection:
    """Raises WireError if there is none."""
    collection = call.collection(name)
    if collection is None:
        raise not_found(f"Index {name}")
    return collection


def index_of(collection: Collection) -> Index:
    """A collection as the control plane has it, though it may not have been made there."""
    kept = collection.metadata.get(SETTINGS)
    if kept is not None:
        return Index(collection.name, **kept)
    field = collection.fields.get("", Field(Measure.DOT, form=Form.SPARSE) if SPARSE in collection.fields else None)
    if field is None or field.form is Form.MULTI:
        return Index(collection.name, schema_of(0, "cosine"))
    if field.form is Form.SPARSE:
        return Index(collection.name, schema_of(None, "dotproduct"))
    return Index(collection.name, schema_of(field.dimension or 0, _METRICS.get(field.measure, "euclidean")))


def created(call: Call, index: Index, kind: str = "index", scope: str = "") -> Collection:
    """A new collection for an index, or for a copy of one. Raises WireError if there is one of the name, or no room."""
    stamp = call.exchange.stamp
    collection = Collection(
        index.name,
        id=stamp.uuid(kind),
        dialects={DIALECT},
        fields={name: _field(field) for name, field in index.vector_fields.items()},
        scope=scope,
        metadata={SETTINGS: index.settings},
        created=stamp.created,
    )
    try:
        call.store.create(collection)
    except Exists:
        raise refusal("Resource already exists.", 409) from None
    except Full as error:
        raise refusal(f"Request failed. You have reached the most collections that fit: {error}", 403) from error
    return collection


def copied(call: Call, source: Collection, index: Index, kind: str = "index", scope: str = "") -> Collection:
    """The same with all that another collection holds. Raises WireError if there is no room: then none was made."""
    made = created(call, index, kind, scope)
    made.fields.update(source.fields)
    try:
        for name, namespace in source.namespaces.items():
            put(made.namespace(name), namespace)
    except WireError:
        call.store.drop(made)
        raise
    if NAMESPACES in source.metadata:
        made.metadata[NAMESPACES] = source.metadata[NAMESPACES]
    made.changed()
    return made


def _field(field: VectorField) -> Field:
    form = Form.SPARSE if field.dimension is None else Form.DENSE
    return Field(_MEASURES[field.metric], field.dimension or None, form)


def namespaces_of(collection: Collection) -> Mapping[str, Mapping[str, Any] | None]:
    """All that there are, each with the schema that it was made with."""
    return {**dict.fromkeys(collection.namespaces), **collection.metadata.get(NAMESPACES, {})}


def keep_namespace(collection: Collection, name: str, schema: Mapping[str, Any] | None) -> None:
    """So that it is there while it is empty."""
    kept = collection.metadata.get(NAMESPACES, {})
    collection.metadata[NAMESPACES] = {**kept, name: kept.get(name, schema)}
    collection.changed()


def forget_namespace(collection: Collection, name: str) -> None:
    kept = dict(collection.metadata.get(NAMESPACES, {}))
    if kept.pop(name, ...) is not ...:
        collection.metadata[NAMESPACES] = kept
        collection.changed()


def put(namespace: Namespace, records: Iterable[Record]) -> None:
    """Raises WireError for what the store refuses."""
    try:
        namespace.put(records)
    except Full as error:
        raise refusal(f"Request failed. You have reached your storage limit: {error}", 403) from error
    except VectorError as error:
        raise refusal(str(error)) from error


def vectors_of(values: list[float], sparse_values: SparseValues | None) -> dict[str, Vector]:
    """Numbers as they came, as the vectors of a record. Raises WireError."""
    try:
        found: dict[str, Vector] = {"": dense(values)} if values else {}
        if sparse_values is not None:
            found[SPARSE] = sparse(*sparse_values)
    except VectorError as error:
        raise refusal(str(error)) from error
    return found
