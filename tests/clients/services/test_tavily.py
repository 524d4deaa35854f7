"""tavily-python, sync and async, as it is: every method, every error class."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import orjson
import pytest
import requests
from httpx import HTTPStatusError
from tavily import (
    AsyncTavilyClient,
    BadRequestError,
    InvalidAPIKeyError,
    TavilyClient,
    TavilyKeylessLimitError,
    UsageLimitExceededError,
)
from tavily.errors import ForbiddenError
from tavily.errors import TimeoutError as TooLate

from aimock import AIMock
from aimock_protocols import sse

pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")

SUN = {"title": "Sun", "url": "https://a.org/sun", "content": "It is sunny."}
RAIN = {"title": "Rain", "url": "https://b.com/rain", "content": "It rains.", "score": 0.4}

Call = Callable[..., Any]


def _in_sync(mock: AIMock, options: Mapping[str, Any]) -> Call:
    def call(method: str, *args: Any, **sent: Any) -> Any:
        with TavilyClient(api_base_url=mock.url, **options) as client:
            answer = getattr(client, method)(*args, **sent)
            return b"".join(answer) if inspect.isgenerator(answer) else answer

    return call


def _in_async(mock: AIMock, options: Mapping[str, Any]) -> Call:
    def call(method: str, *args: Any, **sent: Any) -> Any:
        async def run() -> Any:
            async with AsyncTavilyClient(api_base_url=mock.url, **options) as client:
                answer = await getattr(client, method)(*args, **sent)
                return b"".join([piece async for piece in answer]) if inspect.isasyncgen(answer) else answer

        return anyio.run(run)

    return call


@pytest.fixture(params=[_in_sync, _in_async], ids=["sync", "async"])
def call(request: pytest.FixtureRequest, mock: AIMock, monkeypatch: pytest.MonkeyPatch) -> Call:
    """call("search", "text", …): what a method of the client gives; a stream as its bytes."""
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    made: Call = request.param(mock, {"api_key": "tvly-test"})
    return made


# -- search ----------------------------------------------------------------------------------------------------------


def test_search(mock: AIMock, call: Call) -> None:
    mock.on_search("weather", [SUN, RAIN])
    found = call("search", "What WEATHER is it?")
    assert found["query"] == "What WEATHER is it?"
    assert [each["title"] for each in found["results"]] == ["Sun", "Rain"]
    assert [each["score"] for each in found["results"]] == [0.99, 0.4]
    assert re.fullmatch(r"[0-9a-f-]{36}", found["request_id"])
    assert call("search", "something else")["results"] == []
    entry = mock.get_requests()[0]
    assert entry["headers"]["authorization"] == "[REDACTED]"
    assert entry["headers"]["x-client-source"] == "tavily-python"


def test_search_with_all_its_parameters(mock: AIMock, call: Call) -> None:
    mock.on_search(
        re.compile("^weather$"),
        {"results": [SUN, RAIN], "answer": "Sunny.", "images": [{"url": "https://a.org/1.png", "description": "sun"}]},
    )
    found = call(
        "search",
        "weather",
        search_depth="advanced",
        topic="news",
        start_date="2026-01-01",
        end_date="2026-02-01",
        days=3,
        max_age_hours=2,
        max_results=1,
        include_domains=["a.org", "b.com"],
        exclude_domains=["c.is"],
        include_domains_mode="restrict",
        include_answer="basic",
        include_raw_content="markdown",
        include_images=True,
        include_image_descriptions=True,
        country="iceland",
        auto_parameters=True,
        include_favicon=True,
        include_usage=True,
        exact_match=False,
        language="en",
        filter_by_language=True,
        chunks_per_source=2,
    )
    (result,) = found["results"]
    assert result["raw_content"] == "It is sunny."
    assert result["favicon"] == "https://a.org/favicon.ico"
    assert (found["answer"], found["usage"]) == ("Sunny.", {"credits": 2})
    assert found["images"] == [{"url": "https://a.org/1.png", "description": "sun"}]
    assert found["auto_parameters"] == {"topic": "news", "search_depth": "advanced"}
    body = mock.get_last_request()["body"]
    assert (body["max_results"], body["include_domains"]) == (1, ["a.org", "b.com"])


def test_an_answer_alone(mock: AIMock, call: Call) -> None:
    mock.on_search("weather", {"results": [SUN], "answer": "Sunny."})
    assert call("qna_search", "weather") == "Sunny."
    assert mock.get_last_request()["body"]["days"] == 7


# -- pages -----------------------------------------------------------------------------------------------------------


def test_extract(mock: AIMock, call: Call) -> None:
    failed = {"url": "https://b.com/", "error": "403"}
    said = {"results": [{"raw_content": "All of a", "images": ["i.png"]}], "failed_results": [failed]}
    mock.on({"endpoint": "extract", "query": "a.org"}, said)
    found = call("extract", ["https://a.org/", "https://b.com/"], include_images=True, include_favicon=True)
    assert found["results"] == [
        {
            "url": "https://a.org/",
            "title": None,
            "raw_content": "All of a",
            "images": ["i.png"],
            "favicon": "https://a.org/favicon.ico",
        }
    ]
    assert found["failed_results"] == [failed]
    assert call("extract", "https://nowhere.org")["results"] == []


def test_crawl_and_map(mock: AIMock, call: Call) -> None:
    urls = [f"https://a.org/{each}" for each in range(3)]
    mock.on({"endpoint": "crawl", "query": "a.org"}, {"results": [{"url": url, "raw_content": url} for url in urls]})
    mock.on({"endpoint": "map", "query": "a.org"}, {"results": urls})
    crawled = call("crawl", "https://a.org", max_depth=2, limit=2, instructions="find all", include_usage=True)
    assert (crawled["base_url"], [each["url"] for each in crawled["results"]]) == ("https://a.org", urls[:2])
    assert crawled["usage"] == {"credits": 0}
    assert call("map", "https://a.org", limit=2)["results"] == urls[:2]


# -- research --------------------------------------------------------------------------------------------------------


def test_research_is_asked_after_until_it_is_done(mock: AIMock, call: Call) -> None:
    said = {"content": "It is so.", "sources": [SUN], "pollsBeforeInProgress": 1, "pollsBeforeCompleted": 2}
    mock.on({"endpoint": "research", "query": "why"}, said)
    task = call("research", "Why?", model="mini", citation_format="mla")
    assert (task["status"], task["model"], task["input"]) == ("pending", "mini", "Why?")
    polled = [call("get_research", task["request_id"]) for _ in range(3)]
    assert [each["status"] for each in polled] == ["pending", "in_progress", "completed"]
    assert (polled[-1]["content"], polled[-1]["sources"][0]["url"]) == ("It is so.", SUN["url"])
    mock.on({"endpoint": "research", "query": "what"}, {"status": "failed"})
    failed = call("get_research", call("research", "What?")["request_id"])
    assert failed["status"] == "failed"


def test_research_in_the_form_of_a_schema(mock: AIMock, call: Call) -> None:
    mock.on({"endpoint": "research"}, {"content": {"title": "So"}})
    schema = {"properties": {"title": {"type": "string"}}}
    task = call("research", "Why?", output_schema=schema)
    assert call("get_research", task["request_id"], include_usage=True)["content"] == {"title": "So"}


def test_research_is_streamed(mock: AIMock, call: Call) -> None:
    mock.on({"endpoint": "research"}, {"content": "It is so.", "sources": [SUN]}, chunk_size=3)
    data = call("research", "Why?", stream=True)
    assert data.endswith(b"event: done\n\n")
    deltas = [orjson.loads(event.data)["choices"][0]["delta"] for event in sse.events([data])]
    assert "".join(each.get("content", "") for each in deltas) == "It is so."
    assert deltas[-1]["sources"][0]["title"] == "Sun"
    assert deltas[2]["tool_calls"]["tool_call"][0]["name"] == "WebSearch"


# -- beside ----------------------------------------------------------------------------------------------------------


def test_feedback(call: Call) -> None:
    told = call("feedback", request_id="r", agent_score=1, used_urls=["https://a.org"])
    assert told["success"] is True
    with pytest.raises(BadRequestError, match="session_id or request_id"):
        call("feedback", comment="good")


def test_usage(mock: AIMock) -> None:
    told = requests.get(f"{mock.url}/usage", headers={"Authorization": "Bearer tvly-test"}, timeout=10).json()
    assert (told["key"]["usage"], told["key"]["limit"]) == (0, None)


# -- errors ----------------------------------------------------------------------------------------------------------

ERRORS: list[tuple[int, type[Exception] | tuple[type[Exception], ...], str]] = [
    (400, BadRequestError, "No."),
    (401, InvalidAPIKeyError, "No."),
    (403, ForbiddenError, "No."),
    (432, ForbiddenError, "No."),
    (433, ForbiddenError, "No."),
    (429, UsageLimitExceededError, "No."),
    (500, (requests.HTTPError, HTTPStatusError), "500"),
]
CALLS: list[tuple[str, str]] = [
    ("search", "q"),
    ("extract", "https://a.org"),
    ("crawl", "https://a.org"),
    ("map", "https://a.org"),
    ("research", "q"),
]


@pytest.mark.parametrize(("status", "expected", "message"), ERRORS, ids=[str(status) for status, *_ in ERRORS])
def test_every_error_class(mock: AIMock, call: Call, status: int, expected: Any, message: str) -> None:
    for method, text in CALLS:
        mock.on({"endpoint": method}, {"error": {"message": "No."}, "status": status})
        with pytest.raises(expected, match=re.escape(message)):
            call(method, text)


@pytest.mark.parametrize(
    ("method", "args", "sent", "message"),
    [
        ("search", ("",), {}, "Query is missing."),
        ("search", ("x" * 401,), {}, "Query is too long. Max query length is 400 characters."),
        ("search", ("q",), {"max_results": 30}, "Invalid max results."),
        ("search", ("q",), {"topic": "sports"}, "Invalid topic."),
        ("extract", (["https://a.org"] * 21,), {}, "Max 20 URLs are allowed."),
        ("crawl", ("",), {}, "No starting url provided"),
        ("map", ("",), {}, "No starting url provided"),
        ("research", ("",), {}, "Input is missing."),
        ("research", ("q",), {"model": "large"}, "Invalid model."),
    ],
)
def test_bad_requests(call: Call, method: str, args: Any, sent: Any, message: str) -> None:
    with pytest.raises(BadRequestError, match=re.escape(message)):
        call(method, *args, **sent)


def test_a_task_that_there_is_not(call: Call) -> None:
    with pytest.raises((requests.HTTPError, HTTPStatusError), match="404"):
        call("get_research", "nowhere")


def test_strict(mock: AIMock, call: Call) -> None:
    mock.strict = True
    try:
        with pytest.raises((requests.HTTPError, HTTPStatusError), match="503"):
            call("search", "weather")
    finally:
        mock.strict = False


@pytest.mark.parametrize("client", [_in_sync, _in_async], ids=["sync", "async"])
def test_without_a_key(mock: AIMock, monkeypatch: pytest.MonkeyPatch, client: Any) -> None:
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    call = client(mock, {})
    mock.on_search("weather", [SUN])
    assert call("search", "weather")["results"][0]["title"] == "Sun"
    mock.on_search("often", {"error": {"message": "Slow down"}, "status": 429, "retryAfter": 9})
    with pytest.raises(TavilyKeylessLimitError, match="Slow down") as raised:
        call("search", "too often")
    assert raised.value.retry_after_seconds == 9


def test_too_late(mock: AIMock, call: Call) -> None:
    mock.on_search("slow", [SUN], latency=60_000)
    with pytest.raises(TooLate):
        call("search", "slow", timeout=0.05)
