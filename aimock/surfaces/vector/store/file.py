"""The store in a file: an SQLite database, to which each change goes in a transaction of its own before it is made.

What was acknowledged outlives the process, however it ends. Records are read back in the order in which they were
inserted, which is that of their rows: SQLite gives each new row a number above all others, and one that is replaced
keeps its own.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from aimock.surfaces.vector.store.collection import About
from aimock.surfaces.vector.store.errors import FileError, StoreError
from aimock.surfaces.vector.store.values import Field, Form, Id, Measure, Record, Sparse, Vector

_APPLICATION = 0x61694D76  # "aiMv"
_FORMAT = 1
_PAGE = 16 * 1024
"""Bytes: a record of common embeddings is to have room in one."""

_SCHEMA = """
CREATE TABLE collections (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scope TEXT NOT NULL, dialects TEXT NOT NULL, fields TEXT NOT NULL,
    metadata TEXT NOT NULL, created REAL NOT NULL, operations INTEGER NOT NULL
);
CREATE TABLE records (
    collection TEXT NOT NULL, namespace TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,
    said TEXT NOT NULL, vectors BLOB NOT NULL,
    UNIQUE (collection, namespace, id)
);
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_PUT = """
INSERT INTO records (collection, namespace, id, version, said, vectors) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET version = excluded.version, said = excluded.said, vectors = excluded.vectors
"""
_PUT_COLLECTION = """
INSERT INTO collections (id, name, scope, dialects, fields, metadata, created, operations)
VALUES (:id, :name, :scope, :dialects, :fields, :metadata, :created, :operations)
ON CONFLICT DO UPDATE SET name = :name, fields = :fields, metadata = :metadata, operations = :operations
"""
_PUT_NOTE = "INSERT INTO notes VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"


