"""Services that fixtures answer (search, extract, …): whose fixture answers, and what the pipeline does besides."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock import AIMock
from aimock.config import Config, ConfigError, load_config
from aimock.fixtures import FixtureError, Kind, fixture_from, make_fixture
from aimock.fixtures.findings import FixtureError as Refused
from aimock.fixtures.response import served_kinds
from aimock.startup import build
from aimock_protocols.services import ASKED_WITH, SECTIONS

Call = Callable[..., Any]
Start = Callable[..., Any]

SUN = {"title": "Sun", "url": "https://a.org/sun", "content": "It is sunny."}
RAIN = {"title": "Rain", "url": "https://a.org/rain", "content": "It rains."}
STRICT = {"X-AIMock-Strict": "true"}
ASKED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "search": ("/search", {"query": "Weather today"}),
    "extract": ("/extract", {"urls": ["https://a.org/", "https://b.org/Weather"]}),
    "crawl": ("/crawl", {"url": "https://weather.org"}),
    "map": ("/map", {"url": "https://weather.org"}),
    "research": ("/research", {"input": "The weather, why?"}),
    "rerank": ("/v2/rerank", {"model": "m", "query": "Weather today", "documents": ["Sun", "Rain"]}),
    "moderation": ("/v1/moderations", {"input": "Weather today"}),
}


@pytest.fixture
def search(call: Call) -> Call:
    """search("text", …): one search; keywords add to its body."""

    def ask(query: str = "Weather today", headers: Mapping[str, str] = {}, **more: Any) -> Any:
        return call("POST", "/search", {"query": query} | more, headers)

    return ask


def titles(response: Any) -> list[str]:
    assert response.status == 200, response.body
    return [each["title"] for each in response.json["results"]]


# -- whose fixture ---------------------------------------------------------------------------------------------------


def test_without_a_fixture_nothing_is_found(mock: AIMock, search: Call) -> None:
    assert titles(search()) == []
    entry = mock.get_last_request()
    assert (entry["service"], entry["body"]) == ("search", {"query": "Weather today", "_endpointType": "search"})
    assert entry["response"] == {"status": 200, "fixture": None}


def test_the_first_pattern_that_is_found_answers_whatever_its_case(mock: AIMock, search: Call) -> None:
    mock.on_search("WEATHER", [SUN]).on_search("weather today", [RAIN]).on_search(re.compile("^n.ws", re.I), [RAIN])
    assert titles(search()) == ["Sun"]
    assert titles(search("what WeAtHeR?")) == ["Sun"]
    assert titles(search("News of the day")) == ["Rain"]
    assert titles(search("no news")) == []
    assert titles(search("straße")) == []
    mock.on_search("STRASSE", [RAIN])
    assert titles(search("Eine Straße")) == ["Rain"]


def test_a_pattern_is_python_s_and_heeds_its_flags(mock: AIMock, search: Call) -> None:
    mock.on_search(re.compile(r"\bsun\b"), [SUN])
    assert titles(search("the sun")) == ["Sun"]
    assert titles(search("the Sun")) == titles(search("sunny")) == []


@pytest.mark.parametrize("endpoint", ASKED)
def test_every_service_is_asked_with_its_own_text(mock: AIMock, call: Call, endpoint: str) -> None:
    path, body = ASKED[endpoint]
    mock.on({"endpoint": endpoint, "query": "weather"}, {"error": {"message": "mine"}, "status": 418})
    assert call("POST", path, body).status == 418
    assert mock.get_last_request()["service"] == endpoint
    others = [other for other in ASKED if other != endpoint]
    assert {call("POST", *ASKED[other]).status for other in others} == {200}


def test_a_query_alone_is_for_every_service_and_for_nothing_else(mock: AIMock, call: Call, chat: Call) -> None:
    mock.on({"query": "weather"}, {"error": {"message": "all"}, "status": 418})
    assert {call("POST", *asked).status for asked in ASKED.values()} == {418}
    assert chat("weather").status == 404


CATCH_ALLS: list[dict[str, Any]] = [
    {"match": {}, "response": {"content": "Hi"}},
    {"match": {}, "response": {"error": {"message": "No."}}},
    {"match": {}, "response": {"json": {"results": []}}},
    {"match": {}, "response": {"embedding": [1.0]}},
    {"match": {}, "response": lambda body: {"content": "made"}},
    {"match": {"userMessage": ""}, "response": {"content": "Hi"}},
    {"match": {"predicate": lambda body: True}, "response": {"content": "Hi"}},
    {"match": {"exact": True}, "response": {"content": "Hi"}},
    {"match": {"endpoint": "chat"}, "response": {"content": "Hi"}},
]


@pytest.mark.parametrize("entry", CATCH_ALLS, ids=range(len(CATCH_ALLS)))
@pytest.mark.parametrize("endpoint", ASKED)
def test_what_answers_models_never_answers_a_service(mock: AIMock, call: Call, entry: Any, endpoint: str) -> None:
    mock.add_fixture(entry)
    path, body = ASKED[endpoint]
    assert call("POST", path, body).status == 200
    assert mock.get_last_request()["response"]["fixture"] is None
    assert call("POST", path, body, STRICT).status == 503


@pytest.mark.parametrize("match", [{"endpoint": "search"}, {"query": "r"}, {"query": re.compile("")}], ids=str)
def test_what_answers_services_never_answers_a_model(mock: AIMock, call: Call, chat: Call, match: Any) -> None:
    mock.on(match, {"content": "no chat", "results": [SUN]})
    assert chat("weather").status == 404
    vectors = call("POST", "/v1/embeddings", {"model": "m", "input": "weather"})
    assert (vectors.status, mock.get_last_request()["response"]["fixture"]) == (200, None)
    assert titles(call("POST", "/search", {"query": "weather"})) == ["Sun"]


def test_every_service_has_its_gate() -> None:
    assert {served_kinds(endpoint) for endpoint in ASKED_WITH} == {frozenset()}


def test_a_response_of_a_service_is_read_as_one() -> None:
    """What would be text, an image or tools elsewhere is a service's own object, and nothing in it is rewritten."""
    said = {"content": {"a": 1}, "images": ["x"], "toolCalls": [], "json": 1}
    fixture = fixture_from({"endpoint": "research"}, said)
    assert (fixture.response.kind, fixture.response.raw) == (Kind.RESULTS, said)
    assert fixture_from({}, {"content": {"a": 1}}).response.raw == {"content": '{"a":1}'}


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"results": "none"}, "results: must be an array, got"),
        ({"images": {}}, "images: must be an array, got"),
        ({"failed_results": ["x"]}, "failed_results: must be an array of objects"),
        ({"answer": 5}, "answer: must be a string or null, got 5"),
        ({"flagged": "yes"}, "flagged: must be true or false"),
        (5, "response: must be an object, got 5"),
    ],
)
def test_a_bad_answer_is_refused(mock: AIMock, response: Any, message: str) -> None:
    with pytest.raises(FixtureError, match=re.escape(message)):
        mock.add_fixtures_from_json([{"match": {"endpoint": "search"}, "response": response}])
    assert mock.fixtures == ()


