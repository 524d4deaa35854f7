"""Gemini Live, BidiGenerateContent, of the Developer API and of Vertex AI: sessions over WebSockets (see
`sessions.SocketProtocol`), and the ephemeral tokens with which browsers open them."""

from __future__ import annotations

from aimock_protocols.gemini.platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.gemini.platform import error, fresh_headers, rate_limits
from aimock_protocols.gemini_live.auth_tokens import create_auth_token, token_of
from aimock_protocols.gemini_live.recordings import said_in
from aimock_protocols.gemini_live.session import LiveSession
from aimock_protocols.sessions import Connecting, Session

name = "gemini_live"

__all__ = ["connect", "create_auth_token", "error", "fresh_headers", "name", "rate_limits", "said_in", "whole_headers"]

_VERTEX = "/ws/google.cloud.aiplatform."


def connect(connecting: Connecting) -> Session:
    """A session on any of the paths. On the bare one, clients without credentials are Vertex AI's SDKs, whose models
    are not called `models/…`."""
    path = connecting.head.path
    is_vertex = _VERTEX in path if path.strip("/") else None
    token = token_of(connecting.head)
    return LiveSession(is_vertex, token, connecting.memory, connecting.options, connecting.is_recorded)
