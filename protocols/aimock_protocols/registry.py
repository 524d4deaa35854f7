"""The chat protocols that exist, and what each listens on: one entry each.

A protocol is imported when it is first asked, so that a start costs no more for every provider that there is.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple, cast

from aimock_protocols.canonical import ChatProtocol, Route


class Registered(NamedTuple):
    """A protocol by the name of its module."""

    name: str
    routes: tuple[Route, ...]

    def load(self) -> ChatProtocol:
        return cast(ChatProtocol, importlib.import_module(f"aimock_protocols.{self.name}"))


CHAT_PROTOCOLS: tuple[Registered, ...] = (
    Registered(
        "openai_chat",
        (
            Route("POST", "/v1/chat/completions"),
            Route("POST", "/openai/deployments/{deployment}/chat/completions"),
        ),
    ),
    Registered(
        "openai_completions",
        (
            Route("POST", "/v1/completions"),
            Route("POST", "/openai/deployments/{deployment}/completions"),
        ),
    ),
)


def chat_protocols() -> tuple[ChatProtocol, ...]:
    """All of them, imported."""
    return tuple(registered.load() for registered in CHAT_PROTOCOLS)
