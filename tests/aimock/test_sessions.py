"""Sessions over WebSockets go through the one pipeline: matched, counted, spoiled, paced and journaled as requests are.

Asked over the Responses socket, whose events are those of HTTP; what each protocol says is tested with the protocols.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from aimock.fixtures import fixture_from
from aimock.net.memory import MemoryWebSocket, Rejected, open_websocket
from aimock.net.transport import PeerGone
from aimock_protocols.registry import PROTOCOLS

Start = Callable[..., Any]

HELLO = "Hello, world"
DELTAS = ["Hello", ", wor", "ld"]


@attrs.define
class Talk:
    """A client's end of a session."""

    socket: MemoryWebSocket
    began: float = attrs.field(factory=trio.current_time)

    def ask(self, text: str = "hello", **more: Any) -> None:
        self.say({"type": "response.create", "model": "gpt-4o", "input": text, **more})

    def say(self, message: Any) -> None:
        self.socket.say(json.dumps(message))

    async def heard(self, *last: str) -> list[tuple[float, Any]]:
        """What comes, with its time in milliseconds, until an event of one of these types, or the end: a close code and
        reason, `fin`, `rst`, `silence` for an hour, or what wsproto thinks of it."""
        events: list[tuple[float, Any]] = []
        deadline = trio.current_time() + 3600
        while True:
            with trio.CancelScope(deadline=deadline) as patience:
                try:
                    heard = await self.socket.receive()
                except (PeerGone, RemoteProtocolError) as error:
                    return [*events, (self._now(), "rst" if isinstance(error, PeerGone) else str(error))]
            if patience.cancelled_caught:
                return [*events, (self._now(), "silence")]
            if heard is None:
                return [*events, (self._now(), "fin")]
            event = heard.event
            if isinstance(event, Ping):
                self.socket.send(event.response())
                continue
            if isinstance(event, CloseConnection):
                return [*events, (self._now(), (event.code, event.reason))]
            assert isinstance(event, TextMessage)
            message = json.loads(event.data) if event.data.endswith("}") and "<<<" not in event.data else event.data
            events.append((self._now(), message))
            if isinstance(message, dict) and message["type"] in last:
                return events

    async def answer(self, text: str = "hello", **more: Any) -> str:
        """The text of a turn that ends well."""
        self.ask(text, **more)
        events = await self.heard("response.completed")
        return events[-1][1]["response"]["output"][0]["content"][0]["text"]

    def _now(self) -> float:
        return round((trio.current_time() - self.began) * 1000, 6)


def deltas(events: list[tuple[float, Any]]) -> list[tuple[float, str]]:
    return [
        (time, event["delta"])
        for time, event in events
        if isinstance(event, dict) and event["type"] == "response.output_text.delta"
    ]


@pytest.fixture
def talk(memory: Start) -> Start:
    """Starts a server with fixtures, and opens a session: `server, talk = await talk({...}, latency=50)`."""

    async def start(
        *entries: dict[str, Any], target: str = "/v1/responses", headers: Mapping[str, str] = {}, **settings: Any
    ) -> tuple[Any, Talk]:
        server = memory(seed=1, chunk_size=5, **settings)
        server.state.book.append([made(entry) for entry in entries or ({"response": {"content": HELLO}},)])
        return server, await opened(server, target, headers)

    return start


def made(entry: dict[str, Any]) -> Any:
    options = {key: value for key, value in entry.items() if key not in ("match", "response")}
    return fixture_from(entry.get("match", {}), entry["response"], **options)


async def opened(server: Any, target: str = "/v1/responses", headers: Mapping[str, str] = {}) -> Talk:
    return Talk(await open_socket(server, target, headers))


async def open_socket(
    server: Any, target: str, headers: Mapping[str, str] = {}, subprotocols: Sequence[str] = ()
) -> MemoryWebSocket:
    await wait_all_tasks_blocked()  # until the server is up
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    return await open_websocket(server.server, target, headers=lines, subprotocols=subprotocols)


