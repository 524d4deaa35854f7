"""Tavily's SDK for JavaScript, where node and npm are there."""

from __future__ import annotations

from pathlib import Path

from aimock import AIMock
from npm_packages import printed

_SDK = "@tavily/core@0.7.13"
SUN = {"title": "Sun", "url": "https://a.org/sun", "content": "It is sunny.", "score": 0.9}


def test_everything_with_the_sdk_for_javascript(mock: AIMock, tmp_path: Path) -> None:
    mock.on_search("weather", {"results": [SUN, SUN], "answer": "Sunny.", "images": ["https://a.org/1.png"]})
    mock.on_search("no", {"error": {"message": "No."}, "status": 401})
    mock.on_search("limit", {"error": {"message": "This request exceeds your plan's set usage limit."}, "status": 432})
    mock.on({"endpoint": "extract"}, {"results": [{"raw_content": "All of a"}]})
    pages = [{"url": "https://a.org/1", "raw_content": "one"}, {"url": "https://a.org/2", "raw_content": "two"}]
    mock.on({"endpoint": "crawl"}, {"results": pages})
    mock.on({"endpoint": "map"}, {"results": ["https://a.org/1"]})
    mock.on({"endpoint": "research"}, {"content": "It is so.", "sources": [SUN], "pollsBeforeCompleted": 1})
    told = printed(Path(__file__).with_name("tavily.mjs"), _SDK, tmp_path, mock.url)
    assert told == {
        "answer": "Sunny.",
        "titles": [["Sun", "It is sunny.", 0.9]],
        "images": [{"url": "https://a.org/1.png"}],
        "credits": 1,
        "time": 0.5,
        "hasId": True,
        "extracted": ["All of a", "https://a.org/favicon.ico", []],
        "crawled": ["https://a.org", ["one"]],
        "mapped": ["https://a.org/1"],
        "task": ["pending", "mini"],
        "polled": ["in_progress", "completed"],
        "report": ["It is so.", "https://a.org/sun"],
        "streams": True,
        "feedback": True,
        "errors": [
            "No.",
            "Query is too long. Max query length is 400 characters.",
            "This request exceeds your plan's set usage limit.",
        ],
    }
