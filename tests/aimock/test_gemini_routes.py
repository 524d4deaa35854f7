"""Gemini over HTTP: versions, both forms of a stream, model lists, keys in the query (wire-gemini §1, §4, §8, §14)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock
from aimock.fixtures import fixture_from
from aimock_protocols import json_array

Call = Callable[..., Any]

HELLO = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
MODEL = "/v1beta/models/gemini-2.5-flash"
VERSIONS = ["v1", "v1beta", "v1beta1", "v1alpha"]
BASES = [
    "models/gemini-2.5-flash",
    "tunedModels/mine",
    "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-flash",
    "publishers/google/models/gemini-2.5-flash",
    "projects/p/locations/global/endpoints/42",
]


def text_of(chunks: list[Any]) -> str:
    return "".join(part["text"] for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"])


def events(body: bytes) -> list[Any]:
    """The chunks of a stream that is written just as the service writes them: line by line, nothing else between."""
    assert body.endswith(b"}\r\n\r\n")
    lines = body.split(b"\r\n\r\n")[:-1]
    assert all(line.startswith(b"data: {") and b"\n" not in line for line in lines)
    return [orjson.loads(line[6:]) for line in lines]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("base", BASES)
def test_every_version_has_every_route(mock: AIMock, call: Call, version: str, base: str) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)
    path = f"/{version}/{base}"
    is_vertex = not base.startswith(("models", "tuned"))
    whole = call("POST", f"{path}:generateContent", HELLO)
    assert (whole.status, whole.headers["content-type"]) == (200, "application/json; charset=UTF-8")
    assert text_of([whole.json]) == "Hi there"
    assert ("createTime" in whole.json) is is_vertex
    streamed = call("POST", f"{path}:streamGenerateContent?alt=sse", HELLO)
    assert text_of(events(streamed.body)) == "Hi there"
    assert text_of(call("POST", f"{path}:streamGenerateContent", HELLO).json) == "Hi there"
    counted = call("POST", f"{path}:countTokens", HELLO).json
    assert counted["totalTokens"] == 2
    assert ("totalBillableCharacters" in counted) is is_vertex
    if not base.startswith("tuned"):
        embedded = call("POST", f"{path}:embedContent", {"content": {"parts": [{"text": "hello"}]}})
        assert embedded.json["embedding"]["values"]


@pytest.mark.parametrize(
    ("base", "model", "names"),
    [
        ("models/gemini-2.5-flash", "gemini-2.5-flash", ["gemini-2.5-flash"]),
        ("models/google%2Fgemini-x", "google/gemini-x", ["google/gemini-x"]),
        ("models/google/gemini-x", "google/gemini-x", ["google/gemini-x"]),
        ("tunedModels/mine", "tunedModels/mine", ["tunedModels/mine", "mine"]),
        ("projects/p/locations/l/endpoints/42", "endpoints/42", ["endpoints/42", "42"]),
    ],
)
def test_the_model_is_in_the_path(mock: AIMock, call: Call, base: str, model: str, names: list[str]) -> None:
    for name in names:
        mock.clear_fixtures().on({"model": name}, {"content": "Hi"})
        assert call("POST", f"/v1/{base}:generateContent", HELLO).json["modelVersion"] == model
    assert mock.get_last_request()["body"]["model"] == model


# -- streams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["alt=sse", "%24alt=sse", "$alt=sse", "key=k&alt=sse", "alt=SSE"])
def test_events(mock: AIMock, call: Call, query: str) -> None:
    """wire-gemini §4.1, §14: no `[DONE]`, one id, counts that grow, the reason on the last chunk alone."""
    mock.on_message("hello", {"content": "Hi there, né 🚀", "reasoning": "Hm. Well."}, chunk_size=4)
    response = call("POST", f"{MODEL}:streamGenerateContent?{query}", HELLO)
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["content-disposition"] == "attachment"
    assert b"[DONE]" not in response.body
    chunks = events(response.body)
    assert text_of(chunks) == "Hm. Well.Hi there, né 🚀"
    assert len({chunk["responseId"] for chunk in chunks}) == 1
    assert {chunk["modelVersion"] for chunk in chunks} == {"gemini-2.5-flash"}
    assert ["finishReason" in chunk["candidates"][0] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    usages = [chunk["usageMetadata"] for chunk in chunks]
    for name in ("candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"):
        counts = [usage.get(name, 0) for usage in usages]
        assert counts == sorted(counts)
        assert counts[-1] > 0
    assert (usages[0].get("candidatesTokenCount"), usages[-1]["candidatesTokenCount"]) == (None, 4)
    last = usages[-1]
    assert last["totalTokenCount"] == sum(last[f"{part}TokenCount"] for part in ("prompt", "candidates", "thoughts"))


@pytest.mark.parametrize("query", ["", "?alt=json", "?key=k", "?%24alt=json", "?prettyPrint=false"])
async def test_an_array_can_be_read_as_it_grows(autojump_clock: MockClock, memory: Any, query: str) -> None:
    """wire-gemini §4.2, §14: after every write whole elements are there, and at the end it is one JSON document."""
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"content": "Hi there"}, chunk_size=3, latency=50)])
    seen = await server.exchange(path=f"{MODEL}:streamGenerateContent{query}", **HELLO)
    assert seen.headers["content-type"] == "application/json; charset=UTF-8"
    decoder = json_array.Decoder()
    read = [(time, [orjson.loads(element) for element in decoder.feed(data)]) for time, data in seen.pieces]
    assert [text_of(elements) for _, elements in read if elements] == ["Hi ", "the", "re", ""]
    assert [time for time, elements in read if elements] == [50, 100, 150, 150]
    assert (seen.ending, text_of(orjson.loads(seen.body))) == ("whole", "Hi there")


def test_the_forms_say_the_same(mock: AIMock, call: Call) -> None:
    """But that the array has an element of its own for its end."""
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)
    chunks = events(call("POST", f"{MODEL}:streamGenerateContent?alt=sse", HELLO).body)
    response = call("POST", f"{MODEL}:streamGenerateContent", HELLO)
    elements = response.json
    assert response.body.startswith(b"[{\n")
    assert response.body.endswith(b"}\n]\n")
    assert len(elements) == len(chunks) + 1
    assert text_of(elements) == text_of(chunks)
    assert elements[-1]["candidates"][0] == {
        "content": {"parts": [{"text": ""}], "role": "model"},
        "index": 0,
        "finishReason": "STOP",
    }
    assert elements[-1]["usageMetadata"] == chunks[-1]["usageMetadata"]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 50])
def test_an_error_within_a_stream(mock: AIMock, call: Call, after: int) -> None:
    """wire-gemini §4.3: an event, or the last element of an array that is closed."""
    broken = {"afterChunks": after, "message": "Overloaded", "type": "UNAVAILABLE"}
    mock.on_message("hello", {"content": "Hi there", "midStreamError": broken}, chunk_size=3)
    told = {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}
    chunks = events(call("POST", f"{MODEL}:streamGenerateContent?alt=sse", HELLO).body)
    elements = call("POST", f"{MODEL}:streamGenerateContent", HELLO).json
    assert chunks[-1] == elements[-1] == told
    assert len(chunks) == len(elements) == min(after, 3) + 1
    assert text_of(chunks[:-1]) == text_of(elements[:-1]) == "Hi there"[: 3 * after]


@pytest.mark.parametrize("after", [0, 1, 9])
def test_an_array_is_closed_whatever_strikes(mock: AIMock, call: Call, after: int) -> None:
    mock.on_message("hello", {"content": "Hi there"}, chunk_size=3)
    fault = {"X-AIMock-Fault": f"error-event;afterChunks={after}"}
    elements = call("POST", f"{MODEL}:streamGenerateContent", HELLO, fault).json
    assert [("error" in element) for element in elements] == [False] * min(after, 3) + [True]


async def test_an_array_that_is_cut(autojump_clock: MockClock, memory: Any) -> None:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"content": "Hi there"}, chunk_size=3, truncate_after_chunks=2)])
    seen = await server.exchange(path=f"{MODEL}:streamGenerateContent", **HELLO)
    assert text_of([orjson.loads(element) for element in json_array.elements([seen.body])]) == "Hi the"


# -- errors ------------------------------------------------------------------------------------------------------------


def test_a_miss(mock: AIMock, call: Call) -> None:
    mock.on_message("goodbye", {"content": "Bye"})
    for strict, status, name in (("false", 404, "NOT_FOUND"), ("true", 503, "UNAVAILABLE")):
        response = call("POST", f"{MODEL}:generateContent", HELLO, {"X-AIMock-Strict": strict})
        error = response.json["error"]
        assert (response.status, error["code"], error["status"]) == (status, status, name)
        assert error["details"][0]["reason"] == "no_fixture_match"
        assert "goodbye" in error["details"][0]["metadata"]["hint"]


@pytest.mark.parametrize("base", [MODEL, "/v1/publishers/google/models/m"])
@pytest.mark.parametrize("body", [HELLO, {}, b"{"])
def test_an_error_has_the_form_of_the_stream_that_was_asked_for(call: Call, base: str, body: Any) -> None:
    """wire-gemini §4.3: the only element of an array, unless events were wanted."""
    for verb, is_array in (
        ("generateContent", False),
        ("streamGenerateContent?alt=sse", False),
        ("streamGenerateContent", True),
    ):
        response = call("POST", f"{base}:{verb}", body)
        assert response.headers["content-type"] == "application/json; charset=UTF-8"
        error = response.json[0] if is_array else response.json
        assert error["error"]["code"] == response.status == (404 if body is HELLO else 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1beta/cachedContents", 404),
        ("GET", "/v1beta/files/x", 404),
        ("POST", "/v1beta/models/m:nope", 405),
        ("POST", "/v1beta/models", 405),
        ("GET", "/upload/v1beta/files", 404),
    ],
)
def test_paths_that_there_are_not(call: Call, method: str, path: str, status: int) -> None:
    response = call(method, path, {}, {"x-goog-api-key": "k"})
    assert (response.status, response.json["error"]["code"]) == (status, status)
    assert response.json["error"]["status"] == ("NOT_FOUND" if status == 404 else "INVALID_ARGUMENT")


# -- models and keys ---------------------------------------------------------------------------------------------------

KNOWN: list[Any] = [({"x-goog-api-key": "k"}, ""), ({"x-goog-api-client": "google-genai-sdk/3.4.0"}, ""), ({}, "key=k")]


@pytest.mark.parametrize(("headers", "query"), KNOWN)
def test_the_model_list_is_gemini_s_for_who_is_known_to_speak_it(
    mock: AIMock, call: Call, headers: dict[str, str], query: str
) -> None:
    """wire-gemini §1: `/v1/models` is OpenAI's too."""
    mock.on({"model": "gemini-mine"}, {"content": "Hi"})
    listed = call("GET", f"/v1/models?{query}", headers=headers).json["models"]
    assert {"models/gemini-mine", "models/gemini-2.5-flash"} <= {model["name"] for model in listed}
    assert call("GET", f"/v1/models/gemini-mine?{query}", headers=headers).json["name"] == "models/gemini-mine"
    assert call("GET", "/v1/models").json["object"] == "list"
    assert call("GET", "/v1/models?monkey=k").json["object"] == "list"
    assert call("GET", "/v1beta/models").json["models"] == listed


