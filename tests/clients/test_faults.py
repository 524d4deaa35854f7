"""What clients see of each fault: the tables of docs/chaos.md, over real sockets.

The page is the expectation: each of its cells is one test. Its first column is what is asked for, the others are what
the official SDKs (as sync code and under asyncio, with the retries that they make by themselves) and a bare socket
see. After a change that is meant, or with new SDKs, this writes the cells anew:

    python tests/clients/test_faults.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import anthropic
import anyio
import attrs
import h11
import openai
import pytest

from aimock import AIMock
from aimock.fixtures.faults import OF_MCP, OF_WEBSOCKETS, FaultName, read_faults

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"
WAYS = {"whole": (False,), "streamed": (True,), "either": (False, True)}
"""The tables of the page, and whether a stream is wanted for what they tell."""

PATIENCE = 0.2
"""Seconds that clients wait for the next byte where none will come."""
FOR_EVER = 30.0
"""The same, where one will."""
NOW = 1_800_000_000.0
"""Unix time for server and clients: what a `Retry-After` date says is two seconds later."""
BACKOFF = [0.5, 1.0]
"""What both SDKs wait before their first and second retry, if nothing tells them otherwise and chance is at zero."""

ANSWER = "Hello, world"
SLICE = 5
CITY = {"city": "Paris"}


# -- the page ----------------------------------------------------------------------------------------------------------

_TABLE = re.compile(r"(?<=<!-- seen by clients: )(\w+)( -->\n(?:\|.*\n){2})((?:\|.*\n)+)")
_VERSIONS = re.compile(r"`openai` [\w.]+ and `anthropic` [\w.]+")
_UNDER_ASYNCIO = "; under asyncio: "
COLUMNS = ("openai", "anthropic", "socket")


class Cell(NamedTuple):
    """One thing to be seen."""

    table: str
    fault: str
    client: str
    streamed: bool
    expected: str

    def __str__(self) -> str:
        return f"{self.fault}-{'streamed' if self.streamed else 'whole'}-{self.client}"


def cells_of(text: str) -> Iterator[Cell]:
    """What the tables of a page say that clients see."""
    for table, _, rows in _TABLE.findall(text):
        for row in rows.splitlines():
            fault, *told = (cell.strip() for cell in row.strip("|").split(" |"))
            for column, words in zip(COLUMNS, told, strict=True):
                sync, _, under_asyncio = words.partition(_UNDER_ASYNCIO)
                for streamed in WAYS[table]:
                    yield Cell(table, fault.strip("`"), column, streamed, sync)
                    if column in SDKS:
                        yield Cell(table, fault.strip("`"), f"{column}-asyncio", streamed, under_asyncio or sync)


def rewritten(text: str, see: Callable[[Cell], str]) -> str:
    """The page with its tables' cells as they are seen."""

    def row(table: str, fault: str) -> str:
        told = [_told(table, fault, column, see) for column in COLUMNS]
        return f"| `{fault}` | {' | '.join(told)} |\n"

    def rows(match: re.Match[str]) -> str:
        faults = re.findall(r"^\| `([^`]+)`", match[3], re.MULTILINE)
        return match[1] + match[2] + "".join(row(match[1], fault) for fault in faults)

    return _VERSIONS.sub(_versions(), _TABLE.sub(rows, text))


def _versions() -> str:
    return f"`openai` {openai.__version__} and `anthropic` {anthropic.__version__}"


def _told(table: str, fault: str, column: str, see: Callable[[Cell], str]) -> str:
    flavours = [column, f"{column}-asyncio"] if column in SDKS else [column]
    seen = {
        flavour: {see(Cell(table, fault, flavour, streamed, "")) for streamed in WAYS[table]} for flavour in flavours
    }
    words = [" or ".join(sorted(each)) for each in seen.values()]
    return words[0] if len(set(words)) == 1 else _UNDER_ASYNCIO.join(words)


# -- the SDKs ----------------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """Text, or arguments of a call; and why it ended, if it says so."""

    text: str = ""
    finish: str | None = None


def _openai_whole(completion: Any) -> Piece:
    [choice] = completion.choices
    return Piece(_openai_text(choice.message), choice.finish_reason)


def _openai_chunk(chunk: Any) -> Piece:
    [choice] = chunk.choices
    return Piece(_openai_text(choice.delta), choice.finish_reason)


