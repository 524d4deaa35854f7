"""Tavily's endpoints: what a request takes from its fixture, what is refused, and tasks of research."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimock.memories import Memories
from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, FrameKind, Head, Memory, Results, SideRequest, Stamp, WireError
from aimock_protocols.tavily import account, platform, research
from aimock_protocols.tavily.crawl import api as crawl
from aimock_protocols.tavily.extract import api as extract
from aimock_protocols.tavily.map import api as map
from aimock_protocols.tavily.pages import is_within
from aimock_protocols.tavily.search import CHECKS
from aimock_protocols.tavily.search import api as search
from recorded import body_of, needs_corpus, rows_of

PAGES = [
    {"title": "A", "url": "https://www.a.org/x/1", "content": "about a", "raw_content": "all of a"},
    {"title": "B", "url": "https://docs.b.com/y", "content": "about b", "score": 0.5, "favicon": "https://b.com/i.png"},
    {"title": "C", "url": "https://c.is/z", "content": "about c", "published_date": "Mon, 01 Jun 2026"},
]
SAID = {"results": PAGES, "answer": "It is so.", "images": ["https://a.org/1.png", {"url": "u", "description": "d"}]}


def told(module: Any, said: Mapping[str, Any], head: Head, stamp: Stamp, **sent: Any) -> Any:
    request = module.decode(head, {}, orjson.dumps(sent))
    return orjson.loads(module.encode(Results((said,)), module.shape(request), stamp))


@pytest.fixture
def found(head: Head, stamp: Stamp) -> Any:
    """found(…): the answer to a search with these parameters."""
    return lambda **sent: told(search, SAID, head, stamp, query="q", **sent)


# -- search ----------------------------------------------------------------------------------------------------------


def test_the_least_that_a_search_answers(head: Head, stamp: Stamp) -> None:
    assert told(search, {}, head, stamp, query="q") == {
        "query": "q",
        "follow_up_questions": None,
        "answer": None,
        "images": [],
        "results": [],
        "response_time": 0.5,
        "request_id": stamp.uuid(),
    }


def test_results_are_filled_in(found: Any) -> None:
    first, second, third = found()["results"]
    assert first == {
        "url": "https://www.a.org/x/1",
        "title": "A",
        "content": "about a",
        "score": 0.99,
        "raw_content": None,
    }
    assert (second["score"], third["score"]) == (0.5, 0.97)
    assert third["published_date"] == "Mon, 01 Jun 2026"


@pytest.mark.parametrize(("most", "expected"), [(None, 5), (0, 0), (1, 1), (7, 7), (20, 9)])
def test_at_most_so_many_results(head: Head, stamp: Stamp, most: int | None, expected: int) -> None:
    sent = {} if most is None else {"max_results": most}
    answer = told(search, {"results": [{"url": "u"}] * 9}, head, stamp, query="q", **sent)
    assert len(answer["results"]) == expected


def test_scores_never_reach_zero(head: Head, stamp: Stamp) -> None:
    answer = told(search, {"results": [{}] * 20}, head, stamp, query="q", max_results=20)
    scores = [each["score"] for each in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == 0.8


@pytest.mark.parametrize("wanted", [True, "basic", "advanced"])
def test_an_answer_is_told_on_request(found: Any, wanted: Any) -> None:
    assert found()["answer"] is None
    assert found(include_answer=False)["answer"] is None
    assert found(include_answer=wanted)["answer"] == "It is so."


@pytest.mark.parametrize("wanted", [True, "markdown", "text"])
def test_raw_content_is_that_of_the_fixture_or_the_content(found: Any, wanted: Any) -> None:
    raw = [each["raw_content"] for each in found(include_raw_content=wanted)["results"]]
    assert raw == ["all of a", "about b", "about c"]


def test_images_come_with_descriptions_if_they_are_asked_for(found: Any) -> None:
    assert found(include_image_descriptions=True)["images"] == []
    assert found(include_images=True)["images"] == ["https://a.org/1.png", "u"]
    described = found(include_images=True, include_image_descriptions=True)["images"]
    assert described == [{"url": "https://a.org/1.png", "description": None}, {"url": "u", "description": "d"}]


def test_icons_are_the_fixture_s_or_where_they_are_by_custom(found: Any) -> None:
    assert all("favicon" not in each for each in found()["results"])
    icons = [each["favicon"] for each in found(include_favicon=True)["results"]]
    assert icons == ["https://a.org/favicon.ico", "https://b.com/i.png", "https://c.is/favicon.ico"]


def test_what_it_costs_and_what_was_chosen_is_told_on_request(found: Any) -> None:
    assert not {"usage", "auto_parameters"} & found().keys()
    told = found(include_usage=True, auto_parameters=True, search_depth="advanced", topic="news")
    assert told["usage"] == {"credits": 2}
    assert told["auto_parameters"] == {"topic": "news", "search_depth": "advanced"}
    assert found(include_usage=True)["usage"] == {"credits": 1}


@pytest.mark.parametrize(
    ("sent", "titles"),
    [
        ({"include_domains": ["a.org"]}, "A"),
        ({"include_domains": ["www.a.org"]}, "A"),
        ({"include_domains": ["A.ORG"]}, "A"),
        ({"include_domains": ["https://a.org/x"]}, "A"),
        ({"include_domains": ["a.org/y"]}, ""),
        ({"include_domains": ["b.com", "c.is"]}, "BC"),
        ({"include_domains": ["*.com"]}, "B"),
        ({"include_domains": ["rg"]}, ""),
        ({"include_domains": []}, "ABC"),
        ({"include_domains": ["a.org"], "include_domains_mode": "prefer"}, "ABC"),
        ({"include_domains": ["a.org"], "include_domains_mode": "restrict"}, "A"),
        ({"exclude_domains": ["b.com", "*.is"]}, "A"),
        ({"include_domains": ["*.com"], "exclude_domains": ["docs.b.com"]}, ""),
        ({"exclude_domains": ["b.com"], "max_results": 2}, "AC"),
    ],
)
def test_results_are_of_the_domains_that_are_asked_for(found: Any, sent: dict[str, Any], titles: str) -> None:
    assert "".join(each["title"] for each in found(**sent)["results"]) == titles


@given(st.text(), st.lists(st.text()))
def test_what_is_no_url_is_of_no_domain_and_breaks_nothing(url: str, domains: list[str]) -> None:
    assert is_within(url, domains) in (True, False)
    assert not is_within(None, domains)
    assert not is_within("https://a.org", ["", "[", "*", "https://"])


def test_what_else_a_fixture_says_is_sent(head: Head, stamp: Stamp) -> None:
    said = {
        "results": ["none", 5, {"url": "u", "id": "r1"}],
        "follow_up_questions": ["why?"],
        "request_id": "r",
        "x": 1,
    }
    answer = told(search, said, head, stamp, query="q")
    assert (answer["follow_up_questions"], answer["request_id"], answer["x"]) == (["why?"], "r", 1)
    assert [each["id"] for each in answer["results"]] == ["r1"]


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "sent", "message"),
    [
        (search, {}, "Query is missing."),
        (search, {"query": "x" * 401}, "Query is too long. Max query length is 400 characters."),
        (search, {"query": "q", "topic": "sports"}, "Invalid topic. Must be 'general', 'news' or 'finance'."),
        (
            search,
            {"query": "q", "include_answer": "long"},
            "Invalid value for include_answer. Must be True, False, 'basic', or 'advanced'.",
        ),
        (search, {"query": "q", "max_results": 21}, "Invalid max results."),
        (search, {"query": "q", "end_date": "soon"}, "Invalid date format. Expected YYYY-MM-DD, got: soon"),
        (
            search,
            {"query": "q", "start_date": "2026-02-01", "end_date": "2026-01-31"},
            "start_date cannot be after end_date",
        ),
        (
            search,
            {"query": "q", "time_range": "day", "start_date": "2024-02-29"},
            "When time_range is set, start_date or end_date cannot be set",
        ),
        (
            search,
            {"query": "q", "include_domains": ["a"] * 301},
            "Invalid value for include_domains. Max 300 domains are allowed.",
        ),
        (extract, {"urls": ["u"] * 21}, "Max 20 URLs are allowed."),
        (crawl, {}, "[400] No starting url provided"),
        (map, {"url": ""}, "[400] No starting url provided"),
        (research, {"input": "q", "model": "large"}, "Invalid model. Must be 'mini', 'pro' or 'auto'."),
    ],
)
def test_a_bad_request_is_told_in_the_service_s_words(head: Head, module: Any, sent: Any, message: str) -> None:
    with pytest.raises(WireError) as raised:
        module.decode(head, {}, orjson.dumps(sent))
    assert raised.value.reply == ErrorReply(message, status=400)


def test_a_number_of_chunks_out_of_bounds_is_a_422(head: Head) -> None:
    with pytest.raises(WireError) as raised:
        search.decode(head, {}, b'{"query":"q","chunks_per_source":4}')
    assert raised.value.reply.status == 422


def test_what_is_null_is_not_there(head: Head) -> None:
    names = [*CHECKS]
    search.decode(head, {}, orjson.dumps({"query": "q", **dict.fromkeys(names)}))


@pytest.mark.parametrize("module", [search, extract, crawl, map, research])
def test_a_key_in_the_body_is_seen_by_nobody(head: Head, module: Any) -> None:
    sent = {"api_key": "tvly-secret", "query": "q", "urls": ["u"], "url": "u", "input": "i"}
    request = module.decode(head, {}, orjson.dumps(sent))
    assert "tvly-secret" not in repr(request)


def test_a_body_that_cannot_be_written_again_is_refused(head: Head) -> None:
    deep = b'{"query":"q","x":' + b"[" * 500 + b"]" * 500 + b"}"
    with pytest.raises(WireError, match="nested too deeply"):
        search.decode(head, {}, deep)


def test_an_error_is_told_in_detail(stamp: Stamp) -> None:
    response = platform.error(ErrorReply("No.", status=432, hint="nearest"), stamp)
    assert (response.status, orjson.loads(response.body)) == (432, {"detail": {"error": "No.", "hint": "nearest"}})


def test_a_client_without_a_key_is_told_of_its_limit_otherwise(head: Head, stamp: Stamp) -> None:
    keyless = attrs.evolve(head, headers={"x-tavily-access-mode": "keyless"})  # type: ignore[misc]
    limited = platform.error(ErrorReply("Slow down", status=429, retry_after=7), stamp)
    told = orjson.loads(platform.framed_error(limited, keyless).body)["error"]
    assert (told["message"], told["retry_after_seconds"]) == ("Slow down", 7)
    assert platform.framed_error(limited, head) == limited
    refused = platform.error(ErrorReply("No.", status=403), stamp)
    assert platform.framed_error(refused, keyless) == refused
    for body in (limited.body, platform.framed_error(limited, keyless).body):
        with pytest.raises(WireError, match="Slow down"):
            search.parse(body)


# -- pages -----------------------------------------------------------------------------------------------------------


def test_extracted_pages_are_those_that_were_asked_for(head: Head, stamp: Stamp) -> None:
    said = {"results": [{"raw_content": "one"}, {"raw_content": "two"}, {"url": "https://c.is/", "images": ["i"]}]}
    answer = told(extract, said, head, stamp, urls=["https://a.org/", "https://b.com/"])
    assert answer == {
        "results": [
            {"url": "https://a.org/", "title": None, "raw_content": "one", "images": []},
            {"url": "https://b.com/", "title": None, "raw_content": "two", "images": []},
            {"url": "https://c.is/", "title": None, "raw_content": "", "images": []},
        ],
        "failed_results": [],
        "response_time": 0.5,
        "request_id": stamp.uuid(),
    }
    more = told(extract, said, head, stamp, urls="u", include_images=True, include_favicon=True, include_usage=True)
    assert more["results"][2]["images"] == ["i"]
    assert more["results"][2]["favicon"] == "https://c.is/favicon.ico"
    assert more["usage"] == {"credits": 0}, "a credit is for five pages"


def test_a_crawl_is_of_so_many_pages(head: Head, stamp: Stamp) -> None:
    said = {"results": [{"url": f"https://a.org/{each}", "raw_content": "x", "images": ["i"]} for each in range(60)]}
    answer = told(crawl, said, head, stamp, url="a.org")
    assert (answer["base_url"], len(answer["results"])) == ("a.org", 50)
    assert answer["results"][0] == {"url": "https://a.org/0", "raw_content": "x", "images": []}
    less = told(crawl, said, head, stamp, url="a.org", limit=10, include_usage=True, extract_depth="advanced")
    assert (len(less["results"]), less["usage"]) == (10, {"credits": 1 + 4})


def test_a_map_is_of_urls(head: Head, stamp: Stamp) -> None:
    said = {"results": ["https://a.org/1", {"url": "no"}, "https://a.org/2"]}
    answer = told(map, said, head, stamp, url="a.org", limit=2, instructions="find", include_usage=True)
    assert (answer["results"], answer["usage"]) == (["https://a.org/1", "https://a.org/2"], {"credits": 0})


# -- research --------------------------------------------------------------------------------------------------------

REPORT = {"content": "It is so.", "sources": [{"title": "A", "url": "https://a.org/x"}]}


@pytest.fixture
def memory() -> Memory:
    return Memories().of("t", "tavily")


def asked_after(head: Head, stamp: Stamp, memory: Memory, query: str = "", key: str = "") -> tuple[int, Any]:
    asking = attrs.evolve(head, query=query)  # type: ignore[misc]
    request = SideRequest(asking, {"id": key or stamp.uuid()}, b"", stamp, (), memory)
    response = research.retrieve(request)
    return response.status, orjson.loads(response.body)


def begun(head: Head, stamp: Stamp, memory: Memory, said: Mapping[str, Any]) -> Any:
    request = research.decode(head, {}, b'{"input":"why?"}')
    reply = Results((said,))
    research.remember(request, reply, research.shape(request), stamp, 20, memory)
    return orjson.loads(research.encode(reply, research.shape(request), stamp))


def test_a_task_is_pending_and_then_done(head: Head, stamp: Stamp, memory: Memory) -> None:
    task = begun(head, stamp, memory, REPORT)
    assert task == {
        "request_id": stamp.uuid(),
        "created_at": "2026-11-20T18:40:00.250000Z",
        "status": "pending",
        "input": "why?",
        "model": "auto",
        "response_time": 0.5,
    }
    status, done = asked_after(head, stamp, memory)
    assert (status, done["status"], done["content"]) == (200, "completed", "It is so.")
    assert done["created_at"] == task["created_at"]
    assert done["sources"] == [{"title": "A", "url": "https://a.org/x", "favicon": "https://a.org/favicon.ico"}]
    assert asked_after(head, stamp, memory) == (status, done)


PENDING, UNDER_WAY, DONE = (202, "pending"), (202, "in_progress"), (200, "completed")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [DONE, DONE]),
        ({"pollsBeforeCompleted": 2}, [UNDER_WAY, UNDER_WAY, DONE]),
        ({"pollsBeforeInProgress": 1}, [PENDING, UNDER_WAY, DONE]),
        ({"pollsBeforeInProgress": 2, "pollsBeforeCompleted": 3}, [PENDING, PENDING, UNDER_WAY, DONE]),
        ({"pollsBeforeInProgress": 2, "pollsBeforeCompleted": 1}, [PENDING, PENDING, DONE]),
        ({"pollsBeforeCompleted": -1}, [DONE]),
        ({"pollsBeforeCompleted": math.nan}, [DONE]),
        ({"pollsBeforeCompleted": "2"}, [DONE]),
        ({"status": "failed", "pollsBeforeCompleted": 1}, [UNDER_WAY, (200, "failed")]),
    ],
)
def test_a_task_takes_as_long_as_it_is_scripted_to(
    head: Head, stamp: Stamp, memory: Memory, said: dict[str, Any], expected: list[Any]
) -> None:
    begun(head, stamp, memory, REPORT | said)
    for status, word in expected:
        told = asked_after(head, stamp, memory)
        assert (told[0], told[1]["status"]) == (status, word)
        assert ("content" in told[1]) is (word == "completed")


def test_what_a_task_has_cost_is_told_on_request(head: Head, stamp: Stamp, memory: Memory) -> None:
    begun(head, stamp, memory, REPORT | {"usage": {"credits": 7}, "request_id": "mine"})
    assert "usage" not in asked_after(head, stamp, memory, key="mine")[1]
    assert asked_after(head, stamp, memory, "include_usage=true", "mine")[1]["usage"] == {"credits": 7}


def test_a_task_that_there_is_not(head: Head, stamp: Stamp, memory: Memory) -> None:
    with pytest.raises(WireError) as raised:
        asked_after(head, stamp, memory)
    assert raised.value.reply == ErrorReply("Research task not found", status=404)


def streamed(head: Head, stamp: Stamp, said: Mapping[str, Any], chunk_size: int = 4) -> list[Any]:
    request = research.decode(head, {}, b'{"input":"why?","stream":true,"model":"mini"}')
    assert request.stream
    return [*research.frames(Results((said,)), research.shape(request), stamp, chunk_size)]


def test_a_stream_tells_of_its_tools_and_then_the_report(head: Head, stamp: Stamp) -> None:
    frames = streamed(head, stamp, REPORT)
    assert frames[-1].data == b"event: done\n\n"
    chunks = [orjson.loads(event.data) for event in sse.events(frame.data for frame in frames[:-1])]
    assert {(each["id"], each["object"], each["model"]) for each in chunks} == {
        (stamp.uuid(), "chat.completion.chunk", "mini")
    }
    deltas = [each["choices"][0]["delta"] for each in chunks]
    assert all(each.pop("role") == "assistant" for each in deltas)
    *tools, first, second, third, sources = deltas
    calls = [tool["tool_calls"] for tool in tools]
    assert [each["type"] for each in calls] == ["tool_call", "tool_response"] * 3
    names = [each[each["type"]][0]["name"] for each in calls]
    assert names == ["Planning"] * 2 + ["WebSearch"] * 2 + ["Generating"] * 2
    assert calls[2]["tool_call"][0]["queries"] == ["why?"]
    assert calls[3]["tool_response"][0]["sources"] == sources["sources"]
    assert [first, second, third] == [{"content": "It i"}, {"content": "s so"}, {"content": "."}]
    kinds = [frame.kind for frame in frames]
    assert kinds == [FrameKind.OPEN] * 6 + [FrameKind.TOKEN] * 3 + [FrameKind.CLOSE] * 2


REPORTS = st.text(min_size=1) | st.dictionaries(st.text(), st.integers(0, 9), min_size=1)
SOURCES = st.lists(st.fixed_dictionaries({"title": st.text(), "url": st.text(), "favicon": st.text()}))


@given(content=REPORTS, sources=SOURCES, size=st.integers(1, 9), cut=st.integers(1, 99))
def test_a_stream_is_read_back_however_it_is_cut(
    head: Head, stamp: Stamp, content: Any, sources: Any, size: int, cut: int
) -> None:
    said = {"content": content, "sources": sources, "request_id": "r"}
    data = b"".join(frame.data for frame in streamed(head, stamp, said, size))
    pieces = [data[place : place + cut] for place in range(0, len(data), cut)]
    assert research.collapse(pieces) == Results((said,))


def test_a_stream_of_nothing_but_an_error_is_one(head: Head, stamp: Stamp) -> None:
    shape = research.shape(research.decode(head, {}, b'{"input":"why?"}'))
    frame = research.error_frame(ErrorReply("Broken"), shape, stamp)
    with pytest.raises(WireError, match="Broken"):
        research.collapse([frame.data])
    with pytest.raises(WireError, match=r"No\."):
        research.collapse([b'data: {"detail":{"error":"No."}}\n\n'])
    after = research.collapse([streamed(head, stamp, REPORT)[6].data, b"data: junk\n\n", frame.data])
    assert after.said[0]["content"] == "It i"


# -- the account -----------------------------------------------------------------------------------------------------


def test_usage_and_feedback(head: Head, stamp: Stamp, memory: Memory) -> None:
    def asked(body: bytes) -> SideRequest:
        return SideRequest(head, {}, body, stamp, (), memory)

    usage = orjson.loads(account.usage(asked(b"")).body)
    assert (usage["key"]["usage"], usage["key"]["limit"], usage["account"]["plan_usage"]) == (0, None, 0)
    told = orjson.loads(account.feedback(asked(b'{"request_id":"r","agent_score":1}')).body)
    assert (told["success"], told["feedback_id"]) == (True, stamp.uuid("feedback"))
    with pytest.raises(WireError, match="required"):
        account.feedback(asked(b'{"agent_score":1}'))


# -- recorded traffic ------------------------------------------------------------------------------------------------


@needs_corpus
def test_recorded_answers_are_said_again_as_they_were(head: Head, stamp: Stamp) -> None:
    rows = rows_of("tavily")
    for row in rows:
        request = search.decode(head, {}, orjson.dumps(row["request"]))
        again = search.encode(search.parse(body_of(row)), search.shape(request), stamp)
        assert orjson.loads(again) == row["response"]
    assert len(rows) == 3
