"""What services beside the models have in common: which there are, and with which texts each is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ASKED_WITH: Mapping[str, str] = {
    "search": "query",
    "extract": "urls",
    "crawl": "url",
    "map": "url",
    "research": "input",
    "rerank": "query",
    "moderation": "input",
}
"""By endpoint type, the member of the request's body that has its texts: a text, or a list of texts and of parts that
may have one (`{"type": "text", "text": …}`)."""


SECTIONS: Mapping[str, str] = {{"moderation": "moderate"}.get(endpoint, endpoint): endpoint for endpoint in ASKED_WITH}
"""Endpoint types by what config files call them."""


def texts_of(endpoint: str, body: Mapping[str, Any]) -> list[str]:
    """The texts that a service is asked with. What is malformed is none."""
    given = body.get(ASKED_WITH[endpoint])
    parts = given if isinstance(given, list) else [given]
    texts = (part.get("text") if isinstance(part, Mapping) else part for part in parts)
    return [text for text in texts if isinstance(text, str)]


RANKINGS = ("lexical", "identity", "empty")
"""How rerankers order documents of which nothing is said; the first is theirs where not even that is said."""
