"""A real server as a section of a config file: its lists, what its resources hold, and answers of its tools.

Whatever cannot be read is left out and said; what is left loads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from aimock.net.exchange import Headers
from aimock.surfaces.mcp.reading import READERS
from aimock.surfaces.mcp.remote import Remote, RemoteError
from aimock_protocols.mcp.envelope import SERVER_INFO_KEY
from aimock_protocols.mcp.shapes import LISTS

_CAPABILITY = {
    "tools": "tools",
    "resources": "resources",
    "resourceTemplates": "resources",
    "prompts": "prompts",
}
"""What a server must have for each list."""
_KEEPS = {
    "tools": (
        "name",
        "title",
        "description",
        "inputSchema",
        "outputSchema",
        "annotations",
        "icons",
        "execution",
        "_meta",
    ),
    "resources": ("uri", "name", "title", "description", "mimeType", "size", "annotations", "icons", "_meta"),
    "resourceTemplates": ("uriTemplate", "name", "title", "description", "mimeType", "annotations", "icons", "_meta"),
    "prompts": ("name", "title", "description", "arguments", "icons", "_meta"),
}
"""Of definitions: what a section may have, and older revisions may lack."""
_KEY = {"tools": "name", "resources": "uri", "resourceTemplates": "uriTemplate", "prompts": "name"}
_RESULT_KEYS = ("content", "structuredContent", "isError", "contents", "_meta")
_INFO_KEYS = ("name", "version", "title", "description", "websiteUrl", "icons")

_MOST_ENTRIES = 10_000
"""Of one list."""
_MOST_READ = 1_000
"""Resources, and prompts, of which more than the definition is asked for."""
_LARGEST_RESOURCES = 16 * 1024 * 1024
"""Bytes of JSON that resources may hold together."""
_SHORTEST_SECRET = 8
REDACTED = "[redacted]"

Warn = Callable[[str], object]


@attrs.frozen
class Wanted:
    """A call that is made so that its answer can be imported."""

    name: str
    arguments: Mapping[str, Any]


async def imported(remote: Remote, calls: Sequence[Wanted], warn: Warn) -> dict[str, Any]:
    """The section. `warn` is told what is left out. Raises UpstreamFailed or RemoteError if the server cannot be
    spoken to."""
    await remote.greet()
    greeting = remote.greeting
    section: dict[str, Any] = {}
    info = greeting.get("serverInfo") or _object(greeting.get("_meta")).get(SERVER_INFO_KEY)
    if isinstance(info, dict):
        section["serverInfo"] = _chosen(info, _INFO_KEYS)
    if isinstance(greeting.get("instructions"), str):
        section["instructions"] = greeting["instructions"]
    capabilities = greeting.get("capabilities")
    for method, kind in LISTS.items():
        if isinstance(capabilities, dict) and _CAPABILITY[kind] in capabilities:
            section[kind] = await _listed(remote, method, kind, warn)
    await _read_resources(remote, section.get("resources", ()), warn)
    await _read_prompts(remote, section.get("prompts", ()), warn)
    await _make_calls(remote, section.setdefault("tools", []), calls, warn)
    for entry in (entry for kind in READERS for entry in section.get(kind, ())):
        if not entry.keys() & {"contents", "result"}:
            entry.setdefault("cases", [])  # it answers what was recorded, and nothing else
    return {key: _sound(key, value, warn) if key in READERS else value for key, value in section.items() if value}


def without_secrets(value: Any, headers: Headers) -> Any:
    """A value without what the headers of the requests said, which a server may have repeated."""
    secrets = {part for _, line in headers for part in (line, *line.split()) if len(part) >= _SHORTEST_SECRET}
    return _without(value, sorted(secrets, key=len, reverse=True)) if secrets else value


def _without(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return value
    if isinstance(value, dict):
        return {_without(key, secrets): _without(each, secrets) for key, each in value.items()}
    return [_without(each, secrets) for each in value] if isinstance(value, list) else value


def case_of(arguments: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The case of a tool that answers these arguments, and no others, as the real server did."""
    return {"arguments": dict(arguments), "recorded": True, "result": without_server(_chosen(result, _RESULT_KEYS))}


