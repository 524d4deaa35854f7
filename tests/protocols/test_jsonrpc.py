"""JSON-RPC 2.0: every kind of message, and every kind of what is none."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock_protocols import jsonrpc
from aimock_protocols.jsonrpc import Notification, Request, Response, RpcError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"jsonrpc": "2.0", "id": 1, "method": "m", "params": {"a": 1}}, Request(1, "m", {"a": 1})),
        ({"jsonrpc": "2.0", "id": "x", "method": "m"}, Request("x", "m", {})),
        ({"jsonrpc": "2.0", "id": 0, "method": "m"}, Request(0, "m", {})),
        ({"jsonrpc": "2.0", "method": "m"}, Notification("m", {})),
        ({"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}, Response(1, {"a": 1})),
        ({"jsonrpc": "2.0", "id": 1, "result": None}, Response(1, None)),
        (
            {"jsonrpc": "2.0", "id": 1, "error": {"code": 2, "message": "no"}},
            Response(1, error={"code": 2, "message": "no"}),
        ),
    ],
)
def test_what_is_a_message(value: object, message: jsonrpc.Message) -> None:
    assert jsonrpc.message(jsonrpc.loads(orjson.dumps(value))) == message


@pytest.mark.parametrize(
    ("value", "code", "id"),
    [
        ([], -32600, None),
        (None, -32600, None),
        ("text", -32600, None),
        ({}, -32600, None),
        ({"id": 1, "method": "m"}, -32600, 1),
        ({"jsonrpc": "1.0", "id": 1, "method": "m"}, -32600, 1),
        ({"jsonrpc": 2.0, "id": 1, "method": "m"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": None, "method": "m"}, -32600, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "m"}, -32600, None),
        ({"jsonrpc": "2.0", "id": True, "method": "m"}, -32600, None),
        ({"jsonrpc": "2.0", "id": {}, "method": "m"}, -32600, None),
        ({"jsonrpc": "2.0", "id": [], "method": "m"}, -32600, None),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": ""}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": None}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": "m", "params": "text"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": "m", "params": None}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": "m", "params": [1]}, -32602, 1),
        ({"jsonrpc": "2.0", "id": 1, "method": "m", "result": {}}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}, -32600, 1),
        ({"jsonrpc": "2.0", "result": {}}, -32600, None),
        ({"jsonrpc": "2.0", "id": 1, "error": {}}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1, "error": "no"}, -32600, 1),
    ],
)
def test_what_is_none(value: object, code: int, id: jsonrpc.Id) -> None:
    with pytest.raises(RpcError) as refused:
        jsonrpc.message(value)
    assert (refused.value.code, refused.value.id) == (code, id)
    assert refused.value.response() == jsonrpc.error(id, code, refused.value.message)


DEEP = b"[" * 500 + b"]" * 500


@pytest.mark.parametrize("body", [b"", b"{", b'{"jsonrpc": "2.0",}', b"\xff", b"NaN", b"[" * 5000, DEEP, b'"\\ud800"'])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(RpcError) as refused:
        jsonrpc.loads(body)
    assert refused.value.code == -32700
    assert refused.value.response()["id"] is None


def test_null_ids_are_a_protocol_s_choice() -> None:
    value = {"jsonrpc": "2.0", "id": None, "method": "m"}
    assert jsonrpc.message(value, null_ids=True) == Request(None, "m", {})


def test_what_is_written_is_read_again() -> None:
    assert jsonrpc.message(jsonrpc.request(1, "m", {"a": 1})) == Request(1, "m", {"a": 1})
    assert jsonrpc.message(jsonrpc.notification("m")) == Notification("m", {})
    assert jsonrpc.message(jsonrpc.result("x", [])) == Response("x", [])
    told = jsonrpc.error(2, -32603, "trouble", {"why": 1})
    assert jsonrpc.message(told) == Response(2, error={"code": -32603, "message": "trouble", "data": {"why": 1}})


@given(
    json_values
    | st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0")},
        optional={
            "id": json_values,
            "method": st.text() | json_values,
            "params": json_values,
            "result": json_values,
            "error": json_values,
        },
    )
)
def test_anything_is_a_message_or_refused_with_a_code_that_can_be_told(value: object) -> None:
    try:
        jsonrpc.message(value)
    except RpcError as refused:
        told = refused.response()
        orjson.dumps(told)
        if told["error"]["code"] not in (-32600, -32602):
            pytest.fail(f"an unknown code: {told}")
