"""The store against a dictionary and plain numpy: whatever is done to it, whenever it is read, and read from a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import vector_oracle
from aimock.surfaces.vector.store import (
    Collection,
    Field,
    Form,
    Hit,
    Measure,
    Namespace,
    Record,
    Snapshot,
    Sparse,
    Store,
    Vector,
    columns,
    dense,
    multi,
    snapshot,
    sparse,
)

SMALL = st.integers(-2, 2).map(float)
"""Few of them, so that there are ties; and their sums are exact, in whatever order."""
IDS = st.integers(0, 12) | st.sampled_from("abcdef0")
K = st.none() | st.integers(0, 4)
FORMS = {
    Form.DENSE: st.lists(SMALL, min_size=3, max_size=3).map(dense),
    Form.SPARSE: st.dictionaries(st.integers(0, 4), SMALL, max_size=4).map(lambda v: sparse([*v], [*v.values()])),
    Form.MULTI: st.lists(st.lists(SMALL, min_size=2, max_size=2), min_size=1, max_size=3).map(multi),
}
FIELDS = {
    **{measure.value: Field(measure) for measure in Measure},
    "sparse": Field(Measure.DOT, form=Form.SPARSE),
    "multi": Field(Measure.COSINE, form=Form.MULTI),
    "": Field(Measure.SQUARED_EUCLIDEAN, 2, Form.MULTI),
}
VECTORS = st.fixed_dictionaries({}, optional={name: FORMS[field.form] for name, field in FIELDS.items()})
RECORDS = st.builds(
    Record,
    IDS,
    VECTORS,
    st.none() | st.fixed_dictionaries({"n": st.integers(0, 3)}, optional={"s": st.text(max_size=3)}),
    st.none() | st.text(max_size=3),
    st.none() | st.text(max_size=3),
)
BATCHES = st.lists(RECORDS, max_size=6)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Any:
    """So that few records fill many, and all ways to search are gone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(columns, "_SMALLEST", 1)
        patched.setattr(columns, "_LARGEST", 4)
        patched.setattr(columns, "_GROWTH", 2)
        patched.setattr(snapshot, "_FEW", 0)
        yield


def told(record: Record) -> tuple[Any, ...]:
    """All that a client can see of a record."""
    vectors = {
        name: (vector.indices.tolist(), vector.values.tolist()) if isinstance(vector, Sparse) else vector.tolist()
        for name, vector in record.vectors.items()
    }
    return type(record.id), record.id, vectors, record.metadata, record.document, record.uri, record.version


Model = dict[Any, Record]


