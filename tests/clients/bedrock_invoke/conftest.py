"""boto3 and the official Anthropic SDK for Bedrock against a live server."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import boto3
import pytest
from anthropic import AnthropicBedrock, AsyncAnthropicBedrock, DefaultAsyncHttpxClient, DefaultHttpxClient
from botocore.config import Config

from aimock import AIMock

CREDENTIALS = {"aws_access_key_id": "AKIDTEST", "aws_secret_access_key": "test"}
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

Work = Callable[[AsyncAnthropicBedrock], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _no_ambient_amazon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor profiles of a developer's, nor a look for them over the network."""
    for name in os.environ:
        if name.startswith(("AWS_", "ANTHROPIC_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    return boto3.Session(region_name="us-east-1", **CREDENTIALS)


@pytest.fixture
def runtime(mock: AIMock, session: boto3.Session) -> Iterator[Callable[..., Any]]:
    """Makes a client of the service; without retries unless the test asks for them."""
    with contextlib.ExitStack() as stack:

        def make(attempts: int = 1) -> Any:
            config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
            client = session.client("bedrock-runtime", endpoint_url=mock.url, config=config)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def invoke(runtime: Callable[..., Any]) -> Callable[..., Any]:
    """invoke(model, **body): the JSON of a whole answer."""
    client = runtime()

    def ask(model: str, **body: Any) -> Any:
        return json.loads(client.invoke_model(modelId=model, body=json.dumps(body))["body"].read())

    return ask


@pytest.fixture
def stream(runtime: Callable[..., Any]) -> Callable[..., list[Any]]:
    """stream(model, **body): the documents of a streamed answer."""
    client = runtime()

    def ask(model: str, **body: Any) -> list[Any]:
        events = client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
        return [json.loads(event["chunk"]["bytes"]) for event in events]

    return ask


@pytest.fixture
def connect(mock: AIMock) -> Iterator[Callable[..., AnthropicBedrock]]:
    """Makes a client of Anthropic's SDK."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> AnthropicBedrock:
            client = AnthropicBedrock(**_settings(mock), http_client=DefaultHttpxClient(verify=False), **options)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def run(mock: AIMock) -> Callable[[str, Work], Any]:
    """Runs an async function of such a client to its end, on `asyncio` or `trio`."""

    def run(backend: str, work: Work) -> Any:
        async def main() -> Any:
            http = DefaultAsyncHttpxClient(verify=False)
            async with AsyncAnthropicBedrock(**_settings(mock), http_client=http) as connected:
                return await work(connected)

        with warnings.catch_warnings():
            # An error in the midst of a stream leaves the SDK's generators to the collector, of which Trio complains.
            warnings.filterwarnings("ignore", "Async generator", ResourceWarning)
            return anyio.run(main, backend=backend)

    return run


def _settings(mock: AIMock) -> dict[str, Any]:
    keys = {"aws_access_key": "AKIDTEST", "aws_secret_key": "test"}
    return {"base_url": mock.url, "aws_region": "us-east-1", "max_retries": 0, **keys}
