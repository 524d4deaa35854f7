"""Google's official Gen AI SDK against a live server: as sync code and under asyncio, which is all that it knows."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials

from aimock import AIMock

MODEL = "gemini-2.5-flash"

PLATFORMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "default": ({"api_key": "AIzaSecret"}, {}),
    "v1beta": ({"api_key": "AIzaSecret"}, {"api_version": "v1beta"}),
    "v1alpha": ({"api_key": "AIzaSecret"}, {"api_version": "v1alpha"}),
    "vertex": ({"vertexai": True, "project": "p", "location": "us-central1"}, {}),
    "express": ({"vertexai": True, "api_key": "AIzaSecret"}, {}),
}
"""What makes a client of each kind, and what HTTP options it has besides the address."""

PLAIN = {"verify": False}
"""Spares the SDK the loading of certificates."""

Work = Callable[[Any], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _no_ambient_google(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("GOOGLE_", "GEMINI_", "CLOUDSDK_")):
            monkeypatch.delenv(name)


@pytest.fixture
def connect_gemini(mock: AIMock) -> Iterator[Callable[..., genai.Client]]:
    """Makes a client of the SDK, closed at the end of the test: connect_gemini("vertex", retry_options=…)."""
    with contextlib.ExitStack() as stack:

        def make(platform: str = "default", **more: Any) -> genai.Client:
            options, http = PLATFORMS[platform]
            if platform == "vertex":
                options = {**options, "credentials": Credentials(token="test")}
            http_options = types.HttpOptions(
                base_url=mock.url, client_args=PLAIN, async_client_args=PLAIN, **http, **more
            )
            client = genai.Client(**options, http_options=http_options)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def gemini(connect_gemini: Callable[..., genai.Client]) -> genai.Client:
    """The SDK's client, as it is by default."""
    return connect_gemini()


@pytest.fixture(params=["sync", "asyncio"])
def style(request: pytest.FixtureRequest) -> str:
    """How the SDK is used."""
    return str(request.param)


def run_gemini(client: genai.Client, work: Work) -> Any:
    """Runs an async function of a client's async side to its end."""

    async def main() -> Any:
        async with client.aio as connected:
            return await work(connected)

    with warnings.catch_warnings():
        # The SDK derives a class from one that aiohttp would rather not see derived from.
        warnings.filterwarnings("ignore", "Inheritance class AiohttpClientSession", DeprecationWarning)
        return anyio.run(main, backend="asyncio")


@pytest.fixture
def said(style: str, connect_gemini: Callable[..., genai.Client]) -> Callable[..., list[types.GenerateContentResponse]]:
    """All responses to a question, whole or streamed: said("hello", stream=True, platform="vertex", **config)."""

    def ask(
        contents: Any, stream: bool = False, platform: str = "default", model: str = MODEL, **config: Any
    ) -> list[types.GenerateContentResponse]:
        asked: dict[str, Any] = {"model": model, "contents": contents, "config": config}
        client = connect_gemini(platform)

        async def work(connected: Any) -> list[types.GenerateContentResponse]:
            if not stream:
                return [await connected.models.generate_content(**asked)]
            return [chunk async for chunk in await connected.models.generate_content_stream(**asked)]

        if style == "asyncio":
            return list(run_gemini(client, work))
        if stream:
            return list(client.models.generate_content_stream(**asked))
        return [client.models.generate_content(**asked)]

    return ask
