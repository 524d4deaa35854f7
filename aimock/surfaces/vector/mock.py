"""Vector databases as a Python object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aimock import reading
from aimock.fixtures.structure import camel
from aimock.surfaces.mock import ServiceMock
from aimock.surfaces.vector import from_config
from aimock.surfaces.vector.script import Asked, Scripted, Told
from aimock.surfaces.vector.section import find, script_of
from aimock.surfaces.vector.service import VectorService
from aimock.surfaces.vector.store import Collection
from aimock.surfaces.vector.written import results as read_results

Query = dict[str, Any]
"""`vector`, `topK`, `filter` and `collection`."""


class VectorMock(ServiceMock[VectorService]):
    """An exact store of vectors behind the APIs of Pinecone, Qdrant and Chroma.

        with VectorMock() as mock:
            mock.upsert("docs", [{"id": "a", "values": [1, 0]}, {"id": "b", "text": "How to reset a password"}])
            mock.on_query("faq", [{"id": "c", "score": 0.9}])

    JSON shapes keep the config file's camelCase keys; keyword options are its keys in snake_case.
    """

    def __init__(
        self,
        *,
        file: str | Path | None = None,
        dialects: Sequence[str] | None = None,
        limits: Mapping[str, int] | None = None,
        allow_reset: bool = False,
        **options: Any,
    ) -> None:
        """`file`: where the store is kept from one run to the next (sqlite). `dialects`: the APIs that are answered;
        None is all. `limits`: as in a config file. `allow_reset`: whether Chroma's clients may empty all that they
        see. `options`: those of `AIMock`, for a server of its own. Raises ValueError."""
        section = {"file": file and str(file), "dialects": dialects, "limits": limits, "allowReset": allow_reset}
        super().__init__(from_config(section, Path()), **options)

    def add(self, value: Any) -> Self:
        """Adds what a section of a config file could have; paths in it are relative to the working directory. Raises
        ValueError that names the key."""
        self._do(lambda: self.service.add(value, Path()))
        return self

    def add_collection(self, name: str, settings: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """Makes a collection, or adds to the one of that name: `dimension=3, metric="dot", vectors=[…]`. Raises
        ValueError."""
        return self.add({"collections": [{**(settings or {}), **_keys(more), "name": name}]})

    def upsert(self, name: str, vectors: Iterable[Any], namespace: str = "") -> Self:
        """Puts records into a collection, which is made if there is none. Raises ValueError, and has put none then."""
        return self.add_collection(name, namespaces={namespace: [*vectors]})

    def on_query(
        self,
        name: str,
        results: Sequence[Any] | Callable[[Query], Sequence[Any]],
        *,
        sequence_index: int | None = None,
    ) -> Self:
        """Queries of a collection, which is made if there is none, get these results, of which each has an `id`, a
        `score`, and perhaps `metadata` and a `document`; or those that a function gives of the query (what it raises is
        a 500). With `sequence_index` only the query of that number under each test id does. Raises ValueError."""
        if sequence_index is not None:
            reading.count(sequence_index, "sequence_index")
        told = Told(_asking(name, results) if callable(results) else read_results(results, "results"), sequence_index)

        def act() -> None:
            self.service.add({"collections": [{"name": name}]})
            script_of(self._named(name)).tell(told)

        self._do(act)
        return self

    def delete_collection(self, name: str) -> Self:
        """Raises ValueError if there is none."""
        self._do(lambda: self.service.store.drop(self._named(name)))
        return self

    def _named(self, name: str) -> Collection:
        collection = find(self.service.store, name)
        if collection is None:
            raise ValueError(f"name: there is no collection {name!r}")
        return collection


def _asking(name: str, handler: Callable[[Query], Sequence[Any]]) -> Callable[[Asked], Sequence[Scripted]]:
    """What asks a function in its own words."""

    def ask(asked: Asked) -> Sequence[Scripted]:
        query = {"vector": asked.vector, "topK": asked.top_k, "filter": asked.filter, "collection": name}
        return read_results(handler(query), "results")

    return ask


def _keys(options: Mapping[str, Any]) -> dict[str, Any]:
    return {camel(key): value for key, value in options.items()}
