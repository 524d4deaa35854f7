"""Metrics (core-metrics): what is counted, under which labels, and how it is written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock import AIMock
from aimock.app import App
from aimock.fixtures import fixture_from
from aimock.metrics import Metered, Metrics, rendered
from aimock.net.exchange import Answer, Cut, Ending, Head, Outcome, Refusal, Request, Stream, Task, Whole
from aimock.net.limits import Limits
from aimock.net.memory import connect
from aimock.net.server import HTTPServer
from aimock.settings import Settings
from aimock.state import State

Call = Callable[..., Any]
Numbers = dict[tuple[str, ...], float]

CHAT = "/v1/chat/completions"


@pytest.fixture
def mock() -> Iterator[AIMock]:
    with AIMock(metrics=True) as running:
        yield running


def counted(text: str, name: str = "aimock_requests_total") -> Numbers:
    """The samples of a name, by the values of their labels in order of the labels' names."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for sample in samples
        if sample.name == name
    }


def scraped(state: State, name: str = "aimock_requests_total") -> Numbers:
    assert state.metrics is not None
    return counted(state.metrics.exposition(), name)


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_first_scrape_is_the_gauge_and_the_second_counts_the_first(mock: AIMock, call: Call) -> None:
    first = call("GET", "/metrics")
    assert first.status == 200
    assert first.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert first.headers["access-control-allow-origin"] == "*"
    assert first.body == b"# TYPE aimock_fixtures_loaded gauge\naimock_fixtures_loaded{} 0\n"
    second = call("GET", "/metrics").body.decode()
    lines = second.splitlines()
    assert lines[:5] == [
        "# TYPE aimock_fixtures_loaded gauge",
        "aimock_fixtures_loaded{} 0",
        "# TYPE aimock_requests_total counter",
        'aimock_requests_total{method="GET",path="/metrics",status="200"} 1',
        "# TYPE aimock_request_duration_seconds histogram",
    ]
    bounds = [line.partition('le="')[2].partition('"')[0] for line in lines[5:-2]]
    assert bounds == ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
    bucket = 'aimock_request_duration_seconds_bucket{method="GET",path="/metrics",le="+Inf"} 1'
    assert (lines[-3], lines[-2].split()[0], lines[-1]) == (
        bucket,
        'aimock_request_duration_seconds_sum{method="GET",path="/metrics"}',
        'aimock_request_duration_seconds_count{method="GET",path="/metrics"} 1',
    )
    assert second.endswith("\n")


def test_series_are_in_the_order_of_their_first_use(mock: AIMock, call: Call) -> None:
    for path in ("/ready", "/health", "/ready", "/nope", "/__aimock/health"):
        call("GET", path)
    assert [path for _, path, _ in counted(call("GET", "/metrics").body.decode())] == [
        "/ready",
        "/health",
        "{unknown}",
        "/__aimock/health",
    ]


def test_without_metrics_there_is_no_route_and_nothing_is_imported(call: Call) -> None:
    with AIMock() as plain:
        response = call("GET", "/metrics", port=plain.port)
        assert (response.status, response.json["error"]["type"]) == (404, "not_found")
        assert plain._state.metrics is None
    code = "import sys, aimock.startup, aimock.server; assert not {'prometheus_client', 'aimock.auth'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_without_metrics_the_handler_is_the_app_itself() -> None:
    assert isinstance(App(State(Settings())).counted(), App)
    assert isinstance(App(State(Settings(metrics=True))).counted(), Metered)


def test_metrics_need_no_key(call: Call) -> None:
    with AIMock(metrics=True, api_keys=["sk-1"]) as guarded:
        assert call("GET", CHAT, port=guarded.port).status == 401
        response = call("GET", "/metrics", port=guarded.port)
        assert response.status == 200
        assert counted(response.body.decode()) == {("GET", CHAT, "401"): 1}


def test_d9_field_54_two_servers_count_apart(mock: AIMock, call: Call) -> None:
    """core-lessons D9, field 2.54"""
    with AIMock(metrics=True) as other:
        call("GET", "/health", port=other.port)
        assert counted(call("GET", "/metrics").body.decode()) == {}
        assert counted(call("GET", "/metrics", port=other.port).body.decode()) == {("GET", "/health", "200"): 1}