def _openai_text(message: Any) -> str:
    return (message.content or "") + "".join(call.function.arguments for call in message.tool_calls or ())


def _anthropic_whole(message: Any) -> Piece:
    texts = (block.text if block.type == "text" else json.dumps(block.input) for block in message.content)
    return Piece("".join(texts), message.stop_reason)


def _anthropic_event(event: Any) -> Piece:
    if event.type == "content_block_delta":
        return Piece(event.delta.text if event.delta.type == "text_delta" else event.delta.partial_json)
    return Piece(finish=event.delta.stop_reason if event.type == "message_delta" else None)


class SDK(NamedTuple):
    module: ModuleType
    sync: type[Any]
    asynchronous: type[Any]
    path: str
    unit: str
    """What its streams consist of."""
    ask: Callable[..., Any]
    whole_type: type[Any]
    read_whole: Callable[[Any], Piece]
    read_piece: Callable[[Any], Piece]


SDKS = {
    "openai": SDK(
        openai,
        openai.OpenAI,
        openai.AsyncOpenAI,
        "/v1",
        "chunk",
        lambda client, **question: client.chat.completions.create(model="gpt-4o", **question),
        openai.types.chat.ChatCompletion,
        _openai_whole,
        _openai_chunk,
    ),
    "anthropic": SDK(
        anthropic,
        anthropic.Anthropic,
        anthropic.AsyncAnthropic,
        "",
        "event",
        lambda client, **question: client.messages.create(model="claude-opus-5", max_tokens=64, **question),
        anthropic.types.Message,
        _anthropic_whole,
        _anthropic_event,
    ),
}


@attrs.define
class Sight:
    """What one caller of an SDK saw."""

    sdk: SDK
    whole: Any = None
    pieces: list[Piece] = attrs.field(factory=list)
    error: Exception | None = None
    waits: list[float] = attrs.field(factory=list)
    """Seconds that the SDK wanted to wait before each retry."""
    requests: int = 0
    streamed: bool = False

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def finish(self) -> str | None:
        return next((piece.finish for piece in self.pieces if piece.finish is not None), None)

    @property
    def raised(self) -> str | None:
        if self.error is None:
            return None
        module = type(self.error).__module__.partition("._")[0]
        return f"{module}.{type(self.error).__qualname__}"

    def __str__(self) -> str:
        """In the words of the page."""
        retries = ""
        if self.waits:
            retries = f" after {_counted(len(self.waits), 'retry', 'retries')}"
            if self.waits != BACKOFF[: len(self.waits)]:
                retries += f" ({', '.join(f'{wait:.9g} s' for wait in self.waits)})"
        if self.error is None:
            return f"nothing raised{retries}: {self._got()}"
        return f"{self._got()}, then `{self.raised}`{retries}" if self.pieces else f"`{self.raised}`{retries}"

    def _got(self) -> str:
        if not self.streamed and not isinstance(self.whole, self.sdk.whole_type):
            return f"a `{type(self.whole).__name__}`"
        parts = [_counted(len(self.pieces), self.sdk.unit)] if self.streamed else []
        if self.text:
            parts.append(f"`{self.text}`")
        if self.error is None:
            parts.append("no finish reason" if self.finish is None else f"`{self.finish}`")
        return ", ".join(parts)


def _counted(count: int, unit: str, units: str = "") -> str:
    return f"{count} {unit if count == 1 else units or unit + 's'}"


@contextlib.contextmanager
def server() -> Iterator[AIMock]:
    with AIMock(wall_clock=lambda: NOW) as mock:
        mock.on_message("hello", {"content": ANSWER}, chunk_size=SLICE)
        mock.on_message("weather", {"toolCalls": [{"name": "get_weather", "arguments": CITY}]}, chunk_size=SLICE)
        yield mock


def question_for(fault: str) -> list[dict[str, str]]:
    """The messages of a request that the fault can do something to."""
    return [{"role": "user", "content": "weather" if _is(fault, FaultName.BROKEN_ARGUMENTS) else "hello"}]


def patience_with(fault: str) -> float:
    return PATIENCE if _is(fault, FaultName.STALL, FaultName.SLOW_FIRST_TOKEN) else FOR_EVER


def _is(text: str, *names: FaultName) -> bool:
    return any(fault.name in names for fault in read_faults(text))


