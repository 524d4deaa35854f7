"""Converse requests to the canonical form (wire-bedrock §6.1). Only what cannot be understood is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from aimock_protocols.bedrock_converse.content import assistant, system, user
from aimock_protocols.bedrock_platform import aliases, constraint, model_id, read_object
from aimock_protocols.canonical import ChatRequest, Head

_RENAMED = frozenset({"system", "messages", "toolConfig", "inferenceConfig", "outputConfig", "stream"})
"""Members that the canonical form has elsewhere or otherwise; it has `stream` from the path."""

_INFERENCE = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}

_ROLES: dict[str, Callable[[list[Any], str], list[dict[str, Any]]]] = {
    "user": user,
    "assistant": assistant,
    "system": lambda blocks, where: system(blocks),
}
"""What becomes of a message's blocks. A message of a role that there is not is passed on as it came."""

_SPEAKERS = ("user", "assistant")
"""A tuple: whatever a client sends as a role can be sought in it."""


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body as sent. Raises WireError, a 400."""
    sent = read_object(body)
    raw = params["model"]
    request = chat_request(sent, model_id(raw))
    request.aliases = aliases(raw)
    if head.path.rstrip("/").endswith("/converse-stream"):
        request.stream = request.body["stream"] = True
    return request


def chat_request(sent: dict[str, Any], model: str) -> ChatRequest:
    """The canonical form of a body for the model of this id. Raises WireError."""
    body = {name: value for name, value in sent.items() if name not in _RENAMED}
    body["model"] = model
    body["messages"] = _messages(sent, model)
    inference = sent.get("inferenceConfig")
    if type(inference) is dict:
        body |= {ours: inference[theirs] for theirs, ours in _INFERENCE.items() if theirs in inference}
    config = sent.get("toolConfig")
    if type(config) is dict:
        body |= _tools(config)
    wanted = _response_format(sent.get("outputConfig"))
    if wanted is not None:
        body["response_format"] = wanted
    return ChatRequest(body, sent, model)


def _messages(sent: dict[str, Any], model: str) -> list[Any]:
    """The canonical messages: the system prompt, then one or more for each that was sent. Raises WireError."""
    messages = sent.get("messages")
    if messages is None and ":prompt/" in model:
        messages = []  # the messages are the stored prompt's
    if type(messages) is not list:
        raise constraint("messages", "it must be a list" if messages is not None else "it must not be null")
    canonical = system(sent.get("system"))
    for index, message in enumerate(messages):
        if type(message) is not dict:
            raise constraint(f"messages.{index}", "it must be an object")
        role, content = message.get("role"), message.get("content")
        text = _plain_text(content) if role in _SPEAKERS else None
        if text is not None:
            canonical.append({"role": role, "content": text})
        elif type(content) is list and type(role) is str and role in _ROLES:
            canonical += _ROLES[role](content, f"messages.{index}.content")
        else:
            canonical.append(message)
    return canonical


def _plain_text(content: Any) -> str | None:
    """The text of a message that has one block of text and nothing else, as most have."""
    if type(content) is list and len(content) == 1 and type(content[0]) is dict and len(content[0]) == 1:
        text = content[0].get("text")
        return text if type(text) is str else None
    return None


# -- the rest ----------------------------------------------------------------------------------------------------------


def _tools(config: dict[str, Any]) -> dict[str, Any]:
    """The client's own tools as functions, and which of them is to be called."""
    told: dict[str, Any] = {}
    if type(config.get("tools")) is list:
        specs = (tool.get("toolSpec") for tool in config["tools"] if type(tool) is dict)
        told["tools"] = [_function(spec) for spec in specs if type(spec) is dict]
    choice = config.get("toolChoice")
    if type(choice) is dict:
        told["tool_choice"] = _tool_choice(choice)
    return told


def _function(spec: dict[str, Any]) -> dict[str, Any]:
    function = {"name": spec.get("name")}
    function |= {name: spec[name] for name in ("description", "strict") if name in spec}
    schema = spec.get("inputSchema")
    if type(schema) is dict:
        function["parameters"] = schema.get("json")
    return {"type": "function", "function": function}


def _tool_choice(choice: dict[str, Any]) -> Any:
    if type(choice.get("tool")) is dict:
        return {"type": "function", "function": {"name": choice["tool"].get("name")}}
    return "required" if "any" in choice else "auto"


def _response_format(config: Any) -> dict[str, Any] | None:
    """The format that the answer shall have; its schema comes as JSON text."""
    wanted = config.get("textFormat") if type(config) is dict else None
    if type(wanted) is not dict or type(wanted.get("type")) is not str:
        return None
    structure = wanted.get("structure")
    described = structure.get("jsonSchema") if type(structure) is dict else None
    if wanted["type"] != "json_schema" or type(described) is not dict:
        return {"type": wanted["type"]}
    return {"type": "json_schema", "json_schema": {**described, "schema": _schema(described.get("schema"))}}


def _schema(text: Any) -> Any:
    try:
        return orjson.loads(text) if type(text) is str else text
    except orjson.JSONDecodeError:
        raise constraint("outputConfig.textFormat", "the schema must be JSON") from None
