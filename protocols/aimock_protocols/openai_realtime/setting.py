"""What a session is when it begins."""

from __future__ import annotations

import attrs

from aimock_protocols.openai_realtime.config import Config
from aimock_protocols.openai_realtime.events import Dialect
from aimock_protocols.sessions import Options

LIFETIME = 3600
"""Seconds until a session is said to expire. Nothing here has a clock: it never does."""


@attrs.frozen(eq=False)
class Setting:
    """What a session is before its client has said anything."""

    config: Config
    model: str
    dialect: Dialect
    options: Options
    is_open: bool = False
    """Whether the client may mean another provider, whose members nobody here knows."""
    is_beta: bool = False