# -- matching ----------------------------------------------------------------------------------------------------------


async def test_a_turn_is_answered_and_journaled(autojump_clock: MockClock, talk: Start) -> None:
    """wire-websocket-framing §10"""
    server, client = await talk(headers={"X-Test-Id": "t", "Authorization": "Bearer sk-secret"})
    assert await client.answer() == HELLO
    (entry,) = server.journal
    assert (entry["method"], entry["path"], entry["response"]["status"]) == ("WS", "/v1/responses", 200)
    assert entry["body"]["messages"] == [{"role": "user", "content": "hello"}]
    assert entry["body"]["_endpointType"] == "chat"
    assert "sk-secret" not in json.dumps(entry)


async def test_sequences_go_on_from_turn_to_turn_under_each_test_id(autojump_clock: MockClock, talk: Start) -> None:
    entries = [{"match": {"sequenceIndex": index}, "response": {"content": f"turn {index}"}} for index in range(2)]
    server, client = await talk(*entries, headers={"X-Test-Id": "a"})
    other = await opened(server, "/v1/responses?x-test-id=b")
    assert [await client.answer(), await client.answer(), await other.answer()] == ["turn 0", "turn 1", "turn 0"]


async def test_a_page_can_say_by_query_what_others_say_by_header(autojump_clock: MockClock, talk: Start) -> None:
    """wire-websocket-framing §10"""
    server, client = await talk(
        {"match": {"context": "c"}, "response": {"content": "in context"}},
        target="/v1/responses?X-AIMock-Context=c&x-aimock-strict=true",
    )
    assert await client.answer() == "in context"
    other = await opened(server, "/v1/responses?x-aimock-strict=true")
    other.ask()
    assert (await other.heard())[-1][1] == (1008, "Strict mode: no fixture matched")


async def test_a_miss_is_an_error_event_and_the_session_goes_on(autojump_clock: MockClock, talk: Start) -> None:
    server, client = await talk({"match": {"userMessage": "hello"}, "response": {"content": HELLO}})
    client.ask("unknown")
    ((_, event),) = await client.heard("error")
    assert (event["status"], event["error"]["code"]) == (404, "no_fixture_match")
    assert await client.answer() == HELLO
    assert [entry["response"]["status"] for entry in server.journal] == [404, 200]


async def test_a_strict_miss_closes(autojump_clock: MockClock, talk: Start) -> None:
    """wire-websocket-framing §7"""
    server, client = await talk({"match": {"userMessage": "hello"}, "response": {"content": HELLO}}, strict=True)
    client.ask("unknown")
    assert [event for _, event in await client.heard()] == [(1008, "Strict mode: no fixture matched")]
    assert server.journal[0]["response"]["status"] == 503


async def test_injected_errors_and_error_fixtures_are_error_events(autojump_clock: MockClock, talk: Start) -> None:
    server, client = await talk(
        {"match": {"userMessage": "bad"}, "response": {"error": {"message": "No.", "code": "c"}, "status": 402}}
    )
    client.ask("bad")
    ((_, event),) = await client.heard("error")
    assert (event["status"], event["error"]["message"], event["error"]["code"]) == (402, "No.", "c")
    assert server.journal[0]["response"]["status"] == 402


async def test_a_factory_that_waits_is_waited_for(autojump_clock: MockClock, talk: Start) -> None:
    async def late(body: dict[str, Any]) -> dict[str, Any]:
        await trio.sleep(7)
        return {"content": body["messages"][-1]["content"].upper()}

    _, client = await talk({"response": late})
    assert await client.answer("hello") == "HELLO"
    assert client._now() == 7000


