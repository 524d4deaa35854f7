"""Cohere's official SDK against a live server: as sync code, under asyncio and under Trio."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
from cohere import AsyncClientV2, ClientV2

from aimock import AIMock

QUESTION: dict[str, Any] = {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hello"}]}
"""What is asked where a test has nothing else to ask."""

Work = Callable[[Any], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _no_ambient_cohere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("CO_", "COHERE_")):
            monkeypatch.delenv(name)


@pytest.fixture
def connect_cohere(mock: AIMock) -> Iterator[Callable[..., Any]]:
    """Makes a client of the SDK, closed at the end of the test; without retries unless the test asks for them."""
    with contextlib.ExitStack() as stack:

        def make(kind: type[Any] = ClientV2, **options: Any) -> Any:
            http = stack.enter_context(httpx.Client(verify=False))
            return kind(**{"api_key": "test", "base_url": mock.url, "max_retries": 0, "httpx_client": http} | options)

        yield make


@pytest.fixture
def co(connect_cohere: Callable[..., Any]) -> Any:
    """The SDK's client of the second version."""
    return connect_cohere()


@pytest.fixture
def run_cohere(mock: AIMock) -> Callable[..., Any]:
    """Runs an async function of a client to its end, on `asyncio` or `trio`."""

    def run(backend: str, work: Work, kind: type[Any] = AsyncClientV2, **options: Any) -> Any:
        async def main() -> Any:
            async with httpx.AsyncClient(verify=False) as http:
                settings = {"api_key": "test", "base_url": mock.url, "max_retries": 0, "httpx_client": http}
                return await work(kind(**settings | options))

        return anyio.run(main, backend=backend)

    return run


@pytest.fixture
def said(flavour: str, co: Any, run_cohere: Callable[..., Any]) -> Callable[..., Any]:
    """`chat()`; keyword arguments add to QUESTION."""

    def ask(**more: Any) -> Any:
        if flavour == "sync":
            return co.chat(**QUESTION | more)
        return run_cohere(flavour, lambda client: client.chat(**QUESTION | more))

    return ask


@pytest.fixture
def events(flavour: str, co: Any, run_cohere: Callable[..., Any]) -> Callable[..., list[Any]]:
    """`chat_stream()`, as its events."""

    def ask(**more: Any) -> list[Any]:
        async def work(client: AsyncClientV2) -> list[Any]:
            return [event async for event in client.chat_stream(**QUESTION | more)]

        if flavour == "sync":
            return list(co.chat_stream(**QUESTION | more))
        return list(run_cohere(flavour, work))

    return ask