def test_a_fixture_with_results_and_no_service_is_still_none() -> None:
    with pytest.raises(Refused, match="of no known type"):
        make_fixture({"match": {}, "response": {"results": []}})


# -- what the pipeline does besides ----------------------------------------------------------------------------------


def test_sequences_are_counted_by_test_id(mock: AIMock, search: Call) -> None:
    mock.on_search("weather", [SUN], sequence_index=0).on_search("weather", [RAIN], sequence_index=1)
    assert [titles(search()) for _ in range(3)] == [["Sun"], ["Rain"], []]
    assert titles(search(headers={"X-Test-Id": "other"})) == ["Sun"]
    response = search(headers=STRICT)
    assert response.status == 503
    told = response.json["detail"]
    assert told["error"] == "Strict mode: 2 candidate fixture(s) skipped by sequence/turn state"


def test_a_strict_miss_is_told_in_the_service_s_words_with_a_hint(mock: AIMock, search: Call) -> None:
    mock.on_search("wether", [SUN])
    response = search(headers=STRICT)
    assert response.status == 503
    assert response.json == {
        "detail": {
            "error": "Strict mode: no fixture matched",
            "hint": 'nearest: program: query "wether" is not in "Weather today"',
        }
    }
    assert mock.get_last_request()["response"]["strictOverride"] is True


