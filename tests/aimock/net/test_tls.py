"""TLS below the HTTP loop: handshakes, endings, slow readers, and whoever does not speak it."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock.net import memory
from aimock.net.certificates import CertificateError, from_files, self_signed, server_context
from aimock.net.exchange import Answer, Cut, Ending, Outcome, Request, Slicing, Stream, Task, Whole
from aimock.net.memory import MemoryClient
from aimock.net.tls import Security, TLSTransport
from aimock.net.transport import PeerGone
from secure_client import Ragged, SecureClient, certificate, security, trusting

if TYPE_CHECKING:
    from tests.aimock.net.conftest import Reader, Stage, StartStage

    Until = Callable[[Callable[[], bool]], Awaitable[None]]
    ReadMemory = Callable[[MemoryClient | SecureClient], Reader]

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST_GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PIECES = ((0.0, b"data: a\n\n"), (1.0, b"data: b\n\n"))
BODY = bytes(range(256)) * 40_000
"""More than any buffer between the two holds."""


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def stream(**more: Any) -> Stream:
    return Stream(200, (("content-type", "text/event-stream"),), PIECES, **more)


async def open_client(stage: Stage, capacity: int | None = None) -> SecureClient:
    client = SecureClient(stage.connect())
    await client.shake_hands()
    await wait_all_tasks_blocked()
    await client.catch_up()
    client.client._incoming._capacity = capacity
    return client


# -- requests and answers, in memory -----------------------------------------------------------------------------------


async def test_many_requests_on_one_connection(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(security=security())
    client = await open_client(stage)
    reader = read_memory(client)
    for number in range(3):
        client.send(post(b"%d" % number))
        assert (await reader.response()).told["body"] == str(number)
    client.send(post(b"ahead") * 3)
    assert [(await reader.response()).told["body"] for _ in range(3)] == ["ahead"] * 3
    client.say_farewell()
    assert await client.receive() is None, "it says farewell too"
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


async def test_a_handshake_and_a_request_byte_by_byte(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(security=security())
    client = SecureClient(stage.connect())
    whole_writes = client.client.send

    def slowly(data: bytes) -> None:
        for byte in data:
            whole_writes(bytes([byte]))

    client.client.send = slowly  # type: ignore[method-assign]
    await client.shake_hands()
    client.send(post(b"slow"))
    assert (await read_memory(client).response()).told["body"] == "slow"


async def test_large_bodies_both_ways(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(lambda request: Whole(200, (), request.body), security=security(), body_bytes=len(BODY))
    client = await open_client(stage)
    client.send(post(BODY))
    assert (await read_memory(client).response()).body == BODY


async def test_a_paced_stream_keeps_its_times(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(lambda request: stream(), security=security())
    client = await open_client(stage)
    client.send(GET)
    for time, data in ((0.0, b"data: a\n\n\r\n"), (1.0, b"data: b\n\n\r\n0\r\n\r\n")):
        arrival = await client.receive()
        assert arrival is not None
        assert (arrival.time, arrival.data[-len(data) :]) == (time, data)
    client.send(GET)
    assert (await client.receive()) is not None, "and the connection serves on"


async def test_slices_are_records(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(lambda request: Whole(200, (), b"x", slicing=Slicing(7, 0.5)), security=security())
    client = await open_client(stage)
    client.send(GET)
    seen = b""
    times = []
    while not seen.endswith(b"\r\n\r\nx"):
        arrival = await client.receive()
        assert arrival is not None
        assert len(arrival.data) <= 7
        seen += arrival.data
        times.append(arrival.time)
    assert times == [number * 0.5 for number in range(len(times))]


# -- endings -----------------------------------------------------------------------------------------------------------

ENDINGS: dict[str, tuple[Answer, bytes, str]] = {
    "clean": (stream(), b"0\r\n\r\n", "open"),
    "fin": (stream(ending=Ending.FIN), b"data: b\n\n\r\n", "ragged"),
    "fin mid-chunk": (stream(ending=Ending.FIN_MID_CHUNK), b"9\r\ndata:", "ragged"),
    "rst": (stream(ending=Ending.RST, ends_at=2.0), b"data: b\n\n\r\n", "reset"),
    "stall": (stream(ending=Ending.STALL), b"data: b\n\n\r\n", "open"),
    "cut by fin": (Cut(Ending.FIN), b"", "ragged"),
    "cut by rst": (Cut(Ending.RST), b"", "reset"),
    "cut by a stall": (Cut(Ending.STALL), b"", "open"),
    "close": (Whole(200, (), b"last"), b"\r\n\r\nlast", "open"),
}


async def ending_of(client: SecureClient) -> tuple[bytes, str]:
    """What comes, and how it ends; `open` if for an hour it does not."""
    seen = b""
    with trio.move_on_after(50):
        try:
            while (arrival := await client.receive()) is not None:
                seen += arrival.data
            return seen, "farewell"
        except Ragged:
            return seen, "ragged"
        except PeerGone:
            return seen, "reset"
    return seen, "open"


@pytest.mark.parametrize("name", ENDINGS)
async def test_endings(name: str, start_stage: StartStage, autojump_clock: MockClock) -> None:
    """A cut is one of the network's: FIN with no close_notify before it."""
    answer, last, end = ENDINGS[name]
    stage = await start_stage(lambda request: answer, security=security())
    client = await open_client(stage)
    client.send(GET)
    seen, ended = await ending_of(client)
    assert ended == end
    assert seen.endswith(last)
    client.client.leave()
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0


