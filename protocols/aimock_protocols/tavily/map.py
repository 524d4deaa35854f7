"""Tavily's map of a site: `POST /map`."""

from __future__ import annotations

import functools

import orjson

from aimock_protocols.canonical import Results, Stamp
from aimock_protocols.collapsing import listed
from aimock_protocols.tavily.endpoint import Endpoint
from aimock_protocols.tavily.pages import credits_for
from aimock_protocols.tavily.platform import closing
from aimock_protocols.tavily.site import Walk, read_request, walk_of


def encode(reply: Results, shape: Walk, stamp: Stamp) -> bytes:
    """The body of a response, whose results are URLs."""
    (said,) = reply.said
    urls = [each for each in listed(said.get("results")) if isinstance(each, str)][: shape.limit]
    told = {key: value for key, value in said.items() if key != "usage"}
    body = {"base_url": shape.url, **told, "results": urls, **closing(said, stamp)}
    if shape.usage:
        body["usage"] = said.get("usage") or {"credits": credits_for(len(urls), 10, shape.instructed)}
    return orjson.dumps(body)


api = Endpoint(
    name="tavily.map:api",
    read=functools.partial(read_request, endpoint="map"),
    shape=walk_of,
    encode=encode,
    echoed=("base_url",),
)
