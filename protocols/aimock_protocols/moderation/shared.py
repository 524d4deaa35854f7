"""The path that OpenAI's moderation and Mistral's share: which of them a request means."""

from __future__ import annotations

from aimock_protocols.canonical import Head, WireProtocol
from aimock_protocols.collapsing import json_object
from aimock_protocols.moderation import mistral, openai


def among(head: Head, body: bytes) -> WireProtocol:
    """Mistral's if its path, its SDK or its model is named."""
    if head.path.startswith("/mistral/") or head.headers.get("user-agent", "").startswith("mistral-client-"):
        return mistral.texts
    try:
        model = json_object(body).get("model")
    except ValueError:
        model = None
    return mistral.texts if isinstance(model, str) and model.startswith("mistral-") else openai
