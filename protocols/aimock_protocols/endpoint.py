"""An endpoint that is an object: what it shares with all others of its provider it leaves to its platform."""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from aimock_protocols.canonical import Allowance, ErrorReply, Excess, Headers, Stamp, WireResponse


class Platform(Protocol):
    """What all endpoints of a provider answer alike (see `canonical.WireProtocol`)."""

    def fresh_headers(self, stamp: Stamp) -> Headers: ...

    def rate_limits(self, allowance: Allowance, now: float) -> Headers: ...

    def rate_limited(self, excess: Excess) -> ErrorReply: ...

    def error(self, error: ErrorReply, stamp: Stamp) -> WireResponse: ...


class ReadingPlatform(Platform, Protocol):
    """One that knows its errors again."""

    def read_error(self, value: dict[str, Any]) -> ErrorReply | None: ...


@attrs.frozen(eq=False, kw_only=True)
class Endpoint:
    """What protocols that are objects have in common."""

    name: str
    """As in the registry."""
    platform: Platform
    whole_headers: Headers
    heeds: tuple[str, ...] = ()

    def fresh_headers(self, stamp: Stamp) -> Headers:
        return self.platform.fresh_headers(stamp)

    def rate_limits(self, allowance: Allowance, now: float) -> Headers:
        return self.platform.rate_limits(allowance, now)

    def rate_limited(self, excess: Excess) -> ErrorReply:
        return self.platform.rate_limited(excess)

    def error(self, error: ErrorReply, stamp: Stamp) -> WireResponse:
        return self.platform.error(error, stamp)