async def test_connection_close_ends_with_a_farewell_and_fin(
    start_stage: StartStage, autojump_clock: MockClock
) -> None:
    stage = await start_stage(lambda request: Whole(200, (), b"last"), security=security())
    client = await open_client(stage)
    client.send(LAST_GET)
    seen, ended = await ending_of(client)
    assert (seen[-4:], ended) == (b"last", "farewell")
    assert await client.client.receive() is None


async def test_the_farewell_waits_for_a_slow_reader(start_stage: StartStage, autojump_clock: MockClock) -> None:
    """What was taken fills the connection to the last byte: the farewell is still to come, and FIN after it."""
    stage = await start_stage(lambda request: Whole(200, (), b"x" * 100), security=security())
    probe = await open_client(stage)
    probe.send(LAST_GET)
    response = await probe.client.receive()
    assert response is not None
    client = await open_client(stage, capacity=len(response.data))
    client.send(LAST_GET)
    await wait_all_tasks_blocked()
    assert not client.client._incoming.finished
    await trio.sleep(1)
    seen, ended = await ending_of(client)
    assert (seen[-100:], ended) == (b"x" * 100, "farewell")
    assert await client.client.receive() is None


# -- slow readers ------------------------------------------------------------------------------------------------------


async def test_a_slow_reader_costs_one_record(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    """What is computed of an endless stream, and what waits as ciphertext, does not grow with the time nobody reads."""
    computed = 0
    outcomes: list[Outcome] = []

    def pieces() -> Iterator[tuple[float, bytes]]:
        nonlocal computed
        while True:
            computed += 1
            yield 0.0, b"x" * 10_000

    def answer(request: Request) -> Answer:
        return Stream(200, (), pieces(), on_end=outcomes.append)

    stage = await start_stage(answer, security=security())
    client = await open_client(stage, capacity=1000)
    client.send(GET)
    await trio.sleep(60)
    assert computed < 20
    (connection,) = stage.server._active
    assert len(connection._performer.transport._unsent) < 17_000
    client.client.leave()
    await wait_all_tasks_blocked()
    assert (outcomes, stage.server.connections) == ([Outcome.CLIENT_LEFT], 0)


async def test_a_slow_reader_gets_it_all(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    outcomes: list[Outcome] = []
    body = BODY[:200_000]
    stage = await start_stage(lambda request: Whole(200, (), body, on_end=outcomes.append), security=security())
    client = await open_client(stage, capacity=999)
    client.send(GET)
    await trio.sleep(1)
    assert outcomes == [], "what is encrypted and not taken is not delivered"
    assert (await read_memory(client).response()).body == body
    await wait_all_tasks_blocked()
    assert outcomes == [Outcome.DELIVERED]


async def test_what_a_refused_client_still_sends_is_read(
    start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    """After close_notify as after FIN: closing with unread bytes would be a reset."""
    stage = await start_stage(security=security(), body_bytes=10)
    client = await open_client(stage)
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    assert (await read_memory(client).response()).status == 413
    for _ in range(50):
        client.send(b"x" * 20_000)
        await trio.sleep(0.01)
    assert stage.server.connections == 1
    assert not client.client._outgoing.arrivals, "all of it"
    await trio.sleep(3)
    assert stage.server.connections == 0


async def test_reading_does_not_disturb_a_write_that_waits(autojump_clock: MockClock) -> None:
    """A reader of the connection sends what TLS answers of its own accord, but never what a writer is sending."""
    to_server, to_client = memory._Pipe(None), memory._Pipe(None)
    transport = TLSTransport(memory.MemoryTransport(to_server, to_client), security(), 5)
    client = SecureClient(MemoryClient(to_client, to_server))
    seen = b""
    body = BODY[:300_000]

    async def write() -> None:
        unsent = memoryview(body)
        while unsent:
            unsent = unsent[await transport.send_some(unsent) :]

    async def read() -> None:
        while await transport.receive():
            pass

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await client.shake_hands()
        await wait_all_tasks_blocked()
        await client.catch_up()
        to_client._capacity = 1000
        nursery.start_soon(write)
        while len(seen) < len(body):
            arrival = await client.receive()
            assert arrival is not None
            seen += arrival.data
            client.send(b"x")
        nursery.cancel_scope.cancel()
    assert seen == body


# -- who does not shake hands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE", b"OPTIONS", b"PRI"])
async def test_plain_http_is_told_so(
    method: bytes, start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock
) -> None:
    stage = await start_stage(security=security())
    client = stage.connect()
    client.send(GET.replace(b"GET", method))
    response = await read_memory(client).response()
    assert (response.status, response.body) == (400, b"The client sent HTTP to an HTTPS port")
    assert response.headers["connection"] == "close"
    assert await client.receive() is None
    client.finish()
    await wait_all_tasks_blocked()
    assert (stage.server.connections, stage.script.requests) == (0, [])


async def test_a_client_without_trust_is_told_of_once(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await start_stage(security=Security(server_context(certificate()), Path("/there/ca.pem")))
    for _ in range(3):
        client = SecureClient(stage.connect(), ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.shake_hands()
        await wait_all_tasks_blocked()
    (told,) = (record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    assert "unknown ca" in told
    assert "SSL_CERT_FILE or REQUESTS_CA_BUNDLE or NODE_EXTRA_CA_CERTS = /there/ca.pem" in told
    assert stage.server.connections == 0


async def test_a_client_with_nothing_in_common(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The server says why in an alert."""
    context = trusting()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES256-SHA")  # which needs an RSA certificate
    stage = await start_stage(security=security())
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        await SecureClient(stage.connect(), context).shake_hands()
    assert "a TLS handshake failed: no shared cipher" in caplog.text


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x80", b"\x16\x03\x01\x00\x01"])
async def test_a_handshake_has_its_time(sent: bytes, start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(security=security(), head_timeout=5)
    client = stage.connect()
    client.send(sent)
    await trio.sleep(4.9)
    if sent[:1] != b"\x80":  # which cannot become one
        assert stage.server.connections == 1
    await trio.sleep(0.2)
    assert stage.server.connections == 0


async def test_garbage_is_no_handshake(
    start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    stage = await start_stage(security=security())
    client = stage.connect()
    client.send(b"\x00\xff" * 1000)
    await wait_all_tasks_blocked()
    assert stage.server.connections == 0
    assert "a TLS handshake failed" in caplog.text


@pytest.mark.parametrize("way", ["fin", "rst"])
async def test_leaving_within_a_handshake(
    way: str, start_stage: StartStage, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """core-lessons C12: after byte k of either flight of the client's, or of the server's."""
    stage = await start_stage(security=security())
    probe = SecureClient(stage.connect())
    flights: list[bytes] = []
    probe.client.send = flights.append  # type: ignore[method-assign]
    with contextlib.suppress(ssl.SSLWantReadError):
        probe.tls.do_handshake()
    probe.flush()
    hello = flights[0]
    for k in range(len(hello) + 1):
        client = stage.connect(capacity=k)  # a whole hello, and the answer is taken up to byte k
        client.send(hello[:k] if way == "fin" else hello)
        await wait_all_tasks_blocked()
        if way == "fin":
            client.finish()
        else:
            client.leave()
        await wait_all_tasks_blocked()
        client.leave()
        await wait_all_tasks_blocked()
        assert stage.server.connections == 1, "the probe's"
    assert caplog.text == ""


# -- a server's life ---------------------------------------------------------------------------------------------------


async def test_shutdown(start_stage: StartStage, read_memory: ReadMemory, autojump_clock: MockClock) -> None:
    proceed = trio.Event()

    async def run() -> Answer:
        await proceed.wait()
        return Whole(200, (), b"finished")

    stage = await start_stage(lambda request: Task(run), security=security())
    greeting, idle, busy = stage.connect(), await open_client(stage), await open_client(stage)
    busy.send(GET)
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.server.shut_down, 60)
        assert await greeting.receive() is None
        assert await idle.receive() is None
        proceed.set()
        response = await read_memory(busy).response()
        assert (response.body, response.headers["connection"]) == (b"finished", "close")
        busy.client.leave()
    await stage.server.ended.wait()


async def test_idle_connections_are_closed(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(security=security(), idle_timeout=30)
    client = await open_client(stage)
    assert await client.receive() is None
    assert trio.current_time() == 30


# -- over sockets ------------------------------------------------------------------------------------------------------


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    authority = certificate().authority
    assert authority is not None
    (tmp_path / "ca.pem").write_bytes(authority)
    return str(tmp_path / "ca.pem")


async def open_secure(stage: Stage) -> trio.SSLStream[trio.SocketStream]:
    stream = trio.SSLStream(await stage.open_socket(), trusting(), server_hostname="127.0.0.1")
    await stream.do_handshake()
    return stream


async def test_many_connections_with_large_bodies(start_socket_stage: StartStage, until: Until) -> None:
    body = BODY[:1_000_000]
    stage = await start_socket_stage(lambda request: Whole(200, (), request.body), security=security())
    lengths: list[int] = []

    async def converse() -> None:
        async with await open_secure(stage) as connection:
            for _ in range(2):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(connection.send_all, post(body))
                    received = 0
                    while received < len(body) + 60:
                        received += len(await connection.receive_some())
            lengths.append(received)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(converse)
    assert len(set(lengths)) == 1
    assert len(lengths) == 20
    await until(lambda: stage.server.connections == 0)


async def test_over_the_cap_the_longest_idle_connection_goes(start_socket_stage: StartStage, until: Until) -> None:
    stage = await start_socket_stage(connections=3, security=security())
    connections = [await open_secure(stage) for _ in range(3)]
    await until(lambda: stage.server.connections == 3)
    await connections[0].send_all(GET)
    assert (await connections[0].receive_some()).startswith(b"HTTP/1.1 200")
    with trio.fail_after(5):
        connections.append(await open_secure(stage))
        assert await connections[1].receive_some() == b"", "the first was used since, and the second never"
        for connection in (connections[0], connections[2], connections[3]):
            await connection.send_all(GET)
            assert (await connection.receive_some()).startswith(b"HTTP/1.1 200")
    for connection in connections:
        await trio.aclose_forcefully(connection)
    await until(lambda: stage.server.connections == 0)


async def test_over_the_cap_with_none_idle_accepting_waits(start_socket_stage: StartStage, until: Until) -> None:
    proceed = trio.Event()

    async def run() -> Answer:
        await proceed.wait()
        return Whole(200, (), b"x")

    stage = await start_socket_stage(lambda request: Task(run), connections=2, security=security())
    connections = [await open_secure(stage) for _ in range(2)]
    for connection in connections:
        await connection.send_all(GET)
    await until(lambda: len(stage.script.requests) == 2)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def come_late() -> None:
                connections.append(await open_secure(stage))

            nursery.start_soon(come_late)
            await wait_all_tasks_blocked(0.01)
            assert len(connections) == 2
            proceed.set()
    for connection in connections:
        await trio.aclose_forcefully(connection)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_httpx(version: ssl.TLSVersion, start_socket_stage: StartStage) -> None:
    stage = await start_socket_stage(security=security())
    assert stage.address is not None
    context = trusting()
    context.minimum_version = context.maximum_version = version
    url = f"https://127.0.0.1:{stage.address[1]}/six"

    def ask() -> tuple[str, int]:
        with httpx.Client(verify=context) as client:
            return client.get(url).json()["path"], client.post(url, content=BODY[:1_000_000]).status_code

    assert await trio.to_thread.run_sync(ask) == ("/six", 200)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")
async def test_openssl_s_client(start_socket_stage: StartStage, ca_file: str) -> None:
    stage = await start_socket_stage(security=security())
    assert stage.address is not None
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{stage.address[1]}", "-CAfile", ca_file]
    words += ["-verify_return_error", "-alpn", "h2,http/1.1", "-servername", "localhost", "-ign_eof"]
    words += ["-verify_hostname", "localhost"]

    def ask(*more: str) -> str:
        done = subprocess.run([*words, *more], input=LAST_GET, capture_output=True, timeout=20, check=False)
        return (done.stdout + done.stderr).decode()

    said = await trio.to_thread.run_sync(ask)
    assert "ALPN protocol: http/1.1" in said
    assert "Verification: OK" in said
    assert "HTTP/1.1 200 OK" in said
    assert "closed" in said
    refused = await trio.to_thread.run_sync(ask, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert "HTTP/1.1" not in refused


# -- certificates ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PEM files good and bad."""
    import trustme
    from cryptography.hazmat.primitives import serialization

    directory = tmp_path_factory.mktemp("pem")
    authority = trustme.CA()
    for name, kind in (("a", trustme.KeyType.ECDSA), ("b", trustme.KeyType.ECDSA), ("rsa", trustme.KeyType.RSA)):
        leaf = authority.issue_cert("localhost", key_type=kind)
        leaf.private_key_pem.write_to_path(str(directory / f"{name}.key"))
        leaf.cert_chain_pems[0].write_to_path(str(directory / f"{name}.pem"))
        leaf.private_key_and_cert_chain_pem.write_to_path(str(directory / f"{name}.both"))
    key = serialization.load_pem_private_key((directory / "a.key").read_bytes(), None)
    for name, form in (
        ("new", serialization.PrivateFormat.PKCS8),
        ("old", serialization.PrivateFormat.TraditionalOpenSSL),
    ):
        encryption = serialization.BestAvailableEncryption(b"secret")
        (directory / f"{name}.encrypted").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    for name in ("a.key", "a.pem"):
        text = (directory / name).read_text().splitlines()
        (directory / f"{name}.damaged").write_text("\n".join([text[0], *text[2:], ""]))
    (directory / "text").write_text("hello")
    return directory


@pytest.mark.parametrize(("cert", "key"), [("a.pem", "a.key"), ("rsa.pem", "rsa.key"), ("a.both", "a.both")])
def test_a_good_pair(cert: str, key: str, files: Path) -> None:
    context = server_context(from_files(str(files / cert), str(files / key)))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


ENCRYPTED = "the key is encrypted; `openssl pkey -in FILE` writes it in the clear"


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("a.pem", "b.key", "b.key: not the key of the certificate in DIR/a.pem"),
        ("a.pem", "rsa.key", "rsa.key: not the key of the certificate in DIR/a.pem"),
        ("rsa.pem", "a.key", "a.key: not the key of the certificate in DIR/rsa.pem"),
        (
            "a.pem",
            "new.encrypted",
            "new.encrypted: the key is encrypted; `openssl pkey -in FILE` writes it in the clear",
        ),
        (
            "a.pem",
            "old.encrypted",
            "old.encrypted: the key is encrypted; `openssl pkey -in FILE` writes it in the clear",
        ),
        ("a.pem", "a.key.damaged", "a.key.damaged: cannot be used: damaged PEM"),
        ("a.pem.damaged", "a.key", "a.pem.damaged: cannot be used: damaged PEM"),
        ("a.pem", "text", "text: no private key in PEM format"),
        ("a.pem", "a.pem", "a.pem: no private key in PEM format"),
        ("text", "a.key", "text: no certificate in PEM format"),
        ("nowhere", "a.key", "nowhere: No such file or directory"),
        ("a.pem", "nowhere", "nowhere: No such file or directory"),
        ("a.pem", "", ": Is a directory"),
    ],
)
def test_a_bad_pair(cert: str, key: str, said: str, files: Path) -> None:
    with pytest.raises(CertificateError) as raised:
        server_context(from_files(str(files / cert), str(files / key)))
    assert str(raised.value) == f"{files}{'/' if said[0] != ':' else ''}{said.replace('DIR', str(files))}"


async def test_alpn_is_the_servers_choice(start_stage: StartStage, autojump_clock: MockClock) -> None:
    stage = await start_stage(security=Security(server_context(certificate(), ("h2", "http/1.1"))))
    context = trusting()
    context.set_alpn_protocols(["http/1.1", "h2"])
    client = SecureClient(stage.connect(), context)
    await client.shake_hands()
    assert client.tls.selected_alpn_protocol() == "h2"


def test_a_name_that_no_certificate_can_have() -> None:
    with pytest.raises(CertificateError, match=r"no certificate can be made for localhost, .*, under_score: "):
        self_signed(["under_score"])


def test_without_trustme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(CertificateError, match=re.escape("pip install aimock[tls]")):
        self_signed([])