@pytest.mark.parametrize("status", [400, 401, 403, 429, 432, 433, 500])
def test_an_error_is_told_with_its_status(mock: AIMock, search: Call, status: int) -> None:
    mock.on_search("weather", {"error": {"message": "No."}, "status": status})
    response = search()
    assert (response.status, response.json) == (status, {"detail": {"error": "No."}})
    assert ("retry-after" in response.headers) is (status == 429)


def test_functions_answer_too(mock: AIMock, search: Call) -> None:
    async def later(body: dict[str, Any]) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        return {"results": [SUN | {"title": body["query"]}]}

    mock.on_search("weather", later)
    mock.on_search("none", lambda body: {"error": {"message": "Made.", "type": "x"}, "status": 432})
    mock.on_search("odd", lambda body: {"results": 5})
    mock.on_search("broken", lambda body: 1 / 0)
    assert titles(search()) == ["Weather today"]
    assert search("none").status == 432
    assert "results: must be an array" in search("odd").json["detail"]["error"]
    assert "Response factory threw" in search("broken").json["detail"]["error"]


def test_chaos_befalls_services(mock: AIMock, search: Call) -> None:
    mock.on_search("weather", [SUN], chaos={"faults": [{"name": "drop", "rate": 1.0}]})
    assert search().json["error"]["code"] == "chaos_drop"
    assert mock.get_last_request()["response"]["chaosAction"] == "drop"
    mock.clear_fixtures().set_chaos({"rateLimitRate": 1.0})
    response = search()
    assert (response.status, response.headers["retry-after"]) == (429, "1")


async def test_an_answer_comes_when_it_is_due(memory: Start, autojump_clock: MockClock) -> None:
    server = memory(seed=1)
    await wait_all_tasks_blocked()
    server.state.book.append(
        [
            fixture_from({"endpoint": "search", "query": "slow"}, {"results": [SUN]}, latency=250),
            fixture_from({"endpoint": "search", "query": "model"}, {}, streaming_profile={"ttft": 70, "tps": 10}),
            fixture_from({"endpoint": "search", "query": "fast"}, {}, latency=500, replay_speed=10),
        ]
    )
    due = {"slow": 250, "model": 70, "fast": 50, "none": 0}
    for query, expected in due.items():
        seen = await server.exchange(path="/search", query=query)
        assert (seen.status, seen.ended_at) == (200, expected)
    late = memory(seed=1, latency=30)
    await wait_all_tasks_blocked()
    assert (await late.exchange(path="/search", query="none")).ended_at == 30


async def test_a_research_is_streamed_in_its_time(memory: Start, autojump_clock: MockClock) -> None:
    server = memory(seed=1)
    await wait_all_tasks_blocked()
    said = {"content": "0123456789", "sources": []}
    server.state.book.append([fixture_from({"endpoint": "research"}, said, latency=10, chunk_size=5)])
    seen = await server.exchange(path="/research", model="mini", input="why?", stream=True)
    assert (seen.ending, seen.headers["content-type"]) == ("whole", "text/event-stream; charset=utf-8")
    assert seen.times == [10 * place for place in range(1, 9)], "six of tools, two of the report"
    missed = memory(seed=1)
    await wait_all_tasks_blocked()
    seen = await missed.exchange(path="/research", model="mini", input="why?", stream=True)
    assert seen.body.endswith(b"event: done\n\n")
    assert missed.journal[0]["response"] == {"status": 200, "fixture": None}


def test_a_task_is_of_the_test_that_made_it(mock: AIMock, call: Call) -> None:
    mock.on({"endpoint": "research"}, {"content": "So.", "pollsBeforeCompleted": 1})
    task = call("POST", "/research", {"input": "why?"}, {"X-Test-Id": "a"}).json
    path = f"/research/{task['request_id']}"
    assert call("GET", path, headers={"X-Test-Id": "b"}).status == 404
    assert [call("GET", path, headers={"X-Test-Id": "a"}).status for _ in range(2)] == [202, 200]


