"""The `vector` section of a config file: the store, and the collections that it begins with."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from aimock import reading
from aimock.documents import Placed
from aimock.reading import Check, Fields, Keys, inside, keyed, members, reads, unlike, wrong
from aimock.surfaces.vector.dialects import CLASSES as DIALECTS
from aimock.surfaces.vector.script import Failure, Script
from aimock.surfaces.vector.store import Collection, Field, Form, Measure, Record, Store, StoreError
from aimock.surfaces.vector.written import (
    RECORD_SCHEMA,
    UNNAMED,
    listed,
    query_results,
    read_record,
)

METRICS: Mapping[str, Measure] = {
    "cosine": Measure.COSINE,
    "dotproduct": Measure.DOT,
    "euclidean": Measure.SQUARED_EUCLIDEAN,
    "manhattan": Measure.MANHATTAN,
    "dot": Measure.DOT,
    "ip": Measure.DOT,
    "euclid": Measure.SQUARED_EUCLIDEAN,
    "l2": Measure.SQUARED_EUCLIDEAN,
}
"""In the words of all three APIs; those that come first are ours."""

_IDS = uuid.UUID("1c4f2f0a-8c51-5c0e-9a51-53ad0b0b6f5e")
"""The namespace of the ids of collections, which therefore stay the same from one run to the next."""
_BATCH = 1000
"""Records that are put in the store at once: a file may have more than fit into memory twice."""

_metric = Check(lambda value, place: METRICS[reading.one_of(*METRICS)(value, place)], {"enum": [*METRICS]})
_form = Check(
    lambda value, place: Form(reading.one_of(*[form.value for form in Form])(value, place)),
    {"enum": [form.value for form in Form]},
)
_dimension = reading.whole_number(1, 65_536)

# -- collections -------------------------------------------------------------------------------------------------------


@reads({"type": "array", "items": {"enum": [*DIALECTS]}, "minItems": 1})
def dialects(value: Any, place: str) -> frozenset[str]:
    named = reading.many(reading.one_of(*DIALECTS))(value, place)
    if not named:
        raise unlike(place, f"one or more of {', '.join(DIALECTS)}", value)
    return frozenset(named)


_FIELD: Keys = {"dimension": _dimension, "metric": _metric, "form": _form}


@reads(reading.object_schema(_FIELD))
def _field(value: Any, place: str) -> Field:
    told = keyed(value, place, _FIELD)
    form = told.get("form", Form.DENSE)
    measure = told.get("metric", Measure.DOT if form is Form.SPARSE else Measure.COSINE)
    return Field(measure, told.get("dimension"), form)


_FAILURE: Keys = {
    "op": reading.one_of("query", "upsert", "delete", "describe", "list", "unknown"),
    "status": reading.whole_number(400, 599),
    "body": reading.anything,
    "times": reading.whole_number(1),
}


@reads({"anyOf": [reading.object_schema(_FAILURE), {"type": "array", "items": reading.object_schema(_FAILURE)}]})
def _failures(value: Any, place: str) -> tuple[Failure, ...]:
    def failure(each: Any, where: str) -> Failure:
        told = keyed(each, where, _FAILURE)
        return Failure(told.get("status", 500), told.get("body"), told.get("op"), told.get("times"))

    return (failure(value, place),) if isinstance(value, Mapping) else tuple(reading.many(failure)(value, place))


_RECORDS = {"anyOf": [{"type": "string"}, {"type": "array", "items": RECORD_SCHEMA}]}
_written = Check(lambda value, place: Placed(place, value), _RECORDS)
"""Records, or the path of a file with them, to be read when it is known what vectors the collection has."""

COLLECTION: Keys = {
    "name": reading.filled,
    "dimension": _dimension,
    "metric": _metric,
    "fields": reading.mapping_of(_field),
    "dialects": dialects,
    "vectors": _written,
    "documents": _written,
    "namespaces": reading.mapping_of(_written),
    "queryResults": query_results,
    "error": _failures,
    "delayMs": reading.milliseconds,
    "readyAfterPolls": reading.count,
}
_SCRIPTED = frozenset({"queryResults", "error", "delayMs", "readyAfterPolls"})
COLLECTION_SCHEMA = reading.object_schema(COLLECTION, ("name",))


class Definition(NamedTuple):
    """A collection, as it was written."""

    place: str
    told: Mapping[str, Any]
    directory: Path | None
    """From which paths of files are relative; None: no file is read."""

    @property
    def seen_by(self) -> frozenset[str]:
        every: frozenset[str] = self.told.get("dialects", frozenset(DIALECTS))
        return every

    def fields(self, known: Mapping[str, Field]) -> dict[str, Field]:
        """Those of the collection, of which some may be known, and those that are told. Raises ValueError."""
        told: dict[str, Field] = dict(self.told.get("fields", {}))
        if UNNAMED not in told and ("dimension" in self.told or "metric" in self.told or not (told or known)):
            own = known.get(UNNAMED, Field(Measure.COSINE))
            metric, dimension = self.told.get("metric", own.measure), self.told.get("dimension", own.dimension)
            told[UNNAMED] = attrs.evolve(own, measure=metric, dimension=dimension)
        fields = dict(known)
        for name, field in told.items():
            own = fields.get(name, field)
            fields[name] = attrs.evolve(field, dimension=field.dimension or own.dimension)
            if attrs.evolve(own, dimension=own.dimension or field.dimension) != fields[name]:
                which = f"vectors {name!r}" if name else "vectors"
                raise wrong(self.place, f"the collection has {which} of dimension {own.dimension}, {own.measure.value}")
        return fields

    def records(self, fields: dict[str, Field]) -> Iterator[tuple[str, Record]]:
        """Its records, with their namespaces. The fields learn what they lack. Raises ValueError."""
        written = [(UNNAMED, self.told[key]) for key in ("vectors", "documents") if key in self.told]
        for namespace, (place, value) in [*written, *self.told.get("namespaces", {}).items()]:
            for placed in listed(value, place, self.directory, "vectors"):
                yield namespace, read_record(placed, fields)


def definitions(value: Any, place: str, directory: Path | None) -> list[Definition]:
    """Collections in an array, a file or the files of a folder. Raises ValueError."""
    defined = [
        Definition(item.place, keyed(item.value, item.place, COLLECTION, ("name",)), directory)
        for item in listed(value, place, directory, "collections")
    ]
    seen: set[tuple[str, str]] = set()
    for definition in defined:
        names = {(definition.told["name"], dialect) for dialect in definition.seen_by}
        if not seen.isdisjoint(names):
            raise wrong(inside(definition.place, "name"), f"{definition.told['name']!r} stands before already")
        seen |= names
    return defined


# -- into the store ----------------------------------------------------------------------------------------------------


def take(store: Store, defined: Iterable[Definition], kept: Sequence[Collection] = (), piecemeal: bool = False) -> int:
    """Makes collections, or adds to those of their names, and says how many collections, records and results those
    were. Those that are `kept` get no records: what they have has come later. Raises ValueError that names the place;
    nothing has been added then, unless the store is full, or it was done piecemeal, for which less memory will do."""
    planned = []
    for definition in defined:
        collection = find(store, definition.told["name"], definition.seen_by, definition.place)
        fields = definition.fields({} if collection is None else collection.fields)
        records = () if collection in kept else definition.records(fields)
        planned.append((definition, collection, fields, records if piecemeal else [*records]))
    return sum(_put(store, *each) for each in planned)


def find(store: Store, name: str, seen_by: Set[str] = frozenset(DIALECTS), place: str = "") -> Collection | None:
    """The collection of a name that some dialects see. Raises ValueError if there are several."""
    meant = [each for each in store if each.name == name and not each.scope and each.dialects & seen_by]
    if len(meant) > 1:
        owners = ", ".join(sorted(set().union(*(each.dialects for each in meant))))
        raise wrong(inside(place, "name"), f"is that of several collections: say which dialects ({owners})")
    return meant[0] if meant else None


def _put(
    store: Store,
    definition: Definition,
    collection: Collection | None,
    fields: dict[str, Field],
    records: Iterable[tuple[str, Record]],
) -> int:
    told, added = definition.told, 0
    try:
        if collection is None:
            own_id = _new_id(store, definition)
            collection = Collection(told["name"], id=own_id, dialects=definition.seen_by, fields=fields)
            store.create(collection)
            added += 1
        for namespace, group in itertools.groupby(records, key=lambda each: each[0]):
            while batch := [record for _, record in itertools.islice(group, _BATCH)]:
                collection.fields = fields | collection.fields
                collection.namespace(namespace).put(batch)
                added += len(batch)
        if collection.fields != fields:
            collection.fields = fields
            collection.changed()
    except StoreError as error:
        raise wrong(definition.place, str(error)) from None
    return added + _tell(collection, told)


def _new_id(store: Store, definition: Definition) -> str:
    """One that follows from the name, unless a collection that is called otherwise by now has it."""
    taken = {each.id for each in store}
    named = "/".join([definition.told["name"], *sorted(definition.seen_by)])
    ids = (str(uuid.uuid5(_IDS, f"{named}/{number}")) for number in itertools.count())
    return next(each for each in ids if each not in taken)


def _tell(collection: Collection, told: Mapping[str, Any]) -> int:
    """Tells it what it is to answer beforehand."""
    if _SCRIPTED.isdisjoint(told):
        return 0
    script = script_of(collection)
    for each in told.get("queryResults", ()):
        script.tell(each)
    script.failures = told.get("error", script.failures)
    script.delay = told.get("delayMs", script.delay * 1000) / 1000
    script.polls = told.get("readyAfterPolls", script.polls)
    return len(told.get("queryResults", ()))


def script_of(collection: Collection) -> Script:
    """What it was told, which is nothing at first."""
    if collection.script is None:
        collection.script = Script()
    return collection.script


# -- the section -------------------------------------------------------------------------------------------------------

_LIMITS: Fields = {
    "maxCollections": ("max_collections", reading.whole_number(1)),
    "maxRecords": ("max_records", reading.whole_number(1)),
    "maxBytes": ("max_bytes", reading.whole_number(1)),
}
_limits = Check(
    lambda value, place: members(value, place, _LIMITS),
    reading.object_schema({key: read for key, (_, read) in _LIMITS.items()}),
)
_SECTION: Keys = {
    "allowReset": reading.flag,
    "collections": Check(
        lambda value, place: Placed(place, value),
        {"anyOf": [{"type": "string"}, {"type": "array", "items": COLLECTION_SCHEMA}]},
    ),
    "dialects": dialects,
    "file": reading.filled,
    "limits": _limits,
}


class Section(NamedTuple):
    """What a section says."""

    dialects: frozenset[str]
    """Those that it answers."""
    store: Mapping[str, Any]
    """Keywords of the store, as far as they are told: its limits, its file."""
    collections: list[Definition]
    allow_reset: bool = False
    """Whether Chroma's clients may empty all that they see."""


def read_section(value: Any, directory: Path | None, *, is_start: bool = True) -> Section:
    """Paths are relative to the directory; without one, no file is read. What the store and the dialects are can be
    told at the start only. Raises ValueError."""
    told = keyed(value, "", _SECTION)
    late = None if is_start else next((key for key in told if key != "collections"), None)
    if late is not None:
        raise wrong(late, "can be told at the start only")
    store = dict(told.get("limits", {}))
    if "file" in told:
        store["file"] = (directory or Path()) / told["file"]
    written = told.get("collections", Placed("collections", []))
    defined = definitions(written.value, written.place, directory)
    return Section(told.get("dialects", frozenset(DIALECTS)), store, defined, told.get("allowReset", False))


def config_schema() -> dict[str, Any]:
    """A section as a JSON Schema."""
    return reading.object_schema(_SECTION)
