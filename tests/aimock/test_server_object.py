"""AIMock, the object: its life, its methods, and its use from threads, Trio and asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import aimock
from aimock import AIMock, LLMock
from aimock.fixtures import FixtureError, FixtureSourceError, make_fixture

Call = Callable[..., Any]

HI = {"match": {"userMessage": "hello"}, "response": {"content": "Hi"}}
BODY = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()


# -- life ------------------------------------------------------------------------------------------------------------


def test_what_a_server_that_never_started_says() -> None:
    mock = AIMock()
    for ask in (lambda: mock.url, lambda: mock.base_url, lambda: mock.port, lambda: mock.journal, mock.get_requests):
        with pytest.raises(RuntimeError, match="the server is not running"):
            ask()
    with pytest.raises(RuntimeError, match="not running"):
        mock.stop()


def test_it_listens_where_it_says(mock: AIMock, call: Call) -> None:
    assert mock.url == mock.base_url == f"http://127.0.0.1:{mock.port}"
    assert call("GET", "/health").status == 200
    assert any(thread.name == "aimock" for thread in threading.enumerate())


def test_it_starts_only_once(mock: AIMock) -> None:
    with pytest.raises(RuntimeError, match="already running"):
        mock.start()
    assert mock.url


def test_it_starts_again_after_it_stopped(call: Call) -> None:
    mock = AIMock().on_message("hello", {"content": "Hi"})
    threads = set(threading.enumerate())
    for _ in range(2):
        url = mock.start()
        assert url == mock.url
        assert call("POST", "/v1/chat/completions", BODY, port=mock.port).content == "Hi"
        port = mock.port
        mock.stop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        with pytest.raises(RuntimeError):
            mock.stop()
        with pytest.raises(RuntimeError):
            _ = mock.url
    assert set(threading.enumerate()) == threads


def test_it_is_created_running(call: Call) -> None:
    mock = AIMock.create(strict=True)
    try:
        assert call("POST", "/v1/chat/completions", BODY, port=mock.port).status == 503
    finally:
        mock.stop()


def test_it_stops_when_the_block_fails() -> None:
    mock = AIMock()
    port = 0

    def work() -> None:
        nonlocal port
        with mock:
            port = mock.port
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_in_use_is_an_os_error(mock: AIMock) -> None:
    other = AIMock(port=mock.port)
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {mock.port}"):
        other.start()
    with pytest.raises(RuntimeError):
        _ = other.url
    with pytest.raises(RuntimeError):
        other.stop()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1"])
def test_a_host_that_is_none_is_an_os_error(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def refuse(*_: Any, **__: Any) -> Any:  # without asking a name server, which may be slow
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(OSError, match=re.escape(f"cannot listen on {host}")):
        AIMock(host=host).start()


def test_a_port_may_be_chosen(call: Call) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with AIMock(port=port) as mock:
        assert (mock.port, call("GET", "/health", port=port).status) == (port, 200)


def test_stopping_lets_a_stream_finish(mock: AIMock) -> None:
    """A stream of some twenty milliseconds has begun when the server is told to stop."""
    mock.on_message("hello", {"content": "x" * 20}, chunk_size=1, latency=1)
    with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as sock:
        body = BODY[:-1] + b', "stream": true}'
        sock.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        received = sock.recv(100)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            stopped = pool.submit(mock.stop, 10)
            while more := sock.recv(65536):
                received += more
            stopped.result()
    assert b"[DONE]" in received
    assert received.endswith(b"0\r\n\r\n")
    mock.start()  # for the fixture, which stops it


def test_stopping_does_not_wait_for_idle_connections(mock: AIMock) -> None:
    with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        mock.stop(grace=1000)
        assert sock.recv(65536) == b""
    mock.start()


# -- Trio, asyncio, threads ------------------------------------------------------------------------------------------


async def ask_over_trio(port: int) -> bytes:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            % len(BODY)
            + BODY
        )
        received = b""
        async for data in stream:
            received += data
    return received


async def test_inside_trio() -> None:
    async with AIMock() as mock:
        mock.on_message("hello", {"content": "Hi"})
        assert b'"content":"Hi"' in await ask_over_trio(mock.port)
        assert mock.get_last_request()["response"]["status"] == 200
        with pytest.raises(RuntimeError, match="already running"):
            mock.start()
        with pytest.raises(RuntimeError):
            mock.stop()
        port = mock.port
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)
    with pytest.raises(RuntimeError):
        _ = mock.url


async def test_inside_trio_an_error_gets_out_as_it_is_and_the_server_ends() -> None:
    port = 0

    async def work() -> None:
        nonlocal port
        async with AIMock() as mock:
            port = mock.port
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_inside_trio_it_can_be_cancelled() -> None:
    with trio.CancelScope() as scope:
        async with AIMock() as mock:
            port = mock.port
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)


async def test_inside_trio_a_port_in_use_is_an_os_error() -> None:
    async with AIMock() as mock:
        with pytest.raises(OSError, match="cannot listen"):
            async with AIMock(port=mock.port):
                pass


async def test_a_server_in_a_thread_may_be_used_in_a_trio_test() -> None:
    with AIMock() as mock:
        mock.on_message("hello", {"content": "Hi"}).next_request_error(418, test_id="other")
        assert b'"content":"Hi"' in await ask_over_trio(mock.port)
        assert len(mock.get_requests()) == 1
        assert mock.reset().get_requests() == []


def test_a_server_in_a_thread_may_be_used_under_asyncio() -> None:
    async def main() -> bytes:
        with AIMock() as mock:
            mock.on_message("hello", {"content": "Hi"})
            reader, writer = await asyncio.open_connection("127.0.0.1", mock.port)
            head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(BODY) + BODY)
            received = await reader.read()
            writer.close()
            await writer.wait_closed()
            return received

    assert b'"content":"Hi"' in asyncio.run(main())


def test_async_with_is_refused_under_asyncio() -> None:
    async def main() -> None:
        async with AIMock():
            pass

    with pytest.raises(RuntimeError, match="use `with AIMock\\(\\)`"):
        asyncio.run(main())


def test_field_15_it_is_changed_from_other_threads_while_requests_run(mock: AIMock, call: Call) -> None:
    """No change falls between a match and its count: every answer is whole, and all are counted."""
    mock.on_message("hello", {"content": "Hi"})
    ended = threading.Event()

    def change() -> int:
        changes = 0
        while not ended.is_set():
            mock.on_message(f"other {changes}", {"content": "x"}).prepend_fixture(HI).reset_match_counts()
            mock.get_requests()
            changes += 1
        return changes

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        changed = pool.submit(change)
        answers = [
            done.result() for done in [pool.submit(call, "POST", "/v1/chat/completions", BODY) for _ in range(60)]
        ]
        ended.set()
        changes = changed.result()
    assert [answer.content for answer in answers] == ["Hi"] * 60
    assert len(mock.get_requests()) == 60
    assert len(mock.fixtures) == 1 + 2 * changes


# -- fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["running", "not running"])
def server(request: pytest.FixtureRequest) -> Iterator[AIMock]:
    """Fixtures are added to a server at any time."""
    server = AIMock()
    if request.param == "running":
        server.start()
    yield server
    if request.param == "running":
        server.stop()


def contents(server: AIMock) -> list[Any]:
    return [fixture.response.reply.text for fixture in server.fixtures]


def answer(text: str) -> dict[str, Any]:
    return {"content": text}


def test_fixtures_are_kept_in_order(server: AIMock) -> None:
    entry = {"match": {}, "response": answer("c")}
    server.add_fixture(entry).add_fixtures([make_fixture({"match": {}, "response": answer("d")})])
    server.on({}, answer("e")).prepend_fixture({"match": {}, "response": answer("b")}).prepend_fixture(
        {"match": {}, "response": answer("a")}
    )
    server.add_fixture({"userMessage": "x"}, answer("f"), latency=3)
    server.add_fixtures_from_json(json.dumps([{"match": {}, "response": answer("g")}]))
    server.add_fixtures_from_json([{"match": {}, "response": answer("h")}])
    assert contents(server) == list("abcdefgh")
    assert server.fixtures[5].latency == 3
    assert server.clear_fixtures() is server
    assert contents(server) == []


def test_files_and_directories_are_loaded(server: AIMock, tmp_path: Path) -> None:
    for name, text in (("b.json", "b"), ("a.json", "a"), ("sub/c.json", "c")):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"fixtures": [{"match": {}, "response": answer(text)}]}))
    server.load_fixture_file(tmp_path / "a.json").load_fixture_dir(str(tmp_path)).load_fixtures(tmp_path / "sub")
    assert contents(server) == list("aabcc")
    with pytest.raises(FixtureSourceError, match="nowhere"):
        server.load_fixtures(tmp_path / "nowhere")


def test_fixtures_are_loaded_at_construction(tmp_path: Path) -> None:
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file in files:
        file.write_text(json.dumps({"fixtures": [{"match": {}, "response": answer(file.stem)}]}))
    assert contents(AIMock(fixtures=files[0])) == ["1"]
    assert contents(AIMock(fixtures=str(tmp_path))) == ["1", "2"]
    assert contents(AIMock(fixtures=reversed(files))) == ["2", "1"], "F1: in the order given"


def test_field_58_a_faulty_file_costs_only_what_is_faulty(
    server: AIMock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json").write_text(
        '{"fixtures": [{"response": {"content": "x"}}, {"match": {}, "response": {"content": "a"}}]}'
    )
    (tmp_path / "b.json").write_text("{")
    (tmp_path / "c.json").write_text('{"port": 4010}')
    server.load_fixtures(tmp_path)
    assert contents(server) == ["a"]
    text = caplog.text
    assert "a.json entry 0" in text
    assert "b.json: invalid JSON" in text
    assert 'c.json: no "fixtures" array' in text, "F9: a config file is skipped, with a note"


@pytest.mark.parametrize(
    ("method", "arguments", "match"),
    [
        ("on", ({"model": "m"},), {"model": "m"}),
        ("on_message", ("hi",), {"userMessage": "hi"}),
        ("on_message", (re.compile("h.", re.IGNORECASE),), {"userMessage": "/h./i"}),
        ("on_system_message", ("hi",), {"systemMessage": "hi"}),
        ("on_system_message", (["a", "b"],), {"systemMessage": ["a", "b"]}),
        ("on_json_output", ("hi",), {"userMessage": "hi", "responseFormat": "json_object"}),
        ("on_tool_call", ("f",), {"toolName": "f"}),
        ("on_tool_result", ("call_1",), {"toolCallId": "call_1"}),
        ("on_turn", (2, "hi"), {"turnIndex": 2, "userMessage": "hi"}),
    ],
)
def test_each_way_to_say_what_matches(server: AIMock, method: str, arguments: Any, match: Any) -> None:
    from aimock.fixtures import describe

    response = {"a": 1} if method == "on_json_output" else answer("x")
    more = {"sequence_index": 1, "chunk_size": 3, "hasToolResult": True, "streamingProfile": {"tps": 5}}
    assert getattr(server, method)(*arguments, response, **more) is server
    shown = describe(server.fixtures[0])
    assert shown["match"] == {**match, "sequenceIndex": 1, "hasToolResult": True}, "F6: match keys go into the match"
    assert shown["chunkSize"] == 3
    assert shown["streamingProfile"] == {"tps": 5}
    assert shown["response"] == ({"content": '{"a":1}'} if method == "on_json_output" else answer("x"))


@pytest.mark.parametrize(
    "add",
    [
        lambda server: server.on_message("x", answer("x"), chunksize=3),
        lambda server: server.on_message("x", answer("x"), nonsense=3),
        lambda server: server.on_message("x", {"contents": "x"}),
        lambda server: server.on_message("x", "text"),
        lambda server: server.on_message(5, answer("x")),
        lambda server: server.on_message("x", answer("x"), latency=-1),
        lambda server: server.add_fixture({"match": {}}),
        lambda server: server.add_fixtures([HI, {"match": {}}]),
        lambda server: server.add_fixtures_from_json("{"),
        lambda server: server.add_fixtures_from_json({"fixtures": []}),
        lambda server: server.add_fixtures_from_json([{"match": {}, "response": {"content": ""}}]),
    ],
)
def test_field_57_what_cannot_be_served_is_refused_at_once_and_whole(server: AIMock, add: Any) -> None:
    with pytest.raises((FixtureError, ValueError)):
        add(server)
    assert len(server.fixtures) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((99,), "status"), ((1000,), "status"), (("429",), "status"), ((500, {"message": 5}), "body.message")],
)
def test_d6_a_wrong_one_shot_is_a_value_error(server: AIMock, arguments: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        server.next_request_error(*arguments)


# -- the rest --------------------------------------------------------------------------------------------------------


def test_the_last_request(mock: AIMock, chat: Call) -> None:
    assert (mock.get_last_request(), mock.get_requests()) == (None, [])
    chat("a")
    chat("b")
    assert mock.get_last_request() == mock.get_requests()[-1]
    assert mock.get_last_request()["body"]["messages"][0]["content"] == "b"
    assert len(mock.journal) == 2
    assert mock.clear_requests() is mock
    assert mock.get_requests() == []


@pytest.mark.parametrize("alias", ["reset_journal", "clear_requests"])
def test_clearing_rewinds_sequences(mock: AIMock, chat: Call, alias: str) -> None:
    mock.on_message("hello", {"content": "one"}, sequence_index=0)
    assert [chat().status, chat().status] == [200, 404]
    getattr(mock, alias)()
    assert chat().status == 200


def test_options_reach_the_server(call: Call) -> None:
    with AIMock(chunk_size=2, strict=True, seed=5) as mock:
        mock.on_message("hello", {"content": "abcd"})
        body = call("POST", "/v1/chat/completions", BODY[:-1] + b', "stream": true}', port=mock.port).body
        assert b'"content":"ab"' in body
        assert call("POST", "/v1/chat/completions", {"messages": []}, port=mock.port).status == 503
        assert (mock.seed, mock.strict) == (5, True)
    with pytest.raises(TypeError):
        AIMock(chunksize=2)
    with pytest.raises(KeyError):
        AIMock(log_level="loud")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("port", "4010"),
        ("latency", -1),
        ("latency", float("nan")),
        ("latency", "5"),
        ("chunk_size", 2.5),
        ("replay_speed", 0),
        ("replay_speed", -1),
        ("journal_max_entries", -1),
        ("fixture_counts_max_test_ids", -1),
    ],
)
def test_field_59_a_number_that_makes_no_sense_is_refused_at_once(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected "):
        AIMock(**{name: value})


def test_names() -> None:
    assert LLMock is AIMock
    assert aimock.__version__
    assert AIMock.next_error is AIMock.next_request_error
    with pytest.raises(AttributeError, match="nothing"):
        _ = aimock.nothing