def test_the_control_api_knows_services(mock: AIMock, search: Call, call: Call) -> None:
    match = {"endpoint": "search", "query": {"$regex": "^weather", "$flags": "i"}}
    entry = {"match": match, "response": {"results": [SUN]}}
    assert call("POST", "/__aimock/fixtures", {"fixtures": [entry]}).json == {"added": 1}
    assert titles(search()) == ["Sun"]
    (shown,) = call("GET", "/__aimock/fixtures?include=fixtures").json["fixtures"]
    assert (shown["match"]["query"], shown["responseKind"]) == ("/^weather/i", "results")
    bad = {"match": {"endpoint": "search"}, "response": {"results": 5}}
    refused = call("POST", "/__aimock/fixtures", {"fixtures": [bad]})
    assert (refused.status, refused.json["details"][0]["message"]) == (400, "results: must be an array, got 5")
    found = call("GET", "/__aimock/journal?service=search").json
    assert [each["path"] for each in found] == ["/search"]
    assert call("POST", "/__aimock/reset").status == 200
    assert titles(search()) == []


def test_a_key_in_the_body_is_nowhere_to_be_seen(mock: AIMock, search: Call, call: Call) -> None:
    search(api_key="tvly-secret")
    assert "tvly-secret" not in json.dumps(mock.get_requests())
    assert "tvly-secret" not in call("GET", "/__aimock/journal").body.decode()


def test_paths_are_counted_by_their_templates() -> None:
    with AIMock(metrics=True) as mock:
        request = urllib.request.Request(f"{mock.url}/search", b'{"query":"q"}')  # our own
        with urllib.request.urlopen(request, timeout=10), urllib.request.urlopen(f"{mock.url}/metrics") as scraped:
            text = scraped.read().decode()
    assert 'aimock_requests_total{method="POST",path="/search",status="200"} 1' in text


def test_many_fixtures_are_found_by_their_query(mock: AIMock, search: Call) -> None:
    mock.add_fixtures(
        {"match": {"endpoint": "search", "query": f"Topic {each:03}"}, "response": {"results": [{"title": str(each)}]}}
        for each in range(300)
    )
    assert titles(search("about TOPIC 123")) == ["123"]
    assert titles(search("about topic")) == []


# -- recording -------------------------------------------------------------------------------------------------------


def test_a_miss_is_recorded_and_found_again(tmp_path: Path) -> None:
    import http.client

    def ask(mock: AIMock, body: dict[str, Any], path: str = "/search") -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", mock.port, timeout=10)
        connection.request("POST", path, json.dumps(body), {"Authorization": "Bearer tvly-secret"})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return data if response.status == 200 else (response.status, data)

    with AIMock(log_level="silent") as provider:
        provider.on_search("weather", {"results": [SUN, RAIN], "answer": "Sunny."})
        provider.on({"endpoint": "research"}, {"content": "A report.", "sources": [SUN]})
        config = {"providers": {"tavily": provider.url}, "fixturePath": str(tmp_path)}
        with AIMock(record=config, log_level="silent") as recording:
            body = {"query": "Weather", "api_key": "tvly-other", "include_answer": True, "max_results": 2}
            first = ask(recording, body)
            assert json.loads(first)["answer"] == "Sunny."
            streamed = ask(recording, {"input": "why?", "stream": True}, "/research")
            assert streamed.endswith(b"event: done\n\n")
            assert json.loads(ask(recording, {"input": "later"}, "/research"))["status"] == "pending"
            assert len(provider.get_requests()) == 2, "a task that is asked after later stays here"
    text = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "tvly-" not in text
    entries = [json.loads(path.read_text())["fixtures"][0] for path in tmp_path.rglob("*.json")]
    (recorded,) = [entry for entry in entries if entry["match"]["endpoint"] == "search"]
    assert recorded["match"] == {"exact": True, "endpoint": "search", "query": "Weather"}
    assert recorded["response"]["results"][0]["title"] == "Sun"
    with AIMock(log_level="silent", strict=True) as replaying:
        replaying.load_fixtures(tmp_path)
        assert ask(replaying, body) == first
        assert ask(replaying, {"input": "why?", "stream": True}, "/research") == streamed
        assert ask(replaying, {"query": "weather"})[0] == 503, "what was recorded is for just that"