def test_d12_the_gauge_is_the_number_of_fixtures_however_they_came(mock: AIMock, call: Call, tmp_path: Path) -> None:
    """core-lessons D12"""

    def loaded() -> float:
        return counted(call("GET", "/metrics").body.decode(), "aimock_fixtures_loaded")[()]

    mock.on_message("a", {"content": "x"}).prepend_fixture({"match": {}, "response": {"content": "y"}})
    assert loaded() == 2
    call("POST", "/__aimock/fixtures", {"fixtures": [{"match": {}, "response": {"content": "z"}}]})
    assert loaded() == 3
    file = tmp_path / "f.json"
    file.write_text('{"fixtures": [{"match": {}, "response": {"content": "x"}}]}')
    mock.load_fixtures(file)
    assert loaded() == 4
    mock.next_request_error(500)
    assert loaded() == 4, "a one-shot error is no fixture"
    call("POST", "/__aimock/reset")
    assert loaded() == 0
    mock.on_message("a", {"content": "x"}).clear_fixtures()
    assert loaded() == 0


def test_a_reset_forgets_no_count(mock: AIMock, call: Call) -> None:
    call("GET", "/health")
    call("POST", "/__aimock/reset")
    assert counted(call("GET", "/metrics").body.decode())["GET", "/health", "200"] == 1


def test_counting_changes_no_id(call: Call) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}

    def ids(**options: Any) -> list[str]:
        with AIMock(seed=1, **options) as mock:
            mock.on_message("hello", {"content": "Hi"})
            return [call("POST", CHAT, asked, port=mock.port).json["id"] for _ in range(3)]

    assert ids() == ids(metrics=True)


# -- labels ----------------------------------------------------------------------------------------------------------

AZURE = "/openai/deployments/my-gpt"


@pytest.mark.parametrize(
    ("method", "path", "label", "status"),
    [
        ("POST", CHAT, ("POST", CHAT), 400),
        ("POST", f"{CHAT}?a=1&key=secret", ("POST", CHAT), 400),
        ("POST", f"{CHAT}/", ("POST", CHAT), 400),
        ("POST", "/openai/v1/chat/completions", ("POST", CHAT), 400),
        ("POST", "/api/paas/v4/chat/completions", ("POST", CHAT), 400),
        ("POST", "/chat/completions", ("POST", CHAT), 400),
        ("POST", f"{AZURE}/chat/completions?api-version=2024-06-01", ("POST", CHAT), 400),
        ("POST", f"{AZURE}/completions", ("POST", "/v1/completions"), 400),
        ("GET", f"{AZURE}/chat/completions", ("GET", CHAT), 405),
        ("GET", CHAT, ("GET", CHAT), 405),
        ("HEAD", "/health", ("HEAD", "/health"), 200),
        ("OPTIONS", CHAT, ("OPTIONS", CHAT), 204),
        ("OPTIONS", "/nope", ("OPTIONS", "{unknown}"), 204),
        ("OPTIONS", "*", ("OPTIONS", "{unknown}"), 204),
        ("OPTIONS", "/__aimock/reset", ("OPTIONS", "/__aimock/reset"), 204),
        ("GET", "/v1/models/gpt-4o", ("GET", "/v1/models/{model}"), 200),
        ("GET", "/v1/models/a/b/c", ("GET", "/v1/models/{model}"), 404),
        ("GET", "/v1/_requests", ("GET", "/v1/_requests"), 200),
        ("GET", "/__aimock/journal?limit=1", ("GET", "/__aimock/journal"), 200),
        ("PATCH", "/__aimock/journal", ("PATCH", "/__aimock/journal"), 404),
        ("GET", "/__aimock/journal/", ("GET", "/__aimock/{other}"), 404),
        ("GET", "/__aimock/x/y", ("GET", "/__aimock/{other}"), 404),
        ("GET", "/__aimockfoo", ("GET", "/__aimock/{other}"), 404),
        ("GET", "/__aimock", ("GET", "/__aimock/{other}"), 404),
        ("GET", "/nope", ("GET", "{unknown}"), 404),
        ("GET", "/v1/nope/1", ("GET", "{unknown}"), 404),
        ("GET", "/{unknown}", ("GET", "{unknown}"), 404),
        ("BREW", CHAT, ("{other}", CHAT), 405),
        ("BREW", "/pot", ("{other}", "{unknown}"), 404),
        ("GET", "http://mock/health", ("GET", "/health"), 200),
    ],
)
def test_a_request_is_counted_under_its_route(
    mock: AIMock, call: Call, method: str, path: str, label: tuple[str, str], status: int
) -> None:
    assert call(method, path, b"{" if method == "POST" else None).status == status
    text = call("GET", "/metrics").body.decode()
    assert counted(text) == {(*label, str(status)): 1}
    assert counted(text, "aimock_request_duration_seconds_count") == {label: 1}


