"""Cohere's Command R: the first version of Cohere's chat (wire-bedrock §5.7, wire-cohere §5)."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import orjson

from aimock_protocols.arguments import object_arguments
from aimock_protocols.bedrock_invoke.family import Document, Shape, provided_by
from aimock_protocols.bedrock_invoke.malformed import objects, optional, required
from aimock_protocols.bedrock_platform import compact, uuid4
from aimock_protocols.canonical import ChatRequest, FrameKind, Part, Reply, Stamp, Text, ToolCall
from aimock_protocols.collapsing import Collapsed, json_object, mapping, string
from aimock_protocols.slicing import slices
from aimock_protocols.usage import estimate, prompt_length

name = "command_r"
models = provided_by(r"cohere\.command-r")

_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system"}
_OPTIONS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "stop": "stop_sequences",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
_TYPES = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
}
"""JSON Schema's names of the types that a tool's parameters have, which are Python's."""
_REASONS = {"stop": "COMPLETE", "tool_calls": "COMPLETE", "length": "MAX_TOKENS", "content_filter": "ERROR_TOXIC"}
_FINISH_REASONS = {"COMPLETE": "stop", "MAX_TOKENS": "length", "ERROR_TOXIC": "content_filter"}


class Own(NamedTuple):
    """What answers take from their request."""

    history: str
    """The conversation with the user's message, as JSON: answers repeat it."""


def asks(sent: dict[str, Any]) -> bool:
    return type(sent.get("message")) is str or "chat_history" in sent


def answers(document: dict[str, Any]) -> bool:
    return "event_type" in document or "generation_id" in document


# -- requests ----------------------------------------------------------------------------------------------------------


def decode(sent: dict[str, Any], model: str, stream: bool) -> ChatRequest:
    """The user's message, then the results of the tools that the model called for it."""
    message = required(sent, "message", str)
    preamble = optional(sent, "preamble", str)
    messages: list[dict[str, Any]] = [{"role": "system", "content": preamble}] if preamble else []
    for turn in _turns(sent):
        messages += _messages(turn)
    results = _objects(sent, "tool_results")
    if message or not results:
        messages.append({"role": "user", "content": message})
    messages += _answered(results)
    body: dict[str, Any] = {"model": model, "messages": messages}
    tools = _objects(sent, "tools")
    if tools:
        body["tools"] = [_tool(tool) for tool in tools]
    body |= {ours: sent[theirs] for ours, theirs in _OPTIONS.items() if sent.get(theirs) is not None}
    if stream:
        body["stream"] = True
    return ChatRequest(body, sent, model, stream)


