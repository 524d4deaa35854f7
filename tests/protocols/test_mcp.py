"""What is pure of MCP: negotiation, envelopes, headers, pages, templates, sealed state, shapes by revision."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols.jsonrpc import Request, RpcError
from aimock_protocols.mcp import frames, header_values, paging, request_state, revisions, shapes
from aimock_protocols.mcp.envelope import CAPABILITIES_KEY, LOG_LEVEL_KEY, VERSION_KEY, climb, is_modern
from aimock_protocols.mcp.uri_templates import UriTemplate

META: dict[str, Any] = {VERSION_KEY: revisions.MODERN, CAPABILITIES_KEY: {}}


@pytest.mark.parametrize(
    ("requested", "spoken", "answer"),
    [
        *((revision, revisions.ALL, revision) for revision in revisions.LEGACY),
        ("2024-10-07", revisions.ALL, "2024-11-05"),
        ("2026-07-28", revisions.ALL, "2025-11-25"),
        ("1999-01-01", revisions.ALL, "2025-11-25"),
        ("", revisions.ALL, "2025-11-25"),
        ("2025-11-25", ("2025-03-26",), "2025-03-26"),
    ],
)
def test_negotiation(requested: str, spoken: tuple[str, ...], answer: str) -> None:
    assert revisions.negotiated(requested, spoken) == answer


@pytest.mark.parametrize(
    ("headers", "body", "modern"),
    [
        ({}, {"method": "initialize"}, False),
        ({}, {"method": "tools/list"}, False),
        ({}, [], False),
        ({"mcp-protocol-version": "2026-07-28"}, {"method": "initialize"}, True),
        ({"mcp-protocol-version": "2026-07-28"}, None, True),
        ({}, {"method": "x", "params": {"_meta": {VERSION_KEY: "1900-01-01"}}}, True),
        ({"mcp-session-id": "x"}, {"method": "x", "params": {"_meta": {VERSION_KEY: "2026-07-28"}}}, True),
        ({"mcp-protocol-version": "2025-06-18", "mcp-method": "x"}, {"method": "x"}, False),
        ({"mcp-protocol-version": "1900-01-01"}, {"method": "x"}, False),
        ({"mcp-protocol-version": "1900-01-01", "mcp-method": "x"}, {"method": "x"}, True),
        ({"mcp-protocol-version": "1900-01-01"}, {"method": "x", "params": {"_meta": {}}}, True),
        ({"mcp-protocol-version": "1900-01-01", "mcp-session-id": "x", "mcp-method": "x"}, {"method": "x"}, False),
    ],
)
def test_which_era_a_request_is_of(headers: dict[str, str], body: Any, modern: bool) -> None:
    assert is_modern(headers, body) is modern


def climbed(params: dict[str, Any], headers: dict[str, str] | None, method: str = "tools/call") -> int:
    """The code of the rung that a request falls from; 0 if it climbs them all."""
    lines = tuple((headers or {}).items())
    try:
        climb(Request(1, method, params), headers, lines, revisions.ALL)
    except RpcError as refused:
        return refused.code
    return 0


GOOD = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo"}


@pytest.mark.parametrize(
    ("params", "headers", "code"),
    [
        ({"name": "echo", "_meta": META}, GOOD, 0),
        ({"name": "echo", "_meta": META}, None, 0),
        ({"name": "echo", "_meta": META}, GOOD | {"mcp-name": " echo\t"}, 0),
        ({"name": "ü", "_meta": META}, GOOD | {"mcp-name": "=?base64?w7w=?="}, 0),
        ({"name": "ü", "_meta": META}, GOOD | {"mcp-name": "=?base64?w7x=?="}, -32020),
        ({"name": "ü", "_meta": META}, GOOD | {"mcp-name": "=?base64?!?="}, -32020),
        ({"_meta": META}, GOOD, 0),  # that the name is missing is for the method to say
        ({"name": "echo"}, GOOD, -32602),
        ({"name": "echo", "_meta": []}, GOOD, -32602),
        ({"name": "echo", "_meta": {VERSION_KEY: "2026-07-28"}}, GOOD, -32602),
        ({"name": "echo", "_meta": {CAPABILITIES_KEY: {}}}, {}, -32602),
        ({"name": "echo", "_meta": META | {CAPABILITIES_KEY: []}}, GOOD, -32602),
        ({"name": "echo", "_meta": META | {VERSION_KEY: 5}}, None, -32602),
        ({"name": "echo", "_meta": META | {LOG_LEVEL_KEY: "loud"}}, GOOD, -32602),
        ({"name": "echo", "_meta": META}, {}, -32020),
        ({"name": "echo", "_meta": META}, GOOD | {"mcp-protocol-version": "2025-11-25"}, -32020),
        ({"name": "echo", "_meta": META}, GOOD | {"mcp-method": "Tools/Call"}, -32020),
        ({"name": "echo", "_meta": META}, GOOD | {"mcp-name": "other"}, -32020),
        ({"name": "echo", "_meta": META | {VERSION_KEY: "1900-01-01"}}, GOOD, -32020),
        (
            {"name": "echo", "_meta": META | {VERSION_KEY: "1900-01-01"}},
            GOOD | {"mcp-protocol-version": "1900-01-01"},
            -32022,
        ),
        ({"name": "echo", "_meta": META | {VERSION_KEY: "2025-11-25"}}, None, -32022),
    ],
)
def test_the_ladder(params: dict[str, Any], headers: dict[str, str] | None, code: int) -> None:
    assert climbed(params, headers) == code


@pytest.mark.parametrize("name", ["mcp-protocol-version", "mcp-method", "mcp-name"])
def test_a_routing_header_that_is_there_twice_is_none(name: str) -> None:
    lines = (*GOOD.items(), (name, GOOD[name]))
    with pytest.raises(RpcError, match="more than once"):
        climb(Request(1, "tools/call", {"name": "echo", "_meta": META}), GOOD, lines, revisions.ALL)


@given(st.text())
def test_any_text_survives_a_header(text: str) -> None:
    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    decoded = header_values.decode(f"=?base64?{encoded}?=")
    assert decoded == text or (decoded is None and not text.isprintable())


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "deep": {"type": "object", "properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}}},
    },
}


@pytest.mark.parametrize(
    ("arguments", "lines", "agrees"),
    [
        ({}, [], True),
        (None, [], True),
        ({"region": "eu"}, [("mcp-param-region", "eu")], True),
        ({"region": "eu"}, [], False),
        ({"region": "eu"}, [("mcp-param-region", "us")], False),
        ({"region": "eu"}, [("mcp-param-region", "eu"), ("mcp-param-region", "eu")], False),
        ({"region": None}, [("mcp-param-region", "eu")], False),
        ({}, [("mcp-param-region", "eu")], False),
        ({"count": 42}, [("mcp-param-count", "42")], True),
        ({"count": 42}, [("mcp-param-count", "42.0")], True),
        ({"count": 42}, [("mcp-param-count", "42.5")], False),
        ({"count": 42}, [("mcp-param-count", "4.2e1")], False),
        ({"deep": {"flag": True}}, [("mcp-param-flag", "true")], True),
        ({"deep": {"flag": True}}, [("mcp-param-flag", "True")], False),
    ],
)
def test_arguments_that_headers_repeat(arguments: Any, lines: list[tuple[str, str]], agrees: bool) -> None:
    expected = header_values.mirrored(SCHEMA)
    if agrees:
        header_values.check_arguments(expected, arguments, lines)
    else:
        with pytest.raises(RpcError) as refused:
            header_values.check_arguments(expected, arguments, lines)
        assert refused.value.code == -32020


@pytest.mark.parametrize(
    "properties",
    [
        {"a": {"type": "string", "x-mcp-header": "no spaces"}},
        {"a": {"type": "string", "x-mcp-header": ""}},
        {"a": {"type": "number", "x-mcp-header": "A"}},
        {"a": {"x-mcp-header": "A"}},
        {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}},
    ],
)
def test_headers_that_a_schema_cannot_ask_for(properties: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="x-mcp-header"):
        header_values.mirrored({"type": "object", "properties": properties})


def test_pages_hold_everything_once_and_in_order() -> None:
    items, cursor, found = list(range(10)), None, []
    while True:
        page = paging.page(items, cursor, 3)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert found == items


@pytest.mark.parametrize("cursor", ["", "x", 5, {}, "ZnJvbTo5OQ==", "ZnJvbTox", "ü", "ZnJvbTotMw=="])
def test_a_cursor_that_is_none_is_refused(cursor: Any) -> None:
    with pytest.raises(RpcError, match="Invalid cursor") as refused:
        paging.page(list(range(10)), cursor, 3)
    assert refused.value.code == -32602


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("test://{id}/data", "test://123/data", {"id": "123"}),
        ("test://{id}/data", "test://a%20b/data", {"id": "a b"}),
        ("test://{id}/data", "test://a/b/data", None),
        ("file:///{+path}", "file:///a/b.txt", {"path": "a/b.txt"}),
        ("x://{a}-{b}", "x://1-2", {"a": "1", "b": "2"}),
        ("x://s{?q,lang}", "x://s?q=cat", {"q": "cat", "lang": ""}),
        ("x://s{?q,lang}", "x://s", {"q": "", "lang": ""}),
        ("x://s{?q}", "x://s?other=1", None),
        ("x://(plain)", "x://(plain)", {}),
    ],
)
def test_uri_templates(template: str, uri: str, values: dict[str, str] | None) -> None:
    assert UriTemplate(template).match(uri) == values


@pytest.mark.parametrize("template", ["x://{", "x://}", "x://{}", "x://{#a}", "x://{a*}"])
def test_templates_that_are_not_understood(template: str) -> None:
    with pytest.raises(ValueError, match="expected expressions"):
        UriTemplate(template)


KEY = b"k" * 32


def test_sealed_state_comes_back() -> None:
    sealed = request_state.seal(KEY, "tools/call", "t", {"a": {"action": "accept"}}, 100.0)
    assert request_state.unseal(KEY, "tools/call", "t", sealed, 99.0) == {"a": {"action": "accept"}}


@given(st.data())
def test_state_that_was_changed_is_refused(data: st.DataObject) -> None:
    sealed = request_state.seal(KEY, "tools/call", "t", {"a": 1}, 100.0)
    place = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != sealed[place]))
    changed = sealed[:place] + other + sealed[place + 1 :]
    if sealed.rstrip("=") != changed.rstrip("="):
        with pytest.raises(RpcError):
            assert request_state.unseal(KEY, "tools/call", "t", changed, 99.0) is None


@pytest.mark.parametrize(
    ("key", "method", "name", "now"),
    [
        (b"o" * 32, "tools/call", "t", 99.0),
        (KEY, "prompts/get", "t", 99.0),
        (KEY, "tools/call", "u", 99.0),
        (KEY, "tools/call", "t", 101.0),
    ],
)
def test_state_holds_for_one_thing_and_for_a_time(key: bytes, method: str, name: str, now: float) -> None:
    sealed = request_state.seal(KEY, "tools/call", "t", {}, 100.0)
    with pytest.raises(RpcError, match="requestState"):
        request_state.unseal(key, method, name, sealed, now)


@pytest.mark.parametrize("text", [None, 5, "", "x", "====", "AAAA"])
def test_state_that_is_none(text: Any) -> None:
    with pytest.raises(RpcError, match="requestState"):
        request_state.unseal(KEY, "tools/call", "t", text, 0.0)


@pytest.mark.parametrize(
    ("id", "place"),
    [("0_5", (0, 5)), ("12_0", (12, 0)), ("", None), ("5", None), ("a_1", None), ("1_-1", None), ("²_1", None)],
)
def test_places_in_streams(id: str, place: tuple[int, int] | None) -> None:
    assert frames.place(id) == place


def test_an_old_revision_gets_only_what_it_has() -> None:
    audio = {"type": "audio", "data": "", "mimeType": "audio/wav"}
    link = {"type": "resource_link", "uri": "x://y", "name": "y"}
    result = {"content": [audio, link], "structuredContent": {"a": 1}, "isError": False}
    told = {revision: shapes.tool_result(result, revision)["content"] for revision in revisions.ALL}
    kinds = {revision: [block["type"] for block in blocks] for revision, blocks in told.items()}
    assert kinds == {
        "2026-07-28": ["audio", "resource_link"],
        "2025-11-25": ["audio", "resource_link"],
        "2025-06-18": ["audio", "resource_link"],
        "2025-03-26": ["audio", "text"],
        "2024-11-05": ["text", "text"],
    }
    assert "structuredContent" not in shapes.tool_result(result, "2025-03-26")
    tool = {"name": "t", "inputSchema": {}, "title": "T", "outputSchema": {}, "annotations": {}, "execution": {}}
    keys = {revision: sorted(shapes.definition(tool, "tools", revision)) for revision in revisions.ALL}
    assert keys["2024-11-05"] == ["inputSchema", "name"]
    assert keys["2025-03-26"] == ["annotations", "inputSchema", "name"]
    assert keys["2025-11-25"] == sorted(tool)
    assert keys["2026-07-28"] == sorted(tool.keys() - {"execution"})