async def test_labels_are_bounded_whatever_is_asked_for(autojump_clock: MockClock, memory: Call) -> None:
    server = memory(metrics=True)
    await wait_all_tasks_blocked()
    client = connect(server.server)
    for number in range(300):
        for path in (f"/{number}", f"/v1/models/{number}", f"/__aimock/{number}", f"/x{number}/chat/completions"):
            client.send(b"M%d %b HTTP/1.1\r\nHost: x\r\n\r\n" % (number, path.encode()))
    await wait_all_tasks_blocked()
    seen = scraped(server.state)
    assert sum(seen.values()) == 1200
    assert set(seen) == {
        ("{other}", "{unknown}", "404"),
        ("{other}", "/v1/models/{model}", "405"),
        ("{other}", "/__aimock/{other}", "404"),
        ("{other}", CHAT, "405"),
    }


# -- durations and endings -------------------------------------------------------------------------------------------


async def served(memory: Call, response: Any, **options: Any) -> Any:
    server = memory(seed=1, metrics=True)
    await wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, response, **{"chunk_size": 5} | options)])
    return server


async def test_the_duration_of_a_stream_is_all_of_it(autojump_clock: MockClock, memory: Call) -> None:
    server = await served(memory, {"content": "0123456789"}, latency=100)
    streamed = await server.stream()
    assert streamed.ended_at == 400
    await wait_all_tasks_blocked()
    assert scraped(server.state) == {("POST", CHAT, "200"): 1}
    name = "aimock_request_duration_seconds"
    assert scraped(server.state, f"{name}_sum")["POST", CHAT] == pytest.approx(0.4)
    buckets = {bound: count for (bound, _, _), count in scraped(server.state, f"{name}_bucket").items()}
    assert {bound for bound, count in buckets.items() if count} == {"0.5", "1", "2.5", "5", "10", "+Inf"}


async def test_a_stream_is_counted_when_it_ends_and_not_before(autojump_clock: MockClock, memory: Call) -> None:
    server = await served(memory, {"content": "0123456789"}, latency=100)
    client = server.send(stream=True)
    await client.receive_until(b"assistant")
    assert scraped(server.state) == {}
    await client.receive_until(b"[DONE]")
    await wait_all_tasks_blocked()
    assert scraped(server.state) == {("POST", CHAT, "200"): 1}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"truncate_after_chunks": 2}, id="truncated"),
        pytest.param({"truncate_after_chunks": 2, "latency": 50}, id="truncated, paced"),
        pytest.param({"disconnect_after_ms": 120, "latency": 50}, id="disconnected"),
    ],
)
async def test_e7_a_cut_stream_is_destroyed(autojump_clock: MockClock, memory: Call, options: Any) -> None:
    """core-lessons E7"""
    server = await served(memory, {"content": "0123456789"}, **options)
    assert not (await server.stream()).whole
    await wait_all_tasks_blocked()
    assert scraped(server.state) == {("POST", CHAT, "destroyed"): 1}
    assert scraped(server.state, "aimock_request_duration_seconds_count") == {("POST", CHAT): 1}


