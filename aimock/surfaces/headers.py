"""The headers of a protocol's responses: its own, its rate limits as they stand, and those that let pages call."""

from __future__ import annotations

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Whole
from aimock.quotas import PLENTY, SPENT
from aimock_protocols.canonical import ENTROPY_BYTES, ChatProtocol, Headers, Stamp, WireResponse


class ResponseHeaders:
    """One protocol's. Those that many responses share are one tuple a second, which net encodes once."""

    def __init__(self, protocol: ChatProtocol) -> None:
        self._protocol = protocol
        self._has_fresh = bool(protocol.fresh_headers(Stamp(0.0, bytes(ENTROPY_BYTES))))
        self._changes = protocol.rate_limits(PLENTY, 0.0) != protocol.rate_limits(PLENTY, 1e9)
        """Whether rate limits tell points in time."""
        self._bare_whole: Headers = (*protocol.whole_headers, *CORS)
        self._bare_stream: Headers = (*protocol.stream_headers, *CORS)
        self._renew(0.0)

    def of(self, exchange: Exchange, streamed: bool) -> tuple[Headers, Headers]:
        """Those of a whole or streamed response, and those that are this exchange's alone."""
        if exchange.allowance is not None:
            return self._bare_stream if streamed else self._bare_whole, self._fresh(exchange)
        if self._changes:
            created = exchange.stamp.created
            if not self._since <= created < self._since + 1:
                self._renew(created)
        fresh = self._fresh(exchange) if self._has_fresh else exchange.fresh_headers
        return self._stream if streamed else self._whole, fresh

    def _fresh(self, exchange: Exchange) -> Headers:
        fresh = exchange.fresh_headers
        if self._has_fresh:
            fresh += self._protocol.fresh_headers(exchange.stamp)
        if exchange.allowance is not None:
            fresh += self._protocol.rate_limits(exchange.allowance, exchange.stamp.created)
        return fresh

    def respond(self, exchange: Exchange, response: WireResponse) -> Whole:
        """A response that came with headers of its own: an error's, or a side route's. Where quotas are kept, it tells
        nothing of them unless the request was charged: what it tells is true."""
        status, headers, body = response
        if exchange.allowance is None and exchange.state.quotas is None:
            headers += self._protocol.rate_limits(SPENT if status == 429 else PLENTY, exchange.stamp.created)
        return Whole(status, headers + CORS, body, self._fresh(exchange))

    def _renew(self, now: float) -> None:
        limits = self._protocol.rate_limits(PLENTY, now)
        self._whole = (*self._protocol.whole_headers, *limits, *CORS)
        self._stream = (*self._protocol.stream_headers, *limits, *CORS)
        self._since = int(now)
