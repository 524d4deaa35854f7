"""Tavily's crawl of a site: `POST /crawl`."""

from __future__ import annotations

import functools

import orjson

from aimock_protocols.canonical import Results, Stamp
from aimock_protocols.collapsing import dicts
from aimock_protocols.tavily.endpoint import Endpoint
from aimock_protocols.tavily.pages import credits_for, images_of, with_icon
from aimock_protocols.tavily.platform import closing
from aimock_protocols.tavily.site import Walk, read_request, walk_of


def encode(reply: Results, shape: Walk, stamp: Stamp) -> bytes:
    """The body of a response."""
    (said,) = reply.said
    pages = []
    for found in dicts(said.get("results"))[: shape.limit]:
        page = {"url": "", "raw_content": ""} | found
        page["images"] = images_of(found.get("images"), described=False) if shape.images else []
        pages.append(with_icon(page, shape.icons))
    told = {key: value for key, value in said.items() if key != "usage"}
    body = {"base_url": shape.url, **told, "results": pages, **closing(said, stamp)}
    if shape.usage:
        mapped = credits_for(len(pages), 10, shape.instructed)
        body["usage"] = said.get("usage") or {"credits": mapped + credits_for(len(pages), 5, shape.advanced)}
    return orjson.dumps(body)


api = Endpoint(
    name="tavily.crawl:api",
    read=functools.partial(read_request, endpoint="crawl"),
    shape=walk_of,
    encode=encode,
    echoed=("base_url",),
)
