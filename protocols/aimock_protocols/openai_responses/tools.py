"""The tools of a request in the chat's form, and as a response repeats them (wire-openai-responses §2, §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_FUNCTION = ("name", "description", "parameters", "strict")
_CUSTOM = ("name", "description", "format")


def chat_tools(tools: Any) -> list[dict[str, Any]]:
    """Those that clients run themselves, with what namespaces hold; tools that the provider runs are none of them."""
    return [
        {"type": kind, kind: {key: tool[key] for key in keys if key in tool}}
        for tool, _ in offered(tools)
        for kind, keys in (("function", _FUNCTION), ("custom", _CUSTOM))
        if tool.get("type") == kind
    ]


def offered(tools: Any) -> Iterator[tuple[dict[str, Any], str | None]]:
    """All tools, those within namespaces too, each with the name of its namespace."""
    for tool in _dicts(tools):
        if tool.get("type") == "namespace":
            name = tool.get("name")
            yield from ((each, name if isinstance(name, str) else None) for each in _dicts(tool.get("tools")))
        else:
            yield tool, None


def custom_names(tools: Any) -> frozenset[str]:
    """Names of the tools that take free text."""
    names = (tool.get("name") for tool, _ in offered(tools) if tool.get("type") == "custom")
    return frozenset(name for name in names if isinstance(name, str))


def namespaces(tools: Any) -> frozenset[tuple[str, str]]:
    """Names of the tools that are in a namespace, each with that of the namespace."""
    named = ((tool.get("name"), namespace) for tool, namespace in offered(tools))
    return frozenset((name, namespace) for name, namespace in named if isinstance(name, str) and namespace)


def chat_tool_choice(choice: Any) -> Any:
    """A choice as the chat has it; of a tool that the provider runs, as it came."""
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind in ("function", "custom"):
        return {"type": kind, kind: {"name": choice.get("name")}}
    if kind == "allowed_tools":
        allowed = {"mode": choice.get("mode"), "tools": [_named(tool) for tool in _dicts(choice.get("tools"))]}
        return {"type": kind, kind: allowed}
    return choice


def _named(tool: dict[str, Any]) -> dict[str, Any]:
    kind = tool.get("type")
    return {"type": kind, kind: {"name": tool.get("name")}} if kind in ("function", "custom") else tool


# -- as a response has them --------------------------------------------------------------------------------------------


def told(tools: Any) -> list[dict[str, Any]]:
    """The tools with what the provider fills in, and without secrets."""
    return [_TELL.get(_kind(tool), dict)(tool) for tool in _dicts(tools)]


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


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
