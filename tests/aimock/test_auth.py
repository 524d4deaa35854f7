"""API keys (core-server §8): who may ask, and what everybody else is told."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.auth import Guard
from aimock.net.fast_lane import make_head
from aimock.net.limits import Limits
from aimock.net.memory import connect
from aimock.redaction import CREDENTIAL_HEADERS

Call = Callable[..., Any]

KEY, OTHER = "sk-aimock-1", "sk-aimock-2"
CHAT = "/v1/chat/completions"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def mock() -> Iterator[AIMock]:
    with AIMock(api_keys=[KEY, OTHER]) as running:
        running.on_message("hello", {"content": "Hi"})
        yield running


@attrs.frozen
class Told:
    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def raw(mock: AIMock) -> Callable[..., Told]:
    """One request with these header lines, repeated ones too."""

    def send(lines: Iterable[tuple[str, str]], method: str = "POST", target: str = CHAT, body: Any = ASKED) -> Told:
        data = json.dumps(body).encode() if method == "POST" else b""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)) as connection:
            connection.putrequest(method, target)
            for name, value in [*lines, ("Content-Length", str(len(data)))]:
                connection.putheader(name, value)
            connection.endheaders(data)
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Told(response.status, headers, response.read())

    return send


# -- credentials -----------------------------------------------------------------------------------------------------

ADMITTED = [
    [("Authorization", f"Bearer {KEY}")],
    [("Authorization", f"bearer {KEY}")],
    [("Authorization", f"BEARER   {KEY}")],
    [("Authorization", f"Key {KEY}")],
    [("AUTHORIZATION", f"kEY {OTHER}")],
    *([(name, KEY)] for name in sorted(CREDENTIAL_HEADERS - {"authorization"})),
    [("X-Api-Key", OTHER)],
    [("X-Api-Key", KEY), ("Authorization", f"Bearer {KEY}"), ("api-key", KEY)],
    [("X-Api-Key", KEY), ("X-Api-Key", KEY)],
    [("Authorization", f"Bearer {KEY}"), ("Authorization", f"Key {KEY}")],
    [("Authorization", f"AWS4-HMAC-SHA256 Credential={KEY}/20261122/us-east-1/bedrock/aws4_request, Signature=0")],
    [
        ("Authorization", f"AWS4-HMAC-SHA256 Credential={KEY}/20261122/eu-west-1/bedrock/aws4_request"),
        ("X-Api-Key", KEY),
    ],
]
REJECTED = [
    [],
    [("Cookie", KEY)],
    [("Authorization", "")],
    [("Authorization", KEY)],
    [("Authorization", "Bearer")],
    [("Authorization", "Bearer ")],
    [("Authorization", f"Bearer{KEY}")],
    [("Authorization", f"Basic {KEY}")],
    [("Authorization", f"Bearer {KEY} {KEY}")],
    [("Authorization", f"Bearer {KEY}, Bearer {KEY}")],
    [("Authorization", f"AWS4-HMAC-SHA256 Credential={KEY[:-1]}/20261122/us-east-1/bedrock/aws4_request")],
    [("Authorization", f"AWS4-HMAC-SHA256 Credential=, Credential={KEY}/20261122/us-east-1/bedrock/aws4_request")],
    [("Authorization", f"Credential={KEY}/20261122/us-east-1/bedrock/aws4_request, Signature=0")],
    [("Authorization", f"Bearer {KEY[:-1]}")],
    [("Authorization", f"Bearer {KEY}x")],
    [("Authorization", f"Bearer {KEY.upper()}")],
    [("X-Api-Key", f"Bearer {KEY}")],
    [("X-Api-Key", "")],
    [("X-Api-Key", f"{KEY}, {KEY}")],
    [("X-Api-Key", KEY), ("X-Api-Key", "")],
    [("X-Api-Key", KEY), ("X-Api-Key", "wrong")],
    [("X-Api-Key", "wrong"), ("X-Api-Key", KEY)],
    [("X-Api-Key", KEY), ("Authorization", "Bearer wrong")],
    [("X-Api-Key", KEY), ("Authorization", "Basic abc")],
    [("X-Api-Key", KEY), ("Authorization", f"AWS4-HMAC-SHA256 Credential={KEY}")],
]
TWO_KEYS = [
    [("X-Api-Key", KEY), ("X-Api-Key", OTHER)],
    [("X-Api-Key", KEY), ("Authorization", f"Bearer {OTHER}")],
    [("xi-api-key", OTHER), ("x-goog-api-key", KEY)],
]


@pytest.mark.parametrize("lines", ADMITTED)
def test_a_key_is_accepted_where_providers_take_it(raw: Callable[..., Told], lines: Any) -> None:
    told = raw(lines)
    assert (told.status, json.loads(told.body)["choices"][0]["message"]["content"]) == (200, "Hi")


@pytest.mark.parametrize("lines", REJECTED)
def test_anything_else_is_rejected(mock: AIMock, raw: Callable[..., Told], lines: Any) -> None:
    assert raw(lines).status == 401
    assert mock.get_requests() == [], "and not journaled"


@pytest.mark.parametrize("lines", TWO_KEYS)
def test_c18_two_keys_are_not_better_than_one(raw: Callable[..., Told], lines: Any) -> None:
    """core-lessons C18"""
    assert raw(lines).status == 401


@pytest.mark.parametrize(
    ("query", "lines", "status"),
    [
        (f"?key={KEY}", [], 200),
        (f"?a=1&key={OTHER}", [], 200),
        (f"?k%65y={KEY.replace('-', '%2D')}", [], 200),
        (f"?key={KEY}&key={KEY}", [("x-goog-api-key", KEY)], 200),
        (f"?key={KEY}&key={OTHER}", [], 401),
        (f"?key={KEY}", [("x-goog-api-key", OTHER)], 401),
        (f"?key={KEY}", [("x-goog-api-key", "wrong")], 401),
        ("?key=wrong", [("x-goog-api-key", KEY)], 401),
        ("?key=", [("x-goog-api-key", KEY)], 401),
        ("?key", [("x-goog-api-key", KEY)], 401),
        (f"?KEY={KEY}", [], 401),
        (f"?api_key={KEY}", [], 401),
        (f"?a=1?key={KEY}", [], 401),
    ],
)
def test_a_key_in_the_query_is_one_more_credential(
    mock: AIMock, raw: Callable[..., Told], query: str, lines: Any, status: int
) -> None:
    assert raw(lines, target=CHAT + query).status == status
    assert KEY not in json.dumps(mock.get_requests())


def test_field_52_accepted_keys_are_redacted(mock: AIMock, raw: Callable[..., Told]) -> None:
    """field 2.52, core-lessons C17"""
    lines = [("Authorization", f"Bearer {KEY}"), *((name, KEY) for name in CREDENTIAL_HEADERS - {"authorization"})]
    assert raw(lines, target=f"{CHAT}?key={KEY}").status == 200
    assert KEY not in json.dumps(mock.get_requests())
    assert {mock.get_last_request()["headers"][name] for name in CREDENTIAL_HEADERS} == {"[REDACTED]"}


def test_keys_outside_ascii_are_compared_as_they_are_sent() -> None:
    guard = Guard(["schlüssel"])
    sent = "schlüssel".encode().decode("latin-1")  # as net decodes header values
    assert guard.admits(make_head("GET", "/v1/models", [("x-api-key", sent)]))
    assert guard.admits(make_head("GET", "/v1/models?key=schl%C3%BCssel", []))
    assert not guard.admits(make_head("GET", "/v1/models", [("x-api-key", "schlüssel")]))


def test_keys_are_in_no_memory_of_the_guard_nor_in_the_repr_of_the_settings(mock: AIMock) -> None:
    assert KEY not in repr(vars(Guard([KEY])))
    assert KEY not in repr(mock._state.settings)


# -- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [CHAT, "/v1/completions", "/v1/models", "/nope", "/__aimock/journal"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_401_is_the_same_everywhere(raw: Callable[..., Told], method: str, target: str) -> None:
    told = raw([("X-Api-Key", "wrong"), ("X-Request-Id", "mine")], method, target)
    headers = {name: value for name, value in told.headers.items() if name != "date"}
    assert (told.status, told.body) == (
        401,
        b'{"error":{"message":"Invalid API key","type":"authentication_error","code":"invalid_api_key"}}',
    )
    assert headers == {
        "content-type": "application/json",
        "content-length": "94",
        "www-authenticate": 'Bearer realm="aimock"',
        "x-request-id": "mine",
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
        "access-control-allow-headers": "*",
        "access-control-expose-headers": "*, X-Total-Count, X-Request-Id",
    }


def test_the_connection_lives_on_and_the_next_request_is_judged_by_itself(mock: AIMock) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)) as connection:
        statuses = []
        for key in (KEY, "wrong", KEY, "wrong"):
            connection.request("POST", CHAT, json.dumps(ASKED), {"X-Api-Key": key})
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
    assert statuses == [200, 401, 200, 401]


def test_a_rejected_request_changes_nothing(mock: AIMock, raw: Callable[..., Told]) -> None:
    mock.clear_fixtures().on_message("hello", {"content": "one"}, sequence_index=0).next_request_error(418)
    for _ in range(3):
        assert raw([], target="/__aimock/reset").status == 401
        assert raw([("X-Test-Id", "t")]).status == 401
    assert [raw([("X-Api-Key", KEY)]).status for _ in range(3)] == [418, 200, 404]


REFUSED = [
    pytest.param(b"Content-Length: 101\r\n\r\n", 413, id="too large"),
    pytest.param(b"Content-Length: 9\r\n\r\n{", 408, id="too slow"),
    pytest.param(b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", 400, id="malformed"),
]


@pytest.mark.parametrize(("rest", "status"), REFUSED)
@pytest.mark.parametrize("key", [KEY, "wrong"])
async def test_who_has_no_key_is_told_of_nothing_else(
    autojump_clock: MockClock, memory: Call, rest: bytes, status: int, key: str
) -> None:
    server = memory(api_keys=(KEY,), limits=Limits(body_bytes=100))
    await trio.testing.wait_all_tasks_blocked()
    client = connect(server.server)
    client.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Api-Key: %b\r\n%b" % (key.encode(), rest))
    told = b"".join(arrival.data for arrival in await client.receive_all())
    assert told.startswith(f"HTTP/1.1 {status if key == KEY else 401} ".encode())
    assert len(server.journal) == (key == KEY)


async def test_a_head_that_cannot_be_read_is_told_so(memory: Call) -> None:
    server = memory(api_keys=(KEY,))
    await trio.testing.wait_all_tasks_blocked()
    client = connect(server.server)
    client.send(b"nonsense\r\n\r\n")
    assert (await client.receive()).data.startswith(b"HTTP/1.1 400 ")


# -- what is public --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/health?a=1", 200),
        ("GET", "/ready", 200),
        ("GET", "/metrics", 404),
        ("HEAD", "/health", 401),
        ("POST", "/health", 401),
        ("GET", "/health/", 401),
        ("GET", "//health", 401),
        ("GET", "/openai/health", 401),
        ("GET", "/HEALTH", 401),
        ("GET", "/healthz", 401),
        ("GET", "/__aimock/health", 401),
        ("GET", "/__aimock", 401),
        ("GET", "/v1/models", 401),
        ("GET", "/v1/_requests", 401),
        ("DELETE", "/__aimock/fixtures", 401),
        ("GET", "/nope", 401),
    ],
)
def test_probes_need_no_key_and_all_else_does(raw: Callable[..., Told], method: str, target: str, status: int) -> None:
    assert raw([], method, target).status == status
    if status == 401:
        assert raw([("X-Api-Key", KEY)], method, target).status not in (401, 204)


@pytest.mark.parametrize("wrong", [[], [("X-Api-Key", "wrong")]])
def test_a_probe_may_bring_a_wrong_key(raw: Callable[..., Told], wrong: Any) -> None:
    assert raw(wrong, "GET", "/health").status == 200


PREFLIGHT = [("Origin", "http://page"), ("Access-Control-Request-Method", "POST")]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (PREFLIGHT, 204),
        ([*PREFLIGHT, ("Access-Control-Request-Headers", "authorization")], 204),
        ([*PREFLIGHT, ("X-Api-Key", "wrong")], 204),
        (PREFLIGHT[:1], 401),
        (PREFLIGHT[1:], 401),
        ([], 401),
        ([("X-Api-Key", "wrong")], 401),
        ([("X-Api-Key", KEY)], 405),
        ([*PREFLIGHT, ("X-Api-Key", KEY)], 204),
    ],
)
def test_c16_only_a_true_preflight_is_let_through(raw: Callable[..., Told], lines: Any, status: int) -> None:
    """core-lessons C16"""
    assert raw(lines, "OPTIONS").status == status


def test_c16_an_option_that_is_none_is_judged_as_any_other_method(raw: Callable[..., Told]) -> None:
    assert raw([("X-Api-Key", KEY)], "OPTIONS", "/nope").status == 404
    assert raw(PREFLIGHT, "POST").status == 401, "the headers alone do not make a preflight"


def test_a_key_in_the_query_opens_the_control_api(raw: Callable[..., Told]) -> None:
    told = raw([], "GET", f"/__aimock/fixtures?include=fixtures&key={KEY}")
    assert (told.status, json.loads(told.body)["count"]) == (200, 1)
    assert raw([], "GET", f"/__aimock/fixtures?keys=1&key={KEY}").status == 400


def test_without_keys_a_key_is_nothing_special(call: Call) -> None:
    with AIMock() as open_to_all:
        assert call("GET", "/v1/models?key=x", port=open_to_all.port).status == 200
        assert call("GET", "/__aimock/fixtures?key=x", port=open_to_all.port).status == 400


@pytest.mark.parametrize(("lines", "status"), [([], 401), ([("X-Api-Key", "wrong")], 401), ([("X-Api-Key", KEY)], 200)])
@pytest.mark.parametrize(("method", "target"), [("GET", "/v1/models"), ("POST", CHAT), ("POST", "/v1/messages")])
def test_c8_an_upgrade_to_something_else_is_no_way_around_the_keys(
    raw: Callable[..., Told], method: str, target: str, lines: Any, status: int
) -> None:
    """core-lessons C8, field 2.43"""
    upgrade = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    told = raw([*upgrade, *lines], method, target)
    assert told.status == status
    if status == 200 and method == "POST":
        assert b"Hi" in told.body, "the body came whole"


# -- the option ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([], "api_keys: expected a list of one or more strings"),
        ("sk-secret", "api_keys: expected a list of one or more strings"),
        ({"sk-secret"}, "api_keys: expected a list of one or more strings"),
        (["sk-secret", ""], "api_keys[1]: expected a string that is not empty"),
        (["sk-secret", b"sk"], "api_keys[1]: expected a string that is not empty"),
        (["sk-secret\r\n"], "api_keys[0]: expected a string without control characters"),
        (["sk-secret", "sk-secret\t"], "api_keys[1]: expected another key than [0]"),
    ],
)
def test_keys_that_cannot_be_used_are_a_value_error_that_does_not_show_them(keys: Any, said: str) -> None:
    with pytest.raises(ValueError, match="api_keys") as raised:
        AIMock(api_keys=keys)
    assert str(raised.value) == said


def test_f8_the_environment_is_the_command_line_s_alone(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    """core-lessons F8"""
    monkeypatch.setenv("AIMOCK_API_KEYS", "sk-ambient")
    with AIMock() as mock:
        assert call("GET", "/v1/models", port=mock.port).status == 200
