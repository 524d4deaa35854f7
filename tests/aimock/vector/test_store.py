"""The store: what it holds, what it refuses, and what a snapshot of it keeps."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from aimock.surfaces.vector.store import (
    Collection,
    DimensionError,
    Exists,
    Field,
    Form,
    Full,
    Measure,
    Namespace,
    Record,
    Store,
    StoreError,
    VectorError,
    dense,
    multi,
    sparse,
)

DENSE = Field(Measure.DOT)


def collection(name: str = "docs", dialects: str = "qdrant", **fields: Field) -> Collection:
    made = {"" if field == "plain" else field: each for field, each in fields.items()} or {"": DENSE}
    return Collection(name, id=f"{name} of {dialects}", dialects={dialects}, fields=made)


def created(store: Store | None = None, **fields: Field) -> Collection:
    made = collection(**fields)
    (Store() if store is None else store).create(made)
    return made


def record(id: str | int, *numbers: float, metadata: Mapping[str, Any] | None = None) -> Record:
    return Record(id, {"": dense(numbers)}, metadata)


def holding(*records: Record) -> Namespace:
    namespace = created().namespace()
    namespace.put(records)
    return namespace


def ids(found: Any) -> list[str | int]:
    return [getattr(each, "record", each).id for each in found]


# -- records -----------------------------------------------------------------------------------------------------------


def test_what_is_replaced_keeps_its_place() -> None:
    namespace = holding(record("a", 1), record(2, 2), record("c", 3))
    namespace.put([record(2, 9, metadata={"new": True}), record("d", 4)])
    assert ids(namespace) == ["a", 2, "c", "d"]
    found = namespace.get(2)
    assert found is not None
    assert found.metadata == {"new": True}
    assert found.vectors[""].tolist() == [9.0]  # type: ignore[union-attr]
    assert namespace.get("2") is None


def test_of_several_with_one_id_the_last_counts() -> None:
    namespace = holding(record("a", 1), record("b", 2), record("a", 3))
    assert [(hit.record.id, hit.score) for hit in namespace.snapshot().nearest("", dense([1]), None)] == [
        ("a", 3.0),
        ("b", 2.0),
    ]


def test_a_version_is_the_operation_that_wrote_it() -> None:
    namespace = holding(record("a", 1), record("b", 1))
    namespace.delete(["b"])
    namespace.put([record("c", 1)])
    assert {each.id: each.version for each in namespace} == {"a": 1, "c": 3}


def test_deleting_tells_how_many_there_were() -> None:
    namespace = holding(record("a", 1), record("b", 2), record("c", 3))
    assert namespace.delete(["a", "a", "x", "c"]) == 2
    assert ids(namespace) == ["b"]
    assert ids(namespace.snapshot().nearest("", dense([1]), 5)) == ["b"]
    namespace.clear()
    assert len(namespace) == 0


def test_vectors_of_records_cannot_be_written() -> None:
    found = holding(record("a", 1, 2)).get("a")
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found.vectors[""][0] = 5  # type: ignore[index]


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_a_vector_of_another_dimension_changes_nothing() -> None:
    namespace = holding(record("a", 1, 2))
    with pytest.raises(DimensionError, match="expected vectors of dimension 2, got 3") as refused:
        namespace.put([record("b", 1, 2), record("c", 1, 2, 3)])
    assert (refused.value.expected, refused.value.got) == (2, 3)
    assert ids(namespace) == ["a"]
    assert namespace.get("a").version == 1  # type: ignore[union-attr]


def test_the_first_vector_of_a_batch_says_the_dimension() -> None:
    made = created()
    with pytest.raises(DimensionError):
        made.namespace().put([record("a", 1, 2), record("b", 1)])
    assert made.fields[""].dimension is None
    made.namespace().put([record("b", 1)])
    assert made.fields[""].dimension == 1


@pytest.mark.parametrize(
    "numbers", [[float("nan")], [float("inf"), 1.0], [1e39], ["1"], [None], [[1.0], [1.0, 2.0]], [10**400]]
)
def test_what_is_no_vector_of_finite_floats(numbers: Any) -> None:
    with pytest.raises(VectorError):
        dense(numbers)


def test_what_came_past_the_makers_is_refused_too() -> None:
    namespace = created().namespace()
    with pytest.raises(VectorError, match="not finite"):
        namespace.put([Record("a", {"": np.array([np.nan], np.float32)})])
    with pytest.raises(VectorError, match="no numbers"):
        namespace.put([record("a")])
    with pytest.raises(VectorError, match="expected dense vectors"):
        namespace.put([Record("a", {"": sparse([1], [1.0])})])
    with pytest.raises(VectorError, match="no vectors of the name 'other'"):
        namespace.put([Record("a", {"other": dense([1.0])})])
    with pytest.raises(StoreError, match="metadata of 'a' is not JSON"):
        namespace.put([record("a", 1, metadata={"x": object()})])
    assert len(namespace) == 0


@pytest.mark.parametrize(
    ("indices", "values"), [([1], [1.0, 2.0]), ([1, 1], [1.0, 2.0]), ([-1], [1.0]), ([2**32], [1.0]), ([True], [1.0])]
)
def test_what_is_no_sparse_vector(indices: list[int], values: list[float]) -> None:
    with pytest.raises(VectorError):
        sparse(indices, values)


def test_limits_say_which() -> None:
    store = Store(max_collections=1, max_records=2, max_bytes=3000)
    namespace = created(store).namespace()
    with pytest.raises(Full, match="max_collections is 1"):
        store.create(collection("more"))
    namespace.put([record("a", 1), record("b", 1)])
    with pytest.raises(Full, match="max_records is 2"):
        namespace.put([record("b", 2), record("c", 1)])
    namespace.put([record("b", 2)])
    namespace.delete(["a"])
    with pytest.raises(Full, match="max_bytes is 3000"):
        namespace.put([record("c", 1, metadata={"long": "x" * 3000})])
    namespace.put([record("c", 1)])
    assert ids(namespace) == ["b", "c"]


def test_what_is_dropped_makes_room() -> None:
    store = Store(max_records=1)
    made = created(store)
    made.namespace().put([record("a", 1)])
    store.drop(made)
    made.namespace().put([record("b", 1)])  # nobody has it any more, and it counts for nobody
    other = collection("other")
    store.create(other)
    other.namespace().put([record("a", 1)])


# -- collections -------------------------------------------------------------------------------------------------------


def test_a_name_is_taken_where_a_dialect_would_see_both() -> None:
    store = Store()
    shared = Collection("docs", id="1", dialects={"qdrant", "chroma"}, fields={})
    store.create(shared)
    with pytest.raises(Exists):
        store.create(Collection("docs", id="2", dialects={"chroma"}, fields={}))
    scoped = Collection("docs", id="3", dialects={"chroma"}, scope="t/d", fields={})
    pinecones = Collection("docs", id="4", dialects={"pinecone"}, fields={})
    store.create(scoped)
    store.create(pinecones)
    assert store.named("qdrant", "docs") is shared
    assert store.named("chroma", "docs", "t/d") is scoped
    assert store.named("pinecone", "docs") is pinecones
    assert store.named("pinecone", "docs", "t/d") is None
    assert store.of("chroma") == [shared, scoped]
    assert store.of("chroma", "") == [shared]
    assert store.with_id("chroma", "4") is None
    assert store.with_id("pinecone", "4") is pinecones


def test_renaming() -> None:
    store = Store()
    first, second = collection("first"), collection("second")
    store.create(first)
    store.create(second)
    with pytest.raises(Exists):
        store.rename(first, "second")
    store.rename(first, "first")
    store.rename(first, "third")
    assert store.named("qdrant", "third") is first
    assert store.named("qdrant", "first") is None


def test_a_namespace_is_there_while_it_holds_something() -> None:
    made = created()
    assert made.namespace("n") is made.namespace("n")
    assert dict(made.namespaces) == {}
    made.namespace("n").put([record("a", 1)])
    assert list(made.namespaces) == ["n"]
    assert ids(made.namespace("n")) == ["a"]
    made.namespace("n").delete(["a"])
    assert dict(made.namespaces) == {}


def test_clearing_takes_everything() -> None:
    store = Store()
    made = created(store)
    made.namespace().put([record("a", 1)])
    notes = store.notes
    notes["tenants"] = ["t"]
    store.clear()
    assert (len(store), dict(store.notes), dict(notes)) == (0, {}, {})


# -- snapshots ---------------------------------------------------------------------------------------------------------


def test_a_snapshot_stays_as_it_was() -> None:
    namespace = holding(record("a", 1), record("b", 2))
    before = namespace.snapshot()
    namespace.put([record("a", 9), record("c", 5)])
    between = namespace.snapshot()
    namespace.delete(["b"])
    for taken, expected in ((before, ["b", "a"]), (between, ["a", "c", "b"]), (namespace.snapshot(), ["a", "c"])):
        assert ids(taken.nearest("", dense([1]), None)) == expected
        assert set(ids(taken.matching())) == set(expected)
        assert set(ids(taken.matching(ids=["a", "b", "c"]))) == set(expected)


def test_matching_is_in_the_order_of_insertion() -> None:
    snapshot = holding(*(record(i, i, metadata={"even": i % 2 == 0}) for i in range(6))).snapshot()
    assert ids(snapshot.matching(lambda each: bool((each.metadata or {})["even"]))) == [0, 2, 4]
    assert ids(snapshot.matching(ids=[5, 1, 5, 9])) == [1, 5]
    assert ids(snapshot.matching(lambda each: each.id != 5, [5, 1])) == [1]


# -- the nearest -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure.COSINE, [("a", 1.0), ("b", 0.6), ("zero", 0.0), ("far", -1.0)]),
        (Measure.DOT, [("a", 5.0), ("b", 3.0), ("zero", 0.0), ("far", -50.0)]),
        (Measure.SQUARED_EUCLIDEAN, [("a", 16.0), ("b", 20.0), ("zero", 25.0), ("far", 225.0)]),
        (Measure.MANHATTAN, [("a", 4.0), ("zero", 5.0), ("b", 5.2), ("far", 15.0)]),
    ],
)
def test_each_measure(measure: Measure, expected: list[tuple[str, float]]) -> None:
    namespace = created(plain=Field(measure)).namespace()
    namespace.put([record("far", -10, 0), record("zero", 0, 0), record("b", 0.6, 0.8), record("a", 1, 0)])
    hits = namespace.snapshot().nearest("", dense([5, 0]), None)
    assert [(hit.record.id, pytest.approx(hit.score)) for hit in hits] == [
        (id, pytest.approx(score)) for id, score in expected
    ]


def test_ties_go_by_insertion_or_by_a_key() -> None:
    namespace = holding(record(3, 1), record(1, 1), record(2, 1), record(0, 0))
    snapshot = namespace.snapshot()
    assert ids(snapshot.nearest("", dense([1]), 2)) == [3, 1]
    assert ids(snapshot.nearest("", dense([1]), None, ties=lambda each: each.id)) == [1, 2, 3, 0]


def test_sparse_records_are_near_where_they_share_an_index() -> None:
    namespace = created(plain=Field(Measure.DOT, form=Form.SPARSE)).namespace()
    namespace.put(
        [
            Record("none", {"": sparse([7], [9.0])}),
            Record("two", {"": sparse([5, 1], [2.0, 1.0])}),
            Record("cancels", {"": sparse([1, 5], [1.0, -1.0])}),
            Record("empty", {"": sparse([], [])}),
        ]
    )
    hits = namespace.snapshot().nearest("", sparse([1, 5, 9], [1.0, 1.0, 1.0]), None)
    assert [(hit.record.id, hit.score) for hit in hits] == [("two", 3.0), ("cancels", 0.0)]


def test_multivectors_sum_the_nearest_of_each() -> None:
    namespace = created(plain=Field(Measure.DOT, form=Form.MULTI)).namespace()
    namespace.put([Record("a", {"": multi([[1, 0], [0, 1]])}), Record("b", {"": multi([[2, 0]])})])
    hits = namespace.snapshot().nearest("", multi([[1, 0], [0, 3]]), None)
    assert [(hit.record.id, hit.score) for hit in hits] == [("a", 4.0), ("b", 2.0)]


def test_records_without_the_field_are_no_candidates() -> None:
    namespace = created(title=DENSE, body=DENSE).namespace()
    namespace.put([Record("a", {"title": dense([1])}), Record("b", {"body": dense([1, 1])}), Record("c", {})])
    assert ids(namespace.snapshot().nearest("body", dense([1, 1]), 3)) == ["b"]
    assert ids(namespace) == ["a", "b", "c"]
    with pytest.raises(DimensionError, match="of 'body' of dimension 2, got 1"):
        namespace.snapshot().nearest("body", dense([1]), 3)


def test_an_empty_namespace_has_none_near() -> None:
    assert created().namespace().snapshot().nearest("", dense([1]), 3) == []
