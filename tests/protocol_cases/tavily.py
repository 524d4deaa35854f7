"""Tavily: search and its relatives."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from protocol_cases import ServiceCase
from protocol_cases.strategies import names

NO_TEXT: list[Any] = [None, 5, "", [], {}, ["a"]]

URLS = st.builds("https://{}.example/{}".format, st.sampled_from(["a", "b"]), st.integers(0, 99))
RESULT = st.fixed_dictionaries(
    {
        "url": URLS,
        "title": names,
        "content": names,
        "score": st.floats(0, 1),
        "raw_content": st.none() | names,
    },
)


def message(error: Any) -> str:
    return str(error["detail"]["error"])


def said(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    common = {"response_time": st.floats(0, 9), "request_id": st.uuids().map(str)}
    return st.tuples(st.fixed_dictionaries(members | common))


CASES = {
    "tavily.search": ServiceCase(
        "search",
        said(
            follow_up_questions=st.none(),
            answer=st.none() | names,
            images=st.just([]),
            results=st.lists(RESULT, max_size=5),
        ),
        {"query": "hello"},
        "/search",
        wrong={"query": NO_TEXT},
        error=message,
    ),
}
