"""Values held to JSON Schemas."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from aimock.surfaces.mcp.script import contains
from aimock.surfaces.mcp.templates import filled
from aimock.surfaces.mcp.validation import Checked, check_schema


@pytest.mark.parametrize(
    ("schema", "value", "fault"),
    [
        ({"type": "object"}, {"anything": 1}, None),
        ({"type": "object"}, [], "[] is not of type 'object'"),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": 1}, "a: 1 is not of type 'string'"),
        (
            {"type": "object", "properties": {"a": {"items": {"type": "string"}}}},
            {"a": ["x", 1]},
            "a[1]: 1 is not of type 'string'",
        ),
        ({"type": "object", "required": ["a"]}, {}, "'a' is a required property"),
        ({"$defs": {"s": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/s"}}}, {"a": "x"}, None),
        (  # what only older dialects have holds only where the schema names one
            {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True},
            1,
            "1 is less than or equal to the minimum of 1",
        ),
    ],
)
def test_what_is_wrong_with_a_value(schema: dict[str, Any], value: Any, fault: str | None) -> None:
    check_schema(schema)
    assert Checked(schema).fault(value) == fault


def test_schemas_are_not_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("it tried to connect")

    monkeypatch.setattr(socket, "create_connection", connect)
    fault = Checked({"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}).fault({"a": 1})
    assert fault == "the schema refers to what it does not have: Unresolvable: http://127.0.0.1:9/schema"


@pytest.mark.parametrize("schema", [{"type": "strin"}, {"required": "a"}, {"properties": []}])
def test_what_is_no_schema(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a JSON Schema"):
        check_schema(schema)


@pytest.mark.parametrize(
    ("pattern", "value", "does"),
    [
        ({}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {}, False),
        ({"a": {"b": [1, {"c": "x"}]}}, {"a": {"b": [1, {"c": "x", "d": 0}]}}, True),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": None}, {"a": None}, True),
        ({"a": {}}, {"a": 5}, False),
    ],
)
def test_what_contains_a_pattern(pattern: Any, value: Any, does: bool) -> None:
    assert contains(value, pattern) is does


VARIABLES = {"args": {"city": "Oslo", "n": 3, "list": [{"x": "y"}], "flag": True}, "input": {"k": {"a": None}}}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain {braces}", "plain {braces}"),
        ("in {{args.city}}, {{ args.n }}", "in Oslo, 3"),
        ("{{args.list.0.x}} {{args.list.1.x}}", "y "),
        ("{{args.list}} {{args.flag}}", '[{"x":"y"}] true'),
        ("{{input.k.a}}|{{input.none.a}}|{{nothing}}", "||"),
        ("{{args.city.x}}{{1}}", "{{1}}"),
    ],
)
def test_placeholders(template: str, text: str) -> None:
    assert filled(template, VARIABLES) == text


def test_a_placeholder_alone_keeps_its_type_where_that_counts() -> None:
    answer = {"content": ["{{args.n}}"], "structuredContent": {"n": "{{args.n}}", "deep": [{"l": "{{args.list}}"}]}}
    assert filled(answer, VARIABLES) == {
        "content": ["3"],
        "structuredContent": {"n": 3, "deep": [{"l": [{"x": "y"}]}]},
    }
