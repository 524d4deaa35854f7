"""The same seed, requests and fixtures give the same bytes, in whatever order the requests arrive."""

from __future__ import annotations

import concurrent.futures
import json
import random
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import attrs
import pytest
import trio
from trio.testing import MockClock

from aimock import AIMock, randomness
from aimock.chaos import chaos_from_json
from aimock.fixtures import fixture_from
from aimock.net.memory import connect
from aimock.randomness import Randomness, uniforms
from aimock_protocols.canonical import ENTROPY_BYTES

Start = Callable[..., Any]

NOW = 1_800_000_000.0
IN_PARALLEL = 20
CHAOS = {
    "dropRate": 0.1,
    "malformedRate": 0.1,
    "rateLimitRate": 0.1,
    "disconnectRate": 0.1,
    "faults": ["fin;afterChunks=2;rate=.1", "truncate;rate=.1", "broken-arguments;rate=.2", "malformed-frame;rate=.2"],
}


class Asked(NamedTuple):
    """One request of the script. `again` tells apart those that ask the same."""

    test_id: str
    text: str
    stream: bool
    again: int


SCRIPT = [
    Asked(f"test-{place % 4}", ("talk", "call", "fail")[place % 3] + f" {place // 2 * 2}", place % 5 < 2, again)
    for place in range(100)
    for again in range(2)
]
assert len(SCRIPT) == 200


def fixtures() -> list[Any]:
    return [
        fixture_from({"userMessage": "talk"}, {"content": "0123456789" * 6}, streaming_profile=JITTERY, chunk_size=4),
        fixture_from({"userMessage": "call"}, {"toolCalls": [{"name": "f", "arguments": {"city": "Paris"}}]}),
        fixture_from({"userMessage": "fail"}, {"error": {"message": "no"}, "status": 503}, chaos={"dropRate": 0}),
    ]


JITTERY = {"ttft": 3, "tps": 2000, "jitter": 0.5}


def request(asked: Asked, *more: str) -> bytes:
    body = json.dumps({"model": "m", "stream": asked.stream, "messages": [{"role": "user", "content": asked.text}]})
    lines = ("Host: mock", f"X-Test-Id: {asked.test_id}", f"Content-Length: {len(body)}", "Connection: close", *more)
    return "\r\n".join(["POST /v1/chat/completions HTTP/1.1", *lines, "", body]).encode()


Transcript = dict[str, list[Any]]
"""For each test id what was answered to what, sorted: who asks twice at once cannot say which answer is the first."""


def transcript(answers: Iterable[tuple[Asked, Any]]) -> Transcript:
    told: Transcript = {}
    for asked, answer in answers:
        told.setdefault(asked.test_id, []).append((asked.text, asked.stream, answer))
    return {test_id: sorted(entries) for test_id, entries in sorted(told.items())}


# -- over sockets ------------------------------------------------------------------------------------------------------


def live_run(seed: int, order: int, headers: Callable[[Asked], tuple[str, ...]] = lambda asked: ()) -> Transcript:
    """Runs the script with threads, in an order of its own: all bytes of every answer."""
    script = list(SCRIPT)
    random.Random(order).shuffle(script)

    def ask(asked: Asked) -> tuple[Asked, bytes]:
        received = b""
        with socket.create_connection(("127.0.0.1", mock.port), timeout=30) as client:
            client.sendall(request(asked, *headers(asked)))
            while data := client.recv(65536):
                received += data
        return asked, received

    with AIMock(seed=seed, wall_clock=lambda: NOW, chaos=CHAOS) as mock:
        mock.add_fixtures(fixtures())
        with concurrent.futures.ThreadPoolExecutor(IN_PARALLEL) as threads:
            return transcript(threads.map(ask, script))


def test_two_runs_with_the_same_seed_are_the_same_byte_for_byte() -> None:
    first, second = live_run(seed=7, order=1), live_run(seed=7, order=2)
    assert first == second
    assert list(first) == ["test-0", "test-1", "test-2", "test-3"]
    answers = [answer for entries in first.values() for _, _, answer in entries]
    assert len(answers) == 200
    seen = {kind: sum(mark in answer for answer in answers) for kind, mark in MARKS.items()}
    assert min(seen.values()) > 0, f"the script must meet everything: {seen}"
    assert answers.count(b"") > 5, "disconnected"
    ids = [found for answer in answers for found in set(re.findall(rb"chatcmpl-\w{29}", answer))]
    assert len(ids) == len(set(ids)) > 50, "no two answers have the same id"


