"""Chat replies read back, whole and streamed, from OpenAI and all who speak its dialect (wire-openai-chat §15, §17)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import attrs
import orjson

from aimock_protocols import sse
from aimock_protocols.canonical import ErrorReply, Part, Reply, Text, ToolCall
from aimock_protocols.collapsing import (
    Collapsed,
    arguments_in,
    collapsed_sse,
    dicts,
    ended,
    integer,
    joined,
    json_object,
    json_text,
    mapping,
    only_reply,
    string,
)
from aimock_protocols.openai_chat import logprobs
from aimock_protocols.openai_platform import read_error

_SYNTHETIC_ORDER = 1_000_000


def read_stream(chunks: Iterable[bytes]) -> Collapsed:
    """All there is to know of a stream. Raises WireError if all that it brought was an error."""
    return collapsed_sse(chunks, _Reader())


collapse = only_reply(read_stream)


def parse(body: bytes) -> Reply:
    """The reply of a whole body. Raises ValueError if it is none, and WireError if it is an error."""
    reader = _Reader()
    value = orjson.loads(body)
    if isinstance(value, list):
        reader.error = read_error(value)  # Gemini's errors are lists of one
    else:
        reader.read(json_object(body))
    if reader.choices == 0 and reader.error is None:
        raise ValueError("no choice in the body")
    return reader.reply()


@attrs.define(eq=False)
class _Call:
    """A tool call in the making."""

    order: int
    id: str | None = None
    name: str = ""
    arguments: list[str] = attrs.field(factory=list)
    is_custom: bool = False

    def part(self) -> ToolCall:
        arguments = "".join(self.arguments)
        return ToolCall(self.name, arguments if self.is_custom else arguments_in(arguments), self.id)


@attrs.define(eq=False)
class _Reader:
    """Puts a reply together from its chunks; a whole body is one chunk that has a message for a delta."""

    id: str | None = None
    created: int | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    provider: str | None = None
    role: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: ErrorReply | None = None
    has_ended: bool = False
    choices: int = 0
    """Chunks that had a choice: those that count as chunks when the stream is interrupted."""
    _reasoning: list[str] = attrs.field(factory=list)
    _signature: str | None = None
    _redacted: list[str] = attrs.field(factory=list)
    _refusal: list[str] = attrs.field(factory=list)
    _logprobs: list[Any] = attrs.field(factory=list)
    _content: list[str | _Call] = attrs.field(factory=list)
    """Runs of text and tool calls in order of arrival; a call stands where it was opened."""
    _calls: list[_Call] = attrs.field(factory=list)
    """All calls, in the order in which they were opened."""
    _current: dict[int, _Call] = attrs.field(factory=dict)
    """The call that each index is about."""

    def take(self, event: sse.Event) -> bool:
        """Takes in one event of a stream; whether it was the last that counts. Raises ValueError."""
        self.has_ended = event.data.strip() == "[DONE]"
        if not self.has_ended:
            chunk = json_object(event.data)
            self.read(chunk)
            if chunk.get("prompt_filter_results") and not chunk.get("choices"):
                self.choices += 1  # what Azure's streams begin with
        return self.has_ended or self.error is not None

    @property
    def is_done(self) -> bool:
        """Some send a reason why they end, and no mark of the end."""
        return self.error is None and (self.has_ended or self.finish_reason is not None)

    def read(self, chunk: dict[str, Any]) -> None:
        """Takes in one chunk. Raises ValueError on one that cannot be represented."""
        self.id = self.id or string(chunk.get("id"))
        self.created = self.created or integer(chunk.get("created"))
        self.model = string(chunk.get("model")) or self.model
        self.system_fingerprint = string(chunk.get("system_fingerprint")) or self.system_fingerprint
        self.provider = string(chunk.get("provider")) or self.provider
        self.error = read_error(chunk)
        choices = dicts(chunk.get("choices"))
        for source in (chunk, mapping(chunk.get("x_groq")), *choices):
            found = source.get("usage")
            if isinstance(found, dict) and found:
                self.usage = found
                break
        if self.error is not None or not choices:
            return
        self.choices += 1
        for choice in choices:
            if choice.get("index") in (None, 0):
                self._read_choice(choice)

    def _read_choice(self, choice: dict[str, Any]) -> None:
        self.finish_reason = string(choice.get("finish_reason")) or self.finish_reason
        self.native_finish_reason = string(choice.get("native_finish_reason")) or self.native_finish_reason
        self._logprobs.append(choice.get("logprobs"))
        if isinstance(choice.get("delta"), dict):
            self._read_delta(choice["delta"])
        elif isinstance(choice.get("message"), dict):
            message = choice["message"]
            calls = [call | {"index": at} for at, call in enumerate(dicts(message.get("tool_calls")))]
            self._read_delta(message | {"tool_calls": calls})
        else:
            self._read_delta({"content": choice.get("text")})

    def _read_delta(self, delta: dict[str, Any]) -> None:
        self.role = self.role or string(delta.get("role"))
        text, thought = _text_and_thought(delta.get("content"))
        if text is not None:
            self._content.append(text)
        self._reasoning.append(thought or _reasoning(delta))
        for detail in dicts(delta.get("reasoning_details")):
            self._read_sealed(detail)
        self._refusal.append(string(delta.get("refusal")) or "")
        for fragment in dicts(delta.get("tool_calls")):
            self._read_call(fragment)
        legacy = mapping(delta.get("function_call"))
        if legacy.get("name") or legacy.get("arguments"):
            self._read_call({"index": 0, "function": legacy})

    def _read_sealed(self, detail: dict[str, Any]) -> None:
        """A signature of thoughts (OpenRouter). What is encrypted is one too, where only summaries are told."""
        self._signature = string(detail.get("signature")) or self._signature
        data = string(detail.get("data"))
        if data is not None and (string(detail.get("format")) or "").endswith("-responses-v1"):
            self._signature = data
        elif data is not None:
            self._redacted.append(data)

    def _read_call(self, fragment: dict[str, Any]) -> None:
        call = self._call_of(fragment.get("index"), string(fragment.get("id")))
        call.is_custom = call.is_custom or fragment.get("type") == "custom"
        function = mapping(fragment.get("custom" if call.is_custom else "function"))
        call.name = call.name or string(function.get("name")) or ""
        call.arguments.append(_arguments(function.get("input" if call.is_custom else "arguments")))

    def _call_of(self, index: Any, call_id: str | None) -> _Call:
        """The call that a fragment belongs to: by its index, else its id, else the last one opened; or a new one."""
        if type(index) is int:
            call = self._current.get(index)
        elif call_id is not None:
            call = next((call for call in self._calls if call.id == call_id), None)
        else:
            call = self._calls[-1] if self._calls else None
        if call is None or (call.id is not None and call_id is not None and call.id != call_id):
            order = index if type(index) is int else _SYNTHETIC_ORDER + len(self._calls)
            call = self._current[order] = _Call(order)
            self._calls.append(call)
            self._content.append(call)
        call.id = call.id or call_id
        return call

    def reply(self) -> Reply:
        """The reply so far. Raises WireError if there is an error and nothing else."""
        parts = self._parts()
        refusal = "".join(self._refusal) or None
        if parts == (Text(""),) and refusal is not None:
            parts = ()
        reply = Reply(
            parts=parts,
            reasoning="".join(self._reasoning) or None,
            reasoning_signature=self._signature,
            redacted_thinking=tuple(self._redacted),
            refusal=refusal,
            finish_reason=self.finish_reason,
            usage=self.usage,
            logprobs=logprobs.join(self._logprobs),
            id=self.id,
            created=self.created,
            model=self.model,
            system_fingerprint=self.system_fingerprint,
            role=self.role,
            provider=self.provider,
            native_finish_reason=self.native_finish_reason,
        )
        return ended(reply, self.error, self.choices)

    def _parts(self) -> tuple[Part, ...]:
        """Text, then calls by index; in order of arrival only if text came after a call."""
        said = [atom for atom in self._content if atom != ""] or self._content
        if not any(isinstance(before, _Call) and isinstance(after, str) for before, after in pairwise(said)):
            said = sorted(said, key=lambda atom: atom.order if isinstance(atom, _Call) else -1)
        return joined(atom.part() if isinstance(atom, _Call) else Text(atom) for atom in said)


def _arguments(value: Any) -> str:
    """A piece of arguments: text as it is; some providers send the object itself. Raises ValueError if too deep."""
    if isinstance(value, str):
        return value
    return "" if value is None else json_text(value)


def _text_and_thought(content: Any) -> tuple[str | None, str]:
    """The text of a `content`, None if there is none, and the thought in it: Mistral sends a list of both."""
    if isinstance(content, str):
        return content, ""
    texts, thoughts = [], []
    for part in dicts(content):
        if part.get("type") == "text":
            texts.append(string(part.get("text")) or "")
        elif part.get("type") == "thinking":
            thoughts += [string(thought.get("text")) or "" for thought in dicts(part.get("thinking"))]
    return "".join(texts) if texts else None, "".join(thoughts)


def _reasoning(delta: dict[str, Any]) -> str:
    """The thought in a delta. Providers repeat it under several names, so only the first of them counts."""
    told = string(delta.get("reasoning_content")) or string(delta.get("reasoning"))
    if told is not None:
        return told
    details = dicts(delta.get("reasoning_details"))
    return "".join(string(detail.get("text")) or string(detail.get("summary")) or "" for detail in details)