def look(sdk: SDK, fault: str, *, streamed: bool, under_asyncio: bool = False, **options: Any) -> Sight:
    """Asks once through an SDK."""
    sight = Sight(sdk, streamed=streamed)
    request: dict[str, Any] = {"messages": question_for(fault), "stream": streamed}

    def keep_whole(answer: Any) -> None:
        sight.whole = answer
        if isinstance(answer, sdk.whole_type):
            sight.pieces.append(sdk.read_whole(answer))

    def ask() -> None:
        http = sdk.module.DefaultHttpxClient(verify=False, trust_env=False, timeout=timeout)
        with sdk.sync(**settings, http_client=http) as client:
            answer = sdk.ask(client, **request)
            if not streamed:
                return keep_whole(answer)
            with answer:
                for piece in answer:
                    sight.pieces.append(sdk.read_piece(piece))
            return None

    async def ask_under_asyncio() -> None:
        http = sdk.module.DefaultAsyncHttpxClient(verify=False, trust_env=False, timeout=timeout)
        async with sdk.asynchronous(**settings, http_client=http) as client:
            answer = await sdk.ask(client, **request)
            if not streamed:
                return keep_whole(answer)
            async with answer:
                async for piece in answer:
                    sight.pieces.append(sdk.read_piece(piece))
            return None

    with server() as mock, waits_noted(sdk.module, sight.waits):
        timeout = sdk.module.Timeout(FOR_EVER, read=patience_with(fault))
        settings = {
            "base_url": mock.url + sdk.path,
            "api_key": "test",
            "timeout": timeout,
            "default_headers": {"x-aimock-fault": fault},
            **options,
        }
        try:
            asyncio.run(ask_under_asyncio()) if under_asyncio else ask()
        except Exception as error:
            sight.error = error
        sight.requests = len(mock.get_requests())
    return sight


@contextlib.contextmanager
def waits_noted(module: ModuleType, waits: list[float]) -> Iterator[None]:
    """The SDK's waits between retries are noted, and not waited for; its clock is the server's, its chance is none."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    base = module._base_client
    stand_ins = {
        "time": SimpleNamespace(**vars(time) | {"sleep": waits.append, "time": lambda: NOW}),
        "anyio": SimpleNamespace(**vars(anyio) | {"sleep": sleep}),
        "random": lambda: 0.0,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, stand_in in stand_ins.items():
            patch.setattr(base, name, stand_in)
        yield


# -- a bare socket -----------------------------------------------------------------------------------------------------


@attrs.define
class Bare:
    """What came through a bare socket that asked OpenAI's chat route."""

    status: int | None = None
    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    ending: str | None = None
    """How the connection ended before the answer did as announced; None: it did."""

    def __str__(self) -> str:
        """In the words of the page."""
        if self.status is None:
            return f"no byte, then {self.ending}"
        parts = [f"`{self.status}`"]
        if "retry-after" in self.headers:
            parts.append(f"`retry-after: {self.headers['retry-after']}`")
        if self.headers["content-type"].startswith("text/html"):
            parts.append("`text/html`")
        parts.append(self._contents())
        return ", ".join(parts) + ("" if self.ending is None else f", then {self.ending}")

    def _contents(self) -> str:
        if not self.body:
            return "no body"
        if not self.body.startswith(b"data: "):
            return "JSON" if is_json(self.body) else "no JSON"
        *events, rest = self.body.removeprefix(b"data: ").split(b"\n\ndata: ")
        events.append(rest.removesuffix(b"\n\n"))
        done = events[-1] == b"[DONE]"
        events = events[:-1] if done else events
        broken = [number for number, event in enumerate(events, 1) if not is_json(event)]
        told = _counted(len(events), "event") + (f" (no JSON: {', '.join(map(str, broken))})" if broken else "")
        return told + (" and `[DONE]`" if done else "")


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def look_bare(fault: str, *, streamed: bool) -> Bare:
    """Asks once through a socket."""
    body = json.dumps({"model": "gpt-4o", "messages": question_for(fault), "stream": streamed}).encode()
    headers = [("host", "mock"), ("content-length", str(len(body))), ("x-aimock-fault", fault)]
    request = h11.Request(method="POST", target="/v1/chat/completions", headers=headers)
    parser = h11.Connection(h11.CLIENT)
    sent = [parser.send(event) or b"" for event in (request, h11.Data(body), h11.EndOfMessage())]
    with server() as mock, socket.create_connection(("127.0.0.1", mock.port)) as connection:
        connection.settimeout(patience_with(fault))
        connection.sendall(b"".join(sent))
        return _received(connection, parser)