MARKS = {
    "drop": b"chaos_drop",
    "malformed": b"<<<chaos>>>",
    "rateLimit": b"chaos_ratelimit",
    "error": b'"message":"no"',
    "end": b"data: [DONE]",
    "call": b'"arguments":"{\\"city\\":\\"Paris\\"}"',
    "broken arguments": b'"arguments":"{\\"city\\":"',
    "date": b"date: Fri, 15 Jan 2027 08:00:00 GMT",
}


def test_another_seed_gives_another_run() -> None:
    first, second = live_run(seed=7, order=1), live_run(seed=8, order=1)
    for test_id in first:
        same = sum(one == other for one, other in zip(first[test_id], second[test_id], strict=True))
        assert same < len(first[test_id]) / 4, "those that are cut or malformed alike"
    chaotic = [[answer == b"" for entries in run.values() for _, _, answer in entries] for run in (first, second)]
    assert chaotic[0] != chaotic[1], "other requests are struck"


def test_headers_of_the_client_disturb_nothing() -> None:
    def odd(asked: Asked) -> tuple[str, ...]:
        return (f"X-Request-Id: mine-{hash(asked)}", f"User-Agent: {asked.again}", "Authorization: Bearer secret")

    def without_id(run: Transcript) -> Any:
        pattern = rb"(?m)^x-request-id: .*\r\n"
        return {
            test_id: sorted((text, stream, re.sub(pattern, b"", answer)) for text, stream, answer in entries)
            for test_id, entries in run.items()
        }

    first, second = live_run(seed=7, order=1), live_run(seed=7, order=3, headers=odd)
    assert first != second, "request ids are echoed"
    assert without_id(first) == without_id(second)


# -- in memory, times included -----------------------------------------------------------------------------------------


async def memory_run(memory: Start, seed: int, order: int) -> Transcript:
    """Runs the script all at once: all bytes of every answer, each with its time."""
    server = memory(seed=seed, wall_clock=lambda: NOW, chaos=chaos_from_json(CHAOS | {"latencyMs": 20}))
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append(fixtures())
    script = list(SCRIPT)
    random.Random(order).shuffle(script)
    answers: list[tuple[Asked, Any]] = []

    async def ask(asked: Asked) -> None:
        start = trio.current_time()
        client = connect(server.server)
        client.send(request(asked))
        received: dict[float, bytes] = {}
        for arrival in await client.receive_all():
            time = round((arrival.time - start) * 1000, 6)
            received[time] = received.get(time, b"") + arrival.data
        answers.append((asked, sorted(received.items())))

    async with trio.open_nursery() as asking:
        for asked in script:
            asking.start_soon(ask, asked)
    return transcript(answers)


async def test_times_repeat_as_well(autojump_clock: MockClock, memory: Start) -> None:
    first, second = await memory_run(memory, 7, 1), await memory_run(memory, 7, 2)
    assert first == second
    times = {time for entries in first.values() for _, _, pieces in entries for time, _ in pieces}
    assert len(times) > 150, "jitter draws for each stream"
    assert min(times) == 20
    assert await memory_run(memory, 8, 1) != first


async def test_a_stream_of_a_minute_has_its_frames_on_the_millisecond(autojump_clock: MockClock, memory: Start) -> None:
    server = memory(seed=1)
    await trio.testing.wait_all_tasks_blocked()
    server.state.book.append([fixture_from({}, {"content": "x" * 58}, chunk_size=1, latency=1000)])
    streamed = await server.stream()
    assert streamed.chunks == [1000 * place for place in range(1, 61)]
    assert (streamed.ended_at, streamed.whole) == (60_000, True)


# -- the source --------------------------------------------------------------------------------------------------------


def test_entropy_follows_from_seed_scope_target_body_and_count() -> None:
    def first(seed: int = 1, scope: str = "t", target: str = "/a", body: bytes = b"x") -> bytes:
        return Randomness(seed).fork(scope, target, body)

    assert first() == first()
    assert len(first()) == ENTROPY_BYTES
    others = [first(seed=2), first(scope="u"), first(target="/b"), first(body=b"y"), first(seed=-1)]
    assert len({first(), *others}) == 6


