"""Two hundred at once: none is lost on its way, in its file, or among the others that it is like."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import trio

from aimock import AIMock
from recording_provider import END, Asked, Provider, Sends, chunk, completion, events, head, recorded, whole

AT_ONCE = 200


def request(number: int) -> dict[str, Any]:
    """Half of them ask for streams; all are alike to a match but for one of twenty texts, and no two are the same."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": f"You are agent {number // 20}."},
        {"role": "user", "content": f"question {number % 20}"},
    ]
    return {"model": "gpt-4o", "messages": messages, "stream": number % 2 == 0}


def answer(number: int) -> list[bytes]:
    """The pieces in which the provider sends it; long ones are many."""
    if request(number)["stream"]:
        frames = events(*(f"{number}.{place} " for place in range(number % 40 + 1)))
        return [head(), *map(chunk, frames), END]
    return [whole(completion(f"{number}, at length. " * (number + 1)))]


def body_of(number: int) -> bytes:
    """The same as a client reads it."""
    if request(number)["stream"]:
        return b"".join(events(*(f"{number}.{place} " for place in range(number % 40 + 1))))
    return completion(f"{number}, at length. " * (number + 1))


class Crowd:
    """A provider that answers nobody until all have asked, and then each piece of all before the next."""

    def __init__(self) -> None:
        self.provider = Provider(self._script)
        self._all_here = trio.Event()

    async def _script(self, asked: Asked, stream: Sends) -> None:
        if len(self.provider.asked) == AT_ONCE:
            self._all_here.set()
        await self._all_here.wait()
        system, user = (message["content"] for message in json.loads(asked.body)["messages"])
        for piece in answer(int(system[14:-1]) * 20 + int(user[9:])):
            await stream.send_all(piece)
            await trio.lowlevel.checkpoint()


async def ask_all(mock: AIMock) -> dict[int, bytes]:
    """The body that each has."""
    bodies: dict[int, bytes] = {}
    limits = httpx.Limits(max_connections=None)

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        response = await client.post("/v1/chat/completions", json=request(number))
        assert response.status_code == 200, response.text
        bodies[number] = response.content

    async with (
        httpx.AsyncClient(base_url=mock.url, limits=limits, timeout=60, trust_env=False) as client,
        trio.open_nursery() as nursery,
    ):
        for number in range(AT_ONCE):
            nursery.start_soon(ask, client, number)
    return bodies


@asynccontextmanager
async def recording(crowd: Crowd, top: Path) -> AsyncIterator[AIMock]:
    async with crowd.provider.on_a_socket():
        record = {"providers": {"openai": crowd.provider.url}, "fixturePath": str(top)}
        async with AIMock(record=record) as mock:
            yield mock


async def test_two_hundred_at_once_lose_nothing(tmp_path: Path) -> None:
    crowd, expected = Crowd(), {number: body_of(number) for number in range(AT_ONCE)}
    async with recording(crowd, tmp_path) as mock:
        had = await ask_all(mock)
        at_once = await ask_all(mock)
    assert had == at_once == expected
    assert len(recorded(tmp_path)) == len(crowd.provider.asked) == AT_ONCE
    async with AIMock(fixtures=tmp_path, strict=True) as mock:
        assert await ask_all(mock) == expected
        used = {entry["response"]["fixture"]["metadata"]["systemHash"] for entry in mock.get_requests()}
        assert len(used) == AT_ONCE // 20
