"""Asking a provider, over real sockets: what arrives there, and what comes back and when."""

from __future__ import annotations

import functools
import gzip
import zlib
from collections.abc import Callable

import pytest
import trio

from aimock.record.config import RecordConfig
from aimock.record.upstream import Upstream
from scripted_provider import (
    AWS,
    HEAD,
    NOWHERE,
    SECRETS,
    Arrived,
    Asked,
    Connection,
    Pending,
    Provider,
    chunk,
    made_call,
    whole,
)

# -- out, and back -----------------------------------------------------------------------------------------------------


async def test_what_arrives(provider: Provider, ask: Asked) -> None:
    pending = ask(
        target="/v1/chat/completions?testId=t&a=%2Fb",
        lines=(
            ("host", "127.0.0.1:4010"),
            ("accept-encoding", "gzip"),
            ("authorization", "Bearer real"),
            ("x-test-id", "t"),
            ("openai-organization", "ö"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("content-length", "999"),
        ),
        body=b'{"a":1}',
    )
    connection, arrived = await provider.served()
    assert arrived == Arrived(
        "POST",
        "/v1/chat/completions?a=%2Fb",
        (
            ("host", provider.authority),
            ("authorization", "Bearer real"),
            ("openai-organization", "ö"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("accept-encoding", "identity"),
            ("content-length", "7"),
        ),
        b'{"a":1}',
    )
    await connection.answer(b"[1]", 429, (("Retry-After", "2"), ("X-Request-Id", "r"), ("Set-Cookie", "a=b")))
    response = await pending.result()
    assert response.status == 429
    assert response.headers == (
        ("retry-after", "2"),
        ("x-request-id", "r"),
        ("set-cookie", "a=b"),
        ("content-length", "3"),
    )
    assert await whole(response) == b"[1]"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
async def test_methods_without_a_body_announce_none(provider: Provider, ask: Asked, method: str) -> None:
    pending = ask(method=method, body=b"", lines=())
    connection, arrived = await provider.served()
    assert arrived.method == method
    assert "content-length" not in dict(arrived.headers)
    await connection.send(b"HTTP/1.1 204 X\r\n\r\n")
    assert await whole(await pending.result()) == b""


async def test_an_empty_post_announces_that(provider: Provider, ask: Asked) -> None:
    ask(body=b"", lines=())
    _, arrived = await provider.served()
    assert dict(arrived.headers)["content-length"] == "0"


async def test_bytes_arrive_as_they_are(nursery: trio.Nursery, provider: Provider, ask: Asked) -> None:
    """A multipart upload with every byte there is, larger than one write."""
    file = bytes(range(256)) * 2000
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n' + file + b"\r\n--x--\r\n"
    pending = ask(
        target="/v1/audio/transcriptions", body=body, lines=(("content-type", "multipart/form-data; boundary=x"),)
    )
    connection, arrived = await provider.served()
    assert arrived.body == body
    assert dict(arrived.headers)["content-type"] == "multipart/form-data; boundary=x"
    nursery.start_soon(connection.answer, file, 200, (("Content-Type", "audio/mpeg"),))
    assert await whole(await pending.result()) == file


async def test_each_piece_comes_before_the_next_is_sent(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(HEAD)
    response = await pending.result()  # the head is here, and nothing of the body was sent yet
    assert response.headers[0] == ("content-type", "text/event-stream")
    pieces = response.pieces()
    for event in (b"data: 1\n\n", b"data: \xf0\x9f", b"\x98\x80\n\n", b"data: [DONE]\n\n"):
        await connection.send(chunk(event))
        assert await anext(pieces) == event
    await connection.send(b"0\r\n\r\n")
    with pytest.raises(StopAsyncIteration):
        await anext(pieces)
    await response.aclose()


async def test_the_head_may_be_preceded_by_others(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
    await connection.answer(b"x")
    response = await pending.result()
    assert (response.status, await whole(response)) == (200, b"x")


async def test_the_end_of_the_connection_may_be_the_end_of_the_body(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(b"HTTP/1.0 200 OK\r\n\r\nabc")
    await connection.stream.aclose()
    assert await whole(await pending.result()) == b"abc"


async def test_redirects_are_not_followed(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.answer(b"", 307, (("Location", f"{provider.url}/elsewhere"),))
    response = await pending.result()
    assert response.status == 307
    assert ("location", f"{provider.url}/elsewhere") in response.headers
    assert await whole(response) == b""


async def test_nothing_is_remembered_from_one_answer_for_the_next_request(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.answer(headers=(("Set-Cookie", "session=a; Path=/"),))
    await whole(await pending.result())
    ask()
    arrived = await connection.request()
    assert "cookie" not in dict(arrived.headers)


# -- content codings ---------------------------------------------------------------------------------------------------


async def test_a_compressed_stream_is_relayed_without_its_coding(provider: Provider, ask: Asked) -> None:
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(HEAD.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"))
    response = await pending.result()
    assert "content-encoding" not in dict(response.headers)
    pieces = response.pieces()
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        await connection.send(chunk(packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)))
        assert await anext(pieces) == event
    await connection.send(chunk(packer.flush()) + b"0\r\n\r\n")
    assert [piece async for piece in pieces] == []
    await response.aclose()


async def test_the_length_goes_with_the_coding(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.answer(gzip.compress(b'{"a":1}'), headers=(("Content-Encoding", "gzip"), ("X-A", "b")))
    response = await pending.result()
    assert response.headers == (("x-a", "b"),)
    assert await whole(response) == b'{"a":1}'


async def test_what_cannot_be_undone_keeps_its_coding(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.answer(b"\x00\x01", headers=(("Content-Encoding", "compress"),))
    response = await pending.result()
    assert response.headers == (("content-encoding", "compress"), ("content-length", "2"))
    assert await whole(response) == b"\x00\x01"


# -- connections -------------------------------------------------------------------------------------------------------


async def test_a_connection_serves_again_once_its_answer_was_read(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    for _ in range(3):
        await connection.answer(b"x")
        assert await whole(await pending.result()) == b"x"
        pending = ask()
        await connection.request()


async def test_a_connection_that_the_provider_closed_meanwhile_is_not_used(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.answer(b"x")
    await whole(await pending.result())
    await connection.stream.aclose()
    pending = ask()
    connection, _ = await provider.served()
    await connection.answer(b"y")
    assert await whole(await pending.result()) == b"y"


async def test_who_lets_go_early_ends_the_connection(provider: Provider, ask: Asked) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(HEAD + chunk(b"data: 1\n\n"))
    response = await pending.result()
    pieces = response.pieces()
    assert await anext(pieces) == b"data: 1\n\n"
    await pieces.aclose()
    await response.aclose()
    assert await connection.left()
    ask()
    await provider.served()  # on another one


@pytest.mark.parametrize("answered", [b"", b"HTTP/1.1 200 OK\r\n"])
async def test_who_is_cancelled_while_asking_ends_the_connection(
    provider: Provider, ask: Asked, answered: bytes
) -> None:
    pending = ask()
    connection, _ = await provider.served()
    await connection.send(answered)
    pending.scope.cancel()
    assert await connection.left()


async def test_many_at_once(nursery: trio.Nursery, upstreams: Callable[..., Upstream]) -> None:
    """Two hundred streams, none of which goes on before all have begun."""
    begun, all_begun = 0, trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        nonlocal begun
        async with stream:
            connection = Connection(stream)
            arrived = await connection.request()
            await connection.send(HEAD + chunk(arrived.body))
            begun += 1
            if begun == 200:
                all_begun.set()
            await all_begun.wait()
            await connection.send(chunk(b" and ") + chunk(arrived.body) + b"0\r\n\r\n")

    [listener] = await nursery.start(functools.partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    upstream = upstreams(providers={"openai": f"http://127.0.0.1:{listener.socket.getsockname()[1]}"})

    async def ask_one(number: int) -> bytes:
        return await whole(await upstream.ask(made_call(body=b"%d" % number)))

    pending = [Pending(nursery, lambda number=number: ask_one(number)) for number in range(200)]  # type: ignore[misc]
    assert [await each.result() for each in pending] == [b"%d and %d" % (number, number) for number in range(200)]


# -- keys and signatures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_guarded", [True, False])
async def test_our_key_takes_the_place_of_a_dummy_or_of_this_server_s(
    provider: Provider, nursery: trio.Nursery, upstreams: Callable[..., Upstream], is_guarded: bool
) -> None:
    upstream = upstreams({"AIMOCK_PROVIDER_GEMINI_KEY": SECRETS[1]}, providers={"gemini": f"{provider.url}/v1beta"})
    theirs = "our-api-key" if is_guarded else "sk-aimock-1"
    call = made_call(
        "gemini", target=f"/v1beta/models/g:generateContent?key={theirs}&alt=sse", lines=(), is_guarded=is_guarded
    )
    Pending(nursery, lambda: upstream.ask(call))
    _, arrived = await provider.served()
    assert arrived.target == "/v1beta/models/g:generateContent?alt=sse"
    assert dict(arrived.headers)["x-goog-api-key"] == SECRETS[1]
    assert theirs not in str(arrived)


THEIR_SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential=AKIDTHEIRS/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0f"
)


@pytest.mark.parametrize(
    ("authorization", "is_guarded", "environment", "sent"),
    [
        (THEIR_SIGNATURE, False, AWS, "AWS4-HMAC-SHA256 Credential=AKIDOURS/20261122/us-east-1/bedrock/aws4_request"),
        (THEIR_SIGNATURE, True, AWS, "AWS4-HMAC-SHA256 Credential=AKIDOURS/20261122/us-east-1/bedrock/aws4_request"),
        ("Bearer our-api-key", True, AWS, "AWS4-HMAC-SHA256 Credential=AKIDOURS/20261122/eu-west-1/bedrock/aws4_"),
        ("Bearer sk-aimock-1", False, AWS, "AWS4-HMAC-SHA256 Credential=AKIDOURS/20261122/eu-west-1/bedrock/aws4_"),
        (None, False, AWS, "AWS4-HMAC-SHA256 Credential=AKIDOURS/20261122/eu-west-1/bedrock/aws4_request"),
        ("Bearer bedrock-api-key-real", False, AWS, "Bearer bedrock-api-key-real"),
        (THEIR_SIGNATURE, False, NOWHERE, THEIR_SIGNATURE),
    ],
)
async def test_bedrock_is_signed_for_anew(
    provider: Provider,
    nursery: trio.Nursery,
    upstreams: Callable[..., Upstream],
    authorization: str | None,
    is_guarded: bool,
    environment: dict[str, str],
    sent: str,
) -> None:
    upstream = upstreams(environment, providers={"bedrock": provider.url})
    lines = () if authorization is None else (("authorization", authorization),)
    call = made_call("bedrock", target="/model/m%3A0/converse", lines=lines, is_guarded=is_guarded)
    Pending(nursery, lambda: upstream.ask(call))
    _, arrived = await provider.served()
    [found] = [value for name, value in arrived.headers if name == "authorization"]
    assert found.startswith(sent)
    if "AKIDOURS" in sent:
        assert "SignedHeaders=host;x-amz-date," in found
        assert dict(arrived.headers)["x-amz-date"] == "20261122T182233Z"


def test_what_is_said_when_bedrock_cannot_be_signed_for() -> None:
    async def main() -> None:
        bedrock = RecordConfig(providers={"bedrock": "https://bedrock-runtime.eu-west-1.amazonaws.com"})
        [warning] = Upstream(bedrock, NOWHERE).warnings
        assert warning.startswith("Bedrock: there are no AWS credentials")
        assert Upstream(bedrock, AWS).warnings == []
        assert Upstream(RecordConfig(providers={"openai": "https://x"}), NOWHERE).warnings == []

    trio.run(main)
