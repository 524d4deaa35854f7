"""The chat protocols that exist: one line each."""

from __future__ import annotations

from aimock_protocols import openai_chat, openai_completions
from aimock_protocols.canonical import ChatProtocol

CHAT_PROTOCOLS: tuple[ChatProtocol, ...] = (
    openai_chat,
    openai_completions,
)
