"""Which members of an answer are ids, and other ids in their place: of the same shape, the same for the same, and with
every other byte as it was.

Only members of a table are ids. Text that happens to have one in it is text; and what is signed, encrypted or somebody
else's (files, containers, conversations) is no id of the answer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping

import attrs

from aimock_protocols import eventstream
from aimock_protocols.canonical import Headers, Reply, Stamp, ToolCall
from aimock_protocols.json_places import Path, dotted, strings

_CHAT = (
    "id",
    "request_id",
    "x_groq.id",
    *(
        f"choices.[].{said}.{member}"
        for said in ("message", "delta")
        for member in ("tool_calls.[].id", "audio.id", "reasoning_details.[].id")
    ),
)
_RESPONSE = ("id", "output.[].id", "output.[].call_id", "output.[].approval_request_id", "previous_response_id")
_RESPONSES = (
    *_RESPONSE,
    *(f"response.{member}" for member in _RESPONSE),
    *(f"item.{member}" for member in ("id", "call_id", "approval_request_id")),
    "item_id",
    "response_id",
)
_ANTHROPIC = (
    "id",
    "message.id",
    "request_id",
    *(
        f"{block}.{member}"
        for block in ("content.[]", "content_block")
        for member in ("id", "tool_use_id", "caller.tool_id")
    ),
)
_CONVERSE = tuple(
    f"{block}.{kind}.toolUseId"
    for block in ("output.message.content.[]", "contentBlockStart.start")
    for kind in ("toolUse", "toolResult")
)
_COHERE = (
    "id",
    "message.tool_calls.[].id",
    "delta.message.tool_calls.id",
    *(f"{within}{member}" for within in ("", "response.") for member in ("generation_id", "response_id")),
)
_PARTS = ("functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_GEMINI = ("responseId", *(f"candidates.[].content.parts.[].{part}.id" for part in _PARTS))
_INTERACTIONS = (
    "id",
    "interaction.id",
    "interaction_id",
    "previous_interaction_id",
    "interaction.previous_interaction_id",
    *(
        f"{within}.{member}"
        for within in (
            "step",
            "delta",
            "content",
            "steps.[]",
            "outputs.[]",
            "interaction.steps.[]",
            "interaction.outputs.[]",
        )
        for member in ("id", "call_id")
    ),
)
_OLLAMA = ("message.tool_calls.[].id", "tool_calls.[].id")

IDS: Mapping[str, frozenset[Path]] = {
    family: frozenset(map(dotted, members))
    for family, members in {
        "openai_chat": _CHAT,
        "openai_completions": _CHAT,
        "openai_compatible": _CHAT,
        "azure_openai": _CHAT,
        "openrouter": _CHAT,
        "openai_embeddings": ("id",),
        "openai_responses": _RESPONSES,
        "anthropic_messages": _ANTHROPIC,
        "bedrock_converse": _CONVERSE,
        "bedrock_invoke": (*_ANTHROPIC, *_CONVERSE, *_CHAT, *_COHERE),
        "cohere": _COHERE,
        "gemini": _GEMINI,
        "gemini_interactions": _INTERACTIONS,
        "ollama": _OLLAMA,
        "tavily": ("request_id",),
        "rerank": ("id",),
        "moderation": ("id",),
    }.items()
}
"""By family of protocols, whole answers and streams alike. An event of Converse is under its name."""

_ECHOES = frozenset(
    map(
        dotted,
        (
            "previous_response_id",
            "response.previous_response_id",
            "previous_interaction_id",
            "interaction.previous_interaction_id",
        ),
    )
)
"""Ids that the request gave: they are as it gave them."""

_ID_HEADERS = frozenset(
    {
        "x-request-id",
        "request-id",
        "x-amzn-requestid",
        "x-amz-request-id",
        "apim-request-id",
        "x-ms-request-id",
        "x-generation-id",
        "x-debug-trace-id",
        "x-cloud-trace-context",
        "x-correlation-id",
        "mistral-correlation-id",
        "x-kong-request-id",
    }
)

_PREFIX = re.compile(rb"(?:[a-z]+\d?[_-])*(?:01(?=[0-9A-Za-z]{16}))?")
"""What says of what kind an id is (`chatcmpl-`, `toolu_bdrk_01`), and is the same in all of them."""
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_UUID_FIXED = frozenset({12, 16})
"""Which of its digits are not random (RFC 9562 4): version and variant."""
_LETTER = re.compile(rb"\\u.{4}|\\.|([0-9A-Za-z])", re.DOTALL)
_HEXADECIMAL = b"0123456789abcdef"
_HEXADECIMAL_FROM = 16
"""Characters from which on an id that has only hexadecimal digits is made of them."""
_ALPHABETS = (b"0123456789", b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BLOCK = 64


class Renaming:
    """Fresh ids for those of one answer.

    Each character is replaced by one of its kind, so many places further on as the stamp has it for this position. So
    ids that differ stay different, without anybody keeping account of them.
    """

    def __init__(self, stamp: Stamp, told: Mapping[str, str] | None = None) -> None:
        """`told`: ids of which the request says how they are called by now."""
        self._stamp = stamp
        self._told = {old.encode(): new.encode() for old, new in (told or {}).items()}
        self._steps = b""
        self.renamed: dict[str, str] = {}
        """What was replaced by what."""

    def of(self, old: str) -> str:
        """The fresh id for an old one."""
        return self._of(old.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def reply(self, reply: Reply) -> Reply:
        """The reply with fresh ids: its own, and those of its calls."""
        parts = tuple(
            attrs.evolve(part, id=self.of(part.id)) if isinstance(part, ToolCall) and part.id else part
            for part in reply.parts
        )
        return attrs.evolve(reply, parts=parts, id=self.of(reply.id) if reply.id else reply.id)

    def headers(self, headers: Headers) -> Headers:
        """Names are in lower case."""
        return tuple((name, self.of(value) if name in _ID_HEADERS else value) for name, value in headers)

    def frames(self, protocol_name: str, content_type: str, frames: Iterable[bytes]) -> list[bytes]:
        """The frames of an answer, each as it came, or its body as one. The protocol is named as in the registry.
        None changes its size. What cannot be read stays as it is."""
        ids = IDS[re.split("[.:]", protocol_name)[0]]
        kind = content_type.partition(";")[0].strip().lower()
        if kind == eventstream.CONTENT_TYPE:
            return [self._message(frame, ids) for frame in frames]
        if kind == "text/event-stream":
            return [self._event(frame, ids) for frame in frames]
        return [self._document(frame, ids) for frame in frames] if "json" in kind else list(frames)

    def _document(self, text: bytes, ids: frozenset[Path], within: Path = (), readable: bytes | None = None) -> bytes:
        """`readable`: the text with all that is no JSON blotted out."""
        pieces: list[bytes] = []
        at = 0
        for path, start, end in strings(text if readable is None else readable):
            path = within + path
            path = path[1:] if path[:1] == (None,) else path  # an element of a stream that is an array
            if path in ids:
                old = text[start:end]
                pieces += text[at:start], self._told.get(old, old) if path in _ECHOES else self._of(old)
                at = end
        return b"".join([*pieces, text[at:]])

    def _event(self, frame: bytes, ids: frozenset[Path]) -> bytes:
        return self._document(frame, ids, readable=_LINE.sub(_only_data, frame))

    def _message(self, frame: bytes, ids: frozenset[Path]) -> bytes:
        try:
            (message,) = eventstream.messages([frame])
        except ValueError:
            return frame
        payload, seal = eventstream.opened(frame)
        for path, start, end in strings(payload):
            if path == (b"bytes",):
                try:
                    document = base64.b64decode(payload[start:end], validate=True)
                except binascii.Error:
                    return frame
                renamed = base64.b64encode(self._document(document, ids))
                return seal(payload[:start] + renamed + payload[end:])
        name = message.text(":event-type") or ""
        return seal(self._document(payload, ids, (name.encode(),)))

    def _of(self, old: bytes) -> bytes:
        new = self._told.get(old)
        if new is None:
            new = self._fresh(old)
        if new != old:
            self.renamed[old.decode("utf-8", "replace")] = new.decode("utf-8", "replace")
        return new

    def _fresh(self, old: bytes) -> bytes:
        prefix = _PREFIX.match(old)
        kept = prefix.end() if prefix is not None and not _UUID.fullmatch(old) else 0
        letters = [place for place in _LETTER.finditer(old, kept) if place[1]]
        said = bytes(place[1][0] for place in letters)
        is_uuid = _UUID.fullmatch(old, kept) is not None
        is_hexadecimal = is_uuid or (len(said) >= _HEXADECIMAL_FROM and not said.strip(_HEXADECIMAL))
        new = bytearray(old)
        for number, place in enumerate(letters):
            if is_uuid and number in _UUID_FIXED:
                continue
            alphabet = _HEXADECIMAL if is_hexadecimal else _alphabet(place[1])
            step = self._step(number)
            if number == len(letters) - 1:
                step = 1 + step % (len(alphabet) - 1)  # no id stays what it was
            new[place.start()] = alphabet[(alphabet.index(place[1]) + step) % len(alphabet)]
        return bytes(new)

    def _step(self, number: int) -> int:
        while number >= len(self._steps):
            label = f"ids {len(self._steps) // _BLOCK}"
            self._steps += bytes.fromhex(self._stamp.hexadecimal(2 * _BLOCK, label))
        return self._steps[number]


_LINE = re.compile(rb"[^\r\n]+")
_DATA = b"data:"


def _only_data(line: re.Match[bytes]) -> bytes:
    """A line of an event, blotted out but for its data."""
    text = line[0]
    return b" " * len(_DATA) + text[len(_DATA) :] if text.startswith(_DATA) else b" " * len(text)


def _alphabet(letter: bytes) -> bytes:
    return next(each for each in _ALPHABETS if letter in each)


def restored(body: bytes, recorded: Callable[[str], str | None]) -> bytes:
    """A request with the ids that are recorded in place of those that were given out for them: every string that is
    one of these. `recorded` gives the one for the other."""
    pieces: list[bytes] = []
    at = 0
    for _, start, end in strings(body):
        old = recorded(body[start:end].decode("utf-8", "replace"))
        if old is not None:
            pieces += body[at:start], old.encode()
            at = end
    return b"".join([*pieces, body[at:]])


def strings_of(body: bytes) -> list[str]:
    """All that is said in a request."""
    return [body[start:end].decode("utf-8", "replace") for _, start, end in strings(body)]
