"""HTTP/2: every surface by the official SDKs, given a client that speaks it; and what there is only there."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import httpx2
import pytest
import trio
from anthropic import Anthropic
from anthropic import DefaultHttpxClient as AnthropicHttp
from google import genai
from google.genai import types
from openai import APIConnectionError, DefaultHttpxClient, InternalServerError, OpenAI

from aimock import AIMock

pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
"""The SDK's sync sockets use what `websockets` has deprecated."""

TEXT = "One, two, three, four, five, six."
QUESTION: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "count"}]}


@pytest.fixture(params=["h2", "h2c"])
def mock(request: pytest.FixtureRequest) -> Iterator[AIMock]:
    """Over TLS, and without."""
    with AIMock(http2=True, tls=request.param == "h2") as running:
        running.on_message("count", {"content": TEXT}, chunk_size=6, latency=5)
        yield running


@pytest.fixture
def http(mock: AIMock) -> dict[str, Any]:
    """What a client of HTTPX, old or new, is made with so as to speak HTTP/2 to the server."""
    if mock.ca_file is None:
        return {"http1": False, "http2": True}  # HTTPX begins so only if it may do nothing else
    return {"http2": True, "verify": ssl.create_default_context(cafile=str(mock.ca_file))}


@pytest.fixture
def client(mock: AIMock, http: dict[str, Any]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=mock.url, **http) as client:
        yield client


@pytest.fixture
def openai(mock: AIMock, http: dict[str, Any]) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{mock.url}/v1", api_key="test", max_retries=0, http_client=DefaultHttpxClient(**http)
    ) as client:
        yield client


# -- SDKs --------------------------------------------------------------------------------------------------------------


