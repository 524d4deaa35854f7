"""Routes, methods, probes and CORS (core-server §2 and §3), over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aimock import AIMock
from aimock.routing import Router, candidates, normalised

Call = Callable[..., Any]

CHAT = "/v1/chat/completions"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


# -- probes and methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"), [("/health", {"status": "ok"}), ("/ready", {"status": "ready"}), ("/health/", {"status": "ok"})]
)
def test_probes(call: Call, path: str, body: Any) -> None:
    response = call("GET", path)
    assert (response.status, response.json) == (200, body)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/models", "/v1/_requests"])
def test_head_is_get_without_its_body(call: Call, path: str) -> None:
    head, get = call("HEAD", path), call("GET", path)
    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("path", ["/health", "/ready", "/__aimock/health", "/v1/_requests?limit=1", "/nope"])
def test_a_query_is_no_part_of_the_path(call: Call, path: str) -> None:
    joint = "&" if "?" in path else "?"
    assert call("GET", f"{path}{joint}").status == call("GET", path).status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("PUT", CHAT, "POST"),
        ("HEAD", CHAT, "POST"),
        ("POST", "/health", "GET"),
        ("DELETE", "/v1/models", "GET"),
        ("POST", "/v1/_requests", "DELETE, GET"),
        ("GET", "/openai/v1/chat/completions", "POST"),
        ("GET", "/openai/deployments/d/chat/completions", "POST"),
        ("BREW", CHAT, "POST"),
    ],
)
def test_a_wrong_method_is_a_405(call: Call, method: str, path: str, allowed: str) -> None:
    response = call(method, path)
    assert (response.status, response.headers["allow"]) == (405, allowed)
    assert response.headers["access-control-allow-origin"] == "*"
    if method != "HEAD":
        error = response.json["error"]
        assert f"Not allowed to {method} on {path}" in error["message"]
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, None)


@pytest.mark.parametrize("path", ["/v1/nope", "/openai/v1/nope", "/v1/chat/completionz", "/v1/", "/v1/chats"])
def test_an_unknown_path_that_looks_like_openai_s_is_a_404_in_its_style(call: Call, path: str) -> None:
    response = call("POST", path, ASKED)
    assert response.status == 404
    assert (
        response.json["error"].items()
        >= {
            "message": f"Invalid URL (POST {path})",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }.items()
    )


@pytest.mark.parametrize("path", ["//", "/nope", "/api/nope", "/healthz", "/HEALTH", "/metrics", "/foo%2Fbar"])
def test_any_other_path_is_a_plain_404(call: Call, path: str) -> None:
    response = call("GET", path)
    assert response.status == 404
    assert response.json["error"].items() >= {"message": "Not found", "type": "not_found"}.items()
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "nearest"),
    [("/v1/chat/completion", CHAT), ("/heath", "/health"), ("/v1/model", "/v1/models"), ("/qqqqqqqqqqqqq", None)],
)
def test_a_404_names_the_nearest_route(call: Call, path: str, nearest: str | None) -> None:
    hint = call("GET", path).json["error"].get("hint")
    assert hint == (f"the nearest route is {nearest}" if nearest else None)


@pytest.mark.parametrize(
    "path",
    [CHAT + "/", "/openai/v1/chat/completions/", "/chat/completions//", "/openai/deployments/d/chat/completions/"],
)
def test_a_trailing_slash_is_forgiven(mock: AIMock, call: Call, path: str) -> None:
    mock.on_message("hello", {"content": "Hi"})
    assert call("POST", path, ASKED).content == "Hi"


def test_c8_field_43_an_upgrade_to_something_else_is_an_ordinary_request(mock: AIMock, call: Call) -> None:
    mock.on_message("hello", {"content": "Hi"})
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    assert call("POST", CHAT, ASKED, headers).content == "Hi"
    assert mock.get_last_request()["body"]["messages"] == ASKED["messages"]


# -- paths that several APIs share ------------------------------------------------------------------------------------

CLAUDE = {"anthropic-version": "2026-10-21"}
VERTEX = "/v1/projects/p/locations/l/publishers/anthropic/models"


def test_the_model_list_is_that_of_the_api_whose_header_is_sent(mock: AIMock, call: Call) -> None:
    mock.on({"model": "claude-x"}, {"content": "Hi"})
    assert call("GET", "/v1/models").json["object"] == "list"
    assert call("GET", "/v1/models/claude-x").json["object"] == "model"
    assert call("GET", "/v1/models", headers=CLAUDE).json["has_more"] is False
    assert call("GET", "/v1/models/claude-x", headers=CLAUDE).json["type"] == "model"


@pytest.mark.parametrize("headers", [{}, CLAUDE])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages/count_tokens",
        "/v1/messages/count_tokens?beta=true",
        "/anthropic/v1/messages/count_tokens",
        f"{VERTEX}/count-tokens:rawPredict",
    ],
)
def test_a_side_route_that_nobody_else_has_needs_no_header(call: Call, path: str, headers: dict[str, str]) -> None:
    """A token count is no model of that name, either."""
    response = call("POST", path, ASKED, headers)
    assert (response.status, response.json) == (200, {"input_tokens": 2})


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/v1/messages/",
        "/anthropic/v1/messages",
        f"{VERTEX}/claude-x@20250929:rawPredict",
        f"{VERTEX}/claude-x%4020250929:rawPredict".replace("/v1/", "/v1beta1/"),
        f"{VERTEX}/claude-x:rawPredict".removeprefix("/v1"),
    ],
)
@pytest.mark.parametrize("headers", [{}, CLAUDE])
def test_a_chat_route_is_the_same_with_the_header_and_without(
    mock: AIMock, call: Call, path: str, headers: dict[str, str]
) -> None:
    mock.on_message("hello", {"content": "Hi"})
    assert call("POST", path, ASKED, headers).json["content"] == [{"type": "text", "text": "Hi"}]


@pytest.mark.parametrize("path", [f"{VERTEX}/claude-x:streamRawPredict", f"{VERTEX}/m:streamRawPredict"])
def test_what_streams_by_its_path(mock: AIMock, call: Call, path: str) -> None:
    mock.on_message("hello", {"content": "Hi"})
    response = call("POST", path, ASKED)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


@pytest.mark.parametrize("path", [f"{VERTEX}/m:generate", f"{VERTEX}/m", "/v2/messages", "/messages"])
def test_what_is_no_route_of_theirs(call: Call, path: str) -> None:
    assert call("POST", path, ASKED).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nope", 404, "not_found_error"),
        ("GET", "/nope", 404, "not_found_error"),
        ("GET", "/v1/messages", 405, "invalid_request_error"),
    ],
)
def test_a_path_that_nobody_has_is_refused_in_the_words_of_the_api(
    call: Call, method: str, path: str, status: int, kind: str
) -> None:
    response = call(method, path, headers=CLAUDE)
    assert response.status == status
    assert response.json["type"] == "error"
    assert response.json["error"]["type"] == kind
    assert response.json["request_id"] == response.headers["request-id"]
    assert response.headers.get("allow") == ("POST" if status == 405 else None)


# -- CORS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHAT, "/health", "/nope", "/__aimock/reset", "*"])
def test_options_is_answered_everywhere(call: Call, path: str) -> None:
    response = call("OPTIONS", path)
    assert (response.status, response.body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-headers"] == "*"
    assert {"GET", "POST", "PUT", "DELETE", "OPTIONS"} <= set(
        response.headers["access-control-allow-methods"].split(", ")
    )


def test_c1_a_preflight_gets_its_headers_by_name(call: Call) -> None:
    wanted = "authorization,content-type,user-agent,x-stainless-os"
    response = call(
        "OPTIONS",
        CHAT,
        headers={
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": wanted,
        },
    )
    assert (response.status, response.body) == (204, b"")
    assert response.headers["access-control-allow-headers"] == wanted
    assert response.headers["access-control-allow-origin"] == "*"


def test_a_preflight_cannot_smuggle_a_header(call: Call) -> None:
    headers = {"Access-Control-Request-Headers": "a,b\tc", "Origin": "x"}
    response = call("OPTIONS", CHAT, headers=headers)
    assert response.status == 204
    assert set(response.headers) >= {"access-control-allow-origin", "x-request-id", "date"}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("POST", CHAT), ("GET", "/v1/models"), ("GET", "/v1/models/none")]
)
def test_every_answer_may_be_read_by_a_page(call: Call, method: str, path: str) -> None:
    headers = call(method, path, ASKED if method == "POST" else None).headers
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-expose-headers"] == "*, X-Total-Count, X-Request-Id"


# -- the table itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/openai/v1/models", "/v1/models"),
        ("/openai/openai/v1/models", "/openai/v1/models"),
        ("/openai", "/openai"),
        ("/v1beta/openai/chat/completions", CHAT),
        ("/chat/completions", CHAT),
        ("//v1/chat/completions", CHAT),
        ("/xchat/completions", "/xchat/completions"),
        ("/v1/foo/chat/completions", "/v1/foo/chat/completions"),
        ("/v2/chat/completions", "/v2/chat/completions"),
        ("/foo/embeddings", "/v1/embeddings"),
        ("/foo/audio/speech", "/v1/audio/speech"),
        ("/foo/images/edits", "/v1/images/edits"),
        ("/foo/messages", "/foo/messages"),
        ("/foo/models", "/foo/models"),
    ],
)
def test_paths_of_compatible_providers(path: str, expected: str) -> None:
    assert normalised(path) == expected
    assert candidates(path)[0] == path, "a path is first what it is"


def test_a_template_stands_for_one_segment_or_several() -> None:
    router: Router[str] = Router()
    router.add("GET", "/a/{x}", "one")
    router.add("GET", "/b/{x:path}", "several")
    router.add("POST", "/a/{x}", "posted")
    router.add("GET", "/a/fixed", "exact")
    found = {
        (method, path): router.resolve(method, path)
        for method, path in [
            ("GET", "/a/1"),
            ("POST", "/a/1"),
            ("GET", "/a/fixed"),
            ("GET", "/a/1/2"),
            ("GET", "/b/1/2"),
            ("GET", "/a/"),
            ("PUT", "/a/1"),
            ("GET", "/a/1.%2F"),
        ]
    }
    assert {key: (value.target, dict(value.params)) if value else None for key, value in found.items()} == {
        ("GET", "/a/1"): ("one", {"x": "1"}),
        ("POST", "/a/1"): ("posted", {"x": "1"}),
        ("GET", "/a/fixed"): ("exact", {}),
        ("GET", "/a/1/2"): None,
        ("GET", "/b/1/2"): ("several", {"x": "1/2"}),
        ("GET", "/a/"): None,
        ("PUT", "/a/1"): None,
        ("GET", "/a/1.%2F"): ("one", {"x": "1.%2F"}),
    }
    assert router.methods("/a/1") == {"GET", "POST"}
    assert router.methods("/c") == frozenset()
