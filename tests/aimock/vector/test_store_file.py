"""The store's file: what outlives the process, and what it says of a file that it cannot use."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from aimock.surfaces.vector.store import (
    Collection,
    Field,
    FileError,
    Form,
    Measure,
    Namespace,
    Record,
    Store,
    StoreError,
    dense,
    multi,
    sparse,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors.db"


def collection(**fields: Field) -> Collection:
    return Collection("docs", id="1", dialects={"chroma", "qdrant"}, fields=fields or {"": Field(Measure.DOT)})


def filled(path: Path) -> None:
    store = Store(file=path)
    made = collection()
    store.create(made)
    made.namespace().put([Record(i, {"": dense([i])}) for i in range(100)])
    store.close()


def docs(store: Store) -> Collection:
    (found,) = store
    return found


def ids(namespace: Namespace) -> list[str | int]:
    return [record.id for record in namespace]


def test_everything_is_there_again(path: Path) -> None:
    store = Store(file=path)
    made = Collection(
        "first name",
        id="b7a5",
        dialects={"chroma", "qdrant"},
        scope="tenant/database",
        fields={
            "": Field(Measure.COSINE),
            "s": Field(Measure.DOT, form=Form.SPARSE),
            "m": Field(Measure.MANHATTAN, 2, Form.MULTI),
        },
        metadata={"tags": {"a": [1, 2.5, None, "ü"]}},
        created=1234.5,
    )
    store.create(made)
    vectors = {"": dense([0.1, 3e38, 1e-45]), "s": sparse([2**32 - 1, 0], [1.5, -2]), "m": multi([[1, 2], [3, 4]])}
    made.namespace("n").put(
        [
            Record(2**64 - 1, vectors, {"deep": {"er": [True, None]}}, "document ü", "uri"),
            Record("1", {"s": sparse([], [])}),
            Record(1, {}),
            Record("", {"": dense([1, 2, 3])}, {}),
        ]
    )
    made.namespace("n").put([Record("1", {}, {"replaced": True})])
    made.namespace("n").delete([""])
    made.metadata["later"] = 1
    made.fields["new"] = Field(Measure.DOT)
    made.changed()
    store.rename(made, "second name")
    store.notes["aliases"] = {"a": "b"}
    store.notes["gone"] = 1
    del store.notes["gone"]
    store.close()

    again = docs(reopened := Store(file=path))
    assert (again.name, again.id, again.dialects) == ("second name", "b7a5", {"chroma", "qdrant"})
    assert (again.scope, again.metadata, again.created) == ("tenant/database", made.metadata, 1234.5)
    assert again.fields == {
        "": Field(Measure.COSINE, 3),
        "s": Field(Measure.DOT, form=Form.SPARSE),
        "m": Field(Measure.MANHATTAN, 2, Form.MULTI),
        "new": Field(Measure.DOT),
    }
    assert again.operations == made.operations == 3
    assert dict(reopened.notes) == {"aliases": {"a": "b"}}
    first, second, third = again.namespace("n")
    assert (first.id, first.metadata, first.document, first.uri) == (
        2**64 - 1,
        {"deep": {"er": [True, None]}},
        "document ü",
        "uri",
    )
    assert first.vectors[""].tobytes() == vectors[""].tobytes()  # type: ignore[union-attr]
    assert first.vectors["m"].tolist() == [[1, 2], [3, 4]]  # type: ignore[union-attr]
    assert first.vectors["s"].indices.tolist() == [0, 2**32 - 1]  # type: ignore[union-attr]
    assert first.vectors["s"].values.tolist() == [-2, 1.5]  # type: ignore[operator,union-attr]
    assert [(each.id, each.version, each.metadata) for each in (first, second, third)] == [
        (2**64 - 1, 1, {"deep": {"er": [True, None]}}),
        ("1", 2, {"replaced": True}),
        (1, 1, None),
    ]
    again.namespace("n").put([Record("new", {})])
    assert ids(again.namespace("n")) == [2**64 - 1, "1", 1, "new"]
    reopened.close()


def test_what_was_put_before_the_store_had_it_is_kept_too(path: Path) -> None:
    store = Store(file=path)
    made = collection()
    made.namespace("n").put([Record("a", {"": dense([1])})])
    store.create(made)
    store.close()
    with contextlib.closing(Store(file=path)) as again:
        assert ids(docs(again).namespace("n")) == ["a"]


def test_what_is_dropped_and_cleared_is_gone(path: Path) -> None:
    filled(path)
    store = Store(file=path)
    store.drop(dropped := docs(store))
    dropped.namespace().put([Record("late", {"": dense([1])})])
    store.close()
    store = Store(file=path)
    assert len(store) == 0
    store.create(collection())
    store.notes["n"] = 1
    store.clear()
    store.close()
    store = Store(file=path)
    assert (len(store), len(store.notes)) == (0, 0)
    store.close()


def test_what_was_acknowledged_outlives_a_process_that_is_killed(path: Path) -> None:
    program = f"""
