"""The paths that several rerankers share: which of them a request means."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aimock_protocols.canonical import Head, WireProtocol
from aimock_protocols.collapsing import json_object
from aimock_protocols.rerank import bedrock_agent, cohere, details

_VOYAGE_MODEL = re.compile(r"rerank-(?:lite-)?\d")
"""`rerank-2.5`, `rerank-lite-1`; Cohere's are `rerank-v3.5`, `rerank-english-v3.0`."""


_NAMED: Mapping[str, WireProtocol] = {"jina": details.jina, "voyage": details.voyage, "cohere": cohere.v1}
"""By the first segment of a path with which any client may choose."""


def among(head: Head, body: bytes) -> WireProtocol:
    """The API that a request means: that which its path names, or whose model or own members its body has; else
    Cohere's first version, and Jina's where no version stands in the path."""
    named = _NAMED.get(head.path.split("/")[1])
    if named is not None:
        return named
    otherwise: WireProtocol = cohere.v1 if head.path.rstrip("/").endswith("/v1/rerank") else details.jina
    try:
        sent = json_object(body)
    except ValueError:
        return otherwise
    model = sent.get("model")
    name = model.rpartition("/")[2] if isinstance(model, str) else ""
    if "queries" in sent:
        return bedrock_agent.api
    if "top_k" in sent or _VOYAGE_MODEL.match(name):
        return details.voyage
    return details.jina if name.startswith("jina-") else otherwise
