"""Services at paths of their own: found, told of, spoiled, and changed while the server runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aimock import AIMock, mounts
from aimock.app import App
from aimock.config import ConfigError, load_config
from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Head, Request, Stream, Whole
from aimock.net.limits import Limits
from aimock.settings import Settings
from aimock.state import State
from aimock.surfaces.mock import ServiceMock
from aimock.surfaces.mounted import Mounted
from aimock_protocols.canonical import ErrorReply, Frame, FrameKind, Stamp


class Echo(Mounted):
    """Says what it was told, at once or in pieces."""

    name = "mcp"
    paths = frozenset({"/known"})

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []
        self.rewound: list[str | None] = []

    @property
    def extra_routes(self) -> Iterable[tuple[str, str]]:
        return (("GET", "/.well-known/echo"),)

    def respond(self, exchange: Exchange, path: str) -> Answer:
        if path == "/fault":
            raise RuntimeError("a fault of its own")
        if path == "/missing":
            self.missed(exchange, "nobody said what to say")
            return self._fail(exchange, ErrorReply("nothing to say", status=404))
        return self.under_chaos(
            exchange,
            lambda: self._stream(exchange) if path == "/stream" else self._whole(exchange, path),
            streamed=path == "/stream",
            fail=lambda error: self._fail(exchange, error),
            error_frame=_error_frame,
        )

    def _whole(self, exchange: Exchange, path: str) -> Whole:
        entry = self.noted(exchange, 200, "say", {"said": path})
        return Whole(200, (), f"{self.path} {path}".encode(), exchange.fresh_headers, on_end=entry.ended)

    def _stream(self, exchange: Exchange) -> Stream:
        entry = self.noted(exchange, 200, "stream")
        frames = [(at / 1000, Frame(b'{"at": %d}' % at, FrameKind.TOKEN)) for at in range(5)]
        return self.streamed(exchange, entry, (("content-type", "text/event-stream"),), frames, _error_frame)

    def _fail(self, exchange: Exchange, error: ErrorReply) -> Whole:
        self.noted(exchange, error.status, "fail")
        return Whole(error.status, (), error.message.encode(), exchange.fresh_headers)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        return self._fail(exchange, ErrorReply(message, status=status))

    def health(self) -> dict[str, Any]:
        return {"status": "ok", "told": len(self.told)}

    def add(self, value: Any) -> int:
        if not isinstance(value.get("say"), list):
            raise ValueError("say: expected an array")
        self.told += value["say"]
        return len(value["say"])

    def reset(self) -> None:
        self.told.clear()

    def rewind(self, test_id: str | None = None) -> None:
        self.rewound.append(test_id)


def _error_frame(error: ErrorReply, stamp: Stamp) -> Frame:
    return Frame(b"error: " + error.message.encode(), FrameKind.CLOSE)


@pytest.fixture
def mock() -> Iterator[AIMock]:
    with AIMock(metrics=True, seed=1) as mock:
        yield mock


@pytest.fixture
def echo(mock: AIMock) -> Echo:
    echo = Echo()
    mock.mount("/echo", echo)
    return echo


def test_a_service_has_its_path_and_all_below(mock: AIMock, echo: Echo) -> None:
    assert httpx.get(mock.url + "/echo").text == "/echo /"
    assert httpx.post(mock.url + "/echo/a/b?c=d").text == "/echo /a/b"
    assert httpx.get(mock.url + "/.well-known/echo").text == "/echo /.well-known/echo"
    assert httpx.post(mock.url + "/.well-known/echo").status_code == 404
    assert httpx.get(mock.url + "/echoes").status_code == 404


def test_the_longest_path_wins(mock: AIMock, echo: Echo) -> None:
    mock.mount("/echo/inner/", Echo())
    assert httpx.get(mock.url + "/echo/inner/x").text == "/echo/inner /x"
    assert httpx.get(mock.url + "/echo/other").text == "/echo /other"


@pytest.mark.parametrize("path", ["", "/", "echo", "/a?b", "/a#b", "//"])
def test_a_path_that_is_none_is_refused(mock: AIMock, path: str) -> None:
    with pytest.raises(ValueError, match="path: expected one like /mcp"):
        mock.mount(path, Echo())


def test_a_path_or_a_service_is_taken_once(mock: AIMock, echo: Echo) -> None:
    with pytest.raises(ValueError, match="path: /echo is taken"):
        mock.mount("/echo/", Echo())
    with pytest.raises(ValueError, match="mounted at /echo already"):
        mock.mount("/again", echo)
    assert httpx.get(mock.url + "/again").status_code == 404


def test_core_lessons_c14_what_is_mounted_later_answers_a_head_that_was_seen_before(mock: AIMock) -> None:
    with httpx.Client() as client:
        assert client.get(mock.url + "/echo").status_code == 404
        mock.mount("/echo", Echo())
        assert client.get(mock.url + "/echo").status_code == 200


def test_core_lessons_c14_and_each_state_has_its_own() -> None:
    with_one, without = State(Settings()), State(Settings())
    with_one.mounts.add("/echo", Echo())
    app, head = App(with_one), Head("GET", "/echo", "/echo", "", {}, ())
    statuses = []
    for state in (with_one, without, with_one):
        app.use(state)
        answer = app.answer(Request(head))
        assert isinstance(answer, Whole)
        statuses.append(answer.status)
    assert statuses == [200, 404, 200]


def test_journal_metrics_and_health_tell_of_it(mock: AIMock, echo: Echo) -> None:
    httpx.post(mock.url + "/echo/known")
    httpx.post(mock.url + "/echo/unknown")
    entry = mock.get_requests()[0]
    assert (entry["service"], entry["body"], entry["path"]) == ("mcp", {"said": "/known"}, "/echo/known")
    told = httpx.get(mock.url + "/metrics").text
    assert 'aimock_mcp_requests_total{method="say"} 2' in told
    assert 'path="/echo/known"' in told
    assert 'path="/echo/{other}"' in told
    assert httpx.get(mock.url + "/health").json() == {
        "status": "ok",
        "services": {"llm": {"status": "ok", "fixtures": 0}, "echo": {"status": "ok", "told": 0}},
    }


def test_ids_repeat_from_the_seed_and_the_test() -> None:
    def ids() -> list[str]:
        with AIMock(seed=7) as mock:
            mock.mount("/echo", Echo())
            return [
                httpx.get(mock.url + "/echo", headers={"x-test-id": test}).headers["x-request-id"]
                for test in ("a", "b", "a")
            ]

    first = ids()
    assert len(set(first)) == 3
    assert ids() == first


def test_a_fault_of_its_own_is_an_answer(mock: AIMock, echo: Echo) -> None:
    assert httpx.get(mock.url + "/echo/fault").status_code == 500
    assert mock.get_requests()[-1]["response"]["status"] == 500


def test_what_it_misses_is_unexpected(mock: AIMock, echo: Echo) -> None:
    told = []
    mock._state.on_unexpected = lambda exchange, why: told.append((exchange.head.path, why))
    assert httpx.get(mock.url + "/echo/missing").status_code == 404
    assert told == [("/echo/missing", "nobody said what to say")]


def test_a_request_that_cannot_be_read_is_refused_in_its_words() -> None:
    with AIMock(limits=Limits(body_bytes=10)) as mock:
        mock.mount("/echo", Echo())
        assert httpx.post(mock.url + "/echo", content=b"x" * 11).status_code == 413
        assert mock.get_requests()[-1]["response"]["interruptReason"] == "request body exceeded size limit"


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("drop", 500, "Chaos: request dropped"),
        ("overloaded", 529, "Overloaded"),
        ("throttled", 429, "Too many requests"),
        ("rateLimit", 429, "Chaos: rate limit exceeded"),
        ("malformed", 200, "{malformed json"),
    ],
)
def test_chaos_befalls_it(mock: AIMock, echo: Echo, fault: str, status: int, body: str) -> None:
    response = httpx.get(mock.url + "/echo", headers={"x-aimock-fault": fault})
    assert (response.status_code, body in response.text) == (status, True)
    assert len(mock.get_requests()) == 1


def test_chaos_befalls_its_streams(mock: AIMock, echo: Echo) -> None:
    def streamed(fault: str) -> str:
        return httpx.get(mock.url + "/echo/stream", headers={"x-aimock-fault": fault}).text

    frames = [f'{{"at": {at}}}' for at in range(5)]
    assert streamed("slow-first-token;delayMs=1") == "".join(frames)
    assert streamed("malformed-frame;afterChunks=2") == "".join([*frames[:2], '{"at": 2', *frames[3:]])
    assert streamed("error-event;afterChunks=3") == "".join([*frames[:3], "error: Overloaded"])
    assert streamed("truncate;afterChunks=1") == frames[0]
    with pytest.raises(httpx.RemoteProtocolError):
        streamed("fin;afterChunks=1")
    assert mock.get_requests()[-1]["response"]["interruptReason"] == "fin"


def test_the_control_api_changes_it(mock: AIMock, echo: Echo) -> None:
    control = mock.url + "/__aimock/services"
    assert httpx.post(f"{control}/echo", json={"say": ["a", "b"]}).json() == {"added": 2}
    listed = {"path": "/echo", "name": "mcp", "health": {"status": "ok", "told": 2}}
    assert httpx.get(control).json() == {"services": [listed]}
    assert httpx.get(f"{control}/echo").json() == listed
    assert httpx.get(f"{control}/echo?told=1").json() == {"error": "told: unknown parameter; expected none"}
    assert httpx.post(f"{control}/echo", json={"say": 1}).json() == {"error": "say: expected an array"}
    assert httpx.post(f"{control}/echo/reset").json() == {"reset": True}
    assert echo.told == []
    unknown = httpx.post(f"{control}/other", json={})
    assert (unknown.status_code, unknown.json()) == (
        400,
        {"error": "No service is mounted at /other; there are: /echo"},
    )


def test_a_reset_of_the_server_leaves_it_but_for_its_sequences(mock: AIMock, echo: Echo) -> None:
    echo.told.append("a")
    mock.reset_match_counts("t")
    mock.reset()
    assert (echo.told, echo.rewound) == (["a"], ["t", None])


class EchoMock(ServiceMock[Echo]):
    def __init__(self) -> None:
        super().__init__(Echo(), seed=1)


def test_a_mock_serves_alone() -> None:
    with EchoMock() as mock:
        assert mock.url.endswith("/mcp")
        assert httpx.get(mock.url + "/a").text == "/mcp /a"
        assert mock.add({"say": ["x"]}).health() == {"status": "ok", "told": 1}
        assert [entry["path"] for entry in mock.get_requests()] == ["/mcp/a"]
        assert mock.reset().health()["told"] == 0
    with pytest.raises(RuntimeError):
        _ = mock.url


def test_a_mock_that_is_mounted_has_no_server_of_its_own(mock: AIMock) -> None:
    echo = EchoMock()
    with pytest.raises(RuntimeError, match="not mounted"):
        _ = echo.url
    mock.mount("/echo", echo)
    assert echo.url == mock.url + "/echo"
    with pytest.raises(RuntimeError, match="mounted on a server"):
        echo.start()


async def test_a_mock_serves_in_the_loop_that_it_is_started_in() -> None:
    async with EchoMock() as mock, httpx.AsyncClient() as client:
        assert (await client.get(mock.url)).text == "/mcp /"


@pytest.fixture
def echoes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of service of config files."""
    monkeypatch.setattr(mounts, "SERVICES", {"echo": mounts.Service(__name__, "EchoMock")})
    monkeypatch.setattr("aimock.config.SERVICES", mounts.SERVICES)