def _received(connection: socket.socket, parser: h11.Connection) -> Bare:
    bare = Bare()
    while True:
        event = parser.next_event()
        if isinstance(event, h11.Response):
            bare.status = event.status_code
            bare.headers = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            bare.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return bare
        else:
            try:
                received = connection.recv(65536)
            except (TimeoutError, ConnectionResetError) as error:
                bare.ending = "silence" if isinstance(error, TimeoutError) else "RST"
                return bare
            if not received:
                bare.ending = "FIN"
                return bare
            parser.receive_data(received)


# -- every cell --------------------------------------------------------------------------------------------------------

TEXT = PAGE.read_text("utf-8")
CELLS = list(cells_of(TEXT))


def seen(cell: Cell) -> str:
    """What is seen of what a cell tells, in the words of the page."""
    column, _, flavour = cell.client.partition("-")
    if column not in SDKS:
        return str(look_bare(cell.fault, streamed=cell.streamed))
    sight = look(SDKS[column], cell.fault, streamed=cell.streamed, under_asyncio=bool(flavour))
    assert sight.requests == len(sight.waits) + 1, "the server sees the request, and each retry"
    return str(sight)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_client_sees_what_the_page_says(cell: Cell) -> None:
    """field 1, the needs of SDK and framework users."""
    assert seen(cell) == cell.expected, f"here with {_versions()}, on the page with {_VERSIONS.findall(TEXT)}"


def test_every_fault_is_on_the_page_whole_and_streamed() -> None:
    for streamed in (False, True):
        shown = {fault.name for cell in CELLS if cell.streamed is streamed for fault in read_faults(cell.fault)}
        assert shown == set(FaultName) - {*OF_WEBSOCKETS, *OF_MCP}


def test_a_page_is_written_as_it_is_read() -> None:
    page = "`openai` 0 and `anthropic` 0\n<!-- seen by clients: {} -->\n| fault | a | b | c |\n|---|---|---|---|\n{}"
    seen_by = {"openai": "A", "openai-asyncio": "B", "anthropic": "C", "anthropic-asyncio": "C", "socket": "D"}
    written = rewritten(page.format("either", "| `reset` | | | |\n"), lambda cell: seen_by[cell.client])
    assert _versions() in written
    assert "| `reset` | A; under asyncio: B | C | D |\n" in written
    assert {(cell.client, cell.streamed): cell.expected for cell in cells_of(written)} == {
        (client, streamed): words for client, words in seen_by.items() for streamed in (False, True)
    }


# -- what the page must not come to say unnoticed ----------------------------------------------------------------------

both_sdks = pytest.mark.parametrize("sdk", SDKS.values(), ids=SDKS)
both_flavours = pytest.mark.parametrize("under_asyncio", [False, True], ids=["sync", "asyncio"])
OPENAI, ANTHROPIC = SDKS["openai"], SDKS["anthropic"]


@both_sdks
@both_flavours
def test_a_clean_end_without_a_finish_reason_raises_nothing(sdk: SDK, under_asyncio: bool) -> None:
    """field 1: clean EOF without finish reason must be testable."""
    sight = look(sdk, "truncate", streamed=True, under_asyncio=under_asyncio)
    assert (sight.raised, len(sight.pieces), sight.finish, sight.requests) == (None, 1, None, 1)


@both_flavours
@pytest.mark.parametrize(
    ("fault", "sdk", "raised"),
    [
        ("fin", OPENAI, "openai.APIConnectionError"),
        ("fin", ANTHROPIC, "httpx2.RemoteProtocolError"),
        ("reset", OPENAI, "openai.APIConnectionError"),
        ("reset", ANTHROPIC, "httpx2.ReadError"),
        ("malformed-frame", OPENAI, "json.decoder.JSONDecodeError"),
        ("malformed-frame", ANTHROPIC, "json.decoder.JSONDecodeError"),
        ("error-event", OPENAI, "openai.APIError"),
        ("error-event", ANTHROPIC, "anthropic.APIStatusError"),
        ("stall", OPENAI, "openai.APITimeoutError"),
        ("stall", ANTHROPIC, "httpx2.ReadTimeout"),
    ],
)
def test_nothing_is_retried_once_a_stream_has_begun(fault: str, sdk: SDK, raised: str, under_asyncio: bool) -> None:
    """field 1: drops in mid-stream, raw exceptions of the HTTP library, errors after HTTP 200, silent stalls."""
    sight = look(sdk, fault, streamed=True, under_asyncio=under_asyncio)
    assert (sight.raised, len(sight.pieces), sight.requests) == (raised, 1, 1)