class StoreFile:
    """Every method raises FileError, and then has changed nothing; StoreError for what is not JSON."""

    def __init__(self, path: Path) -> None:
        """Opens it, or makes it. From then on no other process can."""
        self.path = path
        with self._told("cannot be opened"):
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._begin()
        except BaseException:
            self._database.close()
            raise

    def _begin(self) -> None:
        with self._told("cannot be read"):
            (application,) = self._database.execute("PRAGMA application_id").fetchone()
            (form,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != _APPLICATION:
            raise FileError(f"{self.path} is not a vector store's file, but a database of something else")
        if tables and form != _FORMAT:
            raise FileError(f"{self.path} is of format {form}; this version of aimock reads format {_FORMAT}")
        with self._told("cannot be opened"):
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute(f"PRAGMA page_size = {_PAGE}")
            self._database.execute("PRAGMA journal_mode = WAL")
            # A process that dies loses nothing by it. A machine that does may lose the last changes, but no more.
            self._database.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            with self.change():
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
                self._database.execute(f"PRAGMA user_version = {_FORMAT}")
        else:
            with self.change():
                pass  # takes the lock

    def close(self) -> None:
        with self._told("cannot be closed"):
            self._database.close()

    # -- reading -----------------------------------------------------------------------------------------------------

    def collections(self) -> list[About]:
        """In the order of creation."""
        with self._understood():
            rows = self._database.execute(f"SELECT {', '.join(About._fields)} FROM collections ORDER BY rowid")
            return [_read_about(*row) for row in rows]

    def records(self) -> Iterator[tuple[str, str, Record]]:
        """The ids of their collections, their namespaces, and they, in the order of insertion."""
        with self._understood():
            rows = self._database.execute(
                "SELECT collection, namespace, id, version, said, vectors FROM records ORDER BY rowid"
            )
            for collection, namespace, id, version, said, raw in rows:
                metadata, document, uri, shapes = orjson.loads(said)
                vectors = _read_vectors(shapes, raw)
                yield collection, namespace, Record(orjson.loads(id), vectors, metadata, document, uri, version)

    def notes(self) -> dict[str, Any]:
        with self._understood():
            rows = self._database.execute("SELECT key, value FROM notes ORDER BY rowid")
            return {key: orjson.loads(value) for key, value in rows}

    # -- writing -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """All that is written in it, or nothing."""
        with self._told("cannot be written"):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def put_collection(self, about: About) -> None:
        """What is new of it; its records are as they were."""
        fields = {
            name: [field.measure.value, field.dimension, field.form.value] for name, field in about.fields.items()
        }
        told = {"dialects": _json(sorted(about.dialects)), "fields": _json(fields), "metadata": _json(about.metadata)}
        self._database.execute(_PUT_COLLECTION, {**about._asdict(), **told})

    def drop_collection(self, id: str) -> None:
        self._database.execute("DELETE FROM records WHERE collection = ?", [id])
        self._database.execute("DELETE FROM collections WHERE id = ?", [id])

    def clear(self) -> None:
        for table in ("records", "collections", "notes"):
            self._database.execute(f"DELETE FROM {table}")

    def put(self, collection: str, namespace: str, records: Iterable[Record], version: int) -> None:
        self._database.executemany(_PUT, (_row(collection, namespace, record, version) for record in records))

    def delete(self, collection: str, namespace: str, ids: Iterable[Id]) -> None:
        self._database.executemany(
            "DELETE FROM records WHERE collection = ? AND namespace = ? AND id = ?",
            ((collection, namespace, _json(id)) for id in ids),
        )

    def put_note(self, key: str, value: Any) -> None:
        self._database.execute(_PUT_NOTE, [key, _json(value)])

    def delete_note(self, key: str) -> None:
        self._database.execute("DELETE FROM notes WHERE key = ?", [key])

    # -- what may go wrong -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise FileError(f"{self.path} is in use by another process") from error
            raise FileError(f"{self.path} {what}: {error}") from error
        except sqlite3.Error as error:
            raise FileError(f"{self.path} {what}: {error}") from error

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        with self._told("cannot be read"):
            try:
                yield
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise FileError(f"{self.path} cannot be read: something in it is not as it was written") from error


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise StoreError(f"something is not JSON: {error}") from error


def _read_about(
    id: str, name: str, scope: str, dialects: str, fields: str, metadata: str, created: float, operations: int
) -> About:
    read = {
        field: Field(Measure(measure), dimension, Form(form))
        for field, (measure, dimension, form) in orjson.loads(fields).items()
    }
    return About(id, name, scope, frozenset(orjson.loads(dialects)), read, orjson.loads(metadata), created, operations)


def _row(collection: str, namespace: str, record: Record, version: int) -> tuple[Any, ...]:
    shapes = {name: _shape(vector) for name, vector in record.vectors.items()}
    said = _json([record.metadata, record.document, record.uri, shapes])
    return collection, namespace, _json(record.id), version, said, b"".join(map(_bytes, record.vectors.values()))


def _shape(vector: Vector) -> Any:
    """How many numbers it has: of a multivector rows and numbers in each, of a sparse one those that it has."""
    if isinstance(vector, Sparse):
        return {"sparse": len(vector.indices)}
    return [*vector.shape]


def _bytes(vector: Vector) -> bytes:
    if isinstance(vector, Sparse):
        return vector.indices.astype("<u4").tobytes() + vector.values.astype("<f4").tobytes()
    return vector.astype("<f4").tobytes()


def _read_vectors(shapes: dict[str, Any], raw: bytes) -> dict[str, Vector]:
    """Raises ValueError if the bytes are not as many as the shapes say."""
    vectors: dict[str, Vector] = {}
    start = 0
    for name, shape in shapes.items():
        if isinstance(shape, dict):
            count = shape["sparse"]
            indices = np.frombuffer(raw, "<u4", count, start).astype(np.uint32)
            values = np.frombuffer(raw, "<f4", count, start + indices.nbytes).astype(np.float32)
            vectors[name] = Sparse(indices, values)
            start += indices.nbytes + values.nbytes
        else:
            vector = np.frombuffer(raw, "<f4", int(np.prod(shape)), start).astype(np.float32)
            vectors[name] = vector.reshape(shape)
            start += vector.nbytes
    if start != len(raw):
        raise ValueError("more bytes than the vectors have")
    return vectors
