"""What no SDK shows: the very bytes, over a socket (wire-openai-chat §4, §11, §20, §21)."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

import h11
import pytest

from aimock import AIMock

FIXED = {"id": "chatcmpl-A1", "created": 1795200000, "systemFingerprint": "fp_0a1b2c3d4e"}
ENVELOPE = (
    '{"id":"chatcmpl-A1","object":"chat.completion.chunk","created":1795200000,"model":"gpt-4o",'
    '"service_tier":"default","system_fingerprint":"fp_0a1b2c3d4e","choices":['
)
USAGE = (
    '"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,'
    '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,'
    '"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
)
CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "*",
    "access-control-expose-headers": "*, X-Total-Count, X-Request-Id",
}


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool
    """Whether the response came to the end that it announced."""


Post = Callable[..., Response]


@pytest.fixture
def post(mock: AIMock) -> Post:
    """Sends a body over a socket of its own, and reads the answer to the end of the connection."""

    def send(body: bytes | dict[str, Any], path: str = "/v1/chat/completions") -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: mock\r\nContent-Type: application/json\r\nConnection: close\r\n"
        with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as sock:
            sock.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
            return _read(sock)

    return send


def _read(sock: socket.socket) -> Response:
    """The response to a POST, by h11, up to the end of the connection."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="POST", target="/", headers=[("Host", "mock"), ("Connection", "close")]))
    parser.send(h11.EndOfMessage())
    while received := sock.recv(65536):
        parser.receive_data(received)
    parser.receive_data(b"")
    head = parser.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    whole = False
    try:
        while isinstance(event := parser.next_event(), h11.Data):
            body += bytes(event.data)
        whole = isinstance(event, h11.EndOfMessage)
    except h11.RemoteProtocolError:
        pass  # the connection ended first
    headers = {name.decode(): value.decode() for name, value in head.headers}
    assert len(headers) == len(head.headers), "no header is sent twice"
    return Response(head.status_code, headers, body, whole)


def question(**more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]} | more


def events(*choices: str, end: str = "") -> bytes:
    return "".join(f"data: {ENVELOPE}{choice}{end}\n\n" for choice in choices).encode()


def delta(text: str, finish: str = "null", end: str = "]") -> str:
    return f'{{"index":0,"delta":{text},"logprobs":null,"finish_reason":{finish}}}{end}'


# -- the worked streams of §21 ---------------------------------------------------------------------------------------


def test_21_text_with_usage(mock: AIMock, post: Post) -> None:
    mock.on_message("hello", {"content": "Hello, wor", **FIXED}, chunk_size=5)
    response = post(question(stream=True, stream_options={"include_usage": True}))
    expected = events(
        delta('{"role":"assistant","content":"","refusal":null}'),
        delta('{"content":"Hello"}'),
        delta('{"content":", wor"}'),
        delta("{}", '"stop"'),
        end=',"usage":null}',
    )
    expected += f"data: {ENVELOPE}],{USAGE}}}\n\n".encode() + b"data: [DONE]\n\n"
    assert (response.status, response.whole) == (200, True)
    assert response.body == expected


def test_21_two_parallel_calls(mock: AIMock, post: Post) -> None:
    calls = [{"id": "call_a", "name": "f", "arguments": '{"x":1}'}, {"id": "call_b", "name": "g", "arguments": "{}"}]
    mock.on_message("hello", {"toolCalls": calls, **FIXED}, chunk_size=5)
    response = post(question(stream=True))
    opener = '{"tool_calls":[{"index":%d,"id":"%s","type":"function","function":{"name":"%s","arguments":""}}]}'
    fragment = '{"tool_calls":[{"index":%d,"function":{"arguments":"%s"}}]}'
    expected = events(
        delta('{"role":"assistant","content":null}'),
        delta(opener % (0, "call_a", "f")),
        delta(fragment % (0, r"{\"x\":")),
        delta(fragment % (0, "1}")),
        delta(opener % (1, "call_b", "g")),
        delta(fragment % (1, "{}")),
        delta("{}", '"tool_calls"'),
        end="}",
    )
    assert response.body == expected + b"data: [DONE]\n\n"


def test_21_whole(mock: AIMock, post: Post) -> None:
    mock.on_message("hello", {"content": "Hello, wor", **FIXED})
    response = post(question())
    assert response.body.decode() == (
        '{"id":"chatcmpl-A1","object":"chat.completion","created":1795200000,"model":"gpt-4o","choices":[{"index":0,'
        '"message":{"role":"assistant","content":"Hello, wor","refusal":null,"annotations":[]},"logprobs":null,'
        f'"finish_reason":"stop"}}],{USAGE},"service_tier":"default","system_fingerprint":"fp_0a1b2c3d4e"}}'
    )