def test_a_key_in_the_query_is_seen_by_nobody(mock: AIMock, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """wire-gemini §1, §13.12: neither journal nor log has it, whatever becomes of the request."""
    caplog.set_level(logging.DEBUG)
    mock.on_message("hello", {"content": "Hi"})
    for path in (f"{MODEL}:generateContent", f"{MODEL}:streamGenerateContent", f"{MODEL}:countTokens", "/v1beta/nope"):
        for body in (HELLO, {}, {"contents": [{"parts": [{"text": "goodbye"}]}]}):
            answer = call("POST", f"{path}?alt=json&key=AIzaSecret", body)
            assert b"AIzaSecret" not in answer.body
    call("GET", "/v1beta/models?key=AIzaSecret")
    journal = str(mock.get_requests())
    assert "key=[REDACTED]" in journal
    assert "AIzaSecret" not in journal + caplog.text


def test_a_key_in_the_query_is_a_credential() -> None:
    with AIMock(api_keys=["right"]) as guarded:
        guarded.on_message("hello", {"content": "Hi"})
        import urllib.error
        import urllib.request

        def status(query: str) -> int:
            request = urllib.request.Request(
                f"{guarded.url}{MODEL}:generateContent{query}", orjson.dumps(HELLO), method="POST"
            )
            try:
                with urllib.request.urlopen(request) as response:
                    return int(response.status)
            except urllib.error.HTTPError as refused:
                return refused.code

        assert (status("?key=right"), status("?key=wrong"), status("")) == (200, 401, 401)
