"""Responses through the official OpenAI SDK: as sync code, under asyncio and under Trio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

QUESTION: dict[str, Any] = {"model": "gpt-5", "input": "hello"}
"""What is asked where a test has nothing else to ask."""

Said = Callable[..., Any]


@pytest.fixture
def said(flavour: str, client: OpenAI, run_async: Said) -> Said:
    """`create()`; keyword arguments add to QUESTION."""

    def ask(**more: Any) -> Any:
        if flavour == "sync":
            return client.responses.create(**QUESTION | more)
        return run_async(flavour, lambda client: client.responses.create(**QUESTION | more))

    return ask


@pytest.fixture
def events(flavour: str, client: OpenAI, run_async: Said) -> Said:
    """`create(stream=True)`, as its events."""

    def ask(**more: Any) -> list[Any]:
        async def work(client: AsyncOpenAI) -> list[Any]:
            return [event async for event in await client.responses.create(**QUESTION | more, stream=True)]

        if flavour == "sync":
            return list(client.responses.create(**QUESTION | more, stream=True))
        return list(run_async(flavour, work))

    return ask


@pytest.fixture
def put_together(flavour: str, client: OpenAI, run_async: Said) -> Said:
    """`.stream()`, the helper that puts a stream together, to its final response."""

    def ask(**more: Any) -> Any:
        async def work(client: AsyncOpenAI) -> Any:
            async with client.responses.stream(**QUESTION | more) as stream:
                return await stream.get_final_response()

        if flavour != "sync":
            return run_async(flavour, work)
        with client.responses.stream(**QUESTION | more) as stream:
            return stream.get_final_response()

    return ask


@pytest.fixture
def parsed(flavour: str, client: OpenAI, run_async: Said) -> Said:
    """`.parse()`, which reads structured output."""

    def ask(**more: Any) -> Any:
        if flavour == "sync":
            return client.responses.parse(**QUESTION | more)
        return run_async(flavour, lambda client: client.responses.parse(**QUESTION | more))

    return ask