async def test_a_factory_that_fails_is_an_error_event(
    autojump_clock: MockClock, talk: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(body: dict[str, Any]) -> dict[str, Any]:
        raise LookupError("nothing there")

    _, client = await talk({"response": broken})
    client.ask()
    ((_, event),) = await client.heard("error")
    assert (event["status"], event["error"]["message"]) == (500, "Response factory threw: nothing there")
    assert "the response factory" in caplog.text


async def test_a_client_that_leaves_cancels_what_it_waited_for(autojump_clock: MockClock, talk: Start) -> None:
    ends: list[str] = []

    async def late(body: dict[str, Any]) -> dict[str, Any]:
        try:
            await trio.sleep_forever()
        finally:
            ends.append("cancelled")
        raise AssertionError

    server, client = await talk({"response": late})
    client.ask()
    await wait_all_tasks_blocked()
    client.socket.connection.leave()
    await wait_all_tasks_blocked()
    assert (ends, server.journal) == (["cancelled"], [])


# -- time --------------------------------------------------------------------------------------------------------------


async def test_every_event_of_a_response_takes_its_time(autojump_clock: MockClock, talk: Start) -> None:
    """wire-websocket-framing §8"""
    _, client = await talk(latency=50)
    client.ask()
    events = await client.heard("response.completed")
    assert [time for time, _ in events] == [50 * (number + 1) for number in range(len(events))]
    assert [text for _, text in deltas(events)] == DELTAS


async def test_profiles_hold_on_sockets(autojump_clock: MockClock, talk: Start) -> None:
    """wire-websocket-framing §8: the reference passes them over"""
    profile = {"ttft": 400, "tps": 10}
    _, client = await talk({"response": {"content": HELLO}, "streamingProfile": profile})
    client.ask()
    events = await client.heard("response.completed")
    assert [time for time, _ in events] == [400 + 100 * number for number in range(len(events))]


async def test_the_same_seed_says_the_same(autojump_clock: MockClock, talk: Start) -> None:
    said = []
    for _ in range(2):
        _, client = await talk(wall_clock=lambda: 1_800_000_000.0)
        client.ask()
        said.append(await client.heard("response.completed"))
        client.ask()
        said.append(await client.heard("response.completed"))
    assert [event for _, event in said[0]] == [event for _, event in said[2]]
    assert [event for _, event in said[1]] == [event for _, event in said[3]]
    assert said[0][-1][1]["response"]["id"] != said[1][-1][1]["response"]["id"]


@pytest.mark.parametrize(
    ("cut", "kept"), [({"truncateAfterChunks": 4}, 4), ({"disconnectAfterMs": 170}, 3)], ids=["chunks", "time"]
)
async def test_an_interrupted_turn_ends_the_connection_without_a_close_frame(
    autojump_clock: MockClock, talk: Start, cut: dict[str, Any], kept: int
) -> None:
    """wire-websocket-framing §8"""
    server, client = await talk({"response": {"content": HELLO}, "latency": 50, **cut})
    client.ask()
    *events, (at, ending) = await client.heard()
    assert (len(events), at, ending) == (kept, 200 if kept == 4 else 170, "fin")
    said = server.journal[0]["response"]
    assert (said["interrupted"], said["interruptReason"]) == (True, next(iter(cut)))


async def test_pings_are_answered_while_a_turn_takes_its_time(autojump_clock: MockClock, talk: Start) -> None:
    _, client = await talk(latency=1000)
    client.ask()
    client.socket.send(Ping(b"there?"))
    heard = await client.socket.receive()
    assert heard is not None
    assert (heard.event, heard.time - client.began) == (Pong(b"there?"), 0)


# -- refusals ----------------------------------------------------------------------------------------------------------

KEYS: dict[str, Any] = {"api_keys": ("sk-good",)}


@pytest.mark.parametrize("registered", [each for each in PROTOCOLS if each.sockets], ids=lambda each: each.name)
async def test_every_socket_route_opens(autojump_clock: MockClock, memory: Start, registered: Any) -> None:
    """Leading slashes may be doubled: a client does that whose base URL ends in none (wire-websocket-framing §1)."""
    server = memory(seed=1)
    for template in registered.sockets:
        path = template.replace("{", "").replace("}", "").replace(":path", "")
        client = await opened(server, f"/{path}?model=gpt-realtime&api-version=1&deployment=d")
        client.socket.send(CloseConnection(1000, "bye"))
        while (heard := await client.socket.receive()) is not None:
            last = heard.event
        assert last == CloseConnection(1000, "bye")


async def test_a_path_without_sockets_is_a_whole_404(autojump_clock: MockClock, memory: Start) -> None:
    """wire-websocket-framing §1"""
    with pytest.raises(Rejected) as rejected:
        await opened(memory(), "/v1/chat/completions")
    assert rejected.value.status == 404
    assert json.loads(rejected.value.body)["error"]["type"] == "invalid_request_error"
    assert rejected.value.headers["content-length"] == str(len(rejected.value.body))


async def test_a_get_without_an_upgrade_is_no_session(autojump_clock: MockClock, memory: Start) -> None:
    from aimock.net.memory import connect

    server = memory().server
    await wait_all_tasks_blocked()
    client = connect(server)
    client.send(b"GET /v1/responses HTTP/1.1\r\nHost: mock\r\n\r\n")
    (arrival,) = await client.receive_until(b"}")
    assert arrival.data.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    ("target", "headers", "subprotocols"),
    [
        ("/v1/responses", {"Authorization": "Bearer sk-good"}, []),
        ("/v1/responses", {"x-api-key": "sk-good"}, []),
        ("/v1/responses?key=sk-good", {}, []),
        ("/v1/realtime?model=m", {}, ["realtime", "openai-insecure-api-key.sk-good"]),
    ],
)
async def test_a_key_opens(
    autojump_clock: MockClock, memory: Start, target: str, headers: dict[str, str], subprotocols: list[str]
) -> None:
    """wire-websocket-framing §1"""
    server = memory(**KEYS)
    socket = await open_socket(server, target, headers, subprotocols)
    assert socket.accepted.subprotocol == ("realtime" if subprotocols else None)


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [({}, []), ({"Authorization": "Bearer bad"}, []), ({}, ["realtime", "openai-insecure-api-key.bad"])],
)
async def test_without_a_good_key_nothing_opens(
    autojump_clock: MockClock, memory: Start, headers: dict[str, str], subprotocols: list[str]
) -> None:
    server = memory(**KEYS)
    with pytest.raises(Rejected) as rejected:
        await open_socket(server, "/v1/realtime?model=m", headers, subprotocols)
    assert (rejected.value.status, rejected.value.headers["connection"]) == (401, "close")
    assert rejected.value.headers["www-authenticate"] == 'Bearer realm="aimock"'
    assert server.journal == []