def without_server(result: dict[str, Any]) -> dict[str, Any]:
    """A result that does not say which server it is from."""
    meta = {key: value for key, value in _object(result.get("_meta")).items() if key != SERVER_INFO_KEY}
    rest = {key: value for key, value in result.items() if key != "_meta"}
    return rest | {"_meta": meta} if meta else rest


async def _listed(remote: Remote, method: str, kind: str, warn: Warn) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    seen: set[str] = set()
    while True:
        try:
            page = await remote.request(method, {} if cursor is None else {"cursor": cursor})
        except RemoteError as error:
            warn(f"{method}: {error}")
            break
        listed = page.get(kind)
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get(_KEY[kind]), str):
                found.setdefault(entry[_KEY[kind]], _chosen(entry, _KEEPS[kind]))
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or cursor in seen:
            break
        if len(found) >= _MOST_ENTRIES:
            warn(f"{method}: more than {_MOST_ENTRIES}; the rest is left out")
            break
        seen.add(cursor)
    return [*found.values()][:_MOST_ENTRIES]


async def _read_resources(remote: Remote, resources: Sequence[dict[str, Any]], warn: Warn) -> None:
    room = _LARGEST_RESOURCES
    for resource in resources[:_MOST_READ]:
        try:
            contents = (await remote.request("resources/read", {"uri": resource["uri"]})).get("contents")
        except RemoteError as error:
            warn(f"resource {resource['uri']}: {error}")
            continue
        room -= len(json.dumps(contents))
        if room < 0:
            warn(f"resource {resource['uri']} and those after it: more than {_LARGEST_RESOURCES} bytes; left out")
            return
        if "{{" in json.dumps(contents):  # which would be taken for a placeholder
            resource["cases"] = [case_of({"uri": resource["uri"]}, {"contents": contents})]
        else:
            resource["contents"] = contents
    if len(resources) > _MOST_READ:
        warn(f"only {_MOST_READ} resources are read")


async def _read_prompts(remote: Remote, prompts: Sequence[dict[str, Any]], warn: Warn) -> None:
    """Each with placeholders as its arguments, which stand in the result where the arguments go."""
    for prompt in prompts[:_MOST_READ]:
        given = prompt.get("arguments")
        names = [_object(argument).get("name") for argument in (given if isinstance(given, list) else ())]
        arguments = {name: f"{{{{args.{name}}}}}" for name in names if isinstance(name, str)}
        try:
            result = await remote.request("prompts/get", {"name": prompt["name"], "arguments": arguments})
        except RemoteError as error:
            warn(f"prompt {prompt['name']}: {error}")
            continue
        prompt["result"] = without_server(_chosen(result, ("description", "messages", "_meta")))


async def _make_calls(remote: Remote, tools: list[dict[str, Any]], calls: Sequence[Wanted], warn: Warn) -> None:
    known = {tool["name"]: tool for tool in tools}
    for name, arguments in ((call.name, call.arguments) for call in calls):
        if name not in known:
            warn(f"tool {name}: the server does not list it")
            continue
        try:
            result = await remote.call(name, arguments, _object(known[name].get("inputSchema")))
        except RemoteError as error:
            warn(f"tool {name}: {error}")
            continue
        if result.get("resultType", "complete") != "complete" or "content" not in result:
            warn(f"tool {name}: it wants something of its client before it answers; left out")
            continue
        known[name].setdefault("cases", []).append(case_of(arguments, result))


def _sound(kind: str, entries: Sequence[dict[str, Any]], warn: Warn) -> list[dict[str, Any]]:
    """Those that load."""
    sound = []
    for entry in entries:
        try:
            READERS[kind](entry, str(entry[_KEY[kind]])[:80])
        except ValueError as error:
            warn(f"{kind}: {error}; left out")
        else:
            sound.append(entry)
    return sound


def _chosen(entry: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if entry.get(key) is not None}


def _object(value: Any) -> dict[str, Any]:
    """An object, or an empty one in place of anything else: a server may say what it likes."""
    return value if isinstance(value, dict) else {}