import sys
from pathlib import Path
from aimock.surfaces.vector.store import Collection, Field, Measure, Record, Store, dense
store = Store(file=Path({str(path)!r}))
made = Collection("docs", id="1", dialects={{"qdrant"}}, fields={{"": Field(Measure.DOT)}})
store.create(made)
for i in range(10**9):
    made.namespace().put([Record(i, {{"": dense([i])}}), Record("last", {{"": dense([i])}})])
    print(i, flush=True)
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    acknowledged = [running.stdout.readline() for _ in range(50)]
    running.send_signal(signal.SIGKILL)
    acknowledged += running.stdout.readlines()
    running.wait()
    running.stdout.close()
    store = Store(file=path)
    numbers = [record.id for record in docs(store).namespace() if record.id != "last"]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= sum(line.endswith("\n") for line in acknowledged) >= 50
    last = docs(store).namespace().get("last")
    assert last is not None
    assert last.vectors[""].tolist() == [numbers[-1]]  # type: ignore[union-attr]
    store.close()


# -- files that cannot be used -----------------------------------------------------------------------------------------


def refused(path: Path, told: str) -> None:
    with pytest.raises(FileError, match=told) as refusal:
        Store(file=path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_two_servers_do_not_share_a_file(path: Path) -> None:
    first = Store(file=path)
    refused(path, "is in use by another process")
    first.create(collection())
    refused(path, "is in use by another process")
    first.close()
    Store(file=path).close()


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = path.read_bytes()
    refused(path, "not a vector store's file, but a database of something else")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_another_format_is_told(path: Path) -> None:
    filled(path)
    with sqlite3.connect(path) as later:
        later.execute("PRAGMA user_version = 7")
    later.close()
    refused(path, "is of format 7; this version of aimock reads format 1")


def test_what_is_no_database_is_told(path: Path) -> None:
    path.write_text("These are notes, and were never anything else." * 100)
    refused(path, "cannot be read: file is not a database")


def test_a_folder_that_is_not_there_is_told(path: Path) -> None:
    refused(path.parent / "none" / "vectors.db", "cannot be opened: unable to open database file")
    refused(path.parent, "cannot be opened: unable to open database file")


def test_a_damaged_file_is_told(path: Path) -> None:
    filled(path)
    content = bytearray(path.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    content[page:] = bytes(len(content) - page)
    path.write_bytes(content)
    refused(path, "cannot be read: database disk image is malformed")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE records SET vectors = x'00' WHERE id = '7'",
        "UPDATE records SET vectors = x'0000c07f' WHERE id = '7'",  # not a number
        "UPDATE records SET said = '[' WHERE id = '7'",
        "UPDATE records SET said = '[1]' WHERE id = '7'",
        "UPDATE records SET said = '[null,null,null,{\"other\":[1]}]' WHERE id = '7'",
        "UPDATE records SET said = '[null,null,null,{\"\":\"1\"}]' WHERE id = '7'",
        'UPDATE collections SET fields = \'{"":["unheard of",1,"dense"]}\'',
        "UPDATE collections SET dialects = '3'",
        "DROP TABLE notes",
        "DELETE FROM collections",
    ],
)
def test_what_was_written_by_other_hands_is_told(path: Path, damage: str) -> None:
    filled(path)
    with sqlite3.connect(path) as hands:
        hands.execute(damage)
    hands.close()
    refused(path, "cannot be read: ")


def test_a_file_with_more_than_the_limits_is_told(path: Path) -> None:
    filled(path)
    with pytest.raises(FileError, match="the vector store is full: max_records is 99"):
        Store(file=path, max_records=99)
    Store(file=path).close()


# -- files that fail later ---------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_is_an_error_and_changes_nothing(path: Path) -> None:
    filled(path)
    store = Store(file=path)
    made = docs(store)
    file = store._file
    assert file is not None
    (pages,) = file._database.execute("PRAGMA page_count").fetchone()
    file._database.execute(f"PRAGMA max_page_count = {pages}")
    before, operations = ids(made.namespace()), made.operations
    with pytest.raises(FileError, match="cannot be written: database or disk is full"):
        made.namespace().put([Record(i, {"": dense([1])}, {"long": "x" * 9000}) for i in range(50, 150)])
    with pytest.raises(FileError):
        store.notes["long"] = "x" * 100_000
    with pytest.raises(FileError):
        store.create(Collection("more", id="2", dialects={"qdrant"}, fields={}, metadata={"long": "x" * 100_000}))
    assert (ids(made.namespace()), made.operations, len(store), len(store.notes)) == (before, operations, 1, 0)
    assert made.namespace().get(60).metadata is None  # type: ignore[union-attr]
    file._database.execute("PRAGMA max_page_count = 1000000")
    made.namespace().put([Record("after", {"": dense([1])})])
    store.close()
    with contextlib.closing(Store(file=path)) as again:
        assert ids(docs(again).namespace()) == [*before, "after"]


def test_what_is_not_json_is_not_written(path: Path) -> None:
    store = Store(file=path)
    made = collection()
    store.create(made)
    with pytest.raises(StoreError, match="not JSON"):
        store.notes["n"] = object()
    made.metadata["x"] = 2**70
    with pytest.raises(StoreError, match="not JSON"):
        made.changed()
    store.close()


def test_a_file_that_was_closed_takes_nothing_more(path: Path) -> None:
    filled(path)
    store = Store(file=path)
    store.close()
    with pytest.raises(FileError, match="cannot be written: Cannot operate on a closed database"):
        docs(store).namespace().delete([1])
    assert len(docs(store).namespace()) == 100