class Machine(RuleBasedStateMachine):
    """One store with a file, and what it ought to hold: by collection and namespace, records in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(file=self.folder / "store.db")
        self.held: dict[tuple[str, str], Model] = {}
        self.operations: dict[str, int] = {}
        self.notes: dict[str, Any] = {}
        self.taken: list[tuple[Snapshot, Model]] = []
        for name in ("one", "two"):
            self.create(name)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def create(self, name: str) -> None:
        made = Collection(name, id=f"id-{name}", dialects={"qdrant"}, fields=FIELDS, metadata={"made": 1}, created=1.5)
        self.store.create(made)
        self.operations[name] = 0

    def namespace(self, where: tuple[str, str]) -> Namespace:
        found = self.store.named("qdrant", where[0])
        assert found is not None
        return found.namespace(where[1])

    where = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["", "n"]))

    @rule(where=where, records=BATCHES)
    def put(self, where: tuple[str, str], records: list[Record]) -> None:
        self.namespace(where).put(records)
        if records:
            self.operations[where[0]] += 1
        model = self.held.setdefault(where, {})
        for record in records:
            model[record.id] = attrs.evolve(record, version=self.operations[where[0]])

    @rule(where=where, ids=st.lists(IDS, max_size=6))
    def delete(self, where: tuple[str, str], ids: list[Any]) -> None:
        model = self.held.setdefault(where, {})
        going = {id for id in ids if id in model}
        assert self.namespace(where).delete(ids) == len(going)
        self.operations[where[0]] += bool(going)
        for id in going:
            del model[id]

    @rule(where=where)
    def clear(self, where: tuple[str, str]) -> None:
        self.operations[where[0]] += bool(self.held.pop(where, None))
        self.namespace(where).clear()

    @rule(where=where)
    def take(self, where: tuple[str, str]) -> None:
        self.taken.append((self.namespace(where).snapshot(), dict(self.held.get(where, {}))))

    @precondition(lambda self: self.taken)
    @rule(
        data=st.data(),
        name=st.sampled_from(sorted(FIELDS)),
        k=K,
        n=st.none() | st.integers(0, 3),
        ids=st.none() | st.lists(IDS, max_size=5),
        by_id=st.booleans(),
    )
    def query(
        self, data: st.DataObject, name: str, k: int | None, n: int | None, ids: list[Any] | None, by_id: bool
    ) -> None:
        taken, model = data.draw(st.sampled_from(self.taken))
        vector: Vector = data.draw(FORMS[FIELDS[name].form])
        where: Callable[[Record], bool] | None = None
        if n is not None:
            where = lambda record: record.metadata is not None and record.metadata["n"] == n  # noqa: E731
        ties: Callable[[Record], Any] | None = (lambda record: str(record.id)) if by_id else None
        chosen = [each for each in model.values() if (ids is None or each.id in ids) and (not where or where(each))]
        assert [told(each) for each in taken.matching(where, ids)] == [told(each) for each in chosen]
        hits = taken.nearest(name, vector, k, where=where, ids=ids, ties=ties)
        assert [(hit.record.id, hit.score) for hit in hits] == vector_oracle.nearest(
            FIELDS[name], name, vector, chosen, ties
        )[:k]

    @rule(key=st.text(max_size=2), value=st.integers(-9, 9) | st.lists(st.text(max_size=2), max_size=2))
    def note(self, key: str, value: Any) -> None:
        self.store.notes[key] = self.notes[key] = value

    @rule(name=st.sampled_from(["one", "two"]))
    def drop(self, name: str) -> None:
        found = self.store.named("qdrant", name)
        assert found is not None
        self.store.drop(found)
        self.create(name)
        for where in [where for where in self.held if where[0] == name]:
            del self.held[where]

    @rule()
    def reopen(self) -> None:
        order = [collection.name for collection in self.store]
        self.store.close()
        self.store = Store(file=self.folder / "store.db")
        assert [collection.name for collection in self.store] == order
        assert [*self.store.notes.items()] == [*self.notes.items()]

    @invariant()
    def holds_what_it_was_given(self) -> None:
        for where, model in self.held.items():
            assert [told(each) for each in self.namespace(where)] == [told(each) for each in model.values()]
        for collection in self.store:
            names = sorted(name for (of, name), model in self.held.items() if of == collection.name and model)
            assert [*collection.namespaces] == names
            assert collection.operations == self.operations[collection.name]
            assert collection.size == sum(each.size for name in names for each in collection.namespace(name))


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=40, stateful_step_count=30)


# -- numbers -----------------------------------------------------------------------------------------------------------

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
"""Zeros, denormals and the largest among them."""


@st.composite
def rows(draw: st.DrawFn) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Of any floats, or all but alike: then which is nearer is decided by their last bits."""
    dimension = draw(st.integers(1, 9))
    some = draw(st.lists(st.lists(FLOATS, min_size=dimension, max_size=dimension), min_size=2, max_size=12))
    found = np.array(some, np.float32)
    if draw(st.booleans()):
        nudges = np.array(draw(st.lists(st.integers(-2, 2), min_size=len(found), max_size=len(found))))
        with np.errstate(over="ignore"):
            nudged = (found[:1] * (1 + nudges[:, np.newaxis] * 2.0**-23)).astype(np.float32)
        found = np.where(np.isfinite(nudged), nudged, found[:1])
    return found