def from_config(value: Any, directory: Path) -> Echo:
    echo = Echo()
    echo.add(value)
    return echo


def config_schema() -> dict[str, Any]:
    return {"type": "object", "properties": {"say": {"type": "array", "items": {"type": "string"}}}}


@pytest.mark.usefixtures("echoes")
def test_a_config_file_mounts_services(tmp_path: Path) -> None:
    path = tmp_path / "aimock.json"
    path.write_text(json.dumps({"echo": [{"say": ["a"]}, {"path": "/second", "say": []}]}))
    mounted = load_config(path).services
    assert [(at, service.health()["told"]) for at, service in mounted] == [("/echo", 1), ("/second", 0)]


@pytest.mark.usefixtures("echoes")
@pytest.mark.parametrize(
    ("section", "said"),
    [
        (1, "echo: expected an object, got 1"),
        ([], "echo: expected an object, or an array of one or more, got []"),
        ({"say": 1}, "echo.say: expected an array"),
        ([{"say": []}, {}], "echo[1].say: expected an array"),
        ({"path": 5, "say": []}, "echo.path: expected a string, got 5"),
    ],
)
def test_a_section_that_is_wrong_is_refused(tmp_path: Path, section: Any, said: str) -> None:
    path = tmp_path / "aimock.json"
    path.write_text(json.dumps({"echo": section}))
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value) == f"{path}: {said}"
