"""The headers of a protocol's responses: its own, its rate limits as they stand, and those that let pages call."""

from __future__ import annotations

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Whole
from aimock.quotas import PLENTY, SPENT
from aimock_protocols.canonical import ENTROPY_BYTES, Headers, Stamp, WireProtocol, WireResponse


class ResponseHeaders:
    """One protocol's. Those that many responses share are one tuple a second, which net encodes once."""

    def __init__(self, protocol: WireProtocol) -> None:
        self._protocol = protocol
        self._has_fresh = bool(protocol.fresh_headers(Stamp(0.0, bytes(ENTROPY_BYTES))))
        self._changes = protocol.rate_limits(PLENTY, 0.0) != protocol.rate_limits(PLENTY, 1e9)
        """Whether rate limits tell points in time."""
        self._streams: dict[Headers, Headers] = {}
        self._renew(0.0)

    def of(self, exchange: Exchange, stream: Headers | None = None) -> tuple[Headers, Headers]:
        """Those of a whole response, or of a stream with such headers; and those that are this exchange's alone."""
        if exchange.allowance is not None:
            return (
                (*self._protocol.whole_headers, *CORS) if stream is None else (*stream, *CORS),
                self._fresh(exchange),
            )
        if self._changes:
            created = exchange.stamp.created
            if not self._since <= created < self._since + 1:
                self._renew(created)
        fresh = self._fresh(exchange) if self._has_fresh else exchange.fresh_headers
        return self._whole if stream is None else self._streams.get(stream) or self._stream(stream), fresh

    def _renew(self, now: float) -> None:
        self._limits = self._protocol.rate_limits(PLENTY, now)
        self._whole = (*self._protocol.whole_headers, *self._limits, *CORS)
        self._streams.clear()
        self._since = int(now)

    def _stream(self, own: Headers) -> Headers:
        headers = self._streams[own] = (*own, *self._limits, *CORS)
        return headers

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
