"""A whole server behind TLS: its certificate and CA, flags and config, faults as clients see them, who leaves when."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from aimock import AIMock
from aimock.app import App
from aimock.cli import main
from aimock.config import Config, ConfigError, load_config
from aimock.fixtures import make_fixture
from aimock.net import memory
from aimock.net.server import HTTPServer
from aimock.settings import Settings
from aimock.state import State
from aimock.tls import Files, SelfSigned, exports
from secure_client import SecureClient, security

HELLO = {"match": {"userMessage": "hello"}, "response": {"content": "Hi there"}, "chunkSize": 1}
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}], "stream": True}
CHAT = "/v1/chat/completions"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """The PEM files of a certificate and its key; the CA lies beside them."""
    import trustme

    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    return tmp_path / "cert.pem", tmp_path / "key.pem"


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    assert ca_file is not None
    return ssl.create_default_context(cafile=ca_file)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


# -- AIMock ------------------------------------------------------------------------------------------------------------


def test_a_certificate_of_its_own() -> None:
    with AIMock(tls=True) as mock:
        mock.add_fixture(HELLO)
        assert mock.url == f"https://127.0.0.1:{mock.port}"
        assert mock.ca_file is not None
        kept = mock.ca_file
        assert b"PRIVATE" not in kept.read_bytes()
        for host in ("127.0.0.1", "localhost"):
            answer = httpx.post(
                f"https://{host}:{mock.port}{CHAT}", json=QUESTION | {"stream": False}, verify=trusting(kept)
            )
            assert answer.json()["choices"][0]["message"]["content"] == "Hi there"
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(mock.url)
    assert mock.ca_file is None
    assert not kept.exists()


def test_a_pair_of_files(pair: tuple[Path, Path]) -> None:
    with AIMock(tls=pair) as mock:
        assert mock.ca_file is None
        assert httpx.get(f"{mock.url}/health", verify=trusting(pair[0].parent / "ca.pem")).status_code == 200


async def test_inside_trio() -> None:
    async with AIMock(tls=True) as mock, httpx.AsyncClient(verify=trusting(mock.ca_file)) as client:
        assert (await client.get(f"{mock.url}/health")).status_code == 200


def test_the_host_is_in_the_certificate() -> None:
    with AIMock(tls=True, host="0.0.0.0") as mock:
        assert httpx.get(f"{mock.url}/health", verify=trusting(mock.ca_file)).status_code == 200


def test_two_servers_have_a_ca_each() -> None:
    with AIMock(tls=True) as one, AIMock(tls=True) as other:
        assert one.ca_file != other.ca_file
        with pytest.raises(httpx.ConnectError):
            httpx.get(one.url, verify=trusting(other.ca_file))


def test_a_guest_has_its_hosts_ca() -> None:
    with AIMock(tls=True) as host:
        guest = AIMock()
        with host.hosting(guest):
            assert (guest.url, guest.ca_file) == (host.url, host.ca_file)
        assert guest.ca_file is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"selfSigned": False}, "tls.selfSigned: expected true, got false"),
        ({"cert": "x"}, "tls: expected cert and key, or selfSigned with or without caFile"),
        ({"cert": "x", "key": "y", "caFile": "z"}, "tls: expected cert and key, or selfSigned with or without caFile"),
        ({"cert": "x", "key": ""}, 'tls.key: expected a string that is not empty, got ""'),
        ({"certificate": "x"}, "tls.certificate: unknown key; known are caFile, cert, key, selfSigned"),
        (("a", "b", "c"), 'tls: expected an object, got ["a","b","c"]'),
        ("cert.pem", 'tls: expected an object, got "cert.pem"'),
    ],
)
def test_a_choice_that_cannot_be(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match="tls") as raised:
        AIMock(tls=given)
    assert str(raised.value) == said


def test_files_that_cannot_be_used_stop_the_start() -> None:
    mock = AIMock(tls=("nowhere.pem", "nowhere.pem"))
    with pytest.raises(ValueError, match=r"^nowhere.pem: No such file or directory$"):
        mock.start()
    with pytest.raises(RuntimeError):
        _ = mock.url


# -- where the CA lies -------------------------------------------------------------------------------------------------


def test_on_a_chosen_port_the_ca_lies_in_the_same_place_in_every_run(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    port = free_port()
    seen = set()
    for _ in range(2):
        with AIMock(tls=True, port=port) as mock:
            assert mock.ca_file == tmp_path / "aimock" / "tls" / f"ca-{port}.pem"
            assert mock.ca_file.stat().st_mode & 0o777 == 0o644
            seen.add(mock.ca_file.read_bytes())
            assert httpx.get(f"{mock.url}/health", verify=trusting(mock.ca_file)).status_code == 200
    assert len(seen) == 2


def test_a_file_of_the_users_choice(tmp_path: Path) -> None:
    place = tmp_path / "ca.pem"
    for _ in range(2):
        with AIMock(tls={"selfSigned": True, "caFile": str(place)}) as mock:
            assert mock.ca_file == place
            assert httpx.get(f"{mock.url}/health", verify=trusting(place)).status_code == 200
    assert place.exists()
    assert list(tmp_path.iterdir()) == [place]


def test_nobody_elses_file_is_overwritten(tmp_path: Path) -> None:
    place = tmp_path / "bundle.pem"
    place.write_text("-----BEGIN CERTIFICATE-----")
    with pytest.raises(ValueError, match=r"bundle\.pem: is not a CA of aimock's"):
        AIMock(tls={"selfSigned": True, "caFile": str(place)}).start()
    assert place.read_text() == "-----BEGIN CERTIFICATE-----"


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"ca\.pem: No such file or directory"):
        AIMock(tls={"selfSigned": True, "caFile": str(tmp_path / "nowhere" / "ca.pem")}).start()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match=r"no place for the CA's certificate: .*; --tls-ca-file names one"):
        AIMock(tls=True, port=free_port()).start()


def test_exports_are_quoted() -> None:
    assert exports(Path("/a b/ca.pem")) == [
        "export SSL_CERT_FILE='/a b/ca.pem'",
        "export REQUESTS_CA_BUNDLE='/a b/ca.pem'",
        "export NODE_EXTRA_CA_CERTS='/a b/ca.pem'",
    ]


# -- flags and config file ---------------------------------------------------------------------------------------------


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a command line and a config file choose; or the line that is said instead."""
    monkeypatch.chdir(tmp_path)

    def choose(words: str, capsys: pytest.CaptureFixture[str], content: Any = None) -> Any:
        seen: list[Config] = []
        from aimock import serving

        monkeypatch.setattr(serving, "run", lambda choice, grace, **_: seen.append(choice))
        if content is not None:
            (tmp_path / "c.json").write_text(json.dumps(content))
            words += " --config c.json"
        main(words.split())
        return seen[0].tls if seen else capsys.readouterr().err

    return choose


