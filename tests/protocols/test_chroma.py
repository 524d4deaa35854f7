"""Chroma's bodies: what is read from them, what is refused in which words, and how records are answered.

Whatever is asked of chromadb's own server too is in tests/clients/vector; here it is told without one.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import struct
from array import array
from collections.abc import Callable
from typing import Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from aimock_protocols.canonical import ErrorReply, WireError
from aimock_protocols.chroma import collections, metadata, names, patterns, records, schema
from aimock_protocols.chroma.errors import body_of


def refusal(act: Callable[[], Any]) -> tuple[int, str | None, str]:
    with pytest.raises(WireError) as raised:
        act()
    reply = raised.value.reply
    return reply.status, reply.type, reply.message


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ErrorReply("x", status=400), "InvalidArgumentError"),
        (ErrorReply("x", status=401), "AuthError"),
        (ErrorReply("x", status=403), "AuthorizationError"),
        (ErrorReply("x", status=404), "NotFoundError"),
        (ErrorReply("x", status=409), "ChromaError"),
        (ErrorReply("x", "rate_limit_error", status=429), "RateLimitError"),
        (ErrorReply("x", "server_error", status=503), "InternalError"),
        (ErrorReply("x", "UniqueConstraintError", status=409), "UniqueConstraintError"),
    ],
)
def test_errors_made_elsewhere_have_a_name_that_clients_know(error: ErrorReply, name: str) -> None:
    assert body_of(error) == {"error": name, "message": "x"}


def test_a_body_that_is_no_json() -> None:
    told = body_of(ErrorReply("Malformed JSON: unexpected end", "malformed", status=400))
    assert told == {
        "error": "InvalidArgumentError",
        "message": "Failed to parse the request body as JSON: unexpected end",
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "missing field `name`"),
        ({"name": None}, "name: invalid type: null, expected a string"),
        ({"name": 5}, "name: invalid type: integer `5`, expected a string"),
        ({"name": 1.5}, "name: invalid type: floating point `1.5`, expected a string"),
        ({"name": True}, "name: invalid type: boolean `true`, expected a string"),
        ({"name": ["x"]}, "name: invalid type: sequence, expected a string"),
        ({"name": {}}, "name: invalid type: map, expected a string"),
        ({"name": "abc", "get_or_create": 'a"b'}, 'get_or_create: invalid type: string "a\\"b", expected a boolean'),
        ({"name": "abc", "metadata": {"a": None}}, "metadata.a: data did not match any variant"),
        ([], "invalid type: sequence, expected struct CreateCollectionPayload"),
    ],
)
def test_collections_of_the_wrong_shape(value: Any, said: str) -> None:
    status, name, message = refusal(lambda: collections.creation(value))
    assert (status, name) == (422, "ChromaError")
    assert message.startswith(f"Failed to deserialize the JSON body into the target type: {said}")


@pytest.mark.parametrize("name", ["ab", "", "a b", "-abc", "abc_", "x" * 513, "a..b", "10.0.0.1", "abc\n"])
def test_names_that_none_may_have(name: str) -> None:
    assert refusal(lambda: names.check_name(name))[0] == 400


@pytest.mark.parametrize("name", ["abc", "A.b-c_9", "x" * 512, "10.0.0.1.2"])
def test_names(name: str) -> None:
    names.check_name(name)


def test_what_is_shown_of_a_collection() -> None:
    asked = collections.creation({"name": "docs", "metadata": {"hnsw:space": "cosine"}, "configuration": None})
    place = collections.Place("t", "d")
    shown = collections.shown("id", asked.name, place, asked.metadata, 3, asked.schema)
    assert shown["configuration_json"] == {
        "hnsw": {
            "space": "cosine",
            "ef_construction": 100,
            "ef_search": 100,
            "max_neighbors": 16,
            "resize_factor": 1.2,
            "sync_threshold": 1000,
        },
        "spann": None,
        "embedding_function": None,
    }
    assert (shown["tenant"], shown["database"], shown["dimension"]) == ("t", "d", 3)
    assert set(shown["schema"]["keys"]) == {"#document", "#embedding"}


def test_a_schema_learns_the_keys_of_records_and_keeps_the_one_that_it_was() -> None:
    before = schema.with_space("l2")
    text = json.dumps(before)
    after = schema.seen(before, [{"a": 1, "b": [True], "c": []}, None, {"a": "x", "gone": None}])
    assert {key: sorted(after["keys"][key]) for key in "abc"} == {"a": ["int", "string"], "b": ["bool"], "c": ["bool"]}
    assert "gone" not in after["keys"]
    assert schema.seen(after, [{"a": 2}]) is after
    assert json.dumps(before) == text


def test_a_modified_index() -> None:
    function = {"type": "known", "name": "x", "config": {}}
    before = schema.with_space("ip")
    after = schema.modified(before, {"hnsw": {"ef_search": 7}, "embedding_function": function})
    assert schema.configuration(after)["hnsw"]["ef_search"] == 7
    assert schema.configuration(after)["embedding_function"] == function
    assert (schema.space(after), schema.configuration(before)["hnsw"]["ef_search"]) == ("ip", 100)


@pytest.mark.parametrize(
    ("old", "change", "merged"),
    [
        (None, None, None),
        (None, {}, None),
        ({"a": 1}, None, {"a": 1}),
        ({"a": 1}, {"b": [1]}, {"a": 1, "b": [1]}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"a": []}, None),
        ({"a": [1]}, {"a": "x"}, {"a": "x"}),
    ],
)
def test_metadata_is_merged(old: Any, change: Any, merged: Any) -> None:
    assert metadata.merged(old, change) == merged


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (2**63, 9.223372036854776e18),
        (-(2**63), -(2**63)),
        ([1, 2.5], [1.0, 2.5]),
        ([1, 2**63], [1.0, 2.0**63]),
        ([], []),
    ],
)
def test_numbers_as_the_server_keeps_them(value: Any, read: Any) -> None:
    kept = metadata.record_metadata({"a": value}, "metadatas[0]")["a"]
    assert kept == read
    assert repr(kept) == repr(read)


def test_a_batch_row_by_row() -> None:
    encoded = base64.b64encode(struct.pack("<2f", 1.5, -2)).decode()
    batch = records.new_batch(
        {"ids": ["a", "b"], "embeddings": [encoded, encoded], "documents": ["x", None], "metadatas": [None, {"n": 1}]}
    )
    vectors = batch.vectors()
    assert records.check_dimensions(vectors, None) == 2
    rows = batch.changes(vectors)
    assert [(row.id, row.metadata, row.document, row.uri) for row in rows] == [
        ("a", None, "x", None),
        ("b", {"n": 1}, None, None),
    ]
    assert [row.embedding for row in rows] == [array("f", [1.5, -2])] * 2


@given(
    st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=5), min_size=1)
)
@settings(max_examples=50)
def test_numbers_and_base64_are_one(embeddings: list[list[float]]) -> None:
    encoded = [base64.b64encode(struct.pack(f"<{len(each)}f", *each)).decode() for each in embeddings]
    ids = [str(place) for place in range(len(embeddings))]
    plain, packed = (records.new_batch({"ids": ids, "embeddings": each}).vectors() for each in (embeddings, encoded))
    assert plain == packed == [array("f", each) for each in embeddings]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"ids": []}, "Either ids or where must be specified"),
        ({"ids": ["a"], "limit": 1}, "limit can only be specified when a where clause is provided"),
    ],
)
def test_deletions_that_are_refused(body: Any, said: str) -> None:
    assert said in refusal(lambda: records.delete(body).check())[2]


def test_answers_have_every_column() -> None:
    row = records.Row("a", [1.0], None, "x", "u:a", 0.5)
    assert records.got([row], ["uris", "metadatas"]) == {
        "ids": ["a"],
        "embeddings": None,
        "documents": None,
        "uris": ["u:a"],
        "metadatas": [{}],
        "include": ["uris", "metadatas"],
    }
    assert records.queried([[row], []], ["distances"]) == {
        "ids": [["a"], []],
        "embeddings": None,
        "documents": None,
        "uris": None,
        "metadatas": None,
        "distances": [[0.5], []],
        "include": ["distances"],
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *("ids", "embeddings", "metadatas", "documents", "uris", "where", "limit", "offset", "include"),
        *("query_embeddings", "n_results", "name", "metadata", "configuration", "schema", "get_or_create"),
        *("new_name", "new_metadata", "new_configuration", "hnsw", "defaults", "keys"),
    ]
)


@given(JSON | st.dictionaries(KEYS, JSON, max_size=5))
@settings(max_examples=300)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for read in (
        collections.creation,
        collections.modification,
        collections.tenant_name,
        collections.database_name,
        records.new_batch,
        records.upserted_batch,
        records.changed_batch,
        records.get,
        records.query,
        records.delete,
        records.check_search,
        lambda body: schema.created(body, body, None),
        lambda body: schema.modified(schema.with_space("l2"), body),
    ):
        try:
            read(value)
        except WireError as error:
            told = body_of(error.reply)
            if error.reply.status not in (400, 422) or not told["message"]:
                raise AssertionError(f"{read}: {told}") from error


# -- patterns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text", "is_found"),
    [
        ("two$", "two\n", False),
        ("(?m)two$", "two\n", True),
        (r"two\n\z", "two\n", True),
        ("x++-", "xx-", True),
        ("(?i)SS", "ß", False),
        ("a(?i)xB", "aXb", True),
        (r"\u{61}\x{62}\x63", "abc", True),
        ("[[:alpha:]&&[^a]]X", "aX", False),
        ("[a||b]", "|", True),
        ("[]a]", "]", True),
        ("[[:foo:]]", ":", True),
        (r"\b{start}one\b{end}", "one", True),
    ],
)
def test_patterns_of_rust(source: str, text: str, is_found: bool) -> None:
    assert (regex.search(patterns.translated(source), text) is not None) is is_found


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("(?=a)", "    (?=a)\n    ^^^\nerror: look-around, including look-ahead and look-behind, is not supported"),
        (r"(a)\1", "    (a)\\1\n       ^^\nerror: backreferences are not supported"),
        ("ab{3", "    ab{3\n      ^^\nerror: unclosed counted repetition"),
        (r"\Z", "    \\Z\n    ^^\nerror: unrecognized escape sequence"),
        ("a)", "    a)\n     ^\nerror: unopened group"),
        ("[x", "    [x\n    ^\nerror: unclosed character class"),
    ],
)
def test_patterns_that_rust_has_not(source: str, said: str) -> None:
    told = f"Regex syntax errror: regex parse error:\n{said}"
    assert refusal(lambda: patterns.translated(source)) == (400, "InvalidArgumentError", told)


def test_a_pattern_may_be_long_but_not_endless() -> None:
    patterns.translated("x" * patterns.MAX_LENGTH)
    assert refusal(lambda: patterns.translated("x" * (patterns.MAX_LENGTH + 1)))[0] == 400


@given(st.text(max_size=20), st.text(max_size=5), st.text(max_size=5))
@settings(max_examples=200)
def test_escaped_text_is_found_as_it_is(needle: str, before: str, after: str) -> None:
    escaped = re.sub(r"[.*+?()\[\]{}|^$\\]", r"\\\g<0>", needle)
    assert regex.search(patterns.translated(escaped), before + needle + after)


@given(st.text("ab()[]{}*+?|^$\\.-,1&~:<>=!iPzbdwxu", max_size=14))
@settings(max_examples=500)
def test_any_text_is_translated_or_refused(source: str) -> None:
    """What `regex` makes of it is its own affair: it may still refuse a range or a property."""
    try:
        translated = patterns.translated(source)
    except WireError as error:
        if error.reply.status != 400:
            raise
    else:
        with contextlib.suppress(regex.error):
            regex.compile(translated)
