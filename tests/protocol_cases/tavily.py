"""Tavily: search and its relatives."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol_cases import ServiceCase
from protocol_cases.strategies import names

NO_TEXT: list[Any] = [None, 5, "", " ", [], {}, ["a"]]
NO_SWITCH: list[Any] = [1, "yes", [], {}]
NO_COUNT: list[Any] = [-1, 1.5, True, "5", [], {}]

URLS = st.builds("https://{}.example/{}".format, st.sampled_from(["a", "b"]), st.integers(0, 99))
ICONS = st.just("https://a.example/i.png")
SCORE = st.floats(0, 1)
CREDITS = st.fixed_dictionaries({"credits": st.integers(1, 9)})


def message(error: Any) -> str:
    return str(error["detail"]["error"])


def said(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    common = {"response_time": st.floats(0, 9), "request_id": st.uuids().map(str)}
    return st.tuples(st.fixed_dictionaries(members | common))


def pages(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.fixed_dictionaries({"url": URLS, "favicon": ICONS} | members), max_size=5)


EVERYTHING = {"include_images": True, "include_favicon": True, "include_usage": True}
SITE = {"url": "hello", "limit": 5, **EVERYTHING}
NO_SITE = {"url": [*NO_TEXT, "x" * 2049], "limit": [0, *NO_COUNT], "max_depth": [0, 6], "instructions": [5]}

CASES = {
    "tavily.search:api": ServiceCase(
        "search",
        said(
            follow_up_questions=st.none() | st.lists(names),
            answer=st.none() | names,
            images=st.lists(st.fixed_dictionaries({"url": URLS, "description": names})),
            results=pages(title=names, content=names, score=SCORE, raw_content=names),
            auto_parameters=st.fixed_dictionaries({"topic": st.just("news")}),
            usage=CREDITS,
        ),
        {
            "query": "hello",
            "max_results": 20,
            "include_answer": "advanced",
            "include_raw_content": True,
            "include_image_descriptions": True,
            "auto_parameters": True,
            **EVERYTHING,
        },
        "/search",
        wrong={
            "query": [*NO_TEXT, "x" * 401],
            "max_results": [21, *NO_COUNT],
            "search_depth": ["deep", 1, []],
            "topic": ["sports", {}],
            "include_answer": ["long", *NO_SWITCH],
            "include_domains": ["a.org", [5], ["a"] * 301],
            "exclude_domains": [["a"] * 151],
            "start_date": ["2026-02-29", "1/1/2026", 5],
        },
        error=message,
    ),
    "tavily.extract:api": ServiceCase(
        "extract",
        said(
            results=pages(title=st.none() | names, raw_content=names, images=st.lists(URLS)),
            failed_results=st.lists(st.fixed_dictionaries({"url": URLS, "error": names})),
            usage=CREDITS,
        ),
        {"urls": ["hello"], "query": "what", **EVERYTHING},
        "/extract",
        wrong={
            "urls": [None, 5, "", [], {}, [5], ["a"] * 21],
            "extract_depth": ["deep"],
            "format": ["html"],
            "include_images": NO_SWITCH,
        },
        error=message,
    ),
    "tavily.crawl:api": ServiceCase(
        "crawl",
        said(results=pages(raw_content=names, images=st.lists(URLS)), usage=CREDITS),
        SITE,
        "/crawl",
        wrong=NO_SITE,
        error=message,
    ),
    "tavily.map:api": ServiceCase(
        "map", said(results=st.lists(URLS, max_size=5), usage=CREDITS), SITE, "/map", wrong=NO_SITE, error=message
    ),
    "tavily.research": ServiceCase(
        "research",
        said(created_at=st.just("2026-01-01T00:00:00Z")),
        {"input": "hello"},
        "/research",
        wrong={
            "input": NO_TEXT,
            "model": ["large", 5],
            "citation_format": ["bibtex"],
            "output_schema": ["x", []],
            "stream": NO_SWITCH,
        },
        error=message,
    ),
}
