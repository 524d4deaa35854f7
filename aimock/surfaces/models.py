"""Which models there are: those that fixtures name, or a few well-known ones."""

from __future__ import annotations

import urllib.parse

from aimock.cors import CORS
from aimock.exchange import Exchange
from aimock.fixtures import FixtureBook
from aimock.net.exchange import Whole
from aimock_protocols import openai_models, openai_platform

DEFAULT_MODELS = (
    "gpt-4",
    "gpt-4o",
    "claude-3-5-sonnet-20241022",
    "gemini-2.0-flash",
    "text-embedding-3-small",
)


def model_ids(book: FixtureBook) -> list[str]:
    """Every model that a fixture names as a literal, in order of first appearance; else the defaults."""
    named = (fixture.match.model for fixture in book.fixtures)
    return list(dict.fromkeys(model for model in named if isinstance(model, str))) or list(DEFAULT_MODELS)


def list_models(exchange: Exchange) -> Whole:
    body = openai_models.encode_list(model_ids(exchange.state.book))
    return Whole(200, (*openai_platform.WHOLE_HEADERS, *CORS), body, exchange.fresh_headers)


def retrieve_model(exchange: Exchange) -> Whole:
    """`GET /v1/models/{model}`; the id may hold slashes, encoded or not."""
    model = urllib.parse.unquote(exchange.params["model"])
    if model in model_ids(exchange.state.book):
        status, headers, body = 200, openai_platform.WHOLE_HEADERS, openai_models.encode_one(model)
    else:
        status, headers, body = openai_platform.error(openai_models.not_found(model), exchange.stamp)
    return Whole(status, (*headers, *CORS), body, exchange.fresh_headers)