@pytest.mark.parametrize(("fault", "under"), [("fin", "RemoteProtocolError"), ("reset", "ReadError")])
def test_fin_and_reset_are_told_apart_below_the_openai_sdk(fault: str, under: str) -> None:
    """field 1: FIN and RST give different exceptions."""
    error = look(OPENAI, fault, streamed=True).error
    assert error is not None
    assert type(error.__cause__).__name__ == under


@pytest.mark.parametrize("fault", ["throttled", "overloaded", "unavailable"])
@pytest.mark.parametrize(
    ("retry_after", "openai_waits", "anthropic_waits"),
    [
        ("7", [7, 7], [7, 7]),
        ("0.5", [0.5, 0.5], [0.5, 0.5]),
        ("date", [2, 2], [2, 2]),
        ("120", [120, 120], [120, 120]),
        ("121", [], [121, 121]),
        ("absurd", [], [1_000_000, 1_000_000]),
        ("0", BACKOFF, BACKOFF),
        ("junk", BACKOFF, BACKOFF),
        ("none", BACKOFF, BACKOFF),
    ],
)
def test_retry_after_is_obeyed_or_not(
    fault: str, retry_after: str, openai_waits: list[float], anthropic_waits: list[float]
) -> None:
    """field 1: Retry-After in seconds, as a date, absurd, junk; on 503 and 529 too."""
    for sdk, waits in ((OPENAI, openai_waits), (ANTHROPIC, anthropic_waits)):
        sight = look(sdk, f"{fault};retryAfter={retry_after}", streamed=False)
        assert (sight.waits, sight.requests) == (waits, len(waits) + 1)


@both_sdks
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_client_retries_as_often_as_it_is_told(sdk: SDK, retries: int) -> None:
    assert look(sdk, "overloaded", streamed=False, max_retries=retries).requests == retries + 1


@both_sdks
@pytest.mark.parametrize("streamed", [False, True])
def test_a_fault_that_strikes_as_often_as_a_client_retries_is_overcome(sdk: SDK, streamed: bool) -> None:
    sight = look(sdk, "overloaded;times=2", streamed=streamed)
    assert (sight.raised, sight.text, sight.requests) == (None, ANSWER, 3)
    assert look(sdk, "overloaded;times=3", streamed=streamed).error is not None


@pytest.mark.parametrize("fault", ["truncate;afterChunks=2", "broken-arguments", "fin", "empty"])
@both_sdks
def test_what_the_streaming_helpers_make_of_it(sdk: SDK, fault: str) -> None:
    """The helpers that put a stream together: field 1, clean EOF without finish reason."""
    http = sdk.module.DefaultHttpxClient(verify=False, trust_env=False)
    headers = {"x-aimock-fault": fault}
    with (
        server() as mock,
        sdk.sync(base_url=mock.url + sdk.path, api_key="test", default_headers=headers, http_client=http) as client,
    ):

        def assemble() -> Piece:
            question: Any = {"messages": question_for(fault)}
            if sdk is OPENAI:
                with client.chat.completions.stream(model="gpt-4o", **question) as stream:
                    return _openai_whole(stream.get_final_completion())
            with client.messages.stream(model="claude-opus-5", max_tokens=64, **question) as stream:
                return _anthropic_whole(stream.get_final_message())

        expected: Any = {
            ("truncate;afterChunks=2", "openai"): Piece("Hello", None),
            ("truncate;afterChunks=2", "anthropic"): Piece("", None),
            ("broken-arguments", "openai"): Piece('{"city":', "tool_calls"),
            ("broken-arguments", "anthropic"): Piece("{}", "tool_use"),
            ("fin", "openai"): "APIConnectionError",
            ("fin", "anthropic"): "RemoteProtocolError",
            ("empty", "openai"): "AssertionError",
            ("empty", "anthropic"): "AssertionError",
        }
        try:
            made: Any = assemble()
        except Exception as error:
            made = type(error).__name__
        assert made == expected[fault, sdk.module.__name__]


if __name__ == "__main__":
    PAGE.write_text(rewritten(TEXT, seen), "utf-8")