@pytest.mark.parametrize("measure", list(Measure))
@given(numbers=rows(), data=st.data())
def test_the_nearest_of_any_floats_are_what_scoring_all_finds(
    measure: Measure, numbers: np.ndarray[Any, np.dtype[np.float32]], data: st.DataObject
) -> None:
    """Choosing by bounds changes nothing, whatever the numbers; and the scores are right to the last bits but few."""
    made = Collection("docs", id="1", dialects={"qdrant"}, fields={"": Field(measure)})
    made.namespace().put(Record(i, {"": dense(row)}) for i, row in enumerate(numbers[1:]))
    taken = made.namespace().snapshot()
    for query in (numbers[0], numbers[data.draw(st.integers(0, len(numbers) - 1))]):
        everything = taken.nearest("", dense(query), None)
        for k in (1, 2, len(numbers) - 2):
            assert taken.nearest("", dense(query), k) == everything[:k]
        within(measure, query, everything, taken)
        assert_ordered(measure, everything)


def assert_ordered(measure: Measure, hits: list[Hit]) -> None:
    """By score, and where these are equal by insertion."""
    keys = [(hit.score if measure.is_distance else -hit.score, hit.record.place) for hit in hits]
    assert keys == sorted(keys)


def within(measure: Measure, query: Any, hits: list[Hit], taken: Snapshot) -> None:
    field = Field(measure)
    assert len(hits) == len(taken)
    for hit in hits:
        vector: Any = hit.record.vectors[""]
        expected = vector_oracle.score(field, query, vector)
        a, b = query.astype(np.float64), vector.astype(np.float64)
        magnitude = 1.0 if measure is Measure.COSINE else np.abs(a) @ np.abs(b)
        if measure.is_distance:
            magnitude = expected
        assert hit.score == pytest.approx(expected, rel=1e-14, abs=1e-14 * magnitude)


@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("dimension", [7, 384, 1536])
def test_near_ties_and_equals_among_many(measure: Measure, dimension: int) -> None:
    """Groups of the like, which floats of 32 bits cannot tell apart, and some that are equal."""
    random = np.random.default_rng(dimension)
    middles = random.standard_normal((5, dimension))
    scattered = middles[random.integers(0, 5, 700)] + random.standard_normal((700, dimension)) * 1e-7
    numbers = scattered.astype(np.float32)
    numbers[600:] = numbers[random.integers(0, 600, 100)]
    made = Collection("docs", id="1", dialects={"qdrant"}, fields={"": Field(measure)})
    made.namespace().put(Record(i, {"": row}) for i, row in enumerate(numbers))
    taken = made.namespace().snapshot()
    for query in (numbers[3], middles[1].astype(np.float32), random.standard_normal(dimension).astype(np.float32)):
        everything = taken.nearest("", query, None)
        assert_ordered(measure, everything)
        for k in (1, 10, 100, 650):
            assert taken.nearest("", query, k) == everything[:k]
            odd = taken.nearest("", query, k, where=lambda record: int(record.id) % 2 == 1)
            assert odd == [hit for hit in everything if int(hit.record.id) % 2 == 1][:k]
        alike: dict[bytes, float] = {}
        for hit in everything:
            assert alike.setdefault(numbers[int(hit.record.id)].tobytes(), hit.score) == hit.score


@pytest.mark.parametrize("measure", list(Measure))
@pytest.mark.parametrize("query", [[0.0, 0.0], [1.0, 0.0], [-1e-45, 1e-40], [3e38, -3e38], [1e-20, 1e20]])
def test_nothing_and_what_is_huge_or_tiny_are_ordered_too(measure: Measure, query: list[float]) -> None:
    parts = [0.0, 1e-45, -1e-45, 1e-40, 1e-20, 1.0, -1.0, 1e20, 3e38, -3e38]
    numbers = [dense([a, b]) for a in parts for b in parts]
    made = Collection("docs", id="1", dialects={"qdrant"}, fields={"": Field(measure)})
    made.namespace().put(Record(i, {"": row}) for i, row in enumerate(numbers))
    taken = made.namespace().snapshot()
    everything = taken.nearest("", dense(query), None)
    within(measure, dense(query), everything, taken)
    assert_ordered(measure, everything)
    for k in (1, 5, 50, 99):
        assert taken.nearest("", dense(query), k) == everything[:k]


