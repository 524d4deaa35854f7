"""Mistral's moderation, of texts and of conversations: each an object that is a protocol (see
`canonical.WireProtocol`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import attrs
import orjson

from aimock_protocols.canonical import ChatRequest, Head, Headers, Results, Stamp
from aimock_protocols.collapsing import dicts
from aimock_protocols.endpoint import Endpoint, Platform
from aimock_protocols.moderation.verdicts import MAX_INPUTS, judged, parse, request, separated, verdicts
from aimock_protocols.openai_chat.speaker import Speaker
from aimock_protocols.openai_dialects.makers import MISTRAL
from aimock_protocols.openai_platform import invalid_type, missing, read_model, read_object, refusal

_PLATFORM = Speaker("openai_compatible:mistral", MISTRAL)
CATEGORIES = (
    "sexual",
    "hate_and_discrimination",
    "violence_and_threats",
    "dangerous_and_criminal_content",
    "selfharm",
    "health",
    "financial",
    "law",
    "pii",
)


class Shape(NamedTuple):
    """What the answer takes from the request."""

    model: str
    inputs: int


def _texts(value: Any) -> list[str]:
    """A text or several. Raises WireError."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise invalid_type("input", "a string or an array of strings", value)
    return values


def _conversations(value: Any) -> list[str]:
    """Of a conversation or several what is judged: the last message of each. Raises WireError."""
    if not isinstance(value, list):
        raise invalid_type("input", "an array of messages", value)
    conversations = value if all(isinstance(each, list) for each in value) else [value]
    return [_last_text(messages) for messages in conversations]


def _last_text(messages: list[Any]) -> str:
    last = messages[-1] if messages else None
    if not isinstance(last, dict):
        raise invalid_type("input", "an array of messages", last)
    content = last.get("content")
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in dicts(content) if isinstance(part.get("text"), str))


@attrs.frozen(eq=False, kw_only=True)
class _Moderation(Endpoint):
    """One of the two endpoints, on the platform that Mistral's chat has too."""

    platform: Platform = _PLATFORM
    whole_headers: Headers = _PLATFORM.whole_headers
    read: Callable[[Any], list[str]]
    """What is judged, of the request's `input`. Raises WireError."""
    parse = staticmethod(parse)
    separated = staticmethod(separated)

    def decode(self, head: Head, params: Mapping[str, str], body: bytes) -> ChatRequest:
        """The request with its inputs as a list of texts. Raises WireError, a 400."""
        sent = read_object(body)
        model = read_model(sent, params)
        for required in ("model", "input"):
            if not sent.get(required):
                raise missing(required)
        texts = self.read(sent["input"])
        if len(texts) > MAX_INPUTS:
            raise refusal(f"input: there may be {MAX_INPUTS} at most, but there are {len(texts)}", "input")
        return request(sent, model, texts)

    def shape(self, request: ChatRequest) -> Shape:
        return Shape(request.model, len(request.body["input"]))

    def encode(self, reply: Results, shape: Shape, stamp: Stamp) -> bytes:
        """The body of a response: a result for each input, which does not say whether all in all it is harmful."""
        given = reply.said[0]
        body = {
            "id": given.get("id", stamp.hexadecimal(32)),
            "model": given.get("model", shape.model),
            "results": [judged(verdict, CATEGORIES) for verdict in verdicts(reply, shape.inputs)],
        }
        return orjson.dumps(body)


texts = _Moderation(name="moderation.mistral:texts", read=_texts)
conversations = _Moderation(name="moderation.mistral:conversations", read=_conversations)
