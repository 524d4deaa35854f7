"""Answers read back, whole and streamed, of `chat` and of `generate` (wire-stream-collapse §5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from aimock_protocols import ndjson, rfc3339
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall, WireError
from aimock_protocols.collapsing import (
    Collapsed,
    arguments_in,
    collapsed,
    ended,
    joined,
    json_object,
    json_text,
    mapping,
    only_reply,
    string,
)
from aimock_protocols.ollama.metrics import DURATIONS
from aimock_protocols.openai_platform import read_error

_USAGE = {"prompt_eval_count": "prompt_tokens", "eval_count": "completion_tokens"} | {key: key for key in DURATIONS}
"""Metrics, and as what the usage of a reply has them."""


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed(ndjson.lines(chunks), _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    value = json_object(body)
    error = read_error(value)
    if error is not None:
        raise WireError(error)
    if not isinstance(value.get("message"), dict) and not isinstance(value.get("response"), str):
        raise ValueError("neither a message nor a response in the body")
    reader = _Reader()
    reader.read(value)
    return reader.reply()


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its lines; a whole answer is one line."""

    is_done: bool = False
    _error: ErrorReply | None = None
    _lines: int = 0
    _first: dict[str, Any] = attrs.field(factory=dict)
    """The line with which the answer began, and the one with which it ended."""
    _last: dict[str, Any] = attrs.field(factory=dict)
    _role: str | None = None
    _parts: list[Part] = attrs.field(factory=list)
    _thoughts: list[str] = attrs.field(factory=list)
    _tokens: list[Any] = attrs.field(factory=list)

    def take(self, line: str) -> bool:
        """Takes in one line of a stream; whether it was the last that counts. Raises ValueError."""
        value = json_object(line)
        self._error = read_error(value)
        if self._error is None:
            self.read(value)
            self._lines += 1
        return self.is_done or self._error is not None

    def read(self, value: dict[str, Any]) -> None:
        """Takes in the object of one line."""
        self._first = self._first or value
        message = mapping(value.get("message"))
        self._role = self._role or string(message.get("role"))
        text = string(message.get("content")) or string(value.get("response"))
        self._parts += [Text(text)] if text is not None else []
        for said in (message, value):
            self._thoughts += [text for key in ("thinking", "reasoning_content") if (text := string(said.get(key)))]
            calls = said.get("tool_calls")
            self._parts += map(_call, calls if isinstance(calls, list) else ())
        tokens = value.get("logprobs")
        self._tokens += tokens if isinstance(tokens, list) else ()
        if value.get("done") is True:
            self.is_done = True
            self._last = value

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        usage = {ours: value for theirs, ours in _USAGE.items() if type(value := self._last.get(theirs)) is int}
        reply = Reply(
            parts=joined(self._parts) or (Text(""),),
            reasoning="".join(self._thoughts) or None,
            finish_reason=self._finish_reason(),
            usage=usage or None,
            logprobs={"content": self._tokens, "refusal": None} if self._tokens else None,
            created=_created(self._first),
            model=string(self._first.get("model")),
            role=self._role,
        )
        return ended(reply, self._error, self._lines)

    def _finish_reason(self) -> str | None:
        """In OpenAI's names, by which a turn that calls does not just stop."""
        reason = string(self._last.get("done_reason"))
        calls = any(isinstance(part, ToolCall) for part in self._parts)
        return "tool_calls" if calls and reason == "stop" else reason


def _call(call: Any) -> ToolCall:
    """A call. Raises ValueError if its arguments are nested deeper than can be written."""
    function = mapping(mapping(call).get("function"))
    arguments = function.get("arguments")
    text = arguments if isinstance(arguments, str) else json_text(arguments or {})
    return ToolCall(string(function.get("name")) or "", arguments_in(text), string(mapping(call).get("id")))


def _created(line: dict[str, Any]) -> int | None:
    try:
        return rfc3339.seconds_of(string(line.get("created_at")) or "")
    except ValueError:
        return None
