"""Paths that several protocols share: the request's body tells which of them is meant."""

from __future__ import annotations

from collections.abc import Callable

from aimock.exchange import Exchange
from aimock.net.exchange import Answer, Whole
from aimock.surfaces.llm import LLMSurface
from aimock_protocols.canonical import Head, WireProtocol


class SharedSurface:
    """Leaves each request to the surface of the protocol that it means."""

    def __init__(self, among: Callable[[Head, bytes], WireProtocol]) -> None:
        self._among = among
        self._surfaces: dict[WireProtocol, LLMSurface] = {}

    def answer(self, exchange: Exchange) -> Answer:
        return self._meant(exchange).answer(exchange)

    def refuse(self, exchange: Exchange, status: int, message: str) -> Whole:
        return self._meant(exchange).refuse(exchange, status, message)

    def _meant(self, exchange: Exchange) -> LLMSurface:
        protocol = self._among(exchange.head, exchange.request.body)
        surface = self._surfaces.get(protocol)
        if surface is None:
            surface = self._surfaces[protocol] = LLMSurface(protocol)
        return surface
