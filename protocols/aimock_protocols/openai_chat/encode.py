"""Whole chat completions (wire-openai-chat §5, §9)."""

from __future__ import annotations

from typing import Any

from aimock_protocols.canonical import Reply, Stamp, Text, ToolCall
from aimock_protocols.openai_chat import envelope
from aimock_protocols.openai_chat.logprobs import logprobs_of
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_dialects.dialect import ABSENT, Dialect, Fact, filled


def encode(reply: Reply, shape: Shape, stamp: Stamp) -> bytes:
    """The body of a whole response, members in the order in which the live service sends them."""
    dialect = shape.dialect
    tell = envelope.Telling(reply, shape, stamp)
    logprobs = logprobs_of(reply, shape)
    place = {Fact.LOGPROBS: logprobs, Fact.LOGPROBS_IF_ANY: ABSENT if logprobs is None else logprobs}
    choices = []
    for index in range(shape.choices):
        here = {
            Fact.CONTENT: _content(reply, dialect),
            Fact.CALLS: _calls(reply, shape, stamp, index),
            Fact.FUNCTION_CALL: _function_call(reply, shape),
        }
        message = filled(dialect.message, tell.at(here))
        choices.append(filled(dialect.choice, tell.at({**place, Fact.INDEX: index, Fact.MESSAGE: message})))
    return envelope.dumps(filled(dialect.whole, tell.at({Fact.CHOICES: choices})), dialect)


def _content(reply: Reply, dialect: Dialect) -> Any:
    text = dialect.no_content if reply.text is None else reply.text
    if dialect.thought is None or reply.reasoning is None:
        return text
    thought = filled(dialect.thought, {Fact.PIECE: reply.reasoning}.__getitem__)
    return [thought, *({"type": "text", "text": part.text} for part in reply.parts if isinstance(part, Text))]


def _function_call(reply: Reply, shape: Shape) -> Any:
    if not shape.speaks_functions or not reply.tool_calls:
        return ABSENT
    call = reply.tool_calls[0]
    return {"name": call.name, "arguments": envelope.call_arguments(call)}


def _calls(reply: Reply, shape: Shape, stamp: Stamp, choice: int) -> Any:
    if shape.speaks_functions or not reply.tool_calls:
        return shape.dialect.no_calls
    return [
        _call(call, envelope.call_id(call, shape, stamp, choice, position), position, shape)
        for position, call in enumerate(reply.tool_calls)
    ]


def _call(call: ToolCall, call_id: str, position: int, shape: Shape) -> Any:
    if call.name in shape.custom_tools:
        return {"id": call_id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    return envelope.told_call(shape.dialect.call, call.name, envelope.call_arguments(call), call_id, position)
