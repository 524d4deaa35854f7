"""Paths on which others look whether the server is there, and what it has."""

from __future__ import annotations

from collections import Counter

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.net.exchange import Whole
from aimock_protocols.services import ASKED_WITH


def root(exchange: Exchange) -> Whole:
    """Clients look here whether anybody is there."""
    return Whole(
        200, (("content-type", "text/plain; charset=utf-8"), *CORS), b"aimock is running", exchange.fresh_headers
    )


def health(exchange: Exchange) -> Whole:
    state = exchange.state
    told = Counter(fixture.match.endpoint for fixture in state.book)
    services = {name: {"status": "ok", "fixtures": told[name]} for name in ASKED_WITH if told[name]}
    services |= {path.lstrip("/"): service.health() for path, service in state.mounts}
    if not services:
        return exchange.json(200, {"status": "ok"})
    models = {"status": "ok", "fixtures": len(state.book)}
    return exchange.json(200, {"status": "ok", "services": {"llm": models, **services}})


def ready(exchange: Exchange) -> Whole:
    return exchange.json(200, {"status": "ready"})
