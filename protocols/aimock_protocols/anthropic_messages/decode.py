"""Messages requests to the canonical form (wire-anthropic-messages §2, §3).

Only what cannot be understood is refused. What is canonical already is taken as it is: a message whose content is a
string, and a whole body that has nothing but such messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.anthropic_messages.platform import compact, read_object, refusal
from aimock_protocols.anthropic_messages.thinking import objection
from aimock_protocols.canonical import ChatRequest, Head

VERSION = "anthropic_version"
"""Where Vertex has the version of the API; a body that came elsewhere gets it from the `anthropic-version` header."""

_RENAMED = frozenset({"system", "tools", "tool_choice", "output_config", "output_format"})
"""Members that the canonical form has elsewhere or otherwise."""

_CHOICES = {"any": "required", "auto": "auto", "none": "none"}


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body with the API's version in it. Raises WireError, a 400."""
    sent = read_object(body)
    version = head.headers.get("anthropic-version")
    return chat_request(sent, sent if version is None else {VERSION: version, **sent})


def chat_request(sent: dict[str, Any], native: dict[str, Any]) -> ChatRequest:
    """The canonical form of a body. Raises WireError."""
    messages = _messages(sent)
    model = _optional(sent, "model", str, "string")
    stream = _optional(sent, "stream", bool, "boolean")
    body = sent
    if messages != sent["messages"] or not _RENAMED.isdisjoint(sent):
        body = _translated(sent, messages)
    return ChatRequest(body, native, model or "", stream or False, objection=objection(sent))


def _optional(sent: dict[str, Any], name: str, kind: type, wording: str) -> Any:
    value = sent.get(name)
    if value is not None and type(value) is not kind:
        raise refusal(f"{name}: Input should be a valid {wording}")
    return value


# -- messages ----------------------------------------------------------------------------------------------------------


def _messages(sent: dict[str, Any]) -> list[Any]:
    """The canonical messages: the system prompt, then one or more for each that was sent. Raises WireError."""
    if "messages" not in sent:
        raise refusal("messages: Field required")
    messages = sent["messages"]
    if type(messages) is not list:
        raise refusal("messages: Input should be a valid list")
    canonical: list[Any] = []
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise refusal(f"messages.{index}: Input should be an object")
        role, content = message.get("role"), message.get("content")
        if type(content) is list and type(role) is str and role in _ROLES:
            canonical += _ROLES[role](content, index)
        else:
            canonical.append(message)
    system = _system(sent.get("system"))
    if system:
        return [{"role": "system", "content": system}, *canonical]
    return canonical


def _system(system: Any) -> str:
    """The system prompt, empty if there is none. Raises WireError."""
    if system is None or type(system) is str:
        return system or ""
    if type(system) is not list:
        raise refusal("system: Input should be a string or a list of text blocks")
    return _split(system)[0] or ""


def _user(content: list[Any], index: int) -> list[dict[str, Any]]:
    """A user's text, then the tool results that it came with: on the wire it mostly follows them, but a conversation
    whose last message is a tool's is one that waits for the model to go on."""
    text, others = _split(content)
    if not others:
        return [{"role": "user", "content": text}]
    results = [
        {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": _result(block.get("content"))}
        for block in others
        if block.get("type") == "tool_result"
    ]
    return [{"role": "user", "content": text}, *results] if text or not results else results


def _result(content: Any) -> str:
    if type(content) is list:
        return _split(content)[0] or ""
    return content if type(content) is str else ""


def _assistant(content: list[Any], index: int) -> list[dict[str, Any]]:
    """An assistant's text and calls. Thoughts, and the tools that the provider runs itself, are its own affair."""
    text, others = _split(content)
    message: dict[str, Any] = {"role": "assistant", "content": text}
    calls = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {"name": block.get("name"), "arguments": _arguments(block, index)},
        }
        for block in others
        if block.get("type") == "tool_use"
    ]
    if calls:
        message["tool_calls"] = calls
    return [message]


def _system_message(content: list[Any], index: int) -> list[dict[str, Any]]:
    return [{"role": "system", "content": _split(content)[0] or ""}]


_ROLES = {"user": _user, "assistant": _assistant, "system": _system_message}
"""What becomes of a message that is a list of blocks. One of a role that there is not is passed on as it came."""


def _arguments(block: dict[str, Any], index: int) -> str:
    given = block.get("input")
    return "{}" if given is None else compact(given, f"messages.{index}.content")


def _split(blocks: list[Any]) -> tuple[str | None, list[dict[str, Any]]]:
    """The text of all text blocks, joined without a separator, and all other blocks; None if there is no text block."""
    texts: list[str] = []
    others = []
    for block in blocks:
        if type(block) is not dict:
            continue
        if block.get("type") != "text":
            others.append(block)
        elif type(block.get("text")) is str:
            texts.append(block["text"])
    return "".join(texts) if texts else None, others


# -- the rest ----------------------------------------------------------------------------------------------------------


def _translated(sent: dict[str, Any], messages: list[Any]) -> dict[str, Any]:
    body = {name: value for name, value in sent.items() if name not in _RENAMED}
    body["messages"] = messages
    if type(sent.get("tools")) is list:
        body["tools"] = [_tool(tool) for tool in sent["tools"] if type(tool) is dict]
    if type(sent.get("tool_choice")) is dict:
        body["tool_choice"] = _tool_choice(sent["tool_choice"])
    wanted = _output_format(sent)
    if wanted is not None:
        body["response_format"] = wanted
    return body


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as a function; those that the provider runs have a name, but neither description nor schema."""
    function = {"name": tool.get("name")}
    if "description" in tool:
        function["description"] = tool["description"]
    if "input_schema" in tool:
        function["parameters"] = tool["input_schema"]
    return {"type": "function", "function": function}


def _tool_choice(choice: dict[str, Any]) -> Any:
    kind = choice.get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return _CHOICES.get(kind) if type(kind) is str else None


def _output_format(sent: dict[str, Any]) -> dict[str, Any] | None:
    """The format that the answer shall have; older clients ask for it outside `output_config`."""
    config = sent.get("output_config")
    wanted = (config.get("format") if type(config) is dict else None) or sent.get("output_format")
    if type(wanted) is not dict or type(wanted.get("type")) is not str:
        return None
    if wanted["type"] != "json_schema":
        return {"type": wanted["type"]}
    return {"type": "json_schema", "json_schema": {"schema": wanted.get("schema")}}
