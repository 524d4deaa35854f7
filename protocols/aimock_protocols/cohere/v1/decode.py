"""Chat requests of the first version to the canonical form (wire-cohere §5).

A conversation is a history and the message that is new. Calls have no ids there: canonical ones are numbered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aimock_protocols.canonical import ChatRequest, Head
from aimock_protocols.cohere.parameters import renamed, tool
from aimock_protocols.cohere.platform import (
    EVENT_HEADERS,
    compact,
    read_object,
    read_optional,
    refusal,
    wrong_type,
)

ACCEPTS = "accepts"
"""The header by which server-sent events are asked for; so it is spelled."""

_CONVERSATION = frozenset({"message", "chat_history", "preamble", "tool_results"})
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system"}


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body as sent. Raises WireError, a 400."""
    request = chat_request(read_object(body))
    if head.headers.get(ACCEPTS, "").startswith("text/event-stream"):
        request.stream_headers = EVENT_HEADERS
    return request


def chat_request(sent: dict[str, Any]) -> ChatRequest:
    """The canonical form of a body. Raises WireError."""
    model = read_optional(sent, "model", str)
    canonical = {name: value for name, value in sent.items() if name not in _CONVERSATION} | renamed(sent)
    canonical["messages"] = _messages(sent)
    tools = sent.get("tools")
    if type(tools) is list:
        canonical["tools"] = [tool(each) for each in tools if type(each) is dict]
    stream = read_optional(sent, "stream", bool)
    return ChatRequest(canonical, sent, model or "", stream or False)


def _messages(sent: dict[str, Any]) -> list[dict[str, Any]]:
    """The preamble, the history, the new message, and what came of the calls that it led to. Raises WireError."""
    message = read_optional(sent, "message", str)
    results = _objects(sent, "tool_results")
    if not message and not results:
        raise refusal("invalid request: message must be at least 1 token long or tool results must be specified.")
    conversation = _Conversation()
    preamble = read_optional(sent, "preamble", str)
    if preamble:
        conversation.say("system", preamble)
    for index, turn in enumerate(_objects(sent, "chat_history")):
        conversation.take(turn, f"chat_history[{index}]")
    if message:
        conversation.say("user", message)
    conversation.answer(results, "tool_results")
    return conversation.messages


def _objects(sent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A parameter that is a list of objects, empty if it is missing. Raises WireError."""
    values = read_optional(sent, name, list) or []
    for index, value in enumerate(values):
        if type(value) is not dict:
            raise wrong_type(f"{name}[{index}]", value, dict)
    return list(values)


@attrs.define(eq=False)
class _Conversation:
    """Canonical messages in the making."""

    messages: list[dict[str, Any]] = attrs.field(factory=list)
    _calls: int = 0
    """How many there were."""
    _open: list[str] = attrs.field(factory=list)
    """The ids of the last calls, in order, whose results have not come."""

    def take(self, turn: dict[str, Any], where: str) -> None:
        """A turn of the history. Raises WireError."""
        role = turn.get("role")
        role = role.upper() if type(role) is str else None
        if role == "TOOL":
            self.answer(_objects(turn, "tool_results"), where)
        elif role not in _ROLES:
            raise refusal(f"invalid request: Invalid role in {where}. Role must be one of: User, Chatbot, System, Tool")
        elif type(turn.get("message")) is not str:
            raise refusal("invalid request: all elements in history must have a message.")
        else:
            self.say(_ROLES[role], turn["message"], _objects(turn, "tool_calls"), where)

    def say(self, role: str, text: str, calls: list[dict[str, Any]] | None = None, where: str = "") -> None:
        message: dict[str, Any] = {"role": role, "content": text}
        if calls:
            message["tool_calls"] = [self._call(call, where) for call in calls]
        self._open = [call["id"] for call in message.get("tool_calls", ())]
        self.messages.append(message)

    def _call(self, call: dict[str, Any], where: str) -> dict[str, Any]:
        made = f"call_{self._calls}"
        self._calls += 1
        parameters = call.get("parameters")
        arguments = "{}" if parameters is None else compact(parameters, where)
        return {"id": made, "type": "function", "function": {"name": call.get("name"), "arguments": arguments}}

    def answer(self, results: list[dict[str, Any]], where: str) -> None:
        """Results of calls, in the order of the calls. A client that answers in a single step tells the calls only
        here."""
        if len(results) > len(self._open):
            calls = [result.get("call") for result in results]
            self.say("assistant", "", [call if type(call) is dict else {} for call in calls], where)
        for result, call_id in zip(results, self._open, strict=False):
            content = compact(result.get("outputs"), where)
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
        self._open = self._open[len(results) :]
