"""The official Ollama SDK against a live server: as sync code, under asyncio and under Trio."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from ollama import AsyncClient, Client

from aimock import AIMock

Work = Callable[[AsyncClient], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _no_ambient_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("OLLAMA_"):
            monkeypatch.delenv(name)


@pytest.fixture
def llama(mock: AIMock) -> Iterator[Client]:
    """The SDK's client."""
    client = Client(mock.url, verify=False)
    yield client
    client.close()


@pytest.fixture
def run_llama(mock: AIMock) -> Callable[[str, Work], Any]:
    """Runs an async function of a client to its end, on `asyncio` or `trio`."""

    def run(backend: str, work: Work) -> Any:
        async def main() -> Any:
            client = AsyncClient(mock.url, verify=False)
            try:
                return await work(client)
            finally:
                await client.close()

        with warnings.catch_warnings():
            # An error in the midst of a stream leaves httpx's generators to the collector, of which Trio complains.
            warnings.filterwarnings("ignore", "Async generator 'httpx", ResourceWarning)
            return anyio.run(main, backend=backend)

    return run


@pytest.fixture
def called(flavour: str, llama: Client, run_llama: Callable[[str, Work], Any]) -> Callable[..., Any]:
    """Calls a method of the client by its name: called("chat", model=…)."""

    def call(method: str, **more: Any) -> Any:
        if flavour == "sync":
            return getattr(llama, method)(**more)
        return run_llama(flavour, lambda client: getattr(client, method)(**more))

    return call


@pytest.fixture
def streamed(flavour: str, llama: Client, run_llama: Callable[[str, Work], Any]) -> Callable[..., list[Any]]:
    """The same with `stream=True`, as all that came; what came before an error is in the list that is passed."""

    def call(method: str, seen: list[Any] | None = None, **more: Any) -> list[Any]:
        seen = [] if seen is None else seen

        async def work(client: AsyncClient) -> None:
            async for line in await getattr(client, method)(**more, stream=True):
                seen.append(line)

        if flavour == "sync":
            seen.extend(getattr(llama, method)(**more, stream=True))
        else:
            run_llama(flavour, work)
        return seen

    return call
