"""A live server, and the official OpenAI SDK as sync code, under asyncio and under Trio."""

from __future__ import annotations

import contextlib
import gc
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient, DefaultHttpxClient, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion

from aimock import AIMock

ROOT = Path(__file__).parents[2]
"""Of the repository."""

QUESTION: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}
"""What is asked where a test has nothing else to ask."""

Work = Callable[[AsyncOpenAI], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer's shell says to aimock or to an SDK does not reach the tests."""
    for name in os.environ:
        if name.startswith(("AIMOCK_", "OPENAI_", "AZURE_", "LANGCHAIN_", "LANGSMITH_")) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)


_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})


@pytest.fixture(scope="module")
def left_to_the_collector() -> Iterator[None]:
    """Some SDKs leave their connections to the collector, which complains of them: here, and not in other modules. The
    module ignores ResourceWarning and pytest.PytestUnraisableExceptionWarning."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def mock() -> Iterator[AIMock]:
    """A server of this test's own, in its own thread, on a port of its own."""
    with AIMock() as running:
        yield running


@pytest.fixture
def client(mock: AIMock) -> Iterator[OpenAI]:
    """The SDK, without its retries: a test that is about them asks for them."""
    with OpenAI(base_url=f"{mock.url}/v1", api_key="test", max_retries=0, http_client=plain_http()) as connected:
        yield connected


def plain_http() -> DefaultHttpxClient:
    """The SDK's own HTTP client, without its 40 ms of loading certificates."""
    return DefaultHttpxClient(verify=False)


@pytest.fixture
def connect(mock: AIMock) -> Iterator[Callable[..., Any]]:
    """Makes a client of the SDK: `connect(AzureOpenAI, azure_endpoint=mock.url)`, closed at the end of the test."""
    with contextlib.ExitStack() as stack:

        def make(kind: type[Any] = OpenAI, **options: Any) -> Any:
            if kind is OpenAI:
                options.setdefault("base_url", f"{mock.url}/v1")
            options = {"api_key": "test", "max_retries": 0, "http_client": plain_http()} | options
            return stack.enter_context(kind(**options))

        yield make


@pytest.fixture(params=["sync", "asyncio", "trio"])
def flavour(request: pytest.FixtureRequest) -> str:
    """How the SDK is used."""
    return str(request.param)


@pytest.fixture
def run_async(mock: AIMock) -> Callable[[str, Work], Any]:
    """Runs an async function of a client to its end, on `asyncio` or `trio`."""

    def run(backend: str, work: Work, **options: Any) -> Any:
        async def main() -> Any:
            http = DefaultAsyncHttpxClient(verify=False)
            settings = {"base_url": f"{mock.url}/v1", "api_key": "test", "max_retries": 0, "http_client": http}
            async with AsyncOpenAI(**settings | options) as connected:
                return await work(connected)

        with warnings.catch_warnings():
            # The SDK stops iterating at [DONE] and leaves its generators to the collector, of which Trio complains.
            warnings.filterwarnings("ignore", "Async generator 'openai", ResourceWarning)
            return anyio.run(main, backend=backend)

    return run


@pytest.fixture
def whole(flavour: str, client: OpenAI, run_async: Callable[[str, Work], Any]) -> Callable[..., ChatCompletion]:
    """`create()`; keyword arguments add to QUESTION."""

    def ask(**more: Any) -> ChatCompletion:
        if flavour == "sync":
            return client.chat.completions.create(**QUESTION | more)
        return run_async(flavour, lambda client: client.chat.completions.create(**QUESTION | more))

    return ask


@pytest.fixture
def streamed(
    flavour: str, client: OpenAI, run_async: Callable[[str, Work], Any]
) -> Callable[..., list[ChatCompletionChunk]]:
    """`create(stream=True)`, as its chunks."""

    def ask(**more: Any) -> list[ChatCompletionChunk]:
        async def work(client: AsyncOpenAI) -> list[ChatCompletionChunk]:
            return [chunk async for chunk in await client.chat.completions.create(**QUESTION | more, stream=True)]

        if flavour == "sync":
            return list(client.chat.completions.create(**QUESTION | more, stream=True))
        return run_async(flavour, work)

    return ask


@pytest.fixture
def assembled(
    flavour: str, client: OpenAI, run_async: Callable[[str, Work], Any]
) -> Callable[..., ParsedChatCompletion[Any]]:
    """`.stream()`, the helper that puts a stream together, to its final completion."""

    def ask(**more: Any) -> ParsedChatCompletion[Any]:
        async def work(client: AsyncOpenAI) -> ParsedChatCompletion[Any]:
            async with client.chat.completions.stream(**QUESTION | more) as stream:
                return await stream.get_final_completion()

        if flavour != "sync":
            return run_async(flavour, work)
        with client.chat.completions.stream(**QUESTION | more) as stream:
            return stream.get_final_completion()

    return ask


@pytest.fixture
def parsed(
    flavour: str, client: OpenAI, run_async: Callable[[str, Work], Any]
) -> Callable[..., ParsedChatCompletion[Any]]:
    """`.parse()`, which reads structured output."""

    def ask(**more: Any) -> ParsedChatCompletion[Any]:
        if flavour == "sync":
            return client.chat.completions.parse(**QUESTION | more)
        return run_async(flavour, lambda client: client.chat.completions.parse(**QUESTION | more))

    return ask


@pytest.fixture(scope="session")
def root() -> Path:
    """The directory of the repository."""
    return ROOT
