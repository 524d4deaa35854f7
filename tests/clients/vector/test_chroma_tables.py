"""What chromadb's own server and the mock say of collections, and of calls that are wrong (see `chroma_twins`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from chroma_twins import DATABASE, Both, Twins, both_servers, plain


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with both_servers(tmp_path_factory.mktemp("chroma")) as servers:
        yield servers


HNSW = {"space": "ip", "ef_search": 7, "ef_construction": 8, "max_neighbors": 9, "sync_threshold": 20}
OFF = {"enabled": False, "config": {}}
COSINE = {"vector_index": {"enabled": True, "config": {"space": "cosine", "hnsw": {"ef_search": 33}}}}


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"a": 1, "b": 1.5, "c": "x", "d": True, "big": 2**63}},
        {"metadata": {"hnsw:space": "cosine"}},
        {"metadata": {"hnsw:space": "ip", "hnsw:M": 20, "hnsw:search_ef": 50, "hnsw:resize_factor": 1.5}},
        {"configuration": {}},
        {"configuration": {"hnsw": {}, "spann": None}, "metadata": {"hnsw:space": "cosine"}},
        {"configuration": {"hnsw": HNSW}},
        {"configuration": {"hnsw": {"space": "ip"}}, "metadata": {"hnsw:space": "cosine"}},
        {"configuration": {"hnsw": {"space": "l2"}}, "metadata": {"hnsw:space": "cosine"}},
        {"configuration": {"spann": {"space": "ip", "ef_search": 20}}},
        {"configuration": {"spann": {}}, "metadata": {"hnsw:space": "cosine"}},
        {"configuration": {"embedding_function": {"type": "known", "name": "default", "config": {"a": 1}}}},
        {"configuration": {"embedding_function": {"type": "legacy"}}, "metadata": {"hnsw:space": "cosine"}},
        {"configuration": {"hnsw": {"space": "ip"}}, "schema": {"defaults": {}, "keys": {}}},
        {"schema": {"defaults": {}, "keys": {"k": {"bad": 1}}}},
        {"schema": {"defaults": {"bool": {"bool_inverted_index": OFF}}, "keys": {"s": {"string": {"fts_index": OFF}}}}},
        {"schema": {"defaults": {}, "keys": {"#embedding": {"float_list": COSINE}}}},
        {"schema": {"defaults": {"float_list": {"vector_index": OFF}}, "keys": {}}},
    ],
    ids=json.dumps,
)
def test_collections_are_shown_alike(both: Both, body: dict[str, Any]) -> None:
    both.collection(**body)


@pytest.mark.parametrize(
    "body",
    [
        *({"name": name} for name in ("co", "", "a b c", "-abc", "abc-", "a..b", "192.168.1.1", "x" * 513, 5, None)),
        {},
        *({"metadata": value} for value in ({}, 5, {"a": None}, {"a": {"x": 1}}, {"a": [1, "x"]}, {"#a": 1}, {"": 1})),
        *(
            {"metadata": {f"hnsw:{key}": value}}
            for key, value in (("space", "bad"), ("M", "x"), ("M", 2.5), ("foo", 1))
        ),
        {"metadata": {"hnsw:batch_size": 1}},
        *({"configuration": {"hnsw": value}} for value in ({"space": "bad"}, {"foo": 1}, {"ef_search": -1}, 5)),
        {"configuration": {"hnsw": {"resize_factor": "x"}}},
        {"configuration": {"hnsw": {}, "spann": {}}},
        {"configuration": {"spann": {"foo": 1}}},
        *(
            {"configuration": {"embedding_function": value}}
            for value in ("x", {"name": "x"}, {"type": "weird"}, {"type": "known", "name": "x"})
        ),
        {"configuration": 5},
        *({"schema": value} for value in ({}, 5, {"defaults": {}}, {"defaults": {}, "keys": {"a": 5}})),
        {"configuration": {"hnsw": {"space": "ip"}}, "schema": {"defaults": {}, "keys": {"a": {}}}},
        {"schema": {"defaults": {"float_list": COSINE}, "keys": {}}},
        {"metadata": {"hnsw:space": "ip"}, "schema": {"defaults": {}, "keys": {"a": {}}}},
        {"get_or_create": "x"},
    ],
    ids=json.dumps,
)
def test_collections_that_cannot_be(both: Both, body: dict[str, Any]) -> None:
    named = {"name": "refused", **body} if body else body
    assert set(both.same("POST", f"{DATABASE}/collections", named)) == {"error", "message"}


def test_collections_are_found_and_changed_alike(both: Both) -> None:
    twins, other = both.collection(metadata={"a": 1}), both.collection()
    for body in ({"name": twins.name}, {"name": "nope/"}):
        both.same("POST", f"{DATABASE}/collections", body)
    for name in ("nope", "by-id/nope", "by-id/00000000-0000-0000-0000-000000000001"):
        both.same("GET", f"{DATABASE}/collections/{name}")
    both.same("DELETE", f"{DATABASE}/collections/nope")
    for body in (
        {},
        {"new_name": "ne"},
        {"new_name": 5},
        {"new_name": other.name},
        {"new_name": f"{twins.name}.renamed"},
        {"new_metadata": {}},
        {"new_metadata": {"#a": 1}},
        {"new_metadata": {"a": {"x": 1}}},
        {"new_metadata": {"a": None, "b": 2}},
        {"new_metadata": {"b": None}},
        {"new_configuration": {"hnsw": {"ef_search": 55, "max_neighbors": 9, "resize_factor": 3}}},
        {"new_configuration": {"hnsw": {"space": "ip"}}},
        {"new_configuration": {"spann": {"ef_search": 5}}},
        {"new_configuration": {"hnsw": {}, "spann": {}}},
        {"new_configuration": {"embedding_function": {"type": "known", "name": "x", "config": {}}}},
    ):
        answers = [
            client.put(f"{DATABASE}/collections/{id}", json=body)
            for client, id in ((both.real, twins.real), (both.ours, twins.ours))
        ]
        assert answers[1].status_code == answers[0].status_code, body
        assert plain(answers[1]) == plain(answers[0])
        real = both.real.get(f"{DATABASE}/collections/by-id/{twins.real}")
        ours = both.ours.get(f"{DATABASE}/collections/by-id/{twins.ours}")
        assert {**ours.json(), "id": twins.real} == real.json(), body


def test_tenants_and_databases_alike(both: Both) -> None:
    for method, path, body in (
        ("POST", "", {"name": "twins"}),
        ("POST", "", {"name": "twins"}),
        ("POST", "", {"name": "a/b c"}),
        ("POST", "", {}),
        ("POST", "", {"name": 1}),
        ("GET", "/twins", None),
        ("GET", "/a%2Fb%20c", None),
        ("GET", "/nobody", None),
        ("PATCH", "/twins", {"resource_name": "x"}),
        ("PATCH", "/twins", {}),
        ("GET", "/twins/databases", None),
        ("POST", "/twins/databases", {"name": "db.1"}),
        ("POST", "/twins/databases", {"name": "db.1"}),
        ("POST", "/twins/databases", {"name": "x y"}),
        ("GET", "/twins/databases/nope", None),
        ("DELETE", "/twins/databases/nope", None),
        ("GET", "/twins/databases?limit=0", None),
        ("GET", "/twins/databases?limit=-1", None),
        ("GET", "/twins/databases/nope/collections", None),
        ("GET", "/twins/databases/nope/collections_count", None),
        ("POST", "/twins/databases/nope/collections", {"name": "col"}),
        ("GET", "/twins/databases/db.1/collections_count", None),
        ("DELETE", "/twins/databases/db.1", None),
        ("GET", "/twins/databases", None),
    ):
        both.same(method, f"/api/v2/tenants{path}", body)


ADDABLE = {"ids": ["c"], "embeddings": [[1, 1, 1]]}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        *(("add", {**ADDABLE, "ids": ids}) for ids in ([""], [1], 5, ["c", "d"], [])),
        *(
            ("add", {**ADDABLE, "embeddings": embeddings})
            for embeddings in (
                [[1, 1]],
                [[]],
                [[1, "x", 1]],
                [[True, 1, 1]],
                [[1e39, 1, 1]],
                None,
                [None],
                ["AACAPwAAAEAAAEBA"],
                ["AACAPw=="],
                ["!!!"],
                ["AACAPwAAAEAAAEB"],
                ["AACA"],
                [""],
                ["AADAf/////8AAIA/"],
                ["AACAPwAAAEAAAEBA", [1, 1, 1]],
            )
        ),
        *(
            ("add", {**ADDABLE, "metadatas": [metadata]})
            for metadata in (
                {},
                {"a": None},
                {"a": [1, 2.5]},
                {"a": [1, "x"]},
                {"a": {"x": 1}},
                {"a": 2**63, "b": -(2**63)},
                {"#x": "x"},
                {"": "x"},
                {"s": {"#type": "sparse_vector", "indices": [1, 5], "values": [0.5, 1.5]}},
                {"s": {"indices": [5, 1], "values": [0.5, 1.5]}},
            )
        ),
        *(("add", {**ADDABLE, "documents": documents}) for documents in ([], [5], [""], "x")),
        ("add", {**ADDABLE, "uris": ["u", "v"]}),
        ("add", {"ids": ["c"]}),
        ("add", {"ids": ["c", "d"], "embeddings": [[1, 2, 3], [1, 2]]}),
        ("upsert", {"ids": ["c"]}),
        ("update", {"ids": ["a"], "embeddings": [[1, 1]]}),
        ("update", {"ids": ["a"], "embeddings": [["a"]]}),
        ("update", {"ids": ["a"], "metadatas": [{"a": {"x": 1}}]}),
        ("update", {"ids": [""]}),
        ("update", {}),
        *(
            ("get", body)
            for body in ({"include": ["bad"]}, {"include": None}, {"limit": -1}, {"offset": "x"}, {"ids": 5})
        ),
        *(("get", body) for body in ({"where": {}}, {"where_document": {}}, {"ids": []}, {"include": ["distances"]})),
        *(
            ("query", {"query_embeddings": embeddings})
            for embeddings in (None, [1, 2, 3], [["a"]], [[1, 2]], [[]], [[1, 2], [1]], [], ["AACAPwAAAEAAAEBA"])
        ),
        *(("query", {"query_embeddings": [[1, 2, 3]], "n_results": count}) for count in (-1, None, 10**9, "x", 1.5)),
        ("query", {"query_embeddings": [[1, 2, 3]], "ids": ["b", "b"], "include": ["distances", "embeddings"]}),
        ("query", {"query_embeddings": [[1, 2, 3]], "ids": []}),
        ("query", {}),
        *(
            ("delete", body)
            for body in ({}, {"ids": []}, {"ids": ["q", "q"]}, {"ids": ["a"], "limit": 1}, {"limit": 1})
        ),
        *(
            ("delete", body)
            for body in ({"where": {}}, {"ids": ["a"], "where": {"n": 9}}, {"where": {"n": 9}, "limit": -1})
        ),
        *(("search", body) for body in ({"searches": []}, {"searches": [{}]}, {})),
        ("functions/attach", {"name": "x", "function_id": "y", "output_collection": "z"}),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_calls_of_records_alike(both: Both, operation: str, body: dict[str, Any]) -> None:
    twins = both.collection()
    metadatas = [{"n": 1, "s": "x"}, None]
    columns = {"metadatas": metadatas, "documents": ["hello", None], "uris": ["u", None]}
    twins.same("add", {"ids": ["a", "b"], "embeddings": [[1, 0, 0], [0, 1, 0]], **columns})
    twins.same(operation, body)
    twins.same("get", {"include": ["documents", "embeddings", "metadatas", "uris"]})


@pytest.mark.parametrize("id", ["00000000-0000-0000-0000-000000000001", "a-name"])
def test_collections_that_are_not_there(both: Both, id: str) -> None:
    for operation, body in (
        ("add", {"ids": [""], "embeddings": [[]]}),
        ("add", {"ids": [1]}),
        ("get", {"where": {}}),
        ("query", {"query_embeddings": [[]]}),
        ("query", {}),
        ("delete", {"ids": []}),
        ("search", {"searches": []}),
        ("search", {}),
    ):
        both.same("POST", f"{DATABASE}/collections/{id}/{operation}", body)
    both.same("GET", f"{DATABASE}/collections/{id}/count")
    both.same("PUT", f"{DATABASE}/collections/{id}", {"new_metadata": {}})


@pytest.fixture(scope="module")
def patterned(both: Both) -> Twins:
    """A collection with documents that patterns are looked for in."""
    documents = ["line one\nline two\n", "tab\there", "aXb", "xxxxx-", "word: café ß", "a||b", "", "[x]"]
    twins = both.collection()
    ids = [f"r{place}" for place in range(len(documents))]
    twins.same("add", {"ids": ids, "embeddings": [[1, 1]] * len(ids), "documents": documents})
    return twins


@pytest.mark.parametrize(
    "pattern",
    [
        *("two$", "two\n$", "(?m)two$", "one$", "(?m)one$", "(?m)^line two", "^line two", "one.line", "(?s)one.line"),
        *(r"\z", r"\Z", r"two\n\z", r"\Aline", "a^", "$a", "^^a", r"\bone\b", r"\b{start}one", r"\<one\>", r"\Bne"),
        *("(?i)axB", "(?-i)axb", "(?i:AX)B", "a(?i)xB", "(?i)(?-i)X", "(?i)SS", "(?i)ß", "(?i)\u212a", "(?u)x", "(?R)"),
        *("x{5}", "x{6}", "x{2,3}-", "x++-", "x*+-", "x??-", "(?U)x+-", "(?x) x x", "(?:x{2}){2}", "(a|b)+X", "()"),
        *("(?P<n>x)", "(?<n>x)", "(?:)", "(?n)x", "(?>x)", "(?#c)x", "(?&x)", "(?1)", "(?i"),
        *("(?!x)", "(?<=x)-", "(?<!y)-", r"\07", r"\1", r"\h", r"\R", r"\K", r"\k<n>", r"\N{DIGIT ONE}", r"\e"),
        *(r"\x61X", r"\x{61}X", r"\u0061X", r"\u{61}X", r"\U00000061X", r"\pL", r"\p{Greek}", r"\p{L}{3}", r"\D"),
        *("[[:alpha:]&&[^a]]X", "[a-z--a]X", "[a~~b]X", "[a||b]X", "[|]", "[]a]", "[^]a]", r"[\w&&[^\d]]X", r"[\b]"),
        *(
            "[[:foo:]]",
            "[[:^alpha:]]",
            "[x",
            "a{",
            "{",
            "}",
            "]",
            "x{2",
            "a{,2}",
            "*",
            "+a",
            "(",
            "a)",
            "\\",
            "a|",
            "|a",
        ),
        *(r"\w+:\s\w+é", r"\S\s\S", r"\ ", r"\-", r"\_", r"\/", "qu|100", "."),
    ],
)
def test_patterns_are_found_alike(patterned: Twins, pattern: str) -> None:
    patterned.same("get", {"where_document": {"$regex": pattern}, "include": []})
