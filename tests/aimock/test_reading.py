"""Reading what a user wrote: one wording for what is wrong, wherever it stands."""

from __future__ import annotations

import math
import re
from typing import Any

import jsonschema
import pytest

from aimock import reading
from aimock.reading import Fields, Keys, keyed, many, mapping_of, members, object_of, shown

KEYS: Keys = {
    "name": reading.filled,
    "many": many(reading.integer),
    "by": mapping_of(reading.flag),
    "any": reading.anything,
    "inner": object_of({"wait": reading.milliseconds, "kind": reading.one_of("a", "b")}, ("kind",)),
    "limit": reading.whole_number(1, 9),
}
WHOLE = object_of(KEYS, ("name",))


def test_what_is_right_is_read() -> None:
    given = {"name": "x", "many": (1, 2), "by": {"a": True}, "inner": {"kind": "a", "wait": 1}, "limit": 9}
    assert keyed(given, "", KEYS) == given | {"many": [1, 2], "inner": {"kind": "a", "wait": 1.0}}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "x: expected an object, got 3"),
        ({"Name": "x"}, 'x.Name: unknown key, did you mean "name"?'),
        ({"zzzz": 1}, "x.zzzz: unknown key; known are any, by, inner, limit, many, name"),
        ({}, "x.name: is missing"),
        ({"name": None}, "x.name: is missing"),
        ({"name": ""}, 'x.name: expected a string that is not empty, got ""'),
        ({"name": "x", "many": {}}, "x.many: expected an array, got {}"),
        ({"name": "x", "many": [1, True]}, "x.many[1]: expected an integer, got true"),
        ({"name": "x", "by": {"a": 1}}, "x.by.a: expected true or false, got 1"),
        ({"name": "x", "inner": {}}, "x.inner.kind: is missing"),
        ({"name": "x", "inner": {"kind": "c"}}, 'x.inner.kind: expected one of a, b, got "c"'),
        ({"name": "x", "inner": {"kind": "a", "wait": -1}}, "x.inner.wait: expected milliseconds, 0 or more, got -1"),
        ({"name": "x", "inner": {"kind": "a", "wait": math.inf}}, "x.inner.wait: expected milliseconds, 0 or more"),
        ({"name": "x", "limit": 10}, "x.limit: expected a whole number from 1 to 9, got 10"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(said)):
        WHOLE(value, "x")
    if value not in ({"name": None},) and "Infinity" not in shown(value):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, WHOLE.schema)


def test_at_the_top_there_is_no_place() -> None:
    with pytest.raises(ValueError, match=r"^expected an object, got \[\]$"):
        WHOLE([])
    with pytest.raises(ValueError, match=r"^name: is missing$"):
        WHOLE({})


def test_comments_and_null() -> None:
    assert keyed({"_comment": 1, "name": None, "any": None}, "", KEYS) == {"any": None}
    fields: Fields = {"name": ("called", reading.filled)}
    assert members({"name": "x", "_": 1}, "", fields) == {"called": "x"}
    assert members({"name": None}, "", fields, is_setting=False) == {}
    with pytest.raises(ValueError, match=r"^name: expected a string that is not empty, got null$"):
        members({"name": None}, "", fields)
    jsonschema.validate({"_comment": 1, "name": "x", "any": None}, WHOLE.schema)


def test_what_is_shown_is_short_and_has_no_url() -> None:
    assert shown({"url": "https://me:secret@host/?key=secret", "next": 1}) == '{"url":"https://…","next":1}'
    assert len(shown("x" * 1000)) == 80
    assert shown(b"x") == "\"b'x'\""
    loop: list[Any] = []
    loop.append(loop)
    assert shown(loop) == "list"