def test_scope_and_target_do_not_run_into_each_other() -> None:
    one, other = Randomness(1), Randomness(1)
    assert one.fork("a", "b/", b"") != other.fork("ab", "/", b"")


def test_what_is_asked_again_gets_something_new_and_the_same_in_every_run() -> None:
    one, other = Randomness(1), Randomness(1)
    drawn = [one.fork("t", "/", b"x") for _ in range(100)]
    assert len(set(drawn)) == 100
    again = []
    for place in range(100):
        other.fork("t", "/", str(place).encode())  # others in between change nothing
        again.append(other.fork("t", "/", b"x"))
    assert drawn == again
    one.rewind()
    assert one.fork("t", "/", b"x") == drawn[0]


def test_a_seed_is_drawn_where_none_is_given() -> None:
    assert len({Randomness().seed for _ in range(4)}) > 1
    drawn = Randomness()
    assert Randomness(drawn.seed).fork("t", "/", b"") == drawn.fork("t", "/", b"")


def test_contents_are_counted_for_two_generations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """field 2.51"""
    monkeypatch.setattr(randomness, "_GENERATION", 4)
    source = Randomness(1)

    def fork(content: object) -> bytes:
        return source.fork("t", "/", str(content).encode())

    x = [fork("x")]
    for place in range(7):
        fork(place)
        x.append(fork("x"))
    assert len(set(x)) == 8, "what is in use is remembered, whatever else comes"
    for place in range(100, 107):
        fork(place)
    assert fork("x") == x[0], "what was not asked for two generations begins anew"
    assert len(source._young) + len(source._old) <= 8


def test_the_second_generation_goes_on_counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomness, "_GENERATION", 2)
    source, undisturbed = Randomness(1), Randomness(1)
    source.fork("t", "/", b"x")
    undisturbed.fork("t", "/", b"x")
    for place in range(2):
        source.fork("t", "/", str(place).encode())
    assert source._old
    assert source.fork("t", "/", b"x") == undisturbed.fork("t", "/", b"x")


def test_uniform_numbers_are_uniform_and_labels_do_not_disturb_each_other() -> None:
    entropy = Randomness(3).fork("t", "/", b"")
    chaos, jitter = uniforms(entropy, "chaos"), uniforms(entropy, "jitter")
    alone = [next(uniforms(entropy, "jitter")) for _ in range(3)]
    assert len(set(alone)) == 1
    numbers = []
    for _ in range(4000):
        next(chaos)
        numbers.append(next(jitter))
    assert numbers[0] == alone[0]
    assert 0 <= min(numbers) < 0.01
    assert 0.99 < max(numbers) < 1
    assert sum(numbers) / len(numbers) == pytest.approx(0.5, abs=0.02)
    assert len(set(numbers)) == len(numbers)


@attrs.frozen
class Draws:
    """What chaos drew, and when a stream's chunks came."""

    actions: list[str | None]
    times: list[list[float]]


async def test_one_exchanges_draws_do_not_shift_anothers(autojump_clock: MockClock, memory: Start) -> None:
    """More rates mean more draws, but each request draws from its own."""

    async def run(**chaos: Any) -> Draws:
        server = memory(seed=5, wall_clock=lambda: NOW, chaos=chaos_from_json(chaos))
        await trio.testing.wait_all_tasks_blocked()
        server.state.book.append(fixtures())
        streams = [await server.stream(f"talk {place}") for place in range(20)]
        actions = [entry["response"].get("chaosAction") for entry in server.journal]
        return Draws(actions, [streamed.times for streamed in streams])

    calm, stormy = await run(), await run(dropRate=0.5)
    assert set(calm.actions) == {None}
    assert set(stormy.actions) == {None, "drop"}
    for place, action in enumerate(stormy.actions):
        if action is None:
            assert stormy.times[place] == calm.times[place], "jitter is drawn by itself"
    spared = [times[0] for times, action in zip(stormy.times, stormy.actions, strict=True) if action is None]
    assert min(spared) < 3 < max(spared), "who is spared by chaos is not slow for it: the two share no numbers"