def test_openai(openai: OpenAI) -> None:
    raw = openai.chat.completions.with_raw_response.create(**QUESTION)
    assert raw.http_response.http_version == "HTTP/2"
    assert raw.parse().choices[0].message.content == TEXT
    chunks = list(openai.chat.completions.create(**QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert len(chunks) > 6
    with openai.responses.stream(model="gpt-4o", input="count") as stream:
        assert stream.get_final_response().output_text == TEXT
    assert len(openai.embeddings.create(model="text-embedding-3-small", input="x").data[0].embedding) == 1536
    assert openai.models.list().data


def test_anthropic(mock: AIMock, http: dict[str, Any]) -> None:
    question: dict[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 99, "messages": QUESTION["messages"]}
    with Anthropic(base_url=mock.url, api_key="test", max_retries=0, http_client=AnthropicHttp(**http)) as client:
        raw = client.messages.with_raw_response.create(**question)
        assert raw.http_response.http_version == "HTTP/2"
        assert raw.parse().content[0].text == TEXT
        with client.messages.stream(**question) as stream:
            assert "".join(stream.text_stream) == TEXT


def test_gemini(mock: AIMock, http: dict[str, Any]) -> None:
    client = genai.Client(api_key="test", http_options=types.HttpOptions(base_url=mock.url, client_args=http))
    with client:
        assert client.models.generate_content(model="gemini-2.5-flash", contents="count").text == TEXT
        stream = client.models.generate_content_stream(model="gemini-2.5-flash", contents="count")
        assert "".join(chunk.text or "" for chunk in stream) == TEXT
        vector = client.models.embed_content(model="gemini-embedding-001", contents="x").embeddings
        assert vector is not None
        assert vector[0].values
    assert {entry["path"].rpartition(":")[2] for entry in mock.get_requests()} >= {"generateContent"}


def test_a_realtime_session(mock: AIMock, http: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its WebSocket comes by HTTP/1.1, the token for it by HTTP/2."""
    if mock.ca_file is not None:
        monkeypatch.setenv("SSL_CERT_FILE", str(mock.ca_file))
    options: dict[str, Any] = {"websocket_base_url": mock.url.replace("http", "ws") + "/v1"}
    http_client = DefaultHttpxClient(**http)
    with OpenAI(base_url=f"{mock.url}/v1", api_key="test", http_client=http_client, **options) as client:
        assert client.realtime.client_secrets.create().value.startswith("ek_")
        with client.realtime.connect(model="gpt-realtime") as connection:
            connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            content: Any = [{"type": "input_text", "text": "count"}]
            connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
            connection.response.create()
            said = ""
            for event in connection:
                if event.type == "response.output_text.delta":
                    said += event.delta
                elif event.type == "response.done":
                    break
    assert said == TEXT


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_both_versions_of_httpx(mock: AIMock, http: dict[str, Any], library: Any) -> None:
    with library.Client(base_url=mock.url, **http) as client:
        answer = client.post("/v1/chat/completions", json=QUESTION)
        assert answer.http_version == "HTTP/2"
        assert answer.json()["choices"][0]["message"]["content"] == TEXT


def test_asyncio_and_trio(mock: AIMock, http: dict[str, Any], flavour: str) -> None:
    import anyio

    async def ask() -> list[str]:
        async with httpx.AsyncClient(base_url=mock.url, **http) as client:
            body = QUESTION | {"stream": True}
            async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
                assert answer.http_version == "HTTP/2"
                return [line async for line in answer.aiter_lines()]

    if flavour != "sync":
        assert "data: [DONE]" in anyio.run(ask, backend=flavour)


# -- the rest of HTTP --------------------------------------------------------------------------------------------------


def test_the_control_api_and_errors(mock: AIMock, client: httpx.Client) -> None:
    assert client.get("/ready").json() == {"status": "ready"}
    added = client.post(
        "/__aimock/fixtures", json={"fixtures": [{"match": {"userMessage": "new"}, "response": {"content": "Yes"}}]}
    )
    assert added.status_code == 200
    messages = [{"role": "user", "content": "new"}]
    assert client.post("/v1/chat/completions", json={"model": "m", "messages": messages}).status_code == 200
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/v1/chat/completions", 405)):
        answer = client.request(method, path)
        assert (answer.status_code, answer.http_version) == (status, "HTTP/2")
    assert client.post("/v1/chat/completions", content=b"{").status_code == 400
    assert client.head("/health").content == b""
    assert client.options("/v1/models").status_code == 204
    journal = client.get("/__aimock/journal").json()
    assert [entry["response"]["status"] for entry in journal][:1] == [200]


def test_http_1_is_spoken_at_the_same_address(mock: AIMock, http: dict[str, Any]) -> None:
    with httpx.Client(base_url=mock.url, **http | {"http1": True, "http2": False}) as client:
        body = QUESTION | {"stream": True}
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.http_version == "HTTP/1.1"
        assert answer.text.endswith("data: [DONE]\n\n")


# -- chaos -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "pieces"),
    [("fin;afterChunks=2", 2, 2), ("reset;afterChunks=2", 8, 2), ("disconnect", 2, 0)],
)
def test_a_bad_ending_is_a_reset_of_the_stream(
    mock: AIMock, client: httpx.Client, fault: str, code: int, pieces: int
) -> None:
    lines: list[str] = []
    client.headers["x-aimock-fault"] = fault
    body = QUESTION | {"stream": True}
    with (
        pytest.raises(httpx.RemoteProtocolError, match=f"StreamReset .*error_code:{code}"),
        client.stream("POST", "/v1/chat/completions", json=body) as answer,
    ):
        lines += filter(None, answer.iter_lines())
    assert len(lines) == pieces or not lines  # HTTPX may drop what came before a reset
    del client.headers["x-aimock-fault"]
    assert client.post("/v1/chat/completions", json=QUESTION).status_code == 200


def test_an_sdk_sees_a_reset_as_a_lost_connection(openai: OpenAI) -> None:
    with pytest.raises(APIConnectionError):
        openai.chat.completions.create(**QUESTION, extra_headers={"x-aimock-fault": "disconnect"})
    with pytest.raises(InternalServerError):
        openai.chat.completions.create(**QUESTION, extra_headers={"x-aimock-fault": "drop"})


# -- one connection for all --------------------------------------------------------------------------------------------


def test_streams_on_one_connection_keep_their_own_time(mock: AIMock, client: httpx.Client) -> None:
    for name, latency in (("slow", 40), ("quick", 4)):
        mock.prepend_fixture(
            {"match": {"userMessage": name}, "response": {"content": "x" * 20}, "latency": latency, "chunkSize": 1}
        )
    connections: set[Any] = set()
    took: dict[str, float] = {}

    def ask(name: str) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": name}], "stream": True}
        started = time.perf_counter()
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            connections.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            assert answer.read().endswith(b"data: [DONE]\n\n")
        took[name] = time.perf_counter() - started

    client.get("/health")  # now there is a connection to share
    threads = [threading.Thread(target=ask, args=(name,)) for name in ("slow", "quick")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(connections) == 1
    assert took["slow"] >= 22 * 0.040
    assert took["quick"] < took["slow"] / 2


def test_a_client_that_leaves_is_in_the_journal(mock: AIMock, http: dict[str, Any], wait: Wait) -> None:
    mock.prepend_fixture({"match": {"userMessage": "long"}, "response": {"content": "x" * 100}, "latency": 1000})
    body = {"model": "m", "messages": [{"role": "user", "content": "long"}], "stream": True}
    with httpx.Client(base_url=mock.url, **http) as client:
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert answer.status_code == 200
        assert client.get("/health").status_code == 200  # HTTPX does not tell that it reads no further: not yet
    wait(lambda: bool(mock.get_requests()[-1]["response"].get("interrupted")))


Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def wait() -> Wait:
    """For what another thread will bring about."""

    def until(condition: Callable[[], bool]) -> None:
        async def poll() -> None:
            with trio.fail_after(5):
                while not condition():  # noqa: ASYNC110 - no event of ours tells
                    await trio.sleep(0.005)

        trio.run(poll)

    return until
