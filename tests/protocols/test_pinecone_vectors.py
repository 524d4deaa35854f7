"""Requests of the data plane, read and refused (wire-vector §1.2)."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.canonical import WireError
from aimock_protocols.pinecone import documents, inference, lucene, records, scoring, text, values, vectors
from aimock_protocols.pinecone.namespaces import counted, read_creation, stored
from aimock_protocols.pinecone.pages import page

DENSE = values.Shape(3, False)
HYBRID = values.Shape(3, True)
SPARSE = values.Shape(None, True)
UNKNOWN = values.Shape(0, False)
ONE = {"indices": [1], "values": [0.5]}


def refused(read: Any, *args: Any) -> str:
    with pytest.raises(WireError) as error:
        read(*args)
    assert error.value.reply.status in (400, 413)
    return error.value.reply.message


def test_a_vector_as_it_came() -> None:
    given = {"id": "a", "values": [1, 0.5, 0], "sparseValues": ONE, "metadata": {"x": [], "y": None}, "more": 1}
    [read] = vectors.read_upsert({"vectors": [given], "namespace": "n"})
    assert (read.id, read.values, read.sparse, read.metadata) == ("a", [1, 0.5, 0], ([1], [0.5]), {"x": []})
    vectors.check_vectors([read], HYBRID)
    assert "does not support sparse" in refused(vectors.check_vectors, [read], DENSE)
    assert "dense values to a sparse index" in refused(vectors.check_vectors, [read], SPARSE)


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (1, "vectors[0] must be an object"),
        ({"values": [1]}, "vectors[0].id is required"),
        ({"id": 1}, "vectors[0].id must be a string"),
        ({"id": ""}, "between 1 and 512"),
        ({"id": "a\0"}, "must be ASCII"),
        ({"id": "a", "values": "x"}, "values must be an array"),
        ({"id": "a", "values": [1, "2"]}, "values must be an array of numbers"),
        ({"id": "a", "values": [1, True]}, "values must be an array of numbers"),
        ({"id": "a", "values": [1e39]}, "32-bit float"),
        ({"id": "a", "sparseValues": {"indices": [1], "values": []}}, "same length"),
        ({"id": "a", "sparseValues": {"indices": [1, 1], "values": [1, 2]}}, "unique"),
        ({"id": "a", "sparseValues": {"indices": [-1], "values": [1]}}, "between 0 and 4294967295"),
        ({"id": "a", "sparseValues": {"indices": [*range(2049)], "values": [1] * 2049}}, "at most 2048"),
        ({"id": "a", "metadata": []}, "metadata must be an object"),
        ({"id": "a", "metadata": {"x": {"y": 10}}}, """got '{"y":10}' for field 'x'"""),
        ({"id": "a", "metadata": {"x": ["a", 1]}}, """got '["a",1]' for field 'x'"""),
        ({"id": "a", "metadata": {"x": {"long": "y" * 99}}}, """got '{"long":"yyyyyyy...' for field 'x'"""),
    ],
)
def test_vectors_that_are_refused(vector: Any, message: str) -> None:
    assert message in refused(vectors.read_upsert, {"vectors": [vector]})


def test_the_dimension_of_a_collection_may_be_told_by_its_first_vector() -> None:
    [read] = vectors.read_upsert({"vectors": [{"id": "a", "values": [1, 2]}]})
    vectors.check_vectors([read], UNKNOWN)
    [empty] = vectors.read_upsert({"vectors": [{"id": "a"}]})
    assert "dimension 0" in refused(vectors.check_vectors, [empty], UNKNOWN)


@pytest.mark.parametrize(
    ("body", "shape", "message"),
    [
        ({"vector": [1, 2, 3]}, DENSE, "topK is required"),
        ({"vector": [1, 2, 3], "topK": 0}, DENSE, "between 1 and 10000"),
        ({"vector": [1, 2, 3], "topK": 10_001}, DENSE, "between 1 and 10000"),
        ({"vector": [1, 2, 3], "topK": 1.5}, DENSE, "topK must be an integer"),
        ({"topK": 1}, DENSE, "vector, sparse vector or ID is required"),
        ({"topK": 1, "vector": [1, 2, 3], "id": "a"}, DENSE, "mutually exclusive"),
        ({"topK": 1, "vector": [1, 2]}, DENSE, "Query vector dimension 2 does not match the dimension of the index 3"),
        ({"topK": 1, "sparseVector": ONE}, HYBRID, "Query vector dimension 0"),
        ({"topK": 1, "vector": [1, 2, 3], "sparseVector": ONE}, DENSE, "does not support sparse values"),
        ({"topK": 1, "vector": [1, 2, 3]}, SPARSE, "sparse index with dense values"),
        ({"topK": 1, "vector": [1, 2, 3], "includeValues": "yes"}, DENSE, "includeValues must be a boolean"),
    ],
)
def test_queries_that_are_refused(body: Any, shape: values.Shape, message: str) -> None:
    assert message in refused(vectors.read_query, body, shape)


def test_a_query_may_be_of_zeros() -> None:
    asked = vectors.read_query({"topK": "5", "vector": [0, 0, 0]}, DENSE)
    assert (asked.top_k, asked.values, asked.where) == (5, [0, 0, 0], None)


def test_deletes_and_updates() -> None:
    assert vectors.read_delete({"deleteAll": True}) == (None, None)
    assert vectors.read_delete({"ids": ["a"]}).ids == ["a"]
    both = vectors.read_delete({"ids": ["a"], "filter": {"x": 1}})
    assert (both.ids, both.where is None) == (None, False)  # the filter wins
    assert (
        refused(vectors.read_delete, {"deleteAll": True, "ids": ["a"]})
        == "No explicit IDs allowed when delete_all=true"
    )
    assert "empty metadata filter" in refused(vectors.read_delete, {"filter": {}})
    assert "at least one of" in refused(vectors.read_delete, {"namespace": "x"})
    assert "Exactly one of id or filter" in refused(vectors.read_update, {}, DENSE)
    assert "only set metadata" in refused(vectors.read_update, {"filter": {"x": 1}, "values": [1, 2, 3]}, DENSE)
    assert "contains only zeros" in refused(vectors.read_update, {"id": "a", "values": [0, 0, 0]}, DENSE)
    assert "metadata filtering" in refused(vectors.refuse_filtered_stats, {"filter": {"x": 1}})


def test_names_of_the_default_namespace() -> None:
    assert (stored("__default__"), stored(""), stored("x")) == ("", "", "x")
    assert [counted("", version) for version in ("2025-04", "2025-10")] == ["", "__default__"]
    for name in ("", "__default__", "ä", "a" * 513):
        refused(read_creation, {"name": name})
    assert "filterable: false" in refused(read_creation, {"name": "a", "schema": {"fields": {"x": {}}}})


@given(st.lists(st.text("abc", min_size=1, max_size=4), unique=True), st.integers(1, 5))
def test_pages_are_the_whole_in_order(keys: list[str], limit: int) -> None:
    keys.sort()
    seen: list[str] = []
    token = None
    for _ in range(len(keys) + 1):
        shown = page(keys, limit, token)
        assert len(shown.keys) <= limit
        seen += shown.keys
        token = shown.token
        if token is None:
            break
    assert seen == keys
    assert shown.pagination == {}


@pytest.mark.parametrize("token", ["?", "e30=", "bnVsbA==", 7])
def test_tokens_that_are_none(token: Any) -> None:
    refused(page, ["a"], 1, token)


# -- texts -------------------------------------------------------------------------------------------------------------


def test_records_a_line() -> None:
    body = b'{"_id": "a", "t": "x", "n": 1}\n\n{"id": "b", "t": "y"}\n'
    assert records.read_upsert(body, "t", 96) == [("a", "x", {"t": "x", "n": 1}), ("b", "y", {"t": "y"})]
    for line, message in (
        (b"{", "malformed JSON"),
        (b"[]", "Record 0 must be an object"),
        (b'{"t": "x"}', "either '_id' or 'id'"),
        (b'{"_id": "a", "id": "a", "t": "x"}', "either '_id' or 'id'"),
        (b'{"_id": "a", "t": " "}', "Missing or invalid field 't'"),
        (b"", "between 1 and 96"),
        (b" " * (values.MAX_BYTES + 1), "exceeds the limit"),
    ):
        assert message in refused(records.read_upsert, line, "t", 96)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "query is required"),
        ({"query": {"top_k": 1}}, "Exactly one of"),
        ({"query": {"top_k": 1, "id": "a", "inputs": {"text": "x"}}}, "Exactly one of"),
        ({"query": {"inputs": {}, "top_k": 1}}, "query.inputs.text is required"),
        ({"query": {"id": "a"}}, "query.top_k is required"),
        ({"query": {"vector": {"values": [1]}, "top_k": 1}}, "dimension 1"),
        (
            {"query": {"id": "a", "top_k": 1}, "rerank": {"model": "bge-reranker-v2-m3", "rank_fields": ["t"]}},
            "rerank.query",
        ),
        ({"query": {"id": "a", "top_k": 1, "match_terms": {"strategy": "all", "terms": ["x"]}}}, "match_terms needs"),
    ],
)
def test_searches_that_are_refused(body: Any, message: str) -> None:
    assert message in refused(records.read_search, body, DENSE)


def test_embeddings_of_words() -> None:
    one, other = inference.sparse_embedding("red car"), inference.sparse_embedding("a red bus, and a red sky")
    assert len({*one.indices} & {*other.indices}) == 1
    assert one.indices == sorted(one.indices)
    assert sum(value * value for value in other.values) == pytest.approx(1)
    assert inference.sparse_embedding("!?") == ([], [])


TEXTS = {"t": ["red car", "red bus and red sky red", "blue sky", ""], "u": ["", "", "car", "bus"]}


def answered(query: str) -> tuple[list[int], list[float]]:
    """Places of the texts that match, the best first; and all scores."""
    parsed = lucene.parsed(query, ["t", "u"])
    of_fields = {name: text.Texts([text.tokens_of(each) for each in values]) for name, values in TEXTS.items()}
    found = lucene.scored(parsed, of_fields, 4)
    places = [place for place in range(4) if found.matched[place]]
    return sorted(places, key=lambda place: -found.scores[place]), [*found.scores]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("red", [1, 0]),
        ("car", [0, 2]),
        ("t:car", [0]),
        ('t:"red sky"', [1]),
        ("red AND sky", [1]),
        ("red && NOT sky", [0]),
        ("red -sky", [0]),
        ("+sky red", [1, 2]),
        ("(red OR blue) AND sky", [2, 1]),
        ("t:(red blue^9)", [2, 1, 0]),
        ("u:car || u:bus", [2, 3]),
        ("-red", []),
        (r"\red", [1, 0]),
    ],
)
def test_query_strings(query: str, expected: list[int]) -> None:
    assert answered(query)[0] == expected


def test_boosts_and_sums() -> None:
    plain, boosted = answered("t:red")[1], answered("t:red^2")[1]
    assert boosted == pytest.approx([2 * score for score in plain])
    assert answered("red red")[1] == pytest.approx([2 * score for score in answered("red")[1]])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "AND red",
        "red AND",
        "(red",
        "red)",
        "t:",
        "nothing:red",
        "re*d",
        "re?",
        "red~2",
        "[a TO b]",
        "^2",
        "-",
        '"red',
        "(" * 40 + "x" + ")" * 40,
    ],
)
def test_query_strings_that_are_none(query: str) -> None:
    assert "query string" in refused(lucene.parsed, query, ["t"])


@given(st.text(st.sampled_from('ab:()"+-^2 \\&|!~ANDORT'), max_size=20))
def test_any_query_string_is_answered_or_refused(query: str) -> None:
    with contextlib.suppress(WireError):
        assert len(answered(query)[1]) == 4


SCHEMA = {"t": {"type": "string", "full_text_search": {}}, "v": {"type": "dense_vector", "dimension": 1}}


@pytest.mark.parametrize(
    ("read", "body", "message"),
    [
        (documents.read_upsert, {"documents": []}, "between 1 and 1000"),
        (documents.read_upsert, {"documents": [{"_id": "a", "v": [1]}] * 2}, "Duplicate"),
        (documents.read_update, {}, "No 'documents' or 'filter'"),
        (documents.read_update, {"filter": {"a": 1}}, "'set_fields' or 'remove_fields'"),
        (documents.read_update, {"filter": {"t": "a"}, "set_fields": {"b": 1}}, "metadata alone"),
        (documents.read_update, {"documents": [{"_id": "a", "_remove_fields": ["v"]}]}, "Required fields"),
        (documents.read_update, {"documents": [{"_id": "a", "x": 1, "_remove_fields": ["x"]}]}, "both set and removed"),
        (documents.read_delete, {"ids": ["a"], "delete_all": True}, "Exactly one of"),
        (documents.read_delete, {"filter": {}}, "non-empty"),
        (documents.read_fetch, {}, "Exactly one of"),
        (documents.read_fetch, {"ids": ["a"], "pagination_token": "x"}, "only valid together with 'filter'"),
        (scoring.read_search, {"score_by": [], "top_k": 1}, "between 1 and 100"),
        (scoring.read_search, {"score_by": [{"type": "nonsense"}], "top_k": 1}, "must be one of"),
        (scoring.read_search, {"score_by": [{"type": "text", "query": "x"}], "top_k": 1}, "at least one field"),
        (
            scoring.read_search,
            {"score_by": [{"type": "dense_vector", "field": "v", "values": [1]}, {"type": "text"}], "top_k": 1},
            "must appear alone",
        ),
        (
            scoring.read_search,
            {"score_by": [{"type": "query_string", "query": "x", "fields": ["t"]}], "top_k": 1},
            "must not specify",
        ),
    ],
)
def test_documents_that_are_refused(read: Any, body: Any, message: str) -> None:
    assert message in refused(read, body, SCHEMA)


def test_a_request_of_documents_may_be_too_large() -> None:
    big = {"documents": [{"_id": str(n), "v": [1], "t": "x" * 90_000} for n in range(30)]}
    assert "exceeds the limit" in refused(documents.read_upsert, big, SCHEMA)
    one = {"documents": [{"_id": "a", "v": [1], "t": "x" * 200_000}]}
    assert "at most 102400 bytes" in refused(documents.read_upsert, one, SCHEMA)


def test_clauses_that_are_there_twice_score_once() -> None:
    clause = {"type": "text", "query": "red car", "fields": ["t"]}
    same = {"type": "query_string", "query": "t:red t:car"}
    read = scoring.read_search({"score_by": [clause, clause, same], "top_k": 1}, SCHEMA)
    assert isinstance(read.scoring, scoring.ByWords)
    assert len(read.scoring.queries) == 1


def test_answers_are_json() -> None:
    found = vectors.Found("a", [1.0], ([1], [2.0]), {"x": 1})
    told = vectors.matches([(found, 0.5)], "", 1)
    assert orjson.loads(orjson.dumps(told))["matches"][0]["sparseValues"] == {"indices": [1], "values": [2.0]}
