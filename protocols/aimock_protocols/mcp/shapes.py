"""What revisions have in common definitions, contents and results, and what the older ones do not know.

Everything is written in the newest shape and cut down to the revision that is spoken. A field that a client's revision
does not have would be ignored by most; but a block of a kind that it does not have makes it refuse the message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aimock_protocols.mcp.envelope import SERVER_INFO_KEY
from aimock_protocols.mcp.revisions import MODERN, has

_FIELDS_SINCE = {
    "annotations": "2025-03-26",
    "title": "2025-06-18",
    "outputSchema": "2025-06-18",
    "_meta": "2025-06-18",
    "icons": "2025-11-25",
    "execution": "2025-11-25",
}
"""Of definitions in lists; those not named here have always been there."""
_FIELDS_UNTIL = {"execution": "2025-11-25"}

_ALWAYS_ANNOTATED = ("resources", "resourceTemplates")

LISTS = {
    "tools/list": "tools",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
"""Methods that list, and the key of what they list."""

CACHEABLE = frozenset({*LISTS, "resources/read", "server/discover"})
"""Methods whose results say how long they hold (2026-07-28)."""

_RESULT_SINCE = {"structuredContent": "2025-06-18", "_meta": "2024-11-05"}


def definition(entry: dict[str, Any], kind: str, revision: str) -> dict[str, Any]:
    """A definition as a list shows it; `kind` is the key of the list."""
    return {
        key: value
        for key, value in entry.items()
        if (key == "annotations" and kind in _ALWAYS_ANNOTATED)
        or (_FIELDS_SINCE.get(key, "") <= revision <= _FIELDS_UNTIL.get(key, MODERN))
    }


def block(content: dict[str, Any], revision: str) -> dict[str, Any]:
    """A content block in a revision: what it does not have becomes text that says the same."""
    kind = content.get("type")
    if kind == "audio" and not has(revision, "audio"):
        return {"type": "text", "text": f"[audio: {content.get('mimeType')}]"}
    if kind == "resource_link" and not has(revision, "resource_link"):
        return {"type": "text", "text": f"[{content.get('name', 'resource')}: {content.get('uri')}]"}
    return content


def tool_result(result: dict[str, Any], revision: str) -> dict[str, Any]:
    """The result of `tools/call`, cut down to a revision."""
    told = {key: value for key, value in result.items() if _RESULT_SINCE.get(key, "") <= revision}
    return told | {"content": [block(content, revision) for content in result["content"]]}


def prompt_result(result: dict[str, Any], revision: str) -> dict[str, Any]:
    """The result of `prompts/get`, cut down to a revision."""
    messages = [message | {"content": block(message["content"], revision)} for message in result["messages"]]
    return result | {"messages": messages}


def complete(
    result: dict[str, Any], method: str, server: dict[str, Any], cache: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A result of the modern era: what is added to every one. `cache`: its `ttlMs` and `cacheScope`, if it has any."""
    told = {"resultType": "complete"} | result
    if method in CACHEABLE:
        told |= cache if cache is not None else {"ttlMs": 0, "cacheScope": scope_of(method)}
    meta = told.get("_meta") or {}
    return told | {"_meta": {SERVER_INFO_KEY: server} | meta}


def scope_of(method: str) -> str:
    """Who may keep a result, where nobody says: what a resource holds is its reader's."""
    return "private" if method == "resources/read" else "public"


def server_info(info: dict[str, Any], revision: str) -> dict[str, Any]:
    """A server's name and version, with what else a revision has of it."""
    since = {"title": "2025-06-18", "description": "2025-11-25", "websiteUrl": "2025-11-25", "icons": "2025-11-25"}
    return {key: value for key, value in info.items() if since.get(key, "") <= revision}


def text_result(text: str, *, is_error: bool = False) -> dict[str, Any]:
    """A tool's result of one text."""
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def content_fault(content: Any) -> str | None:
    """What is wrong with a content block, None if nothing is. Fields that are not known are let pass."""
    if type(content) is not dict:
        return "expected a content block (an object)"
    kind = content.get("type")
    needed = _BLOCKS.get(kind) if type(kind) is str else None
    if needed is None:
        return f"expected a type of {', '.join(_BLOCKS)}; got {kind!r}"
    for key in needed:
        if key == "resource":
            resource = content.get(key)
            if type(resource) is not dict or type(resource.get("uri")) is not str:
                return "expected resource: an object with a uri"
            if type(resource.get("text")) is not str and type(resource.get("blob")) is not str:
                return "expected resource.text or resource.blob"
        elif type(content.get(key)) is not str:
            return f"expected {key}: a string"
    return None


_BLOCKS: dict[str, Sequence[str]] = {
    "text": ("text",),
    "image": ("data", "mimeType"),
    "audio": ("data", "mimeType"),
    "resource": ("resource",),
    "resource_link": ("uri", "name"),
}