async def test_a_secret_that_was_handed_out_opens_and_no_other(autojump_clock: MockClock, memory: Start) -> None:
    server = memory(**KEYS)
    await wait_all_tasks_blocked()
    minted = await server.exchange(headers={"Authorization": "Bearer sk-good"}, path="/v1/realtime/client_secrets")
    secret = json.loads(minted.body)["value"]
    offered = ["realtime", f"openai-insecure-api-key.{secret}"]
    socket = await open_socket(server, "/v1/realtime?model=m", {}, offered)
    assert socket.accepted.subprotocol == "realtime"
    with pytest.raises(Rejected, match="401"):
        await opened(server, "/v1/realtime?model=m", {"Authorization": "Bearer ek_" + "0" * 32})
    asked = await server.exchange(headers={"Authorization": f"Bearer {secret}"})
    assert asked.status == 401, "it opens nothing else"


async def test_keys_in_subprotocols_are_not_journaled(autojump_clock: MockClock, memory: Start) -> None:
    server = memory()
    server.state.book.append([made({"response": {"content": HELLO}})])
    offered = ["realtime", "openai-insecure-api-key.sk-secret"]
    talk = Talk(await open_socket(server, "/v1/realtime?model=m", {}, offered))
    talk.say({"type": "response.create", "response": {"output_modalities": ["text"]}})
    await talk.heard("response.done")
    (entry,) = server.journal
    assert entry["headers"]["sec-websocket-protocol"] == "realtime, openai-insecure-api-key.[REDACTED]"


