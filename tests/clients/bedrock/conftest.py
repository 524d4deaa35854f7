"""boto3 against a live server."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
import trio
import trustme
from anyio.from_thread import start_blocking_portal
from botocore.config import Config

from aimock import AIMock


@pytest.fixture(autouse=True)
def _no_ambient_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AWS_", "BOTO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@functools.cache
def loader() -> Any:
    """The SDK's descriptions of services, which take it a while to read."""
    return botocore.loaders.create_loader()


@pytest.fixture
def connect_bedrock(mock: AIMock) -> Iterator[Callable[..., Any]]:
    """Makes a client, of the runtime unless told otherwise, closed at the end of the test; without retries unless
    the test asks for them."""
    clients = []

    def make(attempts: int = 1, url: str = mock.url, service: str = "bedrock-runtime", **options: Any) -> Any:
        credentials = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
        config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
        session = botocore.session.Session()
        session.register_component("data_loader", loader())
        client = boto3.Session(botocore_session=session, region_name="us-east-1").client(
            service, endpoint_url=url, config=config, **credentials | options
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def bedrock(connect_bedrock: Callable[..., Any]) -> Any:
    """The SDK's client."""
    return connect_bedrock()


@pytest.fixture
def https(mock: AIMock, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The server behind TLS, which boto3 wants before it sends a bearer token: where it is, and whom to trust."""
    authority, trusted = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def relay(source: trio.abc.ReceiveStream, sink: trio.abc.SendStream) -> None:
        async for data in source:
            await sink.send_all(data)

    async def connect(client: trio.SSLStream[trio.SocketStream]) -> None:
        server = await trio.open_tcp_stream("127.0.0.1", mock.port)
        async with client, server, trio.open_nursery() as nursery:
            nursery.start_soon(relay, client, server)
            await relay(server, client)
            nursery.cancel_scope.cancel()

    async def serve(*, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            listen = functools.partial(
                trio.serve_ssl_over_tcp, connect, 0, context, host="127.0.0.1", https_compatible=True
            )
            (listener,) = await nursery.start(listen)
            task_status.started(listener.transport_listener.socket.getsockname()[1])

    with start_blocking_portal("trio") as portal:
        running, port = portal.start_task(serve)
        yield {"url": f"https://127.0.0.1:{port}", "verify": str(trusted)}
        running.cancel()
