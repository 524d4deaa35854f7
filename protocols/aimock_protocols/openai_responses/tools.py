"""The tools of a request in the chat's form, and as a response repeats them (wire-openai-responses §2, §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aimock_protocols.collapsing import dicts

_CLIENTS_OWN = ("function", "custom")
"""Types of the tools that clients run themselves."""


def chat_tools(tools: Any) -> list[dict[str, Any]]:
    """Those that clients run themselves, with what namespaces hold; tools that the provider runs are none of them."""
    found = []
    for tool, _ in _offered(tools):
        kind = tool.get("type")
        if kind in _CLIENTS_OWN:
            named = tool.copy()
            del named["type"]
            found.append({"type": kind, kind: named})
    return found


def _offered(tools: Any) -> Iterator[tuple[dict[str, Any], str | None]]:
    """All tools, those within namespaces too, each with the name of its namespace."""
    for tool in dicts(tools):
        if tool.get("type") == "namespace":
            name = tool.get("name")
            space = name if isinstance(name, str) else None
            for each in dicts(tool.get("tools")):
                yield each, space
        else:
            yield tool, None


class Peculiar(NamedTuple):
    """What there is besides functions."""

    custom: frozenset[str] = frozenset()
    """Names of the tools that take free text."""
    spaced: frozenset[tuple[str, str]] = frozenset()
    """Names of the tools in a namespace, each with that of the namespace."""


FUNCTIONS_ALONE = Peculiar()


def peculiar(tools: Any) -> Peculiar:
    """What of the tools offered are no plain functions."""
    if all(tool.get("type") == "function" for tool in dicts(tools)):
        return FUNCTIONS_ALONE
    named = [(tool.get("name"), tool.get("type"), space) for tool, space in _offered(tools)]
    return Peculiar(
        frozenset(name for name, kind, _ in named if kind == "custom" and isinstance(name, str)),
        frozenset((name, space) for name, _, space in named if space and isinstance(name, str)),
    )


def chat_tool_choice(choice: Any) -> Any:
    """A choice as the chat has it; of a tool that the provider runs, as it came."""
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in _CLIENTS_OWN:
        return {"type": kind, kind: {"name": choice.get("name")}}
    if kind == "allowed_tools":
        allowed = {"mode": choice.get("mode"), "tools": [_named(tool) for tool in dicts(choice.get("tools"))]}
        return {"type": kind, kind: allowed}
    return choice


def _named(tool: dict[str, Any]) -> dict[str, Any]:
    kind = tool.get("type")
    return {"type": kind, kind: {"name": tool.get("name")}} if kind in _CLIENTS_OWN else tool


# -- as a response has them --------------------------------------------------------------------------------------------


def told(tools: Any) -> list[dict[str, Any]]:
    """The tools with what the provider fills in, and without secrets."""
    return [_TELL.get(_kind(tool), dict)(tool) for tool in dicts(tools)]


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    filled = {"type": "function", "description": None, "strict": True, **tool}
    return filled if filled["description"] else filled | {"description": None}


_WHERE = {"type": "approximate", "city": None, "country": "US", "region": None, "timezone": None}


def _web_search(tool: dict[str, Any]) -> dict[str, Any]:
    return {"filters": None, "search_context_size": "medium", "user_location": _WHERE, **tool}


def _mcp(tool: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in tool.items() if name != "authorization"}
    headers = tool.get("headers")
    return shown | {"headers": dict.fromkeys(headers, "<redacted>")} if isinstance(headers, dict) else shown


_TELL: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "function": _function,
    "web_search": _web_search,
    "mcp": _mcp,
}


def _kind(tool: dict[str, Any]) -> str:
    kind = tool.get("type")
    return kind if isinstance(kind, str) else ""
