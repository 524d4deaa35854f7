"""Responses requests to the canonical form (wire-openai-responses §2 to §4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aimock_protocols.canonical import ChatRequest, ErrorReply, Head
from aimock_protocols.openai_platform import invalid_type, read_object, read_optional, refusal
from aimock_protocols.openai_responses.messages import Transcript, messages_of
from aimock_protocols.openai_responses.tools import chat_tool_choice, chat_tools

_RENAMED = frozenset({"input", "instructions", "tools", "tool_choice", "text", "max_output_tokens"})
"""Members that the canonical form has elsewhere or otherwise."""

_INSTEAD_OF_INPUT = ("prompt", "previous_response_id", "conversation")


def decode(head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
    """The request in canonical form; `native` is the body as sent. Raises WireError, a 400."""
    return complete_request(read_object(body))


def complete_request(sent: dict[str, Any]) -> ChatRequest:
    """The canonical form of a body that has an input, or something in its place. Raises WireError."""
    if sent.get("input") is None and all(sent.get(name) is None for name in _INSTEAD_OF_INPUT):
        raise refusal("Missing required parameter: 'input'.", "input", "missing_required_parameter")
    return chat_request(sent)


def chat_request(sent: dict[str, Any]) -> ChatRequest:
    """The canonical form of a body, which need not have an input. Raises WireError."""
    given = read_input(sent)
    model = read_optional(sent, "model", str, "a string")
    stream = read_optional(sent, "stream", bool, "a boolean")
    store = read_optional(sent, "store", bool, "a boolean")
    background = read_optional(sent, "background", bool, "a boolean")
    previous = read_optional(sent, "previous_response_id", str, "a string")
    conversation = conversation_id(sent)
    if previous and conversation:
        only = "Ensure you are only providing one of: 'previous_response_id' or 'conversation'."
        raise refusal(f"Mutually exclusive parameters: {only}", code="mutually_exclusive_parameters")
    said = messages_of(instructions_of(sent), given)
    return ChatRequest(
        _canonical(sent, said.messages),
        sent,
        model or "",
        stream or False,
        objection=None if previous or conversation else objection_to(said),
        recalls=previous or conversation,
        remembers=store is not False or bool(background or conversation),
    )


def read_input(sent: dict[str, Any]) -> str | list[Any]:
    """The input: text, or items; none is no item. Raises WireError."""
    given = sent.get("input")
    if given is None:
        return []
    if type(given) is str:
        return given
    if type(given) is not list:
        raise invalid_type("input", "a string or an array of objects", given)
    for index, item in enumerate(given):
        if type(item) is not dict:
            raise invalid_type(f"input[{index}]", "an object", item)
    return given


def instructions_of(sent: dict[str, Any]) -> str:
    """The instructions, empty if there are none. Raises WireError."""
    return read_optional(sent, "instructions", str, "a string") or ""


def conversation_id(sent: dict[str, Any]) -> str | None:
    """The conversation that the request is a turn of: its id, or an object with it. Raises WireError."""
    given = sent.get("conversation")
    wanted = given.get("id") if type(given) is dict else given
    if wanted is not None and type(wanted) is not str:
        raise invalid_type("conversation", "a string or an object with an id", given)
    return wanted or None


def objection_to(said: Transcript) -> ErrorReply | None:
    """Why the provider would refuse the conversation: each call has one result, and each result its call."""
    if said.unanswered:
        message = f"No tool output found for function call {said.unanswered[0]}."
    elif said.unknown:
        message = f"No tool call found for function call output with call_id {said.unknown[0]}."
    else:
        return None
    return ErrorReply(message, "invalid_request_error", "input", status=400)


def _canonical(sent: dict[str, Any], messages: list[Any]) -> dict[str, Any]:
    body = {name: value for name, value in sent.items() if name not in _RENAMED}
    body["messages"] = messages
    if "tools" in sent:
        body["tools"] = chat_tools(sent["tools"])
    if sent.get("tool_choice") is not None:
        body["tool_choice"] = chat_tool_choice(sent["tool_choice"])
    if sent.get("max_output_tokens") is not None:
        body["max_tokens"] = sent["max_output_tokens"]
    wanted = _response_format(sent.get("text"))
    if wanted is not None:
        body["response_format"] = wanted
    return body


def _response_format(text: Any) -> dict[str, Any] | None:
    """The format that the answer shall have; plain text is none."""
    wanted = text.get("format") if type(text) is dict else None
    kind = wanted.get("type") if type(wanted) is dict else None
    if type(kind) is not str or kind == "text":
        return None
    if kind != "json_schema":
        return {"type": kind}
    assert wanted is not None
    return {"type": kind, kind: {name: value for name, value in wanted.items() if name != "type"}}
