"""Members that only some protocols have."""

from __future__ import annotations

import importlib
from types import ModuleType

from aimock_protocols import anthropic_messages, openai_responses, openrouter
from aimock_protocols.members import member
from aimock_protocols.registry import chat_protocols, embedding_protocols


def test_a_member_is_found_where_there_is_one() -> None:
    assert member(openai_responses, "recall") is openai_responses.recall
    assert member(openrouter, "default_models") == openrouter.default_models
    assert member(anthropic_messages, "recall") is None


def test_a_submodule_is_no_member() -> None:
    importlib.import_module("aimock_protocols.anthropic_messages.thinking")
    assert isinstance(vars(anthropic_messages)["thinking"], ModuleType)
    assert member(anthropic_messages, "thinking") is None


def test_frames_tell_chats_from_embeddings() -> None:
    assert all(member(protocol, "frames") for protocol in chat_protocols())
    assert not any(member(protocol, "frames") for protocol in embedding_protocols())
