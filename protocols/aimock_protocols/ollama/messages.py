"""The messages of a chat in canonical form (wire-ollama §2)."""

from __future__ import annotations

from typing import Any

from aimock_protocols.canonical import ErrorReply
from aimock_protocols.ollama.fields import IMAGES, STRING, Field, check, objects
from aimock_protocols.ollama.parameters import content
from aimock_protocols.ollama.platform import compact

_WHERE = "ChatRequest.messages"
_MESSAGE = {
    "role": STRING,
    "content": STRING,
    "thinking": STRING,
    "images": IMAGES,
    "tool_calls": Field(list, "[]api.ToolCall"),
    "tool_name": STRING,
    "tool_call_id": STRING,
}
_CALL = {"function": Field(dict, "api.ToolCallFunction")}
_ARGUMENTS = "api.ToolCallFunctionArguments"


def canonical(messages: list[Any]) -> list[dict[str, Any]]:
    """The messages in OpenAI's form. A tool's result without an id answers the next call of the turn before it that
    has no answer yet, of those of its `tool_name` if there are any. Raises WireError, a 400."""
    told = []
    unanswered: list[dict[str, Any]] = []
    for message in objects(messages, _WHERE, "api.Message"):
        check(message, _MESSAGE, _WHERE)
        made: dict[str, Any] = {
            "role": (message.get("role") or "").lower(),
            "content": content(message.get("content") or "", message.get("images")),
        }
        if message.get("tool_calls"):
            made["tool_calls"] = _calls(message["tool_calls"])
        if made["role"] == "assistant":
            unanswered = list(made.get("tool_calls", ()))
        elif made["role"] == "tool":
            answered = _answered(message, unanswered)
            if answered is not None:
                made["tool_call_id"] = answered
        told.append(made)
    return told


def _calls(calls: list[Any]) -> list[dict[str, Any]]:
    told = []
    for position, call in enumerate(objects(calls, f"{_WHERE}.tool_calls", "api.ToolCall")):
        check(call, _CALL, f"{_WHERE}.tool_calls")
        function = call.get("function") or {}
        check(function, {"name": STRING}, f"{_WHERE}.tool_calls.function")
        given = call.get("id")
        told.append(
            {
                "id": given if type(given) is str and given else f"call_{position}",
                "type": "function",
                "function": {"name": function.get("name") or "", "arguments": _arguments(function.get("arguments"))},
            }
        )
    return told


def _arguments(given: Any) -> str:
    if type(given) is str:
        return given
    return compact({} if given is None else given, f"{_WHERE}.tool_calls")


def _answered(message: dict[str, Any], unanswered: list[dict[str, Any]]) -> str | None:
    """The id of the call that a tool's result answers, which then is answered; None if there is none."""
    given, name = message.get("tool_call_id"), message.get("tool_name")
    if given:
        unanswered[:] = [call for call in unanswered if call["id"] != given]
        return str(given)
    named = [call for call in unanswered if call["function"]["name"] == name]
    for call in named or unanswered:
        unanswered.remove(call)
        return str(call["id"])
    return None


def objection(messages: list[dict[str, Any]]) -> ErrorReply | None:
    """Why the server would refuse messages that can be understood: it takes a call's arguments as an object only, not
    as OpenAI's text."""
    for message in messages:
        for call in message.get("tool_calls") or ():
            if type((call.get("function") or {}).get("arguments")) is str:
                where = f"{_WHERE}.tool_calls.function.arguments"
                told = f"json: cannot unmarshal string into Go struct field {where} of type {_ARGUMENTS}"
                return ErrorReply(told, status=400)
    return None
