"""What a client asks an agent for: RunAgentInput, as far as fixtures ask about it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import orjson

from aimock_protocols.agui.shapes import OBJECT, STRING, list_of, one_of, record


class InputError(ValueError):
    """A request that is no RunAgentInput. The text says what was expected, and where."""


_INPUT = record(
    {"messages": list_of(record({"role": STRING}, {}))},
    {
        "threadId": STRING,
        "runId": STRING,
        "resume": list_of(record({"interruptId": STRING, "status": one_of("resolved", "cancelled")}, {})),
        "tools": list_of(record({"name": STRING}, {})),
    },
)
"""Looser than the protocol, so that a test can ask by hand: ids may be missing, and of messages only roles count."""


@attrs.define(eq=False, slots=False)
class RunInput:
    """A request that was understood."""

    body: Mapping[str, Any]
    """As it came, but for nulls at its top, which are nothing."""

    @property
    def thread_id(self) -> str | None:
        return self.body.get("threadId")

    @property
    def run_id(self) -> str | None:
        return self.body.get("runId")

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    @property
    def resume(self) -> list[dict[str, Any]]:
        """The answers to interrupts."""
        return self.body.get("resume") or []

    @property
    def state(self) -> Any:
        return self.body.get("state")

    @functools.cached_property
    def last_user_text(self) -> str | None:
        """The newest text of a user; None if none has said anything. The text parts of a message are joined by
        blanks."""
        users = (_text(message.get("content")) for message in reversed(self.messages) if message["role"] == "user")
        return next((text for text in users if text), None)

    @property
    def last_tool_call_id(self) -> str | None:
        """The call whose result the last message is, if it is one."""
        last = self.messages[-1] if self.messages else {}
        found = last.get("toolCallId") if last.get("role") == "tool" else None
        return found if isinstance(found, str) else None

    @property
    def tool_names(self) -> Iterator[str]:
        return (tool["name"] for tool in self.body.get("tools") or [])

    @property
    def assistant_turns(self) -> int:
        return sum(message["role"] == "assistant" for message in self.messages)


def _text(content: Any) -> str:
    if isinstance(content, list):
        texts = (part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text")
        content = " ".join(text for text in texts if isinstance(text, str))
    return content.strip() if isinstance(content, str) else ""


def read_input(body: bytes) -> RunInput:
    """Raises InputError."""
    try:
        read = orjson.loads(body)
    except ValueError as error:
        raise InputError(f"Invalid JSON body: {error}") from None
    if isinstance(read, dict):
        read = {key: value for key, value in read.items() if value is not None}
    fault = next(_INPUT(read, "") if isinstance(read, dict) else OBJECT(read, "the body"), None)
    if fault is not None:
        raise InputError(f"Invalid RunAgentInput: {fault}")
    return RunInput(read)