# -- chaos -------------------------------------------------------------------------------------------------------------

DROPS = {"dropRate": 1}


async def test_chaos_spares_sockets_unless_it_is_told_otherwise(autojump_clock: MockClock, memory: Start) -> None:
    """wire-websocket-framing §9"""
    from aimock.fixtures import Chaos

    server = memory(chaos=Chaos(drop_rate=1))
    server.state.book.append([made({"response": {"content": HELLO}, "chaos": DROPS})])
    assert await (await opened(server)).answer() == HELLO


@pytest.mark.parametrize(
    ("wish", "status", "code"),
    [
        ({"x-aimock-chaos-drop": "1"}, 500, "chaos_drop"),
        ({"x-aimock-chaos-ratelimit": "1"}, 429, "rate_limit_exceeded"),
        ({"x-aimock-fault": "overloaded"}, 529, None),
    ],
)
async def test_chaos_at_the_handshake(
    autojump_clock: MockClock, memory: Start, wish: dict[str, str], status: int, code: str | None
) -> None:
    server = memory()
    with pytest.raises(Rejected) as rejected:
        await opened(server, headers={"x-aimock-chaos-websocket": "true", **wish})
    assert rejected.value.status == status
    assert json.loads(rejected.value.body)["error"]["code"] == code
    assert server.journal[0]["response"]["chaosAction"]


async def spoiled(talk: Start, chaos: dict[str, Any]) -> tuple[list[tuple[float, Any]], dict[str, Any]]:
    entry = {"response": {"content": HELLO}, "latency": 50, "chaos": {"websocket": True, **chaos}}
    server, client = await talk(entry)
    client.ask()
    events = await client.heard("response.completed", "error")
    return events, server.journal[0]["response"]


@pytest.mark.parametrize(
    ("chaos", "status", "code"),
    [
        ({"dropRate": 1}, 500, "chaos_drop"),
        ({"rateLimitRate": 1}, 429, "rate_limit_exceeded"),
        ({"faults": "throttled"}, 429, "rate_limit_exceeded"),
        ({"faults": "unavailable"}, 503, None),
    ],
)
async def test_chaos_refuses_turns(
    autojump_clock: MockClock, talk: Start, chaos: dict[str, Any], status: int, code: str | None
) -> None:
    ((_, event),), said = await spoiled(talk, chaos)
    assert (event["type"], event["status"], event["error"]["code"], said["status"]) == ("error", status, code, status)


async def test_a_malformed_message_comes_before_the_answer(autojump_clock: MockClock, talk: Start) -> None:
    events, said = await spoiled(talk, {"malformedRate": 1})
    assert events[0] == (0, "{malformed json: <<<chaos>>>")
    assert events[-1][1]["type"] == "response.completed"
    assert said["chaosAction"] == "malformed"


@pytest.mark.parametrize(
    ("fault", "kept", "ending"),
    [
        ("disconnect", 0, "fin"),
        ("reset;afterChunks=0", 0, "rst"),
        ("reset;afterChunks=2", 2, "rst"),
        ("fin;afterChunks=3", 3, "fin"),
        ("stall;afterChunks=1", 1, "silence"),
        ("truncate;afterChunks=2", 2, "silence"),
        ("reserved-opcode", 0, (1002, "Invalid opcode 0x3")),
        ("masked-frame", 0, (1002, "client received unexpected masked frame")),
        ("wrong-close-code", 0, None),
    ],
)
async def test_faults_end_the_connection_as_told(
    autojump_clock: MockClock, talk: Start, fault: str, kept: int, ending: Any
) -> None:
    (*events, (_, last)), said = await spoiled(talk, {"faults": fault})
    assert len(events) == kept
    assert ending is None or last == ending
    assert said["chaosAction"] == fault.partition(";")[0]


