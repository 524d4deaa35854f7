"""LangChain's tools for Tavily, sync and async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from aimock import AIMock

langchain_tavily = pytest.importorskip("langchain_tavily")
pytestmark = pytest.mark.filterwarnings("ignore")  # its fields shadow those of their base class, and pydantic says so

SUN = {"title": "Sun", "url": "https://a.org/sun", "content": "It is sunny."}

Run = Callable[[Any, dict[str, Any]], Any]


def _sync(tool: Any, given: dict[str, Any]) -> Any:
    return tool.invoke(given)


def _async(tool: Any, given: dict[str, Any]) -> Any:
    return anyio.run(tool.ainvoke, given)


runs = pytest.mark.parametrize("run", [_sync, _async], ids=["sync", "async"])


@pytest.fixture
def make() -> Any:
    """make("TavilySearch", …): a tool that asks a server of this test's own, which is `make.mock`."""
    with AIMock() as mock:

        def made(name: str, **options: Any) -> Any:
            return getattr(langchain_tavily, name)(tavily_api_key="tvly-test", api_base_url=mock.url, **options)

        made.mock = mock  # type: ignore[attr-defined]
        yield made


@runs
def test_search(make: Any, run: Run) -> None:
    make.mock.on_search("weather", {"results": [SUN, SUN], "answer": "Sunny."})
    tool = make("TavilySearch", max_results=1, include_answer=True)
    found = run(tool, {"query": "the weather", "include_domains": ["a.org"]})
    assert (found["answer"], [each["title"] for each in found["results"]]) == ("Sunny.", ["Sun"])
    assert make.mock.get_last_request()["headers"]["x-client-source"] == "langchain-tavily"


@runs
def test_nothing_found_is_an_exception_of_the_tool(make: Any, run: Run) -> None:
    assert "No search results found" in run(make("TavilySearch"), {"query": "nothing"})


@runs
def test_an_error_is_told(make: Any, run: Run) -> None:
    make.mock.on_search("weather", {"error": {"message": "No."}, "status": 432})
    assert "Error 432" in str(run(make("TavilySearch"), {"query": "weather"})["error"])


@runs
def test_extract_crawl_and_map(make: Any, run: Run) -> None:
    make.mock.on({"endpoint": "extract"}, {"results": [{"raw_content": "All of a"}]})
    make.mock.on({"endpoint": "crawl"}, {"results": [{"url": "https://a.org/1", "raw_content": "one"}]})
    make.mock.on({"endpoint": "map"}, {"results": ["https://a.org/1"]})
    extracted = run(make("TavilyExtract"), {"urls": ["https://a.org/"]})
    assert [(each["url"], each["raw_content"]) for each in extracted["results"]] == [("https://a.org/", "All of a")]
    assert run(make("TavilyCrawl"), {"url": "https://a.org"})["results"][0]["raw_content"] == "one"
    assert run(make("TavilyMap"), {"url": "https://a.org"})["results"] == ["https://a.org/1"]


@runs
def test_research(make: Any, run: Run) -> None:
    make.mock.on({"endpoint": "research"}, {"content": "It is so.", "sources": [SUN]})
    task = run(make("TavilyResearch"), {"input": "Why?"})
    assert task["status"] == "pending"
    assert run(make("TavilyGetResearch"), {"request_id": task["request_id"]})["content"] == "It is so."