async def slowly(_: Any) -> dict[str, str]:
    await trio.sleep(5)
    return {"content": "0123456789"}


KINDS = {
    "whole": ({"content": "0123456789"}, {}, {}),
    "streamed": ({"content": "0123456789"}, {}, {"stream": True}),
    "paced": ({"content": "0123456789"}, {"latency": 50}, {"stream": True}),
    "awaited": (slowly, {}, {}),
    "awaited, streamed": (slowly, {"latency": 50}, {"stream": True}),
    "missed": ({"content": "x"}, {"model": "another"}, {}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_e7_every_request_is_counted_once_wherever_its_client_leaves(
    autojump_clock: MockClock, memory: Call, kind: str
) -> None:
    """core-lessons E7, C12: after k bytes of the answer, for many k; destroyed unless all of it could be sent."""
    response, options, asked = KINDS[kind]
    if "model" in options:
        match, options = {"model": options["model"]}, {}
    else:
        match = {}
    server = memory(seed=1, metrics=True)
    await wait_all_tasks_blocked()
    server.state.book.append([fixture_from(match, response, **options)])
    status = "404" if match else "200"
    whole = server.send(**asked)
    await trio.sleep(20)
    length = sum(len(arrival.data) for arrival in whole._incoming.arrivals)
    assert scraped(server.state) == {("POST", CHAT, status): 1}
    for number, k in enumerate([*range(1, length, 97), length - 1], start=1):
        client = server.send(capacity=k, **asked)
        await trio.sleep(20)
        client.leave()
        await wait_all_tasks_blocked()
        seen = scraped(server.state)
        assert seen == {("POST", CHAT, status): 1, ("POST", CHAT, "destroyed"): number}
    assert sum(scraped(server.state, "aimock_request_duration_seconds_count").values()) == number + 1


async def test_an_answer_that_nobody_waited_for_is_destroyed(autojump_clock: MockClock, memory: Call) -> None:
    server = await served(memory, slowly)
    client = server.send()
    await trio.sleep(2)
    client.leave()
    await wait_all_tasks_blocked()
    assert scraped(server.state) == {("POST", CHAT, "destroyed"): 1}
    assert scraped(server.state, "aimock_request_duration_seconds_sum")["POST", CHAT] == pytest.approx(2)


async def test_a_server_that_stops_destroys_what_it_cannot_finish(autojump_clock: MockClock, memory: Call) -> None:
    server = await served(memory, slowly)
    server.send()
    paced = server.send(stream=True)
    await wait_all_tasks_blocked()
    await server.server.shut_down(grace=1)
    await wait_all_tasks_blocked()
    assert scraped(server.state) == {("POST", CHAT, "destroyed"): 2}
    paced.leave()


@pytest.mark.parametrize(
    ("sent", "label", "status"),
    [
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n", ("POST", CHAT), 413),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", ("POST", CHAT), 408),
        (b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n", ("POST", "{unknown}"), 400),
        (b"BREW /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno\r\n", ("{other}", "{unknown}"), 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70000 + b"\r\n\r\n", ("{other}", "{unknown}"), 431),
        (b"nonsense\r\n\r\n", ("{other}", "{unknown}"), 400),
        (b"GET /health HTT", ("{other}", "{unknown}"), 408),
    ],
)
async def test_refusals_are_counted(
    autojump_clock: MockClock, memory: Call, sent: bytes, label: tuple[str, str], status: int
) -> None:
    server = memory(metrics=True, limits=Limits(body_bytes=100))
    await wait_all_tasks_blocked()
    client = connect(server.server)
    client.send(sent)
    assert (await client.receive()).data.startswith(f"HTTP/1.1 {status} ".encode())
    await client.receive_all()
    assert scraped(server.state) == {(*label, str(status)): 1}


async def test_a_refusal_that_its_client_did_not_take_is_destroyed(autojump_clock: MockClock, memory: Call) -> None:
    server = memory(metrics=True)
    await wait_all_tasks_blocked()
    client = connect(server.server, capacity=5)
    client.send(b"nonsense\r\n\r\n")
    await wait_all_tasks_blocked()
    client.leave()
    await wait_all_tasks_blocked()
    assert scraped(server.state) == {("{other}", "{unknown}", "destroyed"): 1}


# -- the handler, with answers that no fixture gives yet ---------------------------------------------------------------


class Scripted:
    """Stands where the App does, and answers as it is told."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def answer(self, request: Request) -> Answer:
        return self._answer

    def refuse(self, head: Head | None, refusal: Refusal) -> Whole:
        return Whole(refusal.status, ())

    def label(self, head: Head | None) -> str:
        return "/label"


def metered(answer: Answer, begun: float, ended: float) -> tuple[Answer, Callable[[], tuple[Numbers, Numbers]]]:
    metrics, times = Metrics(lambda: 0), iter([begun, ended])
    handler = Metered(Scripted(answer), metrics, lambda: next(times))
    watched = handler.answer(Request(Head("GET", "/", "/", "", {}, ())))

    def numbers() -> tuple[Numbers, Numbers]:
        text = metrics.exposition()
        return counted(text), counted(text, "aimock_request_duration_seconds_sum")

    return watched, numbers


@pytest.mark.parametrize(
    ("answer", "outcome", "status"),
    [
        (Whole(200, ()), Outcome.DELIVERED, "200"),
        (Whole(503, ()), Outcome.DELIVERED, "503"),
        (Whole(200, ()), Outcome.CLIENT_LEFT, "destroyed"),
        (Whole(200, ()), Outcome.STOPPED, "destroyed"),
        (Stream(200, (), ()), Outcome.DELIVERED, "200"),
        (Stream(200, (), (), ending=Ending.RST), Outcome.DELIVERED, "destroyed"),
        (Stream(200, (), (), ending=Ending.STALL), Outcome.CLIENT_LEFT, "destroyed"),
        *((Cut(ending), Outcome.DELIVERED, "destroyed") for ending in Ending),
    ],
)
async def test_an_ending_gives_the_status(answer: Answer, outcome: Outcome, status: str) -> None:
    told: list[Outcome] = []
    answer = attrs.evolve(answer, on_end=told.append)
    for given_answer in (answer, Task(lambda: trio.to_thread.run_sync(lambda: answer))):
        watched, numbers = metered(given_answer, 10.0, 10.25)
        if isinstance(watched, Task):
            watched = await watched.run()
        assert numbers() == ({}, {})
        watched.on_end(outcome)
        assert numbers() == ({("GET", "/label", status): 1}, {("GET", "/label"): 0.25})
    assert told == [outcome, outcome], "who was to be told still is, once for each"


async def test_a_task_that_makes_a_task_is_counted_once() -> None:
    async def inner() -> Answer:
        return Whole(418, ())

    async def outer() -> Answer:
        return Task(inner)

    watched, numbers = metered(Task(outer), 0.0, 1.0)
    (await (await watched.run()).run()).on_end(Outcome.DELIVERED)
    assert numbers() == ({("GET", "/label", "418"): 1}, {("GET", "/label"): 1.0})


async def test_a_task_that_fails_or_is_cancelled_is_destroyed(autojump_clock: MockClock) -> None:
    async def fail() -> Answer:
        raise RuntimeError

    async def forever() -> Answer:
        await trio.sleep_forever()
        raise AssertionError

    watched, numbers = metered(Task(fail), 0.0, 1.0)
    with pytest.raises(RuntimeError):
        await watched.run()
    assert numbers()[0] == {("GET", "/label", "destroyed"): 1}
    watched, numbers = metered(Task(forever), 0.0, 1.0)
    with trio.move_on_after(1) as scope:
        await watched.run()
    assert scope.cancelled_caught
    assert numbers()[0] == {("GET", "/label", "destroyed"): 1}


@pytest.mark.parametrize("ending", [Ending.FIN, Ending.RST, Ending.STALL])
async def test_net_tells_when_it_gives_no_answer_at_all(autojump_clock: MockClock, ending: Ending) -> None:
    told: list[tuple[Outcome, float]] = []
    handler = Scripted(Cut(ending, lambda outcome: told.append((outcome, trio.current_time()))))
    server = HTTPServer(handler)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        client, start = connect(server), trio.current_time()
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await trio.sleep(10)
        assert told == [(Outcome.DELIVERED, start)], "at once, not when the client gives up"
        client.leave()
        nursery.cancel_scope.cancel()
    assert len(told) == 1


# -- chaos -----------------------------------------------------------------------------------------------------------


def test_chaos_is_counted_from_its_first_use() -> None:
    metrics = Metrics(lambda: 3)
    assert "chaos" not in metrics.exposition()
    for _ in range(2):
        metrics.chaos_triggered("drop", "fixture")
    metrics.chaos_triggered("disconnect", "internal")
    metrics.chaos_bypassed("malformed", "proxy", "sse_streamed")
    assert metrics.exposition() == (
        "# TYPE aimock_fixtures_loaded gauge\n"
        "aimock_fixtures_loaded{} 3\n"
        "# TYPE aimock_chaos_triggered_total counter\n"
        'aimock_chaos_triggered_total{action="drop",source="fixture"} 2\n'
        'aimock_chaos_triggered_total{action="disconnect",source="internal"} 1\n'
        "# TYPE aimock_chaos_bypassed_total counter\n"
        'aimock_chaos_bypassed_total{action="malformed",reason="sse_streamed",source="proxy"} 1\n'
    )


# -- the text format -------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(values=st.lists(st.tuples(TEXT, TEXT), unique=True, min_size=1))
@example(values=[('"', "\\"), ("\n", "\\n"), ('\\"', 'a="b",c="d"} 1\n'), ("", "{}"), ("é\r\x85\u2028", "🚀")])
def test_any_label_survives_a_parser(values: list[tuple[str, str]]) -> None:
    metrics = Metrics(lambda: 0)
    for number, (action, source) in enumerate(values, start=1):
        for _ in range(number):
            metrics.chaos_triggered(action, source)
    seen = counted(metrics.exposition(), "aimock_chaos_triggered_total")
    assert seen == {each: number for number, each in enumerate(values, start=1)}


@given(st.lists(st.floats(0, 1e9), min_size=1), TEXT)
@example([0.005, 1, 10], "a bound is within its bucket")
def test_a_histogram_survives_a_parser(observed: list[float], path: str) -> None:
    metrics = Metrics(lambda: 0)
    for value in observed:
        metrics.request("GET", path, "200", value)
    text, name = metrics.exposition(), "aimock_request_duration_seconds"
    buckets = {bound: count for (bound, _, _), count in counted(text, f"{name}_bucket").items()}
    assert len(buckets) == 12
    for bound, count in buckets.items():
        assert count == sum(value <= float(bound) for value in observed), bound
    assert counted(text, f"{name}_count") == {("GET", path): len(observed)}
    assert counted(text, f"{name}_sum")["GET", path] == pytest.approx(sum(observed))


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (0, "0"), (0.022873114, "0.022873114"), (1e16, "1e+16"), (-2.5, "-2.5"), (1e-7, "1e-07")],
)
def test_numbers_are_as_short_as_can_be(value: float, text: str) -> None:
    metric = GaugeMetricFamily("g", "help", value=value)
    assert rendered(metric) == f"# TYPE g gauge\ng{{}} {text}\n"
    assert counted(rendered(metric), "g") == {(): value}


def test_d9_field_54_a_directory_of_another_program_s_metrics_is_left_alone(tmp_path: Path) -> None:
    """core-lessons D9, field 2.54: with it the Prometheus client's own values would be shared by all servers."""
    code = """
from aimock.metrics import Metrics
one, other = Metrics(lambda: 1), Metrics(lambda: 2)
for metrics in (one, other, other):
    metrics.request("GET", "/", "200", 0.1)
print([line for metrics in (one, other) for line in metrics.exposition().splitlines() if "requests_total{" in line])
"""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    label = 'aimock_requests_total{method="GET",path="/",status="200"}'
    assert done.stdout == f"{[f'{label} 1', f'{label} 2']}\n"
    assert list(tmp_path.iterdir()) == []
