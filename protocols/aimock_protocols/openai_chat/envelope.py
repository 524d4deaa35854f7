"""What a whole reply and the chunks of a stream say alike: names, ids, tokens, choices (wire-openai-chat §5, §8)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import attrs
import orjson

from aimock_protocols.canonical import Reply, Stamp, ToolCall
from aimock_protocols.openai_chat.shape import Shape
from aimock_protocols.openai_dialects.dialect import ABSENT, Dialect, Fact, Layout, Mint, filled
from aimock_protocols.usage import OPENAI_CHAT, estimated_counts, extras, first, given_counts

DEFAULT_MODEL = "gpt-4o"
"""The model that answers a request that names none: clients need the field."""

NOWHERE: Mapping[Fact, Any] = {}


@attrs.frozen(eq=False)
class Telling:
    """Answers for the facts of one reply, and calls functions in layouts with itself."""

    reply: Reply
    shape: Shape
    stamp: Stamp
    place: Mapping[Fact, Any] = NOWHERE
    """Facts of one place in the reply: a choice, a call, a slice."""

    def __call__(self, what: Any) -> Any:
        if what in self.place:
            return self.place[what]
        return _FACTS[what](self) if type(what) is Fact else what(self)

    def at(self, place: Mapping[Fact, Any]) -> Telling:
        return Telling(self.reply, self.shape, self.stamp, place)


_FACTS: dict[Fact, Callable[[Telling], Any]] = {
    Fact.ID: lambda tell: reply_id(tell.reply, tell.shape.dialect.reply_id, tell.stamp),
    Fact.CREATED: lambda tell: created(tell.reply, tell.stamp),
    Fact.MODEL: lambda tell: model_name(tell.reply, tell.shape),
    Fact.FINGERPRINT: lambda tell: fingerprint(tell.reply, model_name(tell.reply, tell.shape)),
    Fact.GIVEN_FINGERPRINT: lambda tell: tell.reply.system_fingerprint,
    Fact.SERVICE_TIER: lambda tell: tell.shape.service_tier,
    Fact.REQUEST_ID: lambda tell: request_id(tell.stamp),
    Fact.USAGE: lambda tell: usage(tell.reply, tell.shape),
    Fact.USAGE_TO_COME: lambda tell: None if tell.shape.include_usage else ABSENT,
    Fact.FINISH_REASON: lambda tell: finish_reason(tell.reply, tell.shape),
    Fact.FINISH_REASON_IF_ANY: lambda tell: finish_reason(tell.reply, tell.shape),
    Fact.NATIVE_FINISH_REASON: lambda tell: native_finish_reason(tell.reply, tell.shape),
    Fact.ROLE: lambda tell: tell.reply.role or "assistant",
    Fact.REFUSAL: lambda tell: tell.reply.refusal,
    Fact.REASONING: lambda tell: tell.reply.reasoning,
    Fact.REASONING_IF_ANY: lambda tell: ABSENT if tell.reply.reasoning is None else tell.reply.reasoning,
    Fact.NULL_IF_REASONING: lambda tell: ABSENT if tell.reply.reasoning is None else None,
    Fact.OPENING_CONTENT: lambda tell: None if tell.reply.text is None else "",
    Fact.OPENING_REFUSAL: lambda tell: _opening_refusal(tell.reply),
}


def reply_id(reply: Reply, mint: Mint, stamp: Stamp) -> str:
    return mint.id(stamp) if reply.id is None else reply.id


def request_id(stamp: Stamp) -> str:
    """The id of a request as Groq tells it: 26 characters of lower case."""
    return "req_" + stamp.hexadecimal(26, "request")


def created(reply: Reply, stamp: Stamp) -> int:
    return int(stamp.created) if reply.created is None else reply.created


def model_name(reply: Reply, shape: Shape) -> str:
    """The reply's own model, else the one that was asked for, else the default."""
    return (reply.model if reply.model is not None else shape.model) or DEFAULT_MODEL


def fingerprint(reply: Reply, model: str) -> str:
    """The reply's own `system_fingerprint`, else one that is always the same for the same model."""
    return _fingerprint_of(model) if reply.system_fingerprint is None else reply.system_fingerprint


@lru_cache(maxsize=256)
def _fingerprint_of(model: str) -> str:
    return "fp_" + hashlib.blake2b(model.encode(), digest_size=5).hexdigest()


def _opening_refusal(reply: Reply) -> Any:
    if reply.text is not None:
        return None
    return ABSENT if reply.refusal is None else ""


def usage(reply: Reply, shape: Shape) -> dict[str, Any]:
    """The usage object: given or estimated counts, the dialect's members in full, then what else the reply gives."""
    given = reply.usage or {}
    counts = given_counts(given, OPENAI_CHAT) or estimated_counts(reply, shape.prompt_tokens)
    place = {
        Fact.PROMPT_TOKENS: counts.prompt,
        Fact.COMPLETION_TOKENS: counts.completion,
        Fact.TOTAL_TOKENS: counts.total,
    }
    told: dict[str, Any] = filled(shape.dialect.usage, place.__getitem__)
    if given:
        more = extras(given, OPENAI_CHAT)
        for name, spellings in _DETAILS.items():
            details = first(given, spellings, dict)
            if details is not None:
                more[name] = details
        for name, value in more.items():
            usual = told.get(name)
            told[name] = usual | value if isinstance(usual, dict) and isinstance(value, dict) else value
    return told


_DETAILS = {
    "prompt_tokens_details": OPENAI_CHAT.prompt_details,
    "completion_tokens_details": OPENAI_CHAT.completion_details,
}


def call_id(call: ToolCall, shape: Shape, stamp: Stamp, choice: int, position: int) -> str:
    return shape.dialect.call_id.id(stamp, f"call {choice} {position}") if call.id is None else call.id


def told_call(layout: Layout, name: str, arguments: str, call_id: str, position: int) -> Any:
    """A call of a function, as messages or streams have it."""
    function = {"name": name, "arguments": arguments}
    return filled(layout, {Fact.CALL_ID: call_id, Fact.CALL: function, Fact.POSITION: position}.__getitem__)


def call_arguments(call: ToolCall) -> str:
    return call.arguments or "{}"


def finish_reason(reply: Reply, shape: Shape) -> str:
    """The reply's own reason verbatim, else the one that follows from its parts."""
    if reply.finish_reason is not None:
        return reply.finish_reason
    for part in reply.parts:
        if isinstance(part, ToolCall):
            return "function_call" if shape.speaks_functions else "tool_calls"
    return "stop"


def dumps(value: Any, dialect: Dialect) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if dialect.sorts_members else None)


def native_finish_reason(reply: Reply, shape: Shape) -> str:
    """The reason in the words of the provider that a router asked; which are the same, if the reply has none."""
    return finish_reason(reply, shape) if reply.native_finish_reason is None else reply.native_finish_reason