# -- many changes ----------------------------------------------------------------------------------------------------


def test_snapshots_hold_through_many_changes() -> None:
    """Each is asked again after those that came later."""
    random = np.random.default_rng(1)
    field = Field(Measure.DOT)
    made = Collection("docs", id="1", dialects={"qdrant"}, fields={"": field})
    namespace = made.namespace()
    model: Model = {}
    taken: list[tuple[Snapshot, Model]] = []
    for _ in range(400):
        coming = [
            Record(int(id), {"": random.integers(-9, 9, 3).astype(np.float32)})
            for id in random.integers(0, 60, random.integers(1, 9))
        ]
        namespace.put(coming)
        model |= {record.id: record for record in coming}
        for id in random.integers(0, 60, random.integers(0, 12)).tolist():
            assert namespace.delete([id]) == (id in model)
            model.pop(id, None)
        taken = [*taken[-5:], (namespace.snapshot(), dict(model))]
        for earlier, held in taken:
            query = random.integers(-9, 9, 3).astype(np.float32)
            hits = earlier.nearest("", query, 5)
            expected = vector_oracle.nearest(field, "", query, held.values())[:5]
            assert [(hit.record.id, hit.score) for hit in hits] == expected


@pytest.fixture
def _switching_often() -> Iterator[None]:
    """Threads take turns a hundred times as often as they do as a rule."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 100)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_switching_often")
def test_snapshots_are_read_in_threads_while_others_write() -> None:
    random = np.random.default_rng(2)
    fields = {"dense": Field(Measure.COSINE), "sparse": Field(Measure.DOT, form=Form.SPARSE)}
    namespace = Collection("docs", id="1", dialects={"qdrant"}, fields=fields).namespace()
    model: Model = {}

    def vectors() -> dict[str, Vector]:
        indices = random.choice(9, 3, replace=False).tolist()
        return {
            "dense": dense(random.integers(-9, 9, 3).astype(np.float32)),
            "sparse": sparse(indices, random.integers(-9, 9, 3).astype(np.float32)),
        }

    def check(taken: Snapshot, held: Model, asked: dict[str, Vector]) -> None:
        for name, field in fields.items():
            for where in (None, lambda record: isinstance(record.id, int) and record.id % 3 == 0):
                records = [record for record in held.values() if where is None or where(record)]
                hits = taken.nearest(name, asked[name], 5, where=where)
                expected = vector_oracle.nearest(field, name, asked[name], records)[:5]
                assert [(hit.record.id, hit.score) for hit in hits] == expected

    with ThreadPoolExecutor(2) as threads:
        checks = []
        for _ in range(150):
            coming = [Record(int(id), vectors()) for id in random.integers(0, 60, 8)]
            namespace.put(coming)
            model |= {record.id: record for record in coming}
            checks.append(threads.submit(check, namespace.snapshot(), dict(model), vectors()))
            for id in random.integers(0, 60, 6).tolist():
                namespace.delete([id])
                model.pop(id, None)
        for each in checks:
            each.result()


def test_what_is_gone_takes_no_room() -> None:
    """Where most of the vectors about one that stays have gone, it moves; in one field, and in the other."""
    fields = {"one": Field(Measure.DOT, 1000), "two": Field(Measure.DOT, 1000)}
    namespace = Collection("docs", id="1", dialects={"qdrant"}, fields=fields).namespace()
    row = np.ones(1000, np.float32)
    tracemalloc.start()
    try:
        for i in range(1000):
            namespace.put([Record(i, dict.fromkeys(["two", "one"][i % 3 == 0 :], row))])
        for i in range(1000):
            if i % 8:
                namespace.delete([i])
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    there = sum(vector.nbytes for record in namespace for vector in record.vectors.values())
    assert there < held < 2 * there + 300_000
