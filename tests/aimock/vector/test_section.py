"""The `vector` section: every key is honoured or refused, with its place."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.config import ConfigError, load_config
from aimock.surfaces.vector import config_schema, from_config
from aimock.surfaces.vector.mock import VectorMock
from aimock.surfaces.vector.script import Asked
from aimock.surfaces.vector.section import COLLECTION
from aimock.surfaces.vector.service import VectorService
from aimock.surfaces.vector.store import Collection, Field, Form, Measure, Record, Sparse
from aimock.surfaces.vector.written import RECORD
from aimock_protocols.semantic import semantic_vector_of

Seed = Callable[..., list[Collection]]

REFERENCE = {
    "collections": [
        {
            "name": "docs",
            "dimension": 3,
            "vectors": [{"id": "a", "values": [1, 0, 0], "metadata": {"t": "x"}}],
            "queryResults": [{"id": "a", "score": 0.9, "metadata": {"t": "x"}}],
        }
    ]
}
EVERYTHING = {
    "dialects": ["qdrant", "chroma"],
    "allowReset": True,
    "limits": {"maxCollections": 5, "maxRecords": 100, "maxBytes": 1_000_000},
    "collections": [
        {
            "name": "all",
            "dimension": 2,
            "metric": "dot",
            "fields": {
                "title": {"dimension": 3, "metric": "l2"},
                "words": {"form": "sparse"},
                "rows": {"form": "multi"},
            },
            "dialects": ["qdrant"],
            "vectors": [
                {"id": 7, "values": [1, 0], "payload": {"t": 1}, "uri": "file:a"},
                {
                    "id": "n",
                    "vector": {"title": [1, 2, 3], "words": {"indices": [5, 2], "values": [1, 2]}, "rows": [[1], [2]]},
                },
                {"id": "s", "values": [0, 1], "sparseValues": {"indices": [1], "values": [0.5]}},
            ],
            "documents": ["reset a password", {"id": "d", "document": "refunds"}],
            "namespaces": {"eu": [{"id": "e", "vector": [3, 4]}]},
            "queryResults": [
                {"results": [{"id": 1, "score": 1, "payload": {}, "document": "x"}], "sequenceIndex": 0},
                {"results": []},
            ],
            "error": [{"op": "query", "status": 503, "body": {"a": 1}, "times": 1}],
            "delayMs": 5,
            "readyAfterPolls": 1,
            "_comment": "as everywhere",
        }
    ],
}


def by_id(collection: Collection, namespace: str = "") -> dict[Any, Record]:
    return {record.id: record for record in collection.namespace(namespace)}


def values(record: Record, field: str = "") -> list[float]:
    vector = record.vectors[field]
    assert isinstance(vector, np.ndarray)
    return [float(value) for value in vector]


# -- what is honoured --------------------------------------------------------------------------------------------------


def test_the_reference_s_shape_loads(seeded: Seed) -> None:
    (docs,) = seeded(REFERENCE)
    assert (docs.name, docs.dialects) == ("docs", {"pinecone", "qdrant", "chroma"})
    assert docs.fields == {"": Field(Measure.COSINE, 3)}
    record = by_id(docs)["a"]
    assert (values(record), record.metadata) == ([1, 0, 0], {"t": "x"})
    assert docs.script is not None
    told = docs.script.answer(Asked([1, 0, 0], 10), "t")
    assert told is not None
    assert [each._asdict() for each in told] == [{"id": "a", "score": 0.9, "metadata": {"t": "x"}, "document": None}]


def test_every_key_is_honoured(seeded: Seed) -> None:
    (collection,) = seeded(EVERYTHING)
    assert collection.dialects == {"qdrant"}
    assert collection.fields == {
        "": Field(Measure.DOT, 2),
        "title": Field(Measure.SQUARED_EUCLIDEAN, 3),
        "words": Field(Measure.DOT, None, Form.SPARSE),
        "rows": Field(Measure.COSINE, 1, Form.MULTI),
        "sparse": Field(Measure.DOT, None, Form.SPARSE),
    }
    records = by_id(collection)
    assert (records[7].metadata, records[7].uri) == ({"t": 1}, "file:a")
    named = records["n"].vectors
    words = named["words"]
    assert isinstance(words, Sparse)
    assert (words.indices.tolist(), words.values.tolist()) == ([2, 5], [2, 1])
    assert set(named) == {"title", "words", "rows"}
    assert set(records["s"].vectors) == {"", "sparse"}
    assert records["d"].document == "refunds"
    assert values(by_id(collection, "eu")["e"]) == [3, 4]
    script = collection.script
    assert script is not None
    assert (script.delay, script.polls, len(script.failures)) == (0.005, 1, 1)
    assert [script.answer(Asked(None, 5), "t") for _ in range(2)][1] == []


def test_the_schema_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = jsonschema.Draft202012Validator(config_schema())
    for good in (REFERENCE, EVERYTHING, {}, {"file": "kept.db"}, {"collections": "seeds"}):
        assert [*checker.iter_errors(good)] == []
    for wrong, _ in WRONG:
        if wrong not in WELL_FORMED:
            assert [*checker.iter_errors(wrong)], wrong


def test_a_text_stands_for_its_vector(seeded: Seed) -> None:
    documents = ["refunds", {"id": 1, "text": "returns", "metadata": {"n": 1}}, {"id": "d", "document": "orders"}]
    (docs,) = seeded({"collections": [{"name": "docs", "dimension": 64, "documents": documents}]})
    first, second, third = docs.namespace()
    for record, text in ((first, "refunds"), (second, "returns"), (third, "orders")):
        assert values(record) == pytest.approx(semantic_vector_of(text, 64), abs=1e-6)
        assert record.document == text
    assert first.metadata == {"text": "refunds"}
    assert second.metadata == {"text": "returns", "n": 1}
    assert third.metadata is None
    assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-.*", str(first.id))


def test_texts_have_as_many_dimensions_as_openai_s_if_nothing_says_another(seeded: Seed) -> None:
    first, second = seeded(
        {
            "collections": [
                {"name": "texts", "documents": ["a"]},
                {"name": "mixed", "vectors": [{"id": "v", "values": [1, 0, 0, 0]}], "documents": ["a"]},
            ]
        }
    )
    assert (first.fields[""].dimension, second.fields[""].dimension) == (1536, 4)


def test_what_was_told_stays_the_same_from_run_to_run(seeded: Seed) -> None:
    section = {"collections": [{"name": "docs", "documents": ["a"]}, {"name": "docs2", "documents": ["a"]}]}
    first, again = seeded(section), seeded(section)
    assert [each.id for each in first] == [each.id for each in again]
    assert len({each.id for each in first}) == 2
    assert [*by_id(first[0])] == [*by_id(again[0])]


# -- files -----------------------------------------------------------------------------------------------------------


def test_records_may_be_in_files(seeded: Seed, tmp_path: Path) -> None:
    lines = '{"id": "a", "values": [1, 0]}\n\n{"id": "b", "values": [0, 1]}\n'
    (tmp_path / "lines.jsonl").write_text(lines)
    (tmp_path / "array.json").write_text('[{"id": "c", "values": [1, 1]}]')
    (tmp_path / "object.json").write_text('{"vectors": [{"id": "d", "values": [1, 1]}]}')
    (tmp_path / "texts.json").write_text('["one", "two"]')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "2.json").write_text('[{"id": 2, "values": [2, 2]}]')
    (tmp_path / "folder" / "1.ndjson").write_text('{"id": 1, "values": [1, 1]}')
    (tmp_path / "folder" / "readme.md").write_text("no records")
    written = [
        {"name": "lines", "vectors": "lines.jsonl"},
        {"name": "array", "vectors": "array.json"},
        {"name": "object", "vectors": "object.json"},
        {"name": "folder", "vectors": "folder"},
        {"name": "texts", "dimension": 8, "documents": "texts.json"},
        {"name": "spaces", "namespaces": {"eu": "array.json", "us": "lines.jsonl"}},
    ]
    found = {each.name: each for each in seeded({"collections": written}, tmp_path)}
    assert [*by_id(found["lines"])] == ["a", "b"]
    assert [*by_id(found["array"])] == ["c"]
    assert [*by_id(found["object"])] == ["d"]
    assert [*by_id(found["folder"])] == [1, 2]
    assert [record.document for record in found["texts"].namespace()] == ["one", "two"]
    assert {name: len(held) for name, held in found["spaces"].namespaces.items()} == {"eu": 1, "us": 2}


@pytest.mark.parametrize(
    "content", [json.dumps(REFERENCE), json.dumps(REFERENCE["collections"])], ids=["object", "array"]
)
def test_collections_may_be_in_a_file(seeded: Seed, tmp_path: Path, content: str) -> None:
    (tmp_path / "all.json").write_text(content)
    assert [each.name for each in seeded({"collections": "all.json"}, tmp_path)] == ["docs"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"id": 1, "values": [1, 2]}\n\n{"id": 2, "values": [1]}', "a.jsonl:3.values: expected 2 numbers"),
        (
            "a.jsonl",
            '{"id": 1, "values": [1, "2"]}',
            "a.jsonl:1.values: a vector has something in it that is no number",
        ),
        ("a.jsonl", '{"id": 1, "values": [1, NaN]}', "a.jsonl:1: not JSON: "),
        (
            "a.json",
            '[{"id": 1, "values": [1]}, {"id": 1, "value": [1]}]',
            'a.json[1].value: unknown key, did you mean "v',
        ),
        ("a.json", '{"records": []}', "a.json.records: unknown key"),
        ("a.json", "", "a.json: not JSON: "),
        ("a.json", '{"vectors": [5]}', "a.json.vectors[0]: expected an object, got 5"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    wanted = "a.jsonl" if name == "a.jsonl" else "a.json"
    with pytest.raises(ValueError, match="^" + re.escape(f"collections[0].vectors: {tmp_path}/{said}")):
        from_config({"collections": [{"name": "docs", "vectors": wanted}]}, tmp_path)


def test_a_file_that_is_nowhere(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^collections\[0\]\.vectors: nowhere\.json: No such file or directory$"):
        from_config({"collections": [{"name": "docs", "vectors": "nowhere.json"}]}, tmp_path)


def test_a_folder_without_records_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"^collections: .* has no files \.json, \.jsonl, \.ndjson$"):
        from_config({"collections": "empty"}, tmp_path)


# -- what is refused -------------------------------------------------------------------------------------------------


def one(**told: Any) -> dict[str, Any]:
    return {"collections": [{"name": "docs", **told}]}


def records(*told: Any, **more: Any) -> dict[str, Any]:
    return one(vectors=[*told], **more)


WELL_FORMED: list[Any] = [
    records({"id": "a"}),
    records({"id": "a", "values": [1, 2]}, dimension=3),
    records({"id": "a", "values": [1]}, {"id": "b", "values": [1, 2]}),
    records({"id": "a", "values": [1], "vector": [1]}),
    records({"id": "a", "vector": {"title": [1]}}),
    records({"id": "a", "vector": {"title": [[1]]}}, fields={"title": {}}),
    records({"id": "a", "text": "x"}, fields={"title": {}}),
    records({"id": "a", "values": []}),
    records({"values": [1]}),
    records({"id": "a", "sparseValues": {"indices": [1, 1], "values": [1, 2]}}),
    {"collections": [{"name": "docs"}, {"name": "docs"}]},
]
"""Wrong in a way that a schema cannot tell."""

WRONG: list[tuple[Any, str]] = [
    (5, "expected an object, got 5"),
    ({"collection": []}, 'collection: unknown key, did you mean "collections"?'),
    ({"collections": {}}, "collections: expected an array, got {}"),
    ({"collections": [{}]}, "collections[0].name: is missing"),
    (one(name=""), "collections[0].name: expected a string that is not empty"),
    ({"collections": [{"name": "docs"}, {"name": "docs"}]}, "collections[1].name: 'docs' stands before already"),
    (one(dimension=0), "collections[0].dimension: expected a whole number from 1 to 65536, got 0"),
    (one(metric="cosin"), "collections[0].metric: expected one of cosine, dotproduct, euclidean, manhattan, dot, ip,"),
    (one(dialects=["milvus"]), "collections[0].dialects[0]: expected one of qdrant, pinecone, chroma"),
    (one(dialects=[]), "collections[0].dialects: expected one or more of qdrant, pinecone, chroma"),
    (one(fields={"a": {"form": "thick"}}), "collections[0].fields.a.form: expected one of dense, sparse, multi"),
    (one(namespaces=[]), "collections[0].namespaces: expected an object, got []"),
    (one(namespaces={"eu": 5}), "collections[0].namespaces.eu: expected an array, got 5"),
    (one(queryResults={}), "collections[0].queryResults: expected an array, got {}"),
    (one(queryResults=[{"results": [{"id": "a"}]}]), "collections[0].queryResults[0].results[0].score: is missing"),
    (one(error={"op": "search"}), "collections[0].error.op: expected one of query, upsert, delete, describe, list,"),
    (one(error={"status": 200}), "collections[0].error.status: expected a whole number from 400 to 599, got 200"),
    (one(error={"times": 0}), "collections[0].error.times: expected a whole number of 1 or more, got 0"),
    (one(delayMs=-1), "collections[0].delayMs: expected milliseconds, 0 or more, got -1"),
    (one(readyAfterPolls="1"), 'collections[0].readyAfterPolls: expected a whole number of 0 or more, got "1"'),
    (one(queryresults=[]), 'collections[0].queryresults: unknown key, did you mean "queryResults"?'),
    (records(5), "collections[0].vectors[0]: expected an object, got 5"),
    (records({"id": "a"}), "collections[0].vectors[0].values: is missing; or a text, from which they follow"),
    (
        records({"id": -1, "values": [1]}),
        "collections[0].vectors[0].id: expected a string that is not empty, or a whole",
    ),
    (records({"id": True, "values": [1]}), "collections[0].vectors[0].id: expected a string that is not empty, or"),
    (records({"values": [1]}), "collections[0].vectors[0].id: is missing"),
    (records({"id": "a", "values": "1"}), 'collections[0].vectors[0].values: expected an array of numbers, got "1"'),
    (records({"id": "a", "values": []}), "collections[0].vectors[0].values: expected some numbers, got 0"),
    (
        records({"id": "a", "values": [1, 2]}, dimension=3),
        "collections[0].vectors[0].values: expected 3 numbers, got 2",
    ),
    (
        records({"id": "a", "values": [1]}, {"id": "b", "values": [1, 2]}),
        "collections[0].vectors[1].values: expected 1 numbers, got 2",
    ),
    (
        records({"id": "a", "values": [1], "vector": [1]}),
        "collections[0].vectors[0].vector: stands beside values, which is the same",
    ),
    (
        records({"id": "a", "vector": {"title": [1]}}),
        "collections[0].vectors[0].vector: the collection has no vectors of the name 'title', only ''",
    ),
    (
        records({"id": "a", "vector": {"title": [[1]]}}, fields={"title": {}}),
        "collections[0].vectors[0].vector: expected a dense vector, got a multi one",
    ),
    (
        records({"id": "a", "text": "x"}, fields={"title": {}}),
        "collections[0].vectors[0].vector, with title: is missing",
    ),
    (
        records({"id": "a", "sparseValues": {"indices": [1, 1], "values": [1, 2]}}),
        "collections[0].vectors[0].sparseValues: an index comes twice in a sparse vector",
    ),
    (
        records({"id": "a", "sparseValues": {"indices": [1]}}),
        "collections[0].vectors[0].sparseValues.values: is missing",
    ),
    (records({"id": "a", "values": [1], "metadata": []}), "collections[0].vectors[0].metadata: expected an object"),
    ({"limits": {"maxRecord": 1}}, 'limits.maxRecord: unknown key, did you mean "maxRecords"?'),
    ({"dialects": "qdrant"}, 'dialects: expected an array, got "qdrant"'),
    ({"file": ""}, 'file: expected a string that is not empty, got ""'),
]


@pytest.mark.parametrize(("section", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_refused_with_its_place(section: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        from_config(section, Path())


def test_limits_hold() -> None:
    section = {"limits": {"maxRecords": 1}, **records({"id": "a", "values": [1]}, {"id": "b", "values": [1]})}
    with pytest.raises(ValueError, match=r"^collections\[0\]: the vector store is full: max_records is 1$"):
        from_config(section, Path())


def test_a_config_file_says_which_key_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "aimock.json"
    path.write_text(json.dumps({"vector": one(dimension=0)}))
    with pytest.raises(ConfigError, match=r"vector.*collections\[0\]\.dimension: expected a whole number from 1"):
        load_config(path)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["docs", "dot"])
)
KEYS = st.sampled_from([*RECORD, "indices", "results", "sequenceIndex", "score", "form", "status", "times"])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


def _of(keys: Iterable[str]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from([*keys]), JSON | st.lists(st.lists(st.floats(width=32))), max_size=5)


@given(
    st.lists(_of(COLLECTION).map(lambda told: {"name": "docs", **told}), max_size=2),
    st.lists(_of(RECORD).map(lambda told: {"id": "a", "values": [1.5], **told}), max_size=3),
)
def test_anything_is_either_taken_or_refused_in_words(collections: list[Any], records: list[Any]) -> None:
    for each in collections[:1]:
        each["vectors"] = records
    mock = VectorMock()
    with contextlib.suppress(ValueError):
        mock.add({"collections": collections})
        assert len(mock.service.store) == len(collections)


# -- adding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "added",
    [
        {"dimension": 4},
        {"metric": "dot"},
        {"fields": {"": {"dimension": 4}}},
        {"vectors": [{"id": "b", "values": [1, 2, 3, 4]}]},
        {"vectors": [{"id": "b", "values": [1, 2, 3]}, {"id": "c"}]},
        {"documents": ["x"], "delayMs": "1"},
    ],
)
def test_what_does_not_go_with_what_is_there_changes_nothing(added: Any) -> None:
    mock = VectorMock().add(REFERENCE)
    with pytest.raises(ValueError, match=r"^collections\[\d\]"):
        mock.add({"collections": [{"name": "new"}, {"name": "docs", **added}]})
    (docs,) = mock.service.store
    assert [*by_id(docs)] == ["a"]


def test_what_goes_with_it_is_added() -> None:
    mock = VectorMock().add(REFERENCE)
    added = {"dimension": 3, "metric": "cosine", "fields": {"title": {}}, "vectors": [{"id": "b", "values": [1, 2, 3]}]}
    mock.add_collection("docs", added, delay_ms=1)
    (docs,) = mock.service.store
    assert [*by_id(docs)] == ["a", "b"]
    assert [*docs.fields] == ["", "title"]
    assert docs.script is not None
    assert (docs.script.delay, len(docs.script.results)) == (0.001, 1)


def test_a_name_that_several_have_needs_the_dialect() -> None:
    mock = VectorMock()
    for dialect in ("qdrant", "chroma"):
        mock.add_collection("docs", dialects=[dialect])
    with pytest.raises(
        ValueError, match=r"^collections\[0\]\.name: is that of several collections: say which dialects"
    ):
        mock.upsert("docs", [{"id": "a", "values": [1]}])
    mock.add_collection("docs", dialects=["chroma"], vectors=[{"id": "a", "values": [1]}])
    assert [len(each) for each in mock.service.store] == [0, 1]


@pytest.mark.parametrize("key", ["file", "limits", "dialects", "allowReset"])
def test_what_the_store_is_can_be_told_at_the_start_only(key: str) -> None:
    told = {"file": "x.db", "limits": {}, "dialects": ["qdrant"], "allowReset": True}[key]
    with pytest.raises(ValueError, match=f"^{key}: can be told at the start only$"):
        VectorMock().add({key: told})


# -- a store that is kept --------------------------------------------------------------------------------------------


def test_what_is_kept_outranks_what_a_section_begins_with(tmp_path: Path) -> None:
    def begin(*documents: str) -> VectorService:
        collection = {"name": "docs", "dimension": 4, "documents": [*documents], "queryResults": []}
        return from_config({"file": "kept.db", "collections": [collection, {"name": "empty"}]}, tmp_path)

    first = begin("one", "two")
    (docs, _) = first.store
    docs.namespace().delete([next(iter(docs.namespace())).id])
    first.store.close()
    again = begin("one", "two", "three")
    (docs, _) = again.store
    assert [record.document for record in docs.namespace()] == ["two"]
    assert docs.script is not None
    again.store.close()
    with pytest.raises(ValueError, match=r"^collections\[0\]: the collection has vectors of dimension 4, cosine$"):
        from_config({"file": "kept.db", "collections": [{"name": "docs", "dimension": 5}]}, tmp_path)


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.db").write_text("something else, of no short length, that is not a database" * 20)
    with pytest.raises(ValueError, match=r"^file: .*kept\.db"):
        from_config({"file": "kept.db"}, tmp_path)