def _objects(sent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return objects(optional(sent, key, list) or [], f"#/{key}")


def _turns(sent: dict[str, Any]) -> list[dict[str, Any]]:
    return _objects(sent, "chat_history")


def _messages(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a turn of the history."""
    role = turn.get("role")
    if role == "TOOL":
        return _results(_dicts(turn.get("tool_results")))
    message: dict[str, Any] = {"role": _ROLES.get(role, role) if isinstance(role, str) else role}
    message["content"] = turn.get("message")
    calls = _dicts(turn.get("tool_calls"))
    if calls:
        message["tool_calls"] = _calls(calls)
    return [message]


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _answered(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The assistant's turn that called tools, as their results tell it, and the results."""
    if not results:
        return []
    calls = _calls([mapping(result.get("call")) for result in results])
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *_results(results)]


def _calls(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls have no ids: they are known by their place."""
    return [
        {
            "id": f"call_{place}",
            "type": "function",
            "function": {"name": call.get("name"), "arguments": compact(call.get("parameters") or {}, "parameters")},
        }
        for place, call in enumerate(calls)
    ]


def _results(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"role": "tool", "tool_call_id": f"call_{place}", "content": compact(result.get("outputs"), "outputs")}
        for place, result in enumerate(results)
    ]


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    definitions = {key: mapping(value) for key, value in mapping(tool.get("parameter_definitions")).items()}
    schema = {
        "type": "object",
        "properties": {key: _schema(value) for key, value in definitions.items()},
        "required": [key for key, value in definitions.items() if value.get("required") is True],
    }
    function = {"name": tool.get("name"), "description": tool.get("description"), "parameters": schema}
    return {"type": "function", "function": function}


def _schema(definition: dict[str, Any]) -> dict[str, Any]:
    kind = definition.get("type")
    schema = {key: value for key, value in definition.items() if key != "required"}
    return {**schema, "type": _TYPES.get(kind, kind)} if isinstance(kind, str) else schema


def shape(request: ChatRequest) -> Shape:
    history = [*_turns(request.native), {"role": "USER", "message": request.native["message"]}]
    own = Own(compact(history, "chat_history"))
    return Shape(name, own, estimate(prompt_length(request.body["messages"])))


# -- answers -----------------------------------------------------------------------------------------------------------


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    return orjson.dumps(_response(reply, shape, stamp))


def _response(reply: Reply, shape: Shape, stamp: Stamp) -> dict[str, Any]:
    text, calls = _text(reply), _tool_calls(reply)
    said = orjson.dumps({"role": "CHATBOT", "message": text}).decode()
    history = f"{cast(Own, shape.own).history[:-1]},{said}]"
    told: dict[str, Any] = {
        "response_id": uuid4(stamp, "response") if reply.id is None else reply.id,
        "text": text,
        "generation_id": uuid4(stamp, "generation"),
        "chat_history": orjson.Fragment(history),
        "finish_reason": _reason(reply),
    }
    if calls:
        told["tool_calls"] = calls
    return told


def documents(reply: Reply, shape: Shape, stamp: Stamp, chunk_size: int) -> list[Document]:
    generation = {"generation_id": uuid4(stamp, "generation")}
    told = [_document("stream-start", generation, FrameKind.OPEN)]
    told += [_document("text-generation", {"text": text}) for text in slices(_text(reply), chunk_size)]
    calls = _tool_calls(reply)
    if calls:
        told.append(_document("tool-calls-generation", {"tool_calls": calls}))
    response = _response(reply, shape, stamp)
    told.append(_document("stream-end", {"finish_reason": response["finish_reason"], "response": response}))
    return told


def _document(event: str, members: dict[str, Any], kind: FrameKind = FrameKind.TOKEN) -> Document:
    told = {"is_finished": event == "stream-end", "event_type": event, **members}
    return Document(orjson.dumps(told), kind)


def _text(reply: Reply) -> str:
    text = reply.text
    return (reply.refusal or "") if text is None else text


def _tool_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"name": call.name, "parameters": orjson.Fragment(object_arguments(call.arguments).whole)}
        for call in reply.tool_calls
    ]


def _reason(reply: Reply) -> str:
    reason = reply.finish_reason or "stop"
    return _REASONS.get(reason, reason)


# -- answers read back -------------------------------------------------------------------------------------------------


def parse(body: bytes) -> Reply:
    value = json_object(body)
    text = value.get("text")
    return _reply(value, text if isinstance(text, str) else None, _dicts(value.get("tool_calls")))


def collapse(documents: list[dict[str, Any]]) -> Collapsed:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    end: dict[str, Any] | None = None
    for document in documents:
        event = document.get("event_type")
        if event == "stream-end":
            end = {"finish_reason": document.get("finish_reason"), **mapping(document.get("response"))}
        elif event == "text-generation":
            texts.append(string(document.get("text")) or "")
        elif event == "tool-calls-generation":
            calls += _dicts(document.get("tool_calls"))
    reply = _reply(end or {}, "".join(texts), calls)
    return Collapsed(reply, truncated=end is None, dropped=0, first_dropped=None)


def _reply(response: dict[str, Any], text: str | None, calls: list[dict[str, Any]]) -> Reply:
    parts: list[Part] = [
        ToolCall(string(call.get("name")) or "", orjson.dumps(mapping(call.get("parameters"))).decode())
        for call in calls
    ]
    if text or (text is not None and not parts):
        parts.insert(0, Text(text))
    reason = string(response.get("finish_reason"))
    ours = _FINISH_REASONS.get(reason or "", reason)
    return Reply(
        parts=tuple(parts),
        finish_reason="tool_calls" if calls and ours == "stop" else ours,
        id=string(response.get("response_id")),
    )