# -- config ----------------------------------------------------------------------------------------------------------


def configured(tmp_path: Path, services: Any) -> Config:
    (tmp_path / "c.json").write_text(json.dumps({"services": services}))
    return load_config(tmp_path / "c.json")


ENTRY = {"match": {"query": "weather"}, "response": {"results": [SUN]}}


@pytest.mark.parametrize(
    "section",
    [
        [{"match": "weather", "results": [SUN]}],
        [{"match": {"query": "weather"}, "results": [SUN]}],
        [{"match": {"$regex": "w.ather"}, "results": [SUN]}],
        [ENTRY],
        {"fixtures": [ENTRY]},
        {"fixtures": "array.json"},
        "array.json",
        "object.json",
        "folder",
    ],
    ids=str,
)
def test_a_config_has_fixtures_for_services(tmp_path: Path, section: Any) -> None:
    (tmp_path / "array.json").write_text(json.dumps([ENTRY]))
    (tmp_path / "object.json").write_text(json.dumps({"fixtures": [ENTRY]}))
    (tmp_path / "folder" / "deeper").mkdir(parents=True)
    (tmp_path / "folder" / "deeper" / "a.json").write_text(json.dumps([ENTRY]))
    (fixture,) = configured(tmp_path, {"search": section}).service_fixtures
    assert fixture.match.endpoint == "search"
    assert fixture.response.raw == {"results": [SUN]}


@pytest.mark.parametrize("name", SECTIONS)
def test_true_is_nothing_found_and_false_is_nothing(tmp_path: Path, name: str) -> None:
    (fixture,) = configured(tmp_path, {name: True}).service_fixtures
    nothing = {"ranking": "empty"} if name == "rerank" else {}
    assert (fixture.match.endpoint, fixture.response.raw) == (SECTIONS[name], nothing)
    assert configured(tmp_path, {name: False}).service_fixtures == ()


def test_true_answers_a_strict_server_too(tmp_path: Path) -> None:
    """It has always registered a catch-all."""
    from aimock.net.exchange import Request
    from aimock.net.fast_lane import make_head

    config = configured(tmp_path, {"search": True, "moderate": {"fixtures": []}})
    app = build(Config(strict=True, service_fixtures=config.service_fixtures, fixtures=()))
    head = make_head("POST", "/search", [("host", "x")])
    assert head is not None
    whole: Any = app.answer(Request(head, b'{"query":"q"}'))
    assert whole.status == 200


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ({"serch": True}, 'services.serch: unknown key, did you mean "services.search"?'),
        ({"moderation": True}, 'services.moderation: unknown key, did you mean "services.moderate"?'),
        ({"search": 5}, "services.search: expected true, false, a path"),
        ({"search": {"fixture": []}}, "services.search: expected true, false, a path"),
        ({"search": {"fixtures": True}}, "services.search: expected true, false, a path"),
        (
            {"search": "nowhere"},
            "services.search: expected an object or an array, or the path of a file that",
        ),
        ({"search": "bad.json"}, "bad.json: "),
        ({"search": "text.json"}, "text.json: expected true, false"),
        ({"search": [5]}, "services.search[0].entry: must be an object"),
        ({"search": [{"results": []}]}, "services.search[0].match: missing"),
        ({"search": [{"match": "a"}]}, "services.search[0].response: missing"),
        ({"search": [ENTRY, {"match": {"query": 5}, "results": []}]}, "services.search[1].match.query: must"),
        ({"rerank": [{"match": {"endpoint": "search"}, "results": []}]}, 'match.endpoint: expected "rerank" or none'),
        (True, "services: expected an object"),
    ],
)
def test_what_is_wrong_in_a_config_is_named(tmp_path: Path, services: Any, message: str) -> None:
    (tmp_path / "bad.json").write_text("[")
    (tmp_path / "text.json").write_text('"text"')
    with pytest.raises(ConfigError) as raised:
        configured(tmp_path, services)
    assert message in str(raised.value)
    assert str(tmp_path) in str(raised.value)
