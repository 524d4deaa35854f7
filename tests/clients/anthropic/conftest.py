"""The official Anthropic SDK against a live server: as sync code, under asyncio and under Trio."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from anthropic import Anthropic, AsyncAnthropic, DefaultAsyncHttpxClient, DefaultHttpxClient

from aimock import AIMock

QUESTION: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}
"""What is asked where a test has nothing else to ask."""

Work = Callable[[AsyncAnthropic], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _no_ambient_anthropic(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("ANTHROPIC_", "CLOUD_ML_")):
            monkeypatch.delenv(name)


@pytest.fixture
def connect_claude(mock: AIMock) -> Iterator[Callable[..., Any]]:
    """Makes a client of the SDK, closed at the end of the test; without retries unless the test asks for them."""
    with contextlib.ExitStack() as stack:

        def make(kind: type[Any] = Anthropic, **options: Any) -> Any:
            settings = {"base_url": mock.url, "max_retries": 0, "http_client": DefaultHttpxClient(verify=False)}
            if kind is Anthropic:
                settings["api_key"] = "test"
            return stack.enter_context(kind(**settings | options))

        yield make


@pytest.fixture
def claude(connect_claude: Callable[..., Any]) -> Any:
    """The SDK's client."""
    return connect_claude()


@pytest.fixture
def run_claude(mock: AIMock) -> Callable[..., Any]:
    """Runs an async function of a client to its end, on `asyncio` or `trio`."""

    def run(backend: str, work: Work, **options: Any) -> Any:
        async def main() -> Any:
            http = DefaultAsyncHttpxClient(verify=False)
            settings = {"base_url": mock.url, "api_key": "test", "max_retries": 0, "http_client": http}
            async with AsyncAnthropic(**settings | options) as connected:
                return await work(connected)

        with warnings.catch_warnings():
            # An error in the midst of a stream leaves the SDK's generators to the collector, of which Trio complains.
            warnings.filterwarnings("ignore", "Async generator 'anthropic", ResourceWarning)
            return anyio.run(main, backend=backend)

    return run


@pytest.fixture
def said(flavour: str, claude: Any, run_claude: Callable[..., Any]) -> Callable[..., Any]:
    """`create()`; keyword arguments add to QUESTION."""

    def ask(**more: Any) -> Any:
        if flavour == "sync":
            return claude.messages.create(**QUESTION | more)
        return run_claude(flavour, lambda client: client.messages.create(**QUESTION | more))

    return ask


@pytest.fixture
def events(flavour: str, claude: Any, run_claude: Callable[..., Any]) -> Callable[..., list[Any]]:
    """`create(stream=True)`, as its events."""

    def ask(**more: Any) -> list[Any]:
        async def work(client: AsyncAnthropic) -> list[Any]:
            return [event async for event in await client.messages.create(**QUESTION | more, stream=True)]

        if flavour == "sync":
            return list(claude.messages.create(**QUESTION | more, stream=True))
        return run_claude(flavour, work)

    return ask


@pytest.fixture
def put_together(flavour: str, claude: Any, run_claude: Callable[..., Any]) -> Callable[..., Any]:
    """`.stream()`, the helper that puts a stream together, to its final message."""

    def ask(**more: Any) -> Any:
        async def work(client: AsyncAnthropic) -> Any:
            async with client.messages.stream(**QUESTION | more) as stream:
                return await stream.get_final_message()

        if flavour != "sync":
            return run_claude(flavour, work)
        with claude.messages.stream(**QUESTION | more) as stream:
            return stream.get_final_message()

    return ask