async def test_an_oversized_frame_is_announced_and_not_sent(autojump_clock: MockClock, talk: Start) -> None:
    chaos = {"websocket": True, "faults": "oversized-frame"}
    _, client = await talk({"response": {"content": HELLO}, "chaos": chaos})
    client.ask()
    arrivals = await client.socket.connection.receive_all()
    assert b"".join(arrival.data for arrival in arrivals) == b"\x81\x7f\x7f" + b"\xff" * 7 + b"{}"


async def test_a_broken_frame_and_an_error_amid_the_events(autojump_clock: MockClock, talk: Start) -> None:
    events, _ = await spoiled(talk, {"faults": "malformed-frame;afterChunks=1"})
    assert isinstance(events[1][1], str)
    events, _ = await spoiled(talk, {"faults": "error-event;afterChunks=2"})
    assert [event["type"] for _, event in events[:3]] == ["response.created", "response.in_progress", "error"]


async def test_chaos_has_its_latency(autojump_clock: MockClock, talk: Start) -> None:
    events, _ = await spoiled(talk, {"latencyMs": 500})
    assert events[0][0] == 550


# -- limits ------------------------------------------------------------------------------------------------------------


async def test_quotas_hold_for_turns(autojump_clock: MockClock, talk: Start) -> None:
    from aimock.quotas import Quota

    _, client = await talk(quota=Quota(requests_per_minute=2))
    assert [await client.answer(), await client.answer()] == [HELLO, HELLO]
    client.ask()
    ((_, event),) = await client.heard("error")
    assert (event["status"], event["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_a_session_is_counted_when_it_ends(autojump_clock: MockClock, talk: Start) -> None:
    server, client = await talk(metrics=True)
    await client.answer()
    client.socket.send(CloseConnection(1000))
    await client.heard()
    client.socket.connection.finish()
    await wait_all_tasks_blocked()
    assert 'path="/v1/responses",status="101"' in server.state.metrics.exposition()


async def test_binary_messages_are_understood_as_text_is(autojump_clock: MockClock, talk: Start) -> None:
    """wire-websocket-framing §3"""
    _, client = await talk()
    client.socket.send(BytesMessage(json.dumps({"type": "response.create", "model": "m", "input": "hello"}).encode()))
    assert deltas(await client.heard("response.completed"))


async def test_a_shutdown_says_goodbye(autojump_clock: MockClock, talk: Start, nursery: trio.Nursery) -> None:
    server, client = await talk()
    await client.answer()
    nursery.start_soon(server.server.shut_down, 2)
    assert (await client.heard())[-1][1] == (1001, "Server shutting down")


async def test_a_failing_session_closes_and_says_so_in_the_log(
    autojump_clock: MockClock, talk: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from aimock_protocols.openai_responses import session

    monkeypatch.setattr(session.ResponsesSession, "received", lambda *_: 1 / 0, raising=True)
    _, client = await talk()
    with caplog.at_level(logging.ERROR):
        client.ask()
        assert (await client.heard())[-1][1][0] == 1011
    assert "ZeroDivisionError" in caplog.text


async def test_googles_tokens_open_too(autojump_clock: MockClock, memory: Start) -> None:
    server = memory(**KEYS)
    await wait_all_tasks_blocked()
    minted = await server.exchange(headers={"x-goog-api-key": "sk-good"}, path="/v1alpha/auth_tokens")
    name = json.loads(minted.body)["name"]
    path = "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
    await open_socket(server, path, {"Authorization": f"Token {name}"})
    await open_socket(server, f"{path}?access_token={name}")
    with pytest.raises(Rejected, match="401"):
        await open_socket(server, f"{path}?access_token=auth_tokens/other")