PAIR = {"cert": "c", "key": "k"}


@pytest.mark.parametrize(
    ("words", "config", "expected"),
    [
        ("", None, None),
        ("--tls-cert a --tls-key b", None, Files("a", "b")),
        ("--tls-self-signed", None, SelfSigned()),
        ("--tls-self-signed --tls-ca-file f", None, SelfSigned("f")),
        ("", PAIR, Files("c", "k")),
        ("", {"selfSigned": True, "caFile": "f"}, SelfSigned("f")),
        ("--tls-cert a --tls-key b", PAIR, Files("a", "b")),
        ("--tls-cert a --tls-key b", {"selfSigned": True}, Files("a", "b")),
        ("--tls-self-signed", PAIR, SelfSigned()),
        ("--tls-self-signed", {"selfSigned": True, "caFile": "f"}, SelfSigned("f")),
        ("--tls-ca-file g", {"selfSigned": True, "caFile": "f"}, SelfSigned("g")),
        ("--tls-ca-file g", PAIR, "aimock: --tls-ca-file needs --tls-self-signed\n"),
        ("--tls-ca-file g", None, "aimock: --tls-ca-file needs --tls-self-signed\n"),
        ("--tls-cert a", PAIR, "aimock: --tls-cert and --tls-key need each other\n"),
        ("--tls-key b", None, "aimock: --tls-cert and --tls-key need each other\n"),
        (
            "--tls-self-signed --tls-cert a --tls-key b",
            None,
            "aimock: --tls-cert and --tls-key do not go with --tls-self-signed and --tls-ca-file\n",
        ),
    ],
)
def test_flags_and_config(
    words: str, config: Any, expected: Any, chosen: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert chosen(words, capsys, config and {"tls": config}) == expected


def test_files_are_looked_for_beside_the_config_file_too(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    (tmp_path / "c.json").write_text(json.dumps({"tls": {"cert": "cert.pem", "key": "nowhere.pem"}}))
    assert load_config(tmp_path / "c.json").tls == Files(str(pair[0]), "nowhere.pem")


def test_a_config_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"tls": {"selfSigned": 1}}')
    with pytest.raises(ConfigError, match=r"c\.json: tls.selfSigned: expected true, got 1$"):
        load_config(tmp_path / "c.json")


# -- faults, as a client's TLS tells them ------------------------------------------------------------------------------


def ending(port: int, context: ssl.SSLContext, fault: str) -> str:
    """How a stream ends below TLS, which Python's own sockets do not tell: to them a RST is an end as well."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    seen = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:

        def run(act: Callable[[], Any]) -> Any:
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    arrived = sock.recv(65536)
                    if not arrived:
                        raise EOFError from None
                    incoming.write(arrived)

        run(tls.do_handshake)
        body = json.dumps(QUESTION).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        tls.write(f"{head}x-aimock-fault: {fault}\r\n\r\n".encode() + body)
        sock.sendall(outgoing.read())
        try:
            while data := run(lambda: tls.read(65536)):
                seen += data
                if fault.startswith("stall"):
                    sock.settimeout(0.2)
            return "farewell" if seen.endswith(b"0\r\n\r\n") else "farewell too early"
        except EOFError:
            return "fin"
        except ConnectionResetError:
            return "rst"
        except TimeoutError:
            return "open"


def test_faults() -> None:
    with AIMock(tls=True) as mock:
        mock.add_fixture(HELLO)
        context = trusting(mock.ca_file)
        faults = ("slice", "fin;afterChunks=2", "reset;afterChunks=2", "stall;afterChunks=2", "disconnect")
        endings = [ending(mock.port, context, fault) for fault in faults]
    assert endings == ["farewell", "fin", "rst", "open", "fin"]


# -- the client leaves after byte k ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["farewell", "fin", "rst"])
@pytest.mark.parametrize("paced", [False, True])
async def test_leaving_within_a_response(paced: bool, way: str, autojump_clock: MockClock) -> None:
    """core-lessons C12, field 2.39: the network takes k bytes of ciphertext and no more, then the client is gone."""
    state = State(Settings(seed=1))
    more = {"latency": 50, "chunkSize": 4} if paced else {"chunkSize": 4}
    state.book.append([make_fixture(HELLO | more)])
    body = json.dumps(QUESTION).encode()
    request = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (CHAT.encode(), len(body), body)
    server = HTTPServer(App(state), wall_clock=lambda: 1795200000.0, security=security())

    async def connected(capacity: int | None) -> SecureClient:
        client = SecureClient(memory.connect(server))
        await client.shake_hands()
        await wait_all_tasks_blocked()
        await client.catch_up()
        client.client._incoming._capacity = capacity
        return client

    def taken(client: SecureClient) -> int:
        return sum(len(arrival.data) for arrival in client.client._incoming.arrivals)

    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        await wait_all_tasks_blocked()
        before = trio.lowlevel.current_statistics().tasks_living
        client = await connected(None)
        client.send(request)
        await trio.sleep(10)
        length = taken(client)
        client.client.leave()
        await wait_all_tasks_blocked()
        state.journal.clear()
        for k in [*range(1, length, 7), length - 1, length]:
            client = await connected(k)
            client.send(request)
            while taken(client) < k:
                await client.client._incoming.wait()
            if way == "farewell":
                client.say_farewell()
            elif way == "fin":
                client.client.finish()
            await wait_all_tasks_blocked()
            client.client.leave()
            await wait_all_tasks_blocked()
            assert (server.connections, trio.lowlevel.current_statistics().tasks_living) == (0, before)
            assert [entry.interrupted for entry in state.journal] == [k < length], f"after {k} of {length}"
            state.journal.clear()
        nursery.cancel_scope.cancel()


def test_a_client_that_leaves_takes_its_descriptors_along() -> None:
    with AIMock(tls=True) as mock:
        context = trusting(mock.ca_file)
        descriptors = Path("/proc/self/fd")
        before = len(os.listdir(descriptors)) if descriptors.exists() else 0
        for _ in range(20):
            with (
                socket.create_connection(("127.0.0.1", mock.port)) as sock,
                context.wrap_socket(sock, server_hostname="localhost"),
            ):
                pass
        assert httpx.get(f"{mock.url}/health", verify=context).status_code == 200
    if descriptors.exists():
        assert len(os.listdir(descriptors)) <= before
