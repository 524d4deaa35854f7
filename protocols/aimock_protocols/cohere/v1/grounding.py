"""Citations as the first version has them: by the ids of documents, which stand beside (wire-cohere §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from aimock_protocols.collapsing import mapping, string

_SPAN = ("start", "end", "text")


def legacy(citation: Mapping[str, Any]) -> dict[str, Any]:
    """A citation of the second version as one of the first; one that is of the first already is left as it is."""
    if "document_ids" in citation:
        return dict(citation)
    span = {name: citation[name] for name in _SPAN if name in citation}
    return {**span, "document_ids": [source["id"] for source in _sources(citation)]}


def documents(citations: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The documents that are cited, each once, their members as text."""
    found: dict[str, dict[str, str]] = {}
    for citation in citations:
        for source in _sources(citation):
            members = mapping(source.get("document")) or mapping(source.get("tool_output"))
            found[source["id"]] = {name: _text(value) for name, value in members.items()} | {"id": source["id"]}
    return list(found.values())


def modern(citation: Mapping[str, Any], known: Iterable[Any]) -> dict[str, Any]:
    """The inverse of `legacy`, with the documents that are known."""
    by_id = {each["id"]: each for each in known if isinstance(each, dict) and string(each.get("id"))}
    span = {name: citation[name] for name in _SPAN if name in citation}
    ids = citation.get("document_ids")
    sources = [
        {"type": "document", "id": each, "document": {k: v for k, v in by_id.get(each, {}).items() if k != "id"}}
        for each in (ids if isinstance(ids, list) else ())
        if isinstance(each, str)
    ]
    return {**span, "sources": sources}


def _sources(citation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sources of a citation that can be told apart."""
    sources = citation.get("sources")
    return [
        source
        for source in (sources if isinstance(sources, list | tuple) else ())
        if isinstance(source, dict) and string(source.get("id"))
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