@pytest.mark.parametrize("stream", [False, True])
def test_field_35_headers(mock: AIMock, post: Post, stream: bool) -> None:
    mock.on_message("hello", {"content": "Hi"})
    headers = post(question(stream=stream)).headers
    assert headers.items() >= CORS.items()
    assert re.fullmatch("req_[0-9a-f]{32}", headers["x-request-id"])
    assert re.fullmatch(r"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d GMT", headers["date"])
    if stream:
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")
        assert headers["transfer-encoding"] == "chunked"
        assert "content-length" not in headers
    else:
        assert headers["content-type"] == "application/json"
        assert int(headers["content-length"]) > 100
        assert "transfer-encoding" not in headers


def test_generated_ids_have_the_provider_s_form(mock: AIMock, post: Post) -> None:
    mock.on_message("hello", {"toolCalls": [{"name": "f", "arguments": ""}]})
    body = json.loads(post(question()).body)
    assert re.fullmatch("chatcmpl-[0-9A-Za-z]{29}", body["id"])
    assert re.fullmatch("fp_[0-9a-f]{10}", body["system_fingerprint"])
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert re.fullmatch("call_[0-9A-Za-z]{24}", call["id"])
    assert call["function"]["arguments"] == "{}"


# -- requests that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"", b'{"a": }', b"\xff\xfe", b'{"messages": []} trailing'])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/openai/deployments/d/chat/completions"])
def test_20_12_field_56_malformed_json_is_a_400(mock: AIMock, post: Post, path: str, body: bytes) -> None:
    response = post(body, path)
    error = json.loads(response.body)["error"]
    assert response.status == 400
    assert list(error) == ["message", "type", "param", "code"]
    assert error["message"].startswith("Malformed JSON: ")
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "invalid_json")
    assert response.headers.items() >= CORS.items()
    entry = mock.get_last_request()
    assert (entry["response"]["status"], entry["body"]) == (400, None)


@pytest.mark.parametrize("body", [b"null", b"[]", b"3", b'"text"', b"true"])
def test_c20_json_that_is_no_object_is_a_400(mock: AIMock, post: Post, body: bytes) -> None:
    response = post(body)
    assert response.status == 400
    assert json.loads(response.body)["error"]["message"] == "Request body must be a JSON object"


def test_20_5_stream_must_be_a_boolean(mock: AIMock, post: Post) -> None:
    mock.on_message("hello", {"content": "Hi"})
    response = post(question(stream="true"))
    assert (response.status, response.headers["content-type"]) == (400, "application/json")
    assert json.loads(response.body)["error"] == {
        "message": "Invalid type for 'stream': expected a boolean, but got a string instead.",
        "type": "invalid_request_error",
        "param": "stream",
        "code": "invalid_type",
    }


def test_20_10_a_truncated_stream_is_cut_between_chunks(mock: AIMock, post: Post) -> None:
    mock.on_message("hello", {"content": "Hello, wor", **FIXED}, chunk_size=5, truncate_after_chunks=2)
    response = post(question(stream=True))
    assert not response.whole
    assert response.body == events(
        delta('{"role":"assistant","content":"","refusal":null}'), delta('{"content":"Hello"}'), end="}"
    )


def test_a_mid_stream_error_is_the_last_event(mock: AIMock, post: Post) -> None:
    broken = {"afterChunks": 1, "message": "boom", "type": "server_error"}
    mock.on_message("hello", {"content": "Hi", "midStreamError": broken, **FIXED})
    response = post(question(stream=True))
    assert response.whole
    assert response.body == events(delta('{"role":"assistant","content":"","refusal":null}'), end="}") + (
        b'data: {"error":{"message":"boom","type":"server_error","param":null,"code":null}}\n\n'
    )


def test_an_error_is_no_stream(mock: AIMock, post: Post) -> None:
    mock.on_message("hello", {"error": {"message": "no"}, "status": 418})
    response = post(question(stream=True))
    assert (response.status, response.headers["content-type"]) == (418, "application/json")
    assert response.body == b'{"error":{"message":"no","type":"server_error","param":null,"code":null}}'


def test_c11_field_51_a_body_over_the_limit_is_a_413(mock: AIMock) -> None:
    """Only its head is sent: the server knows from there, and does not wait for the rest."""
    with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as sock:
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: mock\r\nContent-Length: 10485761\r\n\r\n")
        response = _read(sock)
    assert (response.status, response.headers["connection"]) == (413, "close")
    assert json.loads(response.body)["error"]["type"] == "invalid_request_error"
    assert mock.get_last_request()["response"]["status"] == 413
