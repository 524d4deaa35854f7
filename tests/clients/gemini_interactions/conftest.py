"""Google's own SDK against a live server: `client.interactions`, as sync code and under asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google import genai
from google.genai import types

from aimock import AIMock

MODEL = "gemini-2.5-flash"


@pytest.fixture(autouse=True)
def _no_ambient_google(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(name)


@pytest.fixture
def google(mock: AIMock) -> Iterator[Callable[..., genai.Client]]:
    """Makes a client: `google(api_version="v1beta", attempts=3)`; without retries unless the test asks for them."""
    clients: list[genai.Client] = []

    def make(api_version: str | None = None, attempts: int = 1, **options: Any) -> genai.Client:
        http = types.HttpOptions(
            base_url=mock.url,
            api_version=api_version,
            retry_options=types.HttpRetryOptions(attempts=attempts),
            client_args={"verify": False},  # which spares it the loading of certificates
            async_client_args={"verify": False},
        )
        settings = options if "vertexai" in options else {"api_key": "test"} | options
        clients.append(genai.Client(http_options=http, **settings))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(params=["sync", "asyncio"])
def flavour(request: pytest.FixtureRequest) -> str:
    """How the SDK is used."""
    return str(request.param)


class Interactions:
    """The SDK's interactions, called as sync code whatever the flavour. Streams come as lists."""

    def __init__(self, make: Callable[..., genai.Client], flavour: str) -> None:
        self._make = make
        self._flavour = flavour
        self._client: genai.Client | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self._flavour == "sync":
                self._client = self._client or self._make()
                told = getattr(self._client.interactions, name)(*args, **options)
                return list(told) if options.get("stream") else told

            async def main() -> Any:
                async with self._make().aio as running:
                    told = await getattr(running.interactions, name)(*args, **options)
                    return [event async for event in told] if options.get("stream") else told

            return asyncio.run(main())

        return call


@pytest.fixture
def interactions(google: Callable[..., genai.Client], flavour: str) -> Interactions:
    return Interactions(google, flavour)


@pytest.fixture
def create(interactions: Interactions) -> Callable[..., Any]:
    """create("hello", …): an interaction; with `stream=True`, its events."""

    def create(value: Any = "hello", **more: Any) -> Any:
        return interactions.create(**{"model": MODEL, "input": value} | more)

    return create
