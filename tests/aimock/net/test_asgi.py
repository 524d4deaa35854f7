"""The ASGI application, by a server in memory that does no more than the specification asks of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net.asgi import Application
from aimock.net.exchange import Answer, Cut, Ending, Outcome, Slicing, Stream, Task, Upgrade, Whole
from aimock.net.limits import Limits

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Script

    MakeScript = Callable[..., Script]

PLAIN = (("content-type", "text/plain"),)
EVENTS = (("content-type", "text/event-stream"),)
PIECES = ((1.0, b"a"), (2.5, b"bc"), (2.5, b"defg"))


class Exchange:
    """One request to an application, as its server has it."""

    def __init__(self, application: Application, nursery: trio.Nursery, scope: dict[str, Any]) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        """What the application sent, and when."""
        self.returned = trio.Event()
        self._to_app, self._receive = trio.open_memory_channel[dict[str, Any]](100)
        self.room = trio.Event()
        self.room.set()
        nursery.start_soon(self._run, application, scope)

    async def _run(self, application: Application, scope: dict[str, Any]) -> None:
        async def send(message: dict[str, Any]) -> None:
            await trio.lowlevel.checkpoint()
            if message["type"].endswith(".body"):
                await self.room.wait()
            self.messages.append((trio.current_time(), message))

        try:
            await application(scope, self._receive.receive, send)
        finally:
            self.returned.set()

    def put(self, body: bytes = b"", more_body: bool = False) -> None:
        self._to_app.send_nowait({"type": "http.request", "body": body, "more_body": more_body})

    def leave(self) -> None:
        self._to_app.send_nowait({"type": "http.disconnect"})

    @property
    def types(self) -> list[str]:
        return [message["type"] for _, message in self.messages]

    @property
    def start(self) -> dict[str, Any]:
        return self.messages[0][1]

    @property
    def status(self) -> int:
        return int(self.start["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        names = [name for name, _ in self.start["headers"]]
        assert len(set(names)) == len(names)
        return dict(self.start["headers"])

    @property
    def bodies(self) -> list[tuple[float, bytes]]:
        return [(time, message["body"]) for time, message in self.messages[1:] if message["body"]]

    @property
    def body(self) -> bytes:
        return b"".join(body for _, body in self.bodies)

    @property
    def is_complete(self) -> bool:
        """Whether the last message of the response was sent; it must be the last, and the only one."""
        ends = [message.get("more_body") is False for _, message in self.messages]
        assert not any(ends[:-1])
        return bool(ends) and ends[-1]


def scope_of(target: str = "/", method: str = "GET", **more: Any) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "2",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"x")],
        **more,
    }


@attrs.frozen
class Stage:
    script: Script
    nursery: trio.Nursery
    limits: Limits

    def open(self, target: str = "/", method: str = "GET", **more: Any) -> Exchange:
        application = Application(self.script, self.limits, lambda: 0.0)
        return Exchange(application, self.nursery, scope_of(target, method, **more))

    async def ask(self, *body: bytes, method: str = "GET", **more: Any) -> Exchange:
        """A whole exchange, whose body came in these pieces."""
        exchange = self.open(method=method, **more)
        for piece in body:
            exchange.put(piece, more_body=True)
        exchange.put()
        await exchange.returned.wait()
        return exchange


@pytest.fixture
def stage(script: Script, nursery: trio.Nursery) -> Callable[..., Stage]:
    """`stage(answers, limits…)`."""

    def make(answers: Any = None, **limits: Any) -> Stage:
        if answers is not None:
            script.answers = answers if callable(answers) else lambda request: answers
        return Stage(script, nursery, Limits(**limits))

    return make


MakeStage = Callable[..., Stage]

# -- requests ----------------------------------------------------------------------------------------------------------


async def test_a_request_is_read_as_it_was_sent(stage: MakeStage, script: Script) -> None:
    headers = [(b"host", b"x"), (b"X-Two", b"1"), (b"x-two", b"\xe9")]
    await stage().ask(b"ab", b"", b"c", method="POST", path="/a b", raw_path=b"/a%20b", query_string=b"q=%31",
                      headers=headers)  # fmt: skip
    [request] = script.requests
    head = request.head
    assert (head.method, head.target, head.path, head.query) == ("POST", "/a%20b?q=%31", "/a%20b", "q=%31")
    assert head.header_lines == (("host", "x"), ("x-two", "1"), ("x-two", "\xe9"))
    assert head.headers["x-two"] == "1"
    assert head.http_version == "2"
    assert request.body == b"abc"


async def test_a_path_that_only_came_decoded_is_encoded(stage: MakeStage, script: Script) -> None:
    scope = scope_of(path="/ä b")
    del scope["raw_path"]
    exchange = Exchange(Application(script), stage().nursery, scope)
    exchange.put()
    await exchange.returned.wait()
    assert script.requests[0].head.path == "/%C3%A4%20b"


@pytest.mark.parametrize(
    ("body", "announced", "limits", "status"),
    [
        ([b"12345", b"678901"], None, {"body_bytes": 10}, 413),
        ([b"1234567890"] * 5, b"50", {"body_bytes": 10}, 413),
        ([b"1234567890"], b"10", {"body_bytes": 10}, 200),
        ([], None, {"header_lines": 1}, 431),
    ],
)
async def test_what_is_too_large_is_refused(
    stage: MakeStage, script: Script, body: list[bytes], announced: bytes | None, limits: dict[str, int], status: int
) -> None:
    length = [(b"content-length", announced)] if announced else []
    headers = [(b"host", b"x"), *length] if status != 431 else [(b"host", b"x"), (b"a", b"b")]
    exchange = await stage(**limits).ask(*body, method="POST", headers=headers)
    assert exchange.status == status
    assert exchange.is_complete
    assert [refusal.status for _, refusal in script.refusals] == ([status] if status != 200 else [])
    assert len(script.requests) == (status == 200)


async def test_a_target_that_no_server_answers_is_refused(stage: MakeStage, script: Script) -> None:
    exchange = await stage().ask(raw_path=b"nowhere", query_string=b"key=secret")
    assert exchange.status == 400
    [(_, refusal)] = script.refusals
    assert "nowhere" in refusal.message
    assert "secret" not in refusal.message


async def test_a_body_that_comes_too_slowly_is_refused(stage: MakeStage, autojump_clock: MockClock) -> None:
    exchange = stage(read_timeout=3).open(method="POST")
    exchange.put(b"a", more_body=True)
    await exchange.returned.wait()
    assert exchange.status == 408
    assert trio.current_time() == 3.0


async def test_a_client_that_leaves_before_its_request_is_whole_is_not_answered(
    stage: MakeStage, script: Script
) -> None:
    exchange = stage().open(method="POST")
    exchange.put(b"a", more_body=True)
    exchange.leave()
    await exchange.returned.wait()
    assert not exchange.messages
    assert not script.requests


async def test_an_unknown_kind_of_connection_is_not_served(script: Script) -> None:
    async def never(*_: Any) -> None:
        raise AssertionError

    with pytest.raises(ValueError, match="'carrier pigeon'"):
        await Application(script)({"type": "carrier pigeon"}, never, never)


# -- whole -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "method", "headers", "body"),
    [
        (Whole(200, PLAIN, b"hi", fresh=(("X-Request-ID", "1"),)), "GET",
         {b"content-type": b"text/plain", b"x-request-id": b"1", b"content-length": b"2"}, b"hi"),
        (Whole(200, PLAIN, b"hi"), "HEAD", {b"content-type": b"text/plain", b"content-length": b"2"}, b""),
        (Whole(204, (), b"never sent"), "GET", {}, b""),
        (Whole(200, EVENTS, b"hi", chunked=True), "GET", {b"content-type": b"text/event-stream"}, b"hi"),
        (Whole(200, (("a", "b\r\nc: d"), ("é", "x"), ("n", "\0"), ("ok", " \xe9\u20ac ")), b""), "GET",
         {b"ok": b"\xe9?", b"content-length": b"0"}, b""),
    ],
)  # fmt: skip
async def test_a_whole_answer(
    stage: MakeStage, answer: Whole, method: str, headers: dict[bytes, bytes], body: bytes
) -> None:
    outcomes: list[Outcome] = []
    exchange = await stage(attrs.evolve(answer, on_end=outcomes.append)).ask(method=method)
    assert exchange.status == answer.status
    assert exchange.headers == headers
    assert exchange.body == body
    assert exchange.is_complete
    assert outcomes == [Outcome.DELIVERED]


async def test_a_whole_answer_in_slices(stage: MakeStage, autojump_clock: MockClock) -> None:
    exchange = await stage(Whole(200, PLAIN, b"abcde", slicing=Slicing(2, gap=0.5))).ask()
    assert exchange.bodies == [(0.0, b"ab"), (0.5, b"cd"), (1.0, b"e")]


# -- streams -----------------------------------------------------------------------------------------------------------


async def test_every_piece_has_its_time_and_lateness_does_not_add_up(
    stage: MakeStage, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    answer = Stream(200, EVENTS, [(float(due), b"%d" % due) for due in range(1, 6)], on_end=outcomes.append)
    exchange = stage(answer).open()
    exchange.put()
    await trio.sleep(1.5)
    assert exchange.types == ["http.response.start", "http.response.body"]
    assert exchange.messages[0][0] == 0.0
    exchange.room = trio.Event()  # the reader is slow
    await trio.sleep(2)
    exchange.room.set()
    await exchange.returned.wait()
    assert exchange.bodies == [(1.0, b"1"), (3.5, b"2"), (3.5, b"3"), (4.0, b"4"), (5.0, b"5")]
    assert exchange.is_complete
    assert outcomes == [Outcome.DELIVERED]


@pytest.mark.parametrize(
    ("more", "bodies", "ended_at", "is_complete"),
    [
        ({}, [(1.0, b"a"), (2.5, b"bcdefg")], 2.5, True),
        ({"ends_at": 2.0}, [(1.0, b"a")], 2.0, True),
        ({"ends_at": 4.0}, [(1.0, b"a"), (2.5, b"bcdefg")], 4.0, True),
        ({"ending": Ending.FIN}, [(1.0, b"a"), (2.5, b"bcdefg")], 2.5, False),
        ({"ending": Ending.RST, "ends_at": 3.0}, [(1.0, b"a"), (2.5, b"bcdefg")], 3.0, False),
        ({"slicing": Slicing(3, gap=1.0)}, [(1.0, b"a"), (2.5, b"bc"), (3.5, b"def"), (4.5, b"g")], 4.5, True),
    ],
)
async def test_the_endings_of_a_stream(
    stage: MakeStage,
    autojump_clock: MockClock,
    more: dict[str, Any],
    bodies: list[tuple[float, bytes]],
    ended_at: float,
    is_complete: bool,
) -> None:
    outcomes: list[Outcome] = []
    exchange = await stage(Stream(200, EVENTS, PIECES, on_end=outcomes.append, **more)).ask()
    assert exchange.bodies == bodies
    assert exchange.is_complete is is_complete
    assert trio.current_time() == ended_at
    assert outcomes == [Outcome.DELIVERED]


async def test_a_stream_cut_within_a_chunk_sends_half_of_its_last_piece(
    stage: MakeStage, autojump_clock: MockClock
) -> None:
    exchange = await stage(Stream(200, EVENTS, [(0.0, b"0123456789"), (1.0, b"x" * 100)],
                                  ending=Ending.FIN_MID_CHUNK)).ask()  # fmt: skip
    [whole, half] = [body for _, body in exchange.bodies]
    assert whole == b"0123456789"
    assert 40 < len(half) < 60
    assert not exchange.is_complete


async def test_a_stalled_stream_stays_open_until_the_client_leaves(stage: MakeStage, autojump_clock: MockClock) -> None:
    outcomes: list[Outcome] = []
    exchange = stage(Stream(200, EVENTS, PIECES, ending=Ending.STALL, on_end=outcomes.append)).open()
    exchange.put()
    await trio.sleep(1000)
    assert exchange.body == b"abcdefg"
    assert outcomes == [Outcome.DELIVERED]
    assert not exchange.returned.is_set()
    exchange.leave()
    await exchange.returned.wait()
    assert not exchange.is_complete


async def test_a_stream_to_a_head_request_is_its_head(stage: MakeStage, autojump_clock: MockClock) -> None:
    exchange = await stage(Stream(200, EVENTS, PIECES, ending=Ending.STALL)).ask(method="HEAD")
    assert exchange.body == b""
    assert exchange.is_complete
    assert trio.current_time() == 0.0


async def test_a_client_that_leaves_ends_its_stream(stage: MakeStage, autojump_clock: MockClock) -> None:
    outcomes: list[Outcome] = []
    exchange = stage(Stream(200, EVENTS, PIECES, on_end=outcomes.append)).open()
    exchange.put()
    await trio.sleep(2)
    exchange.leave()
    await exchange.returned.wait()
    assert trio.current_time() == 2.0
    assert exchange.body == b"a"
    assert outcomes == [Outcome.CLIENT_LEFT]


async def test_a_client_that_reads_nothing_is_given_up(stage: MakeStage, autojump_clock: MockClock) -> None:
    outcomes: list[Outcome] = []
    exchange = stage(Stream(200, EVENTS, PIECES, on_end=outcomes.append), write_timeout=7).open()
    exchange.room = trio.Event()
    exchange.put()
    await exchange.returned.wait()
    assert trio.current_time() == 8.0
    assert outcomes == [Outcome.STOPPED]


async def test_a_cancelled_server_stops_its_streams(stage: MakeStage, autojump_clock: MockClock) -> None:
    outcomes: list[Outcome] = []
    async with trio.open_nursery() as server:
        script = stage(Stream(200, EVENTS, PIECES, on_end=outcomes.append)).script
        exchange = Exchange(Application(script), server, scope_of())
        exchange.put()
        await trio.sleep(2)
        server.cancel_scope.cancel()
    assert outcomes == [Outcome.STOPPED]


async def test_pieces_before_one_that_cannot_be_computed_are_sent(
    stage: MakeStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def pieces() -> Iterator[tuple[float, bytes]]:
        yield 1.0, b"a"
        raise ZeroDivisionError

    outcomes: list[Outcome] = []
    exchange = await stage(Stream(200, EVENTS, pieces(), on_end=outcomes.append)).ask()
    assert exchange.body == b"a"
    assert not exchange.is_complete
    assert outcomes == [Outcome.STOPPED]
    assert "ZeroDivisionError" in caplog.text


# -- cuts, tasks and upgrades ------------------------------------------------------------------------------------------


async def test_a_cut_sends_nothing(stage: MakeStage) -> None:
    outcomes: list[Outcome] = []
    exchange = await stage(Cut(Ending.FIN, on_end=outcomes.append)).ask()
    assert not exchange.messages
    assert outcomes == [Outcome.DELIVERED]


async def test_a_task_is_waited_for_and_its_times_count_from_its_end(
    stage: MakeStage, autojump_clock: MockClock
) -> None:
    async def make() -> Answer:
        await trio.sleep(10)
        return Task(make_stream)

    async def make_stream() -> Answer:
        return Stream(200, EVENTS, PIECES)

    exchange = await stage(Task(make)).ask()
    assert [time for time, _ in exchange.bodies] == [11.0, 12.5]


@pytest.mark.parametrize("returns", [False, True])
async def test_a_task_is_cancelled_when_the_client_leaves(
    stage: MakeStage, autojump_clock: MockClock, returns: bool
) -> None:
    """Even if what it made all the same comes too late: it is told that nobody had it."""
    outcomes: list[Outcome] = []
    ended_at: list[float] = []

    async def make() -> Answer:
        try:
            await trio.sleep(10)
        finally:
            ended_at.append(trio.current_time())
        return Whole(200, PLAIN, on_end=outcomes.append)

    exchange = stage(Task(make)).open()
    exchange.put()
    await trio.sleep(12 if returns else 3)
    exchange.leave()
    await exchange.returned.wait()
    assert ended_at == [10.0 if returns else 3.0]
    assert outcomes == ([Outcome.DELIVERED] if returns else [])
    assert exchange.is_complete is returns


async def test_an_upgrade_that_the_server_does_not_know_of_is_refused(stage: MakeStage, script: Script) -> None:
    outcomes: list[Outcome] = []

    def never() -> Any:
        raise AssertionError

    exchange = await stage(Upgrade(never, on_end=outcomes.append)).ask()
    assert exchange.status == 400
    assert outcomes == [Outcome.STOPPED]


async def test_an_answer_that_fails_half_way_is_not_finished(
    stage: MakeStage, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> Answer:
        raise ZeroDivisionError

    exchange = await stage(Task(fail)).ask()
    assert not exchange.messages
    assert "a request failed" in caplog.text
    await wait_all_tasks_blocked()
