"""Keys for one session, which a server has minted for a browser: what each stands for (wire-openai-realtime §7)."""

from __future__ import annotations

from typing import Any

import attrs

from aimock_protocols.canonical import Memory, Stamp
from aimock_protocols.openai_platform import refusal
from aimock_protocols.openai_realtime.config import Config

_PREFIX = "ek_"


@attrs.frozen(eq=False)
class Secret:
    """The session that a key begins."""

    config: Config
    model: str
    expires_at: int


def mint(secret: Secret, memory: Memory, stamp: Stamp, size: int) -> str:
    """A key for this, which the memory now knows."""
    value = _PREFIX + stamp.hexadecimal(32, "client secret")
    memory.put(value, secret, size)
    return value


def recalled(key: str | None, memory: Memory, now: float) -> Secret | None:
    """What a key stands for; None for one that is none of these, or was not minted here. Raises WireError for one
    that has expired."""
    if key is None or not key.startswith(_PREFIX):
        return None
    secret: Any = memory.get(key)
    if not isinstance(secret, Secret):
        return None
    if now >= secret.expires_at:
        raise refusal("Ephemeral token expired.", code="token_expired", status=401)
    return secret
