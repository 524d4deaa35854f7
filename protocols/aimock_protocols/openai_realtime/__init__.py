"""OpenAI Realtime, also as Azure has it: the module is the protocol (see `sessions.SocketProtocol`)."""

from __future__ import annotations

from aimock_protocols.openai_platform import WHOLE_HEADERS as whole_headers
from aimock_protocols.openai_platform import error, fresh_headers, rate_limited, rate_limits
from aimock_protocols.openai_realtime.connecting import connect
from aimock_protocols.openai_realtime.recordings import said_in
from aimock_protocols.openai_realtime.sides import (
    act_on_call,
    create_beta_session,
    create_call,
    create_client_secret,
    create_transcription_session,
    create_translation_secret,
)

name = "openai_realtime"
heeds: tuple[str, ...] = ()

__all__ = [
    "act_on_call",
    "connect",
    "create_beta_session",
    "create_call",
    "create_client_secret",
    "create_transcription_session",
    "create_translation_secret",
    "error",
    "fresh_headers",
    "heeds",
    "name",
    "rate_limited",
    "rate_limits",
    "said_in",
    "whole_headers",
]
