from __future__ import annotations

from typing import Any

import orjson
import pytest

from aimock_protocols import openai_chat
from aimock_protocols.canonical import Head, WireError

MESSAGES = [{"role": "user", "content": "hello"}]

REFUSED = [
    pytest.param(b"", None, "invalid_json", "Malformed JSON: ", id="empty"),
    pytest.param(b"{", None, "invalid_json", "Malformed JSON: ", id="cut off"),
    pytest.param(b'{"a":"\xff"}', None, "invalid_json", "Malformed JSON: ", id="not utf-8"),
    pytest.param(b'{"a":"\\ud800"}', None, "invalid_json", "Malformed JSON: ", id="lone surrogate"),
    pytest.param(b"[" * 100_000, None, "invalid_json", "Malformed JSON: ", id="deep"),
    pytest.param(b'{"a":' * 100_000, None, "invalid_json", "Malformed JSON: ", id="deep objects"),
    pytest.param(b'{"a":NaN}', None, "invalid_json", "Malformed JSON: ", id="not a number"),
    *(
        pytest.param(body, None, None, "Request body must be a JSON object", id=body.decode())
        for body in (b"[]", b"null", b"3", b'"text"', b"true")
    ),
    pytest.param(b"{}", "messages", "missing_required_parameter", "Missing required parameter: 'messages'", id="none"),
]

WRONG: list[tuple[str, Any, str, str]] = [
    ("messages", None, "messages", "an array of objects, but got null"),
    ("messages", "text", "messages", "an array of objects, but got a string"),
    ("messages", {}, "messages", "an array of objects, but got an object"),
    ("messages", [*MESSAGES, "text"], "messages[1]", "an object, but got a string"),
    ("messages", [[]], "messages[0]", "an object, but got an array"),
    ("stream", "true", "stream", "a boolean, but got a string"),
    ("stream", 1, "stream", "a boolean, but got an integer"),
    ("model", 4, "model", "a string, but got an integer"),
    ("n", "2", "n", "an integer, but got a string"),
    ("n", True, "n", "an integer, but got a boolean"),
    ("n", 1.5, "n", "an integer, but got a decimal"),
]


@pytest.mark.parametrize(("body", "param", "code", "message"), REFUSED)
def test_a_body_that_is_no_request(head: Head, body: bytes, param: str | None, code: str | None, message: str) -> None:
    with pytest.raises(WireError) as refused:
        openai_chat.decode(head, {}, body)
    reply = refused.value.reply
    assert (reply.status, reply.type, reply.param, reply.code) == (400, "invalid_request_error", param, code)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(("key", "value", "param", "wording"), WRONG)
def test_a_parameter_of_the_wrong_type(head: Head, key: str, value: Any, param: str, wording: str) -> None:
    with pytest.raises(WireError) as refused:
        openai_chat.decode(head, {}, orjson.dumps({"messages": MESSAGES} | {key: value}))
    reply = refused.value.reply
    assert (reply.status, reply.param, reply.code) == (400, param, "invalid_type")
    assert reply.message == f"Invalid type for '{param}': expected {wording} instead."


@pytest.mark.parametrize(
    ("n", "code", "message"),
    [
        (0, "integer_below_min_value", "below minimum value. Expected a value >= 1, but got 0 instead."),
        (-5, "integer_below_min_value", "below minimum value. Expected a value >= 1, but got -5 instead."),
        (129, "integer_above_max_value", "above maximum value. Expected a value <= 128, but got 129 instead."),
    ],
)
def test_a_number_of_choices_out_of_range(head: Head, n: int, code: str, message: str) -> None:
    with pytest.raises(WireError) as refused:
        openai_chat.decode(head, {}, orjson.dumps({"messages": MESSAGES, "n": n}))
    assert (refused.value.reply.param, refused.value.reply.code) == ("n", code)
    assert refused.value.reply.message == f"Invalid 'n': integer {message}"


@pytest.mark.parametrize(
    "more",
    [
        {"messages": []},
        {"messages": [{}]},
        {"messages": [{"role": 3, "content": {"odd": 1}}, {"content": 4}]},
        {"model": None, "stream": None, "n": None},
        {"n": 1},
        {"n": 128},
        {"tools": "not a list", "stream_options": 5, "functions": 3, "whatever": [1]},
        {"seed": 123456789012345678901234567890},
    ],
)
def test_all_else_is_accepted(head: Head, more: dict[str, Any]) -> None:
    sent = b'{"messages":[{"role":"user","content":"hello"}],%b' % orjson.dumps(more | {"seed": 1})[1:]
    request = openai_chat.decode(head, {}, sent)
    assert request.body is request.native
    assert request.body == orjson.loads(sent)
    assert (request.stream, request.model, request.endpoint) == (False, "", "chat")


def test_a_number_beyond_64_bits_is_read(head: Head) -> None:
    assert openai_chat.decode(head, {}, b'{"messages":[],"seed":123456789012345678901234567890}').body["seed"] > 1e29


def test_model_and_stream(head: Head) -> None:
    request = openai_chat.decode(head, {}, b'{"model":"o3","messages":[],"stream":true}')
    assert (request.model, request.stream) == ("o3", True)


@pytest.mark.parametrize(
    ("body", "deployment", "model"),
    [
        (b'{"messages":[]}', "my%20gpt%2D4o", "my gpt-4o"),
        (b'{"messages":[],"model":null}', "d", "d"),
        (b'{"messages":[],"model":"o3"}', "d", "o3"),
    ],
)
def test_an_azure_deployment_is_the_model_of_a_body_without_one(
    head: Head, body: bytes, deployment: str, model: str
) -> None:
    request = openai_chat.decode(head, {"deployment": deployment}, body)
    assert request.model == request.body["model"] == model
